//! What a run makes in the cluster, and takes away again: definitions, namespaces, objects; the policies themselves, or
//! the webhook in their place. All of it carries one label.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::cluster::CLUSTER;
use super::api::{CUSTOM_GROUP, cluster_widget, config_map, definitions, path_of, widget};
use super::outcome::WEBHOOK;
use super::recorder::Recorder;
use super::run::{AT_ONCE, send};
use super::suite::{LABEL, NAME, Suite, create, is_param, json_patch, list, matching, must, policy_manifests};

/// The label of everything that a run makes.
const RUN: &str = "portcullis.dev/e2e=differential";
const RUN_KEY: &str = "portcullis.dev/e2e";

const REGISTRATION: &str = "/apis/admissionregistration.k8s.io/v1";
const VALIDATING_WEBHOOKS: &str = "validatingwebhookconfigurations";
const MUTATING_WEBHOOKS: &str = "mutatingwebhookconfigurations";

/// Makes what policies and requests need, policies aside.
pub async fn prepare(suites: &mut [Suite]) {
    for definition in definitions() {
        make(definition).await;
    }
    CLUSTER
        .until("the custom resources being served", async || {
            let lists = [widget("", json!({})), cluster_widget("", json!({}))]
                .map(|object| path_of(&object, false).replace(&format!("/namespaces/{NAME}"), ""));
            let mut served = true;
            for list in lists.iter().chain([&lists[0].replace("/v1/", "/v2/")]) {
                served &= CLUSTER.request(Method::GET, list, &Value::Null).await.status == StatusCode::OK;
            }
            served
        })
        .await;
    let probe = probe();
    let namespaces = suites.iter().chain([&probe]).map(|suite| {
        let mut labels = suite.namespace_labels.clone();
        labels[LABEL] = json!(suite.name);
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": suite.name, "labels": labels}})
    });
    make_all(namespaces.collect()).await;
    let (further, objects): (Vec<Value>, Vec<Value>) = suites
        .iter()
        .chain([&probe])
        .flat_map(|suite| suite.objects.clone())
        .partition(|object| object["kind"] == "Namespace");
    make_all(further).await;
    make_all(objects).await;
    // As a param, an object is what the API server made of it.
    for param in suites.iter_mut().flat_map(|suite| suite.objects.iter_mut().filter(|object| is_param(object))) {
        *param = CLUSTER.request(Method::GET, &path_of(param, true), &Value::Null).await.body;
    }
}

/// Makes the suites' policies in the API server, and waits until they have effect. For each suite, why the API server
/// refuses one of its policies or bindings, if it does.
pub async fn policies(suites: &[Suite]) -> Vec<Option<String>> {
    let mut refusals = vec![None; suites.len()];
    let (slots, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (at, suite) in suites.iter().enumerate() {
        let (policies, slots) = (suite.policies.clone(), Arc::clone(&slots));
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            for policy in policies {
                if let Err(refusal) = try_make(policy).await {
                    return (at, Some(refusal));
                }
            }
            (at, None)
        });
    }
    for (at, refusal) in tasks.join_all().await {
        refusals[at] = refusal;
    }
    // The API server reads policies in the order in which they were made, so these are the last to have effect.
    let probe = probe();
    make_all(probe.policies.clone()).await;
    CLUSTER.until("policies having effect", async || probed(&probe).await).await;
    refusals
}

/// Removes the policies, and waits until they have none.
pub async fn remove_policies() {
    for kind in POLICY_KINDS {
        remove_all(&format!("{REGISTRATION}/{kind}")).await;
    }
    let probe = probe();
    CLUSTER
        .until("policies losing their effect", async || {
            let mut gone = true;
            for ask in &probe.asks {
                let Ok(answer) = send("probe", ask).await else { return false };
                gone &= answer.status.is_success() && answer.body["metadata"]["labels"]["probe"].is_null();
            }
            gone
        })
        .await;
}

const POLICY_KINDS: [&str; 4] = [
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicybindings",
    "validatingadmissionpolicies",
    "mutatingadmissionpolicies",
];

