//! What the named formats accept, with the messages of apimachinery and kube-openapi.

use super::go_url;

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const NAME: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

/// A named format.
#[derive(Debug)]
pub struct NamedFormat {
    /// The name by which `format.named` finds it.
    pub key: &'static str,
    /// The name that makes two formats equal.
    pub name: &'static str,
    /// The length of its regular expression, for cost.
    pub regex_size: u64,
    /// The reasons why a text does not have it.
    pub check: fn(&str) -> Vec<String>,
}

impl PartialEq for NamedFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// All formats.
pub const FORMATS: &[NamedFormat] = &[
    NamedFormat { key: "dns1123Label", name: "DNS1123Label", regex_size: 30, check: |text| label(text.as_bytes()) },
    NamedFormat {
        key: "dns1123Subdomain",
        name: "DNS1123Subdomain",
        regex_size: 60,
        check: |text| subdomain(text.as_bytes(), "characters"),
    },
    NamedFormat {
        key: "dns1035Label",
        name: "DNS1035Label",
        regex_size: 30,
        check: |text| label_1035(text.as_bytes()),
    },
    NamedFormat { key: "qualifiedName", name: "QualifiedName", regex_size: 60, check: qualified_name },
    NamedFormat {
        key: "dns1123LabelPrefix",
        name: "DNS1123LabelPrefix",
        regex_size: 30,
        check: |text| label(&without_trailing_dash(text)),
    },
    NamedFormat {
        key: "dns1123SubdomainPrefix",
        name: "DNS1123SubdomainPrefix",
        regex_size: 60,
        check: |text| subdomain(&without_trailing_dash(text), "characters"),
    },
    NamedFormat {
        key: "dns1035LabelPrefix",
        name: "DNS1035LabelPrefix",
        regex_size: 30,
        check: |text| label_1035(&without_trailing_dash(text)),
    },
    NamedFormat { key: "labelValue", name: "LabelValue", regex_size: 40, check: label_value },
    NamedFormat {
        key: "uri",
        name: "URI",
        regex_size: 1103,
        check: |text| go_url::check_request_uri(text).err().into_iter().collect(),
    },
    NamedFormat {
        key: "uuid",
        name: "uuid",
        regex_size: 70,
        check: |text| unless(is_uuid(text), "does not match the UUID format"),
    },
    NamedFormat { key: "byte", name: "byte", regex_size: 84, check: |text| unless(is_base64(text), "invalid base64") },
    NamedFormat { key: "date", name: "date", regex_size: 71, check: |text| unless(is_date(text), "invalid date") },
    NamedFormat {
        key: "datetime",
        name: "datetime",
        regex_size: 71,
        check: |text| unless(is_datetime(text), "invalid datetime"),
    },
];

fn unless(holds: bool, message: &str) -> Vec<String> {
    if holds { Vec::new() } else { vec![message.to_owned()] }
}

fn too_long(limit: usize, unit: &str) -> String {
    format!("must be no more than {limit} {unit}")
}

fn mismatch(message: &str, regex: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{message} (e.g. {}regex used for validation is '{regex}')", examples.join(" or "))
}

fn label(text: &[u8]) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "characters"));
    }
    if !is_label(text) {
        reasons.push(if is_subdomain(text) {
            "must not contain dots".to_owned()
        } else {
            mismatch(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start \
                 and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    reasons
}

/// Upstream has this rule twice, with a different unit in the message.
fn subdomain(text: &[u8], unit: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 253 {
        reasons.push(too_long(253, unit));
    }
    if !is_subdomain(text) {
        reasons.push(mismatch(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character",
            &format!("{LABEL}(\\.{LABEL})*"),
            &["example.com"],
        ));
    }
    reasons
}

fn label_1035(text: &[u8]) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "characters"));
    }
    if !is_label(text) || !text.first().is_some_and(u8::is_ascii_lowercase) {
        reasons.push(mismatch(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
             character, and end with an alphanumeric character",
            "[a-z]([-a-z0-9]*[a-z0-9])?",
            &["my-name", "abc-123"],
        ));
    }
    reasons
}

