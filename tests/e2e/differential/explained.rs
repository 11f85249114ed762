//! The differences that have a reason, each matched as narrowly as can be. `docs/fidelity.md` lists them.

use serde_json::Value;

use super::compare::{Difference, Way, covers};
use super::outcome::{Denied, Outcome};
use super::suite::Suite;
use super::topics::{ABSENT_KINDS, WAITS};

/// The reasons; each has to explain something.
pub const REASONS: &[&str] = &[
    EVERY_CAUSE,
    EFFECTIVE_POD,
    ORDER,
    EVERY_FAILURE,
    CONTROL,
    SHORTENED,
    SCOPE,
    NOT_SERVED,
    PRUNED,
    PANIC,
    KIND,
    CONVERTED,
    UNDECLARED,
    UNCONVERTED,
];

const EVERY_CAUSE: &str = "the API server's denial names its first cause only";
const EFFECTIVE_POD: &str = "a workload is refused when the pods that it will create would be";
const ORDER: &str = "the API server takes policies, bindings and params in no certain order";
const EVERY_FAILURE: &str = "the API server's audit annotation keeps the first failure only";
const CONTROL: &str = "the API server drops a warning with a control character";
const SHORTENED: &str = "a warning that is cut short shows it";
const SCOPE: &str = "offline, only objects tell whether a custom param kind is cluster-scoped";
const NOT_SERVED: &str = "offline, nothing says that a param kind isn't served";
const PRUNED: &str = "the API server prunes unknown and malformed fields of custom resources after admission";
const PANIC: &str = "the API server panics";
const KIND: &str = "an object whose kind a policy changed is found by the API server, in other words";
const CONVERTED: &str = "a webhook mutates the object in the version that it is asked in";
const UNDECLARED: &str =
    "a custom object keeps fields of its version that the policy's version doesn't have, and is refused";
const UNCONVERTED: &str = "the API server can't convert a built-in object that a policy of another version mutated";

/// Resources whose objects create pods.
const WORKLOADS: [&str; 4] = ["/deployments", "/replicasets", "/statefulsets", "/jobs"];

/// The reason for a difference, if it has a known one.
pub fn explain(difference: &Difference<'_>) -> Option<&'static str> {
    let (native, ours) = (difference.native, difference.ours);
    if difference.way == Way::Engine && difference.suite.topic == ABSENT_KINDS {
        return Some(NOT_SERVED);
    }
    if let Some(reason) = mutation(difference) {
        return Some(reason);
    }
    match difference.field {
        "message" | "reason" | "code" => {
            let (native, ours) = (native.denied.as_ref()?, ours.denied.as_ref()?);
            in_other_order(difference.suite, native, ours).then_some(ORDER)
        }
        "causes" => every_cause(native.denied.as_ref()?, ours.denied.as_ref()?),
        "warnings" => warnings(difference.way, &native.warnings, &ours.warnings),
        "annotations" => annotations(difference.suite, native, ours),
        "object" if went_first(difference) => Some(ORDER),
        "verdict" | "object" => effective_pod(difference).or_else(|| scope(native, ours)),
        _ => None,
    }
}

/// Whether another policy, binding or param has the first word in `native`.
fn in_other_order(suite: &Suite, native: &Denied, ours: &Denied) -> bool {
    let speaker = |denied: &Denied| denied.message.split(" denied request: ").next().map(str::to_owned);
    let others = speaker(native) != speaker(ours) || takes_several_params(suite);
    native.message != ours.message && others && ours.causes.contains(&native.message)
}

fn takes_several_params(suite: &Suite) -> bool {
    suite.policies.iter().any(|policy| policy["spec"]["paramRef"]["selector"].is_object())
}

fn has_several_bindings(suite: &Suite) -> bool {
    let kinds = suite.policies.iter().filter_map(|policy| policy["kind"].as_str());
    kinds.filter(|kind| kind.ends_with("Binding")).count() > 1
}

/// Whether one side lacks just the label of a policy whose conditions wait for another policy's label: a policy whose
/// conditions are not met at first is not asked again.
fn went_first(difference: &Difference<'_>) -> bool {
    let waits = difference.suite.policies.iter().any(|policy| policy["spec"]["matchConditions"][0]["name"] == WAITS);
    let without = |outcome: &Outcome| {
        let mut object = outcome.object.clone();
        let label = object["metadata"]["labels"].as_object_mut().and_then(|labels| labels.remove("two"));
        (object, label)
    };
    let ((native, of_native), (ours, of_ours)) = (without(difference.native), without(difference.ours));
    let same = if difference.way == Way::Webhook { native == ours } else { covers(&native, &ours) };
    waits && same && of_native.is_some() != of_ours.is_some()
}

fn every_cause(native: &Denied, ours: &Denied) -> Option<&'static str> {
    let validates = native.message.starts_with("ValidatingAdmissionPolicy ");
    let has_all = native.causes.iter().all(|cause| ours.causes.contains(cause));
    (validates && has_all && ours.causes.len() > native.causes.len()).then_some(EVERY_CAUSE)
}

