//! The same attacks at the limits that the program ships, each by more attackers than it takes connections, who come back
//! when they are thrown out; and what honest clients get beside them: every answer.

#![allow(clippy::print_stdout)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::support::{Client, PATIENCE, Server, config_map, tls_over};

/// More than `--max-connections`, from addresses of which none reaches `--max-connections-per-peer`.
const ATTACKERS: usize = 600;
const ADDRESSES: usize = 6;
/// How soon an attacker comes back. All at once would wear out the processor, which no limit of a server can help.
const COMES_BACK: Duration = Duration::from_secs(2);
/// On each connection of an attack by streams.
const STREAMS: usize = 16;
/// Honest requests beside each attack: half of them on connections of their own.
const HONEST: usize = 40;

/// What an attacker does with each of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attack {
    SilentConnection,
    HalfHandshake,
    Reconnect,
    Idle,
    IdleHttp2,
    HalfHeader,
    HalfBody,
    StalledLargeBody,
    EndlessBody,
    NeverRead,
    HalfStreams,
    HeldStreams,
    HalfAdminRequest,
}

impl Attack {
    /// How many do it at once. What makes the server work all the time wears out the processor first.
    fn attackers(self) -> usize {
        if matches!(self, Attack::NeverRead | Attack::EndlessBody) { ATTACKERS / 20 } else { ATTACKERS }
    }

