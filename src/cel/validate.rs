//! What a well-typed expression is refused for all the same when a policy is loaded: literals that are no duration,
//! timestamp or regular expression, literals of mixed types, and calls of `format` that can't succeed.
//!
//! Upstream: the validators of `cel-go/cel/validator.go` and `ext/formatting.go` that Kubernetes switches on.

use super::ast::{Expr, Kind, Literal};
use super::check::{Checked, Meaning, TypeError};
use super::format_literal;
use super::library::re2;
use super::standard::{to_duration, to_timestamp};
use super::types::Type;
use super::value::Value;
use crate::json::Arena;

/// Validates a checked tree.
///
/// # Errors
/// The first fault.
pub(super) fn validate(checked: &Checked, expr: &Expr) -> Result<(), TypeError> {
    visit(checked, expr, false)
}

/// `mixed` is whether some call around the node takes lists and maps of mixed types.
fn visit(checked: &Checked, expr: &Expr, mixed: bool) -> Result<(), TypeError> {
    let mut mixed = mixed;
    match &expr.kind {
        Kind::Call { function, target, args } => {
            literal_argument(checked, expr, function, args)?;
            if let (Some(target), "format") = (target, function.as_str()) {
                format_literal::validate(checked, expr, target, args)?;
            }
            mixed |= function == "format";
        }
        Kind::List(elements) if !mixed => {
            same_types(checked, elements.iter().map(|element| (&element.value, element.optional)))?;
        }
        Kind::Map(entries) if !mixed => {
            same_types(checked, entries.iter().map(|entry| (&entry.key, false)))?;
            same_types(checked, entries.iter().map(|entry| (&entry.value, entry.optional)))?;
        }
        _ => {}
    }
    expr.children().into_iter().try_for_each(|child| visit(checked, child, mixed))
}

fn literal_argument(checked: &Checked, expr: &Expr, function: &str, args: &[Expr]) -> Result<(), TypeError> {
    let Some(Meaning::Function { .. }) = checked.meaning(expr) else { return Ok(()) };
    let Some(Expr { kind: Kind::Literal(Literal::String(text)), offset, .. }) = args.last() else { return Ok(()) };
    let valid = match (function, args.len()) {
        ("duration", 1) => to_duration(&Arena::new(), &[Value::String(text)]).is_ok(),
        ("timestamp", 1) => to_timestamp(&Arena::new(), &[Value::String(text)]).is_ok(),
        ("matches", 1 | 2) => re2::compile(text).is_ok(),
        _ => true,
    };
    if valid { Ok(()) } else { Err(TypeError { message: format!("invalid {function} argument"), offset: *offset }) }
}

/// All elements have the type of the first, `dyn` included: `[1, dyn(1)]` is refused too.
fn same_types<'x>(checked: &Checked, elements: impl Iterator<Item = (&'x Expr, bool)>) -> Result<(), TypeError> {
    let mut first: Option<Type> = None;
    for (expr, optional) in elements {
        let of = match checked.type_of(expr) {
            Type::Optional(of) if optional => (**of).clone(),
            other => other.clone(),
        };
        match &first {
            Some(first) if *first != of => {
                let message = format!("expected type '{first}' but found '{of}'");
                return Err(TypeError { message, offset: expr.offset });
            }
            Some(_) => {}
            None => first = Some(of),
        }
    }
    Ok(())
}
