//! Clients that cost without asking for anything, and what honest ones get beside them: always an answer. Limits are short
//! so that they are reached; that they are is counted.

use std::any::Any;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::connections::SlowRequest;
use crate::support::{Client, Server, config_map, review_of};

/// What an attacker keeps open.
type Held = Vec<Box<dyn Any>>;

/// Honest clients: new connections of either protocol, and probes on either port.
async fn assert_serves(server: &Server, beside: &str) {
    for alpn in ["http/1.1", "h2"] {
        let stream = server.stream(server.tls(rustls::ALL_VERSIONS, &[alpn])).await.expect(beside);
        let mut client = if alpn == "h2" { Client::http2(stream).await } else { Client::http1(stream).await };
        for body in [config_map("deny").to_string(), large_config_map()] {
            let reply = client.post("/validate", "application/json", body).await.expect(beside);
            assert_eq!(reply.status, StatusCode::OK, "{beside}, {alpn}: {reply:?}");
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.admin(path).await.status, StatusCode::OK, "{beside}: {path} on the admin port");
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{beside}: {path} on the webhook's port");
    }
}

/// A review that is evaluated apart from small ones.
fn large_config_map() -> String {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large", "namespace": "shop"},
        "data": {"text": "x".repeat(300_000)}});
    review_of("configmaps", object).to_string()
}

/// Waits until a series of the metrics has reached `least`.
async fn reaches(server: &Server, series: &str, least: f64) {
    server.until(series, async || server.metric(series).await >= least).await;
}

/// Opens HTTP/2 streams on one connection whose bodies end before their announced length, then asks honestly on it.
async fn half_bodies(server: &Server, streams: usize, sent: usize, settings: h2::client::Builder) -> Held {
    let stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["h2"])).await.unwrap();
    let (sender, connection) = settings.handshake::<_, Bytes>(stream).await.unwrap();
    tokio::spawn(connection);
    let mut held: Held = Vec::new();
    for _ in 0..streams {
        let mut ready = sender.clone().ready().await.unwrap();
        let request = hyper::Request::post("https://localhost/validate")
            .header("content-type", "application/json")
            .header("content-length", "100000")
            .body(())
            .unwrap();
        let (response, mut body) = ready.send_request(request, false).unwrap();
        body.send_data(vec![b' '; sent].into(), false).unwrap();
        held.push(Box::new((response, body)));
    }
    let mut ready = sender.ready().await.unwrap();
    let request = hyper::Request::post("https://localhost/validate").header("content-type", "application/json");
    let (response, mut body) = ready.send_request(request.body(()).unwrap(), false).unwrap();
    body.send_data(config_map("deny").to_string().into(), true).unwrap();
    assert_eq!(response.await.expect("an answer").status(), StatusCode::OK, "on the attacker's own connection");
    held
}

#[tokio::test]
async fn half_bodies_on_one_connection_take_no_permit() {
    let server = Server::start(&["--max-concurrent-requests", "1", "--body-timeout", "60s"]);
    let _held = half_bodies(&server, 64, 100, h2::client::Builder::new()).await;
    assert_eq!(server.metric("portcullis_admission_in_flight").await, 64.0);
    assert_serves(&server, "half bodies on one connection").await;
}

