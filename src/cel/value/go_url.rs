//! URLs as Go's `net/url` reads them, as far as CEL shows: its acceptance, its accessors, its messages.

use std::fmt::Write;

use super::netip;
use super::quote::quoted;

/// How many query parameters Go reads before it gives up.
const MAX_QUERY_PARAMETERS: usize = 10_000;

/// The parts of a URL that CEL can ask for; the text is the normal form, which decides equality.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `url.URL.String()`
    pub text: String,
    /// The scheme in lower case.
    pub scheme: String,
    /// Host and port, unescaped.
    pub host: String,
    /// The path, escaped.
    pub escaped_path: String,
    /// The query without its question mark, as written.
    pub raw_query: String,
}

/// `url.ParseRequestURI`: whether a text is an absolute URL or an absolute path.
///
/// # Errors
/// Go's message.
pub fn check_request_uri(text: &str) -> Result<(), String> {
    parse(text, true).map(|_| ()).map_err(|error| failed(text, &error))
}

/// `url.ParseRequestURI`, then `url.Parse` for the fragment.
///
/// # Errors
/// Go's message.
pub fn parse_url(text: &str) -> Result<Parts, String> {
    check_request_uri(text)?;
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let mut parts = parse(before, false).map_err(|error| failed(before, &error))?;
    if !fragment.is_empty() {
        let escaped = escaped_form(fragment, Mode::Fragment).map_err(|error| failed(text, &error))?;
        parts.text.push('#');
        parts.text.push_str(&escaped);
    }
    Ok(parts)
}

/// `url.URL.Query`: keys and values in order; what can't be read is left out.
pub fn query(raw: &str) -> Vec<(String, String)> {
    if raw.bytes().filter(|b| *b == b'&').count() >= MAX_QUERY_PARAMETERS {
        return Vec::new();
    }
    raw.split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(key, Mode::Query).ok()?, unescape(value, Mode::Query).ok()?))
        })
        .collect()
}

/// Host and port of what is between slashes, as `url.URL.Hostname` and `url.URL.Port`.
pub fn split_host_port(host: &str) -> (&str, &str) {
    let (name, port) = match host.rfind(':').map(|colon| host.split_at(colon)) {
        Some((name, port)) if is_optional_port(port) => (name, port.get(1..).unwrap_or_default()),
        _ => (host, ""),
    };
    (name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name), port)
}

/// Where text is unescaped or escaped; each place has its own reserved characters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Path,
    Host,
    Zone,
    UserPassword,
    Query,
    Fragment,
}

impl Mode {
    /// Whether a byte stands for itself here.
    fn allows(self, byte: u8) -> bool {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            return true;
        }
        let others: &[u8] = match self {
            Mode::Path => b"$&+,/:;=@",
            Mode::Host | Mode::Zone => b"!\"$&'()*+,:;<=>[]",
            Mode::UserPassword => b"$&+,;=",
            Mode::Query => b"",
            Mode::Fragment => b"!$&()*+,/:;=?@",
        };
        others.contains(&byte)
    }
}

fn failed(text: &str, error: &str) -> String {
    format!("parse {}: {error}", quoted(text))
}

