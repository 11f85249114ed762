//! What expressions see: the request, the objects, the namespace, variables.

use serde_json::{Value, json};

use super::super::api::{
    cluster_object, cluster_widget, config_map, deployment, object, overlaid, pod, service, widget,
};
use super::super::suite::{Ask, Suite, by_objects, create, create_part, matching, merge, replace_part};

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = requests();
    suites.extend(objects());
    suites.extend(namespaces());
    suites.extend(variables());
    suites
}

/// Expressions whose text shows what a request is.
const SHOWN: &[&str] = &[
    "request.operation + ' ' + request.kind.group + '/' + request.kind.version + '/' + request.kind.kind",
    "request.resource.group + '/' + request.resource.version + '/' + request.resource.resource",
    "request.requestKind.kind + ' ' + request.requestResource.resource + ' ' + request.requestKind.version",
    "request.name.substring(0, 4)",
    "request.namespace",
    "request.subResource",
    "request.requestSubResource",
    "has(request.name) ? 'named ' + request.name.substring(0, 4) : 'unnamed'",
    "has(request.subResource) ? 'sub ' + request.subResource : 'whole'",
    "has(request.namespace) ? 'in ' + request.namespace : 'nowhere'",
    "request.userInfo.username + ' of ' + request.userInfo.groups.join(',')",
    "has(request.userInfo.uid) ? 'uid' : 'no uid'",
    "string(request.userInfo.extra['case'].size())",
    "string(request.dryRun)",
    "has(request.options) ? request.options.kind + ' ' + request.options.apiVersion : 'no options'",
    "string(has(request.options.dryRun)) + string(has(request.options.fieldManager))",
    "request.options.dryRun[0]",
    "request.uid",
    "string(object == null) + ' ' + string(oldObject == null)",
    "string(has(object.metadata))",
    "oldObject.metadata.name",
    "string(type(request.kind) == type(request.requestKind))",
    "string(request.kind == request.requestKind)",
];

/// A policy that warns with what an expression gives, or says why it gives nothing.
fn showing(expression: &str) -> Value {
    json!({"matchConstraints": {"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"],
            "operations": ["*"]}]},
        "matchConditions": [{"name": "not-a-workload", "expression": "request.kind.kind != 'Deployment'"}],
        "validations": [{"expression": format!("string({expression}) == 'nothing'"), "messageExpression": expression}],
        "auditAnnotations": [{"key": "shown", "valueExpression": format!("string({expression})")}]})
}

fn warning(expression: &str) -> Suite {
    let actions = json!({"validationActions": ["Warn", "Audit"]});
    Suite::new("what expressions see").policy("$S", showing(expression)).bind("$S", actions.clone()).bind_as(
        "$S-cluster",
        "$S",
        overlaid(by_objects(json!({})), actions),
    )
}

fn requests() -> Vec<Suite> {
    let suites = SHOWN.iter().map(|expression| {
        let stored = pod("stored", json!({}));
        let deployed = deployment("stored", json!({}));
        let mut generated = config_map("", json!({}));
        generated["metadata"] = json!({"namespace": "$S", "generateName": "generated-"});
        let scale = object("autoscaling/v1", "Scale", "stored", json!({"spec": {"replicas": 5}}));
        let mut exec = create_part(&stored, "exec?command=true&stdout=true", Value::Null);
        exec.method = hyper::Method::GET;
        warning(expression)
            .object(stored.clone())
            .object(deployed.clone())
            .ask(create(config_map("a", json!({}))))
            .ask(create(generated))
            .ask(create(cluster_widget("a", json!({}))))
            .ask(create(cluster_object("v1", "Namespace", "a", json!({}))).by("bob"))
            .update(config_map("changed", json!({})), config_map("changed", json!({"data": {"a": "b"}})))
            .delete(config_map("deleted", json!({})))
            .delete(cluster_object("v1", "Namespace", "deleted", json!({})))
            .ask(replace_part(&deployed, "scale", scale))
            .ask(create_part(&stored, "eviction", object("policy/v1", "Eviction", "stored", json!({}))))
            .ask(exec)
    });
    suites.collect()
}

