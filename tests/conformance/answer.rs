//! When two answers are the same: value, type, cost, or the error's stage and text.

use serde_json::{Value, json};

const LIMIT: &str = "actual cost limit exceeded";

/// The members of an answer that are compared, in one form for all who answer: maps sorted, doubles as numbers are
/// read, a compile error as its first message with its place.
pub fn normal(answer: &Value) -> Value {
    let cost = |name| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
    let member = |name| answer.get(name).cloned().unwrap_or(Value::Null);
    if let Some(error) = answer.get("error").and_then(Value::as_str) {
        return match member("stage").as_str() {
            // What is charged at the limit, beyond it, is no one's to pay.
            Some("runtime") if error.contains(LIMIT) => json!({"stage": "runtime", "error": error}),
            Some("runtime") => json!({"stage": "runtime", "error": error, "cost": cost("cost")}),
            stage => json!({"stage": stage, "error": compile_error(error)}),
        };
    }
    json!({
        "value": value(&member("value")),
        "type": member("type"),
        "checked": member("checked").as_str().map(type_name),
        "cost": cost("cost") + cost("variablesCost"),
    })
}

/// Whether an answer in normal form is the expected one. Upstream names no place where a limit of the parser is reached,
/// nor for an expression that the checker accepts and of which it can't make a program; Portcullis does.
pub fn is_same(expected: &Value, got: &Value) -> bool {
    let error = |answer: &Value| answer.get("error").and_then(Value::as_str).map(str::to_owned);
    match (error(expected), error(got)) {
        (Some(expected), Some(got)) if expected.starts_with(NO_PROGRAM) => {
            let got = got.splitn(3, ':').nth(2).unwrap_or("").trim_start();
            expected.strip_prefix(NO_PROGRAM) == Some(got.strip_prefix(NO_PROGRAM).unwrap_or(got))
        }
        (Some(expected), Some(got)) if expected.starts_with(NO_PLACE) => {
            expected.strip_prefix(NO_PLACE) == got.splitn(3, ':').nth(2)
        }
        _ => expected == got,
    }
}

const NO_PROGRAM: &str = "program instantiation failed: ";
const NO_PLACE: &str = "-1:0:";

/// The first message of a compile error with its place. How the parser words what it expected is its own affair.
fn compile_error(text: &str) -> String {
    let text = text.lines().next().unwrap_or("");
    let text = text.strip_prefix("compilation failed: ").unwrap_or(text);
    let text = text.replace("ERROR: <input>:", "");
    match text.split_once("Syntax error") {
        Some((place, _)) => format!("{place}Syntax error"),
        None => text,
    }
}

/// A type as error messages name it; the oracle has some types' names at run time.
fn type_name(text: &str) -> String {
    let text = text.replace("google.protobuf.Timestamp", "timestamp").replace("google.protobuf.Duration", "duration");
    text.replace("null_type", "null")
}

/// A tagged value in normal form.
pub fn value(tagged: &Value) -> Value {
    let inner = tagged.get("v");
    let elements = || inner.and_then(Value::as_array).into_iter().flatten();
    match tagged.get("t").and_then(Value::as_str) {
        Some("double") => {
            let number = inner.and_then(Value::as_str).and_then(|text| text.parse::<f64>().ok());
            json!({"t": "double", "v": number.map(|number| format!("{number:?}"))})
        }
        Some("list") => json!({"t": "list", "v": elements().map(value).collect::<Vec<_>>()}),
        Some(tag @ ("map" | "object")) => {
            let mut pairs: Vec<Value> = elements()
                .filter_map(Value::as_array)
                .map(|pair| pair.iter().map(|part| if part.is_string() { part.clone() } else { value(part) }).collect())
                .collect();
            pairs.sort_by_key(Value::to_string);
            let mut normal = json!({"t": tag, "v": pairs});
            if let (Some(of), Some(members)) = (tagged.get("type"), normal.as_object_mut()) {
                members.insert("type".to_owned(), of.clone());
            }
            normal
        }
        Some("optional") if inner.is_some_and(Value::is_object) => {
            json!({"t": "optional", "v": value(inner.unwrap_or(&Value::Null))})
        }
        // Of these, CEL knows no text.
        Some("opaque")
            if tagged
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|name| name == "kubernetes.Quantity" || name.starts_with("kubernetes.authorization.")) =>
        {
            json!({"t": "opaque", "type": tagged.get("type")})
        }
        // Numbers as text or as numbers: seconds of a timestamp.
        Some("timestamp") => {
            let number = |name| match tagged.get(name) {
                Some(Value::String(text)) => text.clone(),
                other => other.unwrap_or(&Value::Null).to_string(),
            };
            json!({"t": "timestamp", "s": number("s"), "n": number("n")})
        }
        _ => tagged.clone(),
    }
}
