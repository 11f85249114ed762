//! Two API servers: one with webhooks, each asked about a namespace of its own, and one with the policies installed.

use std::process::Command;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use super::cluster::{Answer, Cluster};
use super::objects::{objects, path_of};
use super::process::Process;
use super::{Result, webhook};

/// Objects that no policy of the bundle objects to, with every field that a careful author writes.
const USUAL: &str = include_str!("../../src/policy/usual.yaml");
/// What is created.
pub const OBJECTS: [&str; 2] = ["Pod", "Deployment"];
/// The whole bundle, with every binding.
const POLICIES: [&str; 3] = ["--no-embedded", "--policies", concat!(env!("CARGO_MANIFEST_DIR"), "/policies")];
/// What the containers of the Pod leave to mutating policies.
const LEFT_TO_POLICIES: [&str; 2] = ["allowPrivilegeEscalation", "capabilities"];
/// The params' namespace.
const SYSTEM: &str = "portcullis-system";

/// How a request is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By nobody.
    Bare,
    /// By a webhook that does nothing, registered as Portcullis is.
    Empty,
    /// By Portcullis in audit mode.
    Audit,
    /// By Portcullis in enforce mode.
    Enforce,
    /// By the exported policies in the API server itself.
    Native,
}

/// All ways, in the order of the table.
pub const WAYS: [Way; 5] = [Way::Bare, Way::Empty, Way::Audit, Way::Enforce, Way::Native];

/// Those that are asked through a webhook.
const WEBHOOKS: [Way; 3] = [Way::Empty, Way::Audit, Way::Enforce];

impl Way {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Way::Bare => "nobody",
            Way::Empty => "an empty webhook",
            Way::Audit => "Portcullis, audit",
            Way::Enforce => "Portcullis, enforce",
            Way::Native => "native policies",
        }
    }

    /// The namespace whose objects it admits.
    fn namespace(self) -> &'static str {
        match self {
            Way::Bare => "bench-bare",
            Way::Empty => "bench-empty",
            Way::Audit => "bench-audit",
            Way::Enforce => "bench-enforce",
            Way::Native => "bench-native",
        }
    }
}

/// The servers, and what is created.
pub struct Setup {
    webhooks: Cluster,
    native: Cluster,
    usual: [Value; 2],
    /// They end with the value.
    _servers: [Process; 3],
    _directory: tempfile::TempDir,
}

