//! `audit --render` with the real kustomize: what is judged is what is built, and findings point at what is written.

use std::process::Command;

use crate::{checkout, kustomize};

const WEB: &str = "\
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  template:
    spec:
      containers:
      - name: app
        image: registry.example.com/app
      - name: helper
        image: registry.example.com/helper
  selector: {matchLabels: {app: web}}
";

const OVERLAY: &str = "\
namespace: prod
namePrefix: prod-
resources: [../base]
patches:
- path: patch.yaml
images:
- {name: registry.example.com/app, newTag: 1.2.3}
configMapGenerator:
- name: settings
  literals: [a=b]
";

const PATCH: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - {name: added, image: \"registry.example.com/added:1.0.0\"}
";

const POLICY: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: seen}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: ['', apps], apiVersions: [v1], operations: [CREATE], resources: [deployments, configmaps]}
  validations:
  - expression: object.kind != 'Deployment' || object.spec.template.spec.containers.all(c, c.image.contains(':'))
    messageExpression: >-
      'spec.template.spec.containers[2].image: ' + object.spec.template.spec.containers.map(c, c.image).join(' ')
  - expression: object.kind != 'ConfigMap'
    message: generated
  - expression: \"!has(object.metadata.annotations)\"
    message: annotated
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: seen}
spec: {policyName: seen, validationActions: [Deny]}
";

/// The findings and the errors of an audit with the real kustomize, as they are in JSON.
fn audit(files: &[(&str, &str)], arguments: &[&str]) -> serde_json::Value {
    let files: Vec<_> = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let dir = checkout(&files);
    let tools = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(kustomize(), tools.path().join("kustomize")).expect("a link");
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(["audit", "--no-embedded", "--policies", "policy", "--format", "json"])
        .args(arguments)
        .current_dir(dir.path())
        .env("PATH", tools.path())
        .output()
        .expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

/// Each finding as `object file:line message`.
fn findings(report: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rows = report["findings"].as_array().expect("a list").iter();
    rows.map(|row| {
        let (object, source) = (&row["object"], &row["source"]);
        let object = format!("{}/{}", text(&object["namespace"]), text(&object["name"]));
        format!("{object} {}:{} {}", text(&source["file"]), source["line"], text(&row["message"]))
    })
    .collect()
}

const FILES: &[(&str, &str)] = &[
    ("policy/policy.yaml", POLICY),
    ("m/base/kustomization.yaml", "resources: [web.yaml]"),
    ("m/base/web.yaml", WEB),
    ("m/prod/kustomization.yaml", OVERLAY),
    ("m/prod/patch.yaml", PATCH),
];

#[test]
fn judges_what_is_built_and_points_at_what_is_written() {
    let report = audit(FILES, &["--render", "m"]);
    let found = findings(&report);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("prod/prod-settings-") && found[0].ends_with(" m/prod/kustomization.yaml:8 generated"),
        "{found:?}"
    );
    // The third container as it is built, the second one of the file.
    let images = "registry.example.com/added:1.0.0 registry.example.com/app:1.2.3 registry.example.com/helper";
    assert_eq!(found[1], format!("prod/prod-web m/base/web.yaml:16 spec.template.spec.containers[2].image: {images}"));
    assert_eq!(report["findings"][1]["builtBy"], "m/prod/kustomization.yaml");
    assert_eq!(report["unbuilt"], serde_json::json!([]));
}

#[test]
fn finds_the_same_lines_in_a_base_that_is_not_audited() {
    let found = findings(&audit(FILES, &["--render", "m/prod"]));
    assert!(found[1].starts_with("prod/prod-web m/base/web.yaml:16 "), "{found:?}");
}

#[test]
fn names_what_would_change_where_nothing_is_built() {
    let report = audit(FILES, &["m"]);
    let changes = serde_json::json!(["patches", "images", "generators", "names"]);
    assert_eq!(report["unbuilt"], serde_json::json!([{"file": "m/prod/kustomization.yaml", "changes": changes}]));
}

#[test]
fn builds_nothing_that_would_run_a_program_or_leave_the_machine() {
    let plugin = "apiVersion: example.com/v1\nkind: Run\nmetadata:\n  name: run\n  annotations:\n    config.kubernetes.io/function: |\n      exec: {path: ./run.sh}\n";
    let files = [
        ("policy/policy.yaml", POLICY),
        (
            "m/chart/kustomization.yaml",
            "helmCharts: [{name: minecraft, repo: 'https://charts.example.org', version: 1.0.0}]",
        ),
        ("m/file/kustomization.yaml", "configMapGenerator: [{name: a, files: ['../../policy/policy.yaml']}]"),
        ("m/run/kustomization.yaml", "generators: [run.yaml]"),
        ("m/run/run.yaml", plugin),
        ("m/run/run.sh", "#!/bin/sh\ntouch ran\n"),
        ("m/url/kustomization.yaml", "openapi: {path: 'http://127.0.0.1:1/x'}"),
    ];
    let found = findings(&audit(&files, &["--render", "m"]));
    for (file, says) in [
        ("m/chart", "must specify --enable-helm"),
        ("m/file", "security; file"),
        ("m/run", "plugins"),
        ("m/url", "http://127.0.0.1:1/x would be fetched"),
    ] {
        let is_said = |row: &&String| row.contains(&format!(" {file}/kustomization.yaml:1 ")) && row.contains(says);
        assert!(found.iter().any(|row| is_said(&row)), "{file}: {found:#?}");
    }
}
