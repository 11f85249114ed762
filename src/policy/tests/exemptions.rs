//! Exemptions: what they cover, until when, and what is wrong with them.

use std::time::{Duration, SystemTime};

use super::texts;
use crate::policy::{Exemptions, Manifest, Subject};

const EXEMPTION: &str = "apiVersion: portcullis.dev/v1alpha1
kind: Exemption
metadata: {name: old-backup}
spec:
  policies: [pss-baseline-*, require-probes]
  match:
    namespaces: [backup]
    kinds: [CronJob]
    names: [nightly-*]
    images: ['registry.example/*']
  reason: rewritten in the next release
  expires: 2027-03-31
";

/// 2027-03-31T00:00:00Z.
const LAST_DAY: u64 = 1_806_451_200;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn load(text: &str) -> (Exemptions, Vec<String>) {
    let (exemptions, errors) = Exemptions::load(&[Manifest::new("e.yaml", text)]);
    (exemptions, texts(&errors))
}

#[test]
fn covers_only_what_matches_every_list() {
    let (exemptions, errors) = load(EXEMPTION);
    assert_eq!(errors, [] as [&str; 0]);
    let subject = Subject { namespace: "backup", kind: "CronJob", name: "nightly-db" };
    let ours = ["registry.example/a:1"].as_slice();
    let cases = [
        ("pss-baseline-seccomp", subject, ours, true),
        ("require-probes", subject, ours, true),
        ("require-resources", subject, ours, false),
        ("require-probes", Subject { namespace: "media", ..subject }, ours, false),
        ("require-probes", Subject { kind: "Job", ..subject }, ours, false),
        ("require-probes", Subject { name: "weekly", ..subject }, ours, false),
        ("require-probes", subject, &["registry.example/a:1", "docker.io/b"], false),
        ("require-probes", subject, &[], false),
    ];
    for (policy, subject, images, covered) in cases {
        let found = exemptions.covering(policy, subject, || images.to_vec());
        assert_eq!(!found.is_empty(), covered, "{policy} {subject:?} {images:?}");
    }
}

#[test]
fn ends_after_its_last_day_or_at_its_time() {
    let subject = Subject { namespace: "backup", kind: "CronJob", name: "nightly-db" };
    let day = 24 * 60 * 60;
    for (expires, now, exempt) in [
        ("2027-03-31", LAST_DAY + day - 1, true),
        ("2027-03-31", LAST_DAY + day, false),
        ("2027-03-31T12:00:00Z", LAST_DAY + day / 2 - 1, true),
        ("2027-03-31T12:00:00Z", LAST_DAY + day / 2, false),
        ("2027-03-31T14:00:00+02:00", LAST_DAY + day / 2, false),
    ] {
        let (exemptions, errors) = load(&EXEMPTION.replace("2027-03-31", expires));
        assert_eq!(errors, [] as [&str; 0]);
        let found = exemptions.covering("require-probes", subject, || vec!["registry.example/a"]);
        let expired: Vec<_> = found.iter().map(|exemption| exemption.has_expired(at(now))).collect();
        assert_eq!(expired, [!exempt], "{expires} {now}");
    }
}

#[test]
fn rejects_exemptions_that_say_too_little() {
    for (from, to, message) in [
        ("  expires: 2027-03-31\n", "", "spec.expires: Required value; write the last day"),
        ("2027-03-31", "next year", "spec.expires: Invalid value: \"next year\": must be a date or an RFC 3339 time"),
        ("2027-03-31", "2027-02-30", "spec.expires: Invalid value: \"2027-02-30\""),
        ("2027-03-31", "2027-03-31T12:00:00", "spec.expires: Invalid value"),
        ("  reason: rewritten in the next release\n", "", "spec.reason: Required value"),
        ("[pss-baseline-*, require-probes]", "[]", "spec.policies: Required value"),
        ("    images:", "    image:", "spec.match.image: unknown field; write images"),
        ("portcullis.dev/v1alpha1", "portcullis.dev/v1", "unsupported version \"portcullis.dev/v1\" of Exemption"),
        (
            "kind: Exemption",
            "kind: ConfigMap",
            "a ConfigMap can't be used here; exemption files hold kind: Exemption only",
        ),
    ] {
        let (exemptions, errors) = load(&EXEMPTION.replace(from, to));
        let [error] = errors.as_slice() else { panic!("{to}: one error: {errors:#?}") };
        assert!(error.contains(message), "{error}");
        assert!(exemptions.all().is_empty(), "{to}");
    }
}