fn parse(text: &str, request: bool) -> Result<Parts, String> {
    if text.bytes().any(|b| b.is_ascii_control()) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    if text.is_empty() && request {
        return Err("empty url".to_owned());
    }
    let mut parts = Parts {
        text: String::new(),
        scheme: String::new(),
        host: String::new(),
        escaped_path: String::new(),
        raw_query: String::new(),
    };
    if text == "*" {
        parts.escaped_path.push('*');
        parts.text.push('*');
        return Ok(parts);
    }
    let (scheme, rest) = split_scheme(text)?;
    parts.scheme = scheme.to_ascii_lowercase();
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    parts.raw_query = query.unwrap_or_default().to_owned();
    if !parts.scheme.is_empty() {
        parts.text = format!("{}:", parts.scheme);
    }
    let query = |text: &mut String| {
        if let Some(query) = query {
            text.push('?');
            text.push_str(query);
        }
    };
    if !rest.starts_with('/') {
        if !parts.scheme.is_empty() {
            // Opaque: `mailto:…`
            parts.text.push_str(rest);
            query(&mut parts.text);
            return Ok(parts);
        }
        if request {
            return Err("invalid URI for request".to_owned());
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut path = rest;
    let mut user = None;
    let mut has_authority = false;
    let may_have_authority = !parts.scheme.is_empty() || (!request && !rest.starts_with("///"));
    if may_have_authority && let Some(after) = rest.strip_prefix("//") {
        has_authority = true;
        let (authority, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
        path = rest;
        (user, parts.host) = parse_authority(&parts.scheme, authority)?;
    }
    parts.escaped_path = escaped_form(path, Mode::Path)?;
    write_hierarchy(&mut parts, has_authority, user.as_deref());
    query(&mut parts.text);
    Ok(parts)
}

/// Adds authority and path to the text, as `url.URL.String` does.
fn write_hierarchy(parts: &mut Parts, has_authority: bool, user: Option<&str>) {
    let Parts { text, scheme, host, escaped_path, .. } = parts;
    let omit_host = !scheme.is_empty() && !has_authority && escaped_path.starts_with('/');
    let is_absolute = !scheme.is_empty() || !host.is_empty() || user.is_some();
    if is_absolute && !(omit_host && host.is_empty() && user.is_none()) {
        if !host.is_empty() || !escaped_path.is_empty() || user.is_some() {
            text.push_str("//");
        }
        if let Some(user) = user {
            text.push_str(user);
            text.push('@');
        }
        text.push_str(&escape(host.as_bytes(), Mode::Host));
    }
    if !escaped_path.is_empty() && !escaped_path.starts_with('/') && !host.is_empty() {
        text.push('/');
    }
    text.push_str(escaped_path);
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (i, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if i > 0 => {}
            b':' if i == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok((text.get(..i).unwrap_or_default(), text.get(i + 1..).unwrap_or_default())),
            _ => break,
        }
    }
    Ok(("", text))
}

/// User information in its normal form, and the host.
fn parse_authority(scheme: &str, authority: &str) -> Result<(Option<String>, String), String> {
    let Some((user, host)) = authority.rsplit_once('@') else {
        return Ok((None, parse_host(scheme, authority)?));
    };
    let host = parse_host(scheme, host)?;
    let is_valid = |b: u8| b.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&b);
    if !user.bytes().all(is_valid) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let normal = |part| unescape_bytes(part, Mode::UserPassword).map(|bytes| escape(&bytes, Mode::UserPassword));
    let user = match user.split_once(':') {
        None => normal(user)?,
        Some((name, password)) => format!("{}:{}", normal(name)?, normal(password)?),
    };
    Ok((Some(user), host))
}

fn parse_host(scheme: &str, host: &str) -> Result<String, String> {
    let check_port = |port: &str| {
        if is_optional_port(port) { Ok(()) } else { Err(format!("invalid port {} after host", quoted(port))) }
    };
    match host.rfind('[') {
        Some(0) => {
            let (literal, port) = host.rsplit_once(']').ok_or("missing ']' in host")?;
            check_port(port)?;
            let name = literal.get(1..).unwrap_or_default();
            let (address, zone) = name.split_at(name.find("%25").unwrap_or(name.len()));
            let name = unescape(address, Mode::Host)? + &unescape(zone, Mode::Zone)?;
            let parsed = netip::parse_address(&name).map_err(|error| format!("invalid host: {error}"))?;
            if parsed.ip.is_ipv4() {
                return Err("invalid IP-literal".to_owned());
            }
            return Ok(format!("[{name}]{port}"));
        }
        Some(_) => return Err("invalid IP-literal".to_owned()),
        None => {}
    }
    if let (Some(first), Some(last)) = (host.find(':'), host.rfind(':')) {
        let colon = if matches!(scheme, "http" | "https") { first } else { last };
        check_port(host.get(colon..).unwrap_or_default())?;
    }
    unescape(host, Mode::Host)
}

fn is_optional_port(port: &str) -> bool {
    port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

/// A path or fragment in the form that Go prints: as written where that is a valid encoding.
fn escaped_form(text: &str, mode: Mode) -> Result<String, String> {
    let unescaped = unescape_bytes(text, mode)?;
    let is_valid = |b: u8| b"!$&'()*+,;=:@[]%".contains(&b) || mode.allows(b);
    Ok(if text.bytes().all(is_valid) { text.to_owned() } else { escape(&unescaped, mode) })
}

/// Unescapes; bytes that are no UTF-8 become replacement characters, since CEL has no other text.
fn unescape(text: &str, mode: Mode) -> Result<String, String> {
    unescape_bytes(text, mode).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn unescape_bytes(text: &str, mode: Mode) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let refuse = |sequence: &[u8]| {
                    Err(format!("invalid URL escape {}", quoted(&format!("%{}", String::from_utf8_lossy(sequence)))))
                };
                let Some((sequence @ [high, low], after)) = after.split_first_chunk::<2>() else {
                    return refuse(after);
                };
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return refuse(sequence) };
                let byte = high << 4 | low;
                let is_percent = sequence == b"25";
                if mode == Mode::Host && byte < 0x80 && !is_percent {
                    return refuse(sequence);
                }
                if mode == Mode::Zone && !is_percent && byte != b' ' && !Mode::Host.allows(byte) {
                    return refuse(sequence);
                }
                bytes.push(byte);
                rest = after;
            }
            b'+' if mode == Mode::Query => bytes.push(b' '),
            byte => {
                if matches!(mode, Mode::Host | Mode::Zone) && byte.is_ascii() && !mode.allows(*byte) {
                    return Err(format!("invalid character {} in host name", quoted(&char::from(*byte).to_string())));
                }
                bytes.push(*byte);
            }
        }
    }
    Ok(bytes)
}

fn escape(bytes: &[u8], mode: Mode) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if mode.allows(*byte) {
            text.push(char::from(*byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
