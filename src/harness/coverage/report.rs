//! What was shown of a policy and what was not.

use crate::cel::probe::{Site, Wanted};
use crate::engine::{Outcome, Place};

use super::{Expression, Outcomes, Seen, What};

/// How well one policy was exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCoverage {
    /// The policy's name.
    pub policy: String,
    /// Its file.
    pub file: String,
    /// Its expressions, in the order of its fields.
    pub expressions: Vec<ExpressionCoverage>,
}

/// How well one expression was exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionCoverage {
    /// How people find it.
    pub label: String,
    /// Where it stands in the file, from 1.
    pub line: usize,
    /// In characters, from 1; 0 where it is not known.
    pub column: usize,
    /// How often it was evaluated.
    pub count: u64,
    /// Whether it was true once; `None` for expressions that are not boolean.
    pub was_true: Option<bool>,
    /// Whether it was false once.
    pub was_false: Option<bool>,
    /// Whether it failed once.
    pub was_error: bool,
    /// What no case has shown of it as a whole: empty when it is covered.
    pub missing: Vec<&'static str>,
    /// How many things there are to show of it as a whole, at least 1.
    pub wanted: usize,
    /// Those things, where it has to have given more than a value.
    pub sides: Vec<Side>,
    /// The branches in it.
    pub branches: Vec<Branch>,
}

/// A part of an expression that decides something, or that is made for some inputs only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// Where it begins in the file, from 1.
    pub line: usize,
    /// In characters, from 1; 0 where it is not known.
    pub column: usize,
    /// Its text, on one line.
    pub expression: String,
    /// What it has to have given once.
    pub sides: Vec<Side>,
    /// How often it was evaluated.
    pub count: u64,
}

/// One thing that a branch has to have given once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// `true`, `false`; `evaluated`; `present`, `absent`; `changed`; an operation.
    pub name: &'static str,
    /// How often it did.
    pub count: u64,
    /// What is said where it never did.
    pub missing: &'static str,
}

