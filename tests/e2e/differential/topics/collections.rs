//! Deletions of collections: each object is judged by itself, until one is refused.

use hyper::Method;
use serde_json::{Value, json};

use super::super::api::{config_map, path_of, widget};
use super::super::suite::{Ask, Suite, matching, must, rule};

const TOPIC: &str = "collections";

/// The suites.
pub fn suites() -> Vec<Suite> {
    let expressions = [
        "false",
        "oldObject.metadata.labels.set != 'one'",
        "oldObject != null && object == null",
        "oldObject.metadata.name != 'b'",
        "request.name == ''",
        "request.name == oldObject.metadata.name",
        "request.operation == 'DELETE' && request.namespace == '$S'",
        "request.?options.?kind.orValue('none') == 'DeleteOptions'",
        "request.options.?propagationPolicy.orValue('') == 'Foreground'",
        "request.dryRun",
        "has(oldObject.data.nope)",
        "oldObject.data.nope == 'x'",
    ];
    let mut suites = Vec::new();
    for failure_policy in ["Fail", "Ignore"] {
        for expression in expressions {
            let spec = json!({"failurePolicy": failure_policy,
                "matchConstraints": {"resourceRules": [rule("*/*/*", &["DELETE"])]}});
            let with = |rest: Value| super::super::api::overlaid(spec.clone(), rest);
            let told = "'refused <' + request.name + '> ' + oldObject.metadata.name";
            suites.push(asked(Suite::validating(
                TOPIC,
                with(json!({"validations": [{"expression": expression, "messageExpression": told}]})),
            )));
            suites.push(asked(Suite::validating(
                TOPIC,
                with(json!({"matchConditions": [{"name": "c", "expression": expression}],
                    "validations": [must("false", "matched")]})),
            )));
        }
    }
    for constraints in [
        json!({"objectSelector": {"matchLabels": {"set": "two"}}}),
        json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
            "operations": ["DELETE"], "resourceNames": ["b"]}]}),
        matching("/v1/configmaps", &["CREATE"]),
    ] {
        let everything = json!({"resourceRules": [rule("*/*/*", &["DELETE"])]});
        let constraints = super::super::api::overlaid(everything, constraints);
        let spec = json!({"matchConstraints": constraints, "validations": [must("false", "matched")]});
        suites.push(asked(Suite::validating(TOPIC, spec)));
    }
    suites
}

/// Collections of one object and of several.
fn asked(suite: Suite) -> Suite {
    let labelled = |set: &str| json!({"metadata": {"labels": {"set": set}}, "data": {"k": "v"}});
    let collection = |of: &Value, selector: &str| {
        let path = path_of(of, false);
        Ask::new(Method::DELETE, format!("{path}?labelSelector={selector}"), Value::Null)
    };
    let (maps, widgets) = (config_map("a", labelled("one")), widget("w", labelled("one")));
    let mut widgets_only = widgets.clone();
    widgets_only.as_object_mut().unwrap().remove("data");
    let mut with_options = collection(&maps, "set%3Done");
    with_options.body =
        json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground", "dryRun": ["All"]});
    suite
        .object(maps.clone())
        .object(config_map("b", labelled("two")))
        .object(config_map("c", labelled("two")))
        .object(widgets_only.clone())
        .ask(collection(&maps, "set%3Done"))
        .ask(collection(&maps, "set%3Dtwo"))
        .ask(collection(&maps, "set"))
        .ask(collection(&widgets_only, "set%3Done"))
        .ask(with_options)
}
