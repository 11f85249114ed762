//! What a well-typed expression is refused for all the same when a policy is loaded: literals that are no duration,
//! timestamp or regular expression, literals of mixed types, and calls of `format` that can't succeed.
//!
//! Upstream: the validators of `cel-go/cel/validator.go` and `ext/formatting.go` that Kubernetes switches on.

use super::format_literal;
use super::issues::{Fault, Faults};
use super::types::Type;
use super::{Checked, Meaning};
use crate::cel::library::re2;
use crate::cel::library::standard::{to_duration, to_timestamp};
use crate::cel::syntax::ast::{Expr, Kind, Literal};
use crate::cel::value::Value;
use crate::json::Arena;

/// Validates a checked tree.
///
/// # Errors
/// All faults.
pub(in crate::cel) fn validate(checked: &Checked, expr: &Expr) -> Result<(), Faults> {
    let mut faults = Faults::default();
    visit(checked, expr, false, &mut faults);
    if faults.count() > 0 { Err(faults) } else { Ok(()) }
}

/// `mixed` is whether some call around the node takes lists and maps of mixed types.
fn visit(checked: &Checked, expr: &Expr, mixed: bool, faults: &mut Faults) {
    let mut mixed = mixed;
    match &expr.kind {
        Kind::Call { function, target, args } => {
            if let Err(fault) = literal_argument(checked, expr, function, args) {
                faults.push(fault);
            }
            if let (Some(target), "format") = (target, function.as_str())
                && let Err(fault) = format_literal::validate(checked, expr, target, args)
            {
                faults.push(fault);
            }
            mixed |= function == "format";
        }
        Kind::List(elements) if !mixed => {
            // Of a list the first element that differs is a fault, of a map each.
            let others = mismatches(checked, elements.iter().map(|element| (&element.value, element.optional)));
            others.into_iter().take(1).for_each(|fault| faults.push(fault));
        }
        Kind::Map(entries) if !mixed => {
            let keys = mismatches(checked, entries.iter().map(|entry| (&entry.key, false)));
            let values = mismatches(checked, entries.iter().map(|entry| (&entry.value, entry.optional)));
            keys.into_iter().chain(values).for_each(|fault| faults.push(fault));
        }
        _ => {}
    }
    for child in expr.children() {
        visit(checked, child, mixed, faults);
    }
}

fn literal_argument(checked: &Checked, expr: &Expr, function: &str, args: &[Expr]) -> Result<(), Fault> {
    let Some(Meaning::Function { .. }) = checked.meaning(expr) else { return Ok(()) };
    // Of matches(text, pattern) upstream looks at the text.
    let Some(Expr { kind: Kind::Literal(literal), offset, .. }) = args.first() else { return Ok(()) };
    let value = match literal {
        Literal::String(text) => Value::String(text),
        Literal::Int(seconds) => Value::Int(*seconds),
        _ => return Ok(()),
    };
    let valid = match (function, args.len(), literal) {
        ("duration", 1, _) => to_duration(&Arena::new(), &[value]).is_ok(),
        ("timestamp", 1, _) => to_timestamp(&Arena::new(), &[value]).is_ok(),
        ("matches", 1 | 2, Literal::String(text)) => re2::compile(text).is_ok(),
        _ => true,
    };
    if valid { Ok(()) } else { Err(Fault { message: format!("invalid {function} argument"), offset: *offset }) }
}

/// The elements that have not the type of the first, `dyn` included: `[1, dyn(1)]` is refused too.
fn mismatches<'x>(checked: &Checked, elements: impl Iterator<Item = (&'x Expr, bool)>) -> Vec<Fault> {
    let mut first: Option<Type> = None;
    let mut faults = Vec::new();
    for (expr, optional) in elements {
        let of = match checked.type_of(expr) {
            Type::Optional(of) if optional => (**of).clone(),
            // Upstream's validator panics here.
            other if optional => {
                let message = format!("expected type 'optional_type(dyn)' but found '{other}'");
                faults.push(Fault { message, offset: expr.offset });
                continue;
            }
            other => other.clone(),
        };
        match &first {
            Some(first) if *first != of => {
                let message = format!("expected type '{first}' but found '{of}'");
                faults.push(Fault { message, offset: expr.offset });
            }
            Some(_) => {}
            None => first = Some(of),
        }
    }
    faults
}
