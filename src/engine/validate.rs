//! A validating policy's judgement for one binding and param. Upstream: `policy/validating/validator.go`.

use std::time::Instant;

use crate::cel::Value;
use crate::cel::explain::Explanation;
use crate::policy::model::{AuditAnnotation, Rules, Validation};

use super::decision::Evaluation;
use super::evaluate::{COST_BUDGET, Expressions, Failure, could_exhaust};
use super::explain::explain;
use super::match_conditions::{self, Conditions};
use super::observe::Place;
use super::plan::{ConfigurationError, Invocation};
use super::subject::Subject;

/// The longest message that a messageExpression may give, in bytes.
const MAX_MESSAGE_BYTES: usize = 5 * 1024;
/// The reason of a failed validation that names none.
pub const DEFAULT_REASON: &str = "Invalid";

/// What a policy found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<'a> {
    /// Its match conditions leave the request out.
    Skipped,
    /// It was evaluated.
    Evaluated {
        /// Everything but admission, in the order of the validations; empty when the object satisfies them all.
        decisions: Vec<PolicyDecision<'a>>,
        /// What the audit annotations say: key and value, or the error.
        annotations: Vec<Annotation<'a>>,
    },
}

/// An audit annotation's key and value, or why it has none.
pub type Annotation<'a> = Result<(&'a str, String), String>;

/// One validation that the object doesn't satisfy, or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDecision<'a> {
    /// Which validation; `None` for errors of the whole policy.
    pub index: Option<usize>,
    /// [`Evaluation::Deny`] or [`Evaluation::Error`].
    pub evaluation: Evaluation,
    /// Upstream's reason; empty for errors.
    pub reason: &'a str,
    /// What is wrong.
    pub message: String,
    /// What decided, where the context asks for it.
    pub explanation: Option<Explanation>,
}

/// What one policy, binding and param said, or why it could not be asked.
pub type Judged<'a> = Result<(Invocation<'a>, Judgement<'a>), ConfigurationError<'a>>;

/// Judges a subject by one validating policy, unless nobody waits for the answer any longer.
pub fn judge<'a>(invocation: &Invocation<'a>, subject: &Subject<'a>) -> Judgement<'a> {
    let Rules::Validate { validations, audit_annotations } = &invocation.policy.rules else {
        return Judgement::Skipped;
    };
    if subject.context().deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Judgement::error("the request's timeout had passed before this policy could be evaluated".to_owned());
    }
    validate(invocation, subject, validations, audit_annotations)
}

fn validate<'a>(
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    validations: &'a [Validation],
    audit_annotations: &'a [AuditAnnotation],
) -> Judgement<'a> {
    if let Some(error) = &invocation.policy.compile_error {
        return Judgement::error(error.clone());
    }
    invocation.concerns(subject);
    match match_conditions::evaluate(invocation, subject) {
        Conditions::Match => {}
        Conditions::NoMatch => return Judgement::Skipped,
        Conditions::Error(error) => return Judgement::error(error),
    }
    let decisions = match evaluate_validations(invocation, subject, validations) {
        Ok(decisions) => decisions,
        Err(error) => return Judgement::error(error),
    };
    match evaluate_annotations(invocation, subject, audit_annotations) {
        Ok(annotations) => Judgement::Evaluated { decisions, annotations },
        Err(error) => Judgement::error(error),
    }
}

impl<'a> Judgement<'a> {
    /// The validations that the object doesn't satisfy.
    pub fn violations(&self) -> impl Iterator<Item = &PolicyDecision<'a>> {
        let decisions = match self {
            Judgement::Evaluated { decisions, .. } => decisions.as_slice(),
            Judgement::Skipped => &[],
        };
        decisions.iter().filter(|decision| decision.evaluation == Evaluation::Deny)
    }

    /// The whole policy could not be evaluated.
    pub fn error(message: String) -> Self {
        let decision =
            PolicyDecision { index: None, evaluation: Evaluation::Error, reason: "", message, explanation: None };
        Judgement::Evaluated { decisions: vec![decision], annotations: Vec::new() }
    }
}

/// What became of one validation.
enum Outcome {
    Admitted,
    Failed,
    Error(String),
}

fn evaluate_validations<'a>(
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    validations: &'a [Validation],
) -> Result<Vec<PolicyDecision<'a>>, String> {
    let inputs = subject.inputs(&invocation.matched, invocation.params);
    let mut expressions = Expressions::new(invocation, subject, inputs, COST_BUDGET);
    let mut outcomes = Vec::with_capacity(validations.len());
    for (index, validation) in validations.iter().enumerate() {
        let place = Place::Validation(index);
        outcomes.push(match expressions.evaluate(place, &validation.program, &validation.expression) {
            Ok(Value::Bool(true)) => Outcome::Admitted,
            Ok(_) => Outcome::Failed,
            Err(Failure::Expression(error)) => Outcome::Error(error),
            Err(Failure::Stopped(error)) => return Err(error),
        });
    }
    let remaining = COST_BUDGET.saturating_sub(expressions.cost());
    let messages = evaluate_messages(invocation, subject, validations, &outcomes, remaining);
    let mut decisions = decide(validations, outcomes, messages);
    if subject.context().explain {
        decisions.iter_mut().for_each(|decision| explain(decision, invocation, subject, validations));
    }
    Ok(decisions)
}

