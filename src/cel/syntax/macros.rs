//! Macros, expanded while parsing into the same trees that cel-go builds, so that types and cost agree.
//!
//! Upstream: `cel-go/parser/macro.go`, `ext/comprehensions.go`, `ext/lists.go`, `cel/library.go` (optionals).

use super::ast::{ACCUMULATOR, Comprehension, Element, Expr, Fold, Kind, Literal};
use super::builder::{Builder, SyntaxError};

type Result<T> = std::result::Result<T, SyntaxError>;

/// A call without receiver: `has(a.b)`, or what it is as a plain call.
pub(in crate::cel) fn global_call(
    builder: &mut Builder,
    offset: u32,
    function: String,
    args: Vec<Expr>,
) -> Result<Expr> {
    if function == "has" && args.len() == 1 {
        let [arg] = take(args)?;
        return match arg.kind {
            Kind::Select { operand, field, test: false } => {
                builder.node(offset, Kind::Select { operand, field, test: true })
            }
            _ => Err(SyntaxError { message: "invalid argument to has() macro".to_owned(), offset: arg.offset }),
        };
    }
    builder.node(offset, Kind::Call { function, target: None, args })
}

/// A call with a receiver: a macro if name, number of arguments and version say so.
pub(in crate::cel) fn member_call(
    b: &mut Builder,
    offset: u32,
    name: String,
    target: Expr,
    args: Vec<Expr>,
) -> Result<Expr> {
    let two_variables = b.minor >= 32;
    match (name.as_str(), args.len()) {
        ("all" | "exists" | "exists_one", 2) => quantifier(b, offset, &name, target, args, false),
        ("all" | "exists" | "exists_one" | "existsOne", 3) if two_variables => {
            quantifier(b, offset, &name, target, args, true)
        }
        ("map", 2 | 3) => collect(b, offset, target, args, false),
        ("filter", 2) => filter(b, offset, target, args),
        ("transformList", 3 | 4) if two_variables => collect(b, offset, target, args, true),
        ("transformMap", 3 | 4) if two_variables => transform_map(b, offset, target, args, true),
        ("transformMapEntry", 3 | 4) if two_variables => transform_map(b, offset, target, args, false),
        ("optMap", 2) if b.minor >= 28 => optional_map(b, offset, target, args, false),
        ("optFlatMap", 2) if b.minor >= 28 => optional_map(b, offset, target, args, true),
        ("sortBy", 2) if b.minor >= 34 => sort_by(b, offset, target, args),
        _ => b.node(offset, Kind::Call { function: name, target: Some(Box::new(target)), args }),
    }
}

/// The variables of a comprehension.
struct Variables {
    var: String,
    var2: Option<String>,
}

/// The parts of a comprehension that differ between macros.
struct Parts {
    fold: Fold,
    init: Expr,
    condition: Expr,
    step: Expr,
    result: Expr,
}

fn comprehension(b: &mut Builder, offset: u32, range: Expr, variables: Variables, parts: Parts) -> Result<Expr> {
    let Variables { var, var2 } = variables;
    let Parts { fold, init, condition, step, result } = parts;
    let accumulator = ACCUMULATOR.to_owned();
    let fold = Comprehension { fold, range, var, var2, accumulator, init, condition, step, result };
    b.node(offset, Kind::Comprehension(Box::new(fold)))
}

fn quantifier(b: &mut Builder, at: u32, name: &str, range: Expr, args: Vec<Expr>, two: bool) -> Result<Expr> {
    let (variables, mut rest) = variables(args, two, NO_NAME)?;
    let predicate = pop(&mut rest, at)?;
    let parts = match name {
        "all" => {
            let going = accu(b, at)?;
            let so_far = accu(b, at)?;
            Parts {
                fold: Fold::All,
                init: literal(b, at, Literal::Bool(true))?,
                condition: call(b, at, "@not_strictly_false", vec![going])?,
                step: call(b, at, "_&&_", vec![so_far, predicate])?,
                result: accu(b, at)?,
            }
        }
        "exists" => {
            let found = accu(b, at)?;
            let going = call(b, at, "!_", vec![found])?;
            let so_far = accu(b, at)?;
            Parts {
                fold: Fold::Exists,
                init: literal(b, at, Literal::Bool(false))?,
                condition: call(b, at, "@not_strictly_false", vec![going])?,
                step: call(b, at, "_||_", vec![so_far, predicate])?,
                result: accu(b, at)?,
            }
        }
        _ => {
            let one = literal(b, at, Literal::Int(1))?;
            let count = accu(b, at)?;
            let more = call(b, at, "_+_", vec![count, one])?;
            let same = accu(b, at)?;
            let total = accu(b, at)?;
            let one = literal(b, at, Literal::Int(1))?;
            Parts {
                fold: Fold::ExistsOne,
                init: literal(b, at, Literal::Int(0))?,
                condition: literal(b, at, Literal::Bool(true))?,
                step: call(b, at, "_?_:_", vec![predicate, more, same])?,
                result: call(b, at, "_==_", vec![total, one])?,
            }
        }
    };
    comprehension(b, at, range, variables, parts)
}

