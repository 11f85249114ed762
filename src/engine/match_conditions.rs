//! Match conditions: expressions that narrow what a policy concerns.
//!
//! Upstream: `webhook/matchconditions/matcher.go`.

use crate::cel::Value;
use crate::policy::model::FailurePolicy;

use super::evaluate::{COST_BUDGET_MATCH_CONDITIONS, Expressions, Failure, could_exhaust};
use super::observe::Place;
use super::plan::Invocation;
use super::subject::Subject;

/// What the conditions say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conditions {
    /// All are true: the policy is evaluated.
    Match,
    /// One is false, or one failed and the failure policy ignores that: the policy is left out.
    NoMatch,
    /// One failed and none is false.
    Error(String),
}

/// Evaluates the match conditions of `invocation`.
pub fn evaluate<'a>(invocation: &Invocation<'a>, subject: &Subject<'a>) -> Conditions {
    let conditions = &invocation.policy.match_conditions;
    if conditions.is_empty() {
        return Conditions::Match;
    }
    let inputs = subject.match_condition_inputs(&invocation.matched, invocation.params);
    let mut expressions = Expressions::without_variables(invocation, subject, inputs, COST_BUDGET_MATCH_CONDITIONS);
    let mut errors: Vec<String> = Vec::new();
    let mut is_false = false;
    for (index, condition) in conditions.iter().enumerate() {
        match expressions.evaluate(Place::MatchCondition(index), &condition.program, &condition.expression) {
            Ok(Value::Bool(false)) => {
                is_false = true;
                let remaining = COST_BUDGET_MATCH_CONDITIONS.saturating_sub(expressions.cost());
                // A later condition that exhausts the budget is an error whatever an earlier one said. Variables can't be
                // used here, so they don't count.
                if !could_exhaust(remaining, conditions.len() - index - 1, 0) {
                    return Conditions::NoMatch;
                }
            }
            Ok(_) => {}
            Err(Failure::Expression(error)) if errors.contains(&error) => {}
            Err(Failure::Expression(error)) => errors.push(error),
            Err(Failure::Stopped(error)) => return failed(invocation, error),
        }
    }
    match errors.as_slice() {
        _ if is_false => Conditions::NoMatch,
        [] => Conditions::Match,
        [error] => failed(invocation, error.clone()),
        errors => failed(invocation, format!("[{}]", errors.join(", "))),
    }
}

fn failed(invocation: &Invocation<'_>, error: String) -> Conditions {
    match invocation.policy.failure_policy {
        FailurePolicy::Fail => Conditions::Error(error),
        FailurePolicy::Ignore => Conditions::NoMatch,
    }
}
