//! Starts the binary on a port of the system's choosing and talks to it as the API server would.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long anything may take that a test waits for; far more than it does.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Refuses objects with the label `verdict: deny`, with all three actions on what it refuses.
pub const LABEL_POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-deny-label}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps]}
  validations:
  - expression: "!has(object.metadata.labels) || !('verdict' in object.metadata.labels) || object.metadata.labels.verdict != 'deny'"
    message: the label verdict must not be deny
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: everywhere}
spec: {policyName: no-deny-label, validationActions: [Deny, Audit]}
"#;

/// Labels every ConfigMap that isn't labelled yet.
pub const MUTATING_POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: add-label}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  matchConditions:
  - {name: unlabelled, expression: "!has(object.metadata.labels)"}
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: "[JSONPatch{op: 'add', path: '/metadata/labels', value: {'seen': 'yes'}}]"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: add-label}
spec: {policyName: add-label}
"#;

/// A running server; ends with the value.
pub struct Server {
    child: Child,
    /// Where the webhook listens.
    pub address: String,
    /// Where health and metrics are served.
    pub admin: String,
    /// A directory of this server's own: `policies/`, `ca.crt`.
    pub directory: tempfile::TempDir,
    log: Arc<Mutex<Vec<Value>>>,
}

/// The flags that select the policies of a first look, unless `flags` select others: what a test expects doesn't change
/// with the bundle.
pub fn first_look(flags: &[&str]) -> &'static [&'static str] {
    let selects = |flag: &&str| ["--profile", "--no-embedded"].contains(flag);
    if flags.iter().any(selects) {
        return &[];
    }
    &["--profile", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first-look.yaml")]
}

impl Server {
    /// Starts a server with the policies of this module and a self-signed certificate.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, |directory| {
            std::fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
            std::fs::write(directory.join("policies/mutate.yaml"), MUTATING_POLICY).unwrap();
            let ca = directory.join("ca.crt");
            vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca.display().to_string()]
        })
    }

    /// Starts a server with the policies of a first look that the binary ships, or those that `flags` select. `cluster` says which it serves, or that it serves none.
    pub fn shipped(cluster: &[&str], flags: &[&str]) -> Self {
        Self::shipped_in(&[], cluster, flags)
    }

    /// The same, started by `launcher`, a command that is given the server's as its last arguments.
    pub fn shipped_in(launcher: &[&str], cluster: &[&str], flags: &[&str]) -> Self {
        let flags = [flags, first_look(flags)].concat();
        Self::spawn(launcher, cluster, &flags, |directory| {
            let ca = directory.join("ca.crt").display().to_string();
            vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
        })
    }

    /// Starts a server with the policies in its directory after `prepare` has filled that and said which further flags
    /// to give.
    pub fn start_with(flags: &[&str], prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::spawn(&[], &["--offline"], flags, |directory| {
            let policies = directory.join("policies");
            std::fs::create_dir(&policies).unwrap();
            let mut flags = prepare(directory);
            flags.extend(["--no-embedded".to_owned(), "--policies".to_owned(), policies.display().to_string()]);
            flags
        })
    }

    /// Starts a server with policies of the bundle after `prepare` has filled its directory and said which further flags
    /// to give.
    pub fn start_embedded(flags: &[&str], prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        Self::spawn(&[], &["--offline"], flags, |directory| {
            let mut flags = prepare(directory);
            let ca = directory.join("ca.crt").display().to_string();
            flags.extend(["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]);
            flags
        })
    }

    /// Starts a server with [`LABEL_POLICY`], which says a lot in its log, and writes that to `stderr`.
    pub fn unheard(flags: &[&str], stderr: Stdio) -> Self {
        // Both at once, so that they differ; nobody else gets them in the moment until the server does.
        let free = [(); 2].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let [address, admin] = free.map(|listener| listener.local_addr().unwrap().to_string());
        let directory = tempfile::tempdir().unwrap();
        let policies = directory.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        let message = format!("must not be deny{}", "!".repeat(4000));
        std::fs::write(policies.join("label.yaml"), LABEL_POLICY.replace("must not be deny", &message)).unwrap();
        let ca = directory.path().join("ca.crt");
        let child = command(&[], &address, &admin)
            .args(["--offline", "--no-embedded", "--tls-self-signed", "--tls-write-ca"])
            .args([&ca, Path::new("--policies"), &policies])
            .args(flags)
            .stderr(stderr)
            .spawn()
            .expect("the binary starts");
        let server = Self { child, address, admin, directory, log: Arc::default() };
        let started = Instant::now();
        while std::net::TcpStream::connect(&server.admin).is_err() {
            assert!(started.elapsed() < PATIENCE, "never listens");
            std::thread::sleep(Duration::from_millis(5));
        }
        server
    }

    fn spawn(launcher: &[&str], cluster: &[&str], flags: &[&str], prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let prepared = prepare(directory.path());
        let mut child = command(launcher, "127.0.0.1:0", "127.0.0.1:0")
            .args(cluster)
            .args(if flags.contains(&"--reload-interval") { &[][..] } else { &["--reload-interval", "50ms"] })
            .args(prepared)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // What isn't JSON is a usage error, which a test wants to see, too.
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({"message": line}));
                sink.lock().unwrap().push(event);
            }
        });
        let mut server = Self { child, address: String::new(), admin: String::new(), directory, log };
        let address = |event: Value| event["address"].as_str().expect("an address").to_owned();
        server.address = address(server.wait_for_log("webhook is listening"));
        server.admin = address(server.wait_for_log("admin port is listening"));
        server
    }

    /// The log so far.
    pub fn log(&self) -> Vec<Value> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for an event with `message`.
    pub fn wait_for_log(&mut self, message: &str) -> Value {
        let started = Instant::now();
        loop {
            if let Some(event) = self.log().into_iter().find(|event| event["message"] == message) {
                return event;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                std::thread::sleep(Duration::from_millis(100));
                panic!("the server ended with {status} before saying {message:?}: {:#?}", self.log());
            }
            assert!(started.elapsed() < PATIENCE, "never said {message:?}: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for an event with `message` of a server that has ended, whose last lines may still be on their way.
    pub fn wait_for_log_after_exit(&self, message: &str) {
        let started = Instant::now();
        while !self.log().iter().any(|event| event["message"] == message) {
            assert!(started.elapsed() < PATIENCE, "never said {message:?}: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// GETs a path of the webhook's port.
    pub async fn get(&self, path: &str) -> Reply {
        let stream = self.stream(self.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "localhost").body(Full::new(Bytes::new())).unwrap();
        Reply::of(sender.send_request(request).await.unwrap()).await.unwrap()
    }

    /// Sends a signal by name, `TERM` for example.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status();
        assert!(status.expect("kill runs").success());
    }

    /// Changes how many files the server may have open from now on.
    pub fn limit_open_files(&self, limit: u32) {
        let status =
            Command::new("prlimit").args([format!("--pid={}", self.child.id()), format!("--nofile={limit}:")]).status();
        assert!(status.expect("prlimit runs").success());
    }

    /// Waits for the process to end and returns its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(started.elapsed() < PATIENCE, "the server doesn't end: {:#?}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The certificate that clients trust.
    pub fn ca(&self) -> Vec<CertificateDer<'static>> {
        certificates(&self.directory.path().join("ca.crt"))
    }

    /// TLS settings that trust the server.
    pub fn tls(&self, versions: &[&'static SupportedProtocolVersion], alpn: &[&str]) -> ClientConfig {
        client_config(&self.ca(), versions, alpn, None)
    }

    /// A new HTTP/1.1 connection.
    pub async fn connect(&self) -> Client {
        Client::http1(self.stream(self.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap()).await
    }

    /// A new TLS connection.
    pub async fn stream(&self, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
        tls_stream(&self.address, config).await
    }

    /// Posts a body as JSON on a new connection.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.connect().await.post(path, "application/json", body).await.expect("an answer")
    }

    /// Posts a review and returns the response in the answer.
    pub async fn review(&self, path: &str, review: &Value) -> Value {
        let reply = self.post(path, review.to_string()).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let answer = reply.json();
        assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
        assert_eq!(answer["kind"], "AdmissionReview");
        assert_eq!(answer["response"]["uid"], review["request"]["uid"]);
        answer["response"].clone()
    }

    /// GETs a path of the admin port.
    pub async fn admin(&self, path: &str) -> Reply {
        let stream = TcpStream::connect(&self.admin).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(path).header("host", "admin").body(Full::new(Bytes::new())).unwrap();
        Reply::of(sender.send_request(request).await.unwrap()).await.unwrap()
    }

    /// The value of a series in the metrics, written as in the exposition format; 0 if there is none.
    pub async fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics").await.text();
        let value = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// Asks again and again until `done` says so.
    pub async fn until(&self, what: &str, done: impl AsyncFn() -> bool) {
        let started = Instant::now();
        while !done().await {
            assert!(started.elapsed() < PATIENCE, "{what} didn't happen: {:#?}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Has the server look at its files, so many times, and waits until it has made of them what it makes of them.
    pub async fn look(&self, times: usize) {
        let looked =
            || self.log().iter().filter(|event| event["message"] == "looked at certificate and policy files").count();
        for _ in 0..times {
            let before = looked();
            self.signal("HUP");
            self.until("a look", async || looked() > before).await;
        }
    }

    /// Proves that the server still does its work.
    pub async fn assert_alive(&self) {
        let response = self.review("/validate", &config_map("deny")).await;
        assert!(response["uid"].is_string());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(launcher: &[&str], address: &str, admin: &str) -> Command {
    let words = [launcher, &[env!("CARGO_BIN_EXE_portcullis")]].concat();
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .args(["serve", "--listen", address, "--admin-listen", admin])
        .args(["--log-format", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// An HTTP connection.
pub enum Client {
    /// HTTP/1.1
    Http1(http1::SendRequest<Full<Bytes>>),
    /// HTTP/2
    Http2(http2::SendRequest<Full<Bytes>>, tokio::task::JoinHandle<()>),
}

impl Client {
    /// Speaks HTTP/1.1 on `stream`.
    pub async fn http1(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    /// Speaks HTTP/2 on `stream`.
    pub async fn http2(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let serving = tokio::spawn(async { drop(connection.await) });
        Self::Http2(sender, serving)
    }

    /// Whether it is HTTP/2 and the connection is gone.
    pub fn is_gone(&self) -> bool {
        matches!(self, Client::Http2(_, serving) if serving.is_finished())
    }

    /// Posts a body.
    pub async fn post(&mut self, path: &str, content_type: &str, body: impl Into<Bytes>) -> hyper::Result<Reply> {
        let uri = match self {
            Client::Http1(_) => path.to_owned(),
            Client::Http2(..) => format!("https://localhost{path}"),
        };
        let request = Request::post(uri)
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(Full::new(body.into()))
            .unwrap();
        let response = match self {
            Client::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Client::Http2(sender, _) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        Reply::of(response).await
    }
}

/// A whole response.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// The headers.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    async fn of(response: hyper::Response<hyper::body::Incoming>) -> hyper::Result<Self> {
        let (head, body) = response.into_parts();
        Ok(Self { status: head.status, headers: head.headers, body: body.collect().await?.to_bytes() })
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A TLS connection to `address`.
pub async fn tls_stream(address: &str, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    tls_over(TcpStream::connect(address).await?, config).await
}

/// TLS over a connection that is there.
pub async fn tls_over(stream: TcpStream, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// TLS settings that trust `ca` and show `identity`.
pub fn client_config(
    ca: &[CertificateDer<'static>],
    versions: &[&'static SupportedProtocolVersion],
    alpn: &[&str],
    identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(ca.iter().cloned());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
    };
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    config
}

/// Makes a FIFO that nobody writes to.
pub fn fifo(file: &Path) {
    assert!(Command::new("mkfifo").arg(file).status().expect("mkfifo runs").success());
}

/// The certificates in a PEM file.
pub fn certificates(file: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap).collect()
}

/// A review of a new ConfigMap whose label `verdict` has the given value.
pub fn config_map(verdict: &str) -> Value {
    review(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": "shop", "labels": {"verdict": verdict}},
        "data": {"password": "hunter2"}
    }))
}

/// A review of a new ConfigMap without labels.
pub fn unlabelled() -> Value {
    let mut review = config_map("");
    review["request"]["object"]["metadata"].as_object_mut().unwrap().remove("labels");
    review
}

fn review(object: Value) -> Value {
    review_of("configmaps", object)
}

/// A review of a new object of the core group.
pub fn review_of(resource: &str, object: Value) -> Value {
    let metadata = |field: &str| object["metadata"].get(field).cloned().unwrap_or_default();
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "", "version": "v1", "kind": object["kind"]},
        "resource": {"group": "", "version": "v1", "resource": resource},
        "name": metadata("name"), "namespace": metadata("namespace"), "operation": "CREATE",
        "userInfo": {"username": "ann", "groups": ["system:authenticated"]},
        "object": object, "oldObject": null, "dryRun": false, "options": null}})
}
