//! The differences that have a reason, each with a rule as narrow as the reason.

use serde_json::Value;

use super::compare::{Difference, normal};
use super::generate::Case;

/// A difference that is understood and stays.
pub struct Explained {
    /// What the report calls it.
    pub name: &'static str,
    /// Why it is no fault of ours.
    pub reason: &'static str,
    applies: fn(&Case, Difference, &Seen<'_>) -> bool,
}

/// What the rules look at.
pub struct Seen<'s> {
    /// The reference's answers to the same question, asked several times.
    pub references: &'s [Value],
    /// The answers of further processes of the reference, where those can differ.
    pub restarted: &'s [Value],
    pub ours: &'s Value,
}

/// Every rule.
pub const RULES: &[Explained] = &[
    Explained {
        name: "order of a map",
        reason: "the reference answers the same question in several ways: Go goes through a map in random order",
        applies: |_, _, seen| seen.references.iter().any(|other| *other != seen.references[0]),
    },
    Explained {
        name: "quantities that can't be printed",
        reason: "the reference prints nothing for some quantities, and drops the suffix of those beyond exa",
        applies: |_, how, seen| {
            let (reference, ours) = (&seen.references[0]["value"], &seen.ours["value"]);
            let unprintable = |text: &str| text.is_empty() || is_huge(text);
            how == Difference::Value
                && (has_quantity(reference, &unprintable) || has_quantity(ours, &unprintable))
                && normal(&without_quantities(reference)) == normal(&without_quantities(ours))
        },
    },
    Explained {
        name: "panic of the compiler",
        reason: "an optional entry of unknown type in a literal, and a constant map with keys that Go can't hash, make \
                 upstream's compiler panic; ours refuses them",
        applies: |_, _, seen| {
            let panics = [
                "panic: runtime error: index out of range [0] with length 0",
                "panic: runtime error: hash of unhashable type types.Bytes",
            ];
            panics.iter().any(|panic| seen.references[0]["error"] == *panic) && seen.ours["stage"] == "compile"
        },
    },
    Explained {
        name: "relinked time zones",
        reason: "since 2024 time zone data gives old names the history of a city's zone; the reference's is older, or ours",
        applies: |case, how, _| {
            let names = ["EST", "MST", "HST", "CET", "MET", "EET", "WET", "EST5EDT", "CST6CDT", "MST7MDT", "PST8PDT"];
            let line = case.line();
            let is_named = |name: &str| ['\'', '"'].iter().any(|quote| line.contains(&format!("{quote}{name}")));
            how == Difference::Value && line.contains(".get") && names.into_iter().any(is_named)
        },
    },
    Explained {
        name: "order of overloads",
        reason: "processes of the reference answer differently: the overloads of Kubernetes' list functions are declared \
                 in random order, and the first decides for a list of unknown elements",
        applies: |case, _, seen| {
            uses_ordered_overloads(case) && seen.restarted.iter().any(|other| *other != seen.references[0])
        },
    },
];

/// Whether a quantity has more than 18 digits before the point.
fn is_huge(text: &str) -> bool {
    let text = text.trim_start_matches('-');
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    digits.len() as i64 + exponent.parse().unwrap_or(0) > 18
}

/// Whether a tagged value is or holds a quantity with such a text.
fn has_quantity(value: &Value, such: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::Object(members) if value["type"] == "kubernetes.Quantity" => {
            such(members.get("v").and_then(Value::as_str).unwrap_or(""))
        }
        Value::Object(members) => members.values().any(|member| has_quantity(member, such)),
        Value::Array(elements) => elements.iter().any(|element| has_quantity(element, such)),
        _ => false,
    }
}

/// The value with null in the place of every quantity.
fn without_quantities(value: &Value) -> Value {
    match value {
        Value::Object(_) if value["type"] == "kubernetes.Quantity" => serde_json::json!({"t": "null"}),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), without_quantities(member))).collect()
        }
        Value::Array(elements) => elements.iter().map(without_quantities).collect(),
        other => other.clone(),
    }
}

/// Whether a function is called whose overloads are declared in random order.
pub fn uses_ordered_overloads(case: &Case) -> bool {
    let line = case.line();
    [".sum()", ".max()", ".min()", ".isSorted()"].iter().any(|call| line.contains(call))
}

/// The rule that explains a difference.
pub fn explanation(case: &Case, difference: Difference, seen: &Seen<'_>) -> Option<&'static Explained> {
    RULES.iter().find(|rule| (rule.applies)(case, difference, seen))
}
