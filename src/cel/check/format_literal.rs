//! Calls of `format` with a literal template and a literal list: checked against each other before they run.

use super::Checked;
use super::issues::Fault;
use super::types::Type;
use crate::cel::library::format_clause;
use crate::cel::syntax::ast::{Expr, Kind, Literal};

/// Checks that each clause finds an argument of a type that it prints, and each argument a clause.
///
/// # Errors
/// The first clause or argument that doesn't.
pub(in crate::cel) fn validate(checked: &Checked, call: &Expr, target: &Expr, args: &[Expr]) -> Result<(), Fault> {
    let (Kind::Literal(Literal::String(template)), [Expr { kind: Kind::List(elements), .. }]) = (&target.kind, args)
    else {
        return Ok(());
    };
    let fault = |offset, message| Err(Fault { message, offset });
    let mut rest = template.as_str();
    let mut used = 0;
    while let Some((_, clause)) = rest.split_once('%') {
        if let Some(after) = clause.strip_prefix('%') {
            rest = after;
            continue;
        }
        if clause.is_empty() {
            return fault(call.offset, "unexpected end of string".to_owned());
        }
        let Some(element) = elements.get(used) else {
            return fault(call.offset, format!("index {used} out of range"));
        };
        used += 1;
        let letter = match format_clause(clause) {
            Ok((letter, after)) => {
                rest = after;
                letter
            }
            Err(message) => return fault(call.offset, format!("could not parse formatting clause: {message}")),
        };
        if let Some((offset, found)) = unprintable(checked, &element.value, letter) {
            return fault(offset, format!("error during formatting: {}, was given {found}", only(letter)));
        }
    }
    if used < elements.len() {
        let message = format!("too many arguments supplied to string.format (expected {used}, got {})", elements.len());
        return fault(call.offset, message);
    }
    Ok(())
}

/// The place and type of what the clause can't print.
fn unprintable(checked: &Checked, expr: &Expr, letter: char) -> Option<(u32, String)> {
    let of = checked.type_of(expr);
    let number = matches!(of, Type::Int | Type::Uint | Type::Dyn);
    let printable = match letter {
        's' => {
            matches!(of, Type::List(_) | Type::Map(_) | Type::Double | Type::Bool | Type::String | Type::Timestamp)
                || matches!(of, Type::Bytes | Type::Duration | Type::Type(_) | Type::Null)
                || number
        }
        'd' | 'o' => number,
        'f' | 'e' => matches!(of, Type::Double | Type::String | Type::Dyn),
        'b' => number || *of == Type::Bool,
        _ => number || matches!(of, Type::String | Type::Bytes),
    };
    if !printable {
        return Some((expr.offset, of.runtime_name()));
    }
    match &expr.kind {
        Kind::List(_) | Kind::Map(_) if letter == 's' => {
            expr.children().into_iter().find_map(|child| unprintable(checked, child, letter))
        }
        _ => None,
    }
}

/// What a clause prints, in the words of the error.
fn only(letter: char) -> &'static str {
    match letter {
        's' => {
            "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps"
        }
        'd' => "decimal clause can only be used on integers",
        'f' => "fixed-point clause can only be used on doubles",
        'e' => "scientific clause can only be used on doubles",
        'b' => "only integers and bools can be formatted as binary",
        'o' => "octal clause can only be used on integers",
        _ => "only integers, byte buffers, and strings can be formatted as hex",
    }
}
