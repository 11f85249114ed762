//! `portcullis policies`.

use super::{LABELS, checkout, portcullis, portcullis_with};

#[test]
fn lists_the_bundle() {
    let run = portcullis(&["policies", "list"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in ["gpu-device-access", "pss-baseline-privileged", "require-pinned-images", "security-context-defaults"] {
        assert!(run.stdout.contains(name), "{name}: {}", run.stdout);
    }
}

#[test]
fn shows_a_policy_or_names_those_that_there_are() {
    let run = portcullis(&["policies", "show", "require-pinned-images"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("require-pinned-images"), "{}", run.stdout);
    let run = portcullis(&["policies", "show", "require-pined-images"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("there is no policy named require-pined-images"), "{}", run.stderr);
}

/// `security-context-defaults` ships `default: cautious`; its README shows the ConfigMap that makes it restricted.
#[test]
fn the_config_map_of_the_readme_is_the_shipped_one_but_restricted() {
    let policy = include_str!("../../policies/security-context/security-context-defaults/policy.yaml");
    let readme = include_str!("../../policies/security-context/security-context-defaults/README.md");
    let (_, block) = readme.split_once("```yaml\n").expect("a ConfigMap");
    let (shown, _) = block.split_once("```").expect("its end");
    let (_, shipped) = policy.rsplit_once("---\n").expect("the params");
    let shipped: Vec<&str> = shipped.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert_eq!(shown.trim_end(), shipped.join("\n").replace("default: cautious", "default: restricted"));

    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: media}\n\
               spec: {containers: [{name: app, image: 'registry.example/web:1.0.0'}]}\n";
    let dir = checkout(&[("params.yaml", shown), ("pod.yaml", pod)]);
    let shipped = portcullis_with(&["mutate", "pod.yaml"], "", dir.path());
    let restricted = portcullis_with(&["mutate", "--params", "params.yaml", "pod.yaml"], "", dir.path());
    for (run, is_restricted) in [(shipped, false), (restricted, true)] {
        assert!(run.stdout.contains("allowPrivilegeEscalation: false"), "{}{}", run.stdout, run.stderr);
        assert_eq!(run.stdout.contains("runAsNonRoot: true"), is_restricted, "{}", run.stdout);
    }
}

#[test]
fn the_bundle_is_free_of_lint() {
    let run = portcullis(&["policies", "lint"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn lints_types_and_what_is_probably_not_meant() {
    let bad = LABELS
        .replace("has(object.metadata.labels)", "object.metadata.name + 1 == 'a1'")
        .replace("  validations:", "  - {name: unused, expression: '1'}\n  validations:");
    let dir = checkout(&[("policy.yaml", &bad)]);
    let run = portcullis_with(&["policies", "lint", "--no-embedded", "--policies", "policy.yaml"], "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("policy.yaml:"), "{}", run.stdout);
}

#[test]
fn lints_fields_that_the_matched_kinds_do_not_have() {
    let bad = LABELS.replace("has(object.metadata.labels)", "has(object.metadata.label)");
    let line = bad.lines().position(|line| line.contains("has(object.metadata.label)")).unwrap() + 1;
    let dir = checkout(&[("policy.yaml", &bad)]);
    let run = portcullis_with(&["policies", "lint", "policy.yaml"], "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains(&format!("warning  policy.yaml:{line}: ")), "{}", run.stdout);
    assert!(run.stdout.contains("undefined field 'label'\n     | "), "{}", run.stdout);
    let run = portcullis_with(&["policies", "lint", "--format", "json", "policy.yaml"], "", dir.path());
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let finding = &document["findings"][0];
    assert_eq!((&finding["level"], &finding["line"]), (&"warning".into(), &line.into()), "{document}");
    assert!(finding["field"].as_str().is_some_and(|field| field.starts_with("spec.")), "{document}");
}

#[test]
fn lints_what_costs_too_much_on_a_pod_of_usual_size() {
    let loops = "lists.range(150).all(i, lists.range(150).all(j, i + j >= 0))";
    let dear = LABELS.replace("has(object.metadata.labels)", &format!("'{loops}'"));
    let line = dear.lines().position(|line| line.contains(loops)).unwrap() + 1;
    let dir = checkout(&[("policy.yaml", &dear)]);
    let run = portcullis_with(&["policies", "lint", "policy.yaml"], "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    let says = "of usual size, of 1000000 that an expression may cost";
    assert!(
        run.stdout.contains(&format!("warning  policy.yaml:{line}: ")) && run.stdout.contains(says),
        "{}",
        run.stdout
    );
    let run = portcullis_with(&["policies", "lint", "--format", "json", "policy.yaml"], "", dir.path());
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let finding = &document["findings"][0];
    assert_eq!((&finding["level"], &finding["line"]), (&"warning".into(), &line.into()), "{document}");
    assert!(finding["message"].as_str().is_some_and(|message| message.contains(says)), "{document}");
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(1), "{document}");
}

#[test]
fn lints_policies_for_custom_resources_by_their_definitions() {
    let definition = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: w.example.com}\n\
                      spec:\n  group: example.com\n  names: {plural: widgets, kind: Widget}\n  versions:\n  - name: v1\n    \
                      served: true\n    schema: {openAPIV3Schema: {type: object, properties: {a: {type: string}}}}\n";
    let policy = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: w}\nspec:\n  \
                  matchConstraints:\n    resourceRules: [{apiGroups: [example.com], apiVersions: [v1], operations: [CREATE], \
                  resources: [widgets]}]\n  validations:\n  - expression: object.b == ''\n---\n\
                  apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: w}\n\
                  spec: {policyName: w, validationActions: [Deny]}\n";
    let dir = checkout(&[("crds/w.yaml", definition), ("policy.yaml", policy)]);
    let run = portcullis_with(&["policies", "lint", "policy.yaml"], "", dir.path());
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("note     policy.yaml:6: ") && run.stdout.contains("--crds"), "{}", run.stdout);
    let run = portcullis_with(&["policies", "lint", "--crds", "crds", "policy.yaml"], "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("undefined field 'b'"), "{}", run.stdout);
}
