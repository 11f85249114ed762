//! `portcullis serve`: the webhook.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::cluster::{Cluster, Connection};
use crate::engine::Mode;
use crate::json;
use crate::server::{self, ConnectionLimits, Identity, LogQueue, RequestLimits, Settings};

use super::load::DefinitionFlags;
use super::logging::LogFlags;
use super::policy_files::PolicyFiles;
use super::{Outcome, PolicyFlags, namespaces};

/// Answers the API server's admission requests
///
/// POST /validate and /mutate speak admission.k8s.io/v1 over HTTPS; the admin port has /healthz, /readyz and /metrics
/// over HTTP. Namespaces, params and CustomResourceDefinitions come from the cluster, which also answers authorization
/// checks; with --offline they come from files. Where both say something, the cluster's counts. Certificates and policies
/// are used anew when their files change; a file with an error never replaces what it said before.
///
/// A policy or binding that is gone from its files stays in force, as an error in the log, in /readyz and in the metrics,
/// until a second look finds the same: a file that can be parsed and still declares something, or a file deleted beside
/// others. The swap of a mounted ConfigMap counts at once. A file that is emptied, replaced by a folder or a FIFO, or that
/// a flag names and that is missing, never counts. Exemptions end with their file. A certificate out of its time never
/// replaces one that is valid.
///
/// Exemptions come from --exemptions, and from ConfigMaps in the own namespace with the label portcullis.dev/exemptions:
/// "true", each key of which holds what such a file does.
///
/// SIGTERM drains. SIGHUP looks at the files at once. Log lines that can't be written are dropped, and counted in
/// portcullis_log_lines_dropped_total.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis serve --offline --tls-self-signed             try it on this machine
  portcullis serve --kubeconfig ~/.kube/config --tls-self-signed --mode warn
  portcullis serve --offline --tls-cert tls.crt --tls-key tls.key --mode enforce
  portcullis serve --offline --tls-self-signed --no-embedded --policies mine/

  curl -sk https://localhost:8443/validate --json @review.json")]
pub struct Args {
    /// Where the webhook listens; port 0 lets the system choose one, which the log names
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,

    /// Where /healthz, /readyz and /metrics are served, over plain HTTP
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    admin_listen: SocketAddr,

    /// How far bindings may act: audit denies and changes nothing, and warns only of what bindings say Warn to; warn turns
    /// denials into warnings, too
    #[arg(long, value_enum, default_value_t = ModeFlag::Audit)]
    mode: ModeFlag,

    /// The cluster to serve; without it what KUBECONFIG names, ~/.kube/config, or the service account of the pod that
    /// this runs in
    #[arg(long, value_name = "FILE", conflicts_with = "offline")]
    kubeconfig: Option<PathBuf>,

    /// Works without a cluster: namespaces, params and definitions come from files, and authorization checks are errors
    #[arg(long)]
    offline: bool,

    /// Namespace objects, whose labels selectors look at (repeatable)
    #[arg(long = "namespaces", value_name = "FILE", requires = "offline")]
    namespaces: Vec<PathBuf>,

    #[command(flatten)]
    policies: PolicyFlags,

    #[command(flatten)]
    definitions: DefinitionFlags,

    /// Serves without policies, with policies that no binding names, and without what the last file of a directory
    /// declared; otherwise they keep a starting server from being ready, and a running one from forgetting them
    #[arg(long, help_heading = "Policies")]
    allow_empty: bool,

    #[command(flatten)]
    tls: TlsFlags,

    #[command(flatten)]
    limits: LimitFlags,

    #[command(flatten)]
    lifecycle: LifecycleFlags,

    #[command(flatten)]
    log: LogFlags,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
struct TlsFlags {
    /// The serving certificate in PEM, with its intermediates
    #[arg(long, value_name = "FILE", requires = "tls_key", required_unless_present = "tls_self_signed")]
    tls_cert: Option<PathBuf>,

    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Makes a certificate at start
    #[arg(long, conflicts_with_all = ["tls_cert", "tls_key"])]
    tls_self_signed: bool,

