//! Logs that can't be written: the server goes on as if they could, counts what it dropped, and leaves when told to.

use std::fs::File;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::support::{PATIENCE, Server, config_map};

/// Serves with standard error going to `stderr`, until lines have been dropped; then checks that nothing suffered.
async fn serves_on(stderr: Stdio) {
    let mut server = Server::unheard(&["--mode", "enforce"], stderr);
    let dropped = async || server.metric("portcullis_log_lines_dropped_total").await;
    for what in ["dropped lines", "more dropped lines"] {
        let before = dropped().await;
        server
            .until(what, async || {
                let mut client = server.connect().await;
                for _ in 0..100 {
                    let body = config_map("deny").to_string();
                    let reply = client.post("/validate", "application/json", body).await.expect("an answer");
                    assert_eq!(reply.json()["response"]["allowed"], false);
                }
                dropped().await > before
            })
            .await;
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.admin(path).await.status, StatusCode::OK, "{path}");
    }
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn a_full_disk_stops_nothing() {
    serves_on(File::options().write(true).open("/dev/full").unwrap().into()).await;
}

#[tokio::test]
async fn a_closed_pipe_stops_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    serves_on(writer.into()).await;
}

#[tokio::test]
async fn a_pipe_that_nobody_reads_stops_nothing() {
    let (_reader, writer) = std::io::pipe().unwrap();
    serves_on(writer.into()).await;
}

#[test]
fn a_server_that_cannot_start_ends_though_nobody_reads_why() {
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("broken.yaml");
    // More errors than a pipe holds, where it gets that far.
    std::fs::write(&broken, "{ broken\n---\n".repeat(2_000)).unwrap();
    let broken = broken.to_str().unwrap();
    let certificate: &[&str] = &["--tls-cert", "no/such/file", "--tls-key", "no/such/file"];
    // An address that no machine has.
    let address: &[&str] = &["--tls-self-signed", "--listen", "203.0.113.1:0", "--policies", broken];
    for flags in [certificate, address, &["--tls-self-signed", "--namespaces", "no/such/file"]] {
        for format in ["text", "json"] {
            let (_reader, mut writer) = std::io::pipe().unwrap();
            fill(&mut writer);
            let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
                .args(["serve", "--offline", "--no-embedded", "--log-format", format])
                .args(flags)
                .stderr(writer)
                .spawn()
                .unwrap();
            let started = Instant::now();
            let status = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break status;
                }
                if started.elapsed() > PATIENCE {
                    child.kill().unwrap();
                    panic!("{flags:?} {format}: never ends");
                }
                std::thread::sleep(Duration::from_millis(5));
            };
            assert_eq!(status.code(), Some(2), "{flags:?} {format}");
        }
    }
}

/// Writes until the pipe holds all that it can.
fn fill(pipe: &mut std::io::PipeWriter) {
    let mut writer = pipe.try_clone().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    // Left behind, waiting; it ends with the reader.
    std::thread::spawn(move || {
        while writer.write_all(&[b'x'; 512]).is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut before = usize::MAX;
    while written.load(Ordering::SeqCst) != before || before == 0 {
        before = written.load(Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test]
async fn nothing_is_dropped_while_lines_can_be_written() {
    let mut server = Server::start(&["--mode", "enforce"]);
    for _ in 0..100 {
        server.review("/validate", &config_map("deny")).await;
    }
    assert_eq!(server.metric("portcullis_log_lines_dropped_total").await, 0.0);
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    server.wait_for_log_after_exit("drained");
    assert_eq!(server.log().iter().filter(|event| event["message"] == "finding").count(), 100);
}

#[tokio::test]
async fn a_refusal_echoes_and_logs_a_kilobyte_at_most() {
    let mut server = Server::start(&[]);
    let long = "x".repeat(20_000);
    let reply = server.connect().await.post("/validate", &format!("text/{long}"), "").await.unwrap();
    assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let mut replies = vec![reply];
    for (path, body) in [
        (format!("/validate?timeout={long}"), String::new()),
        ("/validate".to_owned(), format!(r#"{{"apiVersion":"{long}","kind":"{long}"}}"#)),
        ("/validate".to_owned(), format!(r#"{{"{long}":1,"{long}":2}}"#)),
    ] {
        replies.push(server.post(&path, body).await);
    }
    for reply in replies {
        assert!(reply.status.is_client_error(), "{}", reply.status);
        assert!((500..1500).contains(&reply.body.len()), "{}", reply.text());
    }
    server.wait_for_log("request refused");
    server
        .until("all of the log", async || {
            server.log().iter().filter(|event| event["message"] == "request refused").count() == 4
        })
        .await;
    for event in server.log() {
        assert!(event.to_string().len() < 1500, "{event}");
    }
}
