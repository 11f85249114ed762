//! The API server with the exported policies, and what it says of requests.

use std::collections::HashMap;
use std::process::Command;

use hyper::{Method, Request, StatusCode};
use kube::client::Body;
use portcullis::engine::Operation;
use serde_json::{Value, json};

use super::super::cluster::{Answer, Cluster};
use super::super::deployed::{NAMESPACE, objects, path_of};
use super::case::{Asked, EmbeddedSuite, NativeRequest, Violation};

const PROBE: &str = "export-probe";
/// A namespace for what is exempt there.
pub const EXEMPT: &str = "exempt";

/// A cluster of this test's own with the policies in it.
pub struct Native {
    cluster: Cluster,
    /// The params that are there.
    params: HashMap<String, Value>,
    probes: usize,
}

/// Exported objects that judge what a group asks for.
pub struct Installed {
    pub group: String,
    pub objects: Vec<Value>,
}

impl Installed {
    /// A suite's policies as the binary exports them, with further flags.
    pub fn of(suite: &EmbeddedSuite, flags: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(["policies", "export", "--no-embedded"]).args(flags);
        for file in suite.files() {
            command.args(["--policies", &file]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let objects = objects(&String::from_utf8(output.stdout).unwrap());
        Self { group: suite.entry.name.to_owned(), objects }
    }

    /// The same beside others of the same names, for another group.
    pub fn called(mut self, prefix: &str) -> Self {
        for object in self.objects.iter_mut().filter(|object| object["kind"] != "ConfigMap") {
            for field in ["/metadata/name", "/spec/policyName"] {
                if let Some(name) = object.pointer_mut(field) {
                    *name = json!(format!("{prefix}.{}", name.as_str().unwrap()));
                }
            }
        }
        self.group = format!("{prefix}.{}", self.group);
        self
    }
}

impl Native {
    pub fn start<'i>(installed: impl IntoIterator<Item = &'i Installed>) -> Self {
        let cluster = Cluster::start();
        let native = Self { cluster, params: HashMap::new(), probes: 0 };
        native.cluster.block_on(async {
            let namespaces = ["media", "default", NAMESPACE, "kube-system", "argocd", "monitoring", EXEMPT];
            for name in namespaces {
                native.must_apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await;
            }
            // Whoever is impersonated may do everything.
            native
                .must_apply(&json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                    "metadata": {"name": PROBE},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
                    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:authenticated"}]}))
                .await;
            native.define().await;
        });
        native.cluster.block_on(async {
            // What pods of the mutating suites run with.
            native
                .must_apply(&json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
                    "metadata": {"name": "nvidia"}, "handler": "nvidia"}))
                .await;
            for Installed { group, objects } in installed {
                for object in objects {
                    native.must_apply(&warning(object.clone(), group)).await;
                }
            }
            for object in probe() {
                native.must_apply(&object).await;
            }
        });
        native
    }

