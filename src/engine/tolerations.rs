//! The tolerations that the DaemonSet controller gives its pods, so that they stay where other pods would be evicted.
//!
//! Upstream: `pkg/controller/daemon/util/daemonset_util.go`.

use crate::json::{Arena, Member, Object, Value};

use super::subject::object;

/// Key and effect of the taints that every daemon's pod tolerates, in the controller's order.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
/// What a pod on the host's network tolerates besides.
const WITH_HOST_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// The pod spec with the standard tolerations after its own. One of its own that says the same has no time limit
/// afterwards.
pub(super) fn with_daemon_tolerations<'a>(arena: &'a Arena, spec: Object<'a>) -> Value<'a> {
    let own = spec.get("tolerations").and_then(|v| v.as_array()).unwrap_or_default();
    let mut all = own.to_vec();
    let on_host = spec.get("hostNetwork") == Some(Value::Bool(true));
    for (key, effect) in TOLERATED.into_iter().chain(on_host.then_some(WITH_HOST_NETWORK)) {
        let (key, effect) = (Value::String(key), Value::String(effect));
        let toleration = object(arena, &[("key", key), ("operator", Value::String("Exists")), ("effect", effect)]);
        let mut found = false;
        for same in all.iter_mut().filter(|other| is_same(**other, toleration)) {
            *same = toleration;
            found = true;
        }
        if !found {
            all.push(toleration);
        }
    }
    let tolerations = Value::Array(arena.alloc_slice_copy(&all));
    let others = spec.members().iter().copied().filter(|(key, _)| *key != "tolerations");
    let members: Vec<Member<'a>> = others.chain([("tolerations", tolerations)]).collect();
    Value::Object(Object::new(arena, &members))
}

/// Upstream: `MatchToleration`.
fn is_same(a: Value<'_>, b: Value<'_>) -> bool {
    ["key", "effect", "operator", "value"].iter().all(|field| text(a, field) == text(b, field))
}

fn text<'a>(toleration: Value<'a>, field: &str) -> &'a str {
    toleration.get(field).and_then(|v| v.as_str()).unwrap_or_default()
}
