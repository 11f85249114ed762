//! The main job with the policies that the binary ships: a media server's pod, privileged for its GPU, is repaired.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Server, review_of};

/// The pod that a ReplicaSet creates for a Deployment of Jellyfin that asks for privileged mode to reach the GPU.
fn jellyfin() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": "jellyfin-6d4cf56db6-", "namespace": "media",
            "labels": {"app": "jellyfin", "pod-template-hash": "6d4cf56db6"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "jellyfin-6d4cf56db6",
                "uid": "7a1b8a3e-3b4f-4b7e-9d0a-1f2e3d4c5b6a", "controller": true, "blockOwnerDeletion": true}]
        },
        "spec": {
            "restartPolicy": "Always", "dnsPolicy": "ClusterFirst", "securityContext": {},
            "initContainers": [{
                "name": "apply-xml-overrides", "image": "alpine:latest", "command": ["/bin/sh", "-c"],
                "args": ["set -eu\napk add --no-cache xmlstarlet\necho done"],
                "volumeMounts": [{"name": "config", "mountPath": "/config"}]
            }],
            "containers": [{
                "name": "jellyfin", "image": "jellyfin/jellyfin:latest",
                "env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}],
                "resources": {"limits": {"cpu": "2", "memory": "4Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
                "securityContext": {"privileged": true},
                "volumeMounts": [
                    {"name": "config", "mountPath": "/config"},
                    {"name": "media", "mountPath": "/media"},
                    {"name": "dev-dri", "mountPath": "/dev/dri"}
                ]
            }],
            "volumes": [
                {"name": "config", "persistentVolumeClaim": {"claimName": "jellyfin-config"}},
                {"name": "media", "hostPath": {"path": "/mnt/data", "type": "Directory"}},
                {"name": "dev-dri", "hostPath": {"path": "/dev/dri", "type": "Directory"}}
            ]
        }
    })
}

/// Applies the response's patch, if there is one.
fn patched(mut object: Value, response: &Value) -> Value {
    if let Some(patch) = response["patch"].as_str() {
        let patch: json_patch::Patch = serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap();
        json_patch::patch(&mut object, &patch).expect("a patch that can be applied");
    }
    object
}

#[tokio::test]
async fn the_pod_is_repaired_once_then_judged_by_its_images_alone() {
    let server = Server::shipped(&["--offline"], &["--mode", "enforce"]);
    let response = server.review("/mutate", &review_of("pods", jellyfin())).await;
    assert_eq!(response["allowed"], true, "{response}");
    let repaired = patched(jellyfin(), &response);
    let container = &repaired["spec"]["containers"][0];
    assert_ne!(container["securityContext"]["privileged"], true, "{repaired:#}");
    assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{repaired:#}");
    assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"].as_str().unwrap_or("1"), "1", "{repaired:#}");
    assert!(container["resources"]["limits"].get("nvidia.com/gpu").is_some(), "{repaired:#}");
    let names = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&repaired["spec"]["volumes"]), ["config", "media"], "{repaired:#}");
    assert_eq!(names(&container["volumeMounts"]), ["config", "media"], "{repaired:#}");
    assert_eq!(repaired["spec"]["volumes"][1], jellyfin()["spec"]["volumes"][1], "the media stay where they are");
    // Installing packages takes root and the capabilities that apk needs.
    let init = &repaired["spec"]["initContainers"][0]["securityContext"];
    assert!(init.get("runAsNonRoot").is_none_or(|value| value == false), "{repaired:#}");
    assert!(init.get("runAsUser").is_none_or(|value| value == 0), "{repaired:#}");
    assert!(init["capabilities"]["add"].as_array().is_some_and(|add| add.contains(&json!("CHOWN"))), "{repaired:#}");

    let again = server.review("/mutate", &review_of("pods", repaired.clone())).await;
    assert!(again.get("patch").is_none(), "{again}");

    let judged = server.review("/validate", &review_of("pods", repaired.clone())).await;
    assert_eq!(judged["allowed"], false, "{judged}");
    let causes: Vec<String> = judged["status"]["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["message"].as_str().unwrap().to_owned())
        .collect();
    assert!(causes.iter().all(|cause| cause.contains("require-pinned-images")), "{causes:#?}");

    let mut pinned = repaired;
    pinned["spec"]["containers"][0]["image"] = json!("jellyfin/jellyfin:10.10.7");
    pinned["spec"]["initContainers"][0]["image"] = json!("alpine:3.22.1");
    let judged = server.review("/validate", &review_of("pods", pinned)).await;
    assert_eq!(judged["allowed"], true, "{judged}");
}

#[tokio::test]
async fn in_audit_mode_nothing_happens_and_the_metrics_say_what_would_have() {
    let server = Server::shipped(&["--offline"], &[]);
    let response = server.review("/mutate", &review_of("pods", jellyfin())).await;
    assert_eq!((&response["allowed"], response.get("patch")), (&json!(true), None), "{response}");
    let response = server.review("/validate", &review_of("pods", jellyfin())).await;
    assert_eq!(response["allowed"], true, "{response}");
    for policy in ["gpu-device-access", "security-context-defaults"] {
        let series = format!(r#"portcullis_policy_mutations_total{{applied="false",policy="{policy}"}}"#);
        assert_eq!(server.metric(&series).await, 1.0, "{series}");
    }
    let series = r#"portcullis_admission_requests_total{effective="audit",kind="Pod",operation="CREATE",phase="validate",verdict="deny"}"#;
    assert_eq!(server.metric(series).await, 1.0, "{}", server.admin("/metrics").await.text());
}

#[tokio::test]
async fn a_privileged_pod_that_nothing_repairs_is_denied() {
    let server = Server::shipped(&["--offline"], &["--mode", "enforce"]);
    let mut pod = jellyfin();
    pod["metadata"]["labels"]["app"] = json!("qbittorrent");
    let response = server.review("/validate", &review_of("pods", pod)).await;
    assert_eq!(response["allowed"], false, "{response}");
    let causes = response["status"]["details"]["causes"].to_string();
    assert!(causes.contains("pss-baseline-privileged"), "{causes}");
    assert!(causes.contains("spec.containers[0].securityContext.privileged"), "{causes}");
}
