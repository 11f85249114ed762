//! Which of a policy's expressions the cases have evaluated, and what they gave.
//!
//! A match condition and a validation have to have been true once and false once; a variable, a message and an audit
//! annotation have to have given a value; a mutation has to have changed something.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::{Observer, Outcome, Place};
use crate::policy::model::{Policy, Rules};

/// Listens to a run.
#[derive(Debug, Default)]
pub struct Coverage {
    /// What each expression gave.
    seen: RefCell<BTreeMap<(String, Place), BTreeSet<Outcome>>>,
    /// What there was to be seen.
    declared: BTreeMap<String, Vec<Expression>>,
}

/// One expression of a policy.
#[derive(Clone, Debug)]
struct Expression {
    place: Place,
    /// How people find it: `matchConditions[0] (selected)`.
    label: String,
}

/// How well one policy was exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyCoverage {
    /// The policy's name.
    pub policy: String,
    /// Its expressions, in the order of its fields.
    pub expressions: Vec<ExpressionCoverage>,
}

/// How well one expression was exercised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpressionCoverage {
    /// How people find it.
    pub label: String,
    /// Whether it was evaluated at all.
    pub reached: bool,
    /// Whether it was true once; `None` for expressions that are not boolean.
    pub was_true: Option<bool>,
    /// Whether it was false once.
    pub was_false: Option<bool>,
    /// Whether it failed once.
    pub was_error: bool,
    /// What no case has shown: empty when it is covered.
    pub missing: Vec<&'static str>,
    /// How many things there are to show, at least 1.
    pub wanted: usize,
}

impl Observer for Coverage {
    fn evaluated(&self, policy: &str, place: Place, outcome: Outcome) {
        self.seen.borrow_mut().entry((policy.to_owned(), place)).or_default().insert(outcome);
    }
}

impl Coverage {
    /// Counts the expressions of a policy among those that should be exercised.
    pub fn declare(&mut self, policy: &Policy) {
        self.declared.entry(policy.name.clone()).or_insert_with(|| expressions(policy));
    }

    /// How well each policy was exercised, sorted by name.
    pub fn report(&self) -> Vec<PolicyCoverage> {
        let seen = self.seen.borrow();
        let none = BTreeSet::new();
        let judged = |policy: &str, expression: &Expression| {
            let outcomes = seen.get(&(policy.to_owned(), expression.place)).unwrap_or(&none);
            ExpressionCoverage::new(expression, outcomes)
        };
        let policy = |(name, expressions): (&String, &Vec<Expression>)| PolicyCoverage {
            policy: name.clone(),
            expressions: expressions.iter().map(|expression| judged(name, expression)).collect(),
        };
        self.declared.iter().map(policy).collect()
    }
}

