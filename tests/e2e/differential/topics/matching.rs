//! Which requests policies concern: rules, names, scope, exclusion, selectors, subresources.

use serde_json::{Value, json};

use super::super::api::{cluster_widget, config_map, deployment, object, pod, service, widget};
use super::super::suite::{Suite, by_objects, create, create_part, matching, merge, must, replace_part, rule};

/// The suites.
pub fn suites() -> Vec<Suite> {
    let mut suites = rules();
    suites.extend(selectors());
    suites.extend(subresources());
    suites.extend(cluster_scoped());
    suites
}

/// A policy that refuses whatever it matches.
fn refusing(constraints: Value) -> Suite {
    Suite::validating(
        "matching: rules",
        json!({"matchConstraints": constraints, "validations": [must("false", "matched")]}),
    )
}

fn some_of_all(suite: Suite) -> Suite {
    suite
        .create_all([
            config_map("a", json!({})),
            config_map("b", json!({"data": {"k": "v"}})),
            object("v1", "Secret", "a", json!({"stringData": {"k": "v"}})),
            service("a", json!({})),
            widget("a", json!({"spec": {"size": 1}})),
        ])
        .update(config_map("old", json!({})), config_map("old", json!({"data": {"k": "v"}})))
        .delete(config_map("gone", json!({})))
}

fn rules() -> Vec<Suite> {
    let with = |rule: Value| json!({"resourceRules": [rule]});
    let rules = [
        with(rule("/v1/configmaps", &["CREATE"])),
        with(rule("/v1/configmaps", &["UPDATE"])),
        with(rule("/v1/configmaps", &["DELETE"])),
        with(rule("/v1/configmaps", &["CONNECT"])),
        with(rule("/v1/configmaps", &["*"])),
        with(rule("/v2/configmaps", &["*"])),
        with(rule("apps/v1/configmaps", &["*"])),
        with(rule("*/v1/configmaps", &["CREATE", "DELETE"])),
        with(rule("/*/configmaps", &["CREATE", "UPDATE"])),
        with(rule("/v1/*", &["CREATE"])),
        with(rule("*/*/*", &["UPDATE"])),
        with(rule("*/*/*/*", &["DELETE"])),
        with(rule("differential.portcullis.dev/v1/widgets", &["CREATE"])),
        with(rule("differential.portcullis.dev/*/*", &["*"])),
        json!({"resourceRules": [rule("/v1/secrets", &["CREATE"]), rule("/v1/services", &["CREATE"])]}),
        json!({"resourceRules": [{"apiGroups": ["", "differential.portcullis.dev"], "apiVersions": ["v1"],
            "resources": ["widgets", "secrets"], "operations": ["CREATE"]}]}),
        json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
            "operations": ["CREATE", "UPDATE", "DELETE"], "resourceNames": ["a", "gone"]}]}),
        json!({"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"],
            "operations": ["*"], "resourceNames": ["a"], "scope": "Namespaced"}]}),
        json!({"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"],
            "operations": ["*"], "scope": "Cluster"}]}),
        json!({"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"],
            "operations": ["*"], "scope": "*"}]}),
        json!({"resourceRules": [rule("*/*/*", &["*"])], "excludeResourceRules": [rule("/v1/configmaps", &["*"])]}),
        json!({"resourceRules": [rule("*/*/*", &["*"])], "excludeResourceRules": [rule("/v1/configmaps", &["CREATE"])]}),
        json!({"resourceRules": [rule("/v1/configmaps", &["*"])], "excludeResourceRules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["*"],
             "resourceNames": ["a"]}]}),
        json!({"resourceRules": [rule("/v1/configmaps", &["*"])], "excludeResourceRules": [rule("*/*/*", &["*"])]}),
        json!({"resourceRules": [rule("/v1/*", &["*"])],
            "excludeResourceRules": [rule("/v1/secrets", &["CREATE"]), rule("/v1/services", &["CREATE"])]}),
        json!({"matchPolicy": "Exact", "resourceRules": [rule("/v1/configmaps", &["*"])]}),
    ];
    let mut suites: Vec<Suite> = rules.into_iter().map(|rules| some_of_all(refusing(rules))).collect();
    // The same rules in the binding: it narrows what the policy matches.
    let bound = |resources: Value| {
        let spec = json!({"matchConstraints": matching("/v1/*", &["CREATE", "UPDATE"]),
            "validations": [must("false", "matched")]});
        Suite::new("matching: bindings").policy("$S", spec).bind("$S", json!({"matchResources": resources}))
    };
    for resources in [
        json!({}),
        json!({"resourceRules": [rule("/v1/configmaps", &["*"])]}),
        json!({"resourceRules": [rule("/v1/secrets", &["DELETE"])]}),
        json!({"resourceRules": [rule("*/*/*", &["UPDATE"])]}),
        json!({"excludeResourceRules": [rule("/v1/configmaps", &["*"])]}),
        json!({"excludeResourceRules": [rule("/v1/secrets", &["CREATE"])]}),
        json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["*"],
            "operations": ["*"], "resourceNames": ["b", "old"]}]}),
        json!({"objectSelector": {"matchExpressions": [{"key": "x", "operator": "DoesNotExist"}]}}),
        json!({"matchPolicy": "Exact"}),
    ] {
        suites.push(some_of_all(bound(resources)));
    }
    suites
}

