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
    if differs("type") || checked(reference) != checked(ours) {
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

/// The type that the checker derived, in one spelling.
fn checked(answer: &Value) -> String {
    let text = answer["checked"].as_str().unwrap_or("");
    let text = text.replace("google.protobuf.Timestamp", "timestamp").replace("google.protobuf.Duration", "duration");
    text.replace("null_type", "null").replace("type(optional_type(dyn))", "type(optional_type)")
}

/// A tagged value with the entries of maps in order and numbers in one notation.
pub fn normal(value: &Value) -> String {
    let tag = value.get("t").and_then(Value::as_str).unwrap_or("");
    let of = value.get("v");
    match (tag, of) {
        ("list", Some(Value::Array(elements))) => format!("[{}]", join(elements.iter().map(normal).collect())),
        ("map" | "object", Some(Value::Array(pairs))) => {
            let mut entries: Vec<_> =
                pairs.iter().map(|pair| format!("{}: {}", normal(&pair[0]), normal(&pair[1]))).collect();
            // Of a patch the reference leaves out what is empty.
            entries.retain(|entry| value["type"] != "JSONPatch" || !entry.ends_with(r#"{"t":"string","v":""}"#));
            entries.sort();
            format!("{tag} {} {{{}}}", value["type"], join(entries))
        }
        ("optional", of) => format!("optional({})", of.map_or_else(String::new, normal)),
        ("double", Some(Value::String(text))) => {
            let number: f64 = text.replace("Infinity", "inf").parse().unwrap_or(f64::NAN);
            format!("double {number:?}")
        }
        // CEL never shows a quantity, so that ours need not know upstream's canonical notation.
        ("opaque", Some(Value::String(text))) if value["type"] == "kubernetes.Quantity" => quantity(text),
        // An error in the place of a value: its text is met by whoever reads it.
        ("opaque", _) if value["type"] == "error" => "error".to_owned(),
        // Of the authorizer and its checks the reference shows nothing but the type.
        ("opaque", _) if value["type"].as_str().is_some_and(|of| of.starts_with("kubernetes.authorization.")) => {
            value["type"].to_string()
        }
        ("timestamp", _) => {
            let number = |name: &str| value[name].to_string().replace('"', "");
            format!("timestamp {} {}", number("s"), number("n"))
        }
        _ => value.to_string(),
    }
}

/// A quantity's digits without zeros at the end, and its power of ten.
fn quantity(text: &str) -> String {
    let text = text.trim_start_matches('+');
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (number, suffix) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) if exponent.parse::<i32>().is_ok() => (number, text.get(number.len()..).unwrap_or("")),
        _ => (number, text.get(number.len()..).unwrap_or("")),
    };
    let binary = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter().position(|known| *known == suffix);
    let decimal = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].iter().position(|known| *known == suffix);
    let mut exponent = match decimal {
        Some(at) => 3 * at as i32 - 9,
        None => suffix.trim_start_matches(['e', 'E']).parse().unwrap_or(0),
    };
    let mut digits = number.to_owned();
    if let (Some(at), Ok(number)) = (binary, number.parse::<i128>()) {
        digits = (number << (10 * (at + 1))).to_string();
        exponent = 0;
    }
    if let Some((whole, fraction)) = digits.split_once('.') {
        exponent -= fraction.len() as i32;
        digits = format!("{whole}{fraction}");
    }
    let significant = digits.trim_end_matches('0');
    match significant {
        "" | "-" => "quantity 0".to_owned(),
        _ => format!("quantity {significant}e{}", exponent + (digits.len() - significant.len()) as i32),
    }
}

fn join(texts: Vec<String>) -> String {
    texts.join(", ")
}
