//! Kubernetes' CIDR library. `ip` of a prefix is in `shared`; `string` of one is the standard library's.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::json::Arena;

use super::ip;
use crate::cel::value::build;
use crate::cel::value::netip::{Prefix, is_v4_mapped, parse_prefix};
use crate::cel::value::quote::quoted;

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "cidr",
        overloads: &[overload_since(30, "string_to_cidr", "(string) -> net.CIDR")],
        eval: |arena, args| match args {
            [Value::String(text)] => build::opaque(arena, Opaque::Cidr(from_string(text)?)),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "containsCIDR",
        overloads: &[
            overload_since(30, "cidr_contains_cidr_string", "net.CIDR.(string) -> bool"),
            overload_since(30, "cidr_contains_cidr", "net.CIDR.(net.CIDR) -> bool"),
        ],
        eval: |_, args| match args {
            [Value::Opaque(Opaque::Cidr(prefix)), Value::Opaque(Opaque::Cidr(other))] => {
                Ok(Value::Bool(prefix.contains_prefix(other)))
            }
            [Value::Opaque(Opaque::Cidr(prefix)), Value::String(other)] => {
                Ok(Value::Bool(prefix.contains_prefix(&from_string(other)?)))
            }
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "containsIP",
        overloads: &[
            overload_since(30, "cidr_contains_ip_string", "net.CIDR.(string) -> bool"),
            overload_since(30, "cidr_contains_ip_ip", "net.CIDR.(net.IP) -> bool"),
        ],
        eval: |_, args| match args {
            [Value::Opaque(Opaque::Cidr(prefix)), Value::Opaque(Opaque::Ip(ip))] => {
                Ok(Value::Bool(prefix.contains(*ip)))
            }
            // Upstream loses the parser's message here.
            [Value::Opaque(Opaque::Cidr(prefix)), Value::String(text)] => match ip::parse(text) {
                Ok(ip) => Ok(Value::Bool(prefix.contains(ip))),
                Err(_) => Err(Error::no_such_overload()),
            },
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "isCIDR",
        overloads: &[overload_since(30, "is_cidr", "(string) -> bool")],
        eval: |_, args| match args {
            [Value::String(text)] => Ok(Value::Bool(parse(text).is_ok())),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "masked",
        overloads: &[overload_since(30, "cidr_masked", "net.CIDR.() -> net.CIDR")],
        eval: |arena, args| match args {
            [Value::Opaque(Opaque::Cidr(prefix))] => build::opaque(arena, Opaque::Cidr(prefix.masked())),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "prefixLength",
        overloads: &[overload_since(30, "cidr_prefix_length", "net.CIDR.() -> int")],
        eval: |_, args| match args {
            [Value::Opaque(Opaque::Cidr(prefix))] => Ok(Value::Int(prefix.bits.into())),
            _ => Err(Error::no_such_overload()),
        },
    },
];

/// `ip` of a prefix: its address as written.
pub fn address<'a>(arena: &'a Arena, prefix: &Prefix) -> Result<Value<'a>, Error> {
    build::opaque(arena, Opaque::Ip(prefix.ip))
}

fn from_string(text: &str) -> Result<Prefix, Error> {
    // The context is said twice upstream.
    parse(text)
        .map_err(|message| Error::new(format!("network address parse error during conversion from string: {message}")))
}

fn parse(text: &str) -> Result<Prefix, String> {
    let prefix = parse_prefix(text)
        .map_err(|error| format!("network address parse error during conversion from string: {error}"))?;
    if is_v4_mapped(prefix.ip) {
        return Err(format!("IPv4-mapped IPv6 address {} is not allowed", quoted(text)));
    }
    Ok(prefix)
}
