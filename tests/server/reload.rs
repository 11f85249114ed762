//! Files that change under a running server: certificates through swapped links, policies from good to bad and back.

use std::os::unix::fs::symlink;
use std::path::Path;

use hyper::StatusCode;
use rustls::pki_types::CertificateDer;

use crate::support::{LABEL_POLICY, Server, config_map, fifo};

/// Writes a Secret volume's next version, `..version/`, and swaps the link `..data` to it, as the kubelet does.
fn swap(volume: &Path, version: &str, certificate: &str, key: &str) {
    let directory = volume.join(format!("..{version}"));
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("tls.crt"), certificate).unwrap();
    std::fs::write(directory.join("tls.key"), key).unwrap();
    symlink(format!("..{version}"), volume.join("..data_tmp")).unwrap();
    std::fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

fn certificate() -> (String, String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem(), made.cert.der().clone())
}

/// The certificate that the server shows to a new connection.
async fn shown(server: &Server, trusted: &[CertificateDer<'static>]) -> Option<CertificateDer<'static>> {
    let config = crate::support::client_config(trusted, rustls::ALL_VERSIONS, &["http/1.1"], None);
    let stream = server.stream(config).await.ok()?;
    stream.get_ref().1.peer_certificates()?.first().cloned()
}

#[tokio::test]
async fn a_swapped_certificate_is_used_and_a_broken_one_is_not() {
    let (first_pem, first_key, first) = certificate();
    let (second_pem, second_key, second) = certificate();
    let mut server = Server::start_with(&[], |directory| {
        std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        let volume = directory.join("tls");
        std::fs::create_dir(&volume).unwrap();
        swap(&volume, "1", &first_pem, &first_key);
        for file in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{file}"), volume.join(file)).unwrap();
        }
        let path = |file| volume.join(file).display().to_string();
        vec!["--tls-cert".to_owned(), path("tls.crt"), "--tls-key".to_owned(), path("tls.key")]
    });
    let volume = server.directory.path().join("tls");
    let trusted = [first.clone(), second.clone()];
    assert_eq!(shown(&server, &trusted).await, Some(first.clone()));

    // A key that isn't the certificate's.
    swap(&volume, "2", &second_pem, &first_key);
    let error = server.wait_for_log("new certificate can't be used; the previous one stays in use");
    assert!(error["error"].as_str().unwrap().contains("can't be used together"), "{error}");
    assert_eq!(shown(&server, &trusted).await, Some(first));
    assert_eq!(server.metric("portcullis_certificate_load_error").await, 1.0);
    assert_eq!(server.metric(r#"portcullis_certificate_reloads_total{result="error"}"#).await, 1.0);
    let ready = server.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(ready.text().contains("[!] certificate: the previous one stays in use"), "{}", ready.text());

    swap(&volume, "3", &second_pem, &second_key);
    server.wait_for_log("certificate reloaded");
    assert_eq!(shown(&server, &trusted).await, Some(second));
    assert_eq!(server.metric("portcullis_certificate_load_error").await, 0.0);
    assert_eq!(server.metric(r#"portcullis_certificate_reloads_total{result="success"}"#).await, 1.0);
}

#[tokio::test]
async fn a_certificate_out_of_its_time_does_not_replace_a_valid_one() {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = |from: i32, until: i32| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.self_signed(&key).unwrap()
    };
    let good = made(2001, 2200);
    let mut server = Server::start_with(&[], |directory| {
        std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        let path = |file: &str| directory.join(file).display().to_string();
        std::fs::write(path("tls.crt"), good.pem()).unwrap();
        std::fs::write(path("tls.key"), key.serialize_pem()).unwrap();
        vec!["--tls-cert".to_owned(), path("tls.crt"), "--tls-key".to_owned(), path("tls.key")]
    });
    let trusted = [good.der().clone()];
    let file = server.directory.path().join("tls.crt");
    for (number, bad, says) in [
        (1.0, made(2001, 2002).pem(), "valid from 2001-01-01T00:00:00Z to 2002-01-01T00:00:00Z only"),
        (2.0, made(2199, 2200).pem(), "valid from 2199-01-01T00:00:00Z to 2200-01-01T00:00:00Z only"),
        (3.0, String::new(), "no usable PEM certificate"),
    ] {
        std::fs::write(&file, &bad).unwrap();
        let errors = r#"portcullis_certificate_reloads_total{result="error"}"#;
        server.until(says, async || server.metric(errors).await == number).await;
        server.look(2).await;
        assert_eq!(server.metric(errors).await, number, "reported once");
        assert_eq!(shown(&server, &trusted).await.as_ref(), Some(good.der()), "{says}");
        let detail = server.admin("/readyz").await.text();
        assert!(detail.contains("the previous one stays in use") && detail.contains(says), "{detail}");
    }
    std::fs::remove_file(&file).unwrap();
    fifo(&file);
    server.until("a FIFO is told", async || server.admin("/readyz").await.text().contains("not a regular file")).await;
    std::fs::remove_file(&file).unwrap();
    let better = made(2002, 2201);
    std::fs::write(&file, better.pem()).unwrap();
    server.wait_for_log("certificate reloaded");
    assert_eq!(shown(&server, &[better.der().clone()]).await.as_ref(), Some(better.der()));
}

#[tokio::test]
async fn connections_outlive_a_swapped_certificate() {
    let (pem, key, der) = certificate();
    let mut server = Server::start_with(&[], |directory| {
        let volume = directory.join("tls");
        std::fs::create_dir(&volume).unwrap();
        swap(&volume, "1", &pem, &key);
        let path = |file: &str| volume.join("..data").join(file).display().to_string();
        vec!["--tls-cert".to_owned(), path("tls.crt"), "--tls-key".to_owned(), path("tls.key")]
    });
    let config = crate::support::client_config(&[der], rustls::ALL_VERSIONS, &["h2"], None);
    let mut client = crate::support::Client::http2(server.stream(config).await.unwrap()).await;
    let (pem, key, _) = certificate();
    swap(&server.directory.path().join("tls"), "2", &pem, &key);
    server.wait_for_log("certificate reloaded");
    let reply = client.post("/validate", "application/json", config_map("x").to_string()).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn a_changed_policy_is_used_and_a_broken_one_keeps_what_was_good() {
    let server = Server::start(&["--mode", "enforce"]);
    let file = server.directory.path().join("policies/label.yaml");
    let message = async || {
        let response = server.review("/validate", &config_map("deny")).await;
        response["status"]["message"].as_str().unwrap_or("allowed").to_owned()
    };
    assert!(message().await.contains("must not be deny"));

    std::fs::write(&file, LABEL_POLICY.replace("must not be deny", "must be another")).unwrap();
    server.until("the new message", async || message().await.contains("must be another")).await;

    for (broken, says) in [
        (LABEL_POLICY.replace("validations:", "validation:"), "validation"),
        (
            LABEL_POLICY.replace("object.metadata.labels.verdict !=", "object.metadata.labels.verdict !=="),
            "spec.validations",
        ),
        ("{ not yaml".to_owned(), "label.yaml"),
    ] {
        std::fs::write(&file, &broken).unwrap();
        server.until("an error", async || server.metric("portcullis_policy_load_errors").await > 0.0).await;
        assert!(message().await.contains("must be another"), "the good version was unloaded by: {broken}");
        let ready = server.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        let detail = ready.text();
        assert!(detail.contains(says) && detail.contains("the last good version of the file stays in use"), "{detail}");
        let logged = server
            .log()
            .into_iter()
            .any(|event| event["message"] == "policy file has an error" && event["level"] == "ERROR");
        assert!(logged, "{:#?}", server.log());

        std::fs::write(&file, LABEL_POLICY.replace("must not be deny", "must be another")).unwrap();
        server.until("no error", async || server.metric("portcullis_policy_load_errors").await == 0.0).await;
    }
    assert_eq!(server.metric(r#"portcullis_policy_reloads_total{result="error"}"#).await, 3.0);
    assert_eq!(server.metric(r#"portcullis_policy_reloads_total{result="success"}"#).await, 4.0);
}

#[tokio::test]
async fn a_removed_policy_is_unloaded_and_loses_its_series() {
    let server = Server::start(&["--mode", "enforce"]);
    server.review("/validate", &config_map("deny")).await;
    std::fs::remove_file(server.directory.path().join("policies/label.yaml")).unwrap();
    let unloaded = async || server.metric(r#"portcullis_policies{type="validating"}"#).await == 0.0;
    server.until("unloading", unloaded).await;
    assert_eq!(server.review("/validate", &config_map("deny")).await["allowed"], true);
    let metrics = server.admin("/metrics").await.text();
    assert!(!metrics.contains("no-deny-label"), "{metrics}");
}

#[tokio::test]
async fn a_directory_that_disappears_unloads_nothing() {
    let server = Server::start(&["--mode", "enforce"]);
    let directory = server.directory.path().join("policies");
    std::fs::rename(&directory, server.directory.path().join("elsewhere")).unwrap();
    server.until("an error", async || server.metric("portcullis_policy_load_errors").await > 0.0).await;
    assert_eq!(server.review("/validate", &config_map("deny")).await["allowed"], false);
}

#[tokio::test]
async fn a_server_that_starts_with_a_broken_file_uses_the_others_and_says_so() {
    let server = Server::start_with(&["--mode", "enforce"], |directory| {
        std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        std::fs::write(directory.join("policies/broken.yaml"), "kind: [").unwrap();
        let ca = directory.join("ca.crt").display().to_string();
        vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
    });
    assert_eq!(server.review("/validate", &config_map("deny")).await["allowed"], false);
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 1.0);
    let detail = server.admin("/readyz").await.text();
    assert!(detail.contains("broken.yaml"), "{detail}");
}

#[tokio::test]
async fn expired_exemptions_are_told_when_they_are_loaded_and_not_at_each_look() {
    const TOLD: &str =
        "exemptions have expired, so what they set aside is judged again: give them a new end, or remove them";
    let exemption = |name: &str, expires: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\n\
             spec: {{policies: [x], match: {{names: ['*']}}, reason: it is tested, expires: {expires}}}\n---\n"
        )
    };
    let server = Server::start_with(&["--reload-interval", "1h"], |directory| {
        std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        let file = directory.join("exemptions.yaml");
        let text = exemption("new", "2200-01-01") + &exemption("old", "2020-01-31") + &exemption("older", "2019-01-31");
        std::fs::write(&file, text).unwrap();
        let ca = directory.join("ca.crt").display().to_string();
        ["--tls-self-signed", "--tls-write-ca", &ca, "--exemptions", &file.display().to_string()]
            .map(str::to_owned)
            .to_vec()
    });
    let file = server.directory.path().join("exemptions.yaml");
    let told = || {
        let log = server.log();
        let told = log.iter().filter(|event| event["message"] == TOLD && event["level"] == "WARN");
        told.map(|event| event["exemptions"].as_str().unwrap().replace(&*file.to_string_lossy(), "e.yaml"))
            .collect::<Vec<_>>()
    };
    let first = "old (e.yaml:6: (document 1), until 2020-01-31); older (e.yaml:11: (document 2), until 2019-01-31)";
    server.look(2).await;
    assert_eq!(told(), [first]);

    std::fs::write(&file, exemption("old", "2020-01-31")).unwrap();
    server.look(2).await;
    assert_eq!(told(), [first, "old (e.yaml:1: (document 0), until 2020-01-31)"]);

    std::fs::write(&file, exemption("old", "2200-01-31")).unwrap();
    server.look(1).await;
    assert_eq!(told().len(), 2);
}
