//! What an audit found, as owned data: the input of every renderer.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::engine::Verdict;
use crate::manifests::{LeftOut, ObjectId, Reason, Unbuilt, Unreadable};
use crate::policy;
use crate::policy::model::Source;

use super::unrendered::Unrendered;

/// The result of an audit.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every object, in input order.
    pub objects: Vec<Judged>,
    /// How many objects satisfy a policy's bindings, by the policy's name.
    pub passes: BTreeMap<String, usize>,
    /// What has to be rendered before it can be judged.
    pub unrendered: Vec<Unrendered>,
    /// Every document that is no manifest, in input order.
    pub left_out: Vec<LeftOut>,
    /// Every file or document that can't be read, in input order.
    pub unreadable: Vec<Unreadable>,
    /// How many findings a filter has taken away.
    pub hidden: usize,
    /// The kustomizations that were not built, though they change more than namespaces.
    pub unbuilt: Vec<Unbuilt>,
    /// Every exemption, sorted by name. A filter changes none of them.
    pub exemptions: Vec<Exemption>,
}

/// One object with what was found about it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The object.
    pub object: ObjectId,
    /// Its document.
    pub source: Source,
    /// Whether a policy looked at it.
    pub is_judged: bool,
    /// The kustomization or chart that it was built of.
    pub built_by: Option<String>,
    /// What it doesn't satisfy, or what could not be evaluated.
    pub findings: Vec<Finding>,
}

/// A finding that is not a pass.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The policy's name; empty when the API server would refuse the object before it asks any.
    pub policy: String,
    /// The binding's name; empty when the policy itself could not be used.
    pub binding: String,
    /// The strongest of the binding's actions.
    pub verdict: Verdict,
    /// Upstream's reason.
    pub reason: String,
    /// The field in the object, or empty.
    pub field: String,
    /// The line of that field, or of the object.
    pub line: usize,
    /// The message.
    pub message: String,
    /// The mutating policy that repairs it when the pods are created.
    pub repaired_by: Option<String>,
    /// The policy's severity, or empty.
    pub severity: String,
    /// What exempts from it.
    pub exemption: Option<Exempted>,
}

/// Why a finding is set aside, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempted {
    /// The exemption's name.
    pub name: String,
    /// The verdict without it.
    pub would_be: Verdict,
    /// The exemption's reason.
    pub reason: String,
    /// Its end, as it is written.
    pub expires: String,
    /// Where it stands.
    pub source: Source,
}

/// An exemption, and what it did in this audit.
#[derive(Clone, Debug)]
pub struct Exemption {
    /// `metadata.name`.
    pub name: String,
    /// Where it stands.
    pub source: Source,
    /// `spec.reason`.
    pub reason: String,
    /// Its end, as it is written.
    pub expires: String,
    /// Whether that is past.
    pub has_expired: bool,
    /// How many findings it is written for, whether or not it has expired or another one covers them too.
    pub findings: usize,
    /// How often a policy that it is from had nothing to object to in what it selects.
    pub passes: usize,
}

/// What became of an exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExemptionState {
    /// It is in force and covers a finding.
    Used,
    /// Its time is over.
    Expired,
    /// It is in force, and what it selects passes without it.
    Unneeded,
    /// It is in force, and nothing that it selects was judged by a policy that it is from.
    Unmatched,
}

/// Which findings of a report count; an empty list takes every one.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names of policies.
    pub policies: Vec<String>,
    /// Severities.
    pub severities: Vec<String>,
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
}

/// How many findings have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bindings satisfied.
    pub pass: usize,
    /// See [`Verdict::Deny`].
    pub deny: usize,
    /// See [`Verdict::Warn`].
    pub warn: usize,
    /// See [`Verdict::Audit`].
    pub audit: usize,
    /// See [`Verdict::Error`].
    pub error: usize,
    /// See [`Verdict::Exempt`].
    pub exempt: usize,
}

