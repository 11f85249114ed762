//! Mutants as JSON: the member `mutants` of `portcullis.dev/test/v1`.

use serde::Serialize;

use super::{Fate, Report};

/// What the document says of mutants.
#[derive(Serialize)]
pub struct Mutants<'r> {
    percent: f64,
    killed: usize,
    survived: usize,
    accepted: usize,
    policies: Vec<Policy<'r>>,
    stale: Vec<Stale<'r>>,
}

#[derive(Serialize)]
struct Policy<'r> {
    policy: &'r str,
    file: &'r str,
    percent: f64,
    mutants: Vec<Mutant<'r>>,
}

#[derive(Serialize)]
struct Mutant<'r> {
    name: &'r str,
    line: usize,
    change: &'r str,
    fate: &'static str,
    #[serde(rename = "killedBy", skip_serializing_if = "Option::is_none")]
    killed_by: Option<&'r str>,
    #[serde(rename = "reachedBy", skip_serializing_if = "Option::is_none")]
    reached_by: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'r str>,
}

#[derive(Serialize)]
struct Stale<'r> {
    name: &'r str,
    file: &'r str,
    line: usize,
    why: &'r str,
}

impl<'r> Mutants<'r> {
    /// What a report says.
    pub fn new(report: &'r Report) -> Self {
        let counts = report.counts();
        let policies = report.policies.iter().map(|policy| Policy {
            policy: &policy.policy,
            file: &policy.file,
            percent: policy.counts().percent(),
            mutants: policy.mutants.iter().map(Mutant::new).collect(),
        });
        let stale = report.stale.iter().map(|stale| Stale {
            name: &stale.name,
            file: &stale.source.file,
            line: stale.source.line,
            why: &stale.why,
        });
        Self {
            percent: counts.percent(),
            killed: counts.killed,
            survived: counts.survived,
            accepted: counts.accepted,
            policies: policies.collect(),
            stale: stale.collect(),
        }
    }
}

impl<'r> Mutant<'r> {
    fn new(mutant: &'r super::Mutant) -> Self {
        let (fate, killed_by, reached_by, reason) = match &mutant.fate {
            Fate::Killed { by } => ("killed", Some(by.as_str()), None, None),
            Fate::Survived { reached_by } => ("survived", None, Some(*reached_by), None),
            Fate::Accepted { reason } => ("accepted", None, None, Some(reason.as_str())),
        };
        Self { name: &mutant.name, line: mutant.line, change: &mutant.change, fate, killed_by, reached_by, reason }
    }
}
