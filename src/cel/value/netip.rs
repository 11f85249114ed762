//! IP addresses and network prefixes as Go's `net/netip` reads them: strict, and with its messages.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::quote::quoted;

/// An address and the zone that was written with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'t> {
    /// The address; an IPv4-mapped one stays IPv6.
    pub ip: IpAddr,
    /// The zone, or nothing.
    pub zone: &'t str,
}

/// A network prefix; the address may have bits beyond the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address as written.
    pub ip: IpAddr,
    /// The length of the prefix in bits.
    pub bits: u8,
}

/// `netip.ParseAddr`.
///
/// # Errors
/// Go's message.
pub fn parse_address(text: &str) -> Result<Address<'_>, String> {
    let parsed = match text.bytes().find(|b| matches!(b, b'.' | b':' | b'%')) {
        Some(b'.') => parse_v4(text).map(|ip| Address { ip: IpAddr::V4(ip), zone: "" }),
        Some(b':') => parse_v6(text),
        Some(_) => Err(Fault::new("missing IPv6 address")),
        None => Err(Fault::new("unable to parse IP")),
    };
    parsed.map_err(|fault| match fault.at {
        Some(at) if !at.is_empty() => format!("ParseAddr({}): {} (at {})", quoted(text), fault.message, quoted(at)),
        _ => format!("ParseAddr({}): {}", quoted(text), fault.message),
    })
}

/// `netip.ParsePrefix`.
///
/// # Errors
/// Go's message.
pub fn parse_prefix(text: &str) -> Result<Prefix, String> {
    let refuse = |message: String| Err(format!("netip.ParsePrefix({}): {message}", quoted(text)));
    let Some((address, bits)) = text.rsplit_once('/') else { return refuse("no '/'".to_owned()) };
    let address = match parse_address(address) {
        Ok(address) => address,
        Err(message) => return refuse(message),
    };
    if !address.zone.is_empty() {
        return refuse("IPv6 zones cannot be present in a prefix".to_owned());
    }
    // No sign and no leading zero.
    let plain = bits.len() <= 1 || matches!(bits.as_bytes().first(), Some(b'1'..=b'9'));
    if !plain || bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) || bits.parse::<i64>().is_err() {
        return refuse(format!("bad bits after slash: {}", quoted(bits)));
    }
    let max = if address.ip.is_ipv4() { 32 } else { 128 };
    match bits.parse::<u8>() {
        Ok(bits) if bits <= max => Ok(Prefix { ip: address.ip, bits }),
        _ => refuse("prefix length out of range".to_owned()),
    }
}

/// Whether the address is IPv4 written in IPv6.
pub fn is_v4_mapped(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some())
}

impl Prefix {
    /// Whether the address is within the prefix; never across families.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.masked().ip == Prefix { ip, bits: self.bits }.masked().ip && self.ip.is_ipv4() == ip.is_ipv4()
    }

    /// Whether every address of `other` is within this prefix.
    pub fn contains_prefix(&self, other: &Prefix) -> bool {
        self.bits <= other.bits && self.contains(other.ip)
    }

    /// The prefix without the bits beyond its length.
    pub fn masked(&self) -> Self {
        let ip = match self.ip {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32u32.saturating_sub(self.bits.into())).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128u32.saturating_sub(self.bits.into())).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
            }
        };
        Self { ip, bits: self.bits }
    }
}

/// What is wrong, and the rest of the text from there.
struct Fault<'t> {
    message: &'static str,
    at: Option<&'t str>,
}

impl<'t> Fault<'t> {
    fn new(message: &'static str) -> Self {
        Self { message, at: None }
    }

    fn at(message: &'static str, rest: &'t str) -> Self {
        Self { message, at: Some(rest) }
    }
}

