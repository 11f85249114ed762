//! The forms that names, labels and identifiers have to have: each function says what is wrong with a text, if anything.
//!
//! Upstream: `k8s.io/apimachinery/pkg/api/validate/content` and `isCELIdentifier` of admissionregistration's validation.

use crate::cel::is_identifier;

/// An object's name: a DNS subdomain of at most 253 characters.
pub fn dns_subdomain(text: &str) -> Option<&'static str> {
    if text.len() > 253 {
        return Some("must be no more than 253 bytes");
    }
    (!text.split('.').all(is_dns_label)).then_some(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
         start and end with an alphanumeric character (e.g. 'example.com')",
    )
}

/// A version, or a kind in lower case: a DNS label that begins with a letter, of at most 63 characters.
pub fn dns_1035_label(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    (!is_dns_label(text) || text.starts_with(|first: char| first.is_ascii_digit())).then_some(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic \
         character, and end with an alphanumeric character (e.g. 'my-name')",
    )
}

/// A label's key, an annotation's key or a match condition's name: `name` or `prefix/name`.
pub fn qualified_name(text: &str) -> Option<&'static str> {
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return Some(
                "a valid label key must be a name with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
            );
        }
        Some(("", _)) => return Some("prefix part must be non-empty"),
        Some((prefix, _)) if dns_subdomain(prefix).is_some() => {
            return Some(
                "prefix part must be a lowercase RFC 1123 subdomain of at most 253 bytes (e.g. 'example.com')",
            );
        }
        Some((_, name)) => name,
    };
    if name.is_empty() {
        return Some("name part must be non-empty");
    }
    if name.len() > 63 {
        return Some("name part must be no more than 63 bytes");
    }
    (!is_label_text(name)).then_some(
        "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
         alphanumeric character (e.g. 'MyName')",
    )
}

/// A label's value.
pub fn label_value(text: &str) -> Option<&'static str> {
    if text.len() > 63 {
        return Some("must be no more than 63 bytes");
    }
    (!text.is_empty() && !is_label_text(text)).then_some(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
         start and end with an alphanumeric character (e.g. 'MyValue')",
    )
}

/// A name that stands in a URL path: of a param, or in `resourceNames`.
pub fn path_segment(text: &str) -> Option<&'static str> {
    match text {
        "." => Some("may not be '.'"),
        ".." => Some("may not be '..'"),
        _ if text.contains('/') => Some("may not contain '/'"),
        _ if text.contains('%') => Some("may not contain '%'"),
        _ => None,
    }
}

/// The name of a variable: an identifier that CEL doesn't reserve.
pub fn cel_identifier(text: &str) -> Option<&'static str> {
    (!is_identifier(text)).then_some("must be a valid CEL identifier")
}

fn is_dns_label(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(plain) && text.ends_with(plain) && text.chars().all(|c| plain(c) || c == '-')
}

fn is_label_text(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(plain) && text.ends_with(plain) && text.chars().all(|c| plain(c) || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(form: fn(&str) -> Option<&'static str>, accepted: &[&str], rejected: &[&str]) {
        for text in accepted {
            assert_eq!(form(text), None, "{text}");
        }
        for text in rejected {
            assert!(form(text).is_some(), "{text}");
        }
    }

    #[test]
    fn accepts_and_rejects_object_names() {
        let longest = "a".repeat(253);
        let too_long = "a".repeat(254);
        check(dns_subdomain, &["a", "a-b.c", "0a", &longest], &["", "A", "a.", "-a", "a..b", "a_b", &too_long]);
    }

    #[test]
    fn accepts_and_rejects_versions() {
        check(dns_1035_label, &["v1", "v1beta1", "a-b", &"a".repeat(63)], &["", "1v", "V1", "a.b", &"a".repeat(64)]);
    }

    #[test]
    fn accepts_and_rejects_qualified_names() {
        let longest = format!("a/{}", "b".repeat(63));
        let too_long = "b".repeat(64);
        check(
            qualified_name,
            &["a", "A_b.c-d", "example.com/MyName", &longest],
            &["", "a/", "/a", "a/b/c", "A.com/a", "-a", "a b", &too_long],
        );
    }

    #[test]
    fn accepts_and_rejects_label_values() {
        check(label_value, &["", "A.b_c-1", &"a".repeat(63)], &["-", "a/b", "é", &"a".repeat(64)]);
    }

    #[test]
    fn accepts_and_rejects_path_segments() {
        check(path_segment, &["a", "a.b", "...", "system:node"], &[".", "..", "a/b", "a%"]);
    }

    #[test]
    fn accepts_and_rejects_variable_names() {
        check(cel_identifier, &["a", "_a1", "In"], &["", "1a", "a-b", "in", "namespace", "é", "a.b"]);
    }
}
