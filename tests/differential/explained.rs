//! The differences that have a reason, each with a rule as narrow as the reason.

use serde_json::Value;

use super::compare::Difference;
use super::generate::Case;

/// A difference that is understood and stays.
pub struct Explained {
    /// What the report calls it.
    pub name: &'static str,
    /// Why it is no fault of ours.
    pub reason: &'static str,
    applies: fn(&Case, Difference, &Seen<'_>) -> bool,
}

/// What the rules look at.
pub struct Seen<'s> {
    /// The reference's answers to the same question, asked several times.
    pub references: &'s [Value],
}

/// Every rule.
pub const RULES: &[Explained] = &[Explained {
    name: "order of a map",
    reason: "the reference answers the same question in several ways: Go goes through a map in random order",
    applies: |_, _, seen| seen.references.iter().any(|other| *other != seen.references[0]),
}];

/// The rule that explains a difference.
pub fn explanation(case: &Case, difference: Difference, seen: &Seen<'_>) -> Option<&'static Explained> {
    RULES.iter().find(|rule| (rule.applies)(case, difference, seen))
}
