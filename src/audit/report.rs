//! What an audit found, as owned data: the input of every renderer.

use crate::engine::Verdict;
use crate::manifests::{LeftOut, ObjectId, Reason, Unreadable};
use crate::policy::model::Source;

/// The result of an audit.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Every object that was judged, in input order.
    pub objects: Vec<Judged>,
    /// Every document that is no manifest, in input order.
    pub left_out: Vec<LeftOut>,
    /// Every file or document that can't be read, in input order.
    pub unreadable: Vec<Unreadable>,
}

/// One object with what was found about it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The object.
    pub object: ObjectId,
    /// Its document.
    pub source: Source,
    /// How many bindings it satisfies.
    pub passed: usize,
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
    /// The exemption's reason.
    pub reason: String,
    /// Its end, as it is written.
    pub expires: String,
    /// Where it stands.
    pub source: Source,
}

/// The counts that a report ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects judged.
    pub objects: usize,
    /// Objects with a finding.
    pub with_findings: usize,
    /// Bindings satisfied.
    pub pass: usize,
    /// Findings by verdict.
    pub deny: usize,
    /// See [`Verdict::Warn`].
    pub warn: usize,
    /// See [`Verdict::Audit`].
    pub audit: usize,
    /// See [`Verdict::Error`]; what can't be read counts too.
    pub error: usize,
    /// See [`Verdict::Exempt`].
    pub exempt: usize,
    /// Documents left out, empty ones not counted.
    pub left_out: usize,
}

impl Report {
    /// The counts.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { objects: self.objects.len(), ..Summary::default() };
        for judged in &self.objects {
            summary.pass += judged.passed;
            summary.with_findings += usize::from(!judged.findings.is_empty());
            for finding in &judged.findings {
                match finding.verdict {
                    Verdict::Pass => summary.pass += 1,
                    Verdict::Exempt => summary.exempt += 1,
                    Verdict::Audit => summary.audit += 1,
                    Verdict::Warn => summary.warn += 1,
                    Verdict::Error => summary.error += 1,
                    Verdict::Deny => summary.deny += 1,
                }
            }
        }
        summary.error += self.unreadable.len();
        summary.left_out = self.left_out.iter().filter(|document| document.reason != Reason::Empty).count();
        summary
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
        self.objects.iter().flat_map(|judged| &judged.findings).any(|finding| finding.verdict >= verdict)
    }
}

/// A verdict as reports and suites spell it.
pub fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Exempt => "exempt",
        Verdict::Audit => "audit",
        Verdict::Warn => "warn",
        Verdict::Error => "error",
        Verdict::Deny => "deny",
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::*;

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
                reason: "moves to a claim".to_owned(),
                expires: "2027-03-31".to_owned(),
                source: Source { file: "exemptions.yaml".to_owned(), document: 0, line: 1 },
            }),
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
                    passed: 3,
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
                    passed: 2,
                    findings: Vec::new(),
                },
                Judged {
                    object: id("v1", "Pod", "media", "vpn"),
                    source: source("media/vpn.yaml", 4),
                    passed: 0,
                    findings: vec![
                        finding("config-on-pvc", Verdict::Audit, 9, "spec.volumes[0]", "not a claim", ""),
                        finding("pss-baseline-host-path", Verdict::Exempt, 4, "", "hostPath", "high"),
                        finding("broken", Verdict::Error, 4, "", "no such key: spec", ""),
                    ],
                },
            ],
            left_out: vec![
                LeftOut { source: source("media/kustomization.yaml", 1), reason: Reason::Kustomization },
                LeftOut { source: source("media/empty.yaml", 1), reason: Reason::Empty },
            ],
            unreadable: vec![Unreadable {
                source: source("media/broken.yaml", 7),
                message: "not valid YAML: a quote is not closed".to_owned(),
            }],
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
            pass: 5,
            deny: 1,
            warn: 1,
            audit: 1,
            error: 2,
            exempt: 1,
            left_out: 1,
        };
        assert_eq!(samples::report().summary(), expected);
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
