//! Changes to constants that make no difference, as far as the form of the expression shows it.

use super::super::evaluator::{Evaluator, Inputs};
use super::super::program::{Env, Expect, Program};
use super::super::syntax::ast::{Expr, Kind};
use super::super::syntax::unparse::unparse;
use super::replaced;
use crate::cel::cost::EXPRESSION_LIMIT;
use crate::json::Arena;

/// Whether a string that becomes part of a value is for people: a sentence, or only punctuation. What is compared or
/// looked up is never prose.
pub(super) fn is_prose(text: &str) -> bool {
    text.contains(char::is_whitespace) || !text.contains(char::is_alphanumeric)
}

/// Whether the last of `around` is the default of `orValue`.
pub(super) fn is_default(around: &[&Expr]) -> bool {
    matches!(around, [.., Expr { kind: Kind::Call { function, target: Some(_), .. }, .. }, _] if function == "orValue")
}

/// Whether the last of `around`, a constant, is the default of `orValue`, and what is asked of the value is the same
/// for `changed`: `.orValue("") == "windows"` is false for either.
pub(super) fn is_equivalent_default(around: &[&Expr], changed: &Kind, minor: u32) -> bool {
    let [around @ .., call, constant] = around else { return false };
    if !is_default(&[call, constant]) {
        return false;
    }
    // From the inside out, as long as nothing else is read.
    for asked in around.iter().rev() {
        let value = |default: &Kind| evaluated(&replaced(asked, call.id, default), minor);
        match (value(&constant.kind), value(changed)) {
            (Some(before), Some(after)) if before == after => return true,
            (None, _) | (_, None) => return false,
            _ => {}
        }
    }
    false
}

/// The value of an expression of constants, as text; `None` for others.
fn evaluated(expr: &Expr, minor: u32) -> Option<String> {
    let env = Env { minor, ..Env::default() };
    if reads_request(expr) {
        return None;
    }
    let program = Program::compile(&unparse(expr)?, &env, Expect::Any).ok()?;
    let arena = Arena::new();
    let value = Evaluator::new(&arena, Inputs::default(), &[], EXPRESSION_LIMIT, None).evaluate(&program).ok()?;
    Some(format!("{value:?}"))
}

/// Whether a name of the request is in it.
fn reads_request(expr: &Expr) -> bool {
    const NAMES: [&str; 7] = ["object", "oldObject", "request", "params", "namespaceObject", "authorizer", "variables"];
    match &expr.kind {
        Kind::Ident(name) => NAMES.contains(&name.trim_start_matches('.')),
        _ => expr.children().into_iter().any(reads_request),
    }
}
