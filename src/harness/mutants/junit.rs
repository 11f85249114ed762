//! Mutants as JUnit XML: a test suite for each policy, in which who survives is a failure and who is accepted is skipped.

use std::io::{self, Write};

use super::super::junit::escaped;
use super::{Fate, Report};

/// Writes the test suites, which belong among those of the cases.
///
/// # Errors
/// `out` can't be written.
pub fn write_suites(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for policy in &report.policies {
        let (name, file, counts) = (escaped(&policy.policy), escaped(&policy.file), policy.counts());
        writeln!(
            out,
            "  <testsuite name=\"mutants of {name}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" file=\"{file}\">",
            policy.mutants.len(),
            counts.survived,
            counts.accepted
        )?;
        for mutant in &policy.mutants {
            write!(
                out,
                "    <testcase name=\"{}\" classname=\"mutants of {name}\" file=\"{file}\" line=\"{}\"",
                escaped(&mutant.name),
                mutant.line
            )?;
            let change = escaped(&mutant.change);
            match &mutant.fate {
                Fate::Killed { .. } => writeln!(out, "/>")?,
                Fate::Survived { reached_by } => writeln!(
                    out,
                    ">\n      <failure message=\"no case notices that {change}\">{file}:{}: {change}; evaluated by {reached_by} cases</failure>\n    </testcase>",
                    mutant.line
                )?,
                Fate::Accepted { reason } => {
                    writeln!(out, ">\n      <skipped message=\"{}\"/>\n    </testcase>", escaped(reason))?;
                }
            }
        }
        writeln!(out, "  </testsuite>")?;
    }
    if !report.stale.is_empty() {
        let count = report.stale.len();
        writeln!(out, "  <testsuite name=\"accepted mutants\" tests=\"{count}\" failures=\"{count}\" errors=\"0\">")?;
        for stale in &report.stale {
            let (name, file, line) = (escaped(&stale.name), escaped(&stale.source.file), stale.source.line);
            let why = escaped(&stale.why);
            writeln!(
                out,
                "    <testcase name=\"{name}\" classname=\"accepted mutants\" file=\"{file}\" line=\"{line}\">\n      <failure message=\"accepted without need: {why}\"/>\n    </testcase>"
            )?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    Ok(())
}
