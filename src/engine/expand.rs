//! Effective pods: the Pod that a workload will create, and the way back from its fields to the workload's.
//!
//! The pod is what its controller posts at CREATE, as far as that follows from the workload: labels, annotations and
//! spec of the template, the controller's reference and user, a StatefulSet's claims as volumes, the tolerations of a
//! DaemonSet's pods. Left out are values that only the cluster knows (hashes, uids, the node of a DaemonSet's pod).

use crate::defaulting::is_same_element;
use crate::json::{Arena, Member, Object, Value};

use super::field::{self, Step};
use super::request::{GroupVersionKind, GroupVersionResource, Operation, Request};
use super::subject::object;
use super::tolerations::with_daemon_tolerations;

/// The pod that a workload will create.
#[derive(Clone, Copy, Debug)]
pub struct EffectivePod<'a> {
    /// The request by which the pod will be created.
    pub request: Request<'a>,
    /// The pod that the workload creates without the update, if that is what is asked and it had a template before.
    pub old: Option<Value<'a>>,
    /// How its fields map to the workload's.
    pub origin: Origin,
}

/// Where the parts of an effective pod stand in its workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The path of the pod template in the workload.
    template: &'static [&'static str],
    /// How many volumes the template has; those after it come from `spec.volumeClaimTemplates`.
    volumes: usize,
    /// How many tolerations the template has; those after it are the controller's.
    tolerations: usize,
}

/// A kind of object that contains a pod template.
#[derive(Debug)]
pub struct Workload {
    /// `Deployment`
    pub kind: &'static str,
    /// `deployments`
    pub resource: &'static str,
    /// The groups that it has been in, the current one first.
    pub groups: &'static [&'static str],
    /// The fields that lead to the template.
    pub template: &'static [&'static str],
    /// The kind that owns the pods; empty where nothing does.
    owner: &'static str,
    owner_api_version: &'static str,
    /// The service account in kube-system that creates the pods; empty where whoever likes does.
    pub controller: &'static str,
}

const SPEC_TEMPLATE: &[&str] = &["spec", "template"];
const APPS: &[&str] = &["apps", "extensions"];

static WORKLOADS: [Workload; 8] = [
    Workload {
        kind: "Deployment",
        resource: "deployments",
        groups: APPS,
        template: SPEC_TEMPLATE,
        owner: "ReplicaSet",
        owner_api_version: "apps/v1",
        controller: "replicaset-controller",
    },
    Workload {
        kind: "ReplicaSet",
        resource: "replicasets",
        groups: APPS,
        template: SPEC_TEMPLATE,
        owner: "ReplicaSet",
        owner_api_version: "apps/v1",
        controller: "replicaset-controller",
    },
    Workload {
        kind: "StatefulSet",
        resource: "statefulsets",
        groups: APPS,
        template: SPEC_TEMPLATE,
        owner: "StatefulSet",
        owner_api_version: "apps/v1",
        controller: "statefulset-controller",
    },
    Workload {
        kind: "DaemonSet",
        resource: "daemonsets",
        groups: APPS,
        template: SPEC_TEMPLATE,
        owner: "DaemonSet",
        owner_api_version: "apps/v1",
        controller: "daemon-set-controller",
    },
    Workload {
        kind: "ReplicationController",
        resource: "replicationcontrollers",
        groups: &[""],
        template: SPEC_TEMPLATE,
        owner: "ReplicationController",
        owner_api_version: "v1",
        controller: "replication-controller",
    },
    Workload {
        kind: "Job",
        resource: "jobs",
        groups: &["batch"],
        template: SPEC_TEMPLATE,
        owner: "Job",
        owner_api_version: "batch/v1",
        controller: "job-controller",
    },
    Workload {
        kind: "CronJob",
        resource: "cronjobs",
        groups: &["batch"],
        template: &["spec", "jobTemplate", "spec", "template"],
        owner: "Job",
        owner_api_version: "batch/v1",
        controller: "job-controller",
    },
    Workload {
        kind: "PodTemplate",
        resource: "podtemplates",
        groups: &[""],
        template: &["template"],
        owner: "",
        owner_api_version: "",
        controller: "",
    },
];