impl ExpressionCoverage {
    pub(super) fn new(expression: &Expression, seen: &Seen) -> Self {
        let (line, column) = expression.at;
        match &expression.what {
            What::Operations(operations) => {
                let side = |name: &&'static str| Side {
                    name,
                    count: seen.operations.get(name).copied().unwrap_or_default(),
                    missing: never(name),
                };
                let sides: Vec<_> = operations.iter().map(side).collect();
                Self {
                    label: expression.label.clone(),
                    line,
                    column,
                    count: sides.iter().map(|side| side.count).sum(),
                    was_true: None,
                    was_false: None,
                    was_error: false,
                    missing: sides.iter().filter(|side| side.count == 0).map(|side| side.missing).collect(),
                    wanted: sides.len(),
                    sides,
                    branches: Vec::new(),
                }
            }
            What::Expression(place) => {
                let none = Outcomes::new();
                let outcomes = seen.expressions.get(place).unwrap_or(&none);
                let branch = |(number, site, at): &(usize, Site, (usize, usize))| {
                    Branch::new(site, *at, seen.parts.get(&(*place, *number)).unwrap_or(&none))
                };
                let branches = expression.sites.iter().map(branch).collect();
                Self { line, column, branches, ..Self::whole(expression, *place, outcomes) }
            }
        }
    }

    fn whole(expression: &Expression, place: Place, outcomes: &Outcomes) -> Self {
        let saw = |outcome| outcomes.contains_key(&outcome);
        let side = |outcome, missing| Side {
            name: match outcome {
                Outcome::True => "true",
                Outcome::False => "false",
                _ => "changed",
            },
            count: outcomes.get(&outcome).copied().unwrap_or_default(),
            missing,
        };
        let (wants, is_boolean): (&[(Outcome, &'static str)], bool) = match place {
            Place::MatchCondition(_) | Place::Validation(_) => match expression.fixed {
                None => (&[(Outcome::True, "never true"), (Outcome::False, "never false")], true),
                Some(true) => (&[(Outcome::True, "never true")], true),
                Some(false) => (&[(Outcome::False, "never false")], true),
            },
            Place::Mutation(_) => (&[(Outcome::Value, "never changed anything")], false),
            Place::Variable(_) | Place::MessageExpression(_) | Place::AuditAnnotation(_) => (&[], false),
        };
        let missing = match (outcomes.is_empty(), wants) {
            (true, _) => vec!["never evaluated"],
            (false, []) if outcomes.keys().all(|outcome| *outcome == Outcome::Error) => vec!["only ever failed"],
            (false, wants) => wants.iter().filter(|(outcome, _)| !saw(*outcome)).map(|(_, says)| *says).collect(),
        };
        Self {
            label: expression.label.clone(),
            line: 0,
            column: 0,
            count: outcomes.values().sum(),
            was_true: is_boolean.then(|| saw(Outcome::True)),
            was_false: is_boolean.then(|| saw(Outcome::False)),
            was_error: saw(Outcome::Error),
            missing,
            wanted: wants.len().max(1),
            sides: wants.iter().map(|(outcome, missing)| side(*outcome, missing)).collect(),
            branches: Vec::new(),
        }
    }

    /// Whether it was evaluated at all.
    pub fn is_reached(&self) -> bool {
        self.count > 0
    }

    /// Whether all of it was shown.
    pub fn is_covered(&self) -> bool {
        self.shown() == self.wanted()
    }

    /// How many things there are to show, its branches' included.
    pub fn wanted(&self) -> usize {
        self.wanted + self.branches.iter().map(|branch| branch.sides.len()).sum::<usize>()
    }

    /// How many of the things to show were shown.
    pub fn shown(&self) -> usize {
        let own = if self.is_reached() { self.wanted - self.missing.len().min(self.wanted) } else { 0 };
        own + self.branches.iter().flat_map(|branch| &branch.sides).filter(|side| side.count > 0).count()
    }
}

impl Branch {
    fn new(site: &Site, (line, column): (usize, usize), outcomes: &Outcomes) -> Self {
        let count = |outcome| outcomes.get(&outcome).copied().unwrap_or_default();
        let reached = outcomes.iter().filter(|(outcome, _)| **outcome != Outcome::Error).map(|(_, count)| count).sum();
        let side = |name, count, missing| Side { name, count, missing };
        let sides = match site.wanted {
            Wanted::Nothing => Vec::new(),
            Wanted::BothSides => vec![
                side("true", count(Outcome::True), "never true"),
                side("false", count(Outcome::False), "never false"),
            ],
            Wanted::Reached => vec![side("evaluated", reached, "never evaluated")],
            Wanted::Presence => vec![
                side("present", reached - count(Outcome::Absent), "never present"),
                side("absent", count(Outcome::Absent), "never absent"),
            ],
        };
        Self { line, column, expression: site.text.clone(), sides, count: outcomes.values().sum() }
    }

    /// What no case has shown.
    pub fn missing(&self) -> Vec<&'static str> {
        match self.count {
            0 => vec!["never evaluated"],
            _ => self.sides.iter().filter(|side| side.count == 0).map(|side| side.missing).collect(),
        }
    }
}

fn never(operation: &str) -> &'static str {
    match operation {
        "CREATE" => "never CREATE",
        "UPDATE" => "never UPDATE",
        "DELETE" => "never DELETE",
        _ => "never CONNECT",
    }
}

/// The part of what there is to show that was shown, in percent; 100 where there is nothing to show.
pub fn percent(policies: &[PolicyCoverage]) -> f64 {
    let expressions = || policies.iter().flat_map(|policy| &policy.expressions);
    let wanted: usize = expressions().map(ExpressionCoverage::wanted).sum();
    let shown: usize = expressions().map(ExpressionCoverage::shown).sum();
    if wanted == 0 { 100.0 } else { shown as f64 * 100.0 / wanted as f64 }
}
