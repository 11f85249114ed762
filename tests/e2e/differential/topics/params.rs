//! Params: by name and by selector, namespaced and cluster-scoped, absent, several; several bindings.

use serde_json::{Value, json};

use super::super::api::{CUSTOM_GROUP, cluster_object, cluster_widget, config_map, object, widget};
use super::super::suite::{Suite, by_objects, matching, must};

const TOPIC: &str = "params";

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = by_name();
    suites.extend(by_selector());
    suites.extend(cluster_params());
    suites.extend(other_kinds());
    suites.extend(unusable());
    suites
}

fn kind(api_version: &str, kind: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind})
}

fn config_map_kind() -> Value {
    kind("v1", "ConfigMap")
}

/// Objects that the policies judge: secrets whose type says what they want of the params.
fn asked(suite: Suite) -> Suite {
    suite.create_all(["a", "b", "none"].map(|value| {
        object("v1", "Secret", value, json!({"type": format!("x/{value}"), "metadata": {"labels": {"want": value}}}))
    }))
}

const WANTED: &str = "params == null || object.metadata.labels.want in params.data.values.split(',')";
const MESSAGE: &str = "params == null ? 'no params' : 'not in ' + params.metadata.namespace + '/' + params.metadata.name + ' ' + params.kind";

fn spec(failure_policy: &str) -> Value {
    json!({"failurePolicy": failure_policy, "paramKind": config_map_kind(),
        "matchConstraints": matching("/v1/secrets", &["CREATE"]),
        "validations": [{"expression": WANTED, "messageExpression": MESSAGE}]})
}

fn values(name: &str, values: &str, labels: Value) -> Value {
    config_map(name, json!({"data": {"values": values}, "metadata": {"labels": labels}}))
}

fn by_name() -> Vec<Suite> {
    let mut suites = Vec::new();
    for failure_policy in ["Fail", "Ignore"] {
        for not_found in ["Allow", "Deny"] {
            for reference in [
                json!({"name": "params"}),
                json!({"name": "absent"}),
                json!({"name": "params", "namespace": "$S"}),
                json!({"name": "params", "namespace": "$S-other"}),
                json!({"name": "absent", "namespace": "$S-other"}),
                json!({"name": "params", "namespace": "$S-nowhere"}),
            ] {
                let mut reference = reference;
                reference["parameterNotFoundAction"] = json!(not_found);
                let mut other = values("params", "b", json!({}));
                other["metadata"]["namespace"] = json!("$S-other");
                let suite = Suite::validating(TOPIC, json!({})).object(values("params", "a,z", json!({})));
                let suite = Suite { policies: Vec::new(), ..suite }
                    .object(cluster_object("v1", "Namespace", "other", json!({})))
                    .object(other)
                    .policy("$S", spec(failure_policy))
                    .bind("$S", json!({"paramRef": reference}));
                suites.push(asked(suite));
            }
        }
    }
    // A binding without a reference evaluates with null; a reference without a kind means nothing.
    suites.push(asked(Suite::validating(TOPIC, spec("Fail"))));
    let no_kind = json!({"matchConstraints": matching("/v1/secrets", &["CREATE"]),
        "validations": [must("object.metadata.name == 'a'", "not a")]});
    let reference = json!({"paramRef": {"name": "params", "parameterNotFoundAction": "Deny"}});
    suites.push(asked(Suite::new(TOPIC).policy("$S", no_kind).bind("$S", reference)));
    // Params in conditions, variables, annotations.
    let everywhere = json!({"paramKind": config_map_kind(), "matchConstraints": matching("/v1/secrets", &["CREATE"]),
        "matchConditions": [{"name": "wanted", "expression": "params.data.values != object.metadata.name"}],
        "variables": [{"name": "first", "expression": "params.data.values.split(',')[0]"}],
        "validations": [{"expression": "variables.first == object.metadata.name", "messageExpression": "'not ' + variables.first"}],
        "auditAnnotations": [{"key": "first", "valueExpression": "variables.first"}]});
    for list in ["a", "b", "b,a", "none,b"] {
        let reference = json!({"name": "params", "parameterNotFoundAction": "Deny"});
        let suite = Suite::new(TOPIC)
            .object(values("params", list, json!({})))
            .policy("$S", everywhere.clone())
            .bind("$S", json!({"paramRef": reference, "validationActions": ["Deny", "Audit"]}));
        suites.push(asked(suite));
    }
    suites
}

