//! Offline defaulting: an object as the API server completes it before admission sees it, for objects that no API
//! server has seen. Each kind has a table of rules; knows nothing of requests or policies.
//!
//! Follows Kubernetes 1.36 with its feature gates as they are by default. What is done is what upstream does between
//! decoding and admission to an object of a built-in kind, in every version that is served: the defaulting functions
//! (`pkg/apis/*/*/defaults.go`, `zz_generated.defaults.go`), the changes that conversion leaves (a Secret's
//! `stringData`, a pod's `serviceAccount`), quantities in their canonical form, structs that are always there. What
//! upstream does later is not done, because admission doesn't see it either: what admission plugins add (a service
//! account, tolerations, a priority, a storage class), and what is set when an object is stored (names, uids,
//! generations, addresses and node ports of Services, selectors of Jobs, the status).

mod carry;
mod core;
mod image;
mod other;
mod pod;
mod pod_resources;
mod quantity;
mod rule;
mod storage;
#[cfg(test)]
mod tests;
mod workload;
mod zero;

use crate::json::{Arena, Value};
use crate::schema::GroupVersionKind;

pub use carry::{carry_over, is_same_element};

/// The object of the given kind with its defaults; it shares with `object` what they leave alone. Objects of kinds
/// that have none, and values that are no objects, come back as they are.
pub fn default<'a>(arena: &'a Arena, kind: GroupVersionKind<'_>, object: Value<'a>) -> Value<'a> {
    default_patched(arena, kind, Value::Null, object)
}

/// The same for a patched object, where `before` is the object before the patch and has its defaults: what both share
/// needs no second look.
pub fn default_patched<'a>(
    arena: &'a Arena,
    kind: GroupVersionKind<'_>,
    before: Value<'a>,
    patched: Value<'a>,
) -> Value<'a> {
    let Some(rules) = rules(kind) else { return patched };
    let written = zero::normalise(arena, kind, before, patched);
    completed(arena, before, written, |fields| rule::apply(rules, fields))
}

/// The pod that a controller makes from a template which has its defaults.
pub fn default_templated_pod<'a>(arena: &'a Arena, pod: Value<'a>) -> Value<'a> {
    completed(arena, Value::Null, pod, pod::pod_alone)
}

fn completed<'a>(
    arena: &'a Arena,
    before: Value<'a>,
    object: Value<'a>,
    change: impl FnOnce(&mut rule::Fields<'a>),
) -> Value<'a> {
    let Value::Object(members) = object else { return object };
    let mut fields = rule::Fields::new(arena, before.as_object().unwrap_or_default(), members);
    change(&mut fields);
    fields.into_changed().map_or(object, Value::Object)
}

/// The rules of a kind in a version that Kubernetes 1.36 serves.
fn rules(kind: GroupVersionKind<'_>) -> Option<&'static [rule::Rule]> {
    let rules = match (kind.group, kind.version, kind.kind) {
        ("", "v1", kind) => match kind {
            "Pod" => pod::POD,
            "PodTemplate" => core::POD_TEMPLATE,
            "ReplicationController" => workload::REPLICATION_CONTROLLER,
            "Service" => core::SERVICE,
            "Secret" => core::SECRET,
            "Namespace" => core::NAMESPACE,
            "Endpoints" => core::ENDPOINTS,
            "ResourceQuota" => core::RESOURCE_QUOTA,
            "LimitRange" => core::LIMIT_RANGE,
            "PersistentVolume" => storage::VOLUME,
            "PersistentVolumeClaim" => storage::CLAIM,
            "ConfigMap" | "ServiceAccount" => &[],
            _ => return None,
        },
        ("apps", "v1", "Deployment") => workload::DEPLOYMENT,
        ("apps", "v1", "ReplicaSet") => workload::REPLICA_SET,
        ("apps", "v1", "DaemonSet") => workload::DAEMON_SET,
        ("apps", "v1", "StatefulSet") => workload::STATEFUL_SET,
        ("batch", "v1", "Job") => workload::JOB,
        ("batch", "v1", "CronJob") => workload::CRON_JOB,
        ("networking.k8s.io", "v1", "NetworkPolicy") => other::NETWORK_POLICY,
        ("networking.k8s.io", "v1", "Ingress")
        | ("policy", "v1", "PodDisruptionBudget")
        | ("rbac.authorization.k8s.io", "v1", "Role" | "ClusterRole") => &[],
        ("networking.k8s.io", "v1", "IngressClass") => other::INGRESS_CLASS,
        ("discovery.k8s.io", "v1", "EndpointSlice") => other::ENDPOINT_SLICE,
        ("autoscaling", "v2", "HorizontalPodAutoscaler") => other::AUTOSCALER,
        ("autoscaling", "v1", "HorizontalPodAutoscaler") => other::AUTOSCALER_V1,
        ("rbac.authorization.k8s.io", "v1", "RoleBinding" | "ClusterRoleBinding") => other::ROLE_BINDING,
        ("scheduling.k8s.io", "v1", "PriorityClass") => other::PRIORITY_CLASS,
        ("storage.k8s.io", "v1", "StorageClass") => storage::CLASS,
        ("storage.k8s.io", "v1", "CSIDriver") => storage::CSI_DRIVER,
        _ => return None,
    };
    Some(rules)
}
