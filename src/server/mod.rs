//! The webhook: HTTPS endpoints, TLS and its reload, health, metrics, drain.
//!
//! Knows HTTP and the certificate's files; judges nothing itself. The data's way through here:
//! `listener` (TCP, TLS, HTTP) -> `handlers` (headers, body, deadline) -> `evaluate` (review, log, count).

mod activity;
mod body;
mod cgroup;
mod cluster_metrics;
mod confirm;
mod connections;
mod drain;
mod endpoints;
mod evaluate;
mod exemption_metrics;
mod go_duration;
mod handlers;
mod health;
mod limits;
mod listener;
mod load_metrics;
mod log_queue;
mod memory;
mod metrics;
mod refusal;
mod reload;
mod streams;
mod throttle;
mod tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::cluster::Cluster;
use crate::engine::{Mode, Namespaces};
use crate::json;

use connections::Connections;
use drain::Drain;
use endpoints::Endpoints;
use evaluate::Evaluator;
pub use go_duration::parse as parse_duration;
use handlers::Webhook;
use health::{Caches, Health};
pub use limits::{ConnectionLimits, RequestLimits};
use listener::Listener;
pub use log_queue::LogQueue;
use memory::Memory;
use metrics::Metrics;
use reload::Policies;
pub use reload::{Compiled, Declared, FileError, InputFile, PolicySource, Role};
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
    /// What the process may take, in bytes; `None` for what its control group allows, or 1 GiB.
    pub memory_limit: Option<u64>,
    /// How deep a document may be nested.
    pub document: json::Limits,
    /// How often certificate and policy files are looked at.
    pub reload_every: Duration,
    /// From the signal to closing the listener.
    pub drain_delay: Duration,
    /// From closing the listener to giving up on requests in progress.
    pub drain_timeout: Duration,
    /// Where log lines go.
    pub log: LogQueue,
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
    /// The memory limit leaves nothing for requests.
    #[error(transparent)]
    Memory(#[from] memory::TooLittle),
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

/// Serves until SIGTERM or SIGINT and the drain that follows; a second signal ends it at once. SIGHUP has the files
/// looked at; SIGUSR1 and SIGUSR2 do nothing.
///
/// # Errors
/// The server can't start. Once it runs, nothing ends it but a signal.
pub fn run(settings: Settings) -> Result<(), Error> {
    let no_threads = |error| Error::System { what: "can't start threads", error };
    let runtime =
        Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build().map_err(no_threads)?;
    // A thread of its own answers probes, whatever the others are busy with.
    let admin = Builder::new_multi_thread().enable_all().worker_threads(1).thread_name("admin").build();
    let admin = admin.map_err(no_threads)?;
    let served = runtime.block_on(serve(settings, admin.handle()));
    // Connections that outlived the drain's patience are not waited for.
    runtime.shutdown_background();
    admin.shutdown_background();
    served
}

async fn serve(settings: Settings, admin_runtime: &Handle) -> Result<(), Error> {
    // Before anything else, so that a signal during the start is not lost.
    let (mut signals, asked) = Signals::new()?;
    let metrics = Arc::new(Metrics::new()?);
    metrics.register(settings.log.dropped())?;
    let (drain, watch) = Drain::new();
    let memory = settings.memory_limit.or_else(cgroup::memory_limit).unwrap_or(limits::DEFAULT_MEMORY_BYTES);
    let memory = Memory::new(memory, &settings.connection, settings.request.body_bytes)?;
    metrics.load.watch(memory.clone());
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
        memory,
        watch.clone(),
    );
    let bind = async |runtime: &Handle, address, tls, endpoints| {
        let listener = Listener::bind(address, tls, endpoints, settings.connection, Arc::clone(&metrics));
        // A socket belongs to the threads that make it.
        let listener = runtime.spawn(listener).await.map_err(std::io::Error::other).flatten();
        let bound = listener.and_then(|listener| Ok((listener.address()?, listener)));
        bound.map_err(|error| Error::Listen { address, error })
    };
    let health = Arc::new(Health {
        policies: Arc::clone(&policies),
        tls: Arc::clone(&tls),
        metrics: Arc::clone(&metrics),
        watch: watch.clone(),
        mode: settings.mode,
        cluster: cluster.map(Caches::new),
    });
    let endpoints = Endpoints::Webhook(Arc::new(webhook), health::webhook_router(Arc::clone(&health)));
    let (address, listener) = bind(&Handle::current(), settings.listen, Some(tls.config()), endpoints).await?;
    let (admin_address, admin) =
        bind(admin_runtime, settings.admin_listen, None, Endpoints::Admin(health::router(health))).await?;
    tracing::info!(address = %admin_address, "admin port is listening");
    admin_runtime.spawn(admin.run(watch.clone()));
    tokio::spawn(keep_current(policies, tls, Arc::clone(&metrics), settings.reload_every, asked));
    let connections = listener.connections();
    let mut accepting = tokio::spawn(listener.run(watch));
    tracing::info!(%address, mode = mode_label(settings.mode), "webhook is listening");

    let signal = signals.next().await;
    tracing::info!(signal, delay = ?settings.drain_delay, "draining; another signal ends the process at once");
    tokio::select! {
        () = finish(&drain, &mut accepting, &connections, settings.drain_delay, settings.drain_timeout) => {}
        signal = signals.next() => tracing::warn!(signal, "ended without waiting for requests in progress"),
    }
    accepting.abort();
    Ok(())
}

async fn finish(
    drain: &Drain,
    accepting: &mut JoinHandle<()>,
    connections: &Connections,
    delay: Duration,
    patience: Duration,
) {
    drain.run(delay).await;
    let drained = async {
        // First, because it still takes connections from the backlog: without them, that none is open means
        // nothing.
        if let Err(error) = accepting.await {
            tracing::error!(%error, "accepting connections panicked");
        }
        connections.all_ended().await;
    };
    if tokio::time::timeout(patience, drained).await.is_err() {
        tracing::warn!(connections = connections.count(), "connections were still open when the drain timed out");
    } else {
        tracing::info!("drained");
    }
}

/// Looks at the files again and again, and at once when asked to. Reading and compiling block, so they have a thread of
/// their own.
async fn keep_current(
    policies: Arc<Policies>,
    tls: Arc<Tls>,
    metrics: Arc<Metrics>,
    every: Duration,
    mut asked: Signal,
) {
    loop {
        let is_asked = tokio::select! {
            () = tokio::time::sleep(every) => false,
            _ = asked.recv() => true,
        };
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
        if is_asked {
            tracing::info!(signal = "SIGHUP", "looked at certificate and policy files");
        }
    }
}

/// The signals that end a server.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes over every signal that would end the process by default and means something else; beside those that end
    /// it, returns the one that asks for a look at the files.
    fn new() -> Result<(Self, Signal), Error> {
        let listen = |kind| signal(kind).map_err(|error| Error::System { what: "can't listen for signals", error });
        // They say nothing to a server. Once taken over, a signal stays so without anybody who listens.
        drop(listen(SignalKind::user_defined1())?);
        drop(listen(SignalKind::user_defined2())?);
        let ends = Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? };
        Ok((ends, listen(SignalKind::hangup())?))
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