impl Setup {
    /// Starts everything, and waits until it has effect.
    pub fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        // The audit log would cost the same each time, on a disk that isn't measured here.
        let cluster = || Cluster::with_server_flags(&["--audit-log-path="]);
        let (webhooks, native) = (cluster(), cluster());
        for name in WAYS.map(Way::namespace).into_iter().chain([SYSTEM, "media"]) {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            apply(&webhooks, &namespace);
            apply(&native, &namespace);
        }
        for object in objects(&printed(&["policies", "export"])?) {
            apply(&native, &object);
            if object["kind"] == "ConfigMap" {
                apply(&webhooks, &object);
            }
        }
        let kubeconfig = webhooks.kubeconfig.display().to_string();
        let flags = [&["--kubeconfig", &kubeconfig], &POLICIES[..]].concat();
        let serve = |mode| Process::portcullis(None, directory.path(), mode, &flags);
        let servers = [Process::own(None, webhook::ROLE)?, serve("audit")?, serve("enforce")?];
        let setup = Self { webhooks, native, usual: usual()?, _servers: servers, _directory: directory };
        for (way, server) in WEBHOOKS.into_iter().zip(&setup._servers) {
            setup.register(way, server)?;
        }
        setup.wait();
        Ok(setup)
    }

    /// Where to create what to be admitted so.
    pub fn request(&self, kind: &str, way: Way) -> (&Cluster, String, Value) {
        let at = OBJECTS.iter().position(|of| *of == kind).unwrap_or_default();
        let mut object = self.usual[at].clone();
        object["metadata"]["namespace"] = json!(way.namespace());
        let cluster = if way == Way::Native { &self.native } else { &self.webhooks };
        (cluster, format!("{}?dryRun=All", path_of(&object)), object)
    }

    /// Makes sure that the API server has called each webhook at least so many times, and got an answer.
    pub fn check_called(&self, times: u64) -> Result<()> {
        for way in WEBHOOKS {
            let calls = self.webhooks.block_on(self.calls(way, "validate"));
            if calls < times {
                return Err(format!("{}: called {calls} times, less than {times}", way.name()).into());
            }
        }
        Ok(())
    }

    /// How often the API server has called a webhook and got an answer.
    async fn calls(&self, way: Way, phase: &str) -> u64 {
        let answer = self.webhooks.request(Method::GET, "/metrics", &Value::Null).await;
        let name = format!("name=\"{phase}.{}.portcullis.dev\"", way.namespace());
        let lines = answer.body.as_str().unwrap_or_default().lines();
        let answered = lines.filter(|line| {
            line.starts_with("apiserver_admission_webhook_request_total{")
                && line.contains(&name)
                && line.contains("code=\"200\"")
        });
        answered.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Registers a server as `webhook-config` would have it, for the namespace of a way alone. It may not fail.
    fn register(&self, way: Way, server: &Process) -> Result<()> {
        let ca = self._directory.path().join(way.namespace());
        std::fs::write(&ca, pem(&server.ca))?;
        let (url, ca) = (format!("https://{}", server.address), ca.display().to_string());
        let flags = ["webhook-config", "--name", way.namespace(), "--url", &url, "--ca-file", &ca];
        for mut configuration in objects(&printed(&flags)?) {
            for webhook in configuration["webhooks"].as_array_mut().into_iter().flatten() {
                let name = webhook["name"].as_str().unwrap_or_default();
                webhook["name"] = json!(name.replacen('.', &format!(".{}.", way.namespace()), 1));
                webhook["failurePolicy"] = json!("Fail");
                webhook["timeoutSeconds"] = json!(30);
                webhook["namespaceSelector"] = json!({"matchLabels": {"kubernetes.io/metadata.name": way.namespace()}});
            }
            apply(&self.webhooks, &configuration);
        }
        Ok(())
    }

    /// Waits until webhooks are called and policies are in force.
    fn wait(&self) {
        self.webhooks.block_on(self.webhooks.until("the webhooks being called", async || {
            for way in WEBHOOKS {
                let pod = self.create("Pod", way, false).await;
                if way == Way::Enforce && !is_repaired(&pod) {
                    return false;
                }
                if self.calls(way, "validate").await == 0 || self.calls(way, "mutate").await == 0 {
                    return false;
                }
            }
            true
        }));
        self.native.block_on(self.native.until("the policies being in force", async || {
            for kind in OBJECTS {
                if self.create(kind, Way::Native, true).await.status.is_success() {
                    return false;
                }
            }
            is_repaired(&self.create("Pod", Way::Native, false).await)
        }));
        // The policies that were installed last.
        std::thread::sleep(Duration::from_secs(3));
    }

    async fn create(&self, kind: &str, way: Way, privileged: bool) -> Answer {
        let (cluster, path, mut object) = self.request(kind, way);
        if privileged {
            let spec = if kind == "Pod" { "/spec" } else { "/spec/template/spec" };
            let container = object.pointer_mut(&format!("{spec}/containers/0/securityContext")).unwrap();
            *container = json!({"privileged": true});
        }
        cluster.request(Method::POST, &path, &object).await
    }
}

/// Whether mutating policies have set what was left to them.
fn is_repaired(pod: &Answer) -> bool {
    let context = &pod.body["spec"]["containers"][0]["securityContext"];
    pod.status.is_success() && LEFT_TO_POLICIES.iter().all(|field| !context[field].is_null())
}

/// The objects that are created.
fn usual() -> Result<[Value; 2]> {
    let mut entries = objects(USUAL);
    let of_kind = |kind: &str| {
        let entries = entries.first_mut()?.as_array_mut()?;
        Some(entries.iter_mut().find(|entry| entry["object"]["kind"] == kind)?["object"].take())
    };
    let [Some(mut pod), Some(deployment)] = OBJECTS.map(of_kind) else { return Err("no usual objects".into()) };
    // Something for mutating policies to do.
    for container in pod["spec"]["containers"].as_array_mut().ok_or("a Pod without containers")? {
        for field in LEFT_TO_POLICIES {
            container["securityContext"].as_object_mut().ok_or("no securityContext")?.remove(field);
        }
    }
    Ok([pod, deployment])
}

/// What a command of the binary prints about the whole bundle.
fn printed(command: &[&str]) -> Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(command).args(POLICIES).output()?;
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout)?),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn apply(cluster: &Cluster, object: &Value) {
    let path = format!("{}/{}", path_of(object), object["metadata"]["name"].as_str().unwrap());
    cluster.block_on(cluster.apply(&path, object));
}

fn pem(certificate: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}
