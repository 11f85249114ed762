//! Resources that a pod asks for and doesn't say: requests that follow from limits, and the pod's own from those of
//! its containers. Upstream: `SetDefaults_Pod`, `component-helpers/resource`.

use std::collections::BTreeMap;

use crate::json::{Member, Object, Value};

use super::quantity::Amount;
use super::rule::{Fields, with_missing};

/// Sums of quantities by resource.
type Amounts<'a> = BTreeMap<&'a str, Amount>;

/// Completes the resources of a pod's spec and of its containers.
pub(super) fn default(spec: &mut Fields<'_>) {
    spec.each("containers", requests_from_limits);
    spec.each("initContainers", requests_from_limits);
    pod_limits(spec);
    pod_requests(spec);
}

fn requests_from_limits(container: &mut Fields<'_>) {
    container.within("resources", |resources| {
        let limits = list(resources, "limits").unwrap_or_default();
        add(resources, "requests", limits.members().iter().copied());
    });
}

/// Limits of huge pages of the whole pod: what its containers may use together.
fn pod_limits(spec: &mut Fields<'_>) {
    let containers = totals(spec, "limits");
    spec.within("resources", |resources| {
        let [limits, requests] = ["limits", "requests"].map(|key| list(resources, key).unwrap_or_default());
        if limits.is_empty() && requests.is_empty() {
            return;
        }
        let arena = resources.arena;
        let of_huge_pages = containers.iter().filter(|(name, _)| is_huge_pages(name) && requests.get(name).is_none());
        let of_huge_pages = of_huge_pages.filter_map(|(name, amount)| Some((*name, amount.write(arena)?)));
        add(resources, "limits", of_huge_pages);
    });
}

/// Requests of the whole pod, where it has limits: what its containers request together, else its limits.
fn pod_requests(spec: &mut Fields<'_>) {
    let containers = totals(spec, "requests");
    spec.within("resources", |resources| {
        let limits = list(resources, "limits").unwrap_or_default();
        if limits.is_empty() {
            return;
        }
        let arena = resources.arena;
        // Huge pages cannot be overcommitted: there the limits decide.
        let shared = containers.iter().filter(|(name, _)| matches!(**name, "cpu" | "memory"));
        add(resources, "requests", shared.filter_map(|(name, amount)| Some((*name, amount.write(arena)?))));
        let supported = |name: &str| matches!(name, "cpu" | "memory") || is_huge_pages(name);
        add(resources, "requests", limits.members().iter().copied().filter(|(name, _)| supported(name)));
    });
}

fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn list<'a>(resources: &Fields<'a>, key: &str) -> Option<Object<'a>> {
    resources.get(key)?.as_object()
}

/// Adds the quantities that the list `key` lacks.
fn add<'a>(resources: &mut Fields<'a>, key: &'static str, quantities: impl Iterator<Item = Member<'a>>) {
    let own = list(resources, key).unwrap_or_default();
    if let Some(completed) = with_missing(resources.arena, own, quantities) {
        resources.set(key, Value::Object(completed));
    }
}

/// What the containers of the pod need at once of each resource: those that keep running together, or an init
/// container with those started before it, whichever is more.
fn totals<'a>(spec: &Fields<'a>, list: &str) -> Amounts<'a> {
    let containers = |key| spec.get(key).and_then(|containers| containers.as_array()).unwrap_or_default();
    let mut total = Amounts::new();
    if spec.get("resources").is_none() {
        return total;
    }
    for container in containers("containers") {
        merge(&mut total, &amounts(spec, *container, list), Amount::plus);
    }
    let (mut sidecars, mut init) = (Amounts::new(), Amounts::new());
    for container in containers("initContainers") {
        let mut own = amounts(spec, *container, list);
        if container.get("restartPolicy") == Some(Value::String("Always")) {
            merge(&mut total, &own, Amount::plus);
            merge(&mut sidecars, &own, Amount::plus);
            own.clone_from(&sidecars);
        } else {
            merge(&mut own, &sidecars, Amount::plus);
        }
        merge(&mut init, &own, Amount::max);
    }
    merge(&mut total, &init, Amount::max);
    total
}

fn amounts<'a>(spec: &Fields<'a>, container: Value<'a>, list: &str) -> Amounts<'a> {
    let list = container.at(&["resources", list]).and_then(|list| list.as_object()).unwrap_or_default();
    let amount = |(name, value): &(&'a str, Value<'a>)| Some((*name, Amount::parse(spec.arena, *value)?));
    list.members().iter().filter_map(amount).collect()
}

fn merge<'a>(into: &mut Amounts<'a>, from: &Amounts<'a>, merge: impl Fn(Amount, Amount) -> Amount) {
    for (name, amount) in from {
        into.entry(name).and_modify(|known| *known = merge(*known, *amount)).or_insert(*amount);
    }
}
