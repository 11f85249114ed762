//! The report as JSON: schema `portcullis.dev/audit/v1`, which only ever gains fields. Where findings are written as they
//! come, the counts stand behind them.

use std::io::{self, Write};

use serde::Serialize;

use crate::engine::Verdict;
use crate::manifests::{self, LeftOut, Unreadable};
use crate::policy::model;
use crate::visible;

use super::renderer::{Order, Renderer};
use super::report::{self, Counts, Finding, Judged, Report, Summary};
use super::sections::{Section, Sections};
use super::unrendered::Unrendered;

/// For programs.
#[derive(Clone, Copy, Debug)]
pub struct Json;

const SCHEMA: &str = "portcullis.dev/audit/v1";

impl Renderer for Json {
    /// A comma.
    fn lead(&self) -> usize {
        1
    }

    fn object(&self, judged: &Judged, out: &mut dyn Write) -> io::Result<()> {
        judged.findings.iter().try_for_each(|finding| write_row(&Row::new(judged, finding), out))
    }

    fn unreadable(&self, unreadable: &Unreadable, out: &mut dyn Write) -> io::Result<()> {
        write_row(&Row::unreadable(unreadable), out)
    }

    fn unrendered(&self, found: &Unrendered, out: &mut dyn Write) -> io::Result<()> {
        let Unrendered { name, source, command } = found;
        write_row(&UnrenderedRow { name, source: source.into(), command }, out)
    }

    fn left_out(&self, document: &LeftOut, out: &mut dyn Write) -> io::Result<()> {
        let LeftOut { source, reason } = document;
        write_row(&LeftOutRow { source: source.into(), reason: reason.name(), message: reason.to_string() }, out)
    }

    fn begin(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{{\n  \"schema\": \"{SCHEMA}\",\n  \"findings\": [")
    }

    fn finish(&self, report: &Report, rows: &mut Sections, order: Order, out: &mut dyn Write) -> io::Result<()> {
        let totals = Totals::from(&report.summary);
        let unreadable = [Section::Broken, Section::Crowded, Section::Unread];
        match order {
            Order::Usual => {
                write!(out, "{{\n  \"schema\": \"{SCHEMA}\"")?;
                write_member("summary", &totals, out)?;
                write_rows("findings", &[&[Section::Findings], &unreadable[..]].concat(), rows, out)?;
            }
            Order::FindingsFirst => {
                let mut is_first = report.summary.with_findings == 0;
                let is_empty = is_first && report.summary.unreadable == 0;
                unreadable.iter().try_for_each(|section| write_section(*section, &mut is_first, rows, out))?;
                out.write_all(if is_empty { b"]" } else { b"\n  ]" })?;
                write_member("summary", &totals, out)?;
            }
        }
        let policies = report.policies.iter().map(|(policy, counts)| PolicyRow { policy, verdicts: (*counts).into() });
        write_member("policies", &policies.collect::<Vec<_>>(), out)?;
        let kinds = report.not_judged.iter().map(|((kind, version), objects)| KindRow {
            api_version: version,
            kind,
            objects: *objects,
        });
        write_member("notJudged", &kinds.collect::<Vec<_>>(), out)?;
        write_rows("notRendered", &[Section::Unrendered], rows, out)?;
        write_rows("leftOut", &[Section::LeftOut], rows, out)?;
        write_member("unbuilt", &report.unbuilt.iter().map(Unbuilt::new).collect::<Vec<_>>(), out)?;
        let exemptions: Vec<_> = report.exemptions.iter().map(ExemptionRow::new).collect();
        write_member("exemptions", &exemptions, out)?;
        out.write_all(b"\n}\n")
    }
}

/// Writes an element of an array that is a member of the document, with the comma before it.
fn write_row(row: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write!(out, ",\n    {}", indented(row, "    ")?)
}

/// Writes a member of the document.
fn write_member(name: &str, value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    write!(out, ",\n  \"{name}\": {}", indented(value, "  ")?)
}

/// Writes a member of the document that has the rows of these sections.
fn write_rows(name: &str, sections: &[Section], rows: &mut Sections, out: &mut dyn Write) -> io::Result<()> {
    write!(out, ",\n  \"{name}\": [")?;
    let mut is_first = true;
    sections.iter().try_for_each(|section| write_section(*section, &mut is_first, rows, out))?;
    out.write_all(if is_first { b"]" } else { b"\n  ]" })
}

fn write_section(section: Section, is_first: &mut bool, rows: &mut Sections, out: &mut dyn Write) -> io::Result<()> {
    if rows.is_empty(section) {
        return Ok(());
    }
    // The first row has none before it.
    let skip = usize::from(std::mem::replace(is_first, false));
    rows.write(section, skip, out)
}

/// The value as JSON, its lines but the first behind `indent`. No string of JSON holds a line break.
fn indented(value: &impl Serialize, indent: &str) -> io::Result<String> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(visible::json(&text).replace('\n', &format!("\n{indent}")))
}

