use super::*;

#[test]
fn counts_by_verdict() {
    let expected = Summary {
        objects: 3,
        with_findings: 2,
        not_judged: 1,
        findings: Counts { pass: 5, deny: 1, warn: 1, audit: 1, error: 1, exempt: 1 },
        unreadable: 1,
        unrendered: 1,
        left_out: 1,
        hidden: 0,
    };
    assert_eq!(samples::report().counted(&Filter::default()).summary, expected);
}

#[test]
fn counts_by_policy_and_what_no_policy_looked_at_by_kind() {
    let report = samples::report().counted(&Filter::default());
    let pinned = Counts { pass: 4, deny: 1, ..Counts::default() };
    assert_eq!(report.policies.get("require-pinned-images"), Some(&pinned));
    assert_eq!(report.policies.get("broken"), Some(&Counts { error: 1, ..Counts::default() }));
    let namespace = ("Namespace".to_owned(), "v1".to_owned());
    assert_eq!(report.not_judged, BTreeMap::from([(namespace, 1)]));
}

#[test]
fn counts_of_several_threads_add_up() {
    let one = samples::report().counted(&Filter::default());
    let mut both = one.clone();
    both.add(one.clone());
    assert_eq!(both.summary.objects, 2 * one.summary.objects);
    assert_eq!(both.summary.findings.pass, 2 * one.summary.findings.pass);
    assert_eq!(both.policies.get("broken"), Some(&Counts { error: 2, ..Counts::default() }));
    let sums = |report: &Report| {
        let exemptions = report.exemptions.iter().map(|exemption| exemption.findings + exemption.passes);
        (exemptions.sum::<usize>(), report.not_judged.values().sum::<usize>(), report.left_out.values().sum::<usize>())
    };
    let (exemptions, kinds, documents) = sums(&one);
    assert_eq!(sums(&both), (2 * exemptions, 2 * kinds, 2 * documents));
    assert!(both.is_judged);
}

#[test]
fn so_many_kinds_are_told_apart() {
    let mut report = Report::default();
    for kind in 0..MAX_KINDS + 5 {
        report.passed_over((format!("Kind{kind}"), "example.com/v1".to_owned()), 1);
    }
    assert_eq!(report.not_judged.len(), MAX_KINDS + 1);
    assert_eq!(report.not_judged.get(&("(other kinds)".to_owned(), String::new())), Some(&5));
}

#[test]
fn a_filter_takes_findings_away_and_says_how_many() {
    let filter = |policies: &[&str], severities: &[&str], verdicts: &[Verdict]| {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
        let filter = Filter { policies: texts(policies), severities: texts(severities), verdicts: verdicts.to_vec() };
        let report = samples::report().counted(&filter);
        let found = report.policies.into_iter().filter(|(_, counts)| !counts.is_clean()).map(|(policy, _)| policy);
        (found.collect::<Vec<_>>(), report.summary.hidden)
    };
    assert_eq!(filter(&[], &[], &[]).1, 0);
    assert_eq!(filter(&["broken", "config-on-pvc"], &[], &[]), (vec!["broken".into(), "config-on-pvc".into()], 3));
    assert_eq!(filter(&[], &["medium"], &[]), (vec!["require-pinned-images".into()], 4));
    assert_eq!(filter(&[], &[], &[Verdict::Warn]), (vec!["pss-baseline-privileged".into()], 4));
    assert_eq!(filter(&["broken"], &["high"], &[]), (vec![], 5));
}

#[test]
fn knows_how_strong_its_strongest_finding_is() {
    let mut sample = samples::report();
    let reaches = |sample: &samples::Sample, verdict| sample.counted(&Filter::default()).reaches(verdict);
    assert!(reaches(&sample, Verdict::Deny));
    sample.objects.remove(0);
    assert!(!reaches(&sample, Verdict::Deny));
    assert!(reaches(&sample, Verdict::Error));
    sample.objects.pop();
    assert!(!reaches(&sample, Verdict::Exempt));
}
