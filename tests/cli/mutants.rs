//! `portcullis test --mutants`.

use serde_json::Value;

use super::{LABELS, checkout, portcullis, portcullis_with};

/// What the shipped suites don't notice, they accept by name.
#[test]
fn the_shipped_suites_leave_no_mutant_unexplained() {
    let run = portcullis(&["test", "--min-killed", "100"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("100.0 % of mutants killed: ") && last.contains(" 0 survived"), "{last}");
}

const SUITE: &str = "apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: labels}
spec:
  policies: [policy.yaml]
  cases:
  - name: rejects a bad label
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: deny, bad: x}}}
    expect: {verdict: deny}
";

fn run(suite: &str, args: &[&str]) -> super::Run {
    let dir = checkout(&[("policy.yaml", LABELS), ("tests.yaml", suite)]);
    portcullis_with(&[&["test", "."], args].concat(), "", dir.path())
}

#[test]
fn fails_below_the_minimum_alone() {
    let told = run(SUITE, &["--mutants"]);
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert!(
        told.stdout.contains("no case evaluates it") || told.stdout.contains("1 case evaluates it"),
        "{}",
        told.stdout
    );
    let fails = run(SUITE, &["--min-killed", "100"]);
    assert_eq!(fails.code, 1, "{}{}", fails.stdout, fails.stderr);
    assert!(fails.stderr.contains("of the mutants are noticed, and it has to be 100 %"), "{}", fails.stderr);
    assert_eq!(run(SUITE, &["--min-killed", "1"]).code, 0);
    assert_eq!(run(SUITE, &["--min-killed", "101"]).code, 2);
}

#[test]
fn what_is_accepted_without_need_fails() {
    let stale =
        SUITE.replace("  cases:", "  acceptedMutants:\n  - {name: labels/gone, reason: it was there once}\n  cases:");
    let run = run(&stale, &["--mutants"]);
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("tests.yaml:7: accepted without need: labels/gone: there is no such mutant"),
        "{}",
        run.stdout
    );
    let without_reason = SUITE.replace("  cases:", "  acceptedMutants:\n  - {name: labels/gone}\n  cases:");
    let refused = self::run(&without_reason, &["--mutants"]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("reason: Required value; write why no case has to notice it"),
        "{}",
        refused.stderr
    );
}

#[test]
fn nothing_is_said_of_mutants_while_a_case_fails() {
    let failing = SUITE.replace("verdict: deny", "verdict: allow");
    let run = run(&failing, &["--mutants"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("mutants were not tried: the cases have to pass first"), "{}", run.stderr);
    assert!(!run.stdout.contains("mutants"), "{}", run.stdout);
}

#[test]
fn mutants_are_part_of_every_format() {
    let json = run(SUITE, &["--mutants", "--format", "json"]);
    let document: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(document["schema"], "portcullis.dev/test/v1");
    let mutants = &document["mutants"];
    let count = mutants["killed"].as_u64().expect("a number") + mutants["survived"].as_u64().expect("a number");
    assert_eq!(mutants["policies"][0]["mutants"].as_array().expect("a list").len() as u64, count);
    let junit = run(SUITE, &["--mutants", "--format", "junit"]);
    assert!(junit.stdout.contains("<testsuite name=\"mutants of labels\" "), "{}", junit.stdout);
    assert_eq!(junit.stdout.matches("<testcase ").count() as u64, count + 1);
    assert!(!run(SUITE, &["--format", "json"]).stdout.contains("mutants"));
}

#[test]
fn an_error_is_expected_with_the_failure_policy_that_treats_it() {
    let expecting = |expect: &str| SUITE.replace("expect: {verdict: deny}", expect);
    let refused = run(&expecting("expect: {verdict: deny, failurePolicy: Fail}"), &[]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("only an error is treated by the failure policy"), "{}", refused.stderr);
    let closed = LABELS.replace("!('bad' in variables.labels)", "object.spec.nothing == 1");
    let open = closed.replace("spec:\n  matchConstraints:", "spec:\n  failurePolicy: Ignore\n  matchConstraints:");
    assert!(closed != LABELS && open != closed);
    for (policy, expected, passes) in
        [(&closed, "Fail", true), (&closed, "Ignore", false), (&open, "Fail", false), (&open, "Ignore", true)]
    {
        let suite = expecting(&format!("expect: {{verdict: error, failurePolicy: {expected}}}"));
        let dir = checkout(&[("policy.yaml", policy), ("tests.yaml", &suite)]);
        let run = portcullis_with(&["test", "."], "", dir.path());
        assert_eq!(run.code == 0, passes, "{policy}\n{}{}", run.stdout, run.stderr);
        let told = format!("expected an error treated by failurePolicy: {expected}, but found:");
        assert_eq!(run.stdout.contains(&told), !passes, "{}", run.stdout);
    }
}
