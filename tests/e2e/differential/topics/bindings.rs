//! Bindings that select nothing themselves, so that the policy's own constraints decide; and kinds of params that the
//! API server doesn't serve.

use serde_json::{Value, json};

use super::super::api::{CUSTOM_GROUP, config_map, object};
use super::super::suite::{LABEL, NAME, Suite, apply, must, rule};

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = everywhere();
    suites.extend(absent_kinds());
    suites
}

/// Constraints that keep a policy in its suite's namespace.
fn own(operations: &[&str]) -> Value {
    json!({"resourceRules": [rule("/v1/configmaps", operations)],
        "namespaceSelector": {"matchLabels": {LABEL: NAME}}})
}

fn asked(suite: Suite) -> Suite {
    let team = |name: &str, team: &str| config_map(name, json!({"metadata": {"labels": {"team": team}}}));
    suite
        .create_all([team("a", "home"), team("b", "work"), object("v1", "Secret", "a", json!({}))])
        .update(team("c", "work"), team("c", "home"))
        .delete(team("d", "home"))
}

fn everywhere() -> Vec<Suite> {
    let mut suites = Vec::new();
    let selects = json!({"matchResources": {"objectSelector": {"matchLabels": {"team": "home"}}}});
    for resources in [
        json!({}),
        json!({"matchResources": null}),
        json!({"matchResources": {}}),
        json!({"matchResources": {"resourceRules": []}}),
        json!({"matchResources": {"matchPolicy": "Exact"}}),
        json!({"matchResources": {"namespaceSelector": {}, "objectSelector": {}}}),
        json!({"matchResources": {"excludeResourceRules": [rule("/v1/configmaps", &["UPDATE"])]}}),
        json!({"matchResources": {"resourceRules": [rule("/v1/configmaps", &["DELETE"])]}}),
        selects.clone(),
    ] {
        let suite = || Suite::new("bindings without matchResources");
        let refuses = json!({"matchConstraints": own(&["*"]), "validations": [must("false", "matched")]});
        let labels = json!({"matchConstraints": own(&["CREATE", "UPDATE"]),
            "mutations": [apply("Object{metadata: Object.metadata{labels: {'seen': 'yes'}}}")]});
        suites.push(asked(suite().policy(NAME, refuses.clone()).bind_everywhere(NAME, NAME, resources.clone())));
        suites.push(asked(suite().policy(NAME, labels).bind_everywhere(NAME, NAME, resources.clone())));
        let mut warns = resources;
        warns["validationActions"] = json!(["Warn"]);
        let both = suite().policy(NAME, refuses).bind_everywhere("$S-warn", NAME, warns);
        suites.push(asked(both.bind_everywhere("$S-deny", NAME, selects.clone())));
    }
    suites
}

fn absent_kinds() -> Vec<Suite> {
    let mut suites = Vec::new();
    let custom = |version: &str| format!("{CUSTOM_GROUP}/{version}");
    for (api_version, kind) in [("v1".to_owned(), "Nope"), (custom("v9"), "Widget"), (custom("v1"), "Nope")] {
        for failure_policy in ["Fail", "Ignore"] {
            for reference in [
                json!({"name": "x", "parameterNotFoundAction": "Allow"}),
                json!({"name": "x", "namespace": NAME, "parameterNotFoundAction": "Deny"}),
                json!({"selector": {}, "parameterNotFoundAction": "Allow"}),
                Value::Null,
            ] {
                let spec = json!({"failurePolicy": failure_policy, "matchConstraints": own(&["CREATE", "DELETE"]),
                    "paramKind": {"apiVersion": api_version, "kind": kind}});
                let binding = if reference.is_null() { json!({}) } else { json!({"paramRef": reference}) };
                let mut refuses = spec.clone();
                refuses["validations"] = json!([must("params == null", "a param")]);
                let mut labels = spec;
                labels["matchConstraints"] = own(&["CREATE"]);
                labels["mutations"] = json!([apply("Object{metadata: Object.metadata{labels: {'seen': 'yes'}}}")]);
                for spec in [refuses, labels] {
                    suites.push(asked(Suite::new(ABSENT_KINDS).policy(NAME, spec).bind(NAME, binding.clone())));
                }
            }
        }
    }
    suites
}

/// The topic of param kinds that the API server doesn't serve.
pub const ABSENT_KINDS: &str = "absent param kinds";