/// All kinds of object that contain a pod template.
pub fn workloads() -> &'static [Workload] {
    &WORKLOADS
}

/// The current group and the resource of each workload: what has to pass through admission for its pods to be judged early.
pub fn workload_resources() -> impl Iterator<Item = (&'static str, &'static str)> {
    WORKLOADS.iter().filter_map(|workload| Some((*workload.groups.first()?, workload.resource)))
}

/// The pod spec in an object: a pod's own, or that of a workload's template.
pub fn pod_spec(object: Value<'_>) -> Option<Value<'_>> {
    let templates = WORKLOADS.iter().map(|workload| workload.template);
    let specs = std::iter::once(&[][..]).chain(templates).filter_map(|path| object.at(path)?.get("spec"));
    specs.into_iter().find(|spec| spec.get("containers").is_some())
}

const POD_KIND: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
const POD_RESOURCE: GroupVersionResource<'static> = GroupVersionResource { group: "", version: "v1", resource: "pods" };

/// The pod that the request's workload will create, if it is a workload that will create any: a pod controller or a
/// PodTemplate, created or updated, and not on its way to deletion (where refusing an update would only keep it).
pub fn expand<'a>(arena: &'a Arena, request: &Request<'a>) -> Option<EffectivePod<'a>> {
    if !matches!(request.operation, Operation::Create | Operation::Update) || !request.sub_resource.is_empty() {
        return None;
    }
    let workload = WORKLOADS.iter().find(|workload| {
        workload.resource == request.resource.resource
            && workload.kind == request.kind.kind
            && workload.groups.contains(&request.resource.group)
    })?;
    let metadata = request.object.get("metadata").unwrap_or(Value::Null);
    if metadata.get("deletionTimestamp").is_some_and(|timestamp| !timestamp.is_null()) {
        return None;
    }
    let text = |value: Option<Value<'a>>| value.and_then(|v| v.as_str()).unwrap_or_default();
    let owner = Owner {
        namespace: match request.namespace {
            "" => text(metadata.get("namespace")),
            namespace => namespace,
        },
        name: match request.name {
            "" => text(metadata.get("name").or_else(|| metadata.get("generateName"))),
            name => name,
        },
        uid: metadata.get("uid").or_else(|| request.old_object.at(&["metadata", "uid"])).unwrap_or(Value::String("")),
    };
    // Only a StatefulSet names its pods; the API server generates the names of others.
    let pod_name = match workload.kind {
        "StatefulSet" => arena.alloc_str(&format!("{}-0", owner.name)),
        _ => "",
    };
    let object = pod_of(arena, workload, request.object, &owner, pod_name)?;
    let spec = request.object.at(workload.template)?.get("spec")?;
    let count = |field| spec.get(field).and_then(|v| v.as_array()).unwrap_or_default().len();
    Some(EffectivePod {
        request: Request {
            kind: POD_KIND,
            resource: POD_RESOURCE,
            request_kind: POD_KIND,
            request_resource: POD_RESOURCE,
            name: pod_name,
            namespace: owner.namespace,
            // Pods are made anew from a changed template, whatever is done to the workload.
            operation: Operation::Create,
            user_info: controller_user(arena, workload).unwrap_or(request.user_info),
            object,
            old_object: Value::Null,
            options: Value::Null,
            ..*request
        },
        old: match request.operation {
            Operation::Update => pod_of(arena, workload, request.old_object, &owner, pod_name),
            _ => None,
        },
        origin: Origin { template: workload.template, volumes: count("volumes"), tolerations: count("tolerations") },
    })
}

/// The pod that `owner` creates while it is `declared`, if that has a template.
fn pod_of<'a>(
    arena: &'a Arena,
    workload: &Workload,
    declared: Value<'a>,
    owner: &Owner<'a>,
    pod_name: &'a str,
) -> Option<Value<'a>> {
    let template = declared.at(workload.template)?;
    let spec = template.get("spec")?.as_object()?;
    let spec = match workload.kind {
        "StatefulSet" => with_claims(arena, spec, declared, pod_name),
        "DaemonSet" => with_daemon_tolerations(arena, spec),
        _ => Value::Object(spec),
    };
    let labels = extra_labels(arena, workload, owner.name, pod_name);
    let metadata = pod_metadata(arena, workload, template, owner, pod_name, &labels);
    let members =
        [("apiVersion", Value::String("v1")), ("kind", Value::String("Pod")), ("metadata", metadata), ("spec", spec)];
    Some(object(arena, &members))
}