/// A suite that shows whether policies have effect: it labels objects and refuses those with the label `bad`.
pub fn probe() -> Suite {
    let label = "!has(object.metadata.labels) ? [JSONPatch{op: 'add', path: '/metadata/labels', value: {'probe': 'yes'}}] \
                 : [JSONPatch{op: 'add', path: '/metadata/labels/probe', value: 'yes'}]";
    Suite::new("probe")
        .policy(NAME, json!({"mutations": [json_patch(label)]}))
        .bind(NAME, json!({}))
        .policy(
            &format!("{NAME}-validate"),
            json!({"matchConstraints": matching("*/*/*", &["CREATE"]),
                "paramKind": {"apiVersion": format!("{CUSTOM_GROUP}/v1"), "kind": "Widget"},
                "validations": [must("object.metadata.name != params.spec.name", "refused")]}),
        )
        .bind(&format!("{NAME}-validate"), json!({"paramRef": {"name": "param", "parameterNotFoundAction": "Deny"}}))
        .object(widget("param", json!({"spec": {"name": "bad"}})))
        .create_all([config_map("good", json!({})), widget("good", json!({}))])
        .ask(create(config_map("bad", json!({}))))
        .named(super::suite_name(0))
}

async fn probed(probe: &Suite) -> bool {
    let mut has_effect = true;
    for ask in &probe.asks {
        let Ok(answer) = send("probe", ask).await else { return false };
        has_effect &= match ask.body["metadata"]["name"].as_str() {
            Some("bad") => {
                answer.body["message"].as_str().is_some_and(|text| text.ends_with("denied request: refused"))
            }
            _ => answer.body["metadata"]["labels"]["probe"] == "yes",
        };
    }
    has_effect
}

/// A running `portcullis serve`, registered in the API server.
pub struct Webhook {
    child: Child,
    _directory: tempfile::TempDir,
}

impl Webhook {
    /// Starts the webhook with all suites' policies, and waits until the API server asks it. The recorder is asked
    /// first, the same as the webhook.
    pub async fn start(suites: &[Suite], recorder: &Recorder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        let probe = probe();
        let policies = policy_manifests(suites) + &policy_manifests(std::slice::from_ref(&probe));
        std::fs::write(file("policies.yaml"), policies).unwrap();
        std::fs::write(file("definitions.yaml"), list(&definitions())).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["serve", "--mode", "enforce", "--no-embedded", "--log-format", "json"])
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-self-signed"])
            .arg("--policies")
            .arg(file("policies.yaml"))
            .arg("--crds")
            .arg(file("definitions.yaml"))
            .arg("--kubeconfig")
            .arg(&CLUSTER.kubeconfig)
            .arg("--tls-write-ca")
            .arg(file("ca.crt"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            assert_ne!(event["level"], "ERROR", "{line}");
            (event["message"] == "webhook is listening").then(|| event["address"].as_str().unwrap().to_owned())
        });
        // What it has to say later is not wanted, but has to be read.
        std::thread::spawn(move || lines.for_each(drop));
        let bundle = STANDARD.encode(std::fs::read(file("ca.crt")).unwrap());
        let address = address.expect("the webhook listens");
        let client_config = |path: &str| json!({"url": format!("https://{address}/{path}"), "caBundle": bundle});
        make_all(configurations(suites, recorder, &client_config)).await;
        CLUSTER.until("the webhook being asked", async || probed(&probe).await).await;
        Self { child, _directory: directory }
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The configurations that ask the webhook about everything in the suites' namespaces and about cluster-scoped objects
/// with the suites' label; suites with rules of their own have a pair of their own.
fn configurations(suites: &[Suite], recorder: &Recorder, client_config: &dyn Fn(&str) -> Value) -> Vec<Value> {
    let own: Vec<&Suite> = suites.iter().filter(|suite| suite.webhook_rules.is_some()).collect();
    let names: Vec<&str> = own.iter().map(|suite| suite.name.as_str()).collect();
    let rules = |scope: &str| json!([{"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"], "scope": scope}]);
    let mut others = json!({"matchExpressions": [{"key": LABEL, "operator": "Exists"}]});
    if !names.is_empty() {
        let not = json!({"key": LABEL, "operator": "NotIn", "values": names});
        others["matchExpressions"].as_array_mut().unwrap().push(not);
    }
    let mut asked = vec![
        ("all", json!({"rules": rules("Namespaced"), "namespaceSelector": others})),
        (
            "cluster",
            json!({"rules": rules("Cluster"),
            "objectSelector": {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]}}),
        ),
    ];
    for suite in own {
        let selector = json!({"matchLabels": {LABEL: suite.name}});
        asked.push((&suite.name, json!({"rules": suite.webhook_rules, "namespaceSelector": selector})));
    }
    let mut made = Vec::new();
    for (name, what) in asked {
        let webhook = |webhook: &str, client: Value| {
            let mut all = json!({"name": webhook, "clientConfig": client, "admissionReviewVersions": ["v1"],
                "sideEffects": "None", "timeoutSeconds": 30, "failurePolicy": "Fail", "matchPolicy": "Equivalent"});
            all.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            all
        };
        let configuration = |kind: &str, webhooks: Vec<Value>| {
            json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind,
                "metadata": {"name": format!("e2e-differential-{name}")}, "webhooks": webhooks})
        };
        made.push(configuration(
            "MutatingWebhookConfiguration",
            vec![
                webhook("record.portcullis.dev", recorder.client_config(true)),
                webhook("mutate.portcullis.dev", client_config("mutate")),
            ],
        ));
        made.push(configuration(
            "ValidatingWebhookConfiguration",
            vec![
                webhook("record.portcullis.dev", recorder.client_config(false)),
                webhook(WEBHOOK, client_config("validate")),
            ],
        ));
    }
    made
}

