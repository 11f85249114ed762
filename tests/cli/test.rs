//! `portcullis test`.

use super::manifests::{self, mutating, validating};
use super::{LABELS, checkout, portcullis, portcullis_with};

const SUITE: &str = r#"apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: labels}
spec:
  policies: [policy.yaml]
  defaults: {namespace: media}
  cases:
  - name: rejects a bad label
    objectFile: pods.yaml#Pod/deny
    expect: {verdict: deny, policy: labels, field: metadata.labels.bad, message: ^metadata.*is bad$}
  - name: accepts other labels
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: deny}}}
    expect: {verdict: allow}
  - name: leaves pods without labels alone
    object: {apiVersion: v1, kind: Pod, metadata: {name: a}}
    expect: {verdict: skip}
  - name: warns
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: warn, bad: x}}}
    expect: {verdict: warn, message: x is bad}
  - name: records
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: audit, bad: x}}}
    expect: {verdict: audit}
  - name: needs a text
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: deny, bad: x}}}
    expect: {patched: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {act: deny, bad: x}}}, verdict: deny}
"#;

const PODS: &str = "{apiVersion: v1, kind: Pod, metadata: {name: deny, labels: {act: deny, bad: 'yes'}}}\n---\n\
                    {apiVersion: v1, kind: Pod, metadata: {name: other}}\n";

fn suite(text: &str) -> tempfile::TempDir {
    checkout(&[("p/policy.yaml", LABELS), ("p/tests.yaml", text), ("p/pods.yaml", PODS)])
}

#[test]
fn exemptions_are_part_of_a_suite_and_expire_by_its_clock() {
    let exemption = "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {name: e}\nspec: {policies: [labels], \
                     match: {names: [deny]}, reason: r, expires: 2027-03-31}\n";
    let suite = r#"apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: labels}
spec:
  policies: [policy.yaml]
  exemptions: [exemptions.yaml]
  defaults: {now: '2027-03-31T23:59:59Z'}
  cases:
  - name: sets aside what is bad
    objectFile: pods.yaml#Pod/deny
    expect: {verdict: exempt, policy: labels, field: metadata.labels.bad}
  - name: an exempt finding is allowed
    objectFile: pods.yaml#Pod/deny
    expect: {verdict: allow}
  - name: but not for ever
    objectFile: pods.yaml#Pod/deny
    now: 2027-04-01T00:00:00Z
    expect: {verdict: deny}
  - name: and not for others
    object: {apiVersion: v1, kind: Pod, metadata: {name: b, labels: {act: deny, bad: x}}}
    expect: {verdict: deny}
"#;
    let run = |suite: &str, exemption: &str| {
        let files =
            [("policy.yaml", LABELS), ("pods.yaml", PODS), ("tests.yaml", suite), ("exemptions.yaml", exemption)];
        let dir = checkout(&files);
        portcullis_with(&["test", "."], "", dir.path())
    };
    let passes = run(suite, exemption);
    assert_eq!(passes.code, 0, "{}{}", passes.stdout, passes.stderr);
    let expecting = suite.replace("now: 2027-04-01T00:00:00Z\n    expect: {verdict: deny}", "expect: {verdict: deny}");
    let fails = run(&expecting, exemption);
    assert!(fails.code == 1 && fails.stdout.contains("exempt by labels: "), "{}{}", fails.stdout, fails.stderr);
    for (suite, exemption, says) in [
        (suite.to_owned(), exemption.replace("reason: r, ", ""), "spec.reason: Required value"),
        (
            suite.replace("2027-04-01T00:00:00Z", "soon"),
            exemption.to_owned(),
            "now: Invalid value: \"soon\": must be an RFC 3339 time",
        ),
    ] {
        let run = run(&suite, &exemption);
        assert!(run.code == 2 && run.stderr.contains(says), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn the_embedded_suites_pass() {
    let run = portcullis(&["test"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let last = run.stdout.lines().last().unwrap_or_default();
    assert!(last.ends_with(" passed, 0 failed"), "{last}");
}

#[test]
fn the_embedded_policies_are_exercised_throughout() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for args in [&["test", "--min-coverage", "100"][..], &["test", "policies", "--coverage", "--min-coverage", "100"]] {
        let run = portcullis_with(args, "", root);
        assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("\ncoverage 100.0 %\n"), "{}", run.stdout);
    }
}

/// A policy that has to do with updates alone.
const UPDATES: &str = "\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: updates}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}]}
  validations:
  - expression: request.operation != 'UPDATE' || object.data == oldObject.data
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: updates}
spec: {policyName: updates, validationActions: [Deny]}
";

const CREATIONS: &str = "\
apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: updates}
spec:
  policies: [policy.yaml]
  defaults: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}}
  cases:
  - name: accepts what is new
    expect: {verdict: allow}
