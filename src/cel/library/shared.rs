//! The functions whose overloads come from several libraries.

use crate::cel::function::{Error, Function, overload, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::cel::value::semver;
use crate::json::Arena;

use super::{cidr, ip, lists, strings};

/// The functions that more than one library extends.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "indexOf",
        overloads: &[
            // In upstream's order: the first decides for a receiver of unknown type.
            overload("list_a_index_of_int", "list<A>.(A) -> int"),
            overload("string_index_of_string", "string.(string) -> int"),
            overload("string_index_of_string_int", "string.(string, int) -> int"),
        ],
        eval: index_of,
    },
    Function {
        name: "lastIndexOf",
        overloads: &[
            // In upstream's order: the first decides for a receiver of unknown type.
            overload("list_a_last_index_of_int", "list<A>.(A) -> int"),
            overload("string_last_index_of_string", "string.(string) -> int"),
            overload("string_last_index_of_string_int", "string.(string, int) -> int"),
        ],
        eval: last_index_of,
    },
    Function {
        name: "isGreaterThan",
        overloads: &[
            overload_since(28, "quantity_is_greater_than", "kubernetes.Quantity.(kubernetes.Quantity) -> bool"),
            overload_since(33, "semver_is_greater_than", "kubernetes.Semver.(kubernetes.Semver) -> bool"),
        ],
        eval: |_, args| Ok(Value::Bool(compare(args)? > 0)),
    },
    Function {
        name: "isLessThan",
        overloads: &[
            overload_since(28, "quantity_is_less_than", "kubernetes.Quantity.(kubernetes.Quantity) -> bool"),
            overload_since(33, "semver_is_less_than", "kubernetes.Semver.(kubernetes.Semver) -> bool"),
        ],
        eval: |_, args| Ok(Value::Bool(compare(args)? < 0)),
    },
    Function {
        name: "compareTo",
        overloads: &[
            overload_since(28, "quantity_compare_to", "kubernetes.Quantity.(kubernetes.Quantity) -> int"),
            overload_since(33, "semver_compare_to", "kubernetes.Semver.(kubernetes.Semver) -> int"),
        ],
        eval: |_, args| Ok(Value::Int(compare(args)?)),
    },
    Function {
        name: "ip",
        overloads: &[
            overload_since(30, "string_to_ip", "(string) -> net.IP"),
            overload_since(30, "cidr_ip", "net.CIDR.() -> net.IP"),
        ],
        eval: ip,
    },
];

fn index_of<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    Ok(Value::Int(match args {
        [Value::String(text), Value::String(part)] => strings::index_of(text, part, 0)?,
        [Value::String(text), Value::String(part), Value::Int(offset)] => strings::index_of(text, part, *offset)?,
        [Value::List(list), item] => lists::index_of(*list, item),
        _ => return Err(Error::no_such_overload()),
    }))
}

fn last_index_of<'a>(_arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    Ok(Value::Int(match args {
        [Value::String(text), Value::String(part)] => strings::last_index_of(text, part),
        [Value::String(text), Value::String(part), Value::Int(offset)] => {
            strings::last_index_of_before(text, part, *offset)?
        }
        [Value::List(list), item] => lists::last_index_of(*list, item),
        _ => return Err(Error::no_such_overload()),
    }))
}

/// -1, 0 or 1.
fn compare(args: &[Value<'_>]) -> Result<i64, Error> {
    let [Value::Opaque(a), Value::Opaque(b)] = args else { return Err(Error::no_such_overload()) };
    Ok(match (a, b) {
        (Opaque::Quantity(a), Opaque::Quantity(b)) => a.cmp(b),
        (Opaque::Semver(a), Opaque::Semver(b)) => semver::compare(a, b),
        _ => return Err(Error::no_such_overload()),
    } as i64)
}

fn ip<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match args {
        [Value::String(text)] => ip::from_string(arena, text),
        [Value::Opaque(Opaque::Cidr(prefix))] => cidr::address(arena, prefix),
        _ => Err(Error::no_such_overload()),
    }
}