/// The messages of failed validations by index, or the error that stopped their evaluation. Upstream evaluates the
/// messages of all validations; that only shows where they could run out of budget, so only then it is done here.
fn evaluate_messages<'a>(
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    validations: &'a [Validation],
    outcomes: &[Outcome],
    budget: u64,
) -> Result<Vec<(usize, &'a str)>, String> {
    let count = validations.iter().filter(|validation| validation.message_expression.is_some()).count();
    let all = count > 0 && could_exhaust(budget, count, invocation.expressions.variables.len());
    let mut messages = Vec::new();
    if count == 0 || !(all || outcomes.iter().any(|outcome| matches!(outcome, Outcome::Failed))) {
        return Ok(messages);
    }
    let inputs = subject.inputs_without_authorizer(&invocation.matched, invocation.params);
    let mut expressions = Expressions::new(invocation, subject, inputs, budget);
    for (index, (validation, outcome)) in validations.iter().zip(outcomes).enumerate() {
        let Some(message) = &validation.message_expression else { continue };
        if !all && !matches!(outcome, Outcome::Failed) {
            continue;
        }
        match expressions.evaluate(Place::MessageExpression(index), message, "") {
            Ok(Value::String(text)) => messages.push((index, text)),
            // An error is for the policy's author; the user gets the fallback.
            Ok(_) | Err(Failure::Expression(_)) => {}
            Err(Failure::Stopped(error)) => return Err(error),
        }
    }
    Ok(messages)
}

fn decide<'a>(
    validations: &'a [Validation],
    outcomes: Vec<Outcome>,
    messages: Result<Vec<(usize, &'a str)>, String>,
) -> Vec<PolicyDecision<'a>> {
    let error = |index, message| PolicyDecision {
        index: Some(index),
        evaluation: Evaluation::Error,
        reason: "",
        message,
        explanation: None,
    };
    let judged = validations.iter().zip(outcomes).enumerate();
    let decisions = judged.filter_map(|(index, (validation, outcome))| match (outcome, &messages) {
        (Outcome::Error(message), _) => Some(error(index, message)),
        // As upstream, this also concerns validations that the object satisfies.
        (_, Err(stopped)) => Some(error(index, format!("failed messageExpression: {stopped}"))),
        (Outcome::Admitted, Ok(_)) => None,
        (Outcome::Failed, Ok(messages)) => {
            let given = messages.iter().find(|(i, _)| *i == index).map(|(_, text)| *text);
            Some(PolicyDecision {
                index: Some(index),
                evaluation: Evaluation::Deny,
                reason: &validation.reason,
                message: failure_message(validation, given),
                explanation: None,
            })
        }
    });
    decisions.collect()
}

/// The messageExpression's text if it is a short line, else the message, else the expression.
fn failure_message(validation: &Validation, given: Option<&str>) -> String {
    let given =
        given.map(str::trim).filter(|text| !text.is_empty() && text.len() <= MAX_MESSAGE_BYTES && !text.contains('\n'));
    let message = given.or_else(|| validation.message.as_deref().map(str::trim).filter(|text| !text.is_empty()));
    match message {
        Some(text) => text.to_owned(),
        None => format!("failed expression: {}", validation.expression.trim()),
    }
}

fn evaluate_annotations<'a>(
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    audit_annotations: &'a [AuditAnnotation],
) -> Result<Vec<Annotation<'a>>, String> {
    let mut annotations = Vec::new();
    if audit_annotations.is_empty() {
        return Ok(annotations);
    }
    let inputs = subject.inputs_without_authorizer(&invocation.matched, invocation.params);
    let mut expressions = Expressions::new(invocation, subject, inputs, COST_BUDGET);
    for (index, annotation) in audit_annotations.iter().enumerate() {
        let place = Place::AuditAnnotation(index);
        match expressions.evaluate(place, &annotation.program, &annotation.expression) {
            Ok(Value::Null) => {}
            Ok(Value::String(text)) if text.trim().is_empty() => {}
            Ok(Value::String(text)) => annotations.push(Ok((annotation.key.as_str(), text.trim().to_owned()))),
            Ok(other) => annotations.push(Err(format!(
                "valueExpression '{}' resulted in unsupported return type: {}. Return type must be either string or null.",
                annotation.expression,
                other.type_name()
            ))),
            Err(Failure::Expression(error)) => annotations.push(Err(error)),
            Err(Failure::Stopped(error)) => return Err(error),
        }
    }
    Ok(annotations)
}