";

#[test]
fn a_policy_about_updates_is_not_covered_without_one() {
    let dir = checkout(&[("p/policy.yaml", UPDATES), ("p/tests.yaml", CREATIONS)]);
    let run = portcullis_with(&["test", "--min-coverage", "100", "p"], "", dir.path());
    assert_eq!(run.code, 1);
    for says in [
        "p/policy.yaml:5: matchConstraints (operations): never UPDATE",
        "p/policy.yaml:7:17: validations[0]: never false",
        "p/policy.yaml:7:17: request.operation != \"UPDATE\": never false",
        "p/policy.yaml:7:50: object.data == oldObject.data: never evaluated",
    ] {
        assert!(run.stdout.contains(&format!("    {says}\n")), "{says}: {}", run.stdout);
    }
    let updates = "  - name: accepts what stays\n    operation: UPDATE\n    expect: {verdict: allow}\n  \
                   - name: rejects a change\n    operation: UPDATE\n    set: {data.a: c}\n    expect: {verdict: deny}\n";
    let suite = format!("{CREATIONS}{updates}");
    let dir = checkout(&[("p/policy.yaml", UPDATES), ("p/tests.yaml", &suite)]);
    let run = portcullis_with(&["test", "--min-coverage", "100", "p"], "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stdout);
}

#[test]
fn writes_the_coverage_for_other_tools() {
    let dir = checkout(&[("p/policy.yaml", UPDATES), ("p/tests.yaml", CREATIONS)]);
    let write = |format: &str| {
        let args = ["test", "--coverage-format", format, "--coverage-output", "coverage", "p"];
        let run = portcullis_with(&args, "", dir.path());
        assert_eq!((run.code, run.stdout.contains("coverage 37.5 %")), (0, true), "{}{}", run.stdout, run.stderr);
        std::fs::read_to_string(dir.path().join("coverage")).expect("the coverage is written")
    };
    let lcov = write("lcov");
    assert!(lcov.starts_with("TN:\nSF:p/policy.yaml\nBRDA:5,0,0,1\nBRDA:5,0,1,0\n"), "{lcov}");
    assert!(lcov.ends_with("\nLF:2\nLH:2\nend_of_record\n"), "{lcov}");
    let cobertura = write("cobertura");
    assert!(cobertura.contains("<class name=\"p/policy.yaml\" filename=\"p/policy.yaml\""), "{cobertura}");
    let run = portcullis_with(&["test", "--coverage-output", "coverage", "p"], "", dir.path());
    assert!(run.code == 2 && run.stderr.contains("--coverage-format"), "{}", run.stderr);
}

#[test]
fn a_failure_explains_itself() {
    let policy = UPDATES.replace(
        "request.operation != 'UPDATE' || object.data == oldObject.data",
        "object.data.all(k, v, k == 'a' || v.size() < variables.most)\n  variables: [{name: most, expression: '3'}]",
    );
    let suite = CREATIONS.replace("data: {a: b}", "data: {a: bcd, long: bcde}");
    let dir = checkout(&[("p/policy.yaml", &policy), ("p/tests.yaml", &suite)]);
    let run = portcullis_with(&["test", "p"], "", dir.path());
    insta::assert_snapshot!(run.stdout);
    assert_eq!(run.code, 1);
    let json = portcullis_with(&["test", "--format", "json", "p"], "", dir.path());
    let document: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let explained = &document["suites"][0]["cases"][0]["explanations"][0];
    assert_eq!(explained["explanation"]["parts"][0]["element"], "\"long\"", "{document}");
    // What passes is explained where that is asked for.
    let suite = suite.replace("{verdict: allow}", "{verdict: deny}");
    let dir = checkout(&[("p/policy.yaml", &policy), ("p/tests.yaml", &suite)]);
    for (args, is_explained) in [(&["test", "p"][..], false), (&["test", "--explain", "p"], true)] {
        let run = portcullis_with(args, "", dir.path());
        assert_eq!((run.code, run.stdout.contains("v.size() is 4")), (0, is_explained), "{}", run.stdout);
    }
}

#[test]
fn a_message_and_a_field_stand_beside_those_that_were_expected() {
    let wrong = CREATIONS
        .replace("{verdict: allow}", "{verdict: deny, message: 'key', field: 'data[a]'}")
        .replace("accepts what is new", "rejects what is new");
    let policy = UPDATES.replace("request.operation != 'UPDATE' || object.data == oldObject.data", "'false' == 'true'");
    let policy = policy.replace("'false' == 'true'", "\"false == true\"\n    message: 'data.a: no'");
    let dir = checkout(&[("p/policy.yaml", &policy), ("p/tests.yaml", &wrong)]);
    let run = portcullis_with(&["test", "p"], "", dir.path());
    let says = "\n    no finding is as expected:\n    -field: data[a]\n    -message like: key\n    +field: data.a\n    +deny by updates: data.a: no\n";
    assert!(run.code == 1 && run.stdout.contains(says), "{}", run.stdout);
}

#[test]
fn warns_of_fields_that_there_are_not_and_fails_nothing_for_them() {
    let misspelt =
        LABELS.replace("has(object.metadata.labels)", "has(object.metadata.labels) || has(object.metadata.lbels)");
    let dir = checkout(&[("p/policy.yaml", &misspelt), ("p/tests.yaml", SUITE), ("p/pods.yaml", PODS)]);
    let run = portcullis_with(&["test", "."], "", dir.path());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
    assert!(run.stdout.contains("\n  warning  p/policy.yaml:10: "), "{}", run.stdout);
    assert!(run.stdout.contains("undefined field 'lbels'"), "{}", run.stdout);
    assert!(run.stdout.ends_with("6 passed, 0 failed\n"), "{}", run.stdout);
}

#[test]
fn runs_every_kind_of_expectation() {
    let dir = suite(SUITE);
    let run = portcullis_with(&["test", "--coverage", "."], "", dir.path());
    insta::assert_snapshot!(run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn shows_what_came_out_instead() {
    let wrong = SUITE
        .replace("{verdict: allow}", "{verdict: deny}")
        .replace("{verdict: skip}", "{verdict: allow}")
        .replace("{verdict: audit}", "{verdict: audit, message: nothing of the kind}")
        .replace("{act: deny, bad: x}}}, verdict", "{act: deny, bad: z}}}, verdict");
    let dir = suite(&wrong);
    let run = portcullis_with(&["test", "p/tests.yaml"], "", dir.path());
    insta::assert_snapshot!(run.stdout);
    assert_eq!((run.code, run.stdout.lines().last()), (1, Some("2 passed, 4 failed")));
}

#[test]
fn runs_only_the_cases_that_are_asked_for() {
    let dir = suite(SUITE);
    let run = portcullis_with(&["test", "--run", "labels/(warns|records)", "p"], "", dir.path());
    assert_eq!((run.code, run.stdout.lines().last()), (0, Some("2 passed, 0 failed")));
    let run = portcullis_with(&["test", "--run", "no such case", "p"], "", dir.path());
    assert_eq!(run.code, 2, "a filter that matches nothing is a mistake");
}

#[test]
fn names_what_no_case_has_exercised() {
    let dir = suite(SUITE);
    let args = ["test", "--run", "accepts", "--min-coverage", "80", "p"];
    let run = portcullis_with(&args, "", dir.path());
    insta::assert_snapshot!(run.stdout);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("coverage is 57.1 %, and has to be 80 %"), "{}", run.stderr);
}

#[test]
fn a_typo_in_a_key_is_an_error_with_its_line() {
    for (written, typo, says) in [
        (
            "    objectFile:",
            "    objectfile:",
            "tests.yaml:9: (document 0) PolicyTest/labels: spec.cases[0].objectfile: unknown field; write objectFile",
        ),
        ("{verdict: allow}", "{verdikt: allow}", "spec.cases[1].expect.verdikt: unknown field; write verdict"),
        ("{verdict: skip}", "{verdict: skipped}", "spec.cases[2].expect.verdict: Unsupported value: \"skipped\""),
        ("message: x is bad", "message: 'x ('", "spec.cases[3].expect.message: Invalid value: \"x (\": unclosed group"),
        ("policies: [policy.yaml]", "policies: [other.yaml]", "spec.policies[0]: Invalid value: \"other.yaml\""),
        ("#Pod/deny", "#Pod/none", "no such object; it holds Pod/deny, Pod/other"),
        ("#Pod/deny", "", "2 objects; write pods.yaml#kind/name: Pod/deny, Pod/other"),
        ("{verdict: audit}", "{verdict: allow, message: a}", "spec.cases[4].expect.verdict: Forbidden"),
        ("  - name: warns\n", "  - nmae: warns\n", "spec.cases[3].nmae: unknown field; write name"),
        ("kind: PolicyTest", "kind: PolicyTests", "kind: Unsupported value: \"PolicyTests\""),
    ] {
        let dir = suite(&SUITE.replacen(written, typo, 1));
        let run = portcullis_with(&["test", "p"], "", dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{typo}");
        assert!(run.stderr.contains(says), "{typo}: {}", run.stderr);
    }
}

/// Denies the label `bad`, and that a label `kept` goes.
const CHANGED: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: labels}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [pods]}
  validations:
  - {expression: "object == null || !has(object.metadata.labels) || !('bad' in object.metadata.labels)", message: bad}
  - expression: >-
      oldObject == null || !has(oldObject.metadata.labels) || !('kept' in oldObject.metadata.labels)
      || object != null && 'kept' in object.metadata.labels
    message: kept
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: labels}
spec: {policyName: labels, validationActions: [Deny]}
"#;

