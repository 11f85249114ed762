//! Exemptions: what they cover, until when, and what is wrong with them.

use std::time::{Duration, SystemTime};

use super::texts;
use crate::json::{self, Arena, Limits};
use crate::policy::{Exemptions, Manifest, Part, Subject, embedded};

const EXEMPTION: &str = "apiVersion: portcullis.dev/v1alpha1
kind: Exemption
metadata: {name: old-backup}
spec:
  policies: [pss-baseline-*, require-probes]
  match:
    namespaces: [backup]
    kinds: [CronJob]
    names: [nightly-*]
  reason: rewritten in the next release
  expires: 2027-03-31
";

/// 2027-03-31T00:00:00Z.
const LAST_DAY: u64 = 1_806_451_200;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

const NIGHTLY: Subject<'_> = Subject { namespace: "backup", kind: "CronJob", name: "nightly-db", labels: [None, None] };

/// The names of those that select an object without parts.
fn select<'e>(exemptions: &'e Exemptions, policy: &str, subject: &Subject<'_>) -> Vec<&'e str> {
    exemptions.selecting(policy, subject, Vec::new).iter().map(|exemption| exemption.name.as_str()).collect()
}

fn load(text: &str) -> (Exemptions, Vec<String>) {
    let (exemptions, errors) = Exemptions::load(&[Manifest::new("e.yaml", text)]);
    (exemptions, texts(&errors))
}

#[test]
fn covers_only_what_matches_every_list() {
    let (exemptions, errors) = load(EXEMPTION);
    assert_eq!(errors, [] as [&str; 0]);
    let cases = [
        ("pss-baseline-seccomp", NIGHTLY, true),
        ("require-probes", NIGHTLY, true),
        ("require-resources", NIGHTLY, false),
        ("require-probes", Subject { namespace: "media", ..NIGHTLY }, false),
        ("require-probes", Subject { kind: "Job", ..NIGHTLY }, false),
        ("require-probes", Subject { name: "weekly", ..NIGHTLY }, false),
    ];
    for (policy, subject, selected) in cases {
        assert_eq!(!select(&exemptions, policy, &subject).is_empty(), selected, "{policy} {subject:?}");
    }
}

