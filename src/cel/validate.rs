//! Literals that are checked when a policy is loaded: durations, timestamps and regular expressions.
//!
//! Upstream: the validators of `cel-go/cel/validator.go` that Kubernetes switches on.

use super::ast::{Expr, Kind, Literal};
use super::check::{Checked, Meaning, TypeError};
use super::library::re2;
use super::standard::{to_duration, to_timestamp};
use super::value::Value;
use crate::json::Arena;

/// Checks every literal argument of `duration`, `timestamp` and `matches`.
///
/// # Errors
/// The first bad one.
pub(super) fn literals(checked: &Checked, expr: &Expr) -> Result<(), TypeError> {
    if let Kind::Call { function, args, .. } = &expr.kind
        && let Some(Meaning::Function { .. }) = checked.meaning(expr)
        && let Some(Expr { kind: Kind::Literal(Literal::String(text)), offset, .. }) = args.last()
    {
        let valid = match (function.as_str(), args.len()) {
            ("duration", 1) => to_duration(&Arena::new(), &[Value::String(text)]).is_ok(),
            ("timestamp", 1) => to_timestamp(&Arena::new(), &[Value::String(text)]).is_ok(),
            ("matches", 1 | 2) => re2::compile(text).is_ok(),
            _ => true,
        };
        if !valid {
            return Err(TypeError { message: format!("invalid {function} argument"), offset: *offset });
        }
    }
    expr.children().into_iter().try_for_each(|child| literals(checked, child))
}