impl Origin {
    /// The path in the workload of a field of the pod as it is created, `created`; mutating policies may have changed
    /// the pod from `declared`, and with it the places of list elements.
    pub fn field(&self, path: &str, declared: Value<'_>, created: Value<'_>) -> String {
        let Some(mut steps) = field::steps(path) else { return path.to_owned() };
        if declared != created {
            restore_indexes(&mut steps, declared, created);
        }
        let prefixed = |steps: &[Step<'_>]| {
            let template: Vec<Step<'_>> = self.template.iter().map(|name| Step::Field(name)).collect();
            field::join(&[template.as_slice(), steps].concat())
        };
        match steps.as_slice() {
            [Step::Field("spec"), Step::Field("volumes"), Step::Index(index), rest @ ..] if *index >= self.volumes => {
                let claims =
                    [Step::Field("spec"), Step::Field("volumeClaimTemplates"), Step::Index(index - self.volumes)];
                field::join(&[&claims, rest].concat())
            }
            [Step::Field("spec"), Step::Field("tolerations"), Step::Index(index), ..] if *index >= self.tolerations => {
                path.to_owned()
            }
            [Step::Field("spec"), ..] => prefixed(&steps),
            [Step::Field("metadata"), Step::Field("labels" | "annotations"), ..] => prefixed(&steps),
            _ => path.to_owned(),
        }
    }

    /// The message with the field paths at its head replaced by the workload's.
    pub fn message(&self, message: &str, declared: Value<'_>, created: Value<'_>) -> String {
        field::rewrite(message, |path| self.field(path, declared, created))
    }
}

/// Replaces indexes into the created pod's lists by those of the same elements in the declared pod.
fn restore_indexes(steps: &mut [Step<'_>], declared: Value<'_>, created: Value<'_>) {
    let (mut before, mut after) = (Some(declared), Some(created));
    for step in steps {
        match step {
            Step::Field(name) => {
                before = before.and_then(|v| v.get(name));
                after = after.and_then(|v| v.get(name));
            }
            Step::Key(quoted) => {
                let key = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
                before = before.and_then(|v| v.get(key));
                after = after.and_then(|v| v.get(key));
            }
            Step::Index(index) => {
                let element = after.and_then(|v| v.as_array()).and_then(|elements| elements.get(*index).copied());
                let old = before.and_then(|v| v.as_array()).unwrap_or_default();
                let found = element.and_then(|element| old.iter().position(|other| is_same_element(*other, element)));
                // An element that mutation added has no place in the workload: its index stays.
                if let Some(found) = found {
                    *index = found;
                }
                before = found.and_then(|found| old.get(found).copied());
                after = element;
            }
        }
    }
}

/// Where a workload is, and what it is called.
struct Owner<'a> {
    namespace: &'a str,
    name: &'a str,
    uid: Value<'a>,
}

