//! Exemptions from ConfigMaps of the cluster, with the rights that the deployment has.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::deployed::{Deployed, NAMESPACE, Serving, deployed, pod, rendered};

const LABEL: &str = "portcullis.dev/exemptions";
const SHIPPED: &str = "pss-baseline-capabilities";

/// The exemptions of the first user, which end one day, in a ConfigMap.
fn exemptions(text: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": NAMESPACE, "name": "e2e-exemptions", "labels": {LABEL: "true"}},
        "data": {"media.yaml": text}})
}

fn of_first_user() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/k8s-nas-exemptions.yaml");
    std::fs::read_to_string(file).unwrap().replace("2027-", "2999-").replace(SHIPPED, "e2e-capabilities")
}

/// The policy that they are for, under another name, so that it is on whatever a profile chooses.
fn capabilities() -> (tempfile::TempDir, String) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/pod-security/pss-baseline-capabilities/policy.yaml");
    let directory = tempfile::tempdir().unwrap();
    let policy = directory.path().join("capabilities.yaml");
    std::fs::write(&policy, std::fs::read_to_string(file).unwrap().replace(SHIPPED, "e2e-capabilities")).unwrap();
    (directory, policy.display().to_string())
}

/// A pod of the VPN gateway with what stands beside it.
fn gateway(beside: &Value) -> Value {
    let mut pod = pod(&json!({"containers": [
        {"name": "web", "image": "registry.example/web:1.0.0", "securityContext": beside},
        {"name": "vpn", "image": "qmcgaw/gluetun:v3.40.0",
            "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}]}));
    pod["metadata"]["labels"] = json!({"app": "vpn"});
    pod
}

async fn message(deployed: &Deployed, pod: &Value) -> String {
    deployed.dry_run(pod).await.body["message"].as_str().unwrap_or_default().to_owned()
}

async fn readiness(serving: &Serving<'_>, wanted: &str) {
    let server = &serving.server;
    server.until(wanted, async || server.admin("/readyz").await.text().contains(wanted)).await;
}

#[test]
fn config_maps_with_the_label_exempt_for_as_long_as_they_are_there() {
    let deployed = deployed();
    let (_directory, policies) = capabilities();
    deployed.cluster.block_on(async {
        let serving = deployed.serve(&["--mode", "enforce", "--policies", &policies]).await;
        let vpn = gateway(&json!({}));
        let refused = message(&deployed, &vpn).await;
        assert!(refused.contains("spec.containers[1].securityContext.capabilities.add[0]"), "{refused}");

        deployed.apply(&exemptions(&of_first_user())).await;
        deployed.until_allowed(&vpn, true).await;
        readiness(&serving, "[+] exemptions: 2 in force, 0 expired\n").await;

        // What stands beside the container stays refused, and nothing else is said.
        let beside = message(&deployed, &gateway(&json!({"capabilities": {"add": ["SYS_TIME"]}}))).await;
        assert!(beside.contains("spec.containers[0].securityContext.capabilities.add[0]"), "{beside}");
        assert!(!beside.contains("spec.containers[1]"), "{beside}");

        // A text with a mistake changes nothing.
        deployed.apply(&exemptions(&of_first_user().replace("expires:", "expire:"))).await;
        readiness(&serving, "[!] cache of exemptions: ConfigMap portcullis-system/e2e-exemptions, media.yaml:").await;
        deployed.until_allowed(&vpn, true).await;
        let mistakes = "portcullis_cluster_watch_mistakes{watch=\"exemptions\"}";
        assert!(serving.server.metric(mistakes).await > 0.0);
        assert!(serving.server.log().iter().any(|event| {
            event["level"] == "ERROR" && event["message"] == "an exemption of the cluster can't be used"
        }));

        // One that has ended exempts from nothing, and is told.
        deployed.apply(&exemptions(&of_first_user().replace("2999-", "2020-"))).await;
        deployed.until_allowed(&vpn, false).await;
        readiness(&serving, "[!] exemptions: 0 in force, 2 expired\n[!] exemptions: vpn-gateway ended (2020-06-30)")
            .await;

        deployed.apply(&exemptions(&of_first_user())).await;
        deployed.until_allowed(&vpn, true).await;
        let unlabelled = json!({"metadata": {"labels": {LABEL: null}}});
        deployed.patch(&exemptions(""), "", &unlabelled).await;
        deployed.until_allowed(&vpn, false).await;

        deployed.apply(&exemptions(&of_first_user())).await;
        deployed.until_allowed(&vpn, true).await;
        deployed.delete(&exemptions("")).await;
        deployed.until_allowed(&vpn, false).await;
        readiness(&serving, "[+] exemptions: 0 in force, 0 expired\n").await;
    });
}

#[test]
fn without_the_right_to_read_them_none_is_in_force_and_the_server_says_so() {
    let deployed = deployed();
    let (_directory, policies) = capabilities();
    deployed.cluster.block_on(async {
        let is_right =
            |object: &Value| object["kind"] == "RoleBinding" && object["metadata"]["name"] == "portcullis-exemptions";
        let right = rendered("deploy/base").into_iter().find(is_right).unwrap();
        let may = async || deployed.may("list", "", "configmaps", NAMESPACE, "").await;
        assert!(may().await && !deployed.may("update", "", "configmaps", NAMESPACE, "").await);
        deployed.delete(&right).await;
        deployed.cluster.until("the right being gone", async || !may().await).await;
        deployed.apply(&exemptions(&of_first_user())).await;
        let mut serving = deployed.serve(&["--mode", "enforce", "--policies", &policies]).await;
        let ready = serving.server.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        assert!(ready.text().contains("[!] cache of exemptions: not synced, failing"), "{}", ready.text());
        let logged =
            serving.server.wait_for_log("the exemptions of the cluster can't be had: none of them is in force");
        assert_eq!(logged["level"], "ERROR");
        let vpn = gateway(&json!({}));
        deployed.until_allowed(&vpn, false).await;

        deployed.apply(&right).await;
        deployed.until_allowed(&vpn, true).await;
        drop(serving);
        deployed.delete(&exemptions("")).await;
    });
}
