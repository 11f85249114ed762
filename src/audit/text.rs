//! The report as an operator reads it: grouped by object, the strongest finding first, a one-line summary at the end.

use std::cmp::Reverse;
use std::io::{self, Write};

use anstyle::Style;

use crate::engine::Verdict;
use crate::manifests::Unreadable;
use crate::style::{BAD, CAUTION, FAINT, GOOD, STRONG};

use super::report::{Exempted, Finding, Judged, Report, Summary, verdict_name};

/// Writes `report`.
///
/// # Errors
/// `out` can't be written.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for judged in report.objects.iter().filter(|judged| !judged.findings.is_empty()) {
        write_object(judged, out)?;
    }
    for Unreadable { source, message } in &report.unreadable {
        writeln!(out, "{STRONG}not judged{STRONG:#}\n  {}:{}  {BAD}error{BAD:#}", source.file, source.line)?;
        writeln!(out, "    {message}\n")?;
    }
    write_summary(&report.summary(), out)
}

fn write_object(judged: &Judged, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{STRONG}{}{STRONG:#}", judged.object)?;
    let mut findings: Vec<_> = judged.findings.iter().collect();
    findings.sort_by_key(|finding| (Reverse(finding.verdict), finding.line));
    let rows: Vec<_> =
        findings.into_iter().map(|finding| (format!("{}:{}", judged.source.file, finding.line), finding)).collect();
    let width = |cell: fn(&(String, &Finding)) -> usize| rows.iter().map(cell).max().unwrap_or_default();
    let widths = [
        width(|(place, _)| place.chars().count()),
        width(|(_, finding)| verdict_name(finding.verdict).len()),
        width(|(_, finding)| finding.severity.chars().count()),
    ];
    for (place, finding) in &rows {
        write_finding(place, finding, widths, out)?;
    }
    writeln!(out)
}

fn write_finding(
    place: &str,
    finding: &Finding,
    [place_width, verdict_width, severity_width]: [usize; 3],
    out: &mut dyn Write,
) -> io::Result<()> {
    let style = verdict_style(finding.verdict);
    let verdict = verdict_name(finding.verdict);
    write!(out, "  {place:place_width$}  {style}{verdict:verdict_width$}{style:#}  ")?;
    if severity_width > 0 {
        write!(out, "{:severity_width$}  ", finding.severity)?;
    }
    // What no policy found was judged by none.
    write!(out, "{}", if finding.policy.is_empty() { "not judged" } else { &finding.policy })?;
    // A binding that is called like its policy says nothing new.
    if !finding.binding.is_empty() && finding.binding != finding.policy {
        write!(out, " {FAINT}({}){FAINT:#}", finding.binding)?;
    }
    writeln!(out)?;
    for line in finding.message.lines() {
        writeln!(out, "    {line}")?;
    }
    if !finding.field.is_empty() && !finding.message.contains(&finding.field) {
        writeln!(out, "    {FAINT}{}{FAINT:#}", finding.field)?;
    }
    if let Some(Exempted { reason, expires, source }) = &finding.exemption {
        writeln!(out, "    {FAINT}exempt until {expires}: {reason} ({}:{}){FAINT:#}", source.file, source.line)?;
    }
    Ok(())
}

fn write_summary(summary: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let objects = counted(summary.objects, "object");
    if summary.with_findings == 0 && summary.error == 0 {
        write!(out, "{GOOD}no findings{GOOD:#} in {objects}")?;
    } else {
        let counts = [
            (summary.deny, Verdict::Deny),
            (summary.warn, Verdict::Warn),
            (summary.audit, Verdict::Audit),
            (summary.error, Verdict::Error),
            (summary.exempt, Verdict::Exempt),
        ];
        let counts = counts.iter().filter(|(count, _)| *count > 0);
        for (at, (count, verdict)) in counts.enumerate() {
            let style = verdict_style(*verdict);
            let comma = if at == 0 { "" } else { ", " };
            write!(out, "{comma}{style}{count} {}{style:#}", verdict_name(*verdict))?;
        }
        write!(out, " in {} of {objects}", summary.with_findings)?;
    }
    write!(out, "; {} passed", counted(summary.pass, "check"))?;
    if summary.left_out > 0 {
        write!(out, "; {} left out", counted(summary.left_out, "other document"))?;
    }
    writeln!(out)
}

fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Deny | Verdict::Error => BAD,
        Verdict::Warn => CAUTION,
        Verdict::Audit | Verdict::Exempt => FAINT,
        Verdict::Pass => GOOD,
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::super::report::samples;
    use super::*;

    fn rendered(report: &Report) -> io::Result<String> {
        let mut out = anstream::StripStream::new(Vec::new());
        render(report, &mut out)?;
        Ok(String::from_utf8_lossy(&out.into_inner()).into_owned())
    }

    #[test]
    fn groups_by_object_and_ends_in_one_line() -> io::Result<()> {
        insta::assert_snapshot!(rendered(&samples::report())?);
        Ok(())
    }

    #[test]
    fn says_so_when_there_is_nothing_to_say() -> io::Result<()> {
        let mut report = samples::report();
        report.objects.retain(|judged| judged.findings.is_empty());
        report.unreadable.clear();
        assert_eq!(rendered(&report)?, "no findings in 1 object; 2 checks passed; 1 other document left out\n");
        Ok(())
    }

    #[test]
    fn colours_denials_red() -> io::Result<()> {
        let mut out = Vec::new();
        render(&samples::report(), &mut out)?;
        let text = String::from_utf8_lossy(&out).into_owned();
        assert!(text.contains(&format!("{BAD}deny")), "{text:?}");
        Ok(())
    }
}
