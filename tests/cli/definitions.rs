//! `--crds` of `mutate` and `audit`: how a custom resource merges is known from its definition alone.

use super::manifests::mutating;
use super::{Run, checkout, portcullis_with};

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items: {type: object, properties: {name: {type: string}, size: {type: integer}}}
";

/// Makes part `b` larger; a list whose elements have no names could only be replaced whole.
const POLICY: &str = "
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: \"Object{spec: Object.spec{parts: [Object.spec.parts{name: 'b', size: 2}]}}\"
";

const WIDGET: &str = "---
apiVersion: example.com/v1
kind: Widget
metadata:
  name: w
spec:
  parts:
  - name: a
    size: 1
  - name: b
    size: 1
";

const REFUSED: &str =
    "error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.parts";

fn run(command: &str, further: &[&str]) -> Run {
    let policy = mutating("parts", "{apiGroups: [example.com], resources: [widgets]", POLICY);
    let dir = checkout(&[("crds/widgets.yaml", DEFINITION), ("policy.yaml", &policy), ("widget.yaml", WIDGET)]);
    let args = [&[command, "--no-embedded", "--policies", "policy.yaml", "widget.yaml"], further].concat();
    portcullis_with(&args, "", dir.path())
}

#[test]
fn mutate_merges_by_a_definition_that_it_is_given() {
    for definitions in ["crds", "crds/widgets.yaml"] {
        let run = run("mutate", &["--crds", definitions]);
        let merged = WIDGET.replace("name: b\n    size: 1", "name: b\n    size: 2");
        assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, merged.as_str(), ""), "{definitions}");
    }
    let run = run("mutate", &[]);
    assert_eq!((run.code, run.stdout.as_str()), (0, WIDGET), "{}", run.stderr);
    assert!(run.stderr.contains("Widget default/w would be refused") && run.stderr.contains(REFUSED), "{}", run.stderr);
}

#[test]
fn audit_merges_by_a_definition_that_it_is_given() {
    let with = run("audit", &["--crds", "crds"]);
    assert_eq!((with.code, with.stdout.as_str()), (0, "no findings in 1 object; 1 check passed\n"), "{}", with.stderr);
    let without = run("audit", &[]);
    assert!(without.code == 1 && without.stdout.contains(REFUSED), "{}{}", without.stdout, without.stderr);
    // Among what is judged it counts, too.
    let beside = run("audit", &["crds/widgets.yaml"]);
    assert_eq!(beside.code, 0, "{}{}", beside.stdout, beside.stderr);
}

#[test]
fn definitions_that_cannot_be_read_are_an_error() {
    for (command, path, says) in [
        ("mutate", "nowhere", "nowhere: no such file or directory"),
        ("audit", "nowhere", "nowhere: no such file or directory"),
    ] {
        let run = run(command, &["--crds", path]);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{command} {path}");
        assert!(run.stderr.contains(says), "{command} {path}: {}", run.stderr);
    }
}