#[test]
fn labels_of_the_object_or_of_its_pod_have_to_match_every_one_that_is_given() {
    let (exemptions, errors) = load(&EXEMPTION.replace("names: [nightly-*]", "labels: {app: db, tier: 'back*'}"));
    assert_eq!(errors, [] as [&str; 0]);
    let arena = Arena::new();
    let labels = |text: &'static str| json::parse(&arena, text.as_bytes(), &Limits::default()).ok();
    let both = r#"{"app": "db", "tier": "backend", "x": "y"}"#;
    for (own, pods, selected) in [
        (both, "null", true),
        ("{}", both, true),
        (both, both, true),
        (r#"{"app": "db"}"#, r#"{"tier": "backend"}"#, false),
        (r#"{"app": "db", "tier": "front"}"#, "null", false),
        (r#"{"app": "db", "tier": 1}"#, "null", false),
        ("null", "null", false),
    ] {
        let subject = Subject { labels: [labels(own), labels(pods)], ..NIGHTLY };
        assert_eq!(!select(&exemptions, "require-probes", &subject).is_empty(), selected, "{own} {pods}");
    }
    assert!(select(&exemptions, "require-probes", &NIGHTLY).is_empty());
}

#[test]
fn containers_and_images_select_parts_of_an_object_and_objects_that_have_such() {
    let vpn = Part { container: Some("vpn"), image: "registry.example/vpn:1" };
    let other = Part { container: Some("web"), image: "registry.example/vpn:1" };
    let volume = Part { container: None, image: "registry.example/vpn:1" };
    for (lists, covered) in [
        ("containers: [vpn]", [true, false, false]),
        ("containers: ['*']", [true, true, false]),
        ("images: ['registry.example/*']", [true, true, true]),
        ("images: ['*:2']", [false, false, false]),
        ("containers: [vpn], images: ['registry.example/*']", [true, false, false]),
        ("containers: [vpn], images: ['*:2']", [false, false, false]),
    ] {
        let (exemptions, errors) = load(&EXEMPTION.replace("names: [nightly-*]", &lists.replace(", i", "\n    i")));
        assert_eq!(errors, [] as [&str; 0]);
        let exemption = exemptions.all().first().expect("one");
        assert!(exemption.is_partial());
        assert_eq!([vpn, other, volume].map(|part| exemption.covers(part)), covered, "{lists}");
        for (part, covered) in [vpn, other, volume].into_iter().zip(covered) {
            let found = exemptions.selecting("require-probes", &NIGHTLY, || vec![part]);
            assert_eq!(!found.is_empty(), covered, "{lists} {part:?}");
        }
        assert!(exemptions.selecting("require-probes", &NIGHTLY, Vec::new).is_empty());
    }
    let (exemptions, _) = load(EXEMPTION);
    let exemption = exemptions.all().first().expect("one");
    assert!(!exemption.is_partial() && !exemption.covers(vpn), "one of the whole object is of no part");
}

#[test]
fn those_of_several_sources_go_together_and_a_name_is_taken_once() {
    let (first, _) = load(EXEMPTION);
    let more = EXEMPTION.replace("old-backup", "another") + "---\n" + EXEMPTION;
    let (all, errors) = first.with(&[Manifest::new("more.yaml", more)]);
    let names: Vec<_> = all.all().iter().map(|exemption| (&*exemption.name, &*exemption.source.file)).collect();
    assert_eq!(names, [("another", "more.yaml"), ("old-backup", "e.yaml")]);
    let [error] = &*texts(&errors) else { panic!("one error: {errors:?}") };
    assert!(error.starts_with("more.yaml:13") && error.contains("Duplicate value: \"old-backup\""), "{error}");
}

#[test]
fn ends_after_its_last_day_or_at_its_time() {
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
        let found = exemptions.selecting("require-probes", &NIGHTLY, Vec::new);
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
        ("    names:", "    name:", "spec.match.name: unknown field; write names"),
        ("    names: [nightly-*]", "    labels: [app]", "spec.match.labels: must be an object, but is a list"),
        (
            "    names: [nightly-*]",
            "    labels: {app: 1}",
            "spec.match.labels.app: must be a string, but is a number; write \"1\", with the quotes",
        ),
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
    assert!(!select(&exemptions, "require-probes", &Subject::default()).is_empty());
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
    assert_eq!(select(&exemptions, "require-probes", &NIGHTLY), ["first", "second", "third"]);
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
    for (policy, expected) in
        [("require-probes", &["a", "b", "d", "e"][..]), ("other", &["c", "d", "e"]), ("other-one", &["f"]), ("", &[])]
    {
        assert_eq!(select(&exemptions, policy, &NIGHTLY), expected, "{policy}");
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

#[test]
fn those_of_the_first_user_name_policies_that_there_are_and_stand_in_the_documentation() {
    let text = include_str!("../../../examples/k8s-nas-exemptions.yaml");
    let (exemptions, errors) = load(text);
    assert_eq!(errors, [] as [&str; 0]);
    let names: Vec<_> = exemptions.all().iter().map(|exemption| exemption.name.as_str()).collect();
    assert_eq!(names, ["vpn-gateway", "vpn-of-qbittorrent"]);
    assert!(exemptions.all().iter().all(|exemption| exemption.is_partial() && !exemption.has_expired(at(LAST_DAY))));
    assert!(embedded().iter().any(|policy| policy.name == "pss-baseline-capabilities"));
    let vpn = Part { container: Some("vpn"), image: "qmcgaw/gluetun:v3.40.0" };
    let arena = Arena::new();
    let labels = json::parse(&arena, br#"{"app": "vpn"}"#, &Limits::default()).ok();
    let gateway = Subject { namespace: "media", kind: "Pod", name: "vpn-1", labels: [labels, None] };
    for (policy, part, selected) in [
        ("pss-baseline-capabilities", vpn, 1),
        ("pss-baseline-privileged", vpn, 0),
        ("pss-baseline-capabilities", Part { container: Some("web"), ..vpn }, 0),
        ("pss-baseline-capabilities", Part { image: "evil/gluetun:v3", ..vpn }, 0),
    ] {
        assert_eq!(exemptions.selecting(policy, &gateway, || vec![part]).len(), selected, "{policy} {part:?}");
    }
    let first =
        text.split("---").next().and_then(|first| Some(&first[first.find("apiVersion")?..])).expect("a document");
    assert!(include_str!("../../../docs/exemptions.md").contains(first));
}
