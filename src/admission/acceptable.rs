//! What the API server would refuse of a written object before it asks any policy, so that a verdict on it would mean
//! nothing: a value of a type that its field doesn't have, and a pod or workload without what makes it one.
//!
//! Upstream decodes the body first, then mutates, then validates the object (`ValidatePodSpec` and its neighbours in
//! `pkg/apis`), and only then asks validating policies. Of validation this knows what a patch or an unfinished manifest
//! lacks, not every rule.

use crate::engine::{GroupVersionKind, Mistyped, Wanted, mistyped};
use crate::json::Value;
use crate::json::pointer::{Path, Segment};

use super::resources::split_api_version;

/// Why the API server would refuse an object: one line, and the field that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field, as a path from the object's root.
    pub field: String,
    /// The field, what is wrong with it, and what to write.
    pub message: String,
    /// Upstream's reason.
    pub reason: &'static str,
}

/// Why the object can't be decoded as its kind. Of custom resources only the metadata is known.
pub fn undecodable(object: Value<'_>) -> Option<Refusal> {
    let Mistyped { field, wanted, found } = mistyped(kind(object), object)?;
    let wanted_type = match wanted {
        Wanted::Object => "an object",
        Wanted::List => "a list",
        Wanted::String => "a string",
        Wanted::Number => "a number",
        Wanted::Integer(_) => "a whole number",
        Wanted::Boolean => "true or false",
        Wanted::NumberOrString => "a number or a string",
    };
    let found_type = match (wanted, found) {
        (Wanted::Integer(_), Value::Float(number)) => number.to_string(),
        _ => found.type_name().to_owned(),
    };
    let advice = advice(wanted, found);
    let field = field.to_string();
    let message = format!("{field}: must be {wanted_type}, but is {found_type}{advice}");
    Some(Refusal { field, message, reason: "BadRequest" })
}

/// What to write instead, where that can be told.
fn advice(wanted: Wanted, found: Value<'_>) -> &'static str {
    match (wanted, found) {
        (Wanted::String, Value::Bool(_) | Value::Int(_) | Value::Float(_)) => "; put quotes around it",
        (Wanted::Boolean, Value::String("true" | "false")) => "; leave out the quotes",
        (Wanted::Boolean, _) => "; write true or false, without quotes",
        (Wanted::Number | Wanted::Integer(_), Value::String(text)) if text.parse::<i64>().is_ok() => {
            "; leave out the quotes"
        }
        (Wanted::List, _) => "; begin each entry with a dash",
        (Wanted::Object, Value::Array(_)) => "; leave out the dashes",
        (Wanted::Object, _) => "; write its fields below it, indented",
        _ => "",
    }
}

/// What a pod, or an object that makes pods, lacks; the first of it. `object` is as it is after mutation, for a policy
/// may add what is missing. Other kinds lack nothing.
pub fn incomplete(object: Value<'_>) -> Option<Refusal> {
    let GroupVersionKind { group, version, kind } = kind(object);
    let to_pod: &[&str] = match (group, version, kind) {
        ("", "v1", "Pod") => &[],
        ("", "v1", "PodTemplate") => &["template"],
        ("", "v1", "ReplicationController") => &["spec", "template"],
        ("apps", "v1", "DaemonSet" | "Deployment" | "ReplicaSet" | "StatefulSet") => &["spec", "template"],
        ("batch", "v1", "Job") => &["spec", "template"],
        ("batch", "v1", "CronJob") => &["spec", "jobTemplate", "spec", "template"],
        _ => return None,
    };
    let name = |key| object.at(&["metadata", key]).and_then(|name| name.as_str()).unwrap_or_default();
    if name("name").is_empty() && name("generateName").is_empty() {
        return Some(missing(&path(&["metadata", "name"]), "write a name"));
    }
    if let Some(refusal) = incomplete_pod(object, to_pod) {
        return Some(refusal);
    }
    let selector = object.at(&["spec", "selector"]).unwrap_or(Value::Null);
    if group == "apps" && selector.is_null() {
        let advice = "write matchLabels with the labels of the template";
        return Some(missing(&path(&["spec", "selector"]), advice));
    }
    let schedule = object.at(&["spec", "schedule"]).and_then(|schedule| schedule.as_str()).unwrap_or_default();
    (kind == "CronJob" && schedule.is_empty())
        .then(|| missing(&path(&["spec", "schedule"]), "write for example \"@daily\""))
}

/// The lists of a pod's containers; only the first must not be empty.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];

fn incomplete_pod(object: Value<'_>, to_pod: &[&str]) -> Option<Refusal> {
    let to_spec = [to_pod, &["spec"]].concat();
    for list in CONTAINERS {
        let to_list = [&to_spec[..], &[list]].concat();
        let containers = object.at(&to_list).and_then(|list| list.as_array()).unwrap_or_default();
        if list == "containers" && containers.is_empty() {
            let advice = "list its containers; of a patch, judge what kustomize makes: kubectl kustomize DIR | portcullis audit -";
            return Some(missing(&path(&to_list), advice));
        }
        for (index, container) in containers.iter().enumerate() {
            let is_absent =
                |key: &&str| container.get(key).and_then(|text| text.as_str()).unwrap_or_default().is_empty();
            if let Some(key) = ["name", "image"].into_iter().find(|key| is_absent(key)) {
                let mut path = path(&to_list);
                path.0.extend([Segment::Index(index), Segment::key(key)]);
                return Some(missing(&path, if key == "name" { "name the container" } else { "write an image" }));
            }
        }
    }
    None
}

fn path<'a>(steps: &[&'a str]) -> Path<'a> {
    Path(steps.iter().map(|step| Segment::key(step)).collect())
}

