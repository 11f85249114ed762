//! Values of Kubernetes' own CEL types.

use std::fmt;
use std::net::IpAddr;

use super::format_rules::NamedFormat;
use super::netip::Prefix;
use super::quantity::Quantity;
use super::semver::Version;
use super::url::Url;
use crate::cel::authorization::Authorization;

/// A value of one of Kubernetes' own types. What makes two equal is the library's that makes them.
#[derive(Clone, Debug, PartialEq)]
pub enum Opaque<'a> {
    /// `kubernetes.Quantity`
    Quantity(Quantity<'a>),
    /// `net.IP`
    Ip(IpAddr),
    /// `net.CIDR`
    Cidr(Prefix),
    /// `kubernetes.Semver`
    Semver(Version<'a>),
    /// `kubernetes.URL`
    Url(Url<'a>),
    /// `kubernetes.NamedFormat`
    Format(&'static NamedFormat),
    /// The types of `kubernetes.authorization`
    Authorization(Authorization<'a>),
    /// An error in the place of a value, which fails whatever reads it; see `native`.
    Failed(&'a str),
}

impl<'a> Opaque<'a> {
    /// The CEL name of the type, for example `kubernetes.Quantity`.
    pub fn type_name(&self) -> &'a str {
        match self {
            Opaque::Quantity(_) => "kubernetes.Quantity",
            Opaque::Ip(_) => "net.IP",
            Opaque::Cidr(_) => "net.CIDR",
            Opaque::Semver(_) => "kubernetes.Semver",
            Opaque::Url(_) => "kubernetes.URL",
            Opaque::Format(_) => "kubernetes.NamedFormat",
            Opaque::Authorization(authorization) => authorization.type_name(),
            Opaque::Failed(_) => "error",
        }
    }

    /// The size that cost goes by: the bytes of an address, the bytes that a prefix covers, 1 for all others.
    pub fn size(&self) -> u64 {
        match self {
            Opaque::Ip(ip) => {
                if ip.is_ipv4() {
                    4
                } else {
                    16
                }
            }
            Opaque::Cidr(prefix) => u64::from(prefix.bits).div_ceil(8),
            _ => 1,
        }
    }

    /// The length of a named format's regular expression, for cost; 1 for all other types.
    pub fn regex_size(&self) -> u64 {
        match self {
            Opaque::Format(format) => format.regex_size,
            _ => 1,
        }
    }
}

impl fmt::Display for Opaque<'_> {
    /// The text form; for an address and a prefix it is what CEL's `string()` gives.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Opaque::Quantity(quantity) => quantity.fmt(f),
            Opaque::Ip(ip) => ip.fmt(f),
            Opaque::Cidr(prefix) => write!(f, "{}/{}", prefix.ip, prefix.bits),
            Opaque::Semver(version) => version.fmt(f),
            Opaque::Url(url) => f.write_str(url.text()),
            Opaque::Format(format) => f.write_str(format.name),
            Opaque::Authorization(authorization) => f.write_str(authorization.type_name()),
            Opaque::Failed(message) => f.write_str(message),
        }
    }
}