fn by_selector() -> Vec<Suite> {
    let mut suites = Vec::new();
    for not_found in ["Allow", "Deny"] {
        for selector in [
            json!({"matchLabels": {"set": "one"}}),
            json!({"matchLabels": {"set": "both"}}),
            json!({"matchLabels": {"set": "none"}}),
            json!({"matchExpressions": [{"key": "set", "operator": "In", "values": ["one", "both"]}]}),
            json!({"matchExpressions": [{"key": "set", "operator": "NotIn", "values": ["both"]}]}),
            json!({"matchExpressions": [{"key": "set", "operator": "Exists"}]}),
            json!({"matchExpressions": [{"key": "set", "operator": "DoesNotExist"}]}),
        ] {
            let reference = json!({"selector": selector, "parameterNotFoundAction": not_found});
            let annotated = overlaid(
                spec("Fail"),
                json!({"auditAnnotations": [
                {"key": "values", "valueExpression": "params == null ? null : string(params.data.values)"},
                {"key": "same", "valueExpression": "params == null ? '' : 'the same'"}]}),
            );
            let suite = Suite::new(TOPIC)
                .object(values("one", "a", json!({"set": "one"})))
                .object(values("two", "a,b", json!({"set": "both"})))
                .object(values("three", "b", json!({"set": "both"})))
                .object(values("unlabelled", "a,b", json!({})))
                .policy("$S", annotated)
                .bind("$S", json!({"paramRef": reference}));
            suites.push(asked(suite));
        }
    }
    // Two bindings with params of their own.
    for (first, second) in [("one", "two"), ("one", "absent"), ("two", "two"), ("absent", "absent")] {
        let reference = |name: &str| json!({"paramRef": {"name": name, "parameterNotFoundAction": "Deny"}});
        let annotated = overlaid(
            spec("Fail"),
            json!({"auditAnnotations": [
            {"key": "values", "valueExpression": "string(params.data.values)"}]}),
        );
        let suite = Suite::new(TOPIC)
            .object(values("one", "a", json!({})))
            .object(values("two", "a,b", json!({})))
            .policy("$S", annotated)
            .bind_as("$S-1", "$S", reference(first))
            .bind_as("$S-2", "$S", reference(second));
        suites.push(asked(suite));
    }
    suites
}

fn cluster_params() -> Vec<Suite> {
    let mut suites = Vec::new();
    let param_kind = kind(&format!("{CUSTOM_GROUP}/v1"), "ClusterWidget");
    for reference in [
        json!({"name": "$S-params"}),
        json!({"name": "$S-absent"}),
        json!({"selector": {"matchLabels": {"suite": "$S"}}}),
        json!({"selector": {"matchLabels": {"suite": "none"}}}),
    ] {
        for not_found in ["Allow", "Deny"] {
            let mut reference = reference.clone();
            reference["parameterNotFoundAction"] = json!(not_found);
            let spec = json!({"paramKind": param_kind, "matchConstraints": matching("*/*/*", &["CREATE"]),
                "validations": [{"expression": "object.metadata.name.endsWith(params.spec.name)",
                    "messageExpression": "params.kind + ' wants ' + params.spec.name + ' in ' + params.spec.color"}]});
            let suite = Suite::new(TOPIC)
                .object(cluster_widget("params", json!({"spec": {"name": "a"}})))
                .policy("$S", spec.clone())
                .bind("$S", json!({"paramRef": reference}))
                .bind_as("$S-cluster", "$S", {
                    let mut binding = by_objects(json!({}));
                    binding["paramRef"] = reference.clone();
                    binding
                });
            suites.push(asked(suite).create_all([
                cluster_object("v1", "Namespace", "a", json!({})),
                cluster_object("v1", "Namespace", "b", json!({})),
            ]));
        }
    }
    suites
}

