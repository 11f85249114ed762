//! `authorizer` in expressions: what users may do by roles of the suites' own, in every place that an expression has.

use serde_json::{Value, json};

use super::super::api::{config_map, object, overlaid};
use super::super::suite::{Ask, NAME, Suite, apply, create, json_patch, matching, must};

const TOPIC: &str = "authorizer";

/// A user whom only the suite's roles allow anything.
const CLERK: &str = "clerk";

/// Decisions. The suite's namespace is $S.
const DECISIONS: &[&str] = &[
    "authorizer.requestResource.check('create')",
    "authorizer.requestResource.check('delete')",
    "authorizer.requestResource.check('impersonate')",
    "authorizer.group('').resource('configmaps').check('create')",
    "authorizer.group('').resource('configmaps').namespace('$S').check('create')",
    "authorizer.group('').resource('configmaps').namespace('default').check('create')",
    "authorizer.group('').resource('configmaps').namespace('$S').check('*')",
    "authorizer.group('').resource('secrets').namespace('$S').check('get')",
    "authorizer.group('').resource('secrets').namespace('$S').name('known').check('get')",
    "authorizer.group('').resource('secrets').namespace('$S').name(request.name).check('get')",
    "authorizer.group('apps').resource('deployments').namespace('$S').check('patch')",
    "authorizer.group('apps').resource('deployments').subresource('scale').namespace('$S').check('patch')",
    "authorizer.group('apps').resource('deployments/scale').namespace('$S').check('patch')",
    "authorizer.group('nope').resource('nopes').check('frobnicate')",
    "authorizer.group('').resource('').check('get')",
    "authorizer.group('').resource('pods').namespace('$S').fieldSelector('spec.nodeName=a').check('list')",
    "authorizer.group('').resource('pods').namespace('$S').fieldSelector('spec.nodeName===').check('list')",
    "authorizer.group('').resource('pods').namespace('$S').labelSelector('app in (a, b)').check('list')",
    "authorizer.group('').resource('pods').namespace('$S').labelSelector('app in (a').check('list')",
    "authorizer.path('/healthz').check('get')",
    "authorizer.path('/healthz').check('post')",
    "authorizer.path('/metrics').check('get')",
    "authorizer.path('/logs/' + request.name).check('get')",
    "authorizer.path('no slash').check('get')",
    "authorizer.path('').check('get')",
    "authorizer.serviceAccount('$S', 'robot').group('').resource('pods').namespace('$S').check('list')",
    "authorizer.serviceAccount('$S', 'robot').group('').resource('secrets').namespace('$S').check('list')",
    "authorizer.serviceAccount('default', 'robot').group('').resource('pods').namespace('$S').check('list')",
    "authorizer.serviceAccount('$S', 'robot').path('/healthz').check('get')",
    "authorizer.serviceAccount('Not a namespace', 'robot').path('/healthz').check('get')",
];

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = Vec::new();
    for decision in DECISIONS {
        suites.extend(places(decision));
    }
    suites.extend(mutations());
    suites
}

fn base(spec: Value) -> Value {
    overlaid(json!({"matchConstraints": matching("/v1/configmaps", &["CREATE", "UPDATE", "DELETE"])}), spec)
}

/// Policies that use a decision as the validation and in its message, in a condition, and in a variable of others.
fn places(decision: &str) -> Vec<Suite> {
    let told = format!("'reason <' + {decision}.reason() + '> error <' + {decision}.error() + '>'");
    let allowed = format!("{decision}.allowed()");
    let specs = [
        json!({"failurePolicy": "Ignore", "variables": [{"name": "told", "expression": told}],
            "validations": [{"expression": format!("variables.told.size() < 0 || {allowed}"),
                "messageExpression": "variables.told", "message": "the variable has no value"}],
            "auditAnnotations": [{"key": "told", "valueExpression": "variables.told"}]}),
        json!({"failurePolicy": "Ignore", "matchConditions": [{"name": "allowed", "expression": allowed}],
            "validations": [must("false", "allowed")]}),
        json!({"variables": [{"name": "decision", "expression": decision}],
            "validations": [must("!variables.decision.errored()", "errored"), must("variables.decision.allowed()", "no")],
            "auditAnnotations": [{"key": "told", "valueExpression": told}]}),
    ];
    specs.map(|spec| asked(Suite::validating(TOPIC, base(spec)))).into()
}

fn mutations() -> Vec<Suite> {
    let allowed = "authorizer.group('').resource('secrets').namespace('$S').check('get').allowed()";
    let label = format!(
        "{{'secrets': string({allowed}), 'own': string(authorizer.requestResource.check('create').allowed())}}"
    );
    let mutations = [
        apply(&format!("Object{{metadata: Object.metadata{{labels: {label}}}}}")),
        json_patch(&format!("[JSONPatch{{op: 'add', path: '/metadata/labels', value: {label}}}]")),
    ];
    let constraints = matching("/v1/configmaps", &["CREATE"]);
    let mut suites: Vec<Suite> = mutations
        .iter()
        .map(|mutation| Suite::mutating(TOPIC, json!({"matchConstraints": constraints, "mutations": [mutation]})))
        .collect();
    suites.push(Suite::mutating(
        TOPIC,
        json!({"matchConstraints": constraints, "mutations": [mutations[0]],
            "matchConditions": [{"name": "allowed", "expression": allowed}]}),
    ));
    suites.into_iter().map(asked).collect()
}

/// Requests of an administrator and of the clerk.
fn asked(suite: Suite) -> Suite {
    let by_clerk = |ask: Ask| ask.by(CLERK).of_group("clerks");
    let mut suite = with_roles(suite)
        .ask(create(config_map("a", json!({}))))
        .ask(by_clerk(create(config_map("known", json!({})))))
        .update(config_map("changed", json!({})), config_map("changed", json!({"data": {"k": "v"}})))
        .delete(config_map("deleted", json!({})));
    for ask in &mut suite.asks[2..] {
        *ask = by_clerk(ask.clone());
    }
    suite
}

fn with_roles(suite: Suite) -> Suite {
    let group = "rbac.authorization.k8s.io";
    let made = |kind: &str, name: &str, rest: Value| object(&format!("{group}/v1"), kind, name, rest);
    let bound = |name: &str, role: &str, subject: Value| {
        made(
            "RoleBinding",
            name,
            json!({"roleRef": {"apiGroup": group, "kind": "Role", "name": role}, "subjects": [subject]}),
        )
    };
    let clerk = json!({"kind": "User", "apiGroup": group, "name": CLERK});
    let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
    suite
        .object(made(
            "Role",
            "clerk",
            json!({"rules": [
                rule("", &["configmaps"], &["create", "update", "delete", "get"]),
                overlaid(rule("", &["secrets"], &["get"]), json!({"resourceNames": ["known"]})),
                rule("apps", &["deployments/scale"], &["patch"]),
                rule("", &["pods"], &["list"])]}),
        ))
        .object(bound("clerk", "clerk", clerk.clone()))
        // What the authorizer can't look up is told in the reason.
        .object(bound("dangling", "absent", clerk))
        .object(made("Role", "robot", json!({"rules": [rule("", &["pods"], &["list"])]})))
        .object(bound("robot", "robot", json!({"kind": "ServiceAccount", "name": "robot", "namespace": NAME})))
}
