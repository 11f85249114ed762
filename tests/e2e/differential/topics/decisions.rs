//! What a policy's findings amount to: errors and the failure policy, messages, reasons, actions, audit annotations.

use serde_json::{Value, json};

use super::super::api::{config_map, overlaid};
use super::super::suite::{Suite, matching, must};

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = errors();
    suites.extend(conditions());
    suites.extend(messages());
    suites.extend(actions());
    suites.extend(annotations());
    suites.extend(long_annotations());
    suites.extend(several());
    suites
}

fn base(spec: Value) -> Value {
    overlaid(json!({"matchConstraints": matching("/v1/configmaps", &["CREATE", "UPDATE", "DELETE"])}), spec)
}

/// ConfigMaps with different data, an update and a deletion.
fn asked(suite: Suite) -> Suite {
    let with = |name: &str, data: Value| config_map(name, json!({"data": data}));
    suite
        .create_all([
            config_map("bare", json!({})),
            with("one", json!({"k": "1"})),
            with("two", json!({"k": "2", "l": "x"})),
        ])
        .update(with("changed", json!({"k": "1"})), with("changed", json!({"k": "2"})))
        .delete(with("deleted", json!({"k": "1"})))
}

/// Expressions that fail when they are evaluated: absent fields, wrong types, too costly.
const FAILING: &[&str] = &[
    "object.data.k == '1'",
    "object.spec.replicas == 3",
    "object.data.k + 1 == 2",
    "int(object.data.k) == 1",
    "oldObject.data.k == '1'",
    "params.x == 1",
    "namespaceObject.metadata.labels['nope'] == 'x'",
    "[1, 2, 3][5] == 1",
    "1 / int(size(object.metadata.name) - size(object.metadata.name)) == 1",
    "object.metadata.name.matches('[a-z' + object.metadata.name)",
    "duration(object.metadata.name) == duration('1s')",
    "quantity(object.metadata.name).isGreaterThan(quantity('1'))",
    "object.data.exists(k, object.data[k] == 3)",
    "object.data.all(k, int(object.data[k]) > 0)",
    "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a + b + c + d + e + f > 0))))))",
];

fn errors() -> Vec<Suite> {
    let mut suites = Vec::new();
    for failure_policy in ["Fail", "Ignore"] {
        for expression in FAILING {
            let has_params = if expression.contains("params") {
                json!({"apiVersion": "v1", "kind": "ConfigMap"})
            } else {
                Value::Null
            };
            let spec = |rest: Value| {
                let mut spec = base(overlaid(json!({"failurePolicy": failure_policy}), rest));
                if !has_params.is_null() {
                    spec["paramKind"] = has_params.clone();
                }
                spec
            };
            let specs = [
                spec(json!({"validations": [must(expression, "no")]})),
                spec(json!({"variables": [{"name": "v", "expression": expression}],
                    "validations": [must("variables.v", "no"), must("!variables.v", "yes")]})),
                spec(json!({"validations": [{"expression": "false", "message": "plain",
                    "messageExpression": format!("({expression}) ? 'a' : 'b'")}]})),
                spec(json!({"validations": [must("true", "fine")], "auditAnnotations": [
                    {"key": "k", "valueExpression": format!("({expression}) ? 'a' : 'b'")}]})),
            ];
            suites.extend(specs.map(|spec| few(Suite::validating("errors and failure policy", spec))));
            if !expression.contains("namespaceObject") {
                let spec = spec(json!({"matchConditions": [{"name": "c", "expression": expression}],
                    "validations": [must("false", "matched")]}));
                suites.push(few(Suite::validating("errors and failure policy", spec)));
            }
        }
    }
    suites
}

fn few(suite: Suite) -> Suite {
    let data = json!({"data": {"k": "1"}});
    suite
        .create_all([config_map("bare", json!({})), config_map("one", data.clone())])
        .delete(config_map("deleted", data))
}

fn conditions() -> Vec<Suite> {
    let (yes, no, error) = ("true", "object != null && false", "object.spec.nope == 1");
    let mut suites = Vec::new();
    let lists: [&[&str]; 12] = [
        &[yes],
        &[no],
        &[error],
        &[yes, yes],
        &[yes, no],
        &[yes, error],
        &[error, no],
        &[no, error],
        &[error, error],
        &[error, yes, error],
        &["request.operation != 'DELETE'"],
        &["object.metadata.name.startsWith('t')", "has(object.data)"],
    ];
    for failure_policy in ["Fail", "Ignore"] {
        for list in lists {
            let conditions: Vec<Value> = list
                .iter()
                .enumerate()
                .map(|(i, expression)| json!({"name": format!("c{i}"), "expression": expression}))
                .collect();
            let spec = json!({"failurePolicy": failure_policy, "matchConditions": conditions});
            let spec = base(overlaid(
                spec,
                json!({"validations": [must("false", "matched")],
                "auditAnnotations": [{"key": "seen", "valueExpression": "'yes'"}]}),
            ));
            suites.push(asked(Suite::validating("match conditions", spec)));
        }
    }
    suites
}