const CHANGES: &str = r#"apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: labels}
spec:
  policies: [policy.yaml]
  defaults:
    namespace: media
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web}}}
  cases:
  - name: accepts the object that all begin with
    expect: {verdict: allow}
  - name: rejects a changed copy
    set: {metadata.labels.bad: x, 'metadata.labels["a.b/c"]': v}
    expect:
      verdict: deny
      message: bad
      patched: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web, bad: x, a.b/c: v}}}
  - name: changes an object of its own
    object: {apiVersion: v1, kind: Pod, metadata: {name: b, labels: {bad: x}}}
    set: {metadata.labels.bad: null}
    expect: {patched: {apiVersion: v1, kind: Pod, metadata: {name: b, labels: {}}}}
  - name: applies changes in their order
    set: {metadata.labels: null, metadata.labels.zone: z, metadata.labels.act: a}
    expect: {patched: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {zone: z, act: a}}}}
  - name: an update has the same object before
    operation: UPDATE
    oldSet: {metadata.labels.kept: x}
    expect: {verdict: deny, message: kept}
  - name: an update changes both
    operation: UPDATE
    oldSet: {metadata.labels.kept: x}
    set: {metadata.labels.kept: z}
    expect: {verdict: allow}
  - name: an object of its own is compared with the one that all begin with
    operation: UPDATE
    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {bad: x}}}
    expect: {verdict: deny, message: bad}
  - name: a deletion has it as its old object alone
    operation: DELETE
    oldSet: {metadata.labels.kept: x, metadata.labels.bad: x}
    expect: {verdict: deny, message: kept}
  - name: what is deleted may be given as the object
    operation: DELETE
    object: {apiVersion: v1, kind: Pod, metadata: {name: a}}
    set: {metadata.labels.kept: x}
    expect: {verdict: deny, message: kept}
