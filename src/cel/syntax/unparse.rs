//! A syntax tree to source text that parses to the same tree again, macros as they are written.

use std::fmt::Write as _;

use super::ast::{Comprehension, Expr, Fold, Kind, Literal};
use super::macros::SORT_INPUT;

/// How tightly an expression binds, by the rule of the grammar that it is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Conditional,
    Or,
    And,
    Relation,
    Sum,
    Product,
    Unary,
    Member,
}

/// The operators of two operands, which group to the left.
const BINARY: &[(&str, &str, Level, Level)] = &[
    ("@in", "in", Level::Relation, Level::Sum),
    ("_==_", "==", Level::Relation, Level::Sum),
    ("_!=_", "!=", Level::Relation, Level::Sum),
    ("_<_", "<", Level::Relation, Level::Sum),
    ("_<=_", "<=", Level::Relation, Level::Sum),
    ("_>_", ">", Level::Relation, Level::Sum),
    ("_>=_", ">=", Level::Relation, Level::Sum),
    ("_+_", "+", Level::Sum, Level::Product),
    ("_-_", "-", Level::Sum, Level::Product),
    ("_*_", "*", Level::Product, Level::Unary),
    ("_/_", "/", Level::Product, Level::Unary),
    ("_%_", "%", Level::Product, Level::Unary),
];

/// The source text of a tree; `None` if it is none that the parser makes.
pub(in crate::cel) fn unparse(expr: &Expr) -> Option<String> {
    let mut out = String::new();
    write(&mut out, expr, Level::Conditional)?;
    Some(out)
}

/// Writes an expression where the grammar has one of at least `least`, in parentheses if it binds less.
fn write(out: &mut String, expr: &Expr, least: Level) -> Option<()> {
    let in_parentheses = level(expr) < least;
    if in_parentheses {
        out.push('(');
    }
    match &expr.kind {
        Kind::Literal(literal) => write_literal(out, literal),
        Kind::Ident(name) => out.push_str(name),
        Kind::Select { operand, field, test } => {
            out.push_str(if *test { "has(" } else { "" });
            write(out, operand, Level::Member)?;
            out.push('.');
            out.push_str(field);
            out.push_str(if *test { ")" } else { "" });
        }
        Kind::Call { function, target, args } => write_call(out, function, target.as_deref(), args)?,
        Kind::List(elements) => {
            let elements = elements.iter().map(|element| (element.optional, None, &element.value));
            bracketed(out, '[', elements, ']')?;
        }
        Kind::Map(entries) => {
            let entries = entries.iter().map(|entry| (entry.optional, Some(Name::Key(&entry.key)), &entry.value));
            bracketed(out, '{', entries, '}')?;
        }
        Kind::Struct { type_name, fields } => {
            out.push_str(type_name);
            let fields = fields.iter().map(|field| (field.optional, Some(Name::Field(&field.name)), &field.value));
            bracketed(out, '{', fields, '}')?;
        }
        Kind::Comprehension(fold) => write_macro(out, fold)?,
    }
    if in_parentheses {
        out.push(')');
    }
    Some(())
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        Kind::Literal(Literal::Int(value)) if *value < 0 => Level::Unary,
        Kind::Literal(Literal::Double(value)) if value.is_sign_negative() => Level::Unary,
        Kind::Call { function, target: None, args } => match function.as_str() {
            "_?_:_" if optional_map(args).is_none() => Level::Conditional,
            "_||_" => Level::Or,
            "_&&_" => Level::And,
            "!_" | "-_" => Level::Unary,
            function => binary(function).map_or(Level::Member, |(_, level, _)| level),
        },
        _ => Level::Member,
    }
}

/// The sign of an operator, how tightly it binds, and what its right operand has to be.
fn binary(function: &str) -> Option<(&'static str, Level, Level)> {
    let found = BINARY.iter().find(|(name, ..)| *name == function);
    found.map(|(_, sign, level, right)| (*sign, *level, *right))
}