/// The counts that a report ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects.
    pub objects: usize,
    /// Objects with a finding.
    pub with_findings: usize,
    /// Objects that no policy looked at.
    pub not_judged: usize,
    /// Findings by verdict, without what can't be read.
    pub findings: Counts,
    /// Files and documents that can't be read.
    pub unreadable: usize,
    /// What has to be rendered first.
    pub unrendered: usize,
    /// Documents left out, empty ones not counted.
    pub left_out: usize,
    /// Findings that a filter has taken away.
    pub hidden: usize,
}

impl Exempted {
    /// By an exemption, from what would have this verdict.
    pub fn new(by: &policy::Exemption, would_be: Verdict) -> Self {
        Self {
            name: by.name.clone(),
            would_be,
            reason: by.reason.clone(),
            expires: by.expires_text.clone(),
            source: by.source.clone(),
        }
    }
}

impl Exemption {
    /// One that has covered nothing yet.
    pub fn new(exemption: &policy::Exemption, now: SystemTime) -> Self {
        Self {
            name: exemption.name.clone(),
            source: exemption.source.clone(),
            reason: exemption.reason.clone(),
            expires: exemption.expires_text.clone(),
            has_expired: exemption.has_expired(now),
            findings: 0,
            passes: 0,
        }
    }

    /// What became of it.
    pub fn state(&self) -> ExemptionState {
        match (self.findings, self.passes) {
            _ if self.has_expired => ExemptionState::Expired,
            (0, 0) => ExemptionState::Unmatched,
            (0, _) => ExemptionState::Unneeded,
            _ => ExemptionState::Used,
        }
    }
}

impl ExemptionState {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            ExemptionState::Used => "used",
            ExemptionState::Expired => "expired",
            ExemptionState::Unneeded => "unneeded",
            ExemptionState::Unmatched => "unmatched",
        }
    }
}

impl Counts {
    fn count(&mut self, verdict: Verdict) {
        let count = match verdict {
            Verdict::Pass => &mut self.pass,
            Verdict::Exempt => &mut self.exempt,
            Verdict::Audit => &mut self.audit,
            Verdict::Warn => &mut self.warn,
            Verdict::Error => &mut self.error,
            Verdict::Deny => &mut self.deny,
        };
        *count += 1;
    }

    /// Whether everything passed.
    pub fn is_clean(&self) -> bool {
        self.deny + self.warn + self.audit + self.error + self.exempt == 0
    }
}

impl Judged {
    /// Whether no policy looked at it; an object that could not be judged is an error, not passed over.
    fn is_passed_over(&self) -> bool {
        !self.is_judged && self.findings.is_empty()
    }
}

impl Report {
    /// The counts.
    pub fn summary(&self) -> Summary {
        let mut findings = Counts { pass: self.passes.values().sum(), ..Counts::default() };
        self.findings().for_each(|finding| findings.count(finding.verdict));
        Summary {
            objects: self.objects.len(),
            with_findings: self.objects.iter().filter(|judged| !judged.findings.is_empty()).count(),
            not_judged: self.objects.iter().filter(|judged| judged.is_passed_over()).count(),
            findings,
            unreadable: self.unreadable.len(),
            unrendered: self.unrendered.len(),
            left_out: self.left_out_documents().count(),
            hidden: self.hidden,
        }
    }

    /// The counts of each policy, by its name.
    pub fn policies(&self) -> BTreeMap<&str, Counts> {
        let passes = self.passes.iter().map(|(policy, pass)| (&**policy, Counts { pass: *pass, ..Counts::default() }));
        let mut policies: BTreeMap<_, _> = passes.collect();
        for finding in self.findings().filter(|finding| !finding.policy.is_empty()) {
            policies.entry(&*finding.policy).or_default().count(finding.verdict);
        }
        policies
    }

    /// How many objects of each kind no policy looked at, by `apiVersion` and kind.
    pub fn not_judged(&self) -> BTreeMap<(&str, &str), usize> {
        let mut kinds = BTreeMap::new();
        for judged in self.objects.iter().filter(|judged| judged.is_passed_over()) {
            *kinds.entry((&*judged.object.kind, &*judged.object.api_version)).or_default() += 1;
        }
        kinds
    }