fn messages() -> Vec<Suite> {
    let long = |length: usize| format!("'{}'.replace('x', 'xxxxxxxxxx')", "x".repeat(length / 10));
    let expressions = [
        "'plain'".to_owned(),
        "''".to_owned(),
        "'   '".to_owned(),
        "'  trimmed\\t'".to_owned(),
        "'two\\nlines'".to_owned(),
        "'\\n at the edges \\n'".to_owned(),
        "'carriage\\rreturn'".to_owned(),
        "'quote \" and \\\\ and \u{e9} <&>'".to_owned(),
        "object.metadata.name".to_owned(),
        "string(object.data.k)".to_owned(),
        "string(size(object.data))".to_owned(),
        "'a' + string(object.spec.nope)".to_owned(),
        long(5120),
        long(5130),
        format!("{} + ' '", long(5120)),
        "request.operation + ' by ' + request.userInfo.username".to_owned(),
        "namespaceObject.metadata.name".to_owned(),
        "request.operation == 'CREATE' ? 'created' : string(oldObject.data.k)".to_owned(),
    ];
    let mut suites = Vec::new();
    for expression in expressions {
        let spec = base(json!({"validations": [
            {"expression": "request.operation == 'UPDATE'", "messageExpression": expression, "message": " the message  "}]}));
        suites.push(asked(Suite::validating("messages", spec)));
        let spec = base(json!({"validations": [
            {"expression": " request.operation == 'UPDATE' ", "messageExpression": expression, "reason": "Forbidden"}]}));
        let warned =
            Suite::new("messages").policy("$S", spec).bind("$S", json!({"validationActions": ["Warn", "Audit"]}));
        suites.push(asked(warned));
    }
    for reason in ["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"] {
        for message in [json!({}), json!({"message": "m"})] {
            let validation = overlaid(json!({"expression": "1 == 2", "reason": reason}), message);
            suites.push(asked(Suite::validating("messages", base(json!({"validations": [validation]})))));
        }
    }
    let odd = [
        "  false",
        "false\n|| false",
        "object.metadata.name == \"it's\"",
        "'\u{1F600}' == ''",
        "object.metadata.name == 'a<b>&c'",
    ];
    for expression in odd {
        let spec = base(json!({"validations": [{"expression": expression}]}));
        let bound =
            Suite::new("messages").policy("$S", spec).bind("$S", json!({"validationActions": ["Deny", "Audit"]}));
        suites.push(asked(bound));
    }
    suites
}

fn actions() -> Vec<Suite> {
    let mut suites = Vec::new();
    let validations = [
        json!([must("false", "no")]),
        json!([must("true", "yes")]),
        json!([must("object.spec.nope == 1", "error")]),
        json!([must("false", "first"), must("object.spec.nope == 1", "error"), must("true", "fine"),
            {"expression": "false", "message": "last", "reason": "Forbidden"}]),
    ];
    for actions in [
        json!(["Deny"]),
        json!(["Warn"]),
        json!(["Audit"]),
        json!(["Warn", "Audit"]),
        json!(["Audit", "Warn"]),
        json!(["Deny", "Audit"]),
        json!(["Audit", "Deny"]),
    ] {
        for failure_policy in ["Fail", "Ignore"] {
            for validations in &validations {
                let spec = base(json!({"failurePolicy": failure_policy, "validations": validations}));
                let suite = Suite::new("validation actions").policy("$S", spec);
                let suite = suite.bind("$S", json!({"validationActions": actions}));
                suites
                    .push(suite.create_all([config_map("a", json!({})), config_map("b", json!({"data": {"k": "v"}}))]));
            }
        }
    }
    suites
}

