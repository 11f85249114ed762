//! The names that fields have in expressions where their own are no CEL identifiers.
//!
//! Upstream: `Escape` in `k8s.io/apiserver/pkg/cel/escaping.go`.

use super::names::is_reserved;

/// The name of a field in expressions: `a-b` is `a__dash__b`, `namespace` is `__namespace__`. `None` for a name that
/// can't be escaped; expressions can't use such a field.
pub fn escape(name: &str) -> Option<String> {
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if is_reserved(name) {
        return Some(format!("__{name}__"));
    }
    let mut escaped = String::with_capacity(name.len());
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        match c {
            '_' if rest.as_str().starts_with('_') => {
                rest.next();
                escaped.push_str("__underscores__");
            }
            '.' => escaped.push_str("__dot__"),
            '-' => escaped.push_str("__dash__"),
            '/' => escaped.push_str("__slash__"),
            c if c == '_' || c.is_ascii_alphanumeric() => escaped.push(c),
            _ => return None,
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_is_no_identifier() {
        for (name, escaped) in [
            ("replicas", Some("replicas")),
            ("a_b", Some("a_b")),
            ("_a", Some("_a")),
            ("a__b", Some("a__underscores__b")),
            ("a___b", Some("a__underscores___b")),
            ("a.b-c/d", Some("a__dot__b__dash__c__slash__d")),
            ("namespace", Some("__namespace__")),
            ("in", Some("__in__")),
            ("namespaces", Some("namespaces")),
            ("$ref", None),
            ("1a", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(escape(name).as_deref(), escaped, "{name}");
        }
    }
}