    /// Puts params in place, and waits until policies see them: those who read params read all of one kind in order, so
    /// what the probe shows came last.
    pub fn set_params(&mut self, params: Vec<Value>) {
        self.probes += 1;
        let number = self.probes.to_string();
        for param in params {
            let key = param["metadata"]["name"].to_string();
            if self.params.get(&key) == Some(&param) {
                continue;
            }
            self.cluster.block_on(async {
                let mut param = param.clone();
                if param["metadata"]["namespace"].is_null() {
                    param["metadata"]["namespace"] = json!(NAMESPACE);
                }
                let _ = self
                    .cluster
                    .request(
                        Method::DELETE,
                        &format!("{}/{}", path_of(&param), param["metadata"]["name"].as_str().unwrap()),
                        &Value::Null,
                    )
                    .await;
                self.must_apply(&param).await;
            });
            self.params.insert(key, param);
        }
        self.cluster.block_on(async {
            self.must_apply(&probe_param(&number)).await;
            let asked =
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE, "namespace": "default"}});
            self.cluster
                .until("the policies having effect with their params", async || {
                    let path = format!("{}?dryRun=All", path_of(&asked));
                    let answer = self.cluster.request(Method::POST, &path, &asked).await;
                    answer.warnings().iter().any(|warning| warning.ends_with(&format!(": probe {number}")))
                })
                .await;
        });
    }

    /// What the policies find in each request, or why there is nothing to be found out.
    pub fn ask(&self, asked: &[(String, Asked)]) -> Vec<Result<Vec<Violation>, String>> {
        let answers: Vec<Result<Answer, String>> = self.cluster.block_on(async {
            let mut answers = Vec::new();
            for (_, asked) in asked {
                answers.push(match &asked.request {
                    Ok(request) => self.send(request).await,
                    Err(why) => Err(why.clone()),
                });
            }
            answers
        });
        let found = |answer: Result<Answer, String>| {
            let answer = answer?;
            match answer.body["message"].as_str().filter(|_| !answer.status.is_success()) {
                Some(message) => {
                    assert!(
                        !message.contains("ValidatingAdmissionPolicy"),
                        "refused by a policy that warns: {message}"
                    );
                    Err(format!("the API server takes no such object: {}", kind_of_refusal(message)))
                }
                None => Ok(answer.warnings().iter().filter_map(|warning| violation(warning)).collect()),
            }
        };
        answers.into_iter().map(found).collect()
    }

    /// The object that the API server answers a request with, or why it takes none.
    pub fn object(&self, request: &NativeRequest) -> Result<Value, String> {
        let answer = self.cluster.block_on(self.send(request))?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        let message = answer.body["message"].as_str().unwrap_or_default();
        Err(format!("the API server takes no such object: {}", kind_of_refusal(message)))
    }

    /// Sends a request, and takes away what was made for it.
    async fn send(&self, request: &NativeRequest) -> Result<Answer, String> {
        let dry = |path: String| {
            if request.dry_run {
                format!("{path}{}dryRun=All", if path.contains('?') { '&' } else { '?' })
            } else {
                path
            }
        };
        if request.operation == Operation::Create {
            let path = path_of(&request.object);
            let path = if request.subresource.is_empty() {
                path
            } else {
                format!("{path}/{}/{}", name(&request.object), request.subresource)
            };
            // What isn't stored needs not be removed.
            return Ok(self.as_user(request, Method::POST, &format!("{path}?dryRun=All"), &request.object).await);
        }
        if request.operation == Operation::Connect {
            return Err("a case about a connection, for which nothing runs".to_owned());
        }
        let old = &request.old_object;
        let made = self.cluster.request(Method::POST, &path_of(old), old).await;
        if !made.status.is_success() {
            let message = made.body["message"].as_str().unwrap_or_default();
            return Err(format!("the API server takes no such old object: {}", kind_of_refusal(message)));
        }
        let path = format!("{}/{}", path_of(old), name(&made.body));
        let answer = match request.operation {
            Operation::Delete => self.as_user(request, Method::DELETE, &dry(path.clone()), &Value::Null).await,
            _ => {
                let mut object = request.object.clone();
                object["metadata"]["resourceVersion"] = made.body["metadata"]["resourceVersion"].clone();
                let part =
                    if request.subresource.is_empty() { String::new() } else { format!("/{}", request.subresource) };
                self.as_user(request, Method::PUT, &dry(format!("{path}{part}")), &object).await
            }
        };
        self.remove(&path).await;
        Ok(answer)
    }

    async fn remove(&self, path: &str) {
        let patch = json!({"metadata": {"finalizers": null}});
        let _ = self.cluster.send(Method::PATCH, path, "application/merge-patch+json", &patch).await;
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0, "propagationPolicy": "Background"});
        let _ = self.cluster.request(Method::DELETE, path, &options).await;
        if path.starts_with("/api/v1/namespaces/") && path.matches('/').count() == 4 {
            // Nothing empties it, so nothing else says that it is empty.
            let mut namespace = self.cluster.request(Method::GET, path, &Value::Null).await.body;
            namespace["spec"]["finalizers"] = json!([]);
            let _ = self.cluster.request(Method::PUT, &format!("{path}/finalize"), &namespace).await;
        }
        self.cluster
            .until(&format!("{path} being gone"), async || {
                self.cluster.request(Method::GET, path, &Value::Null).await.status == StatusCode::NOT_FOUND
            })
            .await;
    }

    async fn as_user(&self, request: &NativeRequest, method: Method, path: &str, body: &Value) -> Answer {
        let mut head = Request::builder().method(method).uri(path).header("content-type", "application/json");
        head = head.header("impersonate-user", &request.user);
        let own = group(&request.group);
        for group in request.groups.iter().chain([&own]) {
            head = head.header("impersonate-group", group);
        }
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        self.cluster.exchange(head.body(Body::from(bytes)).unwrap()).await.expect("the API server answers")
    }

    async fn must_apply(&self, object: &Value) -> Value {
        self.cluster.apply(&format!("{}/{}", path_of(object), name(object)), object).await
    }

    /// Defines the kinds of others that suites are about, with any content.
    async fn define(&self) {
        let kinds = [
            ("argoproj.io", "v1alpha1", "Application", "applications"),
            ("argoproj.io", "v1alpha1", "ApplicationSet", "applicationsets"),
            ("cert-manager.io", "v1", "Certificate", "certificates"),
        ];
        for (group, version, kind, plural) in kinds {
            let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
            self.must_apply(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": format!("{plural}.{group}")},
                "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural},
                    "versions": [{"name": version, "served": true, "storage": true, "schema": schema}]}}))
                .await;
            let path = format!("/apis/{group}/{version}/{plural}");
            self.cluster
                .until("the kind being served", async || {
                    self.cluster.request(Method::GET, &path, &Value::Null).await.status.is_success()
                })
                .await;
        }
    }
}