/// `map` with an optional predicate, `transformList`.
fn collect(b: &mut Builder, at: u32, range: Expr, args: Vec<Expr>, two: bool) -> Result<Expr> {
    let (variables, mut rest) = variables(args, two, if two { NO_NAME } else { NO_IDENTIFIER })?;
    let transform = pop(&mut rest, at)?;
    append(b, at, range, variables, rest.pop(), transform)
}

fn filter(b: &mut Builder, at: u32, range: Expr, args: Vec<Expr>) -> Result<Expr> {
    let (variables, mut rest) = variables(args, false, NO_IDENTIFIER)?;
    let predicate = pop(&mut rest, at)?;
    let element = b.node(at, Kind::Ident(variables.var.clone()))?;
    append(b, at, range, variables, Some(predicate), element)
}

fn append(b: &mut Builder, at: u32, range: Expr, v: Variables, filter: Option<Expr>, value: Expr) -> Result<Expr> {
    let one = b.node(at, Kind::List(vec![Element { value, optional: false }]))?;
    let list = accu(b, at)?;
    let step = call(b, at, "_+_", vec![list, one])?;
    let parts = Parts {
        fold: Fold::Collect,
        init: b.node(at, Kind::List(Vec::new()))?,
        condition: literal(b, at, Literal::Bool(true))?,
        step: guarded(b, at, filter, step)?,
        result: accu(b, at)?,
    };
    comprehension(b, at, range, v, parts)
}

fn transform_map(b: &mut Builder, at: u32, range: Expr, args: Vec<Expr>, keyed: bool) -> Result<Expr> {
    let (variables, mut rest) = variables(args, true, NO_NAME)?;
    let transform = pop(&mut rest, at)?;
    let mut insert = vec![accu(b, at)?];
    if keyed {
        insert.push(b.node(at, Kind::Ident(variables.var.clone()))?);
    }
    insert.push(transform);
    let step = call(b, at, "cel.@mapInsert", insert)?;
    let parts = Parts {
        fold: Fold::Insert,
        init: b.node(at, Kind::Map(Vec::new()))?,
        condition: literal(b, at, Literal::Bool(true))?,
        step: guarded(b, at, rest.pop(), step)?,
        result: accu(b, at)?,
    };
    comprehension(b, at, range, variables, parts)
}

fn guarded(b: &mut Builder, at: u32, filter: Option<Expr>, step: Expr) -> Result<Expr> {
    let Some(filter) = filter else { return Ok(step) };
    let unchanged = accu(b, at)?;
    call(b, at, "_?_:_", vec![filter, step, unchanged])
}

/// `target.optMap(v, body)`: the target is written twice, as upstream does, so that cost agrees.
fn optional_map(b: &mut Builder, at: u32, target: Expr, args: Vec<Expr>, flat: bool) -> Result<Expr> {
    let [var, body] = take(args)?;
    let Kind::Ident(name) = var.kind else {
        let function = if flat { "optFlatMap" } else { "optMap" };
        let message = format!("{function}() variable name must be a simple identifier");
        return Err(SyntaxError { message, offset: var.offset });
    };
    let copy = copy(b, &target)?;
    let present = member(b, at, "hasValue", target, Vec::new())?;
    let value = member(b, at, "value", copy, Vec::new())?;
    let mut mapped = bind(b, at, name, value, body)?;
    if !flat {
        mapped = call(b, at, "optional.of", vec![mapped])?;
    }
    let none = call(b, at, "optional.none", Vec::new())?;
    call(b, at, "_?_:_", vec![present, mapped, none])
}

/// The name that `sortBy` gives what it sorts.
pub(super) const SORT_INPUT: &str = "@__sortBy_input__";

fn sort_by(b: &mut Builder, at: u32, target: Expr, args: Vec<Expr>) -> Result<Expr> {
    if matches!(target.kind, Kind::Literal(_) | Kind::Map(_) | Kind::Struct { .. }) {
        let message = "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
        return Err(SyntaxError { message: message.to_owned(), offset: target.offset });
    }
    let elements = b.node(at, Kind::Ident(SORT_INPUT.to_owned()))?;
    let keys = collect(b, at, elements, args, false)?;
    let elements = b.node(at, Kind::Ident(SORT_INPUT.to_owned()))?;
    let sorted = member(b, at, "@sortByAssociatedKeys", elements, vec![keys])?;
    bind(b, at, SORT_INPUT.to_owned(), target, sorted)
}