fn parse_v4(text: &str) -> Result<Ipv4Addr, Fault<'_>> {
    let bytes = text.as_bytes();
    let mut fields = [0u8; 4];
    let (mut field, mut value, mut digits) = (0usize, 0u32, 0u32);
    for (i, byte) in bytes.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits == 1 && value == 0 {
                    return Err(Fault::new("IPv4 field has octet with leading zero"));
                }
                value = value * 10 + u32::from(byte - b'0');
                digits += 1;
                if value > 255 {
                    return Err(Fault::new("IPv4 field has value >255"));
                }
            }
            b'.' => {
                let after_dot = i.checked_sub(1).is_none_or(|before| bytes.get(before) == Some(&b'.'));
                if after_dot || i + 1 == bytes.len() {
                    return Err(Fault::at("IPv4 field must have at least one digit", from(text, i)));
                }
                if field == 3 {
                    return Err(Fault::new("IPv4 address too long"));
                }
                store(&mut fields, field, value);
                (field, value, digits) = (field + 1, 0, 0);
            }
            _ => return Err(Fault::at("unexpected character", from(text, i))),
        }
    }
    if field < 3 {
        return Err(Fault::new("IPv4 address too short"));
    }
    store(&mut fields, 3, value);
    Ok(Ipv4Addr::from(fields))
}

fn store(fields: &mut [u8; 4], index: usize, value: u32) {
    if let (Some(field), Ok(value)) = (fields.get_mut(index), u8::try_from(value)) {
        *field = value;
    }
}

fn from(text: &str, index: usize) -> &str {
    text.get(index..).unwrap_or_default()
}

fn parse_v6(text: &str) -> Result<Address<'_>, Fault<'_>> {
    let (address, zone) = match text.split_once('%') {
        Some((_, "")) => return Err(Fault::new("zone must be a non-empty string")),
        Some((address, zone)) => (address, zone),
        None => (text, ""),
    };
    let mut groups: Vec<u16> = Vec::with_capacity(8);
    let mut ellipsis = None;
    let mut rest = address;
    if let Some(after) = rest.strip_prefix("::") {
        ellipsis = Some(0);
        rest = after;
        if rest.is_empty() {
            return Ok(Address { ip: IpAddr::V6(Ipv6Addr::UNSPECIFIED), zone });
        }
    }
    while groups.len() < 8 {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 4 {
            return Err(Fault::at("each group must have 4 or less digits", rest));
        }
        if digits == 0 {
            return Err(Fault::at("each colon-separated field must have at least one digit", rest));
        }
        let (group, after) = rest.split_at(digits);
        if after.starts_with('.') {
            if ellipsis.is_none() && groups.len() != 6 {
                let message = "embedded IPv4 address must replace the final 2 fields of the address";
                return Err(Fault::at(message, rest));
            }
            if groups.len() > 6 {
                let message = "too many hex fields to fit an embedded IPv4 at the end of the address";
                return Err(Fault::at(message, rest));
            }
            let [a, b, c, d] = parse_v4(rest)?.octets();
            groups.extend([u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])]);
            rest = "";
            break;
        }
        groups.push(u16::from_str_radix(group, 16).unwrap_or(0));
        rest = after;
        if rest.is_empty() {
            break;
        }
        let Some(after) = rest.strip_prefix(':') else {
            return Err(Fault::at("unexpected character, want colon", rest));
        };
        if after.is_empty() {
            return Err(Fault::at("colon must be followed by more characters", rest));
        }
        rest = after;
        if let Some(after) = rest.strip_prefix(':') {
            if ellipsis.is_some() {
                return Err(Fault::at("multiple :: in address", rest));
            }
            ellipsis = Some(groups.len());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
    }
    if !rest.is_empty() {
        return Err(Fault::at("trailing garbage after address", rest));
    }
    match ellipsis {
        None if groups.len() < 8 => return Err(Fault::new("address string too short")),
        Some(_) if groups.len() == 8 => {
            return Err(Fault::new("the :: must expand to at least one field of zeros"));
        }
        Some(at) => {
            let zeros = 8usize.saturating_sub(groups.len());
            groups.splice(at..at, std::iter::repeat_n(0, zeros));
        }
        None => {}
    }
    let bits = groups.iter().fold(0u128, |bits, group| bits << 16 | u128::from(*group));
    Ok(Address { ip: IpAddr::V6(Ipv6Addr::from(bits)), zone })
}