fn missing(field: &Path<'_>, advice: &str) -> Refusal {
    let field = field.to_string();
    let message = format!("{field}: Required value; {advice}");
    Refusal { field, message, reason: "Invalid" }
}

fn kind(object: Value<'_>) -> GroupVersionKind<'_> {
    let text = |key| object.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let (group, version) = split_api_version(text("apiVersion"));
    GroupVersionKind { group, version, kind: text("kind") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Object, yaml};

    fn refusal(text: &str, refuse: fn(Value<'_>) -> Option<Refusal>) -> String {
        let arena = Arena::new();
        let document = yaml::documents(&arena, text).into_iter().next().expect("a document").expect(text);
        let Some(Refusal { field, message, .. }) = refuse(document.value) else { return String::new() };
        assert!(message.starts_with(&format!("{field}: ")), "{message}");
        message
    }

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: b}]}}";

    #[test]
    fn says_what_has_another_type_and_what_to_write() {
        for (from, to, message) in [
            (
                "image: b",
                "image: 1.5",
                "spec.containers[0].image: must be a string, but is a number; put quotes around it",
            ),
            (
                "image: b",
                "image: b, securityContext: {privileged: 'true'}",
                "spec.containers[0].securityContext.privileged: must be true or false, but is a string; leave out the quotes",
            ),
            (
                "image: b",
                "image: b, tty: 'sure'",
                "spec.containers[0].tty: must be true or false, but is a string; write true or false, without quotes",
            ),
            (
                "image: b",
                "image: b, env: {A: b}",
                "spec.containers[0].env: must be a list, but is an object; begin each entry with a dash",
            ),
            (
                "image: b",
                "image: b, env: [{name: A, value: 1}]",
                "spec.containers[0].env[0].value: must be a string, but is a number; put quotes around it",
            ),
            (
                "image: b",
                "image: b, ports: [{containerPort: '80'}]",
                "spec.containers[0].ports[0].containerPort: must be a number, but is a string; leave out the quotes",
            ),
            (
                "image: b",
                "image: b, ports: [{containerPort: 0.5}]",
                "spec.containers[0].ports[0].containerPort: must be a whole number, but is 0.5",
            ),
            (
                "image: b",
                "image: b, resources: {limits: {cpu: true}}",
                "spec.containers[0].resources.limits.cpu: must be a number or a string, but is a boolean",
            ),
            (
                "name: a}",
                "name: a, labels: {app.example.com/tier: 1}}",
                "metadata.labels[app.example.com/tier]: must be a string, but is a number; put quotes around it",
            ),
            (
                "{containers: [{name: a, image: b}]}",
                "[]",
                "spec: must be an object, but is a list; leave out the dashes",
            ),
            (
                "{name: a, image: b}",
                "a",
                "spec.containers[0]: must be an object, but is a string; write its fields below it, indented",
            ),
        ] {
            assert_eq!(refusal(&POD.replace(from, to), undecodable), message, "{to}");
        }
    }

    #[test]
    fn custom_resources_have_metadata_of_the_same_types() {
        let custom = "{apiVersion: example.com/v1, kind: Pod, metadata: {name: a, annotations: {b: true}}, spec: []}";
        let message = "metadata.annotations.b: must be a string, but is a boolean; put quotes around it";
        assert_eq!(refusal(custom, undecodable), message);
        assert_eq!(refusal(&custom.replace("{b: true}", "{b: 'true'}"), undecodable), "");
    }

    #[test]
    fn takes_what_the_api_server_decodes() {
        for (from, to) in [
            ("image: b", "image: b, unknown: [1, {a: true}]"),
            ("image: b", "image: null, securityContext: null, env: [null]"),
            ("image: b", "image: b, resources: {limits: {cpu: 1.5, memory: 1Gi}}"),
            ("image: b", "image: b, livenessProbe: {httpGet: {port: http}, periodSeconds: 5.0}"),
            ("name: a}", "name: a, creationTimestamp: null, labels: {a: null}}"),
            ("Pod", "Secret, data: {a: YQ==}"),
            ("Pod", "Secret, data: {a: [97, 98]}"),
        ] {
            assert_eq!(refusal(&POD.replace(from, to), undecodable), "", "{to}");
        }
    }

    #[test]
    fn says_what_a_pod_or_workload_lacks() {
        let workload = |api_version: &str, kind: &str, spec: &str| {
            format!("{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: a}}, spec: {spec}}}")
        };
        let pod = "{spec: {containers: [{name: a, image: b}]}}";
        for (text, message) in [
            (workload("v1", "Pod", "null"), "spec.containers: Required value; list its containers"),
            (workload("v1", "Pod", "{containers: []}"), "spec.containers: Required value"),
            (POD.replace("name: a}", "labels: {}}"), "metadata.name: Required value"),
            (POD.replace("name: a}", "generateName: a-}"), ""),
            (POD.replace("name: a, image", "image"), "spec.containers[0].name: Required value; name the container"),
            (POD.replace(", image: b", ""), "spec.containers[0].image: Required value; write an image"),
            (POD.replace("image: b}]", "image: b}], initContainers: [{name: c}]"), "spec.initContainers[0].image"),
            (POD.replace("image: b}]", "image: b}], initContainers: null"), ""),
            (workload("apps/v1", "Deployment", "{replicas: 3}"), "spec.template.spec.containers: Required value"),
            (workload("apps/v1", "DaemonSet", &format!("{{template: {pod}}}")), "spec.selector: Required value"),
            (workload("apps/v1", "StatefulSet", &format!("{{selector: {{}}, template: {pod}}}")), ""),
            (workload("batch/v1", "Job", &format!("{{template: {pod}}}")), ""),
            (workload("batch/v1", "Job", "{suspend: true}"), "spec.template.spec.containers: Required value"),
            (
                workload("batch/v1", "CronJob", "{schedule: '@daily'}"),
                "spec.jobTemplate.spec.template.spec.containers: Required value",
            ),
            (
                workload("batch/v1", "CronJob", &format!("{{jobTemplate: {{spec: {{template: {pod}}}}}}}")),
                "spec.schedule: Required value",
            ),
            (workload("v1", "ReplicationController", &format!("{{template: {pod}}}")), ""),
            (workload("v1", "PodTemplate", "null"), "template.spec.containers: Required value"),
            (workload("example.com/v1", "Deployment", "{replicas: 3}"), ""),
            (workload("v1", "Service", "null"), ""),
        ] {
            let found = refusal(&text, incomplete);
            assert!(found.starts_with(message) && found.is_empty() == message.is_empty(), "{text}: {found}");
        }
        assert_eq!(incomplete(Value::Object(Object::default())), None);
    }

    /// The menus that defaulting is compared by: whatever is chosen from them, the API server takes.
    const MENUS: &str = include_str!("../../tests/e2e/defaulting.yaml");

    #[test]
    fn takes_every_choice_of_objects_that_the_api_server_takes() {
        let arena = Arena::new();
        let menus: Vec<_> = yaml::documents(&arena, MENUS).into_iter().map(|menu| menu.expect("YAML").value).collect();
        let pod = menus.first().and_then(|pod| pod.get("spec")).expect("the pod's spec");
        let mut judged = 0;
        for menu in &menus {
            for turn in 0..12 {
                let object = chosen(&arena, *menu, pod, turn).expect("an object");
                assert_eq!(undecodable(object), None, "turn {turn} of {:?}", menu.get("kind"));
                assert_eq!(incomplete(object), None, "turn {turn} of {:?}", menu.get("kind"));
                judged += 1;
            }
        }
        assert!(judged > 100, "{judged}");
    }

    /// A menu's object: what may be there is there, and of alternatives the one whose turn it is.
    fn chosen<'a>(arena: &'a Arena, menu: Value<'a>, pod: Value<'a>, turn: usize) -> Option<Value<'a>> {
        match menu {
            Value::String("$pod") => chosen(arena, pod, pod, turn),
            Value::Object(members) => match members.members() {
                [("maybe", inner)] => chosen(arena, *inner, pod, turn),
                [("one", among)] => {
                    let among = among.as_array()?;
                    chosen(arena, *among.get(turn % among.len())?, pod, turn)
                }
                members => {
                    let members = members.iter();
                    let members: Vec<_> =
                        members.filter_map(|(key, menu)| Some((*key, chosen(arena, *menu, pod, turn)?))).collect();
                    Some(Value::Object(Object::new(arena, &members)))
                }
            },
            Value::Array(elements) => {
                let elements: Vec<_> = elements.iter().filter_map(|menu| chosen(arena, *menu, pod, turn)).collect();
                Some(Value::Array(arena.alloc_slice_copy(&elements)))
            }
            scalar => Some(scalar),
        }
    }
}
