//! The flags of mutation testing.

use crate::harness::mutants::Report;
use crate::policy::LoadError;

use super::load::refuse;
use super::output;
use super::test::parse_percent;

/// Which changes to the policies the suites should notice.
#[derive(Debug, clap::Args)]
pub struct MutantFlags {
    /// Says which small changes to the policies no case notices
    #[arg(long)]
    mutants: bool,

    /// Fails if fewer of the changes are noticed, in percent of those not accepted; implies --mutants
    #[arg(long, value_name = "N", value_parser = parse_percent)]
    min_killed: Option<f64>,
}

impl MutantFlags {
    /// What `judge` finds, if it is asked for. Where a case `failed` already, nothing can be told from a failure.
    ///
    /// # Errors
    /// What is wrong with the policies.
    pub fn judge(
        &self,
        failed: bool,
        judge: impl FnOnce() -> Result<Report, Vec<LoadError>>,
    ) -> anyhow::Result<Option<Report>> {
        if !self.mutants && self.min_killed.is_none() {
            return Ok(None);
        }
        if failed {
            output::complain("mutants were not tried: the cases have to pass first");
            return Ok(None);
        }
        match judge() {
            Ok(report) => Ok(Some(report)),
            Err(mistakes) => refuse(&mistakes).map(|()| None),
        }
    }

    /// Says what the report lacks; whether it lacks anything.
    pub fn complain(&self, report: &Report) -> bool {
        let counts = report.counts();
        let too_few = self.min_killed.filter(|minimum| counts.percent() < *minimum);
        if let Some(minimum) = too_few {
            let killed = counts.shown_percent();
            output::complain(&format!("{killed:.1} % of the mutants are noticed, and it has to be {minimum} %"));
        }
        if !report.stale.is_empty() {
            output::complain(&format!("{} mutants are accepted without need", report.stale.len()));
        }
        too_few.is_some() || !report.stale.is_empty()
    }
}