fn pod_metadata<'a>(
    arena: &'a Arena,
    workload: &Workload,
    template: Value<'a>,
    owner: &Owner<'a>,
    pod_name: &'a str,
    extra_labels: &[Member<'a>],
) -> Value<'a> {
    let template = template.get("metadata").unwrap_or(Value::Null);
    let mut members: Vec<Member<'a>> = Vec::with_capacity(8);
    if pod_name.is_empty() {
        members.push(("generateName", Value::String(arena.alloc_str(&format!("{}-", owner.name)))));
    } else {
        members.push(("name", Value::String(pod_name)));
    }
    if !owner.namespace.is_empty() {
        members.push(("namespace", Value::String(owner.namespace)));
    }
    match (template.get("labels"), extra_labels) {
        (None | Some(Value::Null), []) => {}
        (Some(labels), []) => members.push(("labels", labels)),
        (labels, extra) => {
            let own = labels.and_then(|v| v.as_object()).unwrap_or_default();
            members.push(("labels", Value::Object(Object::new(arena, &[own.members(), extra].concat()))));
        }
    }
    for key in ["annotations", "finalizers"] {
        members.extend(template.get(key).filter(|v| !v.is_null()).map(|value| (key, value)));
    }
    if !workload.owner.is_empty() {
        let owner = object(
            arena,
            &[
                ("apiVersion", Value::String(workload.owner_api_version)),
                ("kind", Value::String(workload.owner)),
                ("name", Value::String(owner.name)),
                ("uid", owner.uid),
                ("controller", Value::Bool(true)),
                ("blockOwnerDeletion", Value::Bool(true)),
            ],
        );
        members.push(("ownerReferences", Value::Array(arena.alloc_slice_copy(&[owner]))));
    }
    Value::Object(Object::new(arena, &members))
}

/// Labels that controllers add and that follow from the workload alone.
fn extra_labels<'a>(arena: &'a Arena, workload: &Workload, owner: &'a str, pod: &'a str) -> Vec<Member<'a>> {
    let label = |key: &str, value: &'a str| -> Member<'a> { (arena.alloc_str(key), Value::String(value)) };
    match workload.kind {
        "StatefulSet" => {
            vec![label("statefulset.kubernetes.io/pod-name", pod), label("apps.kubernetes.io/pod-index", "0")]
        }
        "Job" => vec![label("batch.kubernetes.io/job-name", owner), label("job-name", owner)],
        _ => Vec::new(),
    }
}

/// Gives a StatefulSet's pod its claims as volumes. The controller puts them first; here they come last, so that the
/// template's volumes keep their places. A claim takes the place of the template's volume of the same name.
fn with_claims<'a>(arena: &'a Arena, spec: Object<'a>, workload: Value<'a>, pod_name: &str) -> Value<'a> {
    let claims = workload.at(&["spec", "volumeClaimTemplates"]).and_then(|v| v.as_array()).unwrap_or_default();
    if claims.is_empty() {
        return Value::Object(spec);
    }
    let name_of = |claim: &Value<'a>| claim.at(&["metadata", "name"]).and_then(|v| v.as_str()).unwrap_or_default();
    let mut all = spec.get("volumes").and_then(|v| v.as_array()).unwrap_or_default().to_vec();
    for claim in claims {
        let name = name_of(claim);
        let claim_name = Value::String(arena.alloc_str(&format!("{name}-{pod_name}")));
        let source = object(arena, &[("claimName", claim_name)]);
        let volume = object(arena, &[("name", Value::String(name)), ("persistentVolumeClaim", source)]);
        match all.iter_mut().find(|other| other.get("name") == Some(Value::String(name))) {
            Some(replaced) => *replaced = volume,
            None => all.push(volume),
        }
    }
    let volumes = Value::Array(arena.alloc_slice_copy(&all));
    let members: Vec<Member<'a>> =
        spec.members().iter().copied().filter(|(key, _)| *key != "volumes").chain([("volumes", volumes)]).collect();
    Value::Object(Object::new(arena, &members))
}

/// The user that creates the pods: the controller's service account.
fn controller_user<'a>(arena: &'a Arena, workload: &Workload) -> Option<Value<'a>> {
    if workload.controller.is_empty() {
        return None;
    }
    let user = arena.alloc_str(&format!("system:serviceaccount:kube-system:{}", workload.controller));
    let groups =
        ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"].map(Value::String);
    Some(object(arena, &[("username", Value::String(user)), ("groups", Value::Array(arena.alloc_slice_copy(&groups)))]))
}
