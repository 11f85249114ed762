use std::io;

use super::*;
use crate::audit::renderer::Renderer;
use crate::audit::sections::Section;
use crate::audit::unrendered::Unrendered;
use crate::audit::writer::{Chapter, Writer};
use crate::manifests::{Change, LeftOut};

/// What a report is made of.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub objects: Vec<Judged>,
    pub passes: Vec<(String, usize)>,
    pub unrendered: Vec<Unrendered>,
    pub left_out: Vec<LeftOut>,
    pub unreadable: Vec<Unreadable>,
    pub unbuilt: Vec<Unbuilt>,
    pub exemptions: Vec<Exemption>,
}

impl Sample {
    /// What was counted, with each object and document in a chapter of its own.
    fn chapters(&self, filter: &Filter, renderer: &dyn Renderer) -> io::Result<(Report, Vec<Chapter>)> {
        let mut report =
            Report { unbuilt: self.unbuilt.clone(), exemptions: self.exemptions.clone(), ..Report::default() };
        let mut chapters = Vec::new();
        for judged in &self.objects {
            let (mut judged, mut chapter) = (judged.clone(), Chapter::default());
            report.summary.hidden += judged.keep(filter);
            report.judged(&judged);
            if !judged.findings.is_empty() {
                renderer.object(&judged, chapter.text(Section::Findings))?;
            }
            chapters.push(chapter);
        }
        for (policy, passes) in self.passes.iter().filter(|(policy, _)| filter.lets_policy_pass(policy)) {
            (0..*passes).for_each(|_| report.passed(policy));
        }
        let mut chapter = Chapter::default();
        for found in &self.unrendered {
            chapter.unrendered(found, renderer, &mut report)?;
        }
        for document in &self.left_out {
            report.leave_out(document.reason);
            if document.reason != Reason::Empty {
                renderer.left_out(document, chapter.text(Section::LeftOut))?;
            }
        }
        for found in &self.unreadable {
            chapter.unreadable(found.clone(), Section::Broken, renderer, &mut report)?;
        }
        chapters.push(chapter);
        Ok((report, chapters))
    }

    /// The counts with a filter.
    pub fn counted(&self, filter: &Filter) -> Report {
        self.chapters(filter, &crate::audit::Text).map(|(report, _)| report).unwrap_or_default()
    }

    /// The report as it is written at the end, or with findings as they come.
    pub fn rendered(&self, renderer: &dyn Renderer, is_live: bool) -> io::Result<Vec<u8>> {
        let (report, chapters) = self.chapters(&Filter::default(), renderer)?;
        let (mut live, mut out) = (Vec::<u8>::new(), Vec::<u8>::new());
        let mut writer = Writer::new(renderer, Report::default(), is_live.then_some(&mut live as &mut dyn io::Write));
        chapters.into_iter().try_for_each(|chapter| writer.take(chapter))?;
        let mut findings = writer.end([], std::iter::empty())?;
        findings.report = report;
        findings.write(renderer, &mut out)?;
        Ok([live, out].concat())
    }
}

/// A report with one finding of each kind, for the renderers' tests.
pub fn report() -> Sample {
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
        explanation: None,
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
    Sample {
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
        passes: vec![("config-on-pvc".to_owned(), 1), ("require-pinned-images".to_owned(), 4)],
        unrendered: vec![Unrendered {
            name: "HelmRelease media/sonarr".to_owned(),
            source: source("media/sonarr.yaml", 1),
            command: "helm template sonarr sonarr | portcullis audit -".to_owned(),
        }],
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
