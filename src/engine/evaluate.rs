//! One policy's expressions on one subject: budgets, error texts and observation, the same for every kind of rule.
//!
//! Upstream: `admission/plugin/cel/activation.go`, limits in `apis/cel/config.go`.

use std::cell::Cell;
use std::rc::Rc;

use crate::cel::cost::EXPRESSION_LIMIT;
use crate::cel::{Error, Evaluator, Inputs, Limit, Value, Variable};
use crate::policy::model::Compiled;

use super::observe::{Outcome, Parts, Place};
use super::plan::Invocation;
use super::subject::Subject;

/// The cost that all validations, or all audit annotations, or one mutation of a binding may reach together.
pub const COST_BUDGET: u64 = 10_000_000;
/// The cost that all match conditions of a binding may reach together.
pub const COST_BUDGET_MATCH_CONDITIONS: u64 = 2_500_000;

/// Why an expression gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The expression's own error; other expressions are still evaluated.
    Expression(String),
    /// The budget or the time has run out; nothing more is evaluated.
    Stopped(String),
}

/// Evaluates expressions that share variables and a budget.
pub struct Expressions<'a, 's> {
    evaluator: Evaluator<'a>,
    budget: u64,
    invocation: Invocation<'a>,
    subject: &'s Subject<'a>,
    /// Where someone listens.
    parts: Option<Rc<Parts<'a>>>,
}

impl<'a, 's> Expressions<'a, 's> {
    /// Prepares an evaluation of `invocation` on `inputs` within `budget`.
    pub fn new(invocation: &Invocation<'a>, subject: &'s Subject<'a>, inputs: Inputs<'a>, budget: u64) -> Self {
        Self::with_variables(&invocation.expressions.variables, invocation, subject, inputs, budget)
    }

    /// Prepares an evaluation that sees no variables.
    pub fn without_variables(
        invocation: &Invocation<'a>,
        subject: &'s Subject<'a>,
        inputs: Inputs<'a>,
        budget: u64,
    ) -> Self {
        Self::with_variables(&[], invocation, subject, inputs, budget)
    }

    fn with_variables(
        variables: &'a [Variable],
        invocation: &Invocation<'a>,
        subject: &'s Subject<'a>,
        inputs: Inputs<'a>,
        budget: u64,
    ) -> Self {
        let (deadline, expressions) = (subject.context().deadline, invocation.expressions);
        let mut evaluator = Evaluator::new(subject.arena(), inputs, variables, budget, deadline);
        if let Some(memo) = subject.memo(&inputs, expressions.shared) {
            evaluator = evaluator.sharing(memo, &expressions.variable_sharing);
        }
        let parts = subject.context().observer.map(|observer| {
            let place = Cell::new(Place::Validation(0));
            Rc::new(Parts { observer, policy: &invocation.policy.name, place })
        });
        if let Some(parts) = &parts {
            evaluator = evaluator.with_recorder(parts.clone());
        }
        Self { evaluator, budget, invocation: *invocation, subject, parts }
    }

    /// Evaluates one expression and tells the observer.
    ///
    /// # Errors
    /// In upstream's words: a compilation error, the expression's error, or what stopped the evaluation.
    pub fn evaluate(&mut self, place: Place, program: &'a Compiled, expression: &str) -> Result<Value<'a>, Failure> {
        let result = self.value(place, program, expression);
        let outcome = match &result {
            Ok(Value::Bool(true)) => Outcome::True,
            Ok(Value::Bool(false)) => Outcome::False,
            Ok(_) => Outcome::Value,
            Err(_) => Outcome::Error,
        };
        self.invocation.observe(self.subject, place, outcome);
        result
    }

    /// Evaluates one expression, of which the observer is told the parts alone.
    ///
    /// # Errors
    /// As [`Expressions::evaluate`].
    pub fn value(&mut self, place: Place, program: &'a Compiled, expression: &str) -> Result<Value<'a>, Failure> {
        if let Some(parts) = &self.parts {
            parts.place.set(place);
        }
        let program = program.as_ref().map_err(|error| Failure::Expression(format!("compilation error: {error}")))?;
        let value = self.evaluator.evaluate_shared(program, self.invocation.expressions.sharing(place));
        match value {
            // An expression that exhausts the budget and fails besides counts as having exhausted it.
            Err(Error::Evaluation(_)) if self.evaluator.cost() > self.budget => {
                Err(failure(Error::Cancelled(Limit::Budget), expression))
            }
            value => value.map_err(|error| failure(error, expression)),
        }
    }

    /// The cost so far.
    pub fn cost(&self) -> u64 {
        self.evaluator.cost()
    }
}

impl Drop for Expressions<'_, '_> {
    /// Tells the observer which variables the expressions needed.
    fn drop(&mut self) {
        if self.subject.context().observer.is_some() {
            for (index, is_ok) in self.evaluator.evaluated_variables() {
                let outcome = if is_ok { Outcome::Value } else { Outcome::Error };
                self.invocation.observe(self.subject, Place::Variable(index), outcome);
            }
        }
    }
}

/// Whether evaluating `count` more expressions could exhaust `remaining`, all variables counted anew.
pub fn could_exhaust(remaining: u64, count: usize, variables: usize) -> bool {
    let calls = u64::try_from(count.saturating_add(variables)).unwrap_or(u64::MAX);
    calls.saturating_mul(EXPRESSION_LIMIT) > remaining
}

fn failure(error: Error, expression: &str) -> Failure {
    match error {
        Error::Cancelled(Limit::Budget | Limit::Deadline) => Failure::Stopped(error.to_string()),
        error => Failure::Expression(format!("expression '{expression}' resulted in error: {error}")),
    }
}