    /// A name or address that the self-signed certificate is valid for (repeatable)
    #[arg(
        long = "tls-san",
        value_name = "NAME",
        requires = "tls_self_signed",
        default_values = ["localhost", "127.0.0.1", "::1", "portcullis.portcullis-system.svc"]
    )]
    tls_sans: Vec<String>,

    /// Writes the self-signed certificate here, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls_self_signed")]
    tls_write_ca: Option<PathBuf>,

    /// Asks clients for a certificate from this CA (PEM)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitFlags {
    /// The largest request body, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 8 * 1024 * 1024, value_parser = at_least_one())]
    max_body_bytes: u64,

    /// How many arrays and objects may be nested in each other in a request
    #[arg(long, value_name = "N", default_value_t = json::DEFAULT_MAX_DEPTH as u64,
          value_parser = clap::value_parser!(u64).range(1..=json::DEFAULT_MAX_DEPTH as u64))]
    max_depth: u64,

    /// What the process may take, in bytes: bodies, documents and evaluations share what its base and its connections
    /// leave, and a request that doesn't fit waits until its deadline and is then answered with 503. Without it, what the
    /// control group of the process (its container) allows, or else 1 GiB
    #[arg(long, value_name = "BYTES", value_parser = at_least_one())]
    memory_limit: Option<u64>,

    /// Evaluations at once; a request whose body is there waits until its deadline and is then answered with 429
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_concurrent_requests: u32,

    /// Connections at once on each port; for one more, the address with the most gives up the one idle longest
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: u32,

    /// The same for connections from one address, of IPv6 one network of 64 bits
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..))]
    max_connections_per_peer: u32,

    /// Requests in progress on one HTTP/2 connection
    #[arg(long, value_name = "N", default_value_t = 250, value_parser = clap::value_parser!(u32).range(1..))]
    max_http2_streams: u32,

    /// For a TLS handshake
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    handshake_timeout: Duration,

    /// For an HTTP/1.1 request's header, from its first byte
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    header_timeout: Duration,

    /// For a connection without a request in progress
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = duration)]
    idle_timeout: Duration,

    /// For a client that takes nothing of its answer
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    write_timeout: Duration,

    /// For an HTTP/2 request, from its header to the end of its answer
    #[arg(long, value_name = "DURATION", default_value = "45s", value_parser = duration)]
    http2_stream_timeout: Duration,

    /// For a request's body
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    body_timeout: Duration,

    /// For an answer, where the request names no timeout
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    request_timeout: Duration,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lifecycle")]
struct LifecycleFlags {
    /// How often certificate and policy files are looked at
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    reload_interval: Duration,

    /// After SIGTERM, how long to go on accepting while Kubernetes takes this replica out of its Service
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    drain_delay: Duration,

    /// After that, how long to wait for requests in progress
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    drain_timeout: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum ModeFlag {
    Audit,
    Warn,
    Enforce,
}

/// Runs the command.
///
/// # Errors
/// The flags don't go together, a file that is needed at the start can't be used, or an address can't be bound.
pub fn run(args: Args) -> anyhow::Result<Outcome> {
    let log = args.log.start()?;
    let served = serve(args, log.clone());
    log.flush();
    served.map(|()| Outcome::Clean)
}

fn serve(args: Args, log: LogQueue) -> anyhow::Result<()> {
    let namespaces = namespaces::read(&args.namespaces)?;
    let cluster = match args.offline {
        true => None,
        false => Some(Cluster::start(&Connection { kubeconfig: args.kubeconfig })?),
    };
    server::run(Settings {
        listen: args.listen,
        admin_listen: args.admin_listen,
        identity: args.tls.identity(),
        client_ca: args.tls.client_ca,
        mode: match args.mode {
            ModeFlag::Audit => Mode::Audit,
            ModeFlag::Warn => Mode::Warn,
            ModeFlag::Enforce => Mode::Enforce,
        },
        policies: Box::new(PolicyFiles::new(args.policies, args.definitions, args.allow_empty)),
        namespaces: Arc::new(namespaces),
        cluster,
        connection: ConnectionLimits {
            connections: args.limits.max_connections,
            handshake: args.limits.handshake_timeout,
            per_peer: args.limits.max_connections_per_peer,
            header: args.limits.header_timeout,
            idle: args.limits.idle_timeout,
            write: args.limits.write_timeout,
            http2_streams: args.limits.max_http2_streams,
            http2_stream: args.limits.http2_stream_timeout,
        },
        request: RequestLimits {
            body_bytes: usize::try_from(args.limits.max_body_bytes)?,
            body_timeout: args.limits.body_timeout,
            concurrent: args.limits.max_concurrent_requests as usize,
            timeout: args.limits.request_timeout,
        },
        memory_limit: args.limits.memory_limit,
        document: json::Limits { max_depth: usize::try_from(args.limits.max_depth)? },
        // Nothing changes faster than this, and an interval of zero would be a busy loop.
        reload_every: args.lifecycle.reload_interval.max(Duration::from_millis(10)),
        drain_delay: args.lifecycle.drain_delay,
        drain_timeout: args.lifecycle.drain_timeout,
        log,
    })?;
    Ok(())
}

impl TlsFlags {
    fn identity(&self) -> Identity {
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Identity::Files { certificate: certificate.clone(), key: key.clone() },
            _ => Identity::SelfSigned { names: self.tls_sans.clone(), write_to: self.tls_write_ca.clone() },
        }
    }
}

fn at_least_one() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..)
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    server::parse_duration(text)
}
