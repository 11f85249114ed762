//! Pods of every shape that a mutating policy looks at, made from the menus in `pods.yaml`.

use std::sync::LazyLock;

use portcullis::json::{Arena, to_json, yaml};
use serde_json::{Map, Value, json};

use super::random::Random;

/// What containers are called; the first one is the one that uses the GPU, where it is not `prepare`.
const CONTAINERS: &[&str] = &["jellyfin", "web", "metrics"];
const INIT_CONTAINERS: &[&str] = &["prepare", "sidecar"];

/// Where the API server's own plugin mounts a token.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

static MENUS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let arena = Arena::new();
    let documents = yaml::documents(&arena, include_str!("pods.yaml")).into_iter();
    documents.map(|document| serde_json::from_str(&to_json(document.unwrap().value)).unwrap()).collect()
});

/// A pod; the same one for the same random numbers.
pub fn pod(random: &mut Random) -> Value {
    let [pod, container] = &MENUS[..] else { panic!("a menu of pods and one of containers") };
    // Some pods say next to nothing, and some nearly everything.
    let often = random.one(&[10, 30, 50, 75]);
    let mut pod = chosen(random, often, pod).unwrap();
    let count = random.below(CONTAINERS.len());
    let containers = containers(random, often, container, &CONTAINERS[..=count]);
    pod["spec"]["containers"] = containers;
    if random.chance(50) {
        let count = random.below(INIT_CONTAINERS.len());
        pod["spec"]["initContainers"] = self::containers(random, often, container, &INIT_CONTAINERS[..=count]);
    }
    for sidecar in each(&mut pod, "initContainers") {
        let is_sidecar = sidecar["name"] == "sidecar";
        let fields = sidecar.as_object_mut().unwrap();
        if is_sidecar {
            fields.insert("restartPolicy".into(), json!("Always"));
        } else {
            // Only what goes on running is probed, and has something to do before it stops.
            fields.retain(|key, _| key != "livenessProbe" && key != "lifecycle");
        }
    }
    mount_token(random, &mut pod);
    if random.chance(90) {
        make_consistent(&mut pod);
    }
    pod
}

/// What a menu gives, if anything.
fn chosen(random: &mut Random, often: usize, menu: &Value) -> Option<Value> {
    match menu {
        Value::Object(members) if members.len() == 1 && members.contains_key("maybe") => {
            let taken = random.chance(often);
            if taken { chosen(random, often, &members["maybe"]) } else { None }
        }
        Value::Object(members) if members.len() == 1 && members.contains_key("one") => {
            let alternative = random.of(members["one"].as_array().unwrap()).clone();
            chosen(random, often, &alternative)
        }
        Value::Object(members) => {
            let members = members.iter();
            let members = members.filter_map(|(key, menu)| Some((key.clone(), chosen(random, often, menu)?)));
            Some(Value::Object(members.collect::<Map<_, _>>()))
        }
        Value::Array(elements) => {
            Some(Value::Array(elements.iter().filter_map(|menu| chosen(random, often, menu)).collect()))
        }
        // A field that is left out, as an alternative.
        Value::Null => None,
        scalar => Some(scalar.clone()),
    }
}

fn containers(random: &mut Random, often: usize, menu: &Value, names: &[&str]) -> Value {
    let named = names.iter().map(|name| {
        let mut container = chosen(random, often, menu).unwrap();
        container["name"] = json!(name);
        container
    });
    Value::Array(named.collect())
}

/// The elements of a list of the pod's spec.
fn each<'v>(pod: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    pod["spec"].get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Mounts the volume with the token, if there is one: as the plugin does in most pods, in every container.
fn mount_token(random: &mut Random, pod: &mut Value) {
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    let token = volumes.iter().find(|volume| volume.get("projected").is_some()).map(|volume| volume["name"].clone());
    let is_everywhere = random.chance(85);
    for list in ["containers", "initContainers"] {
        for container in each(pod, list) {
            let mounts = container["volumeMounts"].as_array_mut().unwrap();
            if let Some(token) = token.as_ref().filter(|_| is_everywhere || random.chance(50)) {
                let path = if random.chance(95) { TOKEN } else { "/token" };
                mounts.push(json!({"name": token, "mountPath": path, "readOnly": true}));
            }
        }
    }
}

