//! Kubernetes' IP address library. `ip` itself is in `shared`; `string` of an address is the standard library's.

use std::net::IpAddr;

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::json::Arena;

use crate::cel::value::build;
use crate::cel::value::netip::{is_v4_mapped, parse_address};
use crate::cel::value::quote::quoted;

/// The functions of this library.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "family",
        overloads: &[overload_since(30, "ip_family", "net.IP.() -> int")],
        eval: |_, args| Ok(Value::Int(if address(args)?.is_ipv4() { 4 } else { 6 })),
    },
    Function {
        name: "ip.isCanonical",
        overloads: &[overload_since(30, "ip_is_canonical", "(string) -> bool")],
        eval: |_, args| match args {
            [Value::String(text)] => Ok(Value::Bool(parse(text)?.to_string() == *text)),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "isGlobalUnicast",
        overloads: &[overload_since(30, "ip_is_global_unicast", "net.IP.() -> bool")],
        eval: |_, args| address(args).map(|ip| Value::Bool(is_global_unicast(ip))),
    },
    Function {
        name: "isIP",
        overloads: &[overload_since(30, "is_ip", "(string) -> bool")],
        eval: |_, args| match args {
            [Value::String(text)] => Ok(Value::Bool(parse(text).is_ok())),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "isLinkLocalMulticast",
        overloads: &[overload_since(30, "ip_is_link_local_multicast", "net.IP.() -> bool")],
        eval: |_, args| {
            Ok(Value::Bool(match address(args)? {
                IpAddr::V4(v4) => matches!(v4.octets(), [224, 0, 0, _]),
                IpAddr::V6(v6) => v6.segments().first().is_some_and(|first| first & 0xff0f == 0xff02),
            }))
        },
    },
    Function {
        name: "isLinkLocalUnicast",
        overloads: &[overload_since(30, "ip_is_link_local_unicast", "net.IP.() -> bool")],
        eval: |_, args| address(args).map(|ip| Value::Bool(is_link_local_unicast(ip))),
    },
    Function {
        name: "isLoopback",
        overloads: &[overload_since(30, "ip_is_loopback", "net.IP.() -> bool")],
        eval: |_, args| Ok(Value::Bool(address(args)?.is_loopback())),
    },
    Function {
        name: "isUnspecified",
        overloads: &[overload_since(30, "ip_is_unspecified", "net.IP.() -> bool")],
        eval: |_, args| Ok(Value::Bool(address(args)?.is_unspecified())),
    },
];

/// `ip(text)`.
pub fn from_string<'a>(arena: &'a Arena, text: &str) -> Result<Value<'a>, Error> {
    build::opaque(arena, Opaque::Ip(parse(text)?))
}

/// An address as the library accepts it: no zone, no IPv4 written in IPv6.
pub fn parse(text: &str) -> Result<IpAddr, Error> {
    let address = parse_address(text).map_err(|error| {
        Error::new(format!("IP Address {} parse error during conversion from string: {error}", quoted(text)))
    })?;
    if !address.zone.is_empty() {
        return Err(Error::new(format!("IP address {} with zone value is not allowed", quoted(text))));
    }
    if is_v4_mapped(address.ip) {
        return Err(Error::new(format!("IPv4-mapped IPv6 address {} is not allowed", quoted(text))));
    }
    Ok(address.ip)
}

fn address(args: &[Value<'_>]) -> Result<IpAddr, Error> {
    match args {
        [Value::Opaque(Opaque::Ip(ip))] => Ok(*ip),
        _ => Err(Error::no_such_overload()),
    }
}

fn is_link_local_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// Go's notion: private addresses are global unicast too.
fn is_global_unicast(ip: IpAddr) -> bool {
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !broadcast && !ip.is_unspecified() && !ip.is_loopback() && !ip.is_multicast() && !is_link_local_unicast(ip)
}
