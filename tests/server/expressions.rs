//! Expressions that are too large to load, or cost too much to finish: each is refused by a limit that says so, and the
//! server answers afterwards.

use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::support::{LABEL_POLICY, Server, config_map, unlabelled};

/// The label policy's name, binding and expression replaced.
fn policy(name: &str, expression: &str) -> String {
    let text = LABEL_POLICY.replace("no-deny-label", name).replace("{name: everywhere}", &format!("{{name: {name}}}"));
    let line = text.lines().find(|line| line.contains("- expression:")).unwrap();
    text.replace(line, &format!("  - expression: >-\n      {expression}"))
}

/// As upstream, a policy that can't be compiled fails in each request that it matches.
fn ignored(policy: String) -> String {
    policy.replacen("spec:\n", "spec:\n  failurePolicy: Ignore\n", 1)
}

fn start(policies: &[(&str, String)]) -> Server {
    Server::start_with(&["--mode", "enforce"], |directory| {
        std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        for (file, text) in policies {
            std::fs::write(directory.join("policies").join(file), text).unwrap();
        }
        let ca = directory.join("ca.crt").display().to_string();
        vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
    })
}

/// A true expression of so many characters.
fn true_of(characters: usize) -> String {
    let frame = "'' == ''";
    format!("'{0}' == '{0}'", "a".repeat((characters - frame.len()) / 2))
}

#[tokio::test]
async fn expressions_that_are_too_large_are_errors_of_their_files_and_nothing_else() {
    let sum = vec!["1"; 10_000].join("+");
    let server = start(&[
        ("largest.yaml", policy("largest", &true_of(100_000))),
        ("too-long.yaml", ignored(policy("too-long", &true_of(100_002)))),
        ("too-deep.yaml", ignored(policy("too-deep", &format!("{sum} == 10000")))),
    ]);
    let errors: Vec<String> = server
        .log()
        .into_iter()
        .filter(|event| event["message"] == "policy file has an error")
        .map(|event| event["error"].as_str().unwrap().to_owned())
        .collect();
    for (file, says) in [
        ("too-long.yaml", "expression code point size exceeds limit: size: 100002, limit 100000"),
        ("too-deep.yaml", "max recursion depth exceeded"),
    ] {
        assert!(errors.iter().any(|error| error.contains(file) && error.contains(says)), "{file}: {errors:#?}");
    }
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let ready = server.admin("/readyz").await;
    assert_eq!(ready.status, StatusCode::OK);
    assert!(ready.text().contains("too-long.yaml") && ready.text().contains("too-deep.yaml"), "{}", ready.text());

    let denied = server.review("/validate", &config_map("deny")).await;
    assert_eq!(denied["status"]["message"].as_str().map(|text| text.contains("must not be deny")), Some(true));
    assert_eq!(server.review("/validate", &config_map("allow")).await["allowed"], true);
}

#[tokio::test]
async fn a_comprehension_that_never_ends_is_stopped_by_its_cost() {
    let server =
        start(&[("endless.yaml", policy("endless", "object.numbers.all(a, object.numbers.all(b, a + b >= 0))"))]);
    let mut review = unlabelled();
    let numbers: Vec<u32> = (0..4096).collect();
    review["request"]["object"]["numbers"] = numbers.into();
    for _ in 0..3 {
        let started = Instant::now();
        let response = server.review("/validate", &review).await;
        assert_eq!(response["allowed"], false, "{response}");
        let message = response["status"]["message"].as_str().unwrap();
        assert!(message.contains("cost limit exceeded"), "{message}");
        // Sixteen million elements take longer than that in a debug build.
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    review["request"]["object"]["numbers"] = vec![1, 2, 3].into();
    assert_eq!(server.review("/validate", &review).await["allowed"], true);
}
