//! The audit annotations that a decision carries: those that policies ask for, and the violations that bindings with the
//! action `Audit` record.
//!
//! Upstream: `policy/validating/dispatcher.go`.

use serde::Serialize;

const VALIDATION_FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";
/// What exemptions set aside; upstream has none of it.
const EXEMPTED: &str = "exempted";
/// How many failures an audit annotation lists.
const MAX_VALIDATION_FAILURES: usize = 50;
/// How long its list may get in bytes; its first failure is there in any case.
const MAX_VALIDATION_FAILURES_BYTES: usize = 64 * 1024;
/// The longest value that a binding and param give an audit annotation, in bytes. Upstream:
/// `maxAuditAnnotationValueLength`.
const MAX_ANNOTATION_BYTES: usize = 10 * 1024;
/// Collects the annotations of one request.
#[derive(Debug, Default)]
pub struct Annotations<'a> {
    /// Key, and the distinct values that bindings and params gave.
    values: Vec<(String, Vec<String>)>,
    failures: Vec<ValidationFailure<'a>>,
    exempted: Vec<Exempted<'a>>,
}

/// What an exemption set aside, and what it would have come to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exempted<'a> {
    pub message: String,
    pub policy: &'a str,
    pub binding: &'a str,
    pub exemption: &'a str,
    pub would_be: &'static str,
}

/// A violation as the annotation tells it: upstream's JSON, in upstream's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationFailure<'a> {
    pub message: String,
    pub policy: &'a str,
    pub binding: &'a str,
    pub expression_index: usize,
    pub validation_actions: Vec<&'static str>,
}

impl<'a> Annotations<'a> {
    /// Adds a value that a policy gives to a key of its own.
    pub fn add(&mut self, policy: &str, key: &str, mut value: String) {
        cut(&mut value, MAX_ANNOTATION_BYTES);
        let key = format!("{policy}/{key}");
        match self.values.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => self.values.push((key, vec![value])),
        }
    }

    /// Adds a violation.
    pub fn add_failure(&mut self, failure: ValidationFailure<'a>) {
        self.failures.push(failure);
    }

    /// Adds what an exemption set aside.
    pub fn add_exempted(&mut self, exempted: Exempted<'a>) {
        self.exempted.push(exempted);
    }

    /// Each key with its value.
    pub fn finish(self) -> Vec<(String, String)> {
        let mut annotations: Vec<(String, String)> =
            self.values.into_iter().map(|(key, values)| (key, values.join(", "))).collect();
        if !self.failures.is_empty() {
            annotations.push((VALIDATION_FAILURE.to_owned(), listed(&self.failures)));
        }
        if !self.exempted.is_empty() {
            annotations.push((EXEMPTED.to_owned(), listed(&self.exempted)));
        }
        annotations
    }
}

/// The failures as a JSON list, as many of them as the limits allow.
fn listed(failures: &[impl Serialize]) -> String {
    let mut list = String::from("[");
    for (i, failure) in failures.iter().take(MAX_VALIDATION_FAILURES).enumerate() {
        // Serialising strings and numbers to memory can't fail.
        let json = escape_html(&serde_json::to_string(failure).unwrap_or_default());
        if i > 0 && list.len() + json.len() > MAX_VALIDATION_FAILURES_BYTES {
            break;
        }
        if i > 0 {
            list.push(',');
        }
        list.push_str(&json);
    }
    list.push(']');
    list
}

/// Cuts a text after so many bytes, as upstream does: of a character that is cut through, each byte left is logged as
/// a replacement character.
fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = text.floor_char_boundary(bytes);
        text.truncate(end);
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, bytes - end));
    }
}

/// What Go's encoder escapes within strings, where alone these characters can occur.
fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((at, c)) = rest.char_indices().find(|(_, c)| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}'))
    {
        let (before, after) = rest.split_at(at);
        escaped.push_str(before);
        escaped.push_str(&format!("\\u{:04x}", u32::from(c)));
        rest = after.get(c.len_utf8()..).unwrap_or_default();
    }
    escaped.push_str(rest);
    escaped
}
