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