/// All namespaces of the cluster.
pub async fn namespaces() -> Value {
    let mut list = CLUSTER.request(Method::GET, "/api/v1/namespaces", &Value::Null).await.body;
    for item in list["items"].as_array_mut().unwrap() {
        // Items of the API server's list don't say their kind.
        item["apiVersion"] = json!("v1");
        item["kind"] = json!("Namespace");
    }
    list
}

/// Removes everything that a run makes; a run that was interrupted may have left it.
pub async fn clean() {
    for kind in POLICY_KINDS.iter().chain([&VALIDATING_WEBHOOKS, &MUTATING_WEBHOOKS]) {
        remove_all(&format!("{REGISTRATION}/{kind}")).await;
    }
    remove_all("/apis/apiextensions.k8s.io/v1/customresourcedefinitions").await;
    for kind in [
        "api/v1/nodes",
        "apis/scheduling.k8s.io/v1/priorityclasses",
        "apis/storage.k8s.io/v1/storageclasses",
        "apis/rbac.authorization.k8s.io/v1/clusterroles",
    ] {
        remove_all(&format!("/{kind}")).await;
    }
    let selected = format!("/api/v1/namespaces?labelSelector={}", RUN.replace('/', "%2F"));
    let list = CLUSTER.request(Method::GET, &selected, &Value::Null).await.body;
    let mut tasks = JoinSet::new();
    for namespace in list["items"].as_array().into_iter().flatten() {
        let path = format!("/api/v1/namespaces/{}", namespace["metadata"]["name"].as_str().unwrap());
        tasks.spawn(async move { CLUSTER.request(Method::DELETE, &path, &Value::Null).await });
    }
    tasks.join_all().await;
}

async fn remove_all(path: &str) {
    let path = format!("{path}?labelSelector={}", RUN.replace('/', "%2F"));
    let answer = CLUSTER.request(Method::DELETE, &path, &Value::Null).await;
    assert!(answer.status.is_success(), "DELETE {path}: {answer:#?}");
}

async fn make_all(objects: Vec<Value>) {
    let mut tasks = JoinSet::new();
    for object in objects {
        if tasks.len() >= AT_ONCE {
            tasks.join_next().await.unwrap().unwrap();
        }
        tasks.spawn(make(object));
    }
    tasks.join_all().await;
}

async fn make(object: Value) {
    if let Err(refusal) = try_make(object.clone()).await {
        panic!("POST {}: {refusal}\n{object:#}", object_path(&object));
    }
}

/// Creates an object; one that a run before left is as good.
///
/// # Errors
/// Why the API server refuses it.
async fn try_make(mut object: Value) -> Result<(), String> {
    object["metadata"]["labels"][RUN_KEY] = json!("differential");
    let answer = CLUSTER.request(Method::POST, &object_path(&object), &object).await;
    let done = answer.status.is_success() || answer.status == StatusCode::CONFLICT;
    if done { Ok(()) } else { Err(answer.body["message"].to_string()) }
}

fn object_path(object: &Value) -> String {
    match object["kind"].as_str().unwrap() {
        "CustomResourceDefinition" => "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
        "ValidatingWebhookConfiguration" => format!("{REGISTRATION}/{VALIDATING_WEBHOOKS}"),
        "MutatingWebhookConfiguration" => format!("{REGISTRATION}/{MUTATING_WEBHOOKS}"),
        "ValidatingAdmissionPolicy" => format!("{REGISTRATION}/validatingadmissionpolicies"),
        "MutatingAdmissionPolicy" => format!("{REGISTRATION}/mutatingadmissionpolicies"),
        "ValidatingAdmissionPolicyBinding" => format!("{REGISTRATION}/validatingadmissionpolicybindings"),
        "MutatingAdmissionPolicyBinding" => format!("{REGISTRATION}/mutatingadmissionpolicybindings"),
        _ => path_of(object, false),
    }
}