fn write_call(out: &mut String, function: &str, target: Option<&Expr>, args: &[Expr]) -> Option<()> {
    if let Some(target) = target {
        write(out, target, Level::Member)?;
        out.push('.');
        out.push_str(function);
        return bracketed(out, '(', args.iter().map(|arg| (false, None, arg)), ')');
    }
    match (function, args) {
        ("_?_:_", [condition, yes, no]) => {
            if let Some((target, name, var, body)) = optional_map(args) {
                return write_macro_call(out, target, name, &[var], &[body]);
            }
            write(out, condition, Level::Or)?;
            out.push_str(" ? ");
            write(out, yes, Level::Or)?;
            out.push_str(" : ");
            write(out, no, Level::Conditional)
        }
        ("_||_", terms) => joined(out, terms, " || ", Level::And),
        ("_&&_", terms) => joined(out, terms, " && ", Level::Relation),
        ("!_" | "-_", [operand]) => {
            out.push_str(function.get(..1)?);
            let start = out.len();
            write(out, operand, Level::Member)?;
            // A sign before a number is part of it.
            if function == "-_" && out.get(start..)?.starts_with(|first: char| first.is_ascii_digit()) {
                out.insert(start, '(');
                out.push(')');
            }
            Some(())
        }
        ("_[_]" | "_[?_]", [operand, index]) => {
            write(out, operand, Level::Member)?;
            out.push_str(if function == "_[_]" { "[" } else { "[?" });
            write(out, index, Level::Conditional)?;
            out.push(']');
            Some(())
        }
        ("_?._", [operand, field]) => {
            let Kind::Literal(Literal::String(field)) = &field.kind else { return None };
            write(out, operand, Level::Member)?;
            out.push_str(".?");
            out.push_str(field);
            Some(())
        }
        (_, [left, right]) if let Some((sign, level, right_level)) = binary(function) => {
            write(out, left, level)?;
            out.push(' ');
            out.push_str(sign);
            out.push(' ');
            write(out, right, right_level)
        }
        _ => {
            // Operators and what only macros call have names that can't be written.
            if function.contains('@') || binary(function).is_some() {
                return None;
            }
            out.push_str(function);
            bracketed(out, '(', args.iter().map(|arg| (false, None, arg)), ')')
        }
    }
}

fn joined(out: &mut String, terms: &[Expr], sign: &str, least: Level) -> Option<()> {
    for (at, term) in terms.iter().enumerate() {
        out.push_str(if at > 0 { sign } else { "" });
        write(out, term, least)?;
    }
    Some(())
}

/// What stands before the colon of an entry.
enum Name<'e> {
    Key(&'e Expr),
    Field(&'e str),
}

fn bracketed<'e>(
    out: &mut String,
    open: char,
    elements: impl Iterator<Item = (bool, Option<Name<'e>>, &'e Expr)>,
    close: char,
) -> Option<()> {
    out.push(open);
    for (at, (optional, name, value)) in elements.enumerate() {
        out.push_str(if at > 0 { ", " } else { "" });
        out.push_str(if optional { "?" } else { "" });
        match name {
            Some(Name::Key(key)) => {
                write(out, key, Level::Conditional)?;
                out.push_str(": ");
            }
            Some(Name::Field(field)) => {
                out.push_str(field);
                out.push_str(": ");
            }
            None => {}
        }
        write(out, value, Level::Conditional)?;
    }
    out.push(close);
    Some(())
}

/// Writes a macro that was expanded to a fold.
fn write_macro(out: &mut String, fold: &Comprehension) -> Option<()> {
    let mut vars = vec![fold.var.as_str()];
    vars.extend(fold.var2.as_deref());
    let Kind::Call { function, args, .. } = &fold.step.kind else { return write_sort(out, fold) };
    match (fold.fold, args.as_slice()) {
        (Fold::All, [_, predicate]) => write_macro_call(out, &fold.range, "all", &vars, &[predicate]),
        (Fold::Exists, [_, predicate]) => write_macro_call(out, &fold.range, "exists", &vars, &[predicate]),
        (Fold::ExistsOne, [predicate, ..]) => write_macro_call(out, &fold.range, "exists_one", &vars, &[predicate]),
        (Fold::Collect | Fold::Insert, args) => {
            let (filter, step) = match args {
                [filter, step, _] if function == "_?_:_" => (Some(filter), step),
                _ => (None, &fold.step),
            };
            let (name, value) = produced(fold, step)?;
            let is_element = matches!(&value.kind, Kind::Ident(name) if *name == fold.var);
            match (name, filter) {
                ("map", Some(filter)) if is_element => write_macro_call(out, &fold.range, "filter", &vars, &[filter]),
                (name, filter) => {
                    let rest: Vec<&Expr> = filter.into_iter().chain([value]).collect();
                    write_macro_call(out, &fold.range, name, &vars, &rest)
                }
            }
        }
        _ => None,
    }
}