/// Takes out most of what doesn't go together, which the API server would refuse.
fn make_consistent(pod: &mut Value) {
    let volumes: Vec<_> = pod["spec"]["volumes"].as_array().unwrap().clone();
    let is_volume = |name: &Value| volumes.iter().any(|volume| volume["name"] == *name);
    let claims: Vec<_> = pod["spec"]["resourceClaims"].as_array().cloned().unwrap_or_default();
    let is_block = is_volume(&json!("block"));
    let is_windows = pod["spec"]["os"]["name"] == "windows";
    let is_linux = pod["spec"]["os"]["name"] == "linux";
    for list in ["containers", "initContainers"] {
        for container in each(pod, list) {
            let mounts = container["volumeMounts"].as_array_mut().unwrap();
            mounts.retain(|mount| is_volume(&mount["name"]));
            let fields = container.as_object_mut().unwrap();
            if !is_block {
                fields.remove("volumeDevices");
            }
            if let Some(Value::Array(wanted)) = fields.get_mut("resources").and_then(|r| r.get_mut("claims")) {
                wanted.retain(|claim| claims.iter().any(|offered| offered["name"] == claim["name"]));
            }
            if let Some(Value::Object(context)) = fields.get_mut("securityContext") {
                let is_strong = context.get("privileged") == Some(&json!(true))
                    || context.get("capabilities").is_some_and(|given| given.to_string().contains("SYS_ADMIN"));
                if is_strong && context.get("allowPrivilegeEscalation") == Some(&json!(false)) {
                    context.remove("allowPrivilegeEscalation");
                }
                context.retain(|field, _| {
                    (!is_windows || ["runAsNonRoot", "windowsOptions"].contains(&field.as_str()))
                        && (!is_linux || field != "windowsOptions")
                });
            }
            requests_within_limits(fields.get_mut("resources"));
        }
    }
    let is_mirror = pod["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
    let spec = pod["spec"].as_object_mut().unwrap();
    if is_mirror {
        spec.insert("nodeName".into(), json!("nas"));
    }
    if volumes.iter().any(|volume| volume.get("projected").is_some()) && !spec.contains_key("serviceAccountName") {
        spec.insert("serviceAccountName".into(), json!("default"));
    }
    if is_block {
        spec.remove("hostUsers");
    }
    requests_within_limits(spec.get_mut("resources"));
    if let Some(Value::Object(context)) = spec.get_mut("securityContext") {
        context.retain(|field, _| {
            (!is_windows || ["runAsNonRoot", "windowsOptions"].contains(&field.as_str()))
                && (!is_linux || field != "windowsOptions")
        });
    }
    if is_windows {
        spec.retain(|field, _| {
            !["hostPID", "hostUsers", "shareProcessNamespace", "hostNetwork", "resources"].contains(&field.as_str())
        });
    }
    if spec.get("hostUsers") == Some(&json!(false)) {
        spec.retain(|field, _| !["hostPID", "hostNetwork"].contains(&field.as_str()));
    }
    if spec.get("hostPID") == Some(&json!(true)) {
        spec.remove("shareProcessNamespace");
    }
    if spec.get("serviceAccount") != spec.get("serviceAccountName") {
        spec.remove("serviceAccount");
    }
    // An empty list of sysctls on the host's network is all that goes with it.
    if spec.get("hostNetwork") == Some(&json!(true))
        && let Some(Value::Object(context)) = spec.get_mut("securityContext")
    {
        context.remove("sysctls");
    }
}

/// Drops the requests of a resource that the limits are below of, and extended resources that only one of them names.
fn requests_within_limits(resources: Option<&mut Value>) {
    let Some(resources) = resources else { return };
    let limits = resources["limits"].clone();
    let Some(Value::Object(requests)) = resources.get_mut("requests") else { return };
    requests.retain(|resource, request| match (&limits[resource], &*request) {
        (Value::Null, _) => true,
        (limit, request) => super::valid::amount(request) <= super::valid::amount(limit),
    });
}
