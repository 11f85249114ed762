//! Where two answers differ.

use std::fmt;

use serde_json::Value;

/// The first thing in which two answers differ, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// A value and an error.
    Outcome,
    /// Errors of different stages.
    Stage,
    /// Values of different types.
    Type,
    Value,
    /// The expression's own cost.
    Cost,
    /// The cost of the variables that it read.
    VariablesCost,
    /// What an evaluation that failed had cost.
    FailureCost,
    /// The texts of errors at run time.
    Wording,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Difference::Outcome => "outcome",
            Difference::Stage => "stage",
            Difference::Type => "type",
            Difference::Value => "value",
            Difference::Cost => "cost",
            Difference::VariablesCost => "cost of variables",
            Difference::FailureCost => "cost of a failure",
            Difference::Wording => "wording",
        })
    }
}

/// How our answer differs from the reference's.
pub fn difference(reference: &Value, ours: &Value) -> Option<Difference> {
    let failed = reference.get("stage").is_some();
    let differs = |member: &str| reference.get(member) != ours.get(member);
    if failed != ours.get("stage").is_some() {
        return Some(Difference::Outcome);
    }
    if failed {
        return if differs("stage") {
            Some(Difference::Stage)
        } else if reference["stage"] != "runtime" {
            None
        } else if differs("error") {
            Some(Difference::Wording)
        } else if differs("cost") && !is_beyond_limit(reference) {
            Some(Difference::FailureCost)
        } else {
            None
        };
    }
    if differs("type") {
        Some(Difference::Type)
    } else if normal(&reference["value"]) != normal(&ours["value"]) {
        Some(Difference::Value)
    } else if differs("cost") {
        Some(Difference::Cost)
    } else if differs("variablesCost") {
        Some(Difference::VariablesCost)
    } else {
        None
    }
}

/// Whether the evaluation was stopped for its cost: by how much it went beyond the limit says nothing.
fn is_beyond_limit(answer: &Value) -> bool {
    answer["error"] == "operation cancelled: actual cost limit exceeded"
}

/// A tagged value with the entries of maps in order and numbers in one notation.
fn normal(value: &Value) -> String {
    let tag = value.get("t").and_then(Value::as_str).unwrap_or("");
    let of = value.get("v");
    match (tag, of) {
        ("list", Some(Value::Array(elements))) => format!("[{}]", join(elements.iter().map(normal).collect())),
        ("map" | "object", Some(Value::Array(pairs))) => {
            let mut entries: Vec<_> =
                pairs.iter().map(|pair| format!("{}: {}", normal(&pair[0]), normal(&pair[1]))).collect();
            entries.sort();
            format!("{tag} {} {{{}}}", value["type"], join(entries))
        }
        ("optional", of) => format!("optional({})", of.map_or_else(String::new, normal)),
        ("double", Some(Value::String(text))) => {
            let number: f64 = text.replace("Infinity", "inf").parse().unwrap_or(f64::NAN);
            format!("double {number:?}")
        }
        ("timestamp", _) => {
            let number = |name: &str| value[name].to_string().replace('"', "");
            format!("timestamp {} {}", number("s"), number("n"))
        }
        _ => value.to_string(),
    }
}

fn join(texts: Vec<String>) -> String {
    texts.join(", ")
}
