//! Which changes are noticed, and how that is told.

use std::io;

use super::*;
use crate::harness::{Files, load};

const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-latest}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [pods]}
  variables:
  - name: images
    expression: >-
      object.spec.containers.map(c, c.image)
      + object.spec.?initContainers.orValue([]).map(c, c.image)
  validations:
  - expression: >-
      variables.images.all(image,
        !image.endsWith(":latest"))
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-latest}
spec: {policyName: no-latest, validationActions: [Deny]}
"#;

/// The only file is the policy.
struct Only;

impl Files for Only {
    fn read(&self, path: &str) -> Result<Manifest, String> {
        Ok(Manifest::new(path, POLICY))
    }
}

/// What becomes of the policy's mutants in a suite of these cases.
fn report(spec: &str, cases: &str) -> Report {
    let text = format!(
        "apiVersion: portcullis.dev/v1alpha1
kind: PolicyTest
metadata: {{name: suite}}
spec:
  policies: [policy.yaml]
  defaults:
    object: {{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{{name: app, image: 'web:1'}}]}}}}
{spec}
  cases:
{cases}
"
    );
    let suites = load(&Manifest::new("tests.yaml", text), &Only).expect("a suite");
    run(&suites, 36, None, &[]).expect("a report")
}

const ACCEPTS: &str = "  - {name: accepts a version, expect: {verdict: allow}}\n";
const REJECTS: &str =
    "  - {name: rejects latest, set: {'spec.containers[0].image': 'web:latest'}, expect: {verdict: deny}}\n";
const THE_REST: &str = "
  - {name: rejects latest in init containers, set: {'spec.initContainers[0]': {name: a, image: 'web:latest'}}, expect: {verdict: deny}}
  - {name: rejects an update, operation: UPDATE, set: {'spec.containers[0].image': 'web:latest'}, expect: {verdict: deny}}
  - {name: accepts what only resembles it, set: {'spec.containers[0].image': 'web:1-latest'}, expect: {verdict: allow}}
  - {name: rejects one of two, set: {'spec.containers[1]': {name: b, image: 'web:latest'}}, expect: {verdict: deny}}
  - {name: fails closed, object: {apiVersion: v1, kind: Pod, metadata: {name: web}}, defaulting: false, expect: {verdict: error, failurePolicy: Fail}}
";

fn survivors(report: &Report) -> Vec<(&str, usize)> {
    let mutants = report.policies.iter().flat_map(|policy| &policy.mutants);
    let survived = mutants.filter(|mutant| matches!(mutant.fate, Fate::Survived { .. }));
    survived.map(|mutant| (mutant.name.as_str(), mutant.line)).collect()
}

#[test]
fn a_suite_that_shows_everything_leaves_none() {
    let report = report("", &format!("{ACCEPTS}{REJECTS}{THE_REST}"));
    assert_eq!(survivors(&report), []);
    assert_eq!(report.counts().percent(), 100.0);
    assert!(report.counts().killed > 8, "{report:?}");
}

#[test]
fn names_what_no_case_notices_with_its_line() {
    let report = report("", &format!("{ACCEPTS}{REJECTS}"));
    let expected = [
        ("no-latest/variables.images/list/2", 14),
        ("no-latest/validations[0]/quantifier/1", 17),
        ("no-latest/matchConstraints.resourceRules[0].operations.UPDATE", 9),
        ("no-latest/failurePolicy", 6),
    ];
    for (name, line) in expected {
        assert!(survivors(&report).contains(&(name, line)), "{name}: {:?}", survivors(&report));
    }
    assert!(report.counts().percent() < 100.0);
}

#[test]
fn says_who_noticed_and_how_many_could_have() {
    let report = report("", &format!("{ACCEPTS}{REJECTS}"));
    let mutants = &report.policies[0].mutants;
    let fate = |name: &str| &mutants.iter().find(|mutant| mutant.name == name).expect(name).fate;
    let by = "suite/rejects latest".to_owned();
    assert_eq!(*fate("no-latest/validations[0]/whole/1"), Fate::Killed { by });
    assert_eq!(*fate("no-latest/failurePolicy"), Fate::Survived { reached_by: 2 });
}

#[test]
fn a_mutant_is_accepted_by_name_and_with_a_reason() {
    let accepted = "  acceptedMutants:\n  - {name: no-latest/failurePolicy, reason: nothing fails}\n";
    let report = report(accepted, &format!("{ACCEPTS}{REJECTS}"));
    assert!(survivors(&report).iter().all(|(name, _)| *name != "no-latest/failurePolicy"));
    assert_eq!((report.counts().accepted, report.stale.len()), (1, 0));
}

#[test]
fn what_is_accepted_without_need_is_told() {
    let accepted = "  acceptedMutants:
  - {name: 'no-latest/validations[0]/whole/1', reason: none}
  - {name: no-latest/nothing, reason: none}
  - {name: no-latest/failurePolicy, reason: once}
  - {name: no-latest/failurePolicy, reason: twice}
";
    let report = report(accepted, &format!("{ACCEPTS}{REJECTS}"));
    let stale: Vec<_> = report.stale.iter().map(|stale| (stale.source.line, stale.why.as_str())).collect();
    assert_eq!(
        stale,
        [(9, "it is noticed, by suite/rejects latest"), (10, "there is no such mutant"), (12, "it is accepted twice")]
    );
}

#[test]
fn cases_are_left_out_by_name() {
    let suites = {
        let cases = format!("{ACCEPTS}{REJECTS}");
        let text = format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: suite}}\nspec:\n  policies: [policy.yaml]\n  defaults:\n    object: {{apiVersion: v1, kind: Pod, metadata: {{name: web}}, spec: {{containers: [{{name: app, image: 'web:1'}}]}}}}\n  cases:\n{cases}"
        );
        load(&Manifest::new("tests.yaml", text), &Only).expect("a suite")
    };
    let filter = Regex::new("suite/accepts").expect("a pattern");
    let fewer = run(&suites, 36, Some(&filter), &[]).expect("a report");
    let all = run(&suites, 36, None, &[]).expect("a report");
    assert!(fewer.counts().killed < all.counts().killed);
}

#[test]
fn every_format_tells_the_same() -> io::Result<()> {
    let accepted = "  acceptedMutants:\n  - {name: no-latest/failurePolicy, reason: nothing <fails>}\n  - {name: gone, reason: none}\n";
    let report = report(accepted, &format!("{ACCEPTS}{REJECTS}"));
    let mut out = anstream::StripStream::new(Vec::new());
    text::render(&report, &mut out)?;
    insta::assert_snapshot!("text", String::from_utf8_lossy(&out.into_inner()));
    let mut out = Vec::new();
    junit::write_suites(&report, &mut out)?;
    insta::assert_snapshot!("junit", String::from_utf8_lossy(&out));
    let document = serde_json::to_value(json::Mutants::new(&report))?;
    let counts = report.counts();
    assert_eq!(document["killed"], counts.killed);
    assert_eq!(document["survived"], counts.survived);
    assert_eq!(document["accepted"], 1);
    assert_eq!(document["stale"][0]["name"], "gone");
    let mutants = document["policies"][0]["mutants"].as_array().expect("a list");
    let of = |name: &str| mutants.iter().find(|mutant| mutant["name"] == name).expect(name);
    assert_eq!(of("no-latest/validations[0]/whole/1")["killedBy"], "suite/rejects latest");
    assert_eq!(of("no-latest/failurePolicy")["reason"], "nothing <fails>");
    assert_eq!(of("no-latest/variables.images/list/2")["reachedBy"], 2);
    Ok(())
}
