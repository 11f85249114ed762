//! Suites put together at random, from a fixed seed: rules, selectors, conditions, variables, validations, actions,
//! params, mutations and objects that the tables of `topics` don't combine.

use serde_json::{Value, json};

use super::super::random::Random;
use super::api::{config_map, object, overlaid, service, widget};
use super::suite::{Ask, Suite, apply, create, json_patch, merge, rule};

const TOPIC: &str = "generated";

/// As many suites as asked for, the same for the same seed.
pub fn suites(count: usize, seed: u64) -> Vec<Suite> {
    let mut dice = Random::new(seed);
    (0..count).map(|_| suite(&mut dice)).collect()
}

const RESOURCES: &[&str] = &[
    "/v1/configmaps",
    "/v1/secrets",
    "/v1/services",
    "*/v1/*",
    "*/*/*",
    "/v1/*",
    "differential.portcullis.dev/*/*",
    "*/*/widgets",
];
const OPERATIONS: &[&[&str]] =
    &[&["CREATE"], &["UPDATE"], &["CREATE", "UPDATE"], &["CREATE", "UPDATE"], &["*"], &["DELETE"]];

/// Boolean expressions on any object; some fail.
const CONDITIONS: &[&str] = &[
    "true",
    "false",
    "has(object.metadata.labels)",
    "object.metadata.name.startsWith('a')",
    "object.metadata.name.size() > 3",
    "'team' in object.metadata.labels",
    "has(object.metadata.labels) && object.metadata.labels.?team.orValue('') == 'home'",
    "request.operation == 'CREATE'",
    "request.operation != 'DELETE' && object.kind == 'ConfigMap'",
    "oldObject == null",
    "oldObject != null && oldObject.metadata.name == request.name",
    "request.userInfo.username == 'alice'",
    "request.resource.resource in ['configmaps', 'widgets']",
    "has(object.data) && object.data.all(k, k.size() < 3)",
    "object.data.exists(k, object.data[k] == 'v')",
    "object.spec.size > 2",
    "object.spec.?size.orValue(0) < 3",
    "!has(object.spec) || !has(object.spec.tags) || object.spec.tags.all(t, t != 'bad')",
    "int(object.metadata.labels.rank) >= 3",
    "object.metadata.?annotations['note'].orValue('').matches('^[a-z ]*$')",
    "quantity(object.metadata.labels.memory).isLessThan(quantity('1Gi'))",
    "object.metadata.labels.map(k, object.metadata.labels[k]).size() == 2",
];

/// Texts on any object; some fail, some are empty.
const TEXTS: &[&str] = &[
    "'plain'",
    "''",
    "'name ' + string(request.name)",
    "string(object.metadata.name) + ' in ' + string(request.namespace)",
    "string(object.metadata.labels.team)",
    "request.operation + ' of ' + request.kind.kind",
    "'rank ' + string(int(object.metadata.labels.rank) + 1)",
    "'two\\nlines'",
    "string(object.metadata.?labels['team'].orValue('nobody'))",
    "[request.operation, request.userInfo.username].join('/')",
];

const REASONS: &[&str] = &["Unauthorized", "Forbidden", "Invalid", "RequestEntityTooLarge"];
const ACTIONS: &[&[&str]] = &[&["Deny"], &["Deny"], &["Deny", "Audit"], &["Warn"], &["Audit"], &["Warn", "Audit"]];

const PATCHES: &[&str] = &[
    "[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'note': 'patched'}}]",
    "has(object.metadata.labels) ? [JSONPatch{op: 'add', path: '/metadata/labels/seen', value: 'yes'}] : []",
    "[JSONPatch{op: 'test', path: '/metadata/labels/team', value: 'home'}, JSONPatch{op: 'remove', path: '/metadata/labels/team'}]",
    "[JSONPatch{op: 'copy', from: '/metadata/name', path: '/metadata/labels/name'}]",
    "object.kind == 'ConfigMap' && has(object.data) ? [JSONPatch{op: 'add', path: '/data/extra', value: string(object.data.size())}] : []",
    "[JSONPatch{op: 'replace', path: '/metadata/labels/rank', value: '9'}]",
];
const APPLIED: &[&str] = &[
    "Object{metadata: Object.metadata{labels: {'seen': request.operation}}}",
    "Object{metadata: Object.metadata{annotations: {'note': string(object.metadata.name)}}}",
    "Object{metadata: Object.metadata{?labels: oldObject == null ? optional.of({'fresh': 'yes'}) : optional.none()}}",
    "Object{metadata: Object.metadata{labels: {'rank': string(int(object.metadata.labels.rank) + 1)}}}",
    "Object{metadata: Object.metadata{finalizers: ['example.com/' + string(object.metadata.name)]}}",
];

