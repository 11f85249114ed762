//! What the API server takes.

use serde_json::{Map, Value};

/// The fields that only Linux has.
const LINUX_POD: [&str; 3] = ["hostPID", "hostIPC", "hostUsers"];
const LINUX_CONTEXT: [&str; 11] = [
    "runAsUser",
    "runAsGroup",
    "fsGroup",
    "supplementalGroups",
    "sysctls",
    "seccompProfile",
    "appArmorProfile",
    "seLinuxOptions",
    "privileged",
    "allowPrivilegeEscalation",
    "readOnlyRootFilesystem",
];
const LINUX_CONTAINER_CONTEXT: [&str; 2] = ["capabilities", "procMount"];

/// Whether a pod says something that the API server refuses, where that decides between the levels: the restricted level
/// leaves checks of the baseline out, since its own are stricter, except for what nobody can write.
pub fn is_refused(pod: &Value) -> bool {
    let mut accepted = pod.clone();
    leave_out_what_is_refused(&mut accepted);
    accepted != *pod
}

/// Leaves out what the API server refuses: settings of Linux in pods of Windows and the other way round, and all sources
/// of a volume but its first.
pub fn leave_out_what_is_refused(pod: &mut Value) {
    let Some(spec) = pod["spec"].as_object_mut() else { return };
    let os = spec.get("os").and_then(|os| os.get("name")).and_then(Value::as_str).unwrap_or_default();
    let (in_spec, in_contexts): (&[&str], Vec<&str>) = match os {
        "windows" => (&LINUX_POD, [&LINUX_CONTEXT[..], &LINUX_CONTAINER_CONTEXT].concat()),
        "linux" => (&[], vec!["windowsOptions"]),
        _ => (&[], Vec::new()),
    };
    let without = |fields: &mut Map<String, Value>, keys: &[&str]| {
        fields.retain(|key, value| value.is_null() || !keys.contains(&key.as_str()));
    };
    without(spec, in_spec);
    if let Some(context) = spec.get_mut("securityContext").and_then(Value::as_object_mut) {
        without(context, &in_contexts);
    }
    for list in ["containers", "initContainers", "ephemeralContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(context) = container.get_mut("securityContext").and_then(Value::as_object_mut) {
                without(context, &in_contexts);
            }
        }
    }
    for volume in spec.get_mut("volumes").and_then(Value::as_array_mut).into_iter().flatten() {
        let mut sources = 0;
        if let Some(fields) = volume.as_object_mut() {
            fields.retain(|key, value| {
                let is_source = key != "name" && !value.is_null();
                sources += usize::from(is_source);
                !is_source || sources == 1
            });
        }
    }
}
