//! The changes to a policy's expressions.

use std::sync::Arc;

use crate::cel::mutants::mutants;
use crate::cel::{CompileError, Env, Program};
use crate::policy::model::Policy;
use crate::policy::{Expression, Place, variables};

use super::change::{Change, To};

/// The changes to an expression of `policy` that compile, and give a value of the same type: what reads the expression was
/// compiled for that. `line` finds the line of a place in the expression, given as line and column. They are compiled one by
/// one, for each may be as large as the expression.
///
/// # Errors
/// There are too many of them.
pub(super) fn changes(
    expression: &Expression<'_>,
    policy: &Policy,
    minor: u32,
    line: impl Fn((usize, usize)) -> usize,
) -> Result<impl Iterator<Item = Change>, CompileError> {
    let (place, expects) = (expression.place, expression.expects);
    let (env, label) = (env(place, policy, minor), label(expression));
    let decides = matches!(place, Place::MatchCondition(_) | Place::Validation(_));
    let original = expression.program.as_ref().ok();
    let mutants = original.map_or(Ok(Vec::new()), |original| mutants(original.source(), &env, decides))?;
    Ok(mutants.into_iter().filter_map(move |mutant| {
        let program = Program::compile(&mutant.source, &env, expects).ok()?;
        (Some(program.output_type()) == original.map(|original| original.output_type())).then(|| Change {
            name: format!("{label}/{}/{}", mutant.operator.name(), mutant.ordinal),
            line: line(mutant.place),
            text: mutant.change,
            to: To::Expression(place, Arc::new(program)),
        })
    }))
}

/// How names of mutants spell the place of an expression.
pub(super) fn label(expression: &Expression<'_>) -> String {
    let (list, at) = expression.place.entry();
    match (expression.place, expression.name) {
        (Place::MessageExpression(_), _) => format!("{list}[{at}].messageExpression"),
        (_, Some(name)) => format!("{list}.{name}"),
        (_, None) => format!("{list}[{at}]"),
    }
}

/// What the expression at `place` may refer to.
fn env(place: Place, policy: &Policy, minor: u32) -> Env {
    let mut variables = variables(policy);
    match place {
        Place::MatchCondition(_) => variables.clear(),
        Place::Variable(at) => variables.truncate(at),
        _ => {}
    }
    Env {
        minor,
        params: policy.param_kind.is_some(),
        authorizer: !matches!(place, Place::MessageExpression(_)),
        patch_types: matches!(place, Place::Mutation(_)),
        variables,
        ..Env::default()
    }
}
