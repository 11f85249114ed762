//! Protocols, and peers that are slow, silent or strangers.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::{Client, PATIENCE, Server, client_config, config_map};

/// A request whose body never comes to its end.
pub struct SlowRequest {
    stream: TlsStream<TcpStream>,
}

impl SlowRequest {
    /// Announces `length` bytes and sends one.
    pub async fn begin(server: &Server, length: usize) -> Self {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        let head = format!(
            "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        Self { stream }
    }

    /// What the server says to it.
    pub async fn answer(&mut self) -> String {
        exchange(&mut self.stream, b"").await
    }
}

/// Sends bytes and reads the first piece of the answer; empty if the server closes.
pub async fn exchange(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut answer)).await.expect("an answer or the end");
    // A server that closes without saying goodbye is one that closes.
    answer.truncate(read.unwrap_or(0));
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn speaks_tls_1_2_and_1_3_and_http_1_1_and_2() {
    let server = Server::start(&[]);
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let stream = server.stream(server.tls(&[version], &["http/1.1"])).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let reply =
            Client::http1(stream).await.post("/validate", "application/json", config_map("x").to_string()).await;
        assert_eq!(reply.unwrap().status, StatusCode::OK);

        let stream = server.stream(server.tls(&[version], &["h2"])).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut client = Client::http2(stream).await;
        for _ in 0..3 {
            let reply = client.post("/validate", "application/json", config_map("x").to_string()).await.unwrap();
            assert_eq!(reply.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn answers_many_requests_on_one_connection() {
    let server = Server::start(&[]);
    let mut client = server.connect().await;
    for _ in 0..100 {
        let reply = client.post("/validate", "application/json", config_map("deny").to_string()).await.unwrap();
        assert_eq!(reply.status, StatusCode::OK);
    }
    assert_eq!(server.metric("portcullis_connections").await, 2.0, "this one and the admin port's own");
}

#[tokio::test]
async fn gives_up_on_a_body_that_does_not_arrive() {
    let server = Server::start(&["--body-timeout", "200ms"]);
    let answer = SlowRequest::begin(&server, 100).await.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("--body-timeout"), "{answer}");
    server.assert_alive().await;
}

#[tokio::test]
async fn gives_up_on_a_body_at_the_callers_deadline() {
    let server = Server::start(&["--body-timeout", "20s"]);
    let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
    let head = "POST /validate?timeout=300ms HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let started = Instant::now();
    let answer = exchange(&mut stream, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}

#[tokio::test]
async fn gives_up_on_a_header_that_does_not_arrive() {
    let server = Server::start(&["--header-timeout", "200ms"]);
    let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
    let answer = exchange(&mut stream, b"POST /validate HTTP/1.1\r\nhost: ").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    server.assert_alive().await;
}

#[tokio::test]
async fn gives_up_on_a_handshake_that_does_not_finish() {
    let server = Server::start(&["--handshake-timeout", "200ms"]);
    // The first bytes of a ClientHello, and nothing at all.
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b""] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "the server keeps a connection that doesn't finish its handshake");
    }
    let timeouts = async || server.metric(r#"portcullis_tls_handshake_failures_total{reason="timeout"}"#).await == 2.0;
    server.until("counting both", timeouts).await;
    server.assert_alive().await;
}

#[tokio::test]
async fn survives_plain_http_and_noise_on_the_tls_port() {
    let server = Server::start(&[]);
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 1000]] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // Whether it says why or just closes is its own affair.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the end");
    }
    server.assert_alive().await;
}

#[tokio::test]
async fn bounds_the_connections_at_once_and_the_oldest_idle_one_makes_room() {
    let server = Server::start(&["--max-connections", "2", "--handshake-timeout", "60s"]);
    let (mut first, second) = (server.connect().await, server.connect().await);
    // The first has been used since the second came.
    assert!(first.post("/validate", "application/json", config_map("x").to_string()).await.is_ok());
    let mut third = server.connect().await;
    assert!(third.post("/validate", "application/json", config_map("x").to_string()).await.is_ok());
    assert!(first.post("/validate", "application/json", config_map("x").to_string()).await.is_ok());
    let mut second = second;
    assert!(second.post("/validate", "application/json", config_map("x").to_string()).await.is_err());
    assert_eq!(server.metric(r#"portcullis_connections_closed_total{reason="evicted"}"#).await, 1.0);
}

#[tokio::test]
async fn closes_connections_that_are_idle() {
    let server = Server::start(&["--idle-timeout", "300ms"]);
    for alpn in ["http/1.1", "h2"] {
        let mut stream = server.stream(server.tls(rustls::ALL_VERSIONS, &[alpn])).await.unwrap();
        let mut rest = Vec::new();
        // What an HTTP/2 server says of itself may come first.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the end");
    }
    server
        .until("both were idle", async || {
            server.metric(r#"portcullis_connections_closed_total{reason="idle"}"#).await >= 2.0
        })
        .await;
    server.assert_alive().await;
}

#[tokio::test]
async fn with_a_client_ca_only_its_certificates_are_let_in() {
    let issue = |issuer: &rcgen::Issuer<'_, rcgen::KeyPair>| {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["kube-apiserver".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        (vec![certificate.der().clone()], PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())))
    };
    let authority = || {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        (pem, rcgen::Issuer::new(params, key))
    };
    let (ca, issuer) = authority();
    let (_, stranger) = authority();
    let server = Server::start_with(&[], |directory| {
        let (client_ca, own) = (directory.join("clients.crt"), directory.join("ca.crt"));
        std::fs::write(&client_ca, ca).unwrap();
        let (client_ca, own) = (client_ca.display().to_string(), own.display().to_string());
        ["--tls-self-signed", "--tls-write-ca", &own, "--client-ca", &client_ca].map(str::to_owned).to_vec()
    });
    let post = async |identity| {
        let config = client_config(&server.ca(), rustls::ALL_VERSIONS, &["http/1.1"], identity);
        let stream = server.stream(config).await.ok()?;
        let mut client = Client::http1(stream).await;
        client.post("/validate", "application/json", config_map("x").to_string()).await.ok()
    };
    assert!(post(None).await.is_none(), "served without a certificate");
    assert!(post(Some(issue(&stranger))).await.is_none(), "served with a stranger's certificate");
    let reply = post(Some(issue(&issuer))).await.expect("served with a good certificate");
    assert_eq!(reply.status, StatusCode::OK);
}