fn selectors() -> Vec<Suite> {
    let refusing = |constraints: Value| {
        let mut all = matching("/v1/configmaps", &["*"]);
        all.as_object_mut().unwrap().extend(constraints.as_object().unwrap().clone());
        let spec = json!({"matchConstraints": all, "validations": [must("false", "matched")]});
        Suite::validating("matching: selectors", spec)
            .namespace_labels(json!({"team": "home", "tier": "gold", "empty": ""}))
    };
    let expression = |key: &str, operator: &str, values: Value| {
        let mut expression = json!({"key": key, "operator": operator});
        if !values.is_null() {
            expression["values"] = values;
        }
        json!({"matchExpressions": [expression]})
    };
    let mut suites = Vec::new();
    let selectors = [
        json!({"matchLabels": {"team": "home"}}),
        json!({"matchLabels": {"team": "work"}}),
        json!({"matchLabels": {"empty": ""}}),
        json!({"matchLabels": {"none": ""}}),
        json!({"matchLabels": {"team": "home", "tier": "gold"}}),
        json!({"matchLabels": {"team": "home"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}),
        expression("team", "In", json!(["home", "work"])),
        expression("team", "In", json!(["work"])),
        expression("team", "NotIn", json!(["work"])),
        expression("team", "NotIn", json!(["home"])),
        expression("none", "NotIn", json!(["home"])),
        expression("team", "Exists", Value::Null),
        expression("none", "Exists", Value::Null),
        expression("team", "DoesNotExist", Value::Null),
        expression("none", "DoesNotExist", Value::Null),
        expression("kubernetes.io/metadata.name", "Exists", Value::Null),
        json!({}),
    ];
    for selector in &selectors {
        let labelled = |name: &str, labels: Value| config_map(name, json!({"metadata": {"labels": labels}}));
        suites.push(refusing(json!({"namespaceSelector": selector})).create_all([config_map("a", json!({}))]));
        suites.push(
            refusing(json!({"objectSelector": selector}))
                .create_all([
                    config_map("a", json!({})),
                    labelled("b", json!({"team": "home", "tier": "gold", "empty": ""})),
                    labelled("c", json!({"team": "work"})),
                ])
                // Either of the old and the new object is enough.
                .update(labelled("d", json!({"team": "home", "tier": "gold", "empty": ""})), config_map("d", json!({})))
                .update(config_map("e", json!({})), labelled("e", json!({"team": "home", "tier": "gold", "empty": ""})))
                .update(labelled("f", json!({"team": "work"})), labelled("f", json!({"team": "play"})))
                .delete(labelled("g", json!({"team": "home"})))
                .delete(labelled("h", json!({"team": "work"})))
                .delete(config_map("i", json!({}))),
        );
    }
    // Both at once, in the policy and in the binding.
    for (namespaces, objects) in [("home", "web"), ("home", "db"), ("work", "web")] {
        let constraints = json!({"namespaceSelector": {"matchLabels": {"team": namespaces}},
            "objectSelector": {"matchLabels": {"app": "web"}}});
        let object = config_map("a", json!({"metadata": {"labels": {"app": objects}}}));
        suites.push(refusing(constraints.clone()).create_all([object.clone()]));
        let spec =
            json!({"matchConstraints": matching("/v1/configmaps", &["*"]), "validations": [must("false", "matched")]});
        suites.push(
            Suite::new("matching: bindings")
                .policy("$S", spec)
                .bind("$S", json!({"matchResources": constraints}))
                .namespace_labels(json!({"team": "home"}))
                .create_all([object]),
        );
    }
    suites
}

fn subresources() -> Vec<Suite> {
    let scale =
        |name: &str, replicas: u64| object("autoscaling/v1", "Scale", name, json!({"spec": {"replicas": replicas}}));
    let patterns = [
        "/v1/pods",
        "/v1/pods/status",
        "/v1/pods/*",
        "/v1/*/status",
        "*/*/*",
        "*/*/*/*",
        "apps/v1/deployments/scale",
        "*/*/*/scale",
        "/v1/pods/ephemeralcontainers",
        "/v1/pods/eviction",
        "/v1/pods/binding",
        "/v1/pods/exec",
        "differential.portcullis.dev/v1/widgets/status",
    ];
    let suites = patterns.into_iter().map(|pattern| {
        let spec = json!({"matchConstraints": matching(pattern, &["CREATE", "UPDATE", "CONNECT"]),
            "validations": [must("request.subResource == 'none'", "matched")],
            "matchConditions": [{"name": "not-a-workload", "expression":
                "request.kind.kind != 'Deployment' || request.subResource != ''"}]});
        let stored = pod("stored", json!({}));
        let deployed = deployment("stored", json!({}));
        let custom = widget("stored", json!({"spec": {"size": 1}}));
        let mut with_status = stored.clone();
        with_status["status"] = json!({"phase": "Running"});
        let mut with_ephemeral = stored.clone();
        with_ephemeral["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox",
            "terminationMessagePolicy": "File", "imagePullPolicy": "Always", "terminationMessagePath": "/dev/log"}]);
        let mut ready = custom.clone();
        ready["status"] = json!({"ready": true});
        let mut exec = create_part(&stored, "exec?command=true&stdout=true", Value::Null);
        exec.method = hyper::Method::GET;
        Suite::validating("matching: subresources", spec)
            .object(stored.clone())
            .object(deployed.clone())
            .object(custom.clone())
            .ask(create(pod("new", json!({}))))
            .ask(replace_part(&stored, "status", with_status))
            .ask(replace_part(&stored, "ephemeralcontainers", with_ephemeral))
            .ask(create_part(&stored, "eviction", object("policy/v1", "Eviction", "stored", json!({}))))
            .ask(create_part(
                &stored,
                "binding",
                object("v1", "Binding", "stored", json!({"target": {"kind": "Node", "name": "n"}})),
            ))
            .ask(exec)
            .ask(replace_part(&deployed, "scale", scale("stored", 5)))
            .ask(merge(&deployed, json!({"spec": {"replicas": 4}})))
            .ask(merge(&custom, json!({"spec": {"size": 2}})))
            .ask(super::super::suite::Ask {
                method: hyper::Method::PATCH,
                content_type: "application/merge-patch+json",
                ..replace_part(&custom, "status", json!({"status": {"ready": true}}))
            })
    });
    suites.collect()
}