/// An exemption, how many findings it is written for, and how often what it selects passed.
#[derive(Serialize)]
struct ExemptionRow<'r> {
    name: &'r str,
    source: Source<'r>,
    reason: &'r str,
    expires: &'r str,
    state: &'static str,
    findings: usize,
    passes: usize,
}

impl<'r> ExemptionRow<'r> {
    fn new(exemption: &'r report::Exemption) -> Self {
        Self {
            name: &exemption.name,
            source: (&exemption.source).into(),
            reason: &exemption.reason,
            expires: &exemption.expires,
            state: exemption.state().name(),
            findings: exemption.findings,
            passes: exemption.passes,
        }
    }
}

/// A kustomization whose objects may differ from what its files say.
#[derive(Serialize)]
struct Unbuilt<'r> {
    file: &'r str,
    changes: Vec<&'static str>,
}

impl<'r> Unbuilt<'r> {
    fn new(unbuilt: &'r manifests::Unbuilt) -> Self {
        Self { file: &unbuilt.file, changes: unbuilt.changes.iter().map(|change| change.name()).collect() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Totals {
    objects: usize,
    #[serde(flatten)]
    verdicts: Verdicts,
    not_judged: usize,
    unreadable: usize,
    not_rendered: usize,
    left_out: usize,
    hidden: usize,
}

impl From<&Summary> for Totals {
    fn from(summary: &Summary) -> Self {
        let error = summary.findings.error + summary.unreadable;
        Self {
            objects: summary.objects,
            verdicts: Verdicts { error, ..Verdicts::from(summary.findings) },
            not_judged: summary.not_judged,
            unreadable: summary.unreadable,
            not_rendered: summary.unrendered,
            left_out: summary.left_out,
            hidden: summary.hidden,
        }
    }
}

#[derive(Serialize)]
struct Verdicts {
    pass: usize,
    deny: usize,
    warn: usize,
    audit: usize,
    error: usize,
    exempt: usize,
}

impl From<Counts> for Verdicts {
    fn from(counts: Counts) -> Self {
        let Counts { pass, deny, warn, audit, error, exempt } = counts;
        Self { pass, deny, warn, audit, error, exempt }
    }
}

#[derive(Serialize)]
struct PolicyRow<'r> {
    policy: &'r str,
    #[serde(flatten)]
    verdicts: Verdicts,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KindRow<'r> {
    api_version: &'r str,
    kind: &'r str,
    objects: usize,
}

#[derive(Serialize)]
struct UnrenderedRow<'r> {
    name: &'r str,
    source: Source<'r>,
    command: &'r str,
}

#[derive(Serialize)]
struct LeftOutRow<'r> {
    source: Source<'r>,
    reason: &'static str,
    message: String,
}

#[derive(Serialize)]
struct Row<'r> {
    policy: &'r str,
    binding: &'r str,
    verdict: &'static str,
    reason: &'r str,
    object: Object<'r>,
    source: Source<'r>,
    field: &'r str,
    message: &'r str,
    severity: &'r str,
    /// Only where there is one.
    #[serde(rename = "repairedBy", skip_serializing_if = "Option::is_none")]
    repaired_by: Option<&'r str>,
    /// Absent where nothing exempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    exemption: Option<Exemption<'r>>,
    #[serde(rename = "builtBy", skip_serializing_if = "Option::is_none")]
    built_by: Option<&'r str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exemption<'r> {
    name: &'r str,
    would_be: &'static str,
    reason: &'r str,
    expires: &'r str,
    source: Source<'r>,
}

#[derive(Serialize)]
struct Object<'r> {
    #[serde(rename = "apiVersion")]
    api_version: &'r str,
    kind: &'r str,
    namespace: &'r str,
    name: &'r str,
}

#[derive(Serialize)]
struct Source<'r> {
    file: &'r str,
    document: usize,
    line: usize,
}

impl<'r> From<&'r model::Source> for Source<'r> {
    fn from(source: &'r model::Source) -> Self {
        Self { file: &source.file, document: source.document, line: source.line }
    }
}

impl<'r> Row<'r> {
    fn new(judged: &'r Judged, finding: &'r Finding) -> Self {
        Self {
            policy: &finding.policy,
            binding: &finding.binding,
            verdict: finding.verdict.name(),
            reason: &finding.reason,
            object: Object {
                api_version: &judged.object.api_version,
                kind: &judged.object.kind,
                namespace: &judged.object.namespace,
                name: &judged.object.name,
            },
            source: Source { file: &judged.source.file, document: judged.source.document, line: finding.line },
            field: &finding.field,
            message: &finding.message,
            severity: &finding.severity,
            repaired_by: finding.repaired_by.as_deref(),
            exemption: finding.exemption.as_ref().map(|exempted| Exemption {
                name: &exempted.name,
                would_be: exempted.would_be.name(),
                reason: &exempted.reason,
                expires: &exempted.expires,
                source: (&exempted.source).into(),
            }),
            built_by: judged.built_by.as_deref(),
        }
    }