#[test]
fn rejects_an_exemption_from_everything_unless_it_says_so() {
    let start = EXEMPTION.find("    namespaces").expect("match");
    let end = EXEMPTION.find("  reason").expect("reason");
    let empty = EXEMPTION.replace(EXEMPTION.get(start..end).expect("a part"), "").replace("  match:", "  match: {}");
    let (_, errors) = load(&empty);
    assert!(errors.iter().any(|error| error.contains("spec.match: Required value: at least one of")), "{errors:#?}");
    let (exemptions, errors) = load(&empty.replace("match: {}", "match: {namespaces: ['*']}"));
    assert_eq!(errors, [] as [&str; 0]);
    assert!(!exemptions.covering("require-probes", Subject::default(), Vec::new).is_empty());
}

#[test]
fn finds_every_exemption_that_covers_the_expired_ones_too() {
    let one = |name: &str, kinds: &str, expires: &str| {
        EXEMPTION.replace("old-backup", name).replace("[CronJob]", kinds).replace("2027-03-31", expires)
    };
    let text = [
        one("third", "[CronJob]", "2999-01-01"),
        one("first", "['*']", "2020-01-01"),
        one("fourth", "[Job]", "2999-01-01"),
        one("second", "[Cron*]", "2999-01-01"),
    ];
    let (exemptions, errors) = load(&text.join("---\n"));
    assert_eq!(errors, [] as [&str; 0]);
    let subject = Subject { namespace: "backup", kind: "CronJob", name: "nightly-db" };
    let found = exemptions.covering("require-probes", subject, || vec!["registry.example/a"]);
    let names: Vec<_> = found.iter().map(|exemption| exemption.name.as_str()).collect();
    assert_eq!(names, ["first", "second", "third"]);
}

#[test]
fn rejects_a_name_given_twice() {
    let (exemptions, errors) = load(&format!("{EXEMPTION}---\n{EXEMPTION}"));
    assert_eq!(exemptions.all().len(), 1);
    assert!(errors.iter().any(|error| error.contains("metadata.name: Duplicate value: \"old-backup\"")), "{errors:#?}");
}

#[test]
fn finds_them_by_name_and_by_pattern() {
    let one = |name: &str, policies: &str| {
        EXEMPTION.replace("old-backup", name).replace("[pss-baseline-*, require-probes]", policies)
    };
    let text = [
        one("a", "[require-probes, require-probes]"),
        one("b", "['require-*']"),
        one("c", "[other]"),
        one("d", "[other, require-probes]"),
        one("e", "[other, '*-probes']"),
        one("f", "['other-*']"),
    ];
    let (exemptions, errors) = load(&text.join("---\n"));
    assert_eq!(errors, [] as [&str; 0]);
    let subject = Subject { namespace: "backup", kind: "CronJob", name: "nightly-db" };
    for (policy, expected) in
        [("require-probes", &["a", "b", "d", "e"][..]), ("other", &["c", "d", "e"]), ("other-one", &["f"]), ("", &[])]
    {
        let found = exemptions.covering(policy, subject, || vec!["registry.example/a"]);
        let names: Vec<_> = found.iter().map(|exemption| exemption.name.as_str()).collect();
        assert_eq!(names, expected, "{policy}");
    }
}

#[test]
fn rejects_more_than_every_finding_could_look_at() {
    let one = |index: usize| {
        format!(
            "{{apiVersion: portcullis.dev/v1alpha1, kind: Exemption, metadata: {{name: e{index}}}, \
             spec: {{policies: [p], match: {{names: [some]}}, reason: r, expires: 2200-01-01}}}}"
        )
    };
    let list = |count: usize| {
        let items: Vec<_> = (0..count).map(one).collect();
        format!("{{apiVersion: v1, kind: List, items: [{}]}}", items.join(", "))
    };
    let (exemptions, errors) = load(&list(10_000));
    assert_eq!((exemptions.all().len(), errors), (10_000, Vec::new()));
    let (exemptions, errors) = load(&list(10_010));
    assert_eq!(exemptions.all().len(), 10_000);
    let [error] = errors.as_slice() else { panic!("one error: {errors:#?}") };
    assert!(
        error.contains("Exemption/e10000: there are more than 10000 objects of this kind; one exemption may list"),
        "{error}"
    );
}
