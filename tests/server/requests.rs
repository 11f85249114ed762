//! What is answered to good requests and to bad ones; after each bad one the server still works.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::{Server, config_map, unlabelled};

#[tokio::test]
async fn allows_what_satisfies_the_policies() {
    let server = Server::start(&["--mode", "enforce"]);
    let response = server.review("/validate", &config_map("allow")).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert!(response.get("status").is_none(), "{response}");
}

#[tokio::test]
async fn denies_what_does_not_with_upstreams_status() {
    let server = Server::start(&["--mode", "enforce"]);
    let response = server.review("/validate", &config_map("deny")).await;
    assert_eq!(response["allowed"], false, "{response}");
    assert_eq!(response["status"]["code"], 422, "{response}");
    assert_eq!(response["status"]["reason"], "Invalid", "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("the label verdict must not be deny"), "{message}");
    assert!(response["auditAnnotations"]["validation_failure"].is_string(), "{response}");
    assert!(response.get("patch").is_none(), "{response}");
}

#[tokio::test]
async fn mutates_with_a_patch_and_leaves_its_own_work_alone() {
    let server = Server::start(&["--mode", "enforce"]);
    let mut review = unlabelled();
    let response = server.review("/mutate", &review).await;
    assert_eq!(response["allowed"], true, "{response}");
    assert_eq!(response["patchType"], "JSONPatch", "{response}");
    let patch = STANDARD.decode(response["patch"].as_str().unwrap()).unwrap();
    let patch: json_patch::Patch = serde_json::from_slice(&patch).unwrap();
    json_patch::patch(&mut review["request"]["object"], &patch).unwrap();
    assert_eq!(review["request"]["object"]["metadata"]["labels"], json!({"seen": "yes"}));

    let again = server.review("/mutate", &review).await;
    assert_eq!(again["allowed"], true, "{again}");
    assert!(again.get("patch").is_none() && again.get("patchType").is_none(), "{again}");
}

#[tokio::test]
async fn refuses_bodies_that_are_no_review() {
    let server = Server::start(&[]);
    let good = config_map("allow").to_string();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut review = config_map("allow");
        change(&mut review);
        review.to_string().into_bytes()
    };
    let nested = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let in_object = good.replace("\"hunter2\"", &format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)));
    let mut invalid_utf8 = good.clone().into_bytes();
    let at = good.find("hunter2").unwrap();
    invalid_utf8[at] = 0xff;
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "the body is empty"),
        ("malformed", b"{\"apiVersion\": nope}".to_vec(), "invalid JSON at line 1"),
        ("no JSON at all", b"kind: AdmissionReview".to_vec(), "invalid JSON"),
        ("truncated", good.as_bytes()[..good.len() / 2].to_vec(), "invalid JSON"),
        ("followed by something", format!("{good}{good}").into_bytes(), "invalid JSON"),
        ("an array", b"[]".to_vec(), "an array, not an AdmissionReview"),
        ("nested", nested.into_bytes(), "nested in each other"),
        ("nested within the object", in_object.into_bytes(), "nested in each other"),
        ("a key twice", good.replace("\"uid\":", "\"uid\":\"x\",\"uid\":").into_bytes(), "\"uid\" appears twice"),
        ("not UTF-8", invalid_utf8, "not valid UTF-8"),
        ("no request", with(&|r| r["request"] = Value::Null), "has no request"),
        ("a request of the wrong type", with(&|r| r["request"] = json!("x")), "request must be an object"),
        ("v1beta1", with(&|r| r["apiVersion"] = json!("admission.k8s.io/v1beta1")), "admissionReviewVersions"),
        (
            "another kind",
            with(&|r| r["kind"] = json!("TokenReview")),
            "found \"admission.k8s.io/v1\" and \"TokenReview\"",
        ),
        ("no uid", with(&|r| r["request"]["uid"] = Value::Null), "request.uid is missing"),
        ("an unknown operation", with(&|r| r["request"]["operation"] = json!("PATCH")), "CREATE, UPDATE, DELETE"),
        ("no object", with(&|r| r["request"]["object"] = Value::Null), "request.object is missing"),
        (
            "an object of the wrong type",
            with(&|r| r["request"]["object"] = json!(7)),
            "request.object must be an object",
        ),
    ];
    for path in ["/validate", "/mutate"] {
        for (name, body, says) in &bad {
            let reply = server.post(path, body.clone()).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{name}: {reply:?}");
            let status = reply.json();
            assert_eq!(status["kind"], "Status", "{name}: {status}");
            assert_eq!(status["code"], 400, "{name}: {status}");
            assert!(status["message"].as_str().unwrap().contains(says), "{name}: {status}");
            server.assert_alive().await;
        }
    }
    let refused = server.metric(r#"portcullis_admission_refused_total{reason="bad_review"}"#).await;
    assert_eq!(refused, (2 * bad.len()) as f64);
}