/// What a fold that makes a list or a map adds at each step, with the macro's name.
fn produced<'e>(fold: &Comprehension, step: &'e Expr) -> Option<(&'static str, &'e Expr)> {
    let Kind::Call { args, .. } = &step.kind else { return None };
    match (fold.fold, args.as_slice()) {
        (Fold::Collect, [_, one]) => {
            let Kind::List(elements) = &one.kind else { return None };
            let [element] = elements.as_slice() else { return None };
            Some((if fold.var2.is_some() { "transformList" } else { "map" }, &element.value))
        }
        (Fold::Insert, [_, _, value]) => Some(("transformMap", value)),
        (Fold::Insert, [_, entry]) => Some(("transformMapEntry", entry)),
        _ => None,
    }
}

/// Writes `target.sortBy(v, key)`: a fold over the target's name, below which the keys are mapped.
fn write_sort(out: &mut String, fold: &Comprehension) -> Option<()> {
    let Kind::Call { args, .. } = &fold.result.kind else { return None };
    let ([keys], Fold::Bind, SORT_INPUT) = (args.as_slice(), fold.fold, fold.accumulator.as_str()) else { return None };
    let Kind::Comprehension(keys) = &keys.kind else { return None };
    let (_, key) = produced(keys, &keys.step)?;
    write_macro_call(out, &fold.init, "sortBy", &[&keys.var], &[key])
}

/// The parts of `target.optMap(v, body)` or `optFlatMap`, if that is what a conditional was expanded from.
pub(in crate::cel) fn optional_map(args: &[Expr]) -> Option<(&Expr, &'static str, &str, &Expr)> {
    let [condition, yes, _] = args else { return None };
    let (name, mapped) = match &yes.kind {
        Kind::Call { function, target: None, args } if function == "optional.of" => ("optMap", args.first()?),
        _ => ("optFlatMap", yes),
    };
    let Kind::Comprehension(fold) = &mapped.kind else { return None };
    if fold.fold != Fold::Bind || fold.accumulator == SORT_INPUT {
        return None;
    }
    let Kind::Call { target: Some(target), .. } = &condition.kind else { return None };
    Some((target, name, &fold.accumulator, &fold.result))
}

fn write_macro_call(out: &mut String, target: &Expr, name: &str, vars: &[&str], args: &[&Expr]) -> Option<()> {
    write(out, target, Level::Member)?;
    out.push('.');
    out.push_str(name);
    out.push('(');
    out.push_str(&vars.join(", "));
    for arg in args {
        out.push_str(", ");
        write(out, arg, Level::Conditional)?;
    }
    out.push(')');
    Some(())
}

fn write_literal(out: &mut String, literal: &Literal) {
    // Writing to a string cannot fail.
    let _ = match literal {
        Literal::Null => write!(out, "null"),
        Literal::Bool(value) => write!(out, "{value}"),
        Literal::Int(value) => write!(out, "{value}"),
        Literal::Uint(value) => write!(out, "{value}u"),
        // With a point or an exponent always.
        Literal::Double(value) => write!(out, "{value:?}"),
        Literal::String(text) => {
            let quote = if text.contains('"') && !text.contains('\'') { '\'' } else { '"' };
            out.push(quote);
            text.chars().for_each(|char| write_character(out, char, quote));
            out.push(quote);
            Ok(())
        }
        Literal::Bytes(bytes) => {
            out.push_str("b\"");
            for byte in bytes {
                let _ = match byte {
                    b' '..=b'~' if !matches!(byte, b'"' | b'\\') => write!(out, "{}", char::from(*byte)),
                    byte => write!(out, "\\x{byte:02x}"),
                };
            }
            out.push('"');
            Ok(())
        }
    };
}

fn write_character(out: &mut String, char: char, quote: char) {
    match char {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        char if char == quote => out.extend(['\\', char]),
        char if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        }
        char => out.push(char),
    }
}