    /// A finding that no policy made and that is about no object.
    fn unreadable(unreadable: &'r Unreadable) -> Self {
        let Unreadable { source, message } = unreadable;
        Self {
            policy: "",
            binding: "",
            verdict: Verdict::Error.name(),
            reason: "Unreadable",
            object: Object { api_version: "", kind: "", namespace: "", name: "" },
            source: source.into(),
            field: "",
            message,
            severity: "",
            repaired_by: None,
            exemption: None,
            built_by: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::samples;
    use super::*;

    #[test]
    fn follows_its_schema() -> Result<(), Box<dyn std::error::Error>> {
        let text = String::from_utf8(samples::report().rendered(&Json, false)?)?;
        assert!(text.ends_with("}\n"));
        let document: serde_json::Value = serde_json::from_str(&text)?;
        assert_eq!(document["schema"], "portcullis.dev/audit/v1");
        let summary = serde_json::json!(
            {"objects": 3, "pass": 5, "deny": 1, "warn": 1, "audit": 1, "error": 2, "exempt": 1,
             "notJudged": 1, "unreadable": 1, "notRendered": 1, "leftOut": 1, "hidden": 0});
        assert_eq!(document["summary"], summary);
        let verdicts: Vec<_> =
            document["findings"].as_array().into_iter().flatten().map(|row| &row["verdict"]).collect();
        assert_eq!(verdicts, ["warn", "deny", "audit", "exempt", "error", "error"]);
        let row = serde_json::json!({
            "policy": "pss-baseline-privileged", "binding": "pss-baseline-privileged", "verdict": "warn",
            "reason": "Invalid",
            "object": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "media", "name": "jellyfin"},
            "source": {"file": "media/jellyfin.yaml", "document": 0, "line": 24},
            "field": "spec.template.spec.containers[0].securityContext.privileged",
            "message": "container jellyfin is privileged, but its pods will be repaired",
            "severity": "high", "repairedBy": "gpu-device-access",
        });
        assert_eq!(document["findings"][0], row);
        let exemption = serde_json::json!({
            "name": "host-path", "wouldBe": "deny", "reason": "moves to a claim", "expires": "2027-03-31",
            "source": {"file": "exemptions.yaml", "document": 0, "line": 1},
        });
        assert_eq!(document["findings"][3]["exemption"], exemption);
        assert_eq!(document["findings"][5]["source"]["file"], "media/broken.yaml");
        let pinned = serde_json::json!({"policy": "require-pinned-images",
            "pass": 4, "deny": 1, "warn": 0, "audit": 0, "error": 0, "exempt": 0});
        assert_eq!(document["policies"][4], pinned);
        let namespaces = serde_json::json!([{"apiVersion": "v1", "kind": "Namespace", "objects": 1}]);
        assert_eq!(document["notJudged"], namespaces);
        assert_eq!(document["notRendered"][0]["command"], "helm template sonarr sonarr | portcullis audit -");
        let left_out = serde_json::json!([{
            "source": {"file": "media/kustomization.yaml", "document": 0, "line": 1},
            "reason": "Kustomization",
            "message": "kustomization; judge its output: kubectl kustomize DIR | portcullis audit -",
        }]);
        assert_eq!(document["leftOut"], left_out);
        let unbuilt = serde_json::json!([{"file": "media/kustomization.yaml", "changes": ["patches", "images"]}]);
        assert_eq!(document["unbuilt"], unbuilt);
        let expired = serde_json::json!({
            "name": "old-images", "source": {"file": "exemptions.yaml", "document": 0, "line": 11},
            "reason": "moves to a claim", "expires": "2020-03-31", "state": "expired", "findings": 1, "passes": 0,
        });
        assert_eq!(document["exemptions"][1], expired);
        let states: Vec<_> = document["exemptions"].as_array().into_iter().flatten().map(|row| &row["state"]).collect();
        assert_eq!(states, ["used", "expired", "expired", "unneeded", "unmatched"]);
        Ok(())
    }

    #[test]
    fn is_laid_out_as_a_whole_however_it_is_written() -> Result<(), Box<dyn std::error::Error>> {
        let whole = samples::report();
        let none = samples::Sample { unreadable: whole.unreadable.clone(), ..Default::default() };
        for sample in [whole, none, samples::Sample::default()] {
            for is_live in [false, true] {
                let text = String::from_utf8(sample.rendered(&Json, is_live)?)?;
                let document: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)?;
                assert_eq!(document.len(), 9);
                // Nothing but the order of keys differs.
                let mut lines: Vec<_> = text.lines().map(|line| line.trim_end_matches(',')).collect();
                let pretty = serde_json::to_string_pretty(&document)?;
                let mut expected: Vec<_> = pretty.lines().map(|line| line.trim_end_matches(',')).collect();
                lines.sort_unstable();
                expected.sort_unstable();
                assert_eq!(lines, expected);
                let place = |key: &str| text.find(&format!("\n  \"{key}\":")).unwrap_or_default();
                assert_eq!(place("findings") < place("summary"), is_live, "{text}");
            }
        }
        Ok(())
    }
}