fn objects() -> Vec<Suite> {
    let expressions = [
        "object.apiVersion + ' ' + object.kind",
        "has(object.metadata.labels) ? 'labelled' : 'unlabelled'",
        "has(object.metadata.annotations) ? 'annotated' : 'plain'",
        "string(has(object.metadata.uid)) + string(has(object.metadata.creationTimestamp)) + string(has(object.metadata.managedFields))",
        "string(has(object.metadata.generation)) + string(has(object.metadata.resourceVersion)) + string(has(object.metadata.selfLink))",
        "object.metadata.namespace",
        "string(has(object.spec)) + string(has(object.status))",
        "string(has(object.data)) + string(has(object.binaryData)) + string(has(object.immutable))",
        "object.spec.containers[0].imagePullPolicy + object.spec.containers[0].terminationMessagePath",
        "string(has(object.spec.containers[0].resources)) + string(has(object.spec.securityContext))",
        "string(has(object.spec.nodeName)) + string(has(object.spec.serviceAccountName)) + string(object.spec.tolerations.size())",
        "string(object.spec.priority) + object.spec.preemptionPolicy",
        "object.spec.ports.map(p, string(p.port) + p.protocol + string(p.targetPort)).join(',')",
        "object.spec.type + object.spec.sessionAffinity + string(has(object.spec.clusterIPs))",
        "object.spec.color + string(object.spec.size)",
        "string(object.spec.size + 1) + string(object.spec.size * 2.0)",
        "string(object.spec.port)",
        "type(object.spec.port) == int ? 'int' : 'other'",
        "string(object.spec.free.a.b) + string(object.spec.free.list[0])",
        "object.stringData.k",
        "string(object.data.k)",
        "string(object.data.k == b'v')",
        "object.type",
        "object.spec.?template.?spec.?containers[0].?image.orValue('none')",
        "string(object.metadata.?labels['a'].hasValue())",
        "string(object.metadata.labels.exists(k, k == 'a'))",
        "string(dyn(object) == dyn(object))",
        "string(timestamp(object.metadata.creationTimestamp) > timestamp('2020-01-01T00:00:00Z'))",
    ];
    let suites = expressions.iter().map(|expression| {
        warning(expression).create_all([
            config_map("a", json!({"data": {"k": "v"}, "metadata": {"labels": {"a": "b"}}})),
            object("v1", "Secret", "a", json!({"stringData": {"k": "v"}})),
            pod("a", json!({"metadata": {"annotations": {"a": "b"}}})),
            service("a", json!({})),
            widget("a", json!({"spec": {"size": 3, "port": 80, "free": {"a": {"b": 1.5}, "list": [true]}}})),
            widget("b", json!({"spec": {"port": "http", "color": "red"}})),
        ])
    });
    suites.collect()
}

fn namespaces() -> Vec<Suite> {
    let expressions = [
        "namespaceObject.metadata.name",
        "string(namespaceObject.metadata.labels.exists(k, k == 'team'))",
        "namespaceObject.metadata.labels['team']",
        "string(namespaceObject == null)",
        "string(has(namespaceObject.spec)) + string(has(namespaceObject.status)) + string(has(namespaceObject.metadata.annotations))",
        "namespaceObject.status.phase",
        "namespaceObject.spec.finalizers.join(',')",
        "string(has(namespaceObject.metadata.uid)) + string(has(namespaceObject.metadata.resourceVersion))",
        "string(namespaceObject.metadata.creationTimestamp > timestamp('2020-01-01T00:00:00Z'))",
        "string(type(namespaceObject.metadata.creationTimestamp) == google.protobuf.Timestamp)",
    ];
    let suites = expressions.iter().map(|expression| {
        warning(expression)
            .namespace_labels(json!({"team": "home"}))
            .create_all([config_map("a", json!({})), cluster_widget("a", json!({}))])
            .ask(create(cluster_object("v1", "Namespace", "a", json!({}))))
            .delete(config_map("deleted", json!({})))
    });
    suites.collect()
}

fn variables() -> Vec<Suite> {
    let variable = |name: &str, expression: &str| json!({"name": name, "expression": expression});
    let lists = [
        json!([variable("name", "object.metadata.name"), variable("twice", "variables.name + variables.name")]),
        json!([variable("name", "'x'"), variable("twice", "string(size(variables.name))")]),
        json!([variable("name", "request.operation"), variable("twice", "object.spec.nope")]),
        json!([variable("name", "object.spec.nope"), variable("twice", "'fine'")]),
        json!([variable("name", "oldObject.metadata.name"), variable("twice", "variables.name")]),
        json!([
            variable("name", "namespaceObject.metadata.name"),
            variable("twice", "[variables.name, variables.name].join('+')")
        ]),
        json!([variable("name", "object.metadata.?labels['a'].orValue('none')"), variable("twice", "'v'")]),
    ];
    let expressions = ["variables.name", "variables.twice", "variables.name + '/' + variables.twice"];
    let mut suites = Vec::new();
    for list in &lists {
        for expression in expressions {
            let mut spec = showing(expression);
            spec["variables"] = list.clone();
            spec["matchConstraints"] = matching("/v1/configmaps", &["*"]);
            let suite = Suite::new("variables").policy("$S", spec);
            let suite = suite.bind("$S", json!({"validationActions": ["Warn", "Audit"]}));
            let labelled = config_map("b", json!({"metadata": {"labels": {"a": "b"}}}));
            let patched: Ask = merge(&config_map("changed", json!({})), json!({"data": {"k": "v"}}));
            suites.push(
                suite
                    .object(config_map("changed", json!({})))
                    .create_all([config_map("a", json!({})), labelled])
                    .ask(patched)
                    .delete(config_map("deleted", json!({}))),
            );
        }
    }
    suites
}