"#;

fn changes(text: &str) -> tempfile::TempDir {
    checkout(&[("p/policy.yaml", CHANGED), ("p/tests.yaml", text)])
}

#[test]
fn cases_change_an_object_that_all_begin_with() {
    let dir = changes(CHANGES);
    let run = portcullis_with(&["test", "p"], "", dir.path());
    assert_eq!((run.code, run.stdout.lines().last()), (0, Some("9 passed, 0 failed")), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_change_that_leads_nowhere_is_an_error_with_its_line() {
    let many: String = (0..17).map(|i| format!("metadata.labels.l{i}: x, ")).collect();
    for (written, typo, says) in [
        (
            "metadata.labels.bad: x, 'meta",
            "metadata.name.bad: x, 'meta",
            "tests.yaml:13: (document 0) PolicyTest/labels: spec.cases[1].set[metadata.name.bad]: Invalid value: \
             \"metadata.name.bad\": metadata.name is a string, which has no fields; set metadata.name itself",
        ),
        (
            "[\"a.b/c\"]",
            ".a.b/c",
            "\"metadata.labels.a.b/c\": not a field path; write it like spec.containers[0].image",
        ),
        (
            "{metadata.labels.bad: null}",
            "{'metadata.finalizers[1]': a}",
            "metadata.finalizers has 0 elements; write metadata.finalizers[0] to append one",
        ),
        (
            "    set: {metadata.labels.bad: null}",
            "    oldSet: {metadata.labels.bad: null}",
            "tests.yaml:20: (document 0) PolicyTest/labels: spec.cases[2].oldSet: Forbidden: there is no object to change; \
             write oldObject, or spec.defaults.object and operation: UPDATE or DELETE",
        ),
        (
            "    oldSet: {metadata.labels.kept: x, metadata.labels.bad",
            "    set: {metadata.labels.kept: x, metadata.labels.bad",
            "spec.cases[7].set: Forbidden: there is no object to change; write object, or spec.defaults.object; what is \
             deleted is the old object: write oldSet",
        ),
        ("    oldSet:", "    oldset:", "spec.cases[4].oldset: unknown field; write oldSet"),
        ("{metadata.labels.bad: null}", "[metadata]", "spec.cases[2].set: must be an object, but is a list"),
        (
            "    object: {apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: web}}}",
            "    operation: CREATE",
            "spec.cases[0].object: Required value; write the object",
        ),
        ("metadata.labels.bad: null", &many, "spec.cases[2].set: Too many: 17: must have at most 16 items"),
    ] {
        let dir = changes(&CHANGES.replacen(written, typo, 1));
        let run = portcullis_with(&["test", "p"], "", dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{typo}");
        assert!(run.stderr.contains(says), "{typo}: {}", run.stderr);
    }
}

#[test]
fn copies_of_the_object_that_cases_begin_with_take_only_so_much_memory() {
    let padding = "x".repeat(1 << 20);
    let base = CHANGES.replacen("{name: a,", &format!("{{name: a, annotations: {{a: {padding}}},"), 1);
    let cases: String = (0..65).map(|i| format!("  - {{name: c{i}, expect: {{verdict: allow}}}}\n")).collect();
    let dir = changes(&format!("{base}{cases}"));
    let run = portcullis_with(&["test", "p"], "", dir.path());
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("copies of spec.defaults.object in this file take too much memory"), "{}", run.stderr);
}

#[test]
fn a_policy_that_does_not_compile_fails_the_run() {
    let broken = LABELS.replace("has(object.metadata.labels)", "has(object.metadata.labels) + 1");
    let dir = checkout(&[("policy.yaml", &broken), ("tests.yaml", SUITE), ("pods.yaml", PODS)]);
    let run = portcullis_with(&["test", "."], "", dir.path());
    assert_eq!(run.code, 2, "{}", run.stdout);
    assert!(run.stderr.contains("spec.matchConditions[0].expression"), "{}", run.stderr);
}

#[test]
fn writes_junit_and_json() {
    let dir = suite(SUITE);
    let run = portcullis_with(&["test", "--format", "junit", "."], "", dir.path());
    assert!(run.stdout.contains("<testsuite name=\"labels\" tests=\"6\" failures=\"0\""), "{}", run.stdout);
    let run = portcullis_with(&["test", "--format", "json", "."], "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["summary"], serde_json::json!({"passed": 6, "failed": 0}));
}

const PULLS: &str = "
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        object.spec.containers[0].?imagePullPolicy.orValue('') == 'Always'
          ? [JSONPatch{op: 'replace', path: '/spec/containers/0/imagePullPolicy', value: 'IfNotPresent'}] : []
";

/// Neither the object nor what is expected writes defaults out.
const PULLS_SUITE: &str = "
apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: pulls}
spec:
  policies: [policy.yaml]
  cases:
  - name: pulls less
    object: &app {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: app}]}}
    expect:
      patched:
        {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: app, imagePullPolicy: IfNotPresent}]}}
  - name: leaves alone what is not defaulted
    defaulting: false
    object: *app
    expect: {patched: *app}
