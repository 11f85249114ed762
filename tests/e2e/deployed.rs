//! A cluster with `deploy/base` in it, and Portcullis serving it with the rights that it has there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use hyper::{Method, Request, StatusCode};
use kube::client::Body;
use portcullis::admission::resources::Resources;
use serde_json::{Value, json};

use super::cluster::{Answer, Cluster};
use super::objects::group;
pub use super::objects::{objects, path_of};
use super::support::{Server, first_look};

/// The namespace that `deploy/` puts everything into.
pub const NAMESPACE: &str = "portcullis-system";
/// The namespace of the media server.
pub const MEDIA: &str = "media";

/// A cluster of these tests' own: what they register is asked about everything in it. One test uses it at a time.
static DEPLOYED: LazyLock<Mutex<Deployed>> = LazyLock::new(|| Mutex::new(Deployed::new(Cluster::start())));

/// A cluster with Portcullis deployed, though nothing runs the pods.
pub struct Deployed {
    pub cluster: Cluster,
    /// Logs in as the service account of the deployment.
    pub kubeconfig: PathBuf,
    _directory: tempfile::TempDir,
}

/// Portcullis serving the cluster as its webhook.
pub struct Serving<'d> {
    pub server: Server,
    deployed: &'d Deployed,
}

/// The cluster, for one test.
pub fn deployed() -> MutexGuard<'static, Deployed> {
    // A test that failed before leaves nothing that the next couldn't begin with.
    DEPLOYED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Deployed {
    /// Deploys Portcullis to a cluster.
    pub fn new(cluster: Cluster) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        let deployed = Self { cluster, kubeconfig, _directory: directory };
        deployed.cluster.block_on(async {
            // What others bring to the cluster: definitions of kinds in the base, the GPU's runtime, the namespace.
            deployed.define("cert-manager.io", &[("Issuer", "issuers"), ("Certificate", "certificates")]).await;
            let runtime = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
                "metadata": {"name": "nvidia"}, "handler": "nvidia"});
            deployed.apply(&runtime).await;
            deployed.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": MEDIA}})).await;
            for object in rendered("deploy/base") {
                deployed.apply(&object).await;
            }
            deployed.unregister().await;
            deployed.log_in().await;
        });
        deployed
    }

    /// Serves the cluster with `flags` as the deployment's service account, and waits until the API server asks.
    pub async fn serve(&self, flags: &[&str]) -> Serving<'_> {
        let kubeconfig = self.kubeconfig.display().to_string();
        let server = Server::shipped(&["--kubeconfig", &kubeconfig], flags);
        server.until("the server being ready", async || server.admin("/readyz").await.status == StatusCode::OK).await;
        let ca = server.directory.path().join("ca.crt");
        let is_selecting = |pair: &&[&str]| ["--policies", "--profile"].contains(&pair[0]);
        let policies = flags.windows(2).filter(is_selecting).flatten();
        let printed = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["webhook-config", "--url", &format!("https://{}", server.address), "--ca-file"])
            .arg(ca)
            .args(policies)
            .args(first_look(flags))
            .output()
            .unwrap();
        assert!(printed.status.success(), "{printed:?}");
        for configuration in objects(&String::from_utf8(printed.stdout).unwrap()) {
            self.apply(&configuration).await;
        }
        let asked = async |phase: &str| {
            server.metric(&format!("portcullis_admission_duration_seconds_count{{phase=\"{phase}\"}}")).await > 0.0
        };
        let probe = pod(&json!({"containers": [{"name": "probe", "image": "registry.example/probe:1.0.0"}]}));
        self.cluster
            .until("the webhook being asked", async || {
                self.dry_run(&probe).await;
                asked("mutate").await && asked("validate").await
            })
            .await;
        Serving { server, deployed: self }
    }

    /// Removes the webhook configurations, and nothing else.
    pub async fn unregister(&self) {
        for kind in ["validatingwebhookconfigurations", "mutatingwebhookconfigurations"] {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}/portcullis");
            self.cluster.request(Method::DELETE, &path, &Value::Null).await;
        }
    }

    /// Applies an object as strictly as the API server can; it has to be accepted.
    pub async fn apply(&self, object: &Value) -> Answer {
        let answer = self.try_apply(object).await;
        assert!(answer.status.is_success(), "{} {}: {answer:#?}", object["kind"], object["metadata"]["name"]);
        answer
    }

    /// Applies an object as strictly as the API server can.
    pub async fn try_apply(&self, object: &Value) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}?fieldManager=e2e&force=true&fieldValidation=Strict", path_of(object));
        self.cluster.send(Method::PATCH, &path, "application/apply-patch+yaml", object).await
    }

    /// Changes an object, or one of its subresources, by a merge patch.
    pub async fn patch(&self, object: &Value, subresource: &str, patch: &Value) -> Answer {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}{subresource}?fieldManager=e2e", path_of(object));
        self.cluster.send(Method::PATCH, &path, "application/merge-patch+json", patch).await
    }

    /// An object as it is now.
    pub async fn get(&self, object: &Value) -> Answer {
        let path = format!("{}/{}", path_of(object), object["metadata"]["name"].as_str().unwrap());
        self.cluster.request(Method::GET, &path, &Value::Null).await
    }

    /// The objects of a kind in the namespace of `example`, which is one of them.
    pub async fn list(&self, example: &Value) -> Vec<Value> {
        let answer = self.cluster.request(Method::GET, &path_of(example), &Value::Null).await;
        answer.body["items"].as_array().unwrap_or_else(|| panic!("{answer:#?}")).clone()
    }

    /// Deletes an object.
    pub async fn delete(&self, object: &Value) {
        self.delete_with(object, &Value::Null).await;
    }

    /// Deletes an object as the options say.
    pub async fn delete_with(&self, object: &Value, options: &Value) {
        let path = format!("{}/{}", path_of(object), object["metadata"]["name"].as_str().unwrap());
        self.cluster.request(Method::DELETE, &path, options).await;
    }

    /// Whether there is an object of this kind and name.
    pub async fn has(&self, object: &Value) -> bool {
        self.get(object).await.status != StatusCode::NOT_FOUND
    }

    /// Creates an object.
    pub async fn create(&self, object: &Value) -> Answer {
        self.cluster.request(Method::POST, &path_of(object), object).await
    }

    /// Asks what creating an object would come to.
    pub async fn dry_run(&self, object: &Value) -> Answer {
        self.cluster.request(Method::POST, &format!("{}?dryRun=All", path_of(object)), object).await
    }

    /// Asks what creating an object would come to if `user` did it.
    pub async fn dry_run_as(&self, user: &str, object: &Value) -> Answer {
        let request = Request::post(format!("{}?dryRun=All", path_of(object)))
            .header("content-type", "application/json")
            .header("impersonate-user", user)
            .body(Body::from(object.to_string().into_bytes()))
            .unwrap();
        self.cluster.exchange(request).await.expect("the API server answers")
    }

    /// Whether the deployment's service account may do something.
    pub async fn may(&self, verb: &str, group: &str, resource: &str, namespace: &str, name: &str) -> bool {
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview",
            "spec": {"user": format!("system:serviceaccount:{NAMESPACE}:portcullis"), "resourceAttributes":
                {"verb": verb, "group": group, "resource": resource, "namespace": namespace, "name": name}}});
        self.create(&review).await.body["status"]["allowed"] == true
    }

    /// The deployment's ClusterRole, and the same without the rule about a resource.
    pub fn role_without(resource: &str) -> (Value, Value) {
        let role = rendered("deploy/base").into_iter().find(|object| object["kind"] == "ClusterRole").unwrap();
        let mut less = role.clone();
        less["rules"].as_array_mut().unwrap().retain(|rule| rule["resources"] != json!([resource]));
        assert_ne!(role, less, "no rule about {resource}");
        (role, less)
    }

    /// Waits until creating `object` is allowed, or is not.
    pub async fn until_allowed(&self, object: &Value, allowed: bool) {
        let what = format!("{} being {}", object["kind"], if allowed { "allowed" } else { "refused" });
        self.cluster.until(&what, async || self.dry_run(object).await.status.is_success() == allowed).await;
    }

    /// Defines kinds that others bring, with any content.
    async fn define(&self, group: &str, kinds: &[(&str, &str)]) {
        for (kind, plural) in kinds {
            let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            self.apply(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}")},
                "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}]}}))
                .await;
            let path = format!("/apis/{group}/v1/{plural}");
            self.cluster
                .until("the kind being served", async || {
                    self.cluster.request(Method::GET, &path, &Value::Null).await.status.is_success()
                })
                .await;
        }
    }

    /// Writes a kubeconfig with a token of the deployment's service account.
    async fn log_in(&self) {
        let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/portcullis/token");
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600}});
        let answer = self.cluster.request(Method::POST, &path, &request).await;
        let token = answer.body["status"]["token"].as_str().unwrap_or_else(|| panic!("{answer:#?}"));
        let text = std::fs::read_to_string(&self.cluster.kubeconfig).unwrap();
        let mut kubeconfig = objects(&text).remove(0);
        for user in kubeconfig["users"].as_array_mut().unwrap() {
            user["user"] = json!({"token": token});
        }
        // As in a pod of the deployment, whose own namespace this is.
        for context in kubeconfig["contexts"].as_array_mut().unwrap() {
            context["context"]["namespace"] = json!(NAMESPACE);
        }
        std::fs::write(&self.kubeconfig, kubeconfig.to_string()).unwrap();
    }
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let deployed = self.deployed;
        // Tests run on the cluster's runtime, which can't be waited for on its own threads.
        std::thread::scope(|scope| {
            scope.spawn(|| deployed.cluster.block_on(deployed.unregister()));
        });
    }
}

