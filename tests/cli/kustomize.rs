//! `portcullis audit` of kustomizations and charts.

use std::path::Path;
use std::process::Command;

use super::{LABELS, checkout, pod, portcullis_with};

#[test]
fn judges_objects_where_the_outermost_kustomization_puts_them() {
    let pod = pod("deny").replace("metadata:\n", "metadata:\n  namespace: kube-system\n");
    let dir = checkout(&[
        ("policy.yaml", LABELS),
        ("m/kustomization.yaml", "namespace: outer\nresources: [inner]"),
        ("m/inner/kustomization.yaml", "namespace: inner\nresources: [pod.yaml]"),
        ("m/inner/pod.yaml", &pod),
    ]);
    let run = portcullis_with(&["audit", "--no-embedded", "--policies", "policy.yaml", "m"], "", dir.path());
    assert!(run.stdout.starts_with("Pod outer/deny\n  m/inner/pod.yaml:8 "), "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("not built"), "a namespace is all that these set: {}", run.stdout);
}

#[test]
fn says_which_kustomizations_change_more_than_namespaces() {
    let dir = checkout(&[
        ("policy.yaml", LABELS),
        ("m/base/kustomization.yaml", "resources: [pod.yaml]"),
        ("m/base/pod.yaml", &pod("warn")),
        (
            "m/prod/Kustomization",
            "namespace: prod\nresources: [../base]\npatches: [{path: p.yaml}]\nimages: [{name: a}]",
        ),
        ("m/dev/kustomization.yml", "resources: [../base, 'https://example.com/a.yaml']"),
    ]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "m"];
    let run = portcullis_with(&args, "", dir.path());
    insta::assert_snapshot!(run.stdout);
    let run = portcullis_with(&[&args[..], &["--format", "json"]].concat(), "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let unbuilt = serde_json::json!([
        {"file": "m/dev/kustomization.yml", "changes": ["remote"]},
        {"file": "m/prod/Kustomization", "changes": ["patches", "images"]},
    ]);
    assert_eq!(report["unbuilt"], unbuilt);
}

#[test]
fn without_a_renderer_each_build_is_an_error_that_says_what_is_missing() {
    let dir = checkout(&[
        ("policy.yaml", LABELS),
        ("m/kustomization.yaml", "namespace: media\nresources: [pod.yaml]"),
        ("m/pod.yaml", &pod("deny")),
        ("m/chart/Chart.yaml", "apiVersion: v2\nname: chart\n"),
    ]);
    let run = |fail_on: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["audit", "--render", "--no-embedded", "--policies", "policy.yaml", "--fail-on", fail_on, "m"])
            .current_dir(dir.path())
            .env("PATH", Path::new("/nowhere"))
            .output()
            .expect("the binary runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let (code, text) = run("deny");
    insta::assert_snapshot!(text);
    assert_eq!(code, Some(1));
    assert_eq!(run("never").0, Some(2), "not everything was judged as it would be deployed");
}
