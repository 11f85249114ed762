//! What the API server refuses of a pod, of the rules that a mutation could come into conflict with.
//!
//! The API server itself is asked by `tests/e2e/mutations.rs`; this tells at once, and for many more pods.

use portcullis::admission::acceptable::{incomplete, undecodable};
use portcullis::json::{Arena, Limits, parse};
use serde_json::Value;

/// What is wrong with a pod; empty if nothing is.
pub fn refusals(pod: &Value) -> Vec<String> {
    let text = pod.to_string();
    let arena = Arena::new();
    let object = parse(&arena, text.as_bytes(), &Limits::default()).unwrap();
    let mut refusals: Vec<_> =
        [undecodable(object), incomplete(object)].into_iter().flatten().map(|r| r.message).collect();
    if refusals.is_empty() {
        let spec = &pod["spec"];
        let containers: Vec<&Value> =
            ["initContainers", "containers"].iter().flat_map(|list| elements(&spec[*list])).collect();
        for container in &containers {
            let wrong = of_container(spec, container);
            refusals.extend(wrong.into_iter().map(|wrong| format!("container {}: {wrong}", container["name"])));
        }
        refusals.extend(of_pod(spec));
        let is_mirror = pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
        if is_mirror && elements(&spec["resourceClaims"]).next().is_some() {
            refusals.push("a claim of a static pod".to_owned());
        }
    }
    refusals
}

/// The elements of what may be a list.
pub fn elements(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Fields of a security context that a pod of Windows can't have.
const LINUX_ONLY: &[&str] = &[
    "allowPrivilegeEscalation",
    "appArmorProfile",
    "capabilities",
    "fsGroup",
    "fsGroupChangePolicy",
    "privileged",
    "procMount",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsUser",
    "seLinuxOptions",
    "seccompProfile",
    "supplementalGroups",
    "sysctls",
];

fn of_container(spec: &Value, container: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let context = &container["securityContext"];
    let escalates =
        context["privileged"] == true || elements(&context["capabilities"]["add"]).any(|name| name == "CAP_SYS_ADMIN");
    if escalates && context["allowPrivilegeEscalation"] == false {
        wrong.push("allowPrivilegeEscalation is false beside what is an escalation".to_owned());
    }
    if context["runAsNonRoot"] == true && context["runAsUser"] == 0 {
        wrong.push("a user that is root and isn't".to_owned());
    }
    wrong.extend(of_os(spec, context));
    for mount in elements(&container["volumeMounts"]) {
        if !elements(&spec["volumes"]).any(|volume| volume["name"] == mount["name"]) {
            wrong.push(format!("a mount of {}, which is no volume", mount["name"]));
        }
    }
    wrong.extend(twice("volumeMounts", &container["volumeMounts"], "mountPath"));
    let claims = &container["resources"]["claims"];
    wrong.extend(twice("claims", claims, "name"));
    for claim in elements(claims) {
        if !elements(&spec["resourceClaims"]).any(|offered| offered["name"] == claim["name"]) {
            wrong.push(format!("a claim {} that the pod hasn't", claim["name"]));
        }
    }
    wrong.extend(of_resources(&container["resources"]));
    let (own, whole) = (&container["resources"]["limits"], &spec["resources"]["limits"]);
    for (resource, limit) in own.as_object().into_iter().flatten() {
        if amount(limit) > amount(&whole[resource]) && !whole[resource].is_null() {
            wrong.push(format!("a limit of {resource} above the pod's"));
        }
    }
    wrong
}

fn of_os(spec: &Value, context: &Value) -> Vec<String> {
    let has = |field: &&&str| context.get(**field).is_some();
    match spec["os"]["name"].as_str() {
        Some("windows") => LINUX_ONLY.iter().filter(has).map(|field| format!("{field} on Windows")).collect(),
        Some("linux") => ["windowsOptions"].iter().filter(has).map(|field| format!("{field} on Linux")).collect(),
        _ => Vec::new(),
    }
}

fn of_resources(resources: &Value) -> Vec<String> {
    let (requests, limits) = (&resources["requests"], &resources["limits"]);
    let mut wrong = Vec::new();
    for (resource, request) in requests.as_object().into_iter().flatten() {
        match &limits[resource] {
            limit if resource.contains('/') && amount(limit) != amount(request) => {
                wrong.push(format!("a request of {resource} that is not its limit"));
            }
            Value::Null => {}
            limit if amount(request) > amount(limit) => wrong.push(format!("a request of {resource} above its limit")),
            _ => {}
        }
    }
    wrong
}

fn of_pod(spec: &Value) -> Vec<String> {
    let mut wrong = of_os(spec, &spec["securityContext"]);
    wrong.extend(of_resources(&spec["resources"]));
    wrong.extend(twice("volumes", &spec["volumes"], "name"));
    wrong.extend(twice("resourceClaims", &spec["resourceClaims"], "name"));
    for (resource, whole) in spec["resources"]["requests"].as_object().into_iter().flatten() {
        if requested(spec, resource) > amount(whole) {
            wrong.push(format!("requests of {resource} beyond the pod's"));
        }
    }
    wrong
}

/// What a pod's containers request at a time: those that run together, or an init container beside the sidecars that
/// were started before it.
fn requested(spec: &Value, resource: &str) -> i64 {
    let request = |container: &Value| amount(&container["resources"]["requests"][resource]);
    let (mut sidecars, mut most) = (0, 0);
    for container in elements(&spec["initContainers"]) {
        most = most.max(sidecars + request(container));
        if container["restartPolicy"] == "Always" {
            sidecars += request(container);
        }
    }
    most.max(sidecars + elements(&spec["containers"]).map(request).sum::<i64>())
}

fn twice(list: &str, elements: &Value, key: &str) -> Option<String> {
    let mut keys: Vec<_> = self::elements(elements).map(|element| element[key].to_string()).collect();
    keys.sort();
    keys.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| format!("{} twice in {list}", pair[0]))
}

/// What a quantity amounts to, in thousandths; nothing, where there is none.
pub fn amount(quantity: &Value) -> i64 {
    let text = quantity.as_str().map_or_else(|| quantity.to_string(), str::to_owned);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "Ki" => 1024.0,
        "Mi" => 1_048_576.0,
        "Gi" => 1_073_741_824.0,
        _ => 1.0,
    };
    digits.parse::<f64>().map_or(0, |number| (number * factor * 1000.0).round() as i64)
}
