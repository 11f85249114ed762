//! Audit, warn and enforce; and what an operator sees of each in metrics, logs and health.

use hyper::StatusCode;

use crate::support::{Server, config_map, unlabelled};

#[tokio::test]
async fn audit_denies_and_changes_nothing_and_counts_what_would_have_been() {
    let server = Server::start(&[]);
    let response = server.review("/validate", &config_map("deny")).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert!(response.get("warnings").is_none(), "{response}");
    let response = server.review("/mutate", &unlabelled()).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert!(response.get("patch").is_none(), "{response}");

    for series in [
        r#"portcullis_admission_requests_total{effective="audit",kind="ConfigMap",operation="CREATE",phase="validate",verdict="deny"}"#,
        r#"portcullis_policy_evaluations_total{binding="everywhere",effective="audit",policy="no-deny-label",verdict="deny"}"#,
        r#"portcullis_policy_mutations_total{applied="false",policy="add-label"}"#,
    ] {
        let text = server.admin("/metrics").await.text();
        assert_eq!(server.metric(series).await, 1.0, "{series}\n{text}");
    }
}

#[tokio::test]
async fn warn_turns_denials_into_warnings() {
    let server = Server::start(&["--mode", "warn"]);
    let response = server.review("/validate", &config_map("deny")).await;
    assert_eq!(response["allowed"], true, "{response}");
    let warning = response["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("the label verdict must not be deny"), "{warning}");
    let series = r#"portcullis_policy_evaluations_total{binding="everywhere",effective="warn",policy="no-deny-label",verdict="deny"}"#;
    assert_eq!(server.metric(series).await, 1.0);
}

#[tokio::test]
async fn enforce_denies_and_counts_it() {
    let server = Server::start(&["--mode", "enforce"]);
    server.review("/validate", &config_map("deny")).await;
    server.review("/validate", &config_map("allow")).await;
    server.review("/mutate", &unlabelled()).await;
    for series in [
        r#"portcullis_admission_requests_total{effective="deny",kind="ConfigMap",operation="CREATE",phase="validate",verdict="deny"}"#,
        r#"portcullis_admission_requests_total{effective="allow",kind="ConfigMap",operation="CREATE",phase="validate",verdict="allow"}"#,
        r#"portcullis_policy_evaluations_total{binding="everywhere",effective="deny",policy="no-deny-label",verdict="deny"}"#,
        r#"portcullis_policy_mutations_total{applied="true",policy="add-label"}"#,
        r#"portcullis_admission_duration_seconds_count{phase="mutate"}"#,
    ] {
        let text = server.admin("/metrics").await.text();
        assert_eq!(server.metric(series).await, 1.0, "{series}\n{text}");
    }
}

#[tokio::test]
async fn metrics_tell_what_runs_and_until_when_its_certificate_is_valid() {
    let server = Server::start(&[]);
    assert_eq!(server.metric(r#"portcullis_policies{type="validating"}"#).await, 1.0);
    assert_eq!(server.metric(r#"portcullis_policies{type="mutating"}"#).await, 1.0);
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let days = (server.metric("portcullis_certificate_expiry_timestamp_seconds").await - now) / 86_400.0;
    assert!((360.0..370.0).contains(&days), "{days}");
    let text = server.admin("/metrics").await.text();
    let version = format!(r#"portcullis_build_info{{version="{}"}} 1"#, env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    assert!(text.contains(r#"le="0.00005""#), "buckets begin at 50 µs: {text}");
}

#[tokio::test]
async fn unknown_kinds_share_a_label() {
    let server = Server::start(&[]);
    for kind in ["Widget", "Gadget"] {
        let mut review = config_map("allow");
        review["request"]["kind"]["kind"] = kind.into();
        review["request"]["resource"]["resource"] = "widgets".into();
        server.review("/validate", &review).await;
    }
    let series = r#"portcullis_admission_requests_total{effective="allow",kind="other",operation="CREATE",phase="validate",verdict="allow"}"#;
    assert_eq!(server.metric(series).await, 2.0);
}

#[tokio::test]
async fn logs_say_what_was_found_and_nothing_of_the_object() {
    let mut server = Server::start(&["--mode", "enforce"]);
    server.review("/validate", &config_map("deny")).await;
    let finding = server.wait_for_log("finding");
    assert_eq!(finding["level"], "WARN", "{finding}");
    assert_eq!(finding["policy"], "no-deny-label", "{finding}");
    assert_eq!(finding["binding"], "everywhere", "{finding}");
    assert_eq!(finding["verdict"], "deny", "{finding}");
    assert_eq!(finding["namespace"], "shop", "{finding}");
    assert_eq!(finding["name"], "settings", "{finding}");
    assert!(!format!("{:?}", server.log()).contains("hunter2"), "the object's data is in the log");
}

#[tokio::test]
async fn health_says_alive_and_ready_with_detail() {
    let server = Server::start(&["--mode", "warn"]);
    assert_eq!(server.admin("/healthz").await.status, StatusCode::OK);
    let ready = server.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    let detail = ready.text();
    for says in ["ready\n", "[+] policies: 2 loaded, 0 errors", "[+] certificate: expires ", "[+] mode: warn"] {
        assert!(detail.contains(says), "{detail}");
    }
    assert_eq!(server.admin("/validate").await.status, StatusCode::NOT_FOUND, "no webhook on the admin port");
}
