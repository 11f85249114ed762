//! Says why a validation was not satisfied: it is evaluated once more, with its parts reporting.

use crate::cel::explain::{Question, Root};
use crate::cel::{Inputs, cost, explain as cel};
use crate::json::Value;
use crate::policy::model::Validation;

use super::plan::Invocation;
use super::subject::Subject;
use super::validate::PolicyDecision;

/// Adds to a decision what decided it.
pub fn explain<'a>(
    decision: &mut PolicyDecision<'a>,
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    validations: &'a [Validation],
) {
    let validation = decision.index.and_then(|index| validations.get(index));
    let Some(Ok(program)) = validation.map(|validation| &validation.program) else { return };
    let inputs = subject.inputs(&invocation.matched, invocation.params);
    let question =
        Question { program, variables: &invocation.expressions.variables, inputs, roots: &documents(&inputs) };
    decision.explanation = cel::explain(subject.arena(), question, cost::BINDING_BUDGET);
}

/// The documents that an expression sees, as explanations name them.
pub fn documents<'a>(inputs: &Inputs<'a>) -> [Root<'a>; 5] {
    let root = |name, value: Value<'a>| Root { name, value, is_confidential: is_secret(value) };
    [
        root("", inputs.object),
        root("oldObject", inputs.old_object),
        root("params", inputs.params.value()),
        root("namespaceObject", inputs.namespace_object),
        root("request", inputs.request),
    ]
}

/// Whether an object holds secrets, of which nothing is shown.
fn is_secret(object: Value<'_>) -> bool {
    let text = |name| object.get(name).and_then(|value| value.as_str());
    text("kind") == Some("Secret") && text("apiVersion").is_none_or(|version| version == "v1")
}