/// A comprehension over nothing whose accumulator is the bound name.
fn bind(b: &mut Builder, at: u32, name: String, value: Expr, body: Expr) -> Result<Expr> {
    let fold = Comprehension {
        fold: Fold::Bind,
        range: b.node(at, Kind::List(Vec::new()))?,
        var: "#unused".to_owned(),
        var2: None,
        accumulator: name.clone(),
        init: value,
        condition: literal(b, at, Literal::Bool(false))?,
        step: b.node(at, Kind::Ident(name))?,
        result: body,
    };
    b.node(at, Kind::Comprehension(Box::new(fold)))
}

/// Splits the loop variables off the arguments of a macro.
/// Upstream's words for what is no name, which the older macros that make lists say otherwise.
const NO_NAME: &str = "argument must be a simple name";
const NO_IDENTIFIER: &str = "argument is not an identifier";

fn variables(args: Vec<Expr>, two: bool, otherwise: &str) -> Result<(Variables, Vec<Expr>)> {
    let mut args = args.into_iter();
    let var = variable(args.next(), otherwise)?;
    let var2 = if two { Some(variable(args.next(), otherwise)?) } else { None };
    if let Some((name, offset)) = &var2
        && *name == var.0
    {
        return Err(SyntaxError { message: format!("duplicate variable name: {name}"), offset: *offset });
    }
    Ok((Variables { var: var.0, var2: var2.map(|(name, _)| name) }, args.collect()))
}

fn variable(arg: Option<Expr>, otherwise: &str) -> Result<(String, u32)> {
    let offset = arg.as_ref().map_or(0, |expr| expr.offset);
    match arg.map(|expr| expr.kind) {
        Some(Kind::Ident(name)) if name == "__result__" => {
            Err(SyntaxError { message: "iteration variable overwrites accumulator variable".to_owned(), offset })
        }
        Some(Kind::Ident(name)) if !name.starts_with('.') => Ok((name, offset)),
        _ => Err(SyntaxError { message: otherwise.to_owned(), offset }),
    }
}

fn accu(b: &mut Builder, offset: u32) -> Result<Expr> {
    b.node(offset, Kind::Ident(ACCUMULATOR.to_owned()))
}

fn literal(b: &mut Builder, offset: u32, literal: Literal) -> Result<Expr> {
    b.node(offset, Kind::Literal(literal))
}

fn call(b: &mut Builder, offset: u32, function: &str, args: Vec<Expr>) -> Result<Expr> {
    b.node(offset, Kind::Call { function: function.to_owned(), target: None, args })
}

fn member(b: &mut Builder, offset: u32, function: &str, target: Expr, args: Vec<Expr>) -> Result<Expr> {
    b.node(offset, Kind::Call { function: function.to_owned(), target: Some(Box::new(target)), args })
}

fn pop(args: &mut Vec<Expr>, offset: u32) -> Result<Expr> {
    args.pop().ok_or_else(|| SyntaxError { message: "missing macro argument".to_owned(), offset })
}

fn take<const N: usize>(args: Vec<Expr>) -> Result<[Expr; N]> {
    args.try_into().map_err(|args: Vec<Expr>| SyntaxError {
        message: "wrong number of macro arguments".to_owned(),
        offset: args.first().map_or(0, |arg| arg.offset),
    })
}

/// The same tree with ids of its own; the copies count against the limit that nested copies would outgrow.
pub(in crate::cel) fn copy(b: &mut Builder, expr: &Expr) -> Result<Expr> {
    let kind = match &expr.kind {
        Kind::Literal(_) | Kind::Ident(_) => expr.kind.clone(),
        Kind::Select { operand, field, test } => {
            Kind::Select { operand: Box::new(copy(b, operand)?), field: field.clone(), test: *test }
        }
        Kind::Call { function, target, args } => Kind::Call {
            function: function.clone(),
            target: target.as_ref().map(|target| copy(b, target)).transpose()?.map(Box::new),
            args: args.iter().map(|arg| copy(b, arg)).collect::<Result<_>>()?,
        },
        Kind::List(elements) => Kind::List(
            elements
                .iter()
                .map(|e| Ok(Element { value: copy(b, &e.value)?, optional: e.optional }))
                .collect::<Result<_>>()?,
        ),
        Kind::Map(entries) => {
            let mut copies = entries.clone();
            for entry in &mut copies {
                entry.key = copy(b, &entry.key)?;
                entry.value = copy(b, &entry.value)?;
            }
            Kind::Map(copies)
        }
        Kind::Struct { type_name, fields } => {
            let mut copies = fields.clone();
            for field in &mut copies {
                field.value = copy(b, &field.value)?;
            }
            Kind::Struct { type_name: type_name.clone(), fields: copies }
        }
        Kind::Comprehension(fold) => {
            let mut copied = fold.clone();
            copied.range = copy(b, &fold.range)?;
            copied.init = copy(b, &fold.init)?;
            copied.condition = copy(b, &fold.condition)?;
            copied.step = copy(b, &fold.step)?;
            copied.result = copy(b, &fold.result)?;
            Kind::Comprehension(copied)
        }
    };
    b.node(expr.offset, kind)
}
