//! Nodes for values that are known when an expression is rewritten.

use super::super::syntax::ast::{Element, Entry, Expr, Kind, Literal};
use super::super::syntax::builder::{Builder, SyntaxError};
use crate::json::Value;

/// The literal that a value is written as.
pub(super) fn literal(builder: &mut Builder, at: u32, value: Value<'_>) -> Result<Expr, SyntaxError> {
    let kind = match value {
        Value::Null => Kind::Literal(Literal::Null),
        Value::Bool(value) => Kind::Literal(Literal::Bool(value)),
        Value::Int(value) => Kind::Literal(Literal::Int(value)),
        Value::Float(value) => Kind::Literal(Literal::Double(value)),
        Value::String(text) => Kind::Literal(Literal::String(text.to_owned())),
        Value::Array(elements) => {
            let element = |value: &Value<'_>| Ok(Element { value: literal(builder, at, *value)?, optional: false });
            Kind::List(elements.iter().map(element).collect::<Result<_, SyntaxError>>()?)
        }
        Value::Object(object) => {
            let mut entries = Vec::new();
            for (key, value) in object.members() {
                let key = literal(builder, at, Value::String(key))?;
                entries.push(Entry { key, value: literal(builder, at, *value)?, optional: false });
            }
            Kind::Map(entries)
        }
    };
    builder.node(at, kind)
}

/// `optional.of(value)` or `optional.none()`.
pub(super) fn optional(builder: &mut Builder, function: &str, args: Vec<Expr>) -> Result<Kind, SyntaxError> {
    let at = args.first().map_or(0, |arg| arg.offset);
    let target = builder.node(at, Kind::Ident("optional".to_owned()))?;
    Ok(Kind::Call { function: function.to_owned(), target: Some(Box::new(target)), args })
}
