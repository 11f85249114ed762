//! The report as an operator reads it: grouped by object, the strongest finding first, a one-line summary at the end.

use std::cmp::Reverse;
use std::io::{self, Write};

use anstyle::Style;

use crate::engine::{Explanation, Verdict};
use crate::manifests::{LeftOut, Unbuilt, Unreadable};
use crate::style::{BAD, CAUTION, FAINT, GOOD, STRONG};
use crate::visible;

use super::renderer::{Order, Renderer};
use super::report::{Counts, Exempted, Exemption, ExemptionState, Finding, Judged, Report};
use super::sections::{Section, Sections};
use super::unrendered::Unrendered;

/// For people.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Renderer for Text {
    fn lead(&self) -> usize {
        0
    }

    fn object(&self, judged: &Judged, out: &mut dyn Write) -> io::Result<()> {
        write_object(judged, out)
    }

    fn unreadable(&self, Unreadable { source, message }: &Unreadable, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  {}:{}  {BAD}error{BAD:#}", visible::line(&source.file), source.line)?;
        writeln!(out, "    {}", visible::line(message))
    }

    fn unrendered(&self, Unrendered { name, source, command }: &Unrendered, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "  {}:{}  {}", visible::line(&source.file), source.line, visible::line(name))?;
        writeln!(out, "    {FAINT}{}{FAINT:#}", visible::line(command))
    }

    /// They are counted only.
    fn left_out(&self, _: &LeftOut, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn begin(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn finish(&self, report: &Report, rows: &mut Sections, order: Order, out: &mut dyn Write) -> io::Result<()> {
        write_not_judged(rows, out)?;
        if order == Order::Usual {
            rows.write(Section::Findings, 0, out)?;
        }
        write_policies(report, out)?;
        write_unbuilt(&report.unbuilt, out)?;
        write_exemptions(&report.exemptions, out)?;
        write_summary(report, out)
    }
}

/// What nobody should take for judged.
fn write_not_judged(rows: &mut Sections, out: &mut dyn Write) -> io::Result<()> {
    let unreadable = [Section::Broken, Section::Crowded, Section::Unread];
    write_part("not judged", &unreadable, rows, out)?;
    write_part("not rendered, hence not judged", &[Section::Unrendered], rows, out)
}

fn write_part(title: &str, sections: &[Section], rows: &mut Sections, out: &mut dyn Write) -> io::Result<()> {
    if sections.iter().all(|section| rows.is_empty(*section)) {
        return Ok(());
    }
    writeln!(out, "{STRONG}{title}{STRONG:#}")?;
    for section in sections {
        rows.write(*section, 0, out)?;
    }
    writeln!(out)
}

fn write_unbuilt(unbuilt: &[Unbuilt], out: &mut dyn Write) -> io::Result<()> {
    if unbuilt.is_empty() {
        return Ok(());
    }
    writeln!(out, "{STRONG}not built: what is deployed may differ{STRONG:#} (--render builds and judges it)")?;
    for Unbuilt { file, changes, .. } in unbuilt {
        let changes: Vec<_> = changes.iter().map(ToString::to_string).collect();
        writeln!(out, "  {}  {CAUTION}{}{CAUTION:#}", visible::line(file), changes.join(", "))?;
    }
    writeln!(out)
}

/// The exemptions that do nothing, a line each.
fn write_exemptions(exemptions: &[Exemption], out: &mut dyn Write) -> io::Result<()> {
    let idle: Vec<_> = exemptions.iter().filter(|exemption| exemption.state() != ExemptionState::Used).collect();
    if idle.is_empty() {
        return Ok(());
    }
    writeln!(out, "{STRONG}exemptions without effect{STRONG:#}")?;
    for exemption in idle {
        let Exemption { name, source, expires, findings, passes, .. } = exemption;
        let advice = match (exemption.has_expired, findings) {
            (false, _) if *passes > 0 => {
                format!("covers no finding, for what it selects passes ({}): remove it", counted(*passes, "check"))
            }
            (false, _) => "covers no finding of this input: remove it, unless it is for another".to_owned(),
            (true, 0) => format!("ended ({expires}) and would cover no finding of this input: remove it"),
            (true, _) => {
                let findings = counted(*findings, "finding");
                format!("ended ({expires}) and would cover {findings}: give it a new end, or remove it")
            }
        };
        let (file, name, advice) = (visible::line(&source.file), visible::line(name), visible::line(&advice));
        let state = exemption.state().name();
        writeln!(out, "  {file}:{}  {CAUTION}{state}{CAUTION:#}  {name} {advice}", source.line)?;
    }
    writeln!(out)
}

fn write_object(judged: &Judged, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{STRONG}{}{STRONG:#}", visible::line(&judged.object.to_string()))?;
    if let Some(built_by) = &judged.built_by {
        write!(out, " {FAINT}as {} builds it{FAINT:#}", visible::line(built_by))?;
    }
    writeln!(out)?;
    let mut findings: Vec<_> = judged.findings.iter().collect();
    findings.sort_by_key(|finding| (Reverse(finding.verdict), finding.line));
    let file = visible::line(&judged.source.file);
    let rows: Vec<_> = findings.into_iter().map(|finding| (format!("{file}:{}", finding.line), finding)).collect();
    let width = |cell: fn(&(String, &Finding)) -> usize| rows.iter().map(cell).max().unwrap_or_default();
    let widths = [
        width(|(place, _)| place.chars().count()),
        width(|(_, finding)| finding.verdict.name().len()),
        width(|(_, finding)| visible::line(&finding.severity).chars().count()),
    ];
    let mut explained: Vec<&Explanation> = Vec::new();
    for (place, finding) in &rows {
        write_finding(place, finding, widths, out)?;
        // What a validation objects to several times is explained once.
        if let Some(explanation) = finding.explanation.as_ref().filter(|new| !explained.contains(new)) {
            write_explanation(explanation, out)?;
            explained.push(explanation);
        }
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
    let verdict = finding.verdict.name();
    write!(out, "  {place:place_width$}  {style}{verdict:verdict_width$}{style:#}  ")?;
    if severity_width > 0 {
        write!(out, "{:severity_width$}  ", visible::line(&finding.severity))?;
    }
    // What no policy found was judged by none.
    let policy = if finding.policy.is_empty() { "not judged" } else { &finding.policy };
    write!(out, "{}", visible::line(policy))?;
    // A binding that is called like its policy says nothing new.
    if !finding.binding.is_empty() && finding.binding != finding.policy {
        write!(out, " {FAINT}({}){FAINT:#}", visible::line(&finding.binding))?;
    }
    writeln!(out)?;
    for line in finding.message.lines() {
        writeln!(out, "    {}", visible::line(line))?;
    }
    if !finding.field.is_empty() && !finding.message.contains(&finding.field) {
        writeln!(out, "    {FAINT}{}{FAINT:#}", visible::line(&finding.field))?;
    }
    if let Some(Exempted { name, would_be, reason, expires, source }) = &finding.exemption {
        let place = format!("{}:{}", source.file, source.line);
        let text = format!("{} but for {name}, until {expires}: {reason} ({place})", would_be.name());
        writeln!(out, "    {FAINT}{}{FAINT:#}", visible::line(&text))?;
    }
    Ok(())
}

fn write_explanation(explanation: &Explanation, out: &mut dyn Write) -> io::Result<()> {
    for (depth, line) in explanation.lines() {
        writeln!(out, "      {FAINT}{:depth$}{}{FAINT:#}", "", visible::line(&line), depth = depth * 2)?;
    }
    Ok(())
}

/// What each policy found, the one with the most findings first.
fn write_policies(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut policies: Vec<_> = report.policies.iter().filter(|(_, counts)| !counts.is_clean()).collect();
    if policies.is_empty() {
        return Ok(());
    }
    policies.sort_by_key(|(_, counts)| Reverse((counts.deny, counts.error, counts.warn, counts.audit, counts.exempt)));
    writeln!(out, "{STRONG}by policy{STRONG:#}")?;
    let width = policies.iter().map(|(policy, _)| visible::line(policy).chars().count()).max().unwrap_or_default();
    for (policy, counts) in policies {
        write!(out, "  {:width$}  ", visible::line(policy))?;
        write_counts(counts, out)?;
        writeln!(out)?;
    }
    writeln!(out)
}

fn write_counts(counts: &Counts, out: &mut dyn Write) -> io::Result<()> {
    let counts = [
        (counts.deny, Verdict::Deny),
        (counts.warn, Verdict::Warn),
        (counts.audit, Verdict::Audit),
        (counts.error, Verdict::Error),
        (counts.exempt, Verdict::Exempt),
    ];
    for (at, (count, verdict)) in counts.iter().filter(|(count, _)| *count > 0).enumerate() {
        let style = verdict_style(*verdict);
        let comma = if at == 0 { "" } else { ", " };
        write!(out, "{comma}{style}{count} {}{style:#}", verdict.name())?;
    }
    Ok(())
}

/// What no policy looked at by kind, then everything in one line, which begins with what could not be judged.
fn write_summary(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let summary = &report.summary;
    let kinds: Vec<_> = report.not_judged.iter().map(|((kind, _), count)| format!("{count} {kind}")).collect();
    if !kinds.is_empty() {
        writeln!(out, "{FAINT}no policy looks at: {}{FAINT:#}", visible::line(&kinds.join(", ")))?;
    }
    if summary.unreadable > 0 {
        write!(out, "{BAD}{} unreadable{BAD:#}; ", summary.unreadable)?;
    }
    if summary.unrendered > 0 {
        write!(out, "{CAUTION}{} not rendered{CAUTION:#}; ", summary.unrendered)?;
    }
    let objects = counted(summary.objects, "object");
    if !summary.findings.is_clean() {
        write_counts(&summary.findings, out)?;
        write!(out, " in {} of {objects}", summary.with_findings)?;
    } else if report.is_judged {
        write!(out, "{GOOD}no findings{GOOD:#} in {objects}")?;
    } else {
        write!(out, "{CAUTION}nothing judged{CAUTION:#} in {objects}")?;
    }
    if summary.not_judged > 0 && report.is_judged {
        write!(out, ", {} of them not judged", summary.not_judged)?;
    }
    write!(out, "; {} passed", counted(summary.findings.pass, "check"))?;
    if summary.hidden > 0 {
        write!(out, "; {} filtered out", counted(summary.hidden, "finding"))?;
    }
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
    use super::super::report::samples::{self, Sample};
    use super::*;

    fn rendered(sample: &Sample) -> io::Result<String> {
        plain(&sample.rendered(&Text, false)?)
    }

    fn plain(text: &[u8]) -> io::Result<String> {
        let mut out = anstream::StripStream::new(Vec::new());
        out.write_all(text)?;
        Ok(String::from_utf8_lossy(&out.into_inner()).into_owned())
    }

    #[test]
    fn groups_by_object_and_ends_in_one_line() -> io::Result<()> {
        insta::assert_snapshot!(rendered(&samples::report())?);
        Ok(())
    }

    #[test]
    fn findings_written_as_they_come_stand_before_what_is_not_judged() -> io::Result<()> {
        let usual = rendered(&samples::report())?;
        let live = plain(&samples::report().rendered(&Text, true)?)?;
        let (not_judged, rest) = usual.split_at(usual.find("Deployment media/jellyfin").unwrap_or_default());
        let (findings, rest) = rest.split_at(rest.find("by policy").unwrap_or_default());
        assert!(!not_judged.is_empty() && !findings.is_empty());
        assert_eq!(live, format!("{findings}{not_judged}{rest}"));
        Ok(())
    }

    #[test]
    fn says_so_when_there_is_nothing_to_say() -> io::Result<()> {
        let mut report = samples::report();
        report.objects.iter_mut().for_each(|judged| judged.findings.clear());
        report.unreadable.clear();
        report.unbuilt.clear();
        report.exemptions.clear();
        report.unrendered.clear();
        assert_eq!(
            rendered(&report)?,
            "no policy looks at: 1 Namespace\n\
             no findings in 3 objects, 1 of them not judged; 5 checks passed; 1 other document left out\n"
        );
        Ok(())
    }

    #[test]
    fn nothing_judged_is_not_no_findings() -> io::Result<()> {
        let mut report = samples::report();
        report.objects.retain(|judged| !judged.is_judged);
        report.unbuilt.clear();
        report.exemptions.clear();
        report.passes.clear();
        report.unreadable.clear();
        report.unrendered.clear();
        assert_eq!(
            rendered(&report)?,
            "no policy looks at: 1 Namespace\n\
             nothing judged in 1 object; 0 checks passed; 1 other document left out\n"
        );
        Ok(())
    }

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal() -> io::Result<()> {
        const NASTY: &str = "\u{1b}[2J\u{9b}31m\u{202e}\u{2028}";
        let mut report = samples::report();
        for judged in &mut report.objects {
            judged.object.name.push_str(NASTY);
            judged.source.file.push_str(NASTY);
            for finding in &mut judged.findings {
                for text in [&mut finding.policy, &mut finding.binding, &mut finding.field, &mut finding.severity] {
                    text.push_str(NASTY);
                }
                finding.message.push_str(NASTY);
            }
            if !judged.is_judged {
                judged.object.kind.push_str(NASTY);
            }
        }
        for exemption in &mut report.exemptions {
            for text in [&mut exemption.name, &mut exemption.source.file, &mut exemption.expires] {
                text.push_str(NASTY);
            }
        }
        for unreadable in &mut report.unreadable {
            unreadable.source.file.push_str(NASTY);
            unreadable.message.push_str(NASTY);
        }
        for unrendered in &mut report.unrendered {
            unrendered.source.file.push_str(NASTY);
            unrendered.name.push_str(NASTY);
            unrendered.command.push_str(NASTY);
        }
        let mut text = String::from_utf8_lossy(&report.rendered(&Text, false)?).into_owned();
        // Our own styles are the only escape sequences.
        for style in [BAD, CAUTION, FAINT, GOOD, STRONG] {
            text = text.replace(&style.to_string(), "").replace(&format!("{style:#}"), "");
        }
        let deceptive: Vec<_> = text.chars().filter(|c| *c != '\n' && visible::is_deceptive(*c)).collect();
        assert_eq!(deceptive, [], "{text:?}");
        assert!(text.matches("\\u{9b}31m").count() > 20, "{text}");
        Ok(())
    }

    #[test]
    fn colours_denials_red() -> io::Result<()> {
        let text = String::from_utf8_lossy(&samples::report().rendered(&Text, false)?).into_owned();
        assert!(text.contains(&format!("{BAD}deny")), "{text:?}");
        Ok(())
    }
}