fn suite(dice: &mut Random) -> Suite {
    let mutates = dice.once_in(3);
    let mut spec =
        json!({"matchConstraints": constraints(dice), "failurePolicy": dice.one(&["Fail", "Fail", "Ignore"])});
    if dice.once_in(3) {
        let conditions: Vec<Value> =
            (0..=dice.below(2)).map(|i| json!({"name": format!("c{i}"), "expression": dice.one(CONDITIONS)})).collect();
        spec["matchConditions"] = conditions.into();
    }
    let has_params = dice.once_in(4);
    if has_params {
        spec["paramKind"] = json!({"apiVersion": "v1", "kind": "ConfigMap"});
    }
    let mut condition = dice.one(CONDITIONS).to_owned();
    if dice.once_in(3) {
        spec["variables"] =
            json!([{"name": "first", "expression": condition}, {"name": "text", "expression": dice.one(TEXTS)}]);
        condition = format!("variables.first || variables.text == 'plain' || {}", dice.one(CONDITIONS));
    }
    if has_params {
        condition = format!("({condition}) && (params == null || string(params.data.team) != 'none')");
    }
    if mutates {
        spec["mutations"] = (0..=dice.below(2)).map(|_| mutation(dice)).collect();
        spec["reinvocationPolicy"] = json!(dice.one(&["Never", "IfNeeded"]));
    } else {
        spec["validations"] = json!([validation(dice, &condition)]);
        if dice.once_in(2) {
            let another = dice.one(CONDITIONS).to_owned();
            spec["validations"].as_array_mut().unwrap().push(validation(dice, &another));
        }
        if dice.once_in(3) {
            spec["auditAnnotations"] = json!([{"key": "text", "valueExpression": dice.one(TEXTS)}]);
        }
    }
    let mut binding = json!({});
    if !mutates {
        binding["validationActions"] = json!(dice.one(ACTIONS));
    }
    if has_params {
        let reference = match dice.below(3) {
            0 => json!({"name": "params"}),
            1 => json!({"name": "absent"}),
            _ => json!({"selector": {"matchLabels": {"param": "yes"}}}),
        };
        binding["paramRef"] = overlaid(reference, json!({"parameterNotFoundAction": dice.one(&["Allow", "Deny"])}));
    }
    if dice.once_in(4) {
        binding["matchResources"] = json!({"objectSelector": selector(dice)});
    }
    let mut suite = Suite::new(TOPIC)
        .namespace_labels(json!({"team": dice.one(&["home", "work"])}))
        .object(config_map("params", json!({"metadata": {"labels": {"param": "yes"}}, "data": {"team": "home"}})))
        .policy("$S", spec)
        .bind("$S", binding);
    for i in 0..3 {
        suite = suite.ask(create(thing(dice, &format!("a{i}"))));
    }
    let stored = thing(dice, "stored");
    let patch: Ask = merge(&stored, json!({"metadata": {"labels": labels(dice)}}));
    suite = suite.object(stored).ask(patch);
    let deleted = thing(dice, "deleted");
    suite.delete(deleted)
}

fn constraints(dice: &mut Random) -> Value {
    let mut constraints = json!({"resourceRules": [rule(dice.one(RESOURCES), dice.one(OPERATIONS))]});
    if dice.once_in(2) {
        constraints["resourceRules"].as_array_mut().unwrap().push(rule(dice.one(RESOURCES), dice.one(OPERATIONS)));
    }
    if dice.once_in(5) {
        constraints["excludeResourceRules"] = json!([rule(dice.one(RESOURCES), dice.one(OPERATIONS))]);
    }
    if dice.once_in(5) {
        constraints["objectSelector"] = selector(dice);
    }
    if dice.once_in(5) {
        constraints["namespaceSelector"] = json!({"matchLabels": {"team": "home"}});
    }
    constraints
}

fn selector(dice: &mut Random) -> Value {
    let selectors = [
        json!({"matchLabels": {"team": "home"}}),
        json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}),
        json!({"matchExpressions": [{"key": "rank", "operator": "NotIn", "values": ["1", "x"]}]}),
    ];
    dice.one(&selectors)
}

fn validation(dice: &mut Random, condition: &str) -> Value {
    let mut validation = json!({"expression": condition});
    if dice.once_in(2) {
        validation["message"] = json!(dice.one(&["not so", "  never ", "it's <no>"]));
    }
    if dice.once_in(3) {
        validation["messageExpression"] = json!(dice.one(TEXTS));
    }
    if dice.once_in(3) {
        validation["reason"] = json!(dice.one(REASONS));
    }
    validation
}

fn mutation(dice: &mut Random) -> Value {
    if dice.once_in(2) { json_patch(dice.one(PATCHES)) } else { apply(dice.one(APPLIED)) }
}

fn labels(dice: &mut Random) -> Value {
    let mut labels = json!({});
    if dice.once_in(2) {
        labels["team"] = json!(dice.one(&["home", "work"]));
    }
    if dice.once_in(2) {
        labels["rank"] = json!(dice.one(&["1", "3", "x"]));
    }
    if dice.once_in(4) {
        labels["memory"] = json!(dice.one(&["64Mi", "2Gi", "lots"]));
    }
    labels
}

fn thing(dice: &mut Random, name: &str) -> Value {
    let metadata = match dice.below(3) {
        0 => json!({}),
        1 => json!({"metadata": {"labels": labels(dice)}}),
        _ => json!({"metadata": {"labels": labels(dice), "annotations": {"note": dice.one(&["fine", "Not fine"])}}}),
    };
    match dice.below(5) {
        0 | 1 => {
            let data = dice.one(&[json!({}), json!({"data": {"k": "v"}}), json!({"data": {"long-key": "w"}})]);
            config_map(name, overlaid(metadata, data))
        }
        2 => object("v1", "Secret", name, overlaid(metadata, json!({"stringData": {"k": "v"}}))),
        3 => service(name, metadata),
        _ => {
            let specs = [json!({"size": 1}), json!({"size": 3, "tags": ["x"]}), json!({"tags": ["bad"]}), json!({})];
            widget(name, overlaid(metadata, json!({"spec": dice.one(&specs)})))
        }
    }
}