    /// Begins, says so, and goes on until the server ends it.
    async fn run(self, server: &Server, number: usize, begun: &AtomicUsize) -> std::io::Result<()> {
        let target = if self == Attack::HalfAdminRequest { &server.admin } else { &server.address };
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 2 + (number % ADDRESSES) as u8], 0)))?;
        let mut plain = socket.connect(target.parse().expect("an address")).await?;
        match self {
            Attack::SilentConnection => return until_closed(begun, plain).await,
            Attack::HalfHandshake => {
                plain.write_all(b"\x16\x03\x01\x02\x00\x01\x00").await?;
                return until_closed(begun, plain).await;
            }
            Attack::HalfAdminRequest => {
                plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: ").await?;
                return until_closed(begun, plain).await;
            }
            _ => {}
        }
        let http2 = matches!(self, Attack::IdleHttp2 | Attack::HalfStreams | Attack::HeldStreams);
        let alpn = if http2 { "h2" } else { "http/1.1" };
        let mut stream = tls_over(plain, server.tls(rustls::ALL_VERSIONS, &[alpn])).await?;
        let post = "POST /validate HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
        match self {
            Attack::HalfHeader => stream.write_all(b"POST /validate HTTP/1.1\r\nhost: ").await?,
            Attack::HalfBody => stream.write_all(format!("{post}content-length: 1000\r\n\r\n{{").as_bytes()).await?,
            Attack::StalledLargeBody => {
                stream.write_all(format!("{post}content-length: 3000000\r\n\r\n").as_bytes()).await?;
                begun.fetch_add(1, Ordering::Relaxed);
                stream.write_all(&vec![b' '; 2_999_999]).await?;
            }
            Attack::EndlessBody => {
                stream.write_all(format!("{post}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
                begun.fetch_add(1, Ordering::Relaxed);
                let chunk = format!("2710\r\n{}\r\n", " ".repeat(10_000));
                loop {
                    stream.write_all(chunk.as_bytes()).await?;
                }
            }
            Attack::NeverRead => {
                begun.fetch_add(1, Ordering::Relaxed);
                let requests = b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100);
                loop {
                    stream.write_all(&requests).await?;
                }
            }
            Attack::HalfStreams | Attack::HeldStreams => return self.streams(stream, begun).await,
            Attack::Reconnect => {
                begun.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            _ => {}
        }
        until_closed(begun, stream).await
    }

    /// Opens as many streams as a connection may have, whose requests never end or whose answers find no room.
    async fn streams(self, stream: impl Stream, begun: &AtomicUsize) -> std::io::Result<()> {
        let window = if self == Attack::HeldStreams { 0 } else { 65_535 };
        let mut settings = h2::client::Builder::new();
        settings.initial_window_size(window);
        let (mut sender, connection) = settings.handshake::<_, Bytes>(stream).await.map_err(std::io::Error::other)?;
        let connection = tokio::spawn(connection);
        let mut held = Vec::new();
        while let Ok(mut ready) = sender.ready().await {
            let request = hyper::Request::post("https://localhost/validate").header("content-type", "application/json");
            let Ok((response, mut body)) = ready.send_request(request.body(()).unwrap(), false) else { break };
            let whole = self == Attack::HeldStreams;
            let text = if whole { config_map("deny").to_string() } else { "{".to_owned() };
            if body.send_data(text.into(), whole).is_err() {
                break;
            }
            held.push((response, body));
            if held.len() == STREAMS {
                begun.fetch_add(1, Ordering::Relaxed);
                break;
            }
            sender = ready;
        }
        drop(connection.await);
        Ok(())
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

async fn until_closed(begun: &AtomicUsize, mut stream: impl Stream) -> std::io::Result<()> {
    begun.fetch_add(1, Ordering::Relaxed);
    stream.read_to_end(&mut Vec::new()).await.map(|_| ())
}

/// How many of the honest requests and probes were answered, and why others weren't.
async fn honest(server: &Server, beside: Attack) -> (usize, Vec<String>) {
    let mut answered = 0;
    let mut failures = Vec::new();
    // As the API server keeps it, which opens another once one has ended.
    let mut kept = server.connect().await;
    for number in 0..HONEST {
        let body = config_map("deny").to_string();
        let reply = match number % 4 {
            0 => fresh(server, "http/1.1", body).await,
            2 => fresh(server, "h2", body).await,
            _ => kept.post("/validate", "application/json", body).await.map_err(|error| error.to_string()),
        };
        match reply {
            Ok(reply) if reply.status == StatusCode::OK => answered += 1,
            other => failures.push(format!("{number}: {other:?}")),
        }
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.admin(path).await.status, StatusCode::OK, "{path} beside {beside:?}");
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{path} on the webhook's port beside {beside:?}");
    }
    (answered, failures)
}

async fn fresh(server: &Server, alpn: &str, body: String) -> Result<crate::support::Reply, String> {
    let stream = server.stream(server.tls(rustls::ALL_VERSIONS, &[alpn])).await.map_err(|error| error.to_string())?;
    let mut client = if alpn == "h2" { Client::http2(stream).await } else { Client::http1(stream).await };
    client.post("/validate", "application/json", body).await.map_err(|error| error.to_string())
}

/// Attacks a server that runs with what `deploy/` gives it.
async fn withstands(attack: Attack) {
    let server = Arc::new(Server::start(&["--max-concurrent-requests", "32", "--memory-limit", "536870912"]));
    let begun = Arc::new(AtomicUsize::new(0));
    let mut attackers = JoinSet::new();
    for number in 0..attack.attackers() {
        let (server, begun) = (Arc::clone(&server), Arc::clone(&begun));
        attackers.spawn(async move {
            loop {
                // However it ends: it begins anew.
                let _ = attack.run(&server, number, &begun).await;
                tokio::time::sleep(COMES_BACK).await;
            }
        });
    }
    let started = std::time::Instant::now();
    while begun.load(Ordering::Relaxed) < attack.attackers() / 2 {
        assert!(started.elapsed() < PATIENCE, "{attack:?} doesn't get going: {begun:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (answered, failures) = honest(&server, attack).await;
    println!("{attack:?}: {answered} of {HONEST} honest requests, beside {} attacks", begun.load(Ordering::Relaxed));
    assert_eq!(answered, HONEST, "beside {attack:?}: {failures:#?}");
    attackers.shutdown().await;
    server.assert_alive().await;
}

/// A test of its own for each attack, so that one that fails is named.
macro_rules! withstands {
    ($($name:ident: $attack:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                withstands(Attack::$attack).await;
            }
        )*
    };
}

withstands! {
    silent_connections: SilentConnection,
    half_handshakes: HalfHandshake,
    clients_that_come_and_go: Reconnect,
    idle_connections: Idle,
    idle_http_2_connections: IdleHttp2,
    half_headers: HalfHeader,
    half_bodies: HalfBody,
    large_bodies_that_stall: StalledLargeBody,
    bodies_without_end: EndlessBody,
    clients_that_never_read: NeverRead,
    half_streams: HalfStreams,
    streams_that_are_held: HeldStreams,
    half_requests_on_the_admin_port: HalfAdminRequest,
}
