//! Defaults of kinds outside the core, apps and batch groups. Upstream: `pkg/apis/{networking, discovery, autoscaling,
//! rbac, scheduling}`.

use crate::json::{Object, Value};

use super::rule::Rule::{Call, Each, Fill, If, In, Make, Set};
use super::rule::{Fields, Rule, is_zero};

const TCP: Value<'static> = Value::String("TCP");
const RBAC: Value<'static> = Value::String("rbac.authorization.k8s.io");

const PORTS: &[Rule] = &[Each("ports", &[Set("protocol", TCP)])];

pub(super) const NETWORK_POLICY: &[Rule] =
    &[Make("spec", &[Make("podSelector", &[]), Call(policy_types), Each("ingress", PORTS), Each("egress", PORTS)])];

fn policy_types(policy: &mut Fields<'_>) {
    const BOTH: &[Value<'static>] = &[Value::String("Ingress"), Value::String("Egress")];
    if policy.get("policyTypes").is_none_or(is_zero) {
        let count = if policy.get("egress").is_none_or(is_zero) { 1 } else { 2 };
        policy.set("policyTypes", Value::Array(BOTH.get(..count).unwrap_or_default()));
    }
}

pub(super) const INGRESS_CLASS: &[Rule] =
    &[Make("spec", &[In("parameters", &[Set("scope", Value::String("Cluster"))])])];

pub(super) const ENDPOINT_SLICE: &[Rule] = &[Each("ports", &[Set("name", Value::String("")), Set("protocol", TCP)])];

pub(super) const AUTOSCALER: &[Rule] = &[Make(
    "spec",
    &[
        Set("minReplicas", Value::Int(1)),
        If(|spec| spec.get("metrics").is_none_or(is_zero), &[Call(cpu_metric)]),
        In("behavior", &[Make("scaleUp", SCALE_UP), Make("scaleDown", SCALE_DOWN)]),
    ],
)];

const SCALE_UP: &[Rule] = &[
    Set("stabilizationWindowSeconds", Value::Int(0)),
    Set("selectPolicy", Value::String("Max")),
    If(
        |rules| rules.get("policies").is_none(),
        &[Call(|rules| scaling_policies(rules, &[("Pods", 4), ("Percent", 100)]))],
    ),
];

const SCALE_DOWN: &[Rule] = &[
    Set("selectPolicy", Value::String("Max")),
    If(|rules| rules.get("policies").is_none(), &[Call(|rules| scaling_policies(rules, &[("Percent", 100)]))]),
];

/// The CPU utilization that autoscalers without a metric aim at, in percent.
const CPU_UTILIZATION: Value<'static> = Value::Int(80);

fn cpu_metric(spec: &mut Fields<'_>) {
    let arena = spec.arena;
    let object = |members: &[_]| Value::Object(Object::new(arena, members));
    let target = object(&[("type", Value::String("Utilization")), ("averageUtilization", CPU_UTILIZATION)]);
    let resource = object(&[("name", Value::String("cpu")), ("target", target)]);
    let metric = object(&[("type", Value::String("Resource")), ("resource", resource)]);
    spec.set("metrics", Value::Array(arena.alloc_slice_copy(&[metric])));
}

fn scaling_policies(rules: &mut Fields<'_>, policies: &[(&'static str, i64)]) {
    let arena = rules.arena;
    let policies = policies.iter().map(|(kind, value)| {
        let members = [("type", Value::String(kind)), ("value", Value::Int(*value)), ("periodSeconds", Value::Int(15))];
        Value::Object(Object::new(arena, &members))
    });
    let policies: Vec<_> = policies.collect();
    rules.set("policies", Value::Array(arena.alloc_slice_copy(&policies)));
}

/// In this version other metrics stand in an annotation.
pub(super) const AUTOSCALER_V1: &[Rule] = &[
    Make("spec", &[Set("minReplicas", Value::Int(1))]),
    If(
        |scaler| scaler.at(&["metadata", "annotations", "autoscaling.alpha.kubernetes.io/metrics"]).is_none(),
        &[In("spec", &[Set("targetCPUUtilizationPercentage", CPU_UTILIZATION)])],
    ),
];

pub(super) const ROLE_BINDING: &[Rule] =
    &[Make("roleRef", &[Fill("apiGroup", RBAC)]), Each("subjects", &[If(is_user_or_group, &[Fill("apiGroup", RBAC)])])];

fn is_user_or_group(subject: &Fields<'_>) -> bool {
    matches!(subject.text("kind"), "User" | "Group")
}

pub(super) const PRIORITY_CLASS: &[Rule] = &[Set("preemptionPolicy", Value::String("PreemptLowerPriority"))];
