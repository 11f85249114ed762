//! What an expression comes to once a part of it is known: comparisons of constants, choices that are made, optionals
//! that have a value or none.
//!
//! Only what a replacement made known is simplified; what an author wrote stays as it was written.

use super::super::syntax::ast::{Expr, Fold, Kind, Literal};

/// A node, perhaps simpler than it was.
pub(super) struct Simplified {
    pub kind: Kind,
    /// Whether more may be known around it.
    pub known: bool,
}

impl Simplified {
    /// The node as it is.
    pub fn same(kind: Kind) -> Self {
        Self { kind, known: false }
    }

    fn to(kind: Kind) -> Self {
        Self { kind, known: true }
    }
}

/// Simplifies a node of which a part is known. `is_bool` says whether its type is known to be `bool`.
pub(super) fn simplified(kind: Kind, is_bool: bool) -> Simplified {
    let Kind::Call { function, target, args } = kind else { return Simplified::same(kind) };
    match (function.as_str(), target.as_deref(), args.as_slice()) {
        ("_==_" | "_!=_", None, [left, right]) if let Some(equal) = are_equal(left, right) => {
            Simplified::to(Kind::Literal(Literal::Bool(equal == (function == "_==_"))))
        }
        ("!_", None, [operand]) if let Some(value) = boolean(operand) => {
            Simplified::to(Kind::Literal(Literal::Bool(!value)))
        }
        ("_?_:_", None, [condition, yes, no]) if let Some(value) = boolean(condition) => {
            Simplified::to(if value { yes.kind.clone() } else { no.kind.clone() })
        }
        ("_||_" | "_&&_", None, _) => logical(function, args, is_bool),
        ("orValue", Some(optional), [otherwise]) if let Some(value) = optional_value(optional) => {
            Simplified::to(value.map_or_else(|| otherwise.kind.clone(), |value| value.kind.clone()))
        }
        ("hasValue", Some(optional), []) if let Some(value) = optional_value(optional) => {
            Simplified::to(Kind::Literal(Literal::Bool(value.is_some())))
        }
        _ => Simplified::same(Kind::Call { function, target, args }),
    }
}

/// Leaves out the terms that decide nothing; one that decides stands for all.
fn logical(function: String, args: Vec<Expr>, is_bool: bool) -> Simplified {
    let deciding = function == "_||_";
    if args.iter().any(|term| boolean(term) == Some(deciding)) {
        return Simplified::to(Kind::Literal(Literal::Bool(deciding)));
    }
    let (known, mut open): (Vec<_>, Vec<_>) = args.into_iter().partition(|term| boolean(term).is_some());
    match open.len() {
        0 => Simplified::to(Kind::Literal(Literal::Bool(!deciding))),
        1 if is_bool && open.iter().all(is_boolean_by_form) => open.pop().map_or_else(
            || Simplified::to(Kind::Literal(Literal::Bool(!deciding))),
            |only| Simplified::same(only.kind),
        ),
        1 => {
            // Left alone, a term of unknown type would no longer be a bool.
            open.extend(known.into_iter().take(1));
            Simplified::same(Kind::Call { function, target: None, args: open })
        }
        _ => Simplified::same(Kind::Call { function, target: None, args: open }),
    }
}

/// Whether an expression gives a bool whatever its parts are.
fn is_boolean_by_form(expr: &Expr) -> bool {
    const PREDICATES: [&str; 11] =
        ["_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in", "!_", "_&&_", "_||_", "hasValue"];
    match &expr.kind {
        Kind::Call { function, .. } => PREDICATES.contains(&function.as_str()),
        Kind::Select { test, .. } => *test,
        Kind::Comprehension(fold) => matches!(fold.fold, Fold::All | Fold::Exists | Fold::ExistsOne),
        _ => false,
    }
}

/// The value of a boolean constant.
pub(super) fn boolean(expr: &Expr) -> Option<bool> {
    match &expr.kind {
        Kind::Literal(Literal::Bool(value)) => Some(*value),
        _ => None,
    }
}

/// Whether two constants of one type are equal.
fn are_equal(left: &Expr, right: &Expr) -> Option<bool> {
    match (&left.kind, &right.kind) {
        (Kind::Literal(left), Kind::Literal(right)) => {
            let same_type = std::mem::discriminant(left) == std::mem::discriminant(right);
            same_type.then(|| left == right)
        }
        _ => None,
    }
}

/// What is in an optional that is written as such: `Some(None)` for `optional.none()`.
fn optional_value(expr: &Expr) -> Option<Option<&Expr>> {
    let Kind::Call { function, target: Some(target), args } = &expr.kind else { return None };
    let Kind::Ident(name) = &target.kind else { return None };
    match (name.as_str(), function.as_str(), args.as_slice()) {
        ("optional", "of", [value]) => Some(Some(value)),
        ("optional", "none", []) => Some(None),
        _ => None,
    }
}
