//! Which of the specification's cases Kubernetes' environment doesn't admit or decides otherwise, and why: rules on
//! the case and on the answer, never a list of cases. That Kubernetes does answer so is what `--oracle` shows.

use serde_json::Value;

use crate::spec::Case;

/// A reason to leave out a case whose answer isn't the expected one.
struct Rule {
    reason: &'static str,
    applies: fn(&Case, &Answer<'_>) -> bool,
}

/// What a rule may ask about an answer.
struct Answer<'a> {
    /// Empty unless it is a compile error.
    compile_error: &'a str,
    runtime_error: &'a str,
    value: Option<&'a Value>,
}

/// Why a case can't be asked at all.
pub fn by_tag(case: &Case) -> Option<&'static str> {
    let tagged = |tag: &str| case.tags.iter().any(|of| of == tag);
    if tagged("proto") {
        return Some("needs protobuf messages, which admission policies have none of");
    }
    if tagged("check_only") {
        return Some("states the deduced type of an expression that is not evaluated");
    }
    tagged("disable_macros").then_some("needs a parser without macros")
}

/// Why a case's answer differs from the specification's.
pub fn by_rule(case: &Case, answer: &Value) -> Option<&'static str> {
    let text = |name| answer.get(name).and_then(Value::as_str).unwrap_or("");
    let error_at = |stage| if text("stage") == stage { text("error") } else { "" };
    let answer =
        Answer { compile_error: error_at("compile"), runtime_error: error_at("runtime"), value: answer.get("value") };
    RULES.iter().find(|rule| (rule.applies)(case, &answer)).map(|rule| rule.reason)
}

const RULES: &[Rule] = &[
    Rule {
        reason: "runs unchecked; Kubernetes checks every expression, and the checker refuses this one",
        applies: |case, answer| {
            case.tags.iter().any(|tag| tag == "disable_check")
                && ["undeclared reference to", "found no matching overload for", "expected type"]
                    .iter()
                    .any(|message| answer.compile_error.contains(message))
        },
    },
    Rule {
        reason: "elements, keys or values of mixed types in a literal, which Kubernetes refuses",
        applies: |case, answer| {
            answer.compile_error.contains(": expected type '") && is_within_literal(&case.expr, answer.compile_error)
        },
    },
    Rule {
        reason: "field names in backquotes, which Kubernetes' parser does not read",
        applies: |case, answer| case.expr.contains(".`") && answer.compile_error.contains("'`'"),
    },
    Rule {
        reason: "names are resolved in a container, which expressions of policies have none of",
        applies: |case, _| !case.container.is_empty(),
    },
    Rule {
        reason: "a macro's variable does not hide a dotted name of the environment that begins with it",
        applies: |case, answer| answer.value.is_some() && begins_bound_name(case),
    },
    Rule {
        reason: "string.format as of version 2 of the strings library: ×10ⁿ, ∞, quoted elements, no conversion of numbers",
        applies: |case, answer| {
            let other_text = answer.value.is_some_and(|value| value.get("t").is_some_and(|tag| tag == "string"));
            let other_type = answer.compile_error.contains("error during formatting: ");
            case.expr.contains(".format(") && (other_text || other_type)
        },
    },
    Rule {
        reason: "string.reverse, which is not in version 2 of the strings library",
        applies: |_, answer| {
            answer.compile_error.contains("found no matching overload for 'reverse' applied to 'string.()'")
        },
    },
    Rule {
        reason: "a search that begins past the end of a string finds nothing; the specification has it fail",
        applies: |case, answer| {
            let search = case.expr.contains(".indexOf(") || case.expr.contains(".lastIndexOf(");
            search && answer.value.is_some() && expected_message(case).contains("index out of range")
        },
    },
    Rule {
        reason: "IPv4 addresses mapped to IPv6, which Kubernetes refuses",
        applies: |_, answer| answer.runtime_error.contains("IPv4-mapped IPv6 address"),
    },
    Rule {
        reason: "an optional look-up into what has no fields finds nothing; the specification has it fail",
        applies: |case, answer| {
            let optional = case.expr.contains(".?") || case.expr.contains("[?");
            optional && answer.value.is_some() && expected_message(case) == "no such key"
        },
    },
    Rule {
        reason: "a key repeated in a map literal: the last one counts; the specification has it fail",
        applies: |case, answer| answer.value.is_some() && expected_message(case).contains("repeated key"),
    },
    Rule {
        reason: "a constant that is no possible key fails when compiled, whatever the rest of the expression decides",
        applies: |_, answer| answer.compile_error.contains("invalid qualifier type"),
    },
    Rule {
        reason: "duration.getMilliseconds gives all milliseconds, not those beyond the last second",
        applies: |case, answer| case.expr.contains(".getMilliseconds()") && answer.value.is_some(),
    },
    Rule {
        reason: "the vector expects a backslash that its expression does not contain",
        applies: |case, _| {
            let expected = case.expect.pointer("/value/v").and_then(Value::as_str).unwrap_or("");
            let bytes = expected.as_bytes().chunks(2);
            !case.expr.contains('\\') && case.expr.starts_with('b') && bytes.into_iter().any(|byte| byte == b"5c")
        },
    },
];

fn expected_message(case: &Case) -> &str {
    case.expect.pointer("/messages/0").and_then(Value::as_str).unwrap_or("")
}

/// Whether the place that a compile error names lies in a list or map literal rather than, say, beside an operator.
fn is_within_literal(expr: &str, error: &str) -> bool {
    let column = error.strip_prefix("compilation failed: 1:").and_then(|rest| rest.split_once(':'));
    let Some(column) = column.and_then(|(column, _)| column.parse::<usize>().ok()) else { return false };
    let before: Vec<char> = expr.chars().take(column.saturating_sub(1)).collect();
    let count = |wanted: char| before.iter().filter(|c| **c == wanted).count();
    count('[') > count(']') || count('{') > count('}')
}

/// Whether a macro of the expression binds a name with which a dotted variable of the environment begins.
fn begins_bound_name(case: &Case) -> bool {
    let macros = case.expr.split(".exists(").skip(1);
    let mut names = macros.filter_map(|rest| rest.split_once(',')).map(|(name, _)| name.trim());
    names.any(|name| case.bindings.keys().any(|bound| bound.split_once('.').is_some_and(|(first, _)| first == name)))
}