/// Custom resources and other built-in kinds as params; namespaced params for cluster-scoped objects.
fn other_kinds() -> Vec<Suite> {
    let mut suites = Vec::new();
    let reference = json!({"paramRef": {"name": "params", "parameterNotFoundAction": "Deny"}});
    let spec = json!({"paramKind": kind(&format!("{CUSTOM_GROUP}/v1"), "Widget"),
        "matchConstraints": matching("/v1/secrets", &["CREATE"]),
        "validations": [{"expression": "params.spec.size > 1 && params.spec.tags.exists(t, t == object.metadata.name)",
            "messageExpression": "'size ' + string(params.spec.size) + ' of ' + params.apiVersion"}]});
    for (size, tags) in [(1, json!(["a"])), (2, json!(["a", "b"])), (2, Value::Null)] {
        let mut param = widget("params", json!({"spec": {"size": size}}));
        if !tags.is_null() {
            param["spec"]["tags"] = tags;
        }
        suites.push(asked(Suite::new(TOPIC).object(param).policy("$S", spec.clone()).bind("$S", reference.clone())));
    }
    for named in [Value::Null, json!("$S")] {
        let mut reference = json!({"name": "params", "parameterNotFoundAction": "Deny"});
        if !named.is_null() {
            reference["namespace"] = named;
        }
        for failure_policy in ["Fail", "Ignore"] {
            let spec = json!({"failurePolicy": failure_policy, "paramKind": config_map_kind(),
                "matchConstraints": matching("*/*/*", &["CREATE", "DELETE"]),
                "validations": [must("object == null || object.metadata.name.endsWith(params.data.values)", "wrong name")]});
            let mut binding = by_objects(json!({}));
            binding["paramRef"] = reference.clone();
            let suite =
                Suite::new(TOPIC).object(values("params", "a", json!({}))).policy("$S", spec).bind("$S", binding);
            suites.push(
                suite
                    .create_all([
                        cluster_widget("a", json!({})),
                        cluster_widget("b", json!({})),
                        cluster_object("v1", "Namespace", "a", json!({})),
                    ])
                    .delete(cluster_widget("c", json!({}))),
            );
        }
    }
    suites
}

/// Params that can't be had, whatever the objects are.
fn unusable() -> Vec<Suite> {
    let mut suites = Vec::new();
    for failure_policy in ["Fail", "Ignore"] {
        // A namespace for a kind that has none.
        let spec = json!({"failurePolicy": failure_policy,
            "paramKind": kind(&format!("{CUSTOM_GROUP}/v1"), "ClusterWidget"),
            "matchConstraints": matching("/v1/secrets", &["CREATE"]), "validations": [must("true", "never")]});
        let reference = json!({"name": "x", "namespace": "$S", "parameterNotFoundAction": "Allow"});
        let param = cluster_widget("params", json!({}));
        suites
            .push(asked(Suite::new(TOPIC).object(param).policy("$S", spec).bind("$S", json!({"paramRef": reference}))));
        // A mutating policy that misses its param.
        let mutation = json!({"failurePolicy": failure_policy, "paramKind": config_map_kind(),
            "matchConstraints": matching("/v1/secrets", &["CREATE"]),
            "mutations": [super::super::suite::apply("Object{metadata: Object.metadata{annotations: {'from': params.data.values}}}")]});
        for (name, not_found) in [("absent", "Allow"), ("absent", "Deny"), ("params", "Deny")] {
            let reference = json!({"paramRef": {"name": name, "parameterNotFoundAction": not_found}});
            let suite = Suite::new(TOPIC).object(values("params", "a", json!({})));
            suites.push(asked(suite.policy("$S", mutation.clone()).bind("$S", reference)));
        }
    }
    suites
}

use super::super::api::overlaid;
