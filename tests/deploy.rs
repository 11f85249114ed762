//! What `deploy/` and `certs/` hold agrees with the binary, and with the policies that it ships.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;

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