#[tokio::test]
async fn slow_bodies_end_at_their_timeout() {
    let server = Server::start(&["--max-concurrent-requests", "1", "--body-timeout", "300ms"]);
    let _held = half_bodies(&server, 32, 100, h2::client::Builder::new()).await;
    assert_serves(&server, "slow bodies").await;
    reaches(&server, r#"portcullis_admission_refused_total{reason="body_timeout"}"#, 32.0).await;
    let given_back = async || server.metric(r#"portcullis_memory_used_bytes{share="bodies"}"#).await == 0.0;
    server.until("giving back their memory", given_back).await;
}

#[tokio::test]
async fn slow_bodies_on_all_connections_make_room() {
    let server = Server::start(&["--max-connections", "8", "--body-timeout", "60s"]);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(SlowRequest::begin(&server, 1000).await);
    }
    assert_serves(&server, "slow bodies on all connections").await;
    reaches(&server, r#"portcullis_connections_closed_total{reason="evicted"}"#, 12.0).await;
}

#[tokio::test]
async fn slow_headers_make_room_and_end() {
    let server = Server::start(&["--max-connections", "8", "--header-timeout", "400ms", "--idle-timeout", "60s"]);
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        stream.write_all(b"POST /validate HTTP/1.1\r\nhost: ").await.unwrap();
        held.push(stream);
    }
    assert_serves(&server, "slow headers").await;
    reaches(&server, r#"portcullis_connections_closed_total{reason="evicted"}"#, 1.0).await;
    let mut slow = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
    slow.write_all(b"POST /validate HTTP/1.1\r\nhost: ").await.unwrap();
    reaches(&server, r#"portcullis_connections_closed_total{reason="header"}"#, 1.0).await;
}

#[tokio::test]
async fn half_open_handshakes_make_room() {
    let server = Server::start(&["--max-connections", "8", "--handshake-timeout", "60s"]);
    let mut held = Vec::new();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b""].into_iter().cycle().take(20) {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        held.push(stream);
    }
    assert_serves(&server, "half-open handshakes").await;
    reaches(&server, r#"portcullis_tls_handshake_failures_total{reason="evicted"}"#, 12.0).await;
}

#[tokio::test]
async fn idle_connections_make_room() {
    let server = Server::start(&["--max-connections", "8", "--idle-timeout", "60s"]);
    let mut held = Vec::new();
    for alpn in ["http/1.1", "h2"].into_iter().cycle().take(20) {
        held.push(server.stream(server.tls(rustls::ALL_VERSIONS, &[alpn])).await.unwrap());
    }
    assert_serves(&server, "idle connections").await;
    reaches(&server, r#"portcullis_connections_closed_total{reason="evicted"}"#, 12.0).await;
}

#[tokio::test]
async fn one_address_does_not_take_the_connections_of_another() {
    let flags = ["--max-connections", "100", "--max-connections-per-peer", "4", "--handshake-timeout", "60s"];
    let server = Server::start(&flags);
    let mut honest = server.connect().await;
    let mut held = Vec::new();
    for _ in 0..40 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        held.push(socket.connect(server.address.parse::<SocketAddr>().unwrap()).await.unwrap());
    }
    assert_serves(&server, "connections from another address").await;
    let reply = honest.post("/validate", "application/json", config_map("deny").to_string()).await;
    assert_eq!(reply.expect("its own connection is still open").status, StatusCode::OK);
    reaches(&server, r#"portcullis_tls_handshake_failures_total{reason="evicted"}"#, 36.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_never_read_are_closed() {
    let server = Server::start(&["--write-timeout", "500ms"]);
    let mut attackers = Vec::new();
    for _ in 0..4 {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        attackers.push(tokio::spawn(async move {
            let requests = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
            // Until the server has had enough of it.
            while stream.write_all(&requests).await.is_ok() {}
        }));
    }
    assert_serves(&server, "clients that never read").await;
    reaches(&server, r#"portcullis_connections_closed_total{reason="unread"}"#, 4.0).await;
    for attacker in attackers {
        attacker.await.unwrap();
    }
}

#[tokio::test]
async fn streams_that_are_held_open_are_reset() {
    let server = Server::start(&["--http2-stream-timeout", "500ms", "--max-concurrent-requests", "1"]);
    let stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["h2"])).await.unwrap();
    // Whole requests, and no room for their answers.
    let (sender, connection) =
        h2::client::Builder::new().initial_window_size(0).handshake::<_, Bytes>(stream).await.unwrap();
    tokio::spawn(connection);
    let mut held: Held = Vec::new();
    for _ in 0..100 {
        let mut ready = sender.clone().ready().await.unwrap();
        let request = hyper::Request::post("https://localhost/validate").header("content-type", "application/json");
        let (response, mut body) = ready.send_request(request.body(()).unwrap(), false).unwrap();
        body.send_data(config_map("deny").to_string().into(), true).unwrap();
        held.push(Box::new((response, body)));
    }
    assert_serves(&server, "streams held open").await;
    reaches(&server, "portcullis_http2_streams_reset_total", 100.0).await;
    assert_eq!(server.metric(r#"portcullis_memory_used_bytes{share="small"}"#).await, 0.0);
}

#[tokio::test]
async fn half_requests_on_the_admin_port_do_not_fail_the_probes() {
    let server = Server::start(&["--max-connections", "8", "--header-timeout", "60s", "--idle-timeout", "60s"]);
    let mut held = Vec::new();
    for bytes in [&b"GET /healthz HTTP/1.1\r\nhost: "[..], b"", b"POST /healthz HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"]
        .into_iter()
        .cycle()
        .take(30)
    {
        let mut stream = TcpStream::connect(&server.admin).await.unwrap();
        // An error means that it made room already.
        let _ = stream.write_all(bytes).await;
        held.push(stream);
    }
    assert_serves(&server, "half requests on the admin port").await;
    reaches(&server, r#"portcullis_connections_closed_total{reason="evicted"}"#, 10.0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn huge_bodies_that_stall_make_room() {
    let flags = ["--memory-limit", "150000000", "--max-connections", "64", "--max-body-bytes", "1048576"];
    let server = Server::start(&[&flags[..], &["--body-timeout", "60s"]].concat());
    let share = server.metric(r#"portcullis_memory_limit_bytes{share="bodies"}"#).await as usize;
    let mut held = Vec::new();
    for _ in 0..share / 1_000_000 + 3 {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        let head =
            "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1048576\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        held.push(tokio::spawn(async move {
            // All but the end, as far as the server takes it.
            let _ = stream.write_all(&vec![b' '; 1_040_000]).await;
            std::future::pending::<()>().await;
            drop(stream);
        }));
    }
    reaches(&server, r#"portcullis_memory_used_bytes{share="bodies"}"#, share as f64 - 1_500_000.0).await;
    assert_serves(&server, "huge bodies").await;
    reaches(&server, r#"portcullis_admission_refused_total{reason="body_evicted"}"#, 1.0).await;
    for attacker in held {
        attacker.abort();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_without_end_are_cut_off() {
    let server = Server::start(&["--max-body-bytes", "100000"]);
    let mut attackers = Vec::new();
    for _ in 0..8 {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        attackers.push(tokio::spawn(async move {
            let head = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
            let chunk = format!("2710\r\n{}\r\n", " ".repeat(10_000));
            let mut sent = stream.write_all(head.as_bytes()).await;
            while sent.is_ok() {
                sent = stream.write_all(chunk.as_bytes()).await;
            }
        }));
    }
    let stream = server.connect().await;
    drop(stream);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.admin(path).await.status, StatusCode::OK);
    }
    server.assert_alive().await;
    reaches(&server, r#"portcullis_admission_refused_total{reason="body_too_large"}"#, 8.0).await;
    for attacker in attackers {
        tokio::time::timeout(Duration::from_secs(60), attacker).await.expect("the connection is closed").unwrap();
    }
}
