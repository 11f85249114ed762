//! Defaults of the other kinds of the core group. Upstream: `pkg/apis/core/v1/defaults.go`, `conversion.go`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::{Object, Value};

use super::pod::TEMPLATE;
use super::quantity::resource_list;
use super::rule::Rule::{Call, Each, Fill, If, In, Make, Set};
use super::rule::{Fields, Rule, is_zero, with_missing};

const TCP: Value<'static> = Value::String("TCP");
const CLUSTER: Value<'static> = Value::String("Cluster");

/// Three hours, in seconds.
const AFFINITY_TIMEOUT: Value<'static> = Value::Int(10800);

pub(super) const POD_TEMPLATE: &[Rule] = &[Make("template", TEMPLATE)];

pub(super) const SERVICE: &[Rule] = &[
    Make(
        "spec",
        &[
            Fill("sessionAffinity", Value::String("None")),
            Call(session_affinity),
            Fill("type", Value::String("ClusterIP")),
            Each("ports", &[Fill("protocol", TCP), Call(target_port)]),
            If(is_reached_from_outside, &[Fill("externalTrafficPolicy", CLUSTER)]),
            If(|service| service.text("type") != "ExternalName", &[Set("internalTrafficPolicy", CLUSTER)]),
            If(is_load_balancer, &[Set("allocateLoadBalancerNodePorts", Value::Bool(true))]),
        ],
    ),
    If(
        |service| service.at(&["spec", "type"]) == Some(Value::String("LoadBalancer")),
        &[In("status", &[In("loadBalancer", &[Each("ingress", &[Call(ip_mode)])])])],
    ),
];

fn session_affinity(service: &mut Fields<'_>) {
    match service.text("sessionAffinity") {
        "None" => service.remove("sessionAffinityConfig"),
        "ClientIP" if service.at(&["sessionAffinityConfig", "clientIP", "timeoutSeconds"]).is_none() => {
            let timeout = Object::new(service.arena, &[("timeoutSeconds", AFFINITY_TIMEOUT)]);
            let config = Object::new(service.arena, &[("clientIP", Value::Object(timeout))]);
            service.set("sessionAffinityConfig", Value::Object(config));
        }
        _ => {}
    }
}

fn target_port(port: &mut Fields<'_>) {
    if port.get("targetPort").is_none_or(is_zero)
        && let Some(number) = port.get("port")
    {
        port.set("targetPort", number);
    }
}

fn is_load_balancer(service: &Fields<'_>) -> bool {
    service.text("type") == "LoadBalancer"
}

fn is_reached_from_outside(service: &Fields<'_>) -> bool {
    match service.text("type") {
        "LoadBalancer" | "NodePort" => true,
        "ClusterIP" => !service.get("externalIPs").is_none_or(is_zero),
        _ => false,
    }
}

fn ip_mode(ingress: &mut Fields<'_>) {
    if !ingress.text("ip").is_empty() && ingress.get("ipMode").is_none() {
        ingress.set("ipMode", Value::String("VIP"));
    }
}

pub(super) const SECRET: &[Rule] = &[Call(string_data), Fill("type", Value::String("Opaque"))];

/// What is written as text is kept as bytes. Upstream does so in conversion.
fn string_data(secret: &mut Fields<'_>) {
    let Some(texts) = secret.get("stringData").and_then(|texts| texts.as_object()) else { return };
    let arena = secret.arena;
    let data = secret.get("data").and_then(|data| data.as_object()).unwrap_or_default();
    let bytes = |text: Value<'_>| arena.alloc_str(&STANDARD.encode(text.as_str().unwrap_or_default()));
    let texts = texts.members().iter().map(|(key, text)| (*key, Value::String(bytes(*text))));
    // Of two members with one key the last wins.
    let all: Vec<_> = data.members().iter().copied().chain(texts).collect();
    if !all.is_empty() {
        secret.set("data", Value::Object(Object::new(arena, &all)));
    }
    secret.remove("stringData");
}

pub(super) const NAMESPACE: &[Rule] = &[Call(name_label), Make("status", &[Fill("phase", Value::String("Active"))])];

fn name_label(namespace: &mut Fields<'_>) {
    namespace.within("metadata", |metadata| {
        let name = metadata.text("name");
        if name.is_empty() {
            return;
        }
        let own = metadata.get("labels").and_then(|labels| labels.as_object()).unwrap_or_default();
        let mut labels = Fields::new(metadata.arena, Object::default(), own);
        if labels.text(NAME_LABEL) != name {
            labels.set(NAME_LABEL, Value::String(name));
        }
        if let Some(labels) = labels.into_changed() {
            metadata.set("labels", Value::Object(labels));
        }
    });
}

const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) const ENDPOINTS: &[Rule] = &[Each("subsets", &[Each("ports", &[Fill("protocol", TCP)])])];

pub(super) const RESOURCE_QUOTA: &[Rule] = &[Make("spec", &[Call(|spec| resource_list(spec, "hard"))])];

pub(super) const LIMIT_RANGE: &[Rule] = &[Make(
    "spec",
    &[Each(
        "limits",
        &[
            If(|item| item.text("type") == "Container", &[Call(container_limits)]),
            Call(|item| resource_list(item, "max")),
            Call(|item| resource_list(item, "min")),
            Call(|item| resource_list(item, "default")),
            Call(|item| resource_list(item, "defaultRequest")),
            Call(|item| resource_list(item, "maxLimitRequestRatio")),
        ],
    )],
)];

fn container_limits(item: &mut Fields<'_>) {
    complete(item, "default", "max");
    complete(item, "defaultRequest", "default");
    complete(item, "defaultRequest", "min");
}

/// Adds to the list `key` what it lacks of the list `from`.
fn complete(item: &mut Fields<'_>, key: &'static str, from: &str) {
    let list = |key| item.get(key).and_then(|list| list.as_object()).unwrap_or_default();
    let completed = with_missing(item.arena, list(key), list(from).members().iter().copied());
    if let Some(completed) = completed {
        item.set(key, Value::Object(completed));
    }
}