";

#[test]
fn objects_and_expectations_have_defaults_unless_a_suite_says_otherwise() {
    let run_suite = |suite: &str, args: &[&str]| {
        let dir = checkout(&[("policy.yaml", &mutating("pulls", manifests::PODS, PULLS)), ("tests.yaml", suite)]);
        let run = portcullis_with(&[&["test", "tests.yaml"], args].concat(), "", dir.path());
        assert!(run.code < 2, "{}", run.stderr);
        run.stdout.lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(run_suite(PULLS_SUITE, &[]), "2 passed, 0 failed");
    assert_eq!(run_suite(PULLS_SUITE, &["--no-defaulting"]), "1 passed, 1 failed");
    let never = PULLS_SUITE.replacen("  cases:", "  defaults: {defaulting: false}\n  cases:", 1);
    assert_eq!(run_suite(&never, &[]), "1 passed, 1 failed");
    assert_eq!(run_suite(&PULLS_SUITE.replacen("    defaulting: false\n", "", 1), &[]), "1 passed, 1 failed");
}

const AUTHORIZED: &str = "
  validations:
  - expression: authorizer.requestResource.check('delete').allowed()
    message: who creates a pod has to be allowed to delete it
";

const AUTHORIZED_SUITE: &str = "
apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {name: owners}
spec:
  policies: [policy.yaml]
  defaults: {userInfo: {username: ann}, authorizer: [{user: ann, verb: delete, resource: pods, decision: allow}]}
  cases:
  - {name: accepts owners, object: &pod {apiVersion: v1, kind: Pod, metadata: {name: web}}, expect: {verdict: allow}}
  - {name: rejects others, object: *pod, userInfo: {username: bob}, expect: {verdict: deny}}
  - {name: a case has its own answers, object: *pod, authorizer: [{verb: delete, decision: deny}], expect: {verdict: deny}}
";

#[test]
fn a_suite_gives_the_answers_to_authorization_checks() {
    let run_suite = |suite: &str| {
        let dir = checkout(&[
            ("policy.yaml", &validating("owners", manifests::PODS, AUTHORIZED, "Deny")),
            ("tests.yaml", suite),
        ]);
        portcullis_with(&["test", "."], "", dir.path())
    };
    let run = run_suite(AUTHORIZED_SUITE);
    assert_eq!((run.code, run.stdout.lines().last()), (0, Some("3 passed, 0 failed")), "{}{}", run.stdout, run.stderr);
    let unanswered =
        AUTHORIZED_SUITE.replace(", authorizer: [{user: ann, verb: delete, resource: pods, decision: allow}]}", "}");
    let run = run_suite(&unanswered);
    assert!(run.stdout.contains("no authorizer is available offline"), "{}", run.stdout);
    let run = run_suite(&AUTHORIZED_SUITE.replace("decision: deny", "decision: denied"));
    assert!(run.code == 2 && run.stderr.contains("spec.cases[2].authorizer[0].decision"), "{}", run.stderr);
}