#[tokio::test]
async fn refuses_content_that_is_not_json() {
    let server = Server::start(&[]);
    for content_type in ["text/plain", "application/yaml", "application/vnd.kubernetes.protobuf", ""] {
        let body = config_map("allow").to_string();
        let reply = server.connect().await.post("/validate", content_type, body).await.unwrap();
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}: {reply:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains("application/json"), "{reply:?}");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn refuses_a_body_of_20_mb_and_names_the_limit() {
    let server = Server::start(&[]);
    for body in [vec![b' '; 20_000_000], vec![b'['; 20_000_000]] {
        let reply = server.post("/validate", body).await;
        assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{reply:?}");
        assert!(reply.json()["message"].as_str().unwrap().contains("8388608 bytes (--max-body-bytes)"), "{reply:?}");
        server.assert_alive().await;
    }
}

#[tokio::test]
async fn accepts_a_body_of_exactly_the_limit() {
    let review = config_map("allow").to_string();
    let limit = review.len().to_string();
    let server = Server::start(&["--max-body-bytes", &limit]);
    assert_eq!(server.post("/validate", review.clone()).await.status, StatusCode::OK);
    let reply = server.post("/validate", format!("{review} ")).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn accepts_the_nesting_that_the_limit_allows() {
    let server = Server::start(&["--max-depth", "20"]);
    let nested = |depth: usize| {
        // The review, its request and the object hold what is nested.
        let value = format!("{}{}", "[".repeat(depth - 3), "]".repeat(depth - 3));
        config_map("allow").to_string().replace(r#"{"password":"hunter2"}"#, &value)
    };
    assert_eq!(server.post("/validate", nested(20)).await.status, StatusCode::OK);
    let reply = server.post("/validate", nested(21)).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert!(reply.text().contains("more than 20"), "{reply:?}");
}

#[tokio::test]
async fn refuses_a_timeout_that_is_none() {
    let server = Server::start(&[]);
    for query in ["timeout=soon", "timeout=-1s", "timeout=0s"] {
        let reply = server.post(&format!("/validate?{query}"), config_map("allow").to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{query}: {reply:?}");
        assert!(reply.text().contains("timeout="), "{query}: {reply:?}");
    }
    let reply = server.post("/validate?timeout=10s", config_map("allow").to_string()).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn refuses_a_request_whose_deadline_has_passed() {
    let server = Server::start(&[]);
    let reply = server.post("/validate?timeout=1ns", config_map("allow").to_string()).await;
    assert!(
        matches!(reply.status, StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT),
        "a request can't be served in a nanosecond: {reply:?}"
    );
    server.assert_alive().await;
}

#[tokio::test]
async fn refuses_other_paths_and_methods() {
    let server = Server::start(&[]);
    let reply = server.post("/", config_map("allow").to_string()).await;
    assert_eq!(reply.status, StatusCode::NOT_FOUND);
    let mut slow = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
    let text = crate::connections::exchange(&mut slow, b"GET /validate HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 405"), "{text}");
}

#[tokio::test]
async fn an_expression_that_would_run_for_seconds_is_stopped_by_its_cost() {
    let expensive = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: expensive}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations:
  - expression: object.items.all(a, object.items.all(b, object.items.all(c, a + b + c >= 0)))
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: expensive}
spec: {policyName: expensive, validationActions: [Deny]}
";
    let server = Server::start_with(&["--mode", "enforce"], |directory| {
        std::fs::write(directory.join("policies/expensive.yaml"), expensive).unwrap();
        let ca = directory.join("ca.crt").display().to_string();
        vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
    });
    let mut review = config_map("allow");
    review["request"]["object"]["items"] = Value::from((0..2000).collect::<Vec<i64>>());
    let started = std::time::Instant::now();
    let response = server.review("/validate", &review).await;
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(response["allowed"], false, "{response}");
    let message = response["status"]["message"].as_str().unwrap();
    assert!(message.contains("cost limit") || message.contains("budget"), "{message}");
}
