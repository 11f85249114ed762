//! Mutation testing: small changes to the policies, each of which a case should notice.
//!
//! A change is noticed when a case fails that passes without it. Only the cases that evaluate the changed expression are
//! run, and none after the first that notices.

mod change;
mod constraints;
mod expressions;
pub mod json;
mod judge;
pub mod junit;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
mod tests;
pub mod text;

use std::collections::BTreeMap;

use regex::Regex;

use crate::policy::model::Source;
use crate::policy::{LoadError, Manifest};

use super::suite::Suite;

/// What became of the changes to all policies of the suites.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The policies, in the order of the suites.
    pub policies: Vec<PolicyMutants>,
    /// What suites accept without need.
    pub stale: Vec<Stale>,
}

/// What became of the changes to a policy.
#[derive(Clone, Debug)]
pub struct PolicyMutants {
    /// The policy's name.
    pub policy: String,
    /// The file that it was read from.
    pub file: String,
    /// The changes, in the order of its fields.
    pub mutants: Vec<Mutant>,
}

/// A change to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// Its name: the policy, the place, what kind of change it is, and which of them.
    pub name: String,
    /// The line that it changes.
    pub line: usize,
    /// What it changes to what.
    pub change: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A case notices it.
    Killed {
        /// The suite and the case, `suite/case`.
        by: String,
    },
    /// No case notices it.
    Survived {
        /// How many cases evaluate what it changes.
        reached_by: usize,
    },
    /// No case notices it, and a suite says why none has to.
    Accepted {
        /// Why.
        reason: String,
    },
}

/// An entry of `acceptedMutants` without need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// The mutant's name.
    pub name: String,
    /// The entry.
    pub source: Source,
    /// Why it isn't needed.
    pub why: String,
}

/// How many changes there are of each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Noticed.
    pub killed: usize,
    /// Not noticed.
    pub survived: usize,
    /// Not noticed, with a reason.
    pub accepted: usize,
}

impl Counts {
    /// The noticed part of those that should be, in percent; 100 where there are none.
    pub fn percent(self) -> f64 {
        let wanted = self.killed + self.survived;
        if wanted == 0 { 100.0 } else { self.killed as f64 * 100.0 / wanted as f64 }
    }

    /// The same to a tenth, rounded down: 100.0 is all of them.
    pub fn shown_percent(self) -> f64 {
        (self.percent() * 10.0).floor() / 10.0
    }
}

impl PolicyMutants {
    /// How many there are of each fate.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for mutant in &self.mutants {
            match mutant.fate {
                Fate::Killed { .. } => counts.killed += 1,
                Fate::Survived { .. } => counts.survived += 1,
                Fate::Accepted { .. } => counts.accepted += 1,
            }
        }
        counts
    }
}

impl Report {
    /// How many there are of each fate.
    pub fn counts(&self) -> Counts {
        self.policies.iter().map(PolicyMutants::counts).fold(Counts::default(), |sum, of| Counts {
            killed: sum.killed + of.killed,
            survived: sum.survived + of.survived,
            accepted: sum.accepted + of.accepted,
        })
    }
}

/// Changes the policies of the suites, compiled for Kubernetes 1.`minor`, and runs the cases whose `suite/case` name
/// matches `filter` on each change. The cases have to pass without changes.
///
/// # Errors
/// What is wrong with the suites' policies, or an expression that is too large.
pub fn run(
    suites: &[Suite],
    minor: u32,
    filter: Option<&Regex>,
    definitions: &[Manifest],
) -> Result<Report, Vec<LoadError>> {
    let benches = judge::Bench::all(suites, minor, filter, definitions)?;
    let mut report = Report { policies: judge::judge(&benches, minor)?, stale: Vec::new() };
    accept(&mut report, suites);
    Ok(report)
}

/// Sets aside what the suites accept, and notes what they accept without need.
fn accept(report: &mut Report, suites: &[Suite]) {
    let mut mutants: BTreeMap<String, &mut Mutant> = BTreeMap::new();
    for mutant in report.policies.iter_mut().flat_map(|policy| &mut policy.mutants) {
        mutants.insert(mutant.name.clone(), mutant);
    }
    for accepted in suites.iter().flat_map(|suite| &suite.accepted_mutants) {
        let why = match mutants.get_mut(&accepted.name) {
            None => "there is no such mutant".to_owned(),
            Some(mutant) => match &mutant.fate {
                Fate::Killed { by } => format!("it is noticed, by {by}"),
                Fate::Accepted { .. } => "it is accepted twice".to_owned(),
                Fate::Survived { .. } => {
                    mutant.fate = Fate::Accepted { reason: accepted.reason.clone() };
                    continue;
                }
            },
        };
        report.stale.push(Stale { name: accepted.name.clone(), source: accepted.source.clone(), why });
    }
}