fn warnings(way: Way, native: &[String], ours: &[String]) -> Option<&'static str> {
    let without_control =
        |texts: &[String]| texts.iter().filter(|text| !text.contains(char::is_control)).cloned().collect::<Vec<_>>();
    if way == Way::Engine && without_control(ours) == native {
        return Some(CONTROL);
    }
    if way == Way::Webhook && native.is_empty() && ours.iter().all(|text| text.contains("carriage return")) {
        return Some(CONTROL);
    }
    // The API server cuts at 256 characters; Portcullis at 255, to end with an ellipsis, and not before the wire.
    let head = |text: &String| text.chars().take(255).collect::<String>();
    let is_cut = native.iter().any(|text| text.chars().count() == 256);
    let same = native.len() == ours.len() && native.iter().zip(ours).all(|(n, o)| head(n) == head(o));
    (is_cut && same).then_some(SHORTENED)
}

fn annotations(suite: &Suite, native: &Outcome, ours: &Outcome) -> Option<&'static str> {
    if !native.annotations.keys().eq(ours.annotations.keys()) {
        return None;
    }
    let mut reason = None;
    for (key, value) in &native.annotations {
        let other = ours.annotations.get(key)?;
        if value == other {
            continue;
        }
        if key.ends_with("/validation_failure") {
            let list = |text: &str| serde_json::from_str::<Vec<Value>>(text).ok();
            let (native, ours) = (list(value)?, list(other)?);
            if native.len() != 1 || ours.len() < 2 || !ours.contains(native.first()?) {
                return None;
            }
            reason = Some(EVERY_FAILURE);
        } else {
            let sorted = |text: &str| {
                let mut parts: Vec<_> = text.split(", ").map(str::to_owned).collect();
                parts.sort();
                parts
            };
            let has_several = has_several_bindings(suite) || takes_several_params(suite);
            if !has_several || sorted(value) != sorted(other) {
                return None;
            }
            reason = reason.or(Some(ORDER));
        }
    }
    reason
}

fn effective_pod(difference: &Difference<'_>) -> Option<&'static str> {
    let is_workload = WORKLOADS.iter().any(|resource| difference.ask.path.contains(resource));
    let about_pods = difference.suite.policies.iter().any(|policy| {
        let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array();
        let listed = rules.into_iter().flatten().filter_map(|rule| rule["resources"].as_array()).flatten();
        listed.filter_map(Value::as_str).any(|listed| matches!(listed, "pods" | "pods/*" | "*" | "*/*"))
    });
    let is_stricter = difference.native.denied.is_none() && difference.ours.denied.is_some();
    (is_stricter && is_workload && about_pods).then_some(EFFECTIVE_POD)
}

fn scope(native: &Outcome, ours: &Outcome) -> Option<&'static str> {
    let says = "paramRef.namespace must not be provided for a cluster-scoped `paramKind`";
    (native.denied.as_ref()?.message.ends_with(says) && ours.denied.is_none()).then_some(SCOPE)
}

/// What differs in what mutating policies make of an object.
fn mutation(difference: &Difference<'_>) -> Option<&'static str> {
    let (native, ours) = (difference.native, difference.ours);
    let says = |outcome: &Outcome, text: &str| {
        outcome.denied.as_ref().is_some_and(|denied| denied.message.contains(text))
            || outcome.failed.as_ref().is_some_and(|failed| failed.contains(text))
    };
    let is_custom = difference.ask.path.contains("/widgets");
    let fails = ["verdict", "failure", "message", "causes", "object"].contains(&difference.field);
    if !fails {
        return None;
    }
    if says(native, "the API server panicked") {
        return Some(PANIC);
    }
    let undeclared = "failed to convert original object to typed object: .spec.extra: field not declared in schema";
    if is_custom && difference.ask.path.contains("/v2/") && says(native, undeclared) {
        return Some(UNDECLARED);
    }
    if is_custom
        && difference.field == "object"
        && difference.way == Way::Engine
        && prunes(&native.object, &ours.object)
    {
        return Some(PRUNED);
    }
    let version = |outcome: &Outcome| outcome.object["apiVersion"].clone();
    let is_converted = difference.suite.webhook_rules.is_some() && version(native) != version(ours);
    if difference.field == "object" && difference.way == Way::Engine && is_converted {
        return Some(CONVERTED);
    }
    let is_unconverted = says(native, "unknown conversion") || says(native, "is not suitable for converting to");
    if difference.suite.webhook_rules.is_some() && ours.denied.is_none() && is_unconverted {
        return Some(UNCONVERTED);
    }
    (says(native, "unknown conversion") && says(ours, "unknown conversion")).then_some(KIND)
}

/// Whether what `native` lacks are fields that a widget doesn't have.
fn prunes(native: &Value, ours: &Value) -> bool {
    const FIELDS: [&str; 3] = ["data", "unknown", "labels"];
    let (Some(native), Some(ours)) = (native.as_object(), ours.as_object()) else { return false };
    let at_root = ours.keys().any(|key| !native.contains_key(key) && FIELDS.contains(&key.as_str()));
    let spec = |object: &serde_json::Map<String, Value>| object.get("spec").and_then(Value::as_object).cloned();
    let in_spec = || {
        let (native, ours) = (spec(native).unwrap_or_default(), spec(ours).unwrap_or_default());
        ["nope", "extra"].iter().any(|field| ours.contains_key(*field) && !native.contains_key(*field))
    };
    let in_metadata = || ours["metadata"].get("unknown").is_some() && native["metadata"].get("unknown").is_none();
    let in_labels = || ours["metadata"]["labels"]["number"].is_number() && native["metadata"].get("labels").is_none();
    at_root || in_spec() || in_metadata() || in_labels()
}
