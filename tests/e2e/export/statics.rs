//! What `policies export --static` writes, as a real API server reads it from its disk.

use std::process::Command;

use hyper::Method;
use serde_json::{Value, json};

use super::super::cluster::{Answer, Cluster};
use super::super::deployed::path_of;

const POLICIES: [&str; 3] =
    ["pod-security/pss-baseline-privileged", "images/require-pinned-images", "security-context/service-account-token"];

fn pod(image: &str, privileged: bool) -> Value {
    json!({"containers": [{"name": "app", "image": image, "securityContext": {"privileged": privileged}}]})
}

#[test]
fn an_api_server_reads_static_policies_from_its_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["policies", "export", "--no-embedded", "--static"]).arg(directory.path());
    for policy in POLICIES {
        command.arg("--policies").arg(format!("{}/policies/{policy}/policy.yaml", env!("CARGO_MANIFEST_DIR")));
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let configuration = directory.path().join("admission-configuration.yaml");
    let cluster = Cluster::with_server_flags(&[
        &format!("--admission-control-config-file={}", configuration.display()),
        "--feature-gates=ManifestBasedAdmissionControlConfig=true",
    ]);
    cluster.block_on(async {
        let dry_run = async |object: Value| -> Answer {
            cluster.request(Method::POST, &format!("{}?dryRun=All", path_of(&object)), &object).await
        };
        let metadata = json!({"name": "web", "namespace": "default"});
        let of_pod = |spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec});
        let of_deployment = |spec: Value| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": spec}}})
        };
        for (object, policy) in [
            (of_pod(pod("registry.example/web:1.0.0", true)), "pss-baseline-privileged.static.k8s.io"),
            (of_pod(pod("registry.example/web:latest", false)), "require-pinned-images.static.k8s.io"),
            (of_deployment(pod("registry.example/web:1.0.0", true)), "pss-baseline-privileged-workloads.static.k8s.io"),
            (of_deployment(pod("registry.example/web:latest", false)), "require-pinned-images-workloads.static.k8s.io"),
        ] {
            let answer = dry_run(object).await;
            let message = answer.body["message"].as_str().unwrap_or_default();
            assert!(message.contains(&format!("ValidatingAdmissionPolicy '{policy}'")), "{policy}: {answer:#?}");
        }
        let accepted = dry_run(of_pod(pod("registry.example/web:1.0.0", false))).await;
        assert!(accepted.status.is_success(), "{accepted:#?}");
        assert_eq!(accepted.body["spec"]["automountServiceAccountToken"], false, "{accepted:#?}");
        let accepted = dry_run(of_deployment(pod("registry.example/web:1.0.0", false))).await;
        assert!(accepted.status.is_success(), "{accepted:#?}");
        let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
        let stored = cluster.request(Method::GET, path, &Value::Null).await;
        assert_eq!(stored.body["items"], json!([]), "nothing is in storage");
    });
}
