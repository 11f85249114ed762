//! What `deploy/` and `certs/` hold agrees with the binary, and with the policies that it ships.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use portcullis::{json, policy};

fn portcullis(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn the_webhook_configurations_are_those_that_the_shipped_policies_need() {
    let (code, printed, errors) = portcullis(&["webhook-config", "--cert-manager", "portcullis-system/portcullis"]);
    assert_eq!(code, 0, "{errors}");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base/webhooks.yaml");
    let deployed = std::fs::read_to_string(file).unwrap();
    let (command, deployed) = deployed.split_once('\n').unwrap();
    assert!(
        deployed == printed,
        "deploy/base/webhooks.yaml is out of date; print it anew with the command that its first line names: {command}"
    );
}

#[test]
fn the_server_starts_with_the_arguments_of_the_deployment() {
    let deployment = deployed("deployment.yaml");
    let arguments = deployment[0]["spec"]["template"]["spec"]["containers"][0]["args"].clone();
    let mut arguments: Vec<&str> =
        arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()).collect();
    // Whatever is wrong with a flag comes before help.
    arguments.push("--help");
    let (code, _, errors) = portcullis(&arguments);
    assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
    assert!(!arguments.contains(&"--offline"), "{arguments:?}");
}

#[test]
fn the_server_may_read_the_params_of_the_shipped_policies_and_no_others() {
    let role = deployed("rbac.yaml").into_iter().find(|object| object["kind"] == "Role").expect("a Role");
    let readable = role["rules"][0]["resourceNames"].as_array().unwrap();
    let readable: BTreeSet<&str> = readable.iter().map(|name| name.as_str().unwrap()).collect();
    let manifests: Vec<_> = policy::embedded().iter().map(policy::Embedded::manifest).collect();
    let loaded = policy::load(&manifests, 36);
    let bindings = loaded.policies.iter().flat_map(|policy| &policy.bindings);
    let references: Vec<_> = bindings.filter_map(|binding| binding.param_ref.as_ref()).collect();
    let names: BTreeSet<&str> = references.iter().filter_map(|reference| reference.name.as_deref()).collect();
    assert_eq!(readable, names);
    assert!(references.iter().all(|reference| reference.namespace.as_deref() == Some("portcullis-system")));
}

/// The objects in a file of `deploy/base`.
fn deployed(file: &str) -> Vec<serde_json::Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/base").join(file);
    let (text, arena) = (std::fs::read_to_string(file).unwrap(), json::Arena::new());
    let documents = json::yaml::documents(&arena, &text).into_iter().map(|document| document.expect("good YAML").value);
    documents.map(|value| serde_json::from_str(&json::to_json(value)).unwrap()).collect()
}

#[test]
fn our_own_manifests_satisfy_the_policies_that_we_ship() {
    let (code, findings, errors) = portcullis(&["audit", "--fail-on", "audit", "deploy", "certs"]);
    assert_eq!(code, 0, "{findings}{errors}");
}

#[test]
fn the_webhook_configuration_of_a_server_outside_the_cluster_names_its_address_and_ca() {
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.crt");
    std::fs::write(&ca, rcgen::generate_simple_self_signed(vec!["x".to_owned()]).unwrap().cert.pem()).unwrap();
    let ca = ca.display().to_string();
    let (code, printed, errors) = portcullis(&[
        "webhook-config",
        "--url",
        "https://192.0.2.7:8443/",
        "--ca-file",
        &ca,
        "--failure-policy",
        "fail",
    ]);
    assert_eq!(code, 0, "{errors}");
    assert!(printed.contains(r#"url: "https://192.0.2.7:8443/validate""#), "{printed}");
    assert!(printed.contains(r#"url: "https://192.0.2.7:8443/mutate""#), "{printed}");
    assert!(printed.contains("caBundle: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"), "{printed}");
    assert!(printed.contains("failurePolicy: Fail") && !printed.contains("service:"), "{printed}");
}

#[test]
fn a_webhook_configuration_is_not_made_from_bad_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad");
    std::fs::write(&file, "kind: [").unwrap();
    let file = file.display().to_string();
    for (arguments, says) in [
        (["--url", "http://192.0.2.7"], "only calls webhooks over https://"),
        (["--ca-file", &file], "not a PEM certificate"),
        (["--ca-file", "absent.crt"], "absent.crt"),
        (["--policies", &file], "not valid YAML"),
    ] {
        let (code, printed, errors) = portcullis(&[&["webhook-config"][..], &arguments].concat());
        assert_eq!((code, printed.as_str()), (2, ""), "{arguments:?}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
}
