//! Defaults of pods and pod templates. Upstream: `pkg/apis/core/v1/defaults.go`, `zz_generated.defaults.go`; and of
//! `conversion.go` what every object goes through on its way in.

use crate::json::Value;

use super::image::is_latest;
use super::pod_resources;
use super::quantity::resource_list;
use super::rule::Rule::{Call, Each, Fill, If, In, Make, Set};
use super::rule::{Fields, Rule};
use super::storage::CLAIM_SPEC;

const TRUE: Value<'static> = Value::Bool(true);
const FALSE: Value<'static> = Value::Bool(false);

const fn text(text: &'static str) -> Value<'static> {
    Value::String(text)
}

/// A pod.
pub(super) const POD: &[Rule] = &[Call(pod_alone), Make("spec", SPEC)];

/// What only a pod gets, not the template that it is made from.
pub(super) fn pod_alone(pod: &mut Fields<'_>) {
    pod.within("spec", |spec| {
        pod_resources::default(spec);
        if spec.get("enableServiceLinks").is_none() {
            spec.set("enableServiceLinks", TRUE);
        }
        if spec.get("hostNetwork") == Some(TRUE) {
            spec.each("containers", host_ports);
            spec.each("initContainers", host_ports);
        }
        if matches!(spec.get("terminationGracePeriodSeconds"), Some(Value::Int(..0))) {
            spec.set("terminationGracePeriodSeconds", Value::Int(1));
        }
    });
}

/// What pod controllers make pods from.
pub(super) const TEMPLATE: &[Rule] = &[Make("metadata", &[]), Make("spec", SPEC)];

const SPEC: &[Rule] = &[
    Fill("dnsPolicy", text("ClusterFirst")),
    Fill("restartPolicy", text("Always")),
    Make("securityContext", &[]),
    Set("terminationGracePeriodSeconds", Value::Int(30)),
    Fill("schedulerName", text("default-scheduler")),
    Call(service_account),
    Each("volumes", VOLUME),
    Each("initContainers", CONTAINER),
    Each("containers", CONTAINER),
    Each("ephemeralContainers", CONTAINER),
    Call(|spec| resource_list(spec, "overhead")),
    In("resources", LIMITS_AND_REQUESTS),
];

pub(super) const LIMITS_AND_REQUESTS: &[Rule] =
    &[Call(|resources| resource_list(resources, "limits")), Call(|resources| resource_list(resources, "requests"))];

const CONTAINER: &[Rule] = &[
    Call(pull_policy),
    Fill("terminationMessagePath", text("/dev/termination-log")),
    Fill("terminationMessagePolicy", text("File")),
    Each("ports", &[Fill("protocol", text("TCP"))]),
    Each("env", &[In("valueFrom", ENV_SOURCE)]),
    Make("resources", LIMITS_AND_REQUESTS),
    In("livenessProbe", PROBE),
    In("readinessProbe", PROBE),
    In("startupProbe", PROBE),
    In("lifecycle", &[In("postStart", &[In("httpGet", HTTP_GET)]), In("preStop", &[In("httpGet", HTTP_GET)])]),
];

const ENV_SOURCE: &[Rule] = &[In("fieldRef", FIELD_REF), In("fileKeyRef", &[Set("optional", FALSE)])];

const FIELD_REF: &[Rule] = &[Fill("apiVersion", text("v1"))];

const PROBE: &[Rule] = &[
    Fill("timeoutSeconds", Value::Int(1)),
    Fill("periodSeconds", Value::Int(10)),
    Fill("successThreshold", Value::Int(1)),
    Fill("failureThreshold", Value::Int(3)),
    In("httpGet", HTTP_GET),
    In("grpc", &[Set("service", text(""))]),
];

const HTTP_GET: &[Rule] = &[Fill("path", text("/")), Fill("scheme", text("HTTP"))];

const VOLUME: &[Rule] = &[
    If(has_no_source, &[Make("emptyDir", &[])]),
    In("image", &[Call(|image| pull_policy_of(image, "pullPolicy", "reference"))]),
    In("hostPath", HOST_PATH),
    In("secret", DEFAULT_MODE),
    In("iscsi", ISCSI),
    In("rbd", RBD),
    In("downwardAPI", &[Set("defaultMode", MODE_0644), Each("items", DOWNWARD_FILE)]),
    In("configMap", DEFAULT_MODE),
    In("azureDisk", AZURE_DISK),
    In("projected", &[Set("defaultMode", MODE_0644), Each("sources", PROJECTION)]),
    In("scaleIO", SCALE_IO),
    In("ephemeral", &[In("volumeClaimTemplate", &[Make("metadata", &[]), Make("spec", CLAIM_SPEC)])]),
];

const MODE_0644: Value<'static> = Value::Int(0o644);
const DEFAULT_MODE: &[Rule] = &[Set("defaultMode", MODE_0644)];
const DOWNWARD_FILE: &[Rule] = &[In("fieldRef", FIELD_REF)];

const PROJECTION: &[Rule] = &[
    In("downwardAPI", &[Each("items", DOWNWARD_FILE)]),
    In("serviceAccountToken", &[Set("expirationSeconds", Value::Int(3600))]),
];

/// Upstream keeps the type of a path apart from its absence, as an empty text.
pub(super) const HOST_PATH: &[Rule] = &[Set("type", text(""))];
pub(super) const ISCSI: &[Rule] = &[Fill("iscsiInterface", text("default"))];
pub(super) const RBD: &[Rule] =
    &[Fill("pool", text("rbd")), Fill("user", text("admin")), Fill("keyring", text("/etc/ceph/keyring"))];
pub(super) const AZURE_DISK: &[Rule] = &[
    Set("cachingMode", text("ReadWrite")),
    Set("fsType", text("ext4")),
    Set("readOnly", FALSE),
    Set("kind", text("Shared")),
];
pub(super) const SCALE_IO: &[Rule] = &[Fill("storageMode", text("ThinProvisioned")), Fill("fsType", text("xfs"))];

fn has_no_source(volume: &Fields<'_>) -> bool {
    volume.members().iter().all(|(key, value)| *key == "name" || value.is_null())
}

fn pull_policy(container: &mut Fields<'_>) {
    pull_policy_of(container, "imagePullPolicy", "image");
}

fn pull_policy_of(fields: &mut Fields<'_>, policy: &'static str, image: &str) {
    if fields.text(policy).is_empty() {
        let default = if is_latest(fields.text(image)) { "Always" } else { "IfNotPresent" };
        fields.set(policy, text(default));
    }
}

/// The old name of the field follows the new one.
fn service_account(spec: &mut Fields<'_>) {
    let (name, alias) = (spec.text("serviceAccountName"), spec.text("serviceAccount"));
    if name.is_empty() && !alias.is_empty() {
        spec.set("serviceAccountName", Value::String(alias));
    } else if name != alias {
        spec.set("serviceAccount", Value::String(name));
    }
}

/// On the host's network, every port of a container is one of the host.
fn host_ports(container: &mut Fields<'_>) {
    container.each("ports", |port| {
        let number = port.get("containerPort");
        if matches!(port.get("hostPort"), None | Some(Value::Int(0)))
            && let Some(number) = number.filter(|number| *number != Value::Int(0))
        {
            port.set("hostPort", number);
        }
    });
}