fn annotations() -> Vec<Suite> {
    let values = [
        "'plain'",
        "''",
        "'  '",
        "' trimmed '",
        "null",
        "object == null ? null : string(object.metadata.name)",
        "object == null ? '' : string(object.metadata.?labels['x'].orValue('none'))",
        "object == null ? '' : null",
        "string(object.data.k)",
        "object.data.k",
        "string(object.spec.nope)",
        "string(object.metadata.name.size())",
        "'two\\nlines'",
        "'\u{e9}\u{1F600} \"<&>\"'",
        "request.userInfo.username",
        "namespaceObject.metadata.name",
        "'xxxxxxxxxxxxxxxx'.replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxx')",
        // Cut through a character of two bytes, and after one, two and three bytes of one of four.
        "'.' + 'xxxxxxxxxxxxxxxx'.replace('x', '\u{e9}\u{e9}\u{e9}\u{e9}').replace('\u{e9}', '\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}').replace('\u{e9}', '\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}')",
        "'.' + 'xxxxxxxxxx'.replace('x', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}')",
        "'..' + 'xxxxxxxxxx'.replace('x', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}')",
        "'...' + 'xxxxxxxxxx'.replace('x', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}').replace('\u{1F600}', '\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}')",
        "'xxxxxxxxxxxxxxxx'.replace('x', '\u{e9}\u{e9}\u{e9}xxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxx').replace('x', 'xxx')",
    ];
    let mut suites = Vec::new();
    for failure_policy in ["Fail", "Ignore"] {
        for value in values {
            let spec = base(json!({"failurePolicy": failure_policy, "auditAnnotations": [
                {"key": "k", "valueExpression": value}, {"key": "other.key_1", "valueExpression": "'always'"}]}));
            suites.push(asked(Suite::validating("audit annotations", spec)));
        }
        // With violations besides, denied and only warned about.
        for actions in [json!(["Deny"]), json!(["Warn"]), json!(["Audit"]), json!(["Deny", "Audit"])] {
            let spec = base(json!({"failurePolicy": failure_policy,
                "validations": [must("request.operation == 'UPDATE'", "no")], "auditAnnotations": [
                {"key": "error", "valueExpression": "string(object.spec.nope)"},
                {"key": "name", "valueExpression": "request.name"}]}));
            let suite =
                Suite::new("audit annotations").policy("$S", spec).bind("$S", json!({"validationActions": actions}));
            suites.push(asked(suite));
        }
    }
    suites
}

/// Annotations that are long together: the values of one key that several params give, and those of many keys.
fn long_annotations() -> Vec<Suite> {
    let long = |start: &str| {
        format!(
            "{start} + 'xxxxxxxxxxxxxxxxxxxx'.replace('x', 'xxxxxxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxxxxxxxxxxxxxxxxx')"
        )
    };
    let param = |name: &str| config_map(name, json!({"metadata": {"labels": {"param": "yes"}}}));
    let of_params = base(json!({"paramKind": {"apiVersion": "v1", "kind": "ConfigMap"}, "auditAnnotations": [
        {"key": "k", "valueExpression": long("params.metadata.name")}]}));
    let selected =
        json!({"paramRef": {"selector": {"matchLabels": {"param": "yes"}}, "parameterNotFoundAction": "Deny"}});
    let by_params = ["p", "q", "r"]
        .iter()
        .fold(Suite::new("audit annotations").policy("$S", of_params).bind("$S", selected), |suite, name| {
            suite.object(param(name))
        });
    let keys: Vec<Value> =
        (0..20).map(|i| json!({"key": format!("k{i}"), "valueExpression": long(&format!("'{i}'"))})).collect();
    let many = base(json!({"auditAnnotations": keys}));
    let of_many = ["$S-a", "$S-b"]
        .iter()
        .fold(Suite::new("audit annotations"), |suite, name| suite.policy(name, many.clone()).bind(name, json!({})));
    let message = "'xxxxxxxxxxxxxxxxxxxx'.replace('x', 'xxxxxxxxxxxxxxxxxxxx').replace('x', 'xxxxxxxxxx')";
    let failing = json!({"expression": "false", "messageExpression": message});
    let failures = Suite::new("audit annotations")
        .policy("$S", base(json!({"validations": [failing, failing, failing, failing]})))
        .bind("$S", json!({"validationActions": ["Audit"]}));
    [by_params, of_many, failures].map(asked).into()
}

/// Several policies and bindings that judge one object.
fn several() -> Vec<Suite> {
    let mut suites = Vec::new();
    let spec = |expression: &str, message: &str| base(json!({"validations": [must(expression, message)]}));
    let warn = || json!({"validationActions": ["Warn"]});
    for (first, second) in
        [("true", "false"), ("false", "true"), ("false", "false"), ("object.spec.nope == 1", "false")]
    {
        let two =
            || Suite::new("several policies").policy("$S-a", spec(first, "of a")).policy("$S-b", spec(second, "of b"));
        suites.push(asked(two().bind("$S-a", json!({})).bind("$S-b", json!({}))));
        suites.push(asked(two().bind("$S-a", warn()).bind("$S-b", warn())));
        suites.push(asked(two().bind("$S-a", warn()).bind("$S-b", json!({}))));
        suites.push(asked(two().bind("$S-a", json!({})).bind_as("$S-a2", "$S-a", warn())));
        suites.push(asked(two().bind("$S-a", json!({"validationActions": ["Audit"]})).bind_as(
            "$S-a2",
            "$S-a",
            warn(),
        )));
    }
    suites
}
