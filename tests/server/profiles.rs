//! A profile's file while the server runs: what it turns on and off, and what happens when it can't be used.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::{Server, review_of};

const OWN: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\nspec:\n  bindings:\n  \
    - {policy: pss-baseline-privileged}\n  - {policy: require-pinned-images}\n";

const ONE: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\nspec:\n  bindings:\n  \
    - {policy: require-pinned-images}\n";

/// A server that enforces what the profile in its directory selects.
fn serve(files: &[(&str, &str)]) -> Server {
    Server::start_embedded(&["--mode", "enforce"], |directory| {
        for (name, text) in files {
            std::fs::write(directory.join(name), text).unwrap();
        }
        vec!["--profile".to_owned(), directory.join("own.yaml").display().to_string()]
    })
}

fn write(server: &Server, name: &str, text: &str) {
    let path = server.directory.path().join(name);
    let next = server.directory.path().join("next");
    std::fs::write(&next, text).unwrap();
    std::fs::rename(next, path).unwrap();
}

fn privileged() -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "media"},
        "spec": {"containers": [{"name": "app", "image": "registry.example/web:1.0.0",
                                 "securityContext": {"privileged": true}}]}})
}

async fn allows(server: &Server) -> bool {
    server.review("/validate", &review_of("pods", privileged())).await["allowed"] == true
}

async fn errors(server: &Server) -> f64 {
    server.metric("portcullis_policy_load_errors").await
}

#[tokio::test]
async fn what_a_profile_no_longer_names_goes_once_two_looks_found_the_same() {
    let server = serve(&[("own.yaml", OWN)]);
    assert!(!allows(&server).await);
    write(&server, "own.yaml", ONE);
    server.until("the policy being off", async || allows(&server).await && errors(&server).await == 0.0).await;
    let logged = server.log();
    let doubted =
        |event: &Value| event["error"].as_str().is_some_and(|error| error.contains("waiting for the next look"));
    assert!(logged.iter().any(doubted), "{logged:#?}");
    write(&server, "own.yaml", OWN);
    server.until("the policy being on", async || !allows(&server).await).await;
}

#[tokio::test]
async fn a_profile_with_a_mistake_changes_nothing() {
    let server = serve(&[("own.yaml", OWN)]);
    for broken in
        ["kind: [", "", &ONE.replace("require-pinned-images", "require-pined-images"), &OWN.replace("Profile", "Other")]
    {
        write(&server, "own.yaml", broken);
        server.until("an error", async || errors(&server).await > 0.0).await;
        assert!(!allows(&server).await, "{broken}");
        let ready = server.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK);
        let detail = ready.text();
        assert!(detail.contains("own.yaml") && detail.contains("last good version"), "{broken}: {detail}");
        write(&server, "own.yaml", OWN);
        server.until("no error", async || errors(&server).await == 0.0).await;
    }
    std::fs::remove_file(server.directory.path().join("own.yaml")).unwrap();
    server.until("an error", async || errors(&server).await > 0.0).await;
    server.look(2).await;
    assert!(!allows(&server).await, "the profile is gone");
}

#[tokio::test]
async fn files_that_a_profile_extends_are_watched_and_kept_with_it() {
    let extending =
        "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\nspec:\n  extends: ./base.yaml\n";
    let server = serve(&[("own.yaml", extending), ("base.yaml", OWN)]);
    assert!(!allows(&server).await);
    write(&server, "base.yaml", ONE);
    server.until("the policy being off", async || allows(&server).await && errors(&server).await == 0.0).await;
    write(&server, "base.yaml", OWN);
    server.until("the policy being on", async || !allows(&server).await && errors(&server).await == 0.0).await;
    // Whoever can't be read names nothing: what it extended stays known.
    write(&server, "own.yaml", "kind: [");
    server.until("an error", async || errors(&server).await > 0.0).await;
    assert!(!allows(&server).await);
    server.look(2).await;
    assert!(!allows(&server).await);
    write(&server, "own.yaml", extending);
    server.until("no error", async || errors(&server).await == 0.0).await;
    std::fs::remove_file(server.directory.path().join("base.yaml")).unwrap();
    server.until("an error", async || errors(&server).await > 0.0).await;
    server.look(2).await;
    assert!(!allows(&server).await, "what it extends is gone");
}

#[tokio::test]
async fn a_server_that_starts_with_a_profile_that_cannot_be_used_is_not_ready_and_answers_by_default() {
    let server = serve(&[("own.yaml", "kind: [")]);
    let ready = server.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE, "{}", ready.text());
    let detail = ready.text();
    assert!(detail.contains("[-] policies: the profile can't be used") && detail.contains("own.yaml"), "{detail}");
    assert!(!allows(&server).await, "baseline judges");
    write(&server, "own.yaml", ONE);
    server.until("being ready", async || server.admin("/readyz").await.status == StatusCode::OK).await;
}
