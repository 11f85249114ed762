//! Leaving: no request fails, readiness goes first, a second signal ends everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;

use crate::support::{Client, PATIENCE, Server, client_config, config_map, tls_stream};

/// Sends requests until the server no longer accepts connections; a connection that the server closes is made anew.
/// Returns how many were answered, and the first that failed.
async fn load(
    address: String,
    config: rustls::ClientConfig,
    http2: bool,
    stop: Arc<AtomicBool>,
) -> (usize, Option<String>) {
    let body = config_map("deny").to_string();
    let mut answered = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(stream) = tls_stream(&address, config.clone()).await else {
            // Nobody listens any more, so nothing was promised.
            break;
        };
        let mut client = if http2 { Client::http2(stream).await } else { Client::http1(stream).await };
        loop {
            let answer = async {
                match &mut client {
                    Client::Http1(sender) => sender.ready().await?,
                    Client::Http2(sender, _) => sender.ready().await?,
                }
                client.post("/validate", "application/json", body.clone()).await
            };
            let Ok(answer) = tokio::time::timeout(PATIENCE, answer).await else {
                // The client's HTTP/2 may forget a request that it hasn't opened yet when the connection ends; one that
                // it has sent gets an error then.
                if client.is_gone() {
                    break;
                }
                return (answered, Some("no answer".to_owned()));
            };
            match answer {
                Ok(reply) if reply.status == StatusCode::OK => answered += 1,
                Ok(reply) => return (answered, Some(format!("{reply:?}"))),
                Err(error) if is_unprocessed(&error) => break,
                Err(error) => return (answered, Some(format!("{error:?}"))),
            }
        }
    }
    (answered, None)
}

/// Whether the client knows that the server did nothing with the request, so that sending it elsewhere loses nothing:
/// it was never sent, or the server's GOAWAY came first. For a request that GOAWAY promises to finish, the error
/// would be that of the connection.
fn is_unprocessed(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<h2::Error>());
    error.is_canceled()
        || error.is_closed()
        || cause.is_some_and(|cause| {
            cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR)
        })
}

async fn drains_under_load(http2: bool) {
    let mut server = Server::start(&["--mode", "enforce", "--drain-delay", "700ms"]);
    let stop = Arc::new(AtomicBool::new(false));
    let alpn = if http2 { "h2" } else { "http/1.1" };
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let config = client_config(&server.ca(), rustls::ALL_VERSIONS, &[alpn], None);
            tokio::spawn(load(server.address.clone(), config, http2, Arc::clone(&stop)))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.signal("TERM");
    let total = AtomicUsize::new(0);
    for client in clients {
        let (answered, failed) = client.await.unwrap();
        assert_eq!(failed, None, "after {answered} answers");
        total.fetch_add(answered, Ordering::Relaxed);
    }
    stop.store(true, Ordering::Relaxed);
    assert!(total.load(Ordering::Relaxed) > 100, "there was no load: {total:?}");
    assert_eq!(server.wait(), Some(0));
    server.wait_for_log_after_exit("drained");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drains_under_http_1_1_load_without_failing_a_request() {
    drains_under_load(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drains_under_http_2_load_without_failing_a_request() {
    drains_under_load(true).await;
}

#[tokio::test]
async fn is_not_ready_but_still_answers_while_it_leaves() {
    let mut server = Server::start(&["--drain-delay", "1500ms"]);
    server.signal("TERM");
    server
        .until("being not ready", async || {
            let ready = server.admin("/readyz").await;
            ready.status == StatusCode::SERVICE_UNAVAILABLE && ready.text().contains("shutting down")
        })
        .await;
    let mut client = server.connect().await;
    let reply = client.post("/validate", "application/json", config_map("x").to_string()).await.unwrap();
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.headers["connection"], "close", "a client that stays would be cut off later");
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn finishes_a_request_whose_body_is_still_arriving() {
    use tokio::io::AsyncWriteExt;
    let mut server = Server::start(&["--drain-delay", "0s"]);
    let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
    let body = config_map("x").to_string();
    let head = format!(
        "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body.as_bytes()[..10]).await.unwrap();
    server.until("the request's start", async || server.metric("portcullis_admission_in_flight").await == 1.0).await;
    server.signal("TERM");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let answer = crate::connections::exchange(&mut stream, &body.as_bytes()[10..]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.wait(), Some(0));
}

#[tokio::test]
async fn gives_up_on_requests_that_outlast_the_drain() {
    let mut server = Server::start(&["--drain-delay", "0s", "--drain-timeout", "200ms", "--body-timeout", "20s"]);
    let _slow = crate::connections::SlowRequest::begin(&server, 100).await;
    server.until("the request's start", async || server.metric("portcullis_admission_in_flight").await == 1.0).await;
    server.signal("TERM");
    assert_eq!(server.wait(), Some(0));
    server.wait_for_log_after_exit("connections were still open when the drain timed out");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Server::start(&["--drain-delay", "60s"]);
    server.signal("TERM");
    server.wait_for_log("draining; another signal ends the process at once");
    let started = Instant::now();
    server.signal("INT");
    assert_eq!(server.wait(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
