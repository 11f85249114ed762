//! The workload that creates a case's pod: what the engine's expansion takes apart, put together.

use portcullis::engine::Operation;
use serde_json::{Value, json};

use super::case::Case;

/// The case about workloads that create its pod, one for each place of the template; none if it isn't about a pod that
/// is created or updated as a whole. `at` chooses among the kinds of one place.
pub fn wrapped<'s>(case: &Case<'s>, at: usize) -> Vec<(&'static str, Case<'s>)> {
    let request = case.request();
    let is_change = matches!(request.operation, Operation::Create | Operation::Update);
    if case.object["kind"] != "Pod" || !is_change || !request.subresource.is_empty() {
        return Vec::new();
    }
    let ends = matches!(case.object["spec"]["restartPolicy"].as_str(), Some("Never" | "OnFailure"));
    let lasting = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"];
    let kinds = if ends { vec!["Job", "CronJob", "PodTemplate"] } else { vec![lasting[at % 5], "PodTemplate"] };
    let workload = |kind| {
        let of = |pod: &Value| if pod.is_null() { Value::Null } else { workload(kind, pod) };
        (kind, case.with(of(&case.object), of(&case.old_object)))
    };
    kinds.into_iter().map(workload).collect()
}

fn workload(kind: &str, pod: &Value) -> Value {
    const LABEL: &str = "portcullis.dev/e2e";
    let mut template = json!({"metadata": {"labels": {LABEL: "export"}}, "spec": pod["spec"]});
    for (key, value) in pod["metadata"]["labels"].as_object().into_iter().flatten() {
        template["metadata"]["labels"][key] = value.clone();
    }
    if !pod["metadata"]["annotations"].is_null() {
        template["metadata"]["annotations"] = pod["metadata"]["annotations"].clone();
    }
    let selector = json!({"matchLabels": {LABEL: "export"}});
    let (api_version, rest) = match kind {
        "PodTemplate" => ("v1", json!({"template": template})),
        "ReplicationController" => ("v1", json!({"spec": {"selector": {LABEL: "export"}, "template": template}})),
        "Job" => ("batch/v1", json!({"spec": {"template": template}})),
        "CronJob" => {
            ("batch/v1", json!({"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}))
        }
        "StatefulSet" => {
            ("apps/v1", json!({"spec": {"selector": selector, "serviceName": "web", "template": template}}))
        }
        _ => ("apps/v1", json!({"spec": {"selector": selector, "template": template}})),
    };
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}});
    if object["metadata"]["name"].is_null() {
        object["metadata"] =
            json!({"generateName": pod["metadata"]["generateName"], "namespace": pod["metadata"]["namespace"]});
    }
    object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    object
}
