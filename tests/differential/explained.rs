//! The differences that have a reason, each with a rule as narrow as the reason.

use serde_json::Value;

use super::compare::Difference;
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
            let printed = &seen.references[0]["value"];
            let empty = printed["type"] == "kubernetes.Quantity" && printed["v"] == "";
            how == Difference::Value && (empty || is_huge_quantity(seen.ours))
        },
    },
    Explained {
        name: "panic of the type checker",
        reason: "an optional entry of unknown type in a literal makes upstream's compiler panic; ours refuses it",
        applies: |_, _, seen| {
            let panics = "panic: runtime error: index out of range [0] with length 0";
            seen.references[0]["error"] == panics && seen.ours["stage"] == "compile"
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

/// Whether a value is a quantity of more than 18 digits.
fn is_huge_quantity(answer: &Value) -> bool {
    let value = &answer["value"];
    let text = value["v"].as_str().unwrap_or("").trim_start_matches('-');
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    value["type"] == "kubernetes.Quantity" && digits.len() as i64 + exponent.parse().unwrap_or(0) > 18
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
