//! Signals that end other processes, and a system that has no more to give.

use std::time::Instant;

use crate::support::{LABEL_POLICY, Server, config_map};

#[tokio::test]
async fn signals_that_mean_nothing_do_nothing() {
    let server = Server::start(&["--mode", "enforce"]);
    for signal in ["USR1", "USR2", "HUP", "PIPE"] {
        server.signal(signal);
        server.assert_alive().await;
    }
}

#[tokio::test]
async fn hangup_has_the_files_looked_at() {
    let mut server = Server::start(&["--mode", "enforce", "--reload-interval", "1h"]);
    let file = server.directory.path().join("policies/label.yaml");
    std::fs::write(&file, LABEL_POLICY.replace("must not be deny", "must be another")).unwrap();
    server.signal("HUP");
    server.wait_for_log("looked at certificate and policy files");
    let response = server.review("/validate", &config_map("deny")).await;
    assert!(response["status"]["message"].as_str().unwrap().contains("must be another"), "{response}");
}

#[tokio::test]
async fn a_server_without_file_descriptors_says_so_once_a_second_at_most() {
    let mut server = Server::start(&[]);
    let started = Instant::now();
    server.limit_open_files(1);
    // What the kernel completes waits in the backlog, and accepting it fails again and again.
    let _waiting: Vec<_> = (0..4).map(|_| std::net::TcpStream::connect(&server.address).unwrap()).collect();
    let said =
        |server: &Server| server.log().iter().filter(|event| event["message"] == "can't accept a connection").count();
    server.wait_for_log("can't accept a connection");
    let again = async || {
        server.log().iter().any(|event| {
            event["message"] == "can't accept a connection" && event["held_back"].as_u64().is_some_and(|n| n > 0)
        })
    };
    server.until("a second line", again).await;
    let seconds = started.elapsed().as_secs();
    assert!(said(&server) as u64 <= seconds + 1, "{} in {seconds} s", said(&server));
    server.limit_open_files(1024);
    server.assert_alive().await;
}
