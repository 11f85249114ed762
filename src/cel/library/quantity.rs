//! Kubernetes' quantity library. Comparisons are in `shared`.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::json::Arena;

use crate::cel::value::build;
use crate::cel::value::quantity::{ParseError, Quantity};

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "add",
        overloads: &[
            overload_since(28, "quantity_add", "kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity"),
            overload_since(28, "quantity_add_int", "kubernetes.Quantity.(int) -> kubernetes.Quantity"),
        ],
        eval: |arena, args| {
            let (a, b) = operands(args)?;
            value(arena, a.add(arena, &b)?)
        },
    },
    Function {
        name: "asApproximateFloat",
        overloads: &[overload_since(28, "quantity_get_float", "kubernetes.Quantity.() -> double")],
        eval: |_, args| Ok(Value::Double(quantity(args)?.approximate())),
    },
    Function {
        name: "asInteger",
        overloads: &[overload_since(28, "quantity_get_int", "kubernetes.Quantity.() -> int")],
        eval: |_, args| match quantity(args)?.as_i64() {
            Some(integer) => Ok(Value::Int(integer)),
            None => Err(Error::new("cannot convert value to integer")),
        },
    },
    Function {
        name: "isInteger",
        overloads: &[overload_since(28, "quantity_is_integer", "kubernetes.Quantity.() -> bool")],
        eval: |_, args| Ok(Value::Bool(quantity(args)?.as_i64().is_some())),
    },
    Function {
        name: "isQuantity",
        overloads: &[overload_since(28, "is_quantity_string", "(string) -> bool")],
        eval: |arena, args| match args {
            // What is too long to compute with is a quantity all the same.
            [Value::String(text)] => {
                Ok(Value::Bool(matches!(Quantity::parse(arena, text), Ok(_) | Err(ParseError::TooLong))))
            }
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "quantity",
        overloads: &[overload_since(28, "string_to_quantity", "(string) -> kubernetes.Quantity")],
        eval: |arena, args| match args {
            [Value::String(text)] => {
                build::reserve(arena, text.len())?;
                value(arena, Quantity::parse(arena, text).map_err(|error| Error::new(error.to_string()))?)
            }
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "sign",
        overloads: &[overload_since(28, "quantity_sign", "(kubernetes.Quantity) -> int")],
        eval: |_, args| Ok(Value::Int(quantity(args)?.sign())),
    },
    Function {
        name: "sub",
        overloads: &[
            overload_since(28, "quantity_sub", "kubernetes.Quantity.(kubernetes.Quantity) -> kubernetes.Quantity"),
            overload_since(28, "quantity_sub_int", "kubernetes.Quantity.(int) -> kubernetes.Quantity"),
        ],
        eval: |arena, args| {
            let (a, b) = operands(args)?;
            value(arena, a.sub(arena, &b)?)
        },
    },
];

fn value<'a>(arena: &'a Arena, quantity: Quantity<'a>) -> Result<Value<'a>, Error> {
    build::opaque(arena, Opaque::Quantity(quantity))
}

fn quantity<'a>(args: &[Value<'a>]) -> Result<Quantity<'a>, Error> {
    match args {
        [Value::Opaque(Opaque::Quantity(quantity))] => Ok(*quantity),
        _ => Err(Error::no_such_overload()),
    }
}

fn operands<'a>(args: &[Value<'a>]) -> Result<(Quantity<'a>, Quantity<'a>), Error> {
    match args {
        [Value::Opaque(Opaque::Quantity(a)), Value::Opaque(Opaque::Quantity(b))] => Ok((*a, *b)),
        [Value::Opaque(Opaque::Quantity(a)), Value::Int(b)] => Ok((*a, Quantity::integer(*b))),
        _ => Err(Error::no_such_overload()),
    }
}
