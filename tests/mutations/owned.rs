//! What each mutating policy may change, and nothing else: fields that the author left out, and, stated one by one, what
//! it takes away or replaces.

use serde_json::{Value, json};

use super::changes::{Change, What};
use super::policies::Profile;
use super::valid::{amount, elements};

/// A field that a policy may change, and how.
struct Owned {
    policy: &'static str,
    field: &'static str,
    may: May,
}

/// One application of a policy.
pub struct Step<'s> {
    pub policy: &'s str,
    pub profile: &'s Profile,
    pub before: &'s Value,
    pub after: &'s Value,
}

enum May {
    /// Add it, with any value.
    Add,
    /// Add it, with this value alone, as JSON.
    Set(&'static str),
    /// Add, remove or replace what the function says that it may.
    Exception(fn(&Step<'_>, &Change) -> bool),
}

/// Whether the policy owns what changed.
pub fn is_owned(step: &Step<'_>, change: &Change) -> bool {
    let of_field = |owned: &&Owned| {
        let is_field =
            owned.field.strip_suffix('*').map_or(change.field == owned.field, |map| change.field.starts_with(map));
        owned.policy == step.policy && is_field
    };
    // What a static pod's mirror says changes nothing of the pod.
    let is_mirror = step.before["metadata"]["annotations"].get("kubernetes.io/config.mirror").is_some();
    !is_mirror
        && OWNED.iter().filter(of_field).any(|owned| match (&owned.may, &change.what) {
            (May::Add, What::Added(_)) => true,
            (May::Set(only), What::Added(value)) => serde_json::from_str::<Value>(only).unwrap() == *value,
            (May::Exception(holds), _) => holds(step, change),
            _ => false,
        })
}

const SECURITY: &str = "security-context-defaults";
const GPU: &str = "gpu-device-access";
const LOCKED: &str = "images-locked";
const TOKEN: &str = "service-account-token";
const RESOURCES: &str = "resource-defaults";

const OWNED: &[Owned] = &[
    owned(SECURITY, "spec.securityContext.seccompProfile.type", May::Set("\"RuntimeDefault\"")),
    owned(SECURITY, "spec.securityContext.fsGroup", May::Add),
    owned(SECURITY, "spec.containers[].securityContext", May::Set("{}")),
    owned(SECURITY, "spec.containers[].securityContext.allowPrivilegeEscalation", May::Set("false")),
    owned(SECURITY, "spec.containers[].securityContext.seccompProfile.type", May::Set("\"RuntimeDefault\"")),
    owned(SECURITY, "spec.containers[].securityContext.runAsNonRoot", May::Set("true")),
    owned(SECURITY, "spec.containers[].securityContext.runAsUser", May::Add),
    owned(SECURITY, "spec.containers[].securityContext.runAsGroup", May::Add),
    owned(SECURITY, "spec.containers[].securityContext.capabilities.drop[]", May::Set("\"ALL\"")),
    // What is given back of all that is dropped.
    owned(SECURITY, "spec.containers[].securityContext.capabilities.add[]", May::Exception(is_given_back)),
    // Privilege and the node's files are what this policy is there to take away, of the pods that the params select.
    owned(GPU, "spec.containers[].securityContext.privileged", May::Exception(is_the_gpus_privilege)),
    owned(GPU, "spec.volumes[]", May::Exception(is_the_gpus_volume)),
    owned(GPU, "spec.containers[].volumeMounts[]", May::Exception(is_mount_of_a_removed_volume)),
    owned(GPU, "spec.containers[].resources.limits.*", May::Exception(is_the_gpus_resource)),
    owned(GPU, "spec.containers[].resources.requests.*", May::Exception(is_the_gpus_resource)),
    owned(GPU, "spec.containers[].resources.claims[]", May::Exception(is_of_the_gpus_container)),
    owned(GPU, "spec.containers[].env[]", May::Exception(is_of_the_gpus_container)),
    owned(GPU, "spec.resourceClaims[]", May::Exception(is_of_a_selected_pod)),
    owned(GPU, "spec.runtimeClassName", May::Exception(is_of_a_selected_pod)),
    owned(GPU, "spec.securityContext.supplementalGroups[]", May::Exception(is_of_a_selected_pod)),
    // A tag stays, and is fixed by the digest behind it.
    owned(LOCKED, "spec.containers[].image", May::Exception(is_the_same_image_with_a_digest)),
    owned(LOCKED, "spec.volumes[].image.reference", May::Exception(is_the_same_image_with_a_digest)),
    owned(TOKEN, "spec.automountServiceAccountToken", May::Set("false")),
    // The volume is the API server's, made where the author says nothing.
    owned(TOKEN, "spec.volumes[]", May::Exception(is_the_plugins_token)),
    owned(TOKEN, "spec.containers[].volumeMounts[]", May::Exception(is_mount_of_a_removed_volume)),
    owned(RESOURCES, "spec.containers[].resources.requests.cpu", May::Add),
    owned(RESOURCES, "spec.containers[].resources.requests.memory", May::Add),
    owned(RESOURCES, "spec.containers[].resources.requests.ephemeral-storage", May::Add),
    owned(RESOURCES, "spec.containers[].resources.limits.cpu", May::Add),
    owned(RESOURCES, "spec.containers[].resources.limits.memory", May::Add),
    owned(RESOURCES, "spec.containers[].resources.limits.ephemeral-storage", May::Add),
    // What the API server makes of containers' requests where a pod says something of resources as a whole.
    owned(RESOURCES, "spec.resources.requests.*", May::Exception(is_what_containers_request)),
    owned(GPU, "spec.resources.requests.*", May::Exception(is_what_containers_request)),
];

const fn owned(policy: &'static str, field: &'static str, may: May) -> Owned {
    Owned { policy, field, may }
}

/// Whether all capabilities are dropped by the same step: what the profile gives back is less than what there was.
fn is_given_back(step: &Step<'_>, change: &Change) -> bool {
    let [container, ..] = &change.items[..] else { return false };
    let drops = |pod: &Value| {
        let container = of_name(pod, container);
        elements(&container["securityContext"]["capabilities"]["drop"]).any(|name| name == "ALL")
    };
    matches!(change.what, What::Added(_)) && !drops(step.before) && drops(step.after)
}

fn is_the_gpus_privilege(step: &Step<'_>, change: &Change) -> bool {
    change.what == What::Removed(json!(true)) && is_of_the_gpus_container(step, change)
}

fn is_the_gpus_resource(step: &Step<'_>, change: &Change) -> bool {
    let named = match step.profile.param(GPU, "resource") {
        "" => match step.profile.param(GPU, "vendor") {
            "nvidia" => "nvidia.com/gpu",
            "intel" => "gpu.intel.com/i915",
            "amd" => "amd.com/gpu",
            _ => "squat.ai/dri",
        },
        named => named,
    };
    change.field.ends_with(&format!(".{named}")) && is_of_the_gpus_container(step, change)
}

/// Whether something was added to the container that the params name, or its privilege removed.
fn is_of_the_gpus_container(step: &Step<'_>, change: &Change) -> bool {
    let is_privilege = change.field.ends_with(".privileged");
    is_selected(step)
        && change.items.first().is_some_and(|name| name == step.profile.param(GPU, "container"))
        && (is_privilege || matches!(change.what, What::Added(_)))
}

fn is_of_a_selected_pod(step: &Step<'_>, change: &Change) -> bool {
    is_selected(step) && matches!(change.what, What::Added(_))
}

/// Whether the params of the GPU select the pod.
fn is_selected(step: &Step<'_>) -> bool {
    let (metadata, of) = (&step.before["metadata"], |key| step.profile.param(GPU, key));
    let Some((label, value)) = of("label").split_once('=') else { return false };
    metadata["namespace"] == of("namespace") && metadata["labels"][label] == value
}

/// Whether a volume went that is a device of the node, or a directory of drivers that the params name.
fn is_the_gpus_volume(step: &Step<'_>, change: &Change) -> bool {
    let What::Removed(volume) = &change.what else { return false };
    let path = clean(volume["hostPath"]["path"].as_str().unwrap_or_default());
    let drivers = step.profile.param(GPU, "driverPaths").lines().filter(|line| line.starts_with('/'));
    is_selected(step) && drivers.chain(["/dev"]).any(|above| path == above || path.starts_with(&format!("{above}/")))
}

fn is_the_plugins_token(_: &Step<'_>, change: &Change) -> bool {
    let What::Removed(volume) = &change.what else { return false };
    let name = volume["name"].as_str().and_then(|name| name.strip_prefix("kube-api-access-"));
    name.is_some_and(|suffix| suffix.len() == 5)
        && elements(&volume["projected"]["sources"]).any(|source| source.get("serviceAccountToken").is_some())
}

fn is_what_containers_request(step: &Step<'_>, change: &Change) -> bool {
    let What::Added(request) = &change.what else { return false };
    let resource = change.field.trim_start_matches("spec.resources.requests.");
    let spec = &step.after["spec"];
    let containers = ["containers", "initContainers"].iter().flat_map(|list| elements(&spec[*list]));
    let sum: i64 = containers.map(|container| amount(&container["resources"]["requests"][resource])).sum();
    spec["resources"]["limits"].is_object() && amount(request) <= sum
}

fn is_mount_of_a_removed_volume(step: &Step<'_>, change: &Change) -> bool {
    let What::Removed(mount) = &change.what else { return false };
    let has = |pod: &Value| elements(&pod["spec"]["volumes"]).any(|volume| volume["name"] == mount["name"]);
    has(step.before) && !has(step.after)
}

fn is_the_same_image_with_a_digest(step: &Step<'_>, change: &Change) -> bool {
    let What::Replaced(before, after) = &change.what else { return false };
    let (Some(before), Some(after)) = (before.as_str(), after.as_str()) else { return false };
    let digest = after.strip_prefix(before).and_then(|rest| rest.strip_prefix('@'));
    !before.contains('@') && digest.is_some_and(|digest| step.profile.param(LOCKED, "images").contains(digest))
}

/// A path as the node takes it.
fn clean(path: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in path.split('/').filter(|step| !step.is_empty() && *step != ".") {
        if step == ".." {
            steps.pop();
        } else {
            steps.push(step);
        }
    }
    format!("/{}", steps.join("/"))
}

fn of_name<'v>(pod: &'v Value, name: &str) -> &'v Value {
    let lists = ["containers", "initContainers"].iter().flat_map(|list| elements(&pod["spec"][*list]));
    lists.into_iter().find(|container| container["name"] == name).unwrap_or(&Value::Null)
}
