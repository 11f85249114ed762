//! Accepts connections, takes them through TLS and HTTP, and holds each to its limits: how long a handshake, a header or
//! an idle time may be, how much an HTTP/2 peer may open, and that answers are read.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, Cut, Noted};
use super::connections::{Connected, Connections};
use super::drain::{LAST_REQUEST, Stage, Watch};
use super::endpoints::{Endpoints, Served};
use super::limits::{
    BACKLOG, ConnectionLimits, HEADER_BYTES, HTTP2_CONNECTION_WINDOW, HTTP2_PING_EVERY, HTTP2_PING_TIMEOUT,
    HTTP2_STREAM_WINDOW,
};
use super::metrics::Metrics;
use super::streams::Streams;
use super::throttle::Throttle;

/// Without file descriptors, accepting fails again and again.
static CANNOT_ACCEPT: Throttle = Throttle::new(Duration::from_secs(1));

/// One listening socket and what is served on it.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    tls: Option<Arc<ArcSwap<ServerConfig>>>,
    endpoints: Endpoints,
    limits: ConnectionLimits,
    connections: Connections,
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
        Ok(Self { socket, tls, endpoints, limits, connections: Connections::new(limits), metrics })
    }

    /// The address that was bound, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The system doesn't say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The connections of this listener.
    pub fn connections(&self) -> Connections {
        self.connections.clone()
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
                Some((stream, peer)) => self.admit(stream, peer, &watch).await,
                // Out of file descriptors, mostly: give connections time to end.
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        // A connection that the kernel has completed belongs to a client that believes in us.
        let end = Instant::now() + BACKLOG;
        while let Ok(Some((stream, peer))) = tokio::time::timeout_at(end, self.accept()).await {
            if tokio::time::timeout_at(end, self.admit(stream, peer, &watch)).await.is_err() {
                break;
            }
        }
    }

    async fn accept(&self) -> Option<(TcpStream, IpAddr)> {
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer.ip())),
            Err(error) => {
                if let Some(held_back) = CANNOT_ACCEPT.admit(std::time::Instant::now()) {
                    tracing::warn!(%error, held_back, "can't accept a connection");
                }
                None
            }
        }
    }

    /// Serves a connection once there is room for it. Others wait behind it, as it would behind them.
    async fn admit(&self, stream: TcpStream, peer: IpAddr, watch: &Watch) {
        match self.connections.admit(peer).await {
            Some(connected) => self.serve(stream, connected, watch),
            None => self.metrics.load.refused_connection(),
        }
    }

    fn serve(&self, stream: TcpStream, connected: Connected, watch: &Watch) {
        let tls = self.tls.as_ref().map(|config| TlsAcceptor::from(config.load_full()));
        let connection = Connection {
            endpoints: self.endpoints.clone(),
            limits: self.limits,
            metrics: Arc::clone(&self.metrics),
            watch: watch.clone(),
            activity: Arc::clone(&connected.activity),
        };
        tokio::spawn(async move {
            connection.run(stream, tls).await;
            drop(connected);
        });
    }
}

/// What the task of one connection needs.
struct Connection {
    endpoints: Endpoints,
    limits: ConnectionLimits,
    metrics: Arc<Metrics>,
    watch: Watch,
    activity: Arc<Activity>,
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
                let handshake = tokio::time::timeout(self.limits.handshake, acceptor.accept(buffered(stream)));
                let failed = tokio::select! {
                    outcome = handshake => match outcome {
                        Ok(Ok(stream)) => {
                            let protocol = match stream.get_ref().1.alpn_protocol() {
                                Some(b"h2") => Protocol::Http2,
                                _ => Protocol::Http1,
                            };
                            self.http(stream, protocol).await;
                            None
                        }
                        Ok(Err(error)) => {
                            tracing::debug!(%error, "TLS handshake failed");
                            Some("failed")
                        }
                        Err(_) => Some("timeout"),
                    },
                    () = self.evicted() => Some("evicted"),
                };
                if let Some(reason) = failed {
                    self.metrics.handshake_failures.with_label_values(&[reason]).inc();
                    tracing::debug!(reason, "TLS handshake not finished");
                }
            }
        }
        gauge.dec();
    }

    /// Serves HTTP on `stream` until it ends or costs too much.
    async fn http<S>(&self, stream: S, protocol: Protocol)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stream = TokioIo::new(Noted::new(stream, Arc::clone(&self.activity)));
        let served = Served::new(self.endpoints.clone(), Arc::clone(&self.activity));
        let ended = match protocol {
            Protocol::Http1 => {
                let mut builder = http1::Builder::new();
                builder.max_buf_size(HEADER_BYTES).keep_alive(true);
                let connection = builder.serve_connection(stream, served);
                // Connections end by themselves after their next response; see `handlers`.
                self.until_left(connection, protocol, Stage::Closed, LAST_REQUEST).await
            }
            Protocol::Http2 => {
                let mut builder =
                    http2::Builder::new(Streams::new(Arc::clone(&self.metrics), self.limits.http2_stream));
                builder
                    .timer(TokioTimer::new())
                    .max_concurrent_streams(self.limits.http2_streams)
                    .max_header_list_size(HEADER_BYTES as u32)
                    .initial_stream_window_size(HTTP2_STREAM_WINDOW)
                    .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
                    .keep_alive_interval(HTTP2_PING_EVERY)
                    .keep_alive_timeout(HTTP2_PING_TIMEOUT);
                let leave_at = match self.watch.stage() {
                    // HTTP/2 can say "no new requests" without losing any.
                    Stage::Serving => Stage::Leaving,
                    // A connection made while leaving has nowhere better to go yet.
                    _ => Stage::Closed,
                };
                let connection = builder.serve_connection(stream, served);
                self.until_left(connection, protocol, leave_at, Duration::ZERO).await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    }

    /// Serves a connection to its end, which is brought near once the server has reached `stage` and had `patience`, and
    /// is at once when a limit is reached.
    async fn until_left<C: GracefulConnection>(
        &self,
        connection: C,
        protocol: Protocol,
        stage: Stage,
        patience: Duration,
    ) -> Result<(), C::Error> {
        tokio::pin!(connection);
        let mut watch = self.watch.clone();
        let leave = async {
            watch.reached(stage).await;
            tokio::time::sleep(patience).await;
        };
        let cut = self.activity.cut(&self.limits, protocol == Protocol::Http1);
        tokio::pin!(cut);
        let reason = tokio::select! {
            // First, so that a request that has arrived counts as one in progress.
            biased;
            ended = connection.as_mut() => return ended,
            reason = cut.as_mut() => reason,
            () = leave => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => return ended,
                    reason = cut.as_mut() => reason,
                }
            }
        };
        self.metrics.load.cut_connection(reason);
        tracing::debug!(reason = reason.label(), "connection closed");
        if matches!(reason, Cut::Idle | Cut::Evicted) {
            // An HTTP/2 peer is told, as far as it can be told without waiting, that nothing was done with what it may
            // be about to send.
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(Duration::ZERO, connection).await;
        }
        Ok(())
    }

    /// Waits until the connection has to make room before it speaks HTTP.
    async fn evicted(&self) {
        self.activity.evicted().await;
        self.metrics.load.cut_connection(Cut::Evicted);
    }
}