impl ExpressionCoverage {
    fn new(expression: &Expression, outcomes: &BTreeSet<Outcome>) -> Self {
        let saw = |outcome| outcomes.contains(&outcome);
        let (wants, is_boolean): (&[(Outcome, &'static str)], bool) = match expression.place {
            Place::MatchCondition(_) | Place::Validation(_) => {
                (&[(Outcome::True, "never true"), (Outcome::False, "never false")], true)
            }
            Place::Mutation(_) => (&[(Outcome::Value, "never changed anything")], false),
            Place::Variable(_) | Place::MessageExpression(_) | Place::AuditAnnotation(_) => (&[], false),
        };
        let reached = !outcomes.is_empty();
        let missing = match (reached, wants) {
            (false, _) => vec!["never evaluated"],
            (true, []) if outcomes.iter().all(|outcome| *outcome == Outcome::Error) => vec!["only ever failed"],
            (true, wants) => wants.iter().filter(|(outcome, _)| !saw(*outcome)).map(|(_, says)| *says).collect(),
        };
        Self {
            label: expression.label.clone(),
            reached,
            was_true: is_boolean.then(|| saw(Outcome::True)),
            was_false: is_boolean.then(|| saw(Outcome::False)),
            was_error: saw(Outcome::Error),
            missing,
            wanted: wants.len().max(1),
        }
    }

    /// How many of the things to show were shown.
    pub fn shown(&self) -> usize {
        if self.reached { self.wanted - self.missing.len().min(self.wanted) } else { 0 }
    }
}

/// The part of what there is to show that was shown, in percent; 100 where there is nothing to show.
pub fn percent(policies: &[PolicyCoverage]) -> f64 {
    let expressions = || policies.iter().flat_map(|policy| &policy.expressions);
    let wanted: usize = expressions().map(|expression| expression.wanted).sum();
    let shown: usize = expressions().map(ExpressionCoverage::shown).sum();
    if wanted == 0 { 100.0 } else { shown as f64 * 100.0 / wanted as f64 }
}

fn expressions(policy: &Policy) -> Vec<Expression> {
    let mut all = Vec::new();
    let mut add = |place, label: String| all.push(Expression { place, label });
    for (at, condition) in policy.match_conditions.iter().enumerate() {
        add(Place::MatchCondition(at), format!("matchConditions[{at}] ({})", condition.name));
    }
    for (at, variable) in policy.variables.iter().enumerate() {
        add(Place::Variable(at), format!("variables[{at}] ({})", variable.name));
    }
    match &policy.rules {
        Rules::Validate { validations, audit_annotations } => {
            for (at, validation) in validations.iter().enumerate() {
                add(Place::Validation(at), format!("validations[{at}]"));
                if validation.message_expression.is_some() {
                    add(Place::MessageExpression(at), format!("validations[{at}].messageExpression"));
                }
            }
            for (at, annotation) in audit_annotations.iter().enumerate() {
                add(Place::AuditAnnotation(at), format!("auditAnnotations[{at}] ({})", annotation.key));
            }
        }
        Rules::Mutate { mutations, .. } => {
            for at in 0..mutations.len() {
                add(Place::Mutation(at), format!("mutations[{at}]"));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A coverage of one policy with these expressions.
    fn coverage(places: &[Place]) -> Coverage {
        let expressions =
            places.iter().map(|place| Expression { place: *place, label: format!("{place:?}") }).collect();
        Coverage { declared: BTreeMap::from([("p".to_owned(), expressions)]), ..Coverage::default() }
    }

    #[test]
    fn names_what_no_case_has_shown() {
        use Outcome::{Error, False, True, Unchanged, Value};
        use Place::{AuditAnnotation, MatchCondition, MessageExpression, Mutation, Validation, Variable};
        let cases: &[(Place, &[Outcome], &[&str])] = &[
            (MatchCondition(0), &[], &["never evaluated"]),
            (MatchCondition(0), &[True], &["never false"]),
            (MatchCondition(0), &[True, False], &[]),
            (Validation(0), &[False], &["never true"]),
            (Validation(0), &[Error], &["never true", "never false"]),
            (Variable(0), &[True], &[]),
            (Variable(0), &[Value], &[]),
            (Variable(0), &[Error], &["only ever failed"]),
            (MessageExpression(0), &[Value, Error], &[]),
            (AuditAnnotation(0), &[], &["never evaluated"]),
            (Mutation(0), &[Unchanged], &["never changed anything"]),
            (Mutation(0), &[Unchanged, Value], &[]),
        ];
        for (place, outcomes, missing) in cases {
            let coverage = coverage(&[*place]);
            for outcome in *outcomes {
                coverage.evaluated("p", *place, *outcome);
            }
            let report = coverage.report();
            let found: Vec<_> = report.iter().flat_map(|policy| &policy.expressions).map(|e| &e.missing).collect();
            assert_eq!(found, [missing], "{place:?} {outcomes:?}");
        }
    }

    #[test]
    fn counts_in_percent() {
        let places = [Place::Validation(0), Place::Validation(1), Place::Mutation(0)];
        let coverage = coverage(&places);
        assert_eq!(percent(&coverage.report()), 0.0);
        coverage.evaluated("p", Place::Validation(0), Outcome::True);
        assert_eq!(percent(&coverage.report()), 20.0);
        coverage.evaluated("p", Place::Validation(0), Outcome::False);
        coverage.evaluated("p", Place::Mutation(0), Outcome::Value);
        assert_eq!(percent(&coverage.report()), 60.0);
        assert_eq!(percent(&[]), 100.0);
    }

    #[test]
    fn other_policies_do_not_count() {
        let coverage = coverage(&[Place::Variable(0)]);
        coverage.evaluated("other", Place::Variable(0), Outcome::Value);
        assert_eq!(percent(&coverage.report()), 0.0);
    }
}
