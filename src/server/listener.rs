//! Accepts connections, takes them through TLS and HTTP, and bounds what each may cost: how many there are, how long a
//! handshake or a header may take, how much an HTTP/2 peer may open.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::drain::{LAST_REQUEST, Slots, Stage, Watch};
use super::endpoints::Endpoints;
use super::header_clock::HeaderClock;
use super::metrics::Metrics;

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; more wait in the kernel's backlog.
    pub connections: u32,
    /// From accepting a connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// For a request's header; also how long an HTTP/1.1 connection may stay idle.
    pub header: Duration,
    /// Requests in progress on one HTTP/2 connection.
    pub http2_streams: u32,
}

/// How much of a header is buffered at most; the API server sends less than 1 KiB.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// How often an HTTP/2 peer is asked whether it is still there, and how long it has to answer.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(30);
const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connections are still accepted once the listener closes. They can't be told from those that were waiting
/// already, and clients that come back at once must not keep the server from leaving.
const BACKLOG: Duration = Duration::from_millis(20);

/// One listening socket and what is served on it.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    endpoints: Endpoints,
    limits: ConnectionLimits,
    slots: Slots,
    metrics: Arc<Metrics>,
}

impl Listener {
    /// Binds `address`; `tls` is looked up anew for each connection.
    ///
    /// # Errors
    /// The address can't be bound.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ArcSwap<ServerConfig>>>,
        endpoints: Endpoints,
        limits: ConnectionLimits,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self { socket, tls, endpoints, limits, slots: Slots::new(limits.connections), metrics })
    }

    /// The address that was bound, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The system doesn't say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The connections of this listener.
    pub fn slots(&self) -> Slots {
        self.slots.clone()
    }

    /// Accepts connections until the drain closes the listener, then those still in the backlog, for [`BACKLOG`] at
    /// most.
    pub async fn run(self, mut watch: Watch) {
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = watch.reached(Stage::Closed) => break,
            };
            match accepted {
                Some((stream, slot)) => self.serve(stream, slot, &watch),
                // Out of file descriptors, mostly: give connections time to end.
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        // A connection that the kernel has completed belongs to a client that believes in us.
        let end = Instant::now() + BACKLOG;
        while let Ok(Some((stream, slot))) = tokio::time::timeout_at(end, self.accept()).await {
            self.serve(stream, slot, &watch);
        }
    }

    async fn accept(&self) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
        let slot = self.slots.take().await?;
        match self.socket.accept().await {
            Ok((stream, _)) => Some((stream, slot)),
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                None
            }
        }
    }

    fn serve(&self, stream: TcpStream, slot: tokio::sync::OwnedSemaphorePermit, watch: &Watch) {
        let tls = self.tls.as_ref().map(|config| TlsAcceptor::from(config.load_full()));
        let connection = Connection {
            endpoints: self.endpoints.clone(),
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
            watch: watch.clone(),
        };
        tokio::spawn(async move {
            connection.run(stream, tls).await;
            drop(slot);
        });
    }
}

/// What the task of one connection needs.
struct Connection {
    endpoints: Endpoints,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
    watch: Watch,
}

/// Which protocol a connection speaks, if the handshake settled it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// A connection that is read in pieces as large as TLS makes them: rustls alone takes 4 KB at a time from the system,
/// which for a usual review is one call more.
fn buffered(stream: TcpStream) -> BufReader<TcpStream> {
    /// The largest TLS record: 16 KB of text, its header and what encryption adds.
    const RECORD_BYTES: usize = 16 * 1024 + 5 + 256;
    BufReader::with_capacity(RECORD_BYTES, stream)
}

impl Connection {
    async fn run(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        let gauge = self.metrics.connections.clone();
        gauge.inc();
        // Answers are small and complete; waiting to fill a segment only adds latency.
        let _ = stream.set_nodelay(true);
        match tls {
            None => self.http(stream, Protocol::Http1).await,
            Some(acceptor) => {
                match tokio::time::timeout(self.limits.handshake, acceptor.accept(buffered(stream))).await {
                    Ok(Ok(stream)) => {
                        let protocol = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Protocol::Http2,
                            _ => Protocol::Http1,
                        };
                        self.http(stream, protocol).await;
                    }
                    Ok(Err(error)) => {
                        self.metrics.handshake_failures.with_label_values(&["failed"]).inc();
                        tracing::debug!(%error, "TLS handshake failed");
                    }
                    Err(_) => {
                        self.metrics.handshake_failures.with_label_values(&["timeout"]).inc();
                        tracing::debug!("TLS handshake not finished in time");
                    }
                }
            }
        }
        gauge.dec();
    }

    async fn http<S>(self, stream: S, protocol: Protocol)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(stream);
        let ended = match protocol {
            Protocol::Http1 => {
                let clock = HeaderClock::new();
                let mut builder = http1::Builder::new();
                builder
                    .timer(clock.clone())
                    .header_read_timeout(self.limits.header)
                    .max_buf_size(MAX_HEADER_BYTES)
                    .keep_alive(true);
                let connection = builder.serve_connection(stream, self.endpoints);
                tokio::select! {
                    biased;
                    never = clock.ring(self.limits.header) => match never {},
                    // Connections end by themselves after their next response; see `handlers`.
                    ended = until_left(connection, self.watch, Stage::Closed, LAST_REQUEST) => ended,
                }
            }
            Protocol::Http2 => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(self.limits.http2_streams)
                    .max_header_list_size(MAX_HEADER_BYTES as u32)
                    .keep_alive_interval(HTTP2_PING_EVERY)
                    .keep_alive_timeout(HTTP2_PING_TIMEOUT);
                let leave_at = match self.watch.stage() {
                    // HTTP/2 can say "no new requests" without losing any.
                    Stage::Serving => Stage::Leaving,
                    // A connection made while leaving has nowhere better to go yet.
                    _ => Stage::Closed,
                };
                let connection = builder.serve_connection(stream, self.endpoints);
                until_left(connection, self.watch, leave_at, Duration::ZERO).await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Serves a connection to its end, which is brought near once the server has reached `stage` and had `patience`.
async fn until_left<C: GracefulConnection>(
    connection: C,
    mut watch: Watch,
    stage: Stage,
    patience: Duration,
) -> Result<(), C::Error> {
    tokio::pin!(connection);
    let leave = async {
        watch.reached(stage).await;
        tokio::time::sleep(patience).await;
    };
    tokio::select! {
        // First, so that a request that has arrived counts as one in progress.
        biased;
        ended = connection.as_mut() => ended,
        () = leave => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    }
}