/// A policy or binding that warns of what it would do, and is about what its group asks for alone; others as they are.
fn warning(mut object: Value, suite: &str) -> Value {
    match object["kind"].as_str() {
        Some("ValidatingAdmissionPolicyBinding") => object["spec"]["validationActions"] = json!(["Warn"]),
        Some("ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy") => {
            let expression = format!("request.userInfo.groups.exists(group, group == \"{}\")", group(suite));
            let condition = json!({"name": "of-the-suite", "expression": expression});
            match object["spec"]["matchConditions"].as_array_mut() {
                Some(conditions) => conditions.push(condition),
                None => object["spec"]["matchConditions"] = json!([condition]),
            }
        }
        _ => {}
    }
    object
}

/// The group of whoever asks for a suite.
fn group(suite: &str) -> String {
    format!("e2e:{suite}")
}

/// What a warning says of a policy, if that is where it comes from.
fn violation(warning: &str) -> Option<Violation> {
    let rest = warning.strip_prefix("Validation failed for ValidatingAdmissionPolicy '")?;
    let (policy, rest) = rest.split_once("' with binding '")?;
    let (_, message) = rest.split_once("': ")?;
    // Where an answer's warnings are long as a whole, the API server cuts each.
    let is_cut = warning.chars().count() == 256;
    Some(Violation { policy: policy.to_owned(), message: message.to_owned(), is_cut })
}

/// A policy that warns of what its param says.
fn probe() -> [Value; 3] {
    let api_version = "admissionregistration.k8s.io/v1";
    [
        probe_param("0"),
        json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": PROBE}, "spec": {
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"],
                "operations": ["CREATE"], "resourceNames": [PROBE]}]},
            "validations": [{"expression": "false", "messageExpression": "'probe ' + params.data.number"}]}}),
        json!({"apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": PROBE}, "spec": {
            "policyName": PROBE, "validationActions": ["Warn"],
            "paramRef": {"name": PROBE, "namespace": NAMESPACE, "parameterNotFoundAction": "Deny"}}}),
    ]
}

fn probe_param(number: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": PROBE, "namespace": NAMESPACE},
        "data": {"number": number}})
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// A refusal without what is the case's own, so that refusals of one kind stand together.
fn kind_of_refusal(message: &str) -> String {
    let (_, why) = message.split_once(" is invalid: ").unwrap_or(("", message));
    why.chars().take(160).collect()
}