    /// The documents left out for more than being empty.
    pub fn left_out_documents(&self) -> impl Iterator<Item = &LeftOut> {
        self.left_out.iter().filter(|document| document.reason != Reason::Empty)
    }

    /// Takes away what `filter` doesn't let pass. What can't be read stays.
    pub fn keep(&mut self, filter: &Filter) {
        fn lets_pass<T: PartialEq>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
            wanted.is_empty() || wanted.iter().any(is)
        }
        for judged in &mut self.objects {
            let before = judged.findings.len();
            judged.findings.retain(|finding| {
                lets_pass(&filter.policies, |policy| *policy == finding.policy)
                    && lets_pass(&filter.severities, |severity| *severity == finding.severity)
                    && lets_pass(&filter.verdicts, |verdict| *verdict == finding.verdict)
            });
            self.hidden += before - judged.findings.len();
        }
        self.passes.retain(|passed, _| lets_pass(&filter.policies, |policy| policy == passed));
    }

    /// The first object that policies could not be asked about, because the API server would refuse it before.
    pub fn first_refused(&self) -> Option<(&Judged, &Finding)> {
        self.objects.iter().find_map(|judged| {
            let finding = judged.findings.iter().find(|finding| finding.policy.is_empty())?;
            Some((judged, finding))
        })
    }

    /// Whether a finding is at least as strong as `verdict`.
    pub fn reaches(&self, verdict: Verdict) -> bool {
        self.findings().any(|finding| finding.verdict >= verdict)
    }

    /// Whether a policy looked at any object.
    pub fn is_judged(&self) -> bool {
        self.objects.iter().any(|judged| judged.is_judged)
    }

    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.objects.iter().flat_map(|judged| &judged.findings)
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;
    use crate::manifests::Change;

    /// A report with one finding of each kind, for the renderers' tests.
    pub fn report() -> Report {
        let source = |file: &str, line| Source { file: file.to_owned(), document: 0, line };
        let finding = |policy: &str, verdict, line, field: &str, message: &str, severity: &str| Finding {
            policy: policy.to_owned(),
            binding: policy.to_owned(),
            verdict,
            reason: "Invalid".to_owned(),
            field: field.to_owned(),
            line,
            message: message.to_owned(),
            repaired_by: (verdict == Verdict::Warn).then(|| "gpu-device-access".to_owned()),
            severity: severity.to_owned(),
            exemption: (verdict == Verdict::Exempt).then(|| Exempted {
                name: "host-path".to_owned(),
                would_be: Verdict::Deny,
                reason: "moves to a claim".to_owned(),
                expires: "2027-03-31".to_owned(),
                source: Source { file: "exemptions.yaml".to_owned(), document: 0, line: 1 },
            }),
        };
        let exemption = |name: &str, line, has_expired, findings, passes| Exemption {
            name: name.to_owned(),
            source: source("exemptions.yaml", line),
            reason: "moves to a claim".to_owned(),
            expires: if has_expired { "2020-03-31" } else { "2027-03-31" }.to_owned(),
            has_expired,
            findings,
            passes,
        };
        let id = |api_version: &str, kind: &str, namespace: &str, name: &str| ObjectId {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        Report {
            objects: vec![
                Judged {
                    object: id("apps/v1", "Deployment", "media", "jellyfin"),
                    source: source("media/jellyfin.yaml", 1),
                    is_judged: true,
                    built_by: None,
                    findings: vec![
                        finding(
                            "pss-baseline-privileged",
                            Verdict::Warn,
                            24,
                            "spec.template.spec.containers[0].securityContext.privileged",
                            "container jellyfin is privileged, but its pods will be repaired",
                            "high",
                        ),
                        finding(
                            "require-pinned-images",
                            Verdict::Deny,
                            17,
                            "spec.template.spec.containers[0].image",
                            "container jellyfin: pin the image\nto a version",
                            "medium",
                        ),
                    ],
                },
                Judged {
                    object: id("v1", "Namespace", "", "media"),
                    source: source("media/namespace.yaml", 1),
                    is_judged: false,
                    built_by: None,
                    findings: Vec::new(),
                },
                Judged {
                    object: id("v1", "Pod", "media", "vpn"),
                    source: source("media/vpn.yaml", 4),
                    is_judged: true,
                    built_by: None,
                    findings: vec![
                        finding("config-on-pvc", Verdict::Audit, 9, "spec.volumes[0]", "not a claim", ""),
                        finding("pss-baseline-host-path", Verdict::Exempt, 4, "", "hostPath", "high"),
                        finding("broken", Verdict::Error, 4, "", "no such key: spec", ""),
                    ],
                },
            ],
            passes: BTreeMap::from([("config-on-pvc".to_owned(), 1), ("require-pinned-images".to_owned(), 4)]),
            unrendered: vec![Unrendered {
                name: "HelmRelease media/sonarr".to_owned(),
                source: source("media/sonarr.yaml", 1),
                command: "helm template sonarr sonarr | portcullis audit -".to_owned(),
            }],
            hidden: 0,
            left_out: vec![
                LeftOut { source: source("media/kustomization.yaml", 1), reason: Reason::Kustomization },
                LeftOut { source: source("media/empty.yaml", 1), reason: Reason::Empty },
            ],
            unreadable: vec![Unreadable {
                source: source("media/broken.yaml", 7),
                message: "not valid YAML: a quote is not closed".to_owned(),
            }],
            unbuilt: vec![Unbuilt {
                file: "media/kustomization.yaml".to_owned(),
                changes: vec![Change::Patches, Change::Images],
                generated: Vec::new(),
            }],
            exemptions: vec![
                exemption("host-path", 1, false, 1, 1),
                exemption("old-images", 11, true, 1, 0),
                exemption("old-probes", 21, true, 0, 1),
                exemption("repaired-since", 31, false, 0, 2),
                exemption("typo", 41, false, 0, 0),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(samples::report().summary(), expected);
    }

    #[test]
    fn counts_by_policy_and_what_no_policy_looked_at_by_kind() {
        let report = samples::report();
        let policies = report.policies();
        let pinned = Counts { pass: 4, deny: 1, ..Counts::default() };
        assert_eq!(policies.get("require-pinned-images"), Some(&pinned));
        assert_eq!(policies.get("broken"), Some(&Counts { error: 1, ..Counts::default() }));
        assert_eq!(report.not_judged(), BTreeMap::from([(("Namespace", "v1"), 1)]));
    }

    #[test]
    fn a_filter_takes_findings_away_and_says_how_many() {
        let filter = |policies: &[&str], severities: &[&str], verdicts: &[Verdict]| {
            let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
            let mut report = samples::report();
            report.keep(&Filter {
                policies: texts(policies),
                severities: texts(severities),
                verdicts: verdicts.to_vec(),
            });
            let summary = report.summary();
            (report.findings().map(|finding| finding.policy.clone()).collect::<Vec<_>>(), summary.hidden)
        };
        assert_eq!(filter(&[], &[], &[]).1, 0);
        assert_eq!(filter(&["broken", "config-on-pvc"], &[], &[]), (vec!["config-on-pvc".into(), "broken".into()], 3));
        assert_eq!(filter(&[], &["medium"], &[]), (vec!["require-pinned-images".into()], 4));
        assert_eq!(filter(&[], &[], &[Verdict::Warn]), (vec!["pss-baseline-privileged".into()], 4));
        assert_eq!(filter(&["broken"], &["high"], &[]), (vec![], 5));
    }

    #[test]
    fn knows_how_strong_its_strongest_finding_is() {
        let mut report = samples::report();
        assert!(report.reaches(Verdict::Deny));
        report.objects.remove(0);
        assert!(!report.reaches(Verdict::Deny));
        assert!(report.reaches(Verdict::Error));
        report.objects.pop();
        assert!(!report.reaches(Verdict::Exempt));
    }
}
