//! Mutants as a suite's author reads them: those that no case notices, each with its line and what it changes.

use std::io::{self, Write};

use crate::style::{BAD, CAUTION, FAINT, GOOD, STRONG};
use crate::visible;

use super::{Fate, PolicyMutants, Report};

/// Writes what no case notices, and the counts on the last line.
///
/// # Errors
/// `out` can't be written.
pub fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    for policy in report.policies.iter().filter(|policy| policy.counts().survived > 0) {
        write_policy(policy, out)?;
    }
    for stale in &report.stale {
        let file = visible::line(&stale.source.file);
        let (name, why) = (visible::line(&stale.name), visible::line(&stale.why));
        writeln!(
            out,
            "{file}:{}: {BAD}accepted without need{BAD:#}: {STRONG}{name}{STRONG:#}: {why}",
            stale.source.line
        )?;
    }
    let counts = report.counts();
    let style = if counts.survived > 0 { CAUTION } else { GOOD };
    writeln!(
        out,
        "{style}{:.1} % of mutants killed{style:#}: {} killed, {} survived, {} accepted",
        counts.shown_percent(),
        counts.killed,
        counts.survived,
        counts.accepted
    )
}

fn write_policy(policy: &PolicyMutants, out: &mut dyn Write) -> io::Result<()> {
    let counts = policy.counts();
    writeln!(
        out,
        "{STRONG}{}{STRONG:#}  {CAUTION}{} of {} survived{CAUTION:#}  {FAINT}{}{FAINT:#}",
        visible::line(&policy.policy),
        counts.survived,
        policy.mutants.len(),
        visible::line(&policy.file)
    )?;
    for mutant in &policy.mutants {
        let Fate::Survived { reached_by } = mutant.fate else { continue };
        let reached = match reached_by {
            0 => "no case evaluates it".to_owned(),
            1 => "1 case evaluates it".to_owned(),
            count => format!("{count} cases evaluate it"),
        };
        let (file, change) = (visible::line(&policy.file), visible::line(&mutant.change));
        writeln!(out, "  {file}:{}: {change}", mutant.line)?;
        writeln!(out, "    {}  {FAINT}{reached}{FAINT:#}", visible::line(&mutant.name))?;
    }
    Ok(())
}
