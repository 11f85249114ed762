//! The webhook: HTTPS endpoints, TLS and its reload, health, metrics, drain.
//!
//! Knows HTTP and the certificate's files; judges nothing itself. The data's way through here:
//! `listener` (TCP, TLS, HTTP) -> `handlers` (headers, body, deadline) -> `evaluate` (review, log, count).

mod cluster_metrics;
mod drain;
mod endpoints;
mod evaluate;
mod go_duration;
mod handlers;
mod header_clock;
mod health;
mod listener;
mod metrics;
mod refusal;
mod reload;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::engine::{Mode, Namespaces};
use crate::json;

use drain::{Drain, Slots};
use endpoints::Endpoints;
use evaluate::Evaluator;
pub use go_duration::parse as parse_duration;
pub use handlers::RequestLimits;
use handlers::Webhook;
use health::{Caches, Health};
pub use listener::ConnectionLimits;
use listener::Listener;
use metrics::Metrics;
use reload::Policies;
pub use reload::{Compiled, FileError, InputFile, PolicySource, Role};
pub use tls::Identity;
use tls::Tls;

/// Everything that a server is told.
#[derive(Debug)]
pub struct Settings {
    /// Where the webhook listens.
    pub listen: SocketAddr,
    /// Where health and metrics are served.
    pub admin_listen: SocketAddr,
    /// The serving certificate.
    pub identity: Identity,
    /// The CA that client certificates must come from; `None` asks for none.
    pub client_ca: Option<PathBuf>,
    /// How far bindings may act.
    pub mode: Mode,
    /// Where policies come from.
    pub policies: Box<dyn PolicySource>,
    /// Namespaces by name, where there is no cluster.
    pub namespaces: Arc<dyn Namespaces + Send + Sync>,
    /// The cluster to serve; `None` works without.
    pub cluster: Option<Cluster>,
    /// What a connection may cost.
    pub connection: ConnectionLimits,
    /// What a request may cost.
    pub request: RequestLimits,
    /// How deep a document may be nested.
    pub document: json::Limits,
    /// How often certificate and policy files are looked at.
    pub reload_every: Duration,
    /// From the signal to closing the listener.
    pub drain_delay: Duration,
    /// From closing the listener to giving up on requests in progress.
    pub drain_timeout: Duration,
}

/// Why a server didn't start, or couldn't go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// An address can't be listened on.
    #[error("can't listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        error: std::io::Error,
    },
    /// The system refuses something that every server needs.
    #[error("{what}: {error}")]
    System {
        /// What was asked for.
        what: &'static str,
        /// The system's error.
        error: std::io::Error,
    },
    /// Metrics can't be registered.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The word for a mode in flags, logs and health detail.
pub fn mode_label(mode: Mode) -> &'static str {
    match mode {
        Mode::Audit => "audit",
        Mode::Warn => "warn",
        Mode::Enforce => "enforce",
    }
}

/// Evaluation is recursive where expressions are; debug builds need the most.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Serves until SIGTERM or SIGINT and the drain that follows; a second signal ends it at once.
///
/// # Errors
/// The server can't start. Once it runs, nothing ends it but a signal.
pub fn run(settings: Settings) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .map_err(|error| Error::System { what: "can't start threads", error })?;
    let served = runtime.block_on(serve(settings));
    // Connections that outlived the drain's patience are not waited for.
    runtime.shutdown_background();
    served
}

async fn serve(settings: Settings) -> Result<(), Error> {
    // Before anything else, so that a signal during the start is not lost.
    let mut signals = Signals::new()?;
    let metrics = Arc::new(Metrics::new()?);
    let (drain, watch) = Drain::new();
    let tls = Arc::new(Tls::new(&settings.identity, settings.client_ca)?);
    tls.publish(&metrics);
    let cluster = settings.cluster.map(Arc::new);
    let policies = Arc::new(Policies::load(settings.policies, cluster.clone(), &metrics));
    let webhook = Webhook::new(
        Evaluator {
            policies: Arc::clone(&policies),
            mode: settings.mode,
            namespaces: settings.namespaces,
            cluster: cluster.clone(),
            document: settings.document,
            metrics: Arc::clone(&metrics),
        },
        settings.request,
        watch.clone(),
    );
    let bind = async |address, tls, endpoints| {
        let listener = Listener::bind(address, tls, endpoints, settings.connection, Arc::clone(&metrics)).await;
        let bound = listener.and_then(|listener| Ok((listener.address()?, listener)));
        bound.map_err(|error| Error::Listen { address, error })
    };
    let (address, listener) = bind(settings.listen, Some(tls.config()), Endpoints::Webhook(Arc::new(webhook))).await?;
    let health = Health {
        policies: Arc::clone(&policies),
        tls: Arc::clone(&tls),
        metrics: Arc::clone(&metrics),
        watch: watch.clone(),
        mode: settings.mode,
        cluster: cluster.map(Caches::new),
    };
    let (admin_address, admin) =
        bind(settings.admin_listen, None, Endpoints::Admin(health::router(Arc::new(health)))).await?;
    tracing::info!(address = %admin_address, "admin port is listening");
    tokio::spawn(admin.run(watch.clone()));
    tokio::spawn(keep_current(policies, tls, Arc::clone(&metrics), settings.reload_every));
    let slots = listener.slots();
    let mut accepting = tokio::spawn(listener.run(watch));
    tracing::info!(%address, mode = mode_label(settings.mode), "webhook is listening");

    let signal = signals.next().await;
    tracing::info!(signal, delay = ?settings.drain_delay, "draining; another signal ends the process at once");
    tokio::select! {
        () = finish(&drain, &mut accepting, &slots, settings.drain_delay, settings.drain_timeout) => {}
        signal = signals.next() => tracing::warn!(signal, "ended without waiting for requests in progress"),
    }
    accepting.abort();
    Ok(())
}

async fn finish(drain: &Drain, accepting: &mut JoinHandle<()>, slots: &Slots, delay: Duration, patience: Duration) {
    drain.run(delay).await;
    let drained = async {
        // First, because it still takes connections from the backlog: without them, slots that are all free mean
        // nothing.
        if let Err(error) = accepting.await {
            tracing::error!(%error, "accepting connections panicked");
        }
        slots.all_free().await;
    };
    if tokio::time::timeout(patience, drained).await.is_err() {
        tracing::warn!(connections = slots.taken(), "connections were still open when the drain timed out");
    } else {
        tracing::info!("drained");
    }
}

/// Looks at the files again and again. Reading and compiling block, so they have a thread of their own.
async fn keep_current(policies: Arc<Policies>, tls: Arc<Tls>, metrics: Arc<Metrics>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let (policies, tls, metrics) = (Arc::clone(&policies), Arc::clone(&tls), Arc::clone(&metrics));
        let looked = tokio::task::spawn_blocking(move || {
            if tls.reloads() {
                tls.refresh(&metrics);
            }
            policies.refresh(&metrics);
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "reloading panicked; what was in use stays in use");
        }
    }
}

/// The signals that end a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::System { what: "can't listen for signals", error });
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