fn qualified_name(text: &str) -> Vec<String> {
    let rule = || {
        mismatch(
            "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric \
             character",
            NAME,
            &["MyName", "my.name", "123-abc"],
        )
    };
    let mut reasons = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return vec![format!(
                "a valid label key {} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
                rule()
            )];
        }
        Some(("", name)) => {
            reasons.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            reasons.extend(subdomain(prefix.as_bytes(), "bytes").iter().map(|reason| format!("prefix part {reason}")));
            name
        }
    };
    if name.is_empty() {
        reasons.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        reasons.push(format!("name part {}", too_long(63, "bytes")));
    }
    if !is_name(name) {
        reasons.push(format!("name part {}", rule()));
    }
    reasons
}

fn label_value(text: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if text.len() > 63 {
        reasons.push(too_long(63, "bytes"));
    }
    if !text.is_empty() && !is_name(text) {
        reasons.push(mismatch(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character",
            &format!("({NAME})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    reasons
}

/// A name to which something will be appended: upstream replaces a final dash and what is before it by a letter.
fn without_trailing_dash(text: &str) -> Vec<u8> {
    match text.as_bytes() {
        [kept @ .., _, b'-'] => [kept, b"a"].concat(),
        bytes => bytes.to_vec(),
    }
}

/// Whether a text has the form of a DNS label, whatever its length.
pub fn is_label(text: &[u8]) -> bool {
    let is_inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    text.iter().all(is_inner) && !matches!(text, [] | [b'-', ..] | [.., b'-'])
}

/// Whether a text has the form of a DNS subdomain, whatever its length.
pub fn is_subdomain(text: &[u8]) -> bool {
    text.split(|b| *b == b'.').all(is_label)
}

fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && is_outer(bytes.first())
        && is_outer(bytes.last())
}

/// Groups of 8, 4, 4, 4 and 12 hexadecimal digits; each dash may be missing.
fn is_uuid(text: &str) -> bool {
    let mut rest = text.as_bytes();
    for (i, width) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if i > 0
            && let [b'-', after @ ..] = rest
        {
            rest = after;
        }
        match rest.split_at_checked(width) {
            Some((group, after)) if group.iter().all(u8::is_ascii_hexdigit) => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

fn is_base64(text: &str) -> bool {
    let unpadded = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    !text.is_empty()
        && text.len().is_multiple_of(4)
        && unpadded.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// `2006-01-02`
fn is_date(text: &str) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return false };
    if ![y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let pair = |tens: u8, ones: u8| u32::from(tens - b'0') * 10 + u32::from(ones - b'0');
    let (year, month, day) = (pair(y1, y2) * 100 + pair(y3, y4), pair(m1, m2), pair(d1, d2));
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

/// A date, a `t`, a time. Upstream ignores what stands behind another `t`.
fn is_datetime(text: &str) -> bool {
    let lower = text.to_lowercase();
    let mut parts = lower.split('t');
    match (parts.next(), parts.next()) {
        (Some(date), Some(time)) => text.len() >= 4 && is_date(date) && is_time(time),
        _ => false,
    }
}

/// `15:04:05`, perhaps any character with digits, then `z` or an offset.
fn is_time(text: &str) -> bool {
    let Some((clock, rest)) = text.split_at_checked(8) else { return false };
    let &[h1, h2, b':', m1, m2, b':', s1, s2] = clock.as_bytes() else { return false };
    if ![h1, h2, m1, m2, s1, s2].iter().all(u8::is_ascii_digit) {
        return false;
    }
    if (h1, h2) > (b'2', b'3') || (m1, m2) > (b'5', b'9') || (s1, s2) > (b'5', b'9') {
        return false;
    }
    if is_zone(rest) {
        return true;
    }
    let mut chars = rest.chars();
    let separator = chars.next();
    let zone = chars.as_str().trim_start_matches(|c: char| c.is_ascii_digit());
    separator.is_some_and(|c| c != '\n') && zone.len() < chars.as_str().len() && is_zone(zone)
}

fn is_zone(text: &str) -> bool {
    match text.as_bytes() {
        b"z" => true,
        &[b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
