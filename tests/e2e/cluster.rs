//! The real API server that all tests of this binary share, and requests to it as plain JSON.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::{HeaderMap, Method, StatusCode};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::runtime::Runtime;

/// How long anything may take that a test waits for; far more than it does.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The API server, started when the first test asks for it. It ends with this process, whose end closes its standard
/// input.
pub static CLUSTER: LazyLock<Cluster> = LazyLock::new(Cluster::start);

/// A running API server and a client of it.
pub struct Cluster {
    /// Names the server and its administrator.
    pub kubeconfig: PathBuf,
    /// Where the API server writes its audit events, one JSON object a line; a cluster of the user's has none for us.
    pub audit_log: Option<PathBuf>,
    /// What sends requests.
    pub client: kube::Client,
    runtime: Runtime,
    _process: Option<Process>,
    _directory: tempfile::TempDir,
}

struct Process {
    _child: Child,
    _stdin: ChildStdin,
}

/// What the API server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Cluster {
    /// Starts an API server of its own, or takes the user's cluster.
    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// The same with further flags of kube-apiserver itself.
    pub fn with_server_flags(flags: &[&str]) -> Self {
        Self::start_with(&[], flags)
    }

    /// The same with the controllers that a cluster has: workloads make pods, though nothing runs them.
    pub fn with_controllers() -> Self {
        Self::start_with(&["--controllers"], &[])
    }

    fn start_with(flags: &[&str], server_flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (kubeconfig, audit_log, process) = match std::env::var_os("KUBECONFIG") {
            Some(file) => (PathBuf::from(file), None, None),
            None => {
                let (kubeconfig, audit_log) = (directory.path().join("kubeconfig"), directory.path().join("audit.log"));
                let process = Process::start(&kubeconfig, &audit_log, flags, server_flags);
                (kubeconfig, Some(audit_log), Some(process))
            }
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let client = runtime.block_on(client(&kubeconfig));
        Self { kubeconfig, audit_log, client, runtime, _process: process, _directory: directory }
    }

    /// Runs a future where the client's connections live.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Sends one request, with a body in JSON unless it is null.
    pub async fn request(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(method, path, "application/json", body).await
    }

    /// Creates or updates an object by server-side apply; what the API server refuses fails the test.
    pub async fn apply(&self, path: &str, object: &Value) -> Value {
        let path = format!("{path}?fieldManager=e2e&force=true");
        let answer = self.send(Method::PATCH, &path, "application/apply-patch+yaml", object).await;
        assert!(answer.status.is_success(), "PATCH {path}: {answer:#?}");
        answer.body
    }

    /// Sends one request with a body of another type.
    pub async fn send(&self, method: Method, path: &str, content_type: &str, body: &Value) -> Answer {
        let bytes = if body.is_null() { Vec::new() } else { serde_json::to_vec(body).unwrap() };
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(Body::from(bytes))
            .unwrap();
        self.exchange(request).await.expect("the API server answers")
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// The connection ends without an answer: the API server panicked.
    pub async fn exchange(&self, request: hyper::Request<Body>) -> Result<Answer, kube::Error> {
        let (head, body) = self.client.send(request).await?.into_parts();
        let bytes = body.collect().await.expect("a whole answer").to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// Asks again and again until `done` says so.
    pub async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !done().await {
            assert!(started.elapsed() < PATIENCE, "{what} didn't happen");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Answer {
    /// The texts of the answer's warnings, in order.
    pub fn warnings(&self) -> Vec<String> {
        // 299 - "text", where quotes and backslashes in the text are escaped (RFC 9110, field `Warning` of RFC 7234).
        let text = |value: &hyper::header::HeaderValue| {
            let value = std::str::from_utf8(value.as_bytes()).unwrap();
            let quoted = value.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"')).unwrap();
            quoted.replace("\\\"", "\"").replace("\\\\", "\\")
        };
        self.headers.get_all("warning").iter().map(text).collect()
    }
}

impl Process {
    fn start(kubeconfig: &Path, audit_log: &Path, flags: &[&str], server_flags: &[&str]) -> Self {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/controlplane");
        let policy = audit_log.with_extension("policy.yaml");
        std::fs::write(
            &policy,
            "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: [RequestReceived]\nrules: [{level: Metadata}]\n",
        )
        .unwrap();
        let mut child = Command::new(&program)
            .arg("--kubeconfig")
            .arg(kubeconfig)
            .args(flags)
            .arg("--")
            .arg(format!("--audit-log-path={}", audit_log.display()))
            .arg(format!("--audit-policy-file={}", policy.display()))
            .arg("--audit-log-mode=blocking")
            .args(server_flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}: run tests/controlplane/build.sh", program.display()));
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert!(ready.starts_with("ready "), "the API server didn't start: {ready:?}");
        let stdin = child.stdin.take().unwrap();
        Self { _child: child, _stdin: stdin }
    }
}

async fn client(kubeconfig: &Path) -> kube::Client {
    let kubeconfig = Kubeconfig::read_from(kubeconfig).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    kube::Client::try_from(config).unwrap()
}