fn cluster_scoped() -> Vec<Suite> {
    use super::super::api::cluster_object;
    let refusing = |constraints: Value| {
        let spec = json!({"matchConstraints": constraints, "validations": [must("false", "matched")]});
        Suite::new("matching: cluster-scoped objects").policy("$S", spec).bind("$S", by_objects(json!({})))
    };
    let everything = |extra: Value| {
        let mut all = json!({"resourceRules": [rule("*/*/*", &["*"])]});
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    let constraints = [
        everything(json!({})),
        everything(json!({"namespaceSelector": {"matchLabels": {"team": "home"}}})),
        everything(json!({"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}})),
        everything(json!({"objectSelector": {"matchLabels": {"team": "home"}}})),
        matching("/v1/namespaces", &["*"]),
        matching("*/*/clusterwidgets", &["*"]),
        json!({"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"],
            "scope": "Cluster"}]}),
        json!({"resourceRules": [{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"],
            "scope": "Namespaced"}]}),
        json!({"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["namespaces"],
            "operations": ["*"], "resourceNames": ["$S-a"]}]}),
    ];
    let suites = constraints.into_iter().map(|constraints| {
        let team = |name: &str, team: &str| {
            cluster_object("v1", "Namespace", name, json!({"metadata": {"labels": {"team": team}}}))
        };
        let class = cluster_object("scheduling.k8s.io/v1", "PriorityClass", "a", json!({"value": 7}));
        refusing(constraints)
            .create_all([
                cluster_object("v1", "Namespace", "a", json!({})),
                team("b", "home"),
                team("c", "work"),
                cluster_widget("a", json!({"spec": {"size": 1}})),
                cluster_widget("b", json!({"metadata": {"labels": {"team": "home"}}})),
                class,
            ])
            .update(team("d", "home"), team("d", "work"))
            .update(team("e", "work"), team("e", "home"))
            .delete(team("f", "home"))
            .delete(team("g", "work"))
            .delete(cluster_widget("d", json!({"metadata": {"labels": {"team": "home"}}})))
    });
    suites.collect()
}
