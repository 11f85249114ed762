//! Match policy: requests in another version than the one that rules name, which the API server converts.

use serde_json::{Value, json};

use super::super::api::{CUSTOM_GROUP, object, overlaid};
use super::super::suite::{Suite, apply, create, json_patch, rule};

const TOPIC: &str = "match policy";

/// The suites.
pub fn suites() -> Vec<Suite> {
    let custom = |version: &str| format!("{CUSTOM_GROUP}/{version}/widgets");
    let mut suites = Vec::new();
    for policy in ["Equivalent", "Exact"] {
        for rules in [
            vec![custom("v1")],
            vec![custom("v2")],
            vec![custom("v1"), custom("v2")],
            vec!["autoscaling/v1/horizontalpodautoscalers".to_owned()],
            vec!["autoscaling/v2/horizontalpodautoscalers".to_owned()],
            vec!["/v1/events".to_owned()],
            vec!["events.k8s.io/v1/events".to_owned()],
        ] {
            let rules: Vec<Value> = rules.iter().map(|what| rule(what, &["CREATE", "UPDATE"])).collect();
            let constraints = json!({"matchPolicy": policy, "resourceRules": rules});
            suites.push(asked(validating(constraints.clone()), policy, &rules));
            for mutation in [
                json_patch(
                    "[JSONPatch{op: 'add', path: '/metadata/annotations', \
                     value: {'seen': request.kind.version + string(object.apiVersion)}}]",
                ),
                apply("Object{metadata: Object.metadata{labels: {'seen': request.resource.version}}}"),
            ] {
                let spec = json!({"matchConstraints": constraints.clone(), "mutations": [mutation]});
                suites.push(asked(Suite::mutating(TOPIC, spec), policy, &rules));
            }
        }
    }
    suites
}

fn validating(constraints: Value) -> Suite {
    let shown = "request.kind.version + ' ' + request.requestKind.version + ' ' + request.resource.version + ' ' + \
                 string(object.apiVersion) + ' ' + string(has(object.spec) && has(object.spec.metrics)) + \
                 string(has(object.spec) && has(object.spec.extra))";
    let spec = json!({"matchConstraints": constraints,
        "matchConditions": [{"name": "kind", "expression": "request.resource.version != 'v9'"}],
        "validations": [{"expression": "false", "messageExpression": shown}]});
    Suite::validating(TOPIC, spec)
}

/// Objects in every version. Where the match policy is Equivalent the webhook is asked by the policy's own rules, as
/// `portcullis webhook-config` writes them: then the API server converts objects for it as it does for policies.
fn asked(suite: Suite, policy: &str, rules: &[Value]) -> Suite {
    let autoscaler = |version: &str, rest: Value| {
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"});
        let base = json!({"spec": {"maxReplicas": 3, "scaleTargetRef": target}});
        object(&format!("autoscaling/{version}"), "HorizontalPodAutoscaler", "a", overlaid(base, rest))
    };
    let widget = |version: &str, rest: Value| object(&format!("{CUSTOM_GROUP}/{version}"), "Widget", "a", rest);
    let rules: Vec<Value> = rules.iter().map(|rule| overlaid(rule.clone(), json!({"scope": "*"}))).collect();
    let suite = if policy == "Exact" { suite } else { suite.webhook_rules(json!(rules)) };
    let metric = json!({"type": "Resource", "resource":
        {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}});
    suite
        .ask(create(autoscaler("v1", json!({"spec": {"targetCPUUtilizationPercentage": 50}}))))
        .ask(create(autoscaler("v2", json!({"spec": {"metrics": [metric]}}))))
        .ask(create(widget("v1", json!({"spec": {"size": 1}}))))
        .ask(create(widget("v2", json!({"spec": {"size": 1, "extra": "x"}}))))
        .ask(create(object("v1", "Event", "a", json!({"involvedObject": {"namespace": "$S"}, "type": "Normal"}))))
}