/// The objects of a kustomization, as kubectl renders them if it can, and otherwise as simple a kustomization as ours
/// says.
pub fn rendered(directory: &str) -> Vec<Value> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    match Command::new("kubectl").arg("kustomize").arg(&directory).output() {
        Ok(output) if output.status.success() => objects(&String::from_utf8(output.stdout).unwrap()),
        _ => kustomized(&directory, &json!({})),
    }
}

/// Reads resources and sets the namespace and the labels that a kustomization names.
fn kustomized(path: &Path, around: &Value) -> Vec<Value> {
    if !path.is_dir() {
        let mut objects = objects(&std::fs::read_to_string(path).unwrap());
        for object in &mut objects {
            if Resources::default().of(group(object), object["kind"].as_str().unwrap()).namespaced {
                object["metadata"]["namespace"] = around["namespace"].clone();
            }
            for (key, value) in around["labels"][0]["pairs"].as_object().into_iter().flatten() {
                object["metadata"]["labels"][key] = value.clone();
            }
        }
        return objects;
    }
    let kustomization = objects(&std::fs::read_to_string(path.join("kustomization.yaml")).unwrap()).remove(0);
    let resources = kustomization["resources"].as_array().unwrap();
    let all = resources.iter().map(|resource| resource.as_str().unwrap());
    all.flat_map(|resource| kustomized(&path.join(resource), &kustomization)).collect()
}

/// A pod of the media server with `spec`, created as a ReplicaSet would.
pub fn pod(spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"namespace": MEDIA, "generateName": "test-6f7c5d8b9-",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "test-6f7c5d8b9",
                "uid": "0b7a5a0e-3f0f-4e1c-9d55-3f7a3c1f2e11", "controller": true, "blockOwnerDeletion": true}]},
        "spec": spec})
}

/// The pod that the ReplicaSet of a Deployment would create.
pub fn pod_of(deployment: &Value) -> Value {
    let mut pod = pod(&deployment["spec"]["template"]["spec"]);
    pod["metadata"]["labels"] = deployment["spec"]["template"]["metadata"]["labels"].clone();
    pod["metadata"]["labels"]["pod-template-hash"] = json!("6f7c5d8b9");
    pod
}
