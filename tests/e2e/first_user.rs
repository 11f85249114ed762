//! The first user's path: `deploy/` is applied, Portcullis serves the cluster with the rights that it has there, and the
//! manifests of a media server are applied, in every mode; then it is taken out again.
//!
//! The manifests are those of `examples/media-server`; those of a real cluster are used, too, where they are at hand: in
//! the directory that `K8S_NAS` names, or in `../shared/k8s_nas`. Nothing runs the pods, so a pod is created as its
//! ReplicaSet would.

use std::path::Path;

use hyper::StatusCode;
use ignore::WalkBuilder;
use serde_json::{Value, json};

use super::deployed::{Deployed, MEDIA, NAMESPACE, deployed, objects, pod, pod_of, rendered};
use super::manifests::{PODS, mutating, validating};

const PRIVILEGED: &str = "container \"web\" is privileged, which gives it the whole host: write privileged: false";

/// A pod that no policy repairs and one refuses.
fn privileged() -> Value {
    let container =
        json!({"name": "web", "image": "registry.example/web:1.0.0", "securityContext": {"privileged": true}});
    pod(&json!({"containers": [container]}))
}

/// A pod that every policy accepts.
fn harmless() -> Value {
    pod(&json!({"containers": [{"name": "web", "image": "registry.example/web:1.0.0"}]}))
}

/// The sample with every image pinned, in the order in which it can be applied, and nothing privileged but Jellyfin.
fn sample() -> Vec<Value> {
    let mut all = rendered("examples/media-server");
    for object in &mut all {
        pin(object);
        if object["metadata"]["name"] == "qbittorrent" {
            let vpn = &mut object["spec"]["template"]["spec"]["containers"][0];
            vpn["securityContext"].as_object_mut().unwrap().remove("privileged");
        }
    }
    all
}

/// Writes a version where an image has none, or one that moves.
fn pin(value: &mut Value) {
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(pin),
        Value::Object(members) => {
            if let Some(Value::String(image)) = members.get_mut("image") {
                let (name, tag) = match image.rsplit_once(':') {
                    Some((name, tag)) if !tag.contains('/') => (name, tag),
                    _ => (image.as_str(), "latest"),
                };
                if !tag.starts_with(|first: char| first.is_ascii_digit() || first == 'v') || !tag.contains('.') {
                    *image = format!("{name}:1.2.3");
                }
            }
            members.values_mut().for_each(pin);
        }
        _ => {}
    }
}

fn jellyfin(manifests: &[Value]) -> Value {
    let deployment = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == "jellyfin";
    pod_of(manifests.iter().find(deployment).expect("a Deployment jellyfin"))
}

fn message(answer: &super::cluster::Answer) -> &str {
    answer.body["message"].as_str().unwrap_or_default()
}

#[test]
fn the_rights_of_the_deployment_suffice_and_no_others_are_given() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let serving = deployed.serve(&["--mode", "audit", "--profile", "baseline"]).await;
        let ready = serving.server.admin("/readyz").await.text();
        assert!(ready.starts_with("ready\n[+] policies:"), "{ready}");
        for watched in ["namespaces:", "v1/ConfigMap portcullis-system/security-context-defaults: 0 objects"] {
            assert!(ready.contains(&format!("[+] cache of {watched}")), "{ready}");
        }
        assert!(!ready.contains("[!]") && !ready.contains("[-]"), "{ready}");

        assert!(deployed.may("watch", "", "namespaces", "", "").await);
        assert!(deployed.may("watch", "", "configmaps", NAMESPACE, "require-digest").await);
        // Exemptions lie in ConfigMaps of the own namespace that have a label, which a right can't name.
        assert!(deployed.may("list", "", "configmaps", NAMESPACE, "").await);
        assert!(deployed.may("create", "authorization.k8s.io", "subjectaccessreviews", "", "").await);
        assert!(deployed.may("watch", "apiextensions.k8s.io", "customresourcedefinitions", "", "").await);
        assert!(!deployed.may("update", "apiextensions.k8s.io", "customresourcedefinitions", "", "").await);
        for (verb, resource, namespace, name) in [
            ("update", "configmaps", NAMESPACE, ""),
            ("get", "configmaps", NAMESPACE, "other"),
            ("list", "configmaps", MEDIA, ""),
            ("get", "secrets", NAMESPACE, "portcullis-tls"),
            ("list", "pods", "", ""),
            ("update", "namespaces", "", MEDIA),
        ] {
            assert!(!deployed.may(verb, "", resource, namespace, name).await, "{verb} {resource} {namespace}/{name}");
        }
    });
}

#[test]
fn enforcing_repairs_jellyfin_and_refuses_other_privileged_pods() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let _serving = deployed.serve(&["--mode", "enforce"]).await;
        let sample = sample();
        for object in &sample {
            deployed.apply(object).await;
        }
        let stored = deployed.create(&jellyfin(&sample)).await;
        assert_eq!(stored.status, StatusCode::CREATED, "{stored:#?}");
        let spec = &stored.body["spec"];
        let container = &spec["containers"][0];
        assert_eq!(container["securityContext"]["privileged"], Value::Null, "{spec:#}");
        assert_eq!(container["securityContext"]["allowPrivilegeEscalation"], false, "{spec:#}");
        assert_eq!(container["securityContext"]["capabilities"]["drop"], json!(["ALL"]), "{spec:#}");
        assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], "1", "{spec:#}");
        assert_eq!(spec["runtimeClassName"], "nvidia", "{spec:#}");
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{spec:#}");
        assert!(!spec.to_string().contains("/dev/dri"), "{spec:#}");

        let refused = deployed.create(&privileged()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:#?}");
        let expected = format!(
            "admission webhook \"validate.portcullis.dev\" denied the request: ValidatingAdmissionPolicy \
             'pss-baseline-privileged' with binding 'pss-baseline-privileged' denied request: \
             spec.containers[0].securityContext.privileged: {PRIVILEGED}"
        );
        assert_eq!(message(&refused), expected);
        let latest = pod(&json!({"containers": [{"name": "web", "image": "registry.example/web"}]}));
        let refused = deployed.create(&latest).await;
        assert!(message(&refused).contains("'require-pinned-images'"), "{refused:#?}");
    });
}

#[test]
fn auditing_refuses_and_changes_nothing_and_warnings_arrive() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let before = deployed.dry_run(&jellyfin(&sample())).await.body["spec"].clone();
        // A policy whose binding warns, beside the shipped ones.
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("tell.yaml");
        std::fs::write(&policy, validating("tell-privileged", PODS, TELL_PRIVILEGED, "Warn, Audit")).unwrap();
        let serving = deployed.serve(&["--mode", "audit", "--policies", &policy.display().to_string()]).await;
        for object in rendered("examples/media-server") {
            deployed.apply(&object).await;
        }
        let accepted = deployed.dry_run(&jellyfin(&rendered("examples/media-server"))).await;
        assert_eq!(accepted.status, StatusCode::CREATED, "{accepted:#?}");
        let after = deployed.dry_run(&jellyfin(&sample())).await;
        // Volumes of tokens have random names where a controller adds them.
        assert_eq!(after.body["spec"], before);
        let accepted = deployed.create(&privileged()).await;
        assert_eq!(accepted.status, StatusCode::CREATED, "{accepted:#?}");
        assert_eq!(accepted.body["spec"]["containers"][0]["securityContext"]["privileged"], true);
        let warning = "Validation failed for ValidatingAdmissionPolicy 'tell-privileged' with binding \
                       'tell-privileged': somebody should know";
        assert_eq!(accepted.warnings(), [warning]);
        // What would have been refused is counted and logged.
        let series = "portcullis_policy_evaluations_total{binding=\"pss-baseline-privileged\",effective=\"audit\",\
                      policy=\"pss-baseline-privileged\",verdict=\"deny\"}";
        assert!(serving.server.metric(series).await > 0.0, "{}", serving.server.admin("/metrics").await.text());
        let logged = serving.server.log();
        let finding = |event: &Value| event["policy"] == "pss-baseline-privileged" && event["verdict"] == "deny";
        assert!(logged.iter().any(finding), "{logged:#?}");
    });
}

/// Warns of privileged containers.
const TELL_PRIVILEGED: &str = "
  validations:
  - expression: object.spec.containers.all(c, c.?securityContext.privileged != optional.of(true))
    message: somebody should know
";

#[test]
fn warning_refuses_and_changes_nothing_and_says_what_would_be_refused() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let _serving = deployed.serve(&["--mode", "warn"]).await;
        let accepted = deployed.create(&privileged()).await;
        assert_eq!(accepted.status, StatusCode::CREATED, "{accepted:#?}");
        assert_eq!(accepted.body["spec"]["containers"][0]["securityContext"]["privileged"], true);
        let warnings = accepted.warnings();
        assert!(matches!(&warnings[..], [one] if one.contains(PRIVILEGED)), "{warnings:?}");
        // A workload is told of the pods that it would create.
        let deployment = rendered("examples/media-server")
            .into_iter()
            .find(|object| object["kind"] == "Deployment" && object["metadata"]["name"] == "qbittorrent");
        let warnings = deployed.apply(&deployment.expect("a Deployment")).await.warnings();
        let field = "spec.template.spec.containers[0].securityContext.privileged";
        assert!(warnings.iter().any(|warning| warning.contains(field)), "{warnings:?}");
    });
}

/// What a review of the first user's repository found and nothing repairs: refused until it is put right.
const FOUND: [&str; 4] = ["config-on-pvc", "ingress-tls-required", "no-empty-secrets", "storage-class-allowed"];

fn is_found(answer: &super::cluster::Answer) -> bool {
    FOUND.iter().any(|policy| message(answer).contains(&format!("ValidatingAdmissionPolicy '{policy}' ")))
}

#[test]
fn what_the_first_user_runs_is_accepted_once_its_images_are_pinned_but_for_what_a_review_found() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/k8s_nas");
    let directory = std::env::var_os("K8S_NAS").unwrap_or_else(|| beside.into());
    if !Path::new(&directory).exists() {
        return;
    }
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let params = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/params/k8s-nas.yaml");
        let params = objects(&std::fs::read_to_string(params).unwrap());
        for object in &params {
            deployed.apply(object).await;
        }
        let serving = deployed.serve(&["--mode", "enforce", "--profile", "media-server"]).await;
        let cached = serving.server.admin("/readyz").await.text();
        assert!(cached.contains("portcullis-system/gpu-device-access: 1 objects"), "{cached}");
        let mut manifests = manifests(Path::new(&directory));
        manifests.sort_by_key(|object| object["kind"] != "Namespace");
        let (mut applied, mut pods, mut found) = (0, 0, 0);
        for object in &mut manifests {
            pin(object);
            if object["kind"] != "Namespace" && object["metadata"]["namespace"].is_null() {
                object["metadata"]["namespace"] = json!(MEDIA);
            }
            let answer = deployed.try_apply(object).await;
            let refused = message(&answer).contains("admission webhook");
            assert!(!refused || is_found(&answer), "{} {}: {answer:#?}", object["kind"], object["metadata"]["name"]);
            found += usize::from(refused);
            applied += usize::from(answer.status.is_success());
            if object["kind"] == "Deployment" && object["metadata"]["namespace"] == MEDIA {
                let mut pod = pod_of(object);
                pod["metadata"]["namespace"] = object["metadata"]["namespace"].clone();
                let answer = deployed.dry_run(&pod).await;
                let accepted = answer.status.is_success();
                assert!(accepted || is_found(&answer), "{}: {answer:#?}", object["metadata"]["name"]);
                pods += usize::from(accepted);
            }
        }
        assert!(applied > 50 && pods > 8 && found > 0, "{applied} objects, {pods} pods, {found} found");
        let stored = deployed.dry_run(&jellyfin(&manifests)).await;
        let container = &stored.body["spec"]["containers"][0];
        assert_eq!(container["securityContext"]["privileged"], Value::Null, "{stored:#?}");
        assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], "1", "{stored:#?}");
        for object in &params {
            deployed.delete(object).await;
        }
    });
}

/// Every object of a kind that the cluster has itself; those of Argo CD are about other things.
fn manifests(directory: &Path) -> Vec<Value> {
    let walk = WalkBuilder::new(directory).standard_filters(false).sort_by_file_name(std::cmp::Ord::cmp).build();
    let files = walk.map(Result::unwrap);
    let yaml = files.filter(|file| file.path().extension().is_some_and(|extension| extension == "yaml"));
    let all = yaml.flat_map(|file| objects(&std::fs::read_to_string(file.path()).unwrap()));
    let of_cluster = |object: &Value| {
        let api_version = object["apiVersion"].as_str().unwrap_or_default();
        object["metadata"]["name"].is_string()
            && (!api_version.contains('.') || api_version.contains(".k8s.io/"))
            && !api_version.starts_with("kustomize")
    };
    all.filter(of_cluster).collect()
}

#[test]
fn what_changes_in_the_cluster_changes_the_verdict() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let policy = directory.path().join("policy.yaml");
        std::fs::write(&policy, format!("{ASKING}---{}", mutating("mark", PODS, MARK))).unwrap();
        let policy = policy.display().to_string();
        let flags = ["--mode", "enforce", "--no-embedded", "--policies", &policy];
        // Reading another ConfigMap takes a right that the deployment doesn't give.
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "e2e", "namespace": NAMESPACE},
            "rules": [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["e2e"],
                       "verbs": ["list", "watch"]}]});
        let account = json!([{"kind": "ServiceAccount", "name": "portcullis", "namespace": NAMESPACE}]);
        let binding = bind("RoleBinding", "Role", "e2e", Some(NAMESPACE), &account);
        deployed.apply(&role).await;
        deployed.apply(&binding).await;
        let config = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "e2e", "namespace": NAMESPACE}, "data": {"refused": "bad"}});
        deployed.apply(&config).await;
        let _serving = deployed.serve(&flags).await;

        // Params.
        let named = |name: &str| {
            let mut pod = harmless();
            pod["metadata"]["labels"] = json!({"e2e": name});
            pod
        };
        deployed.until_allowed(&named("bad"), false).await;
        assert!(deployed.dry_run(&named("good")).await.status.is_success());
        deployed
            .apply(&{
                let mut config = config.clone();
                config["data"]["refused"] = json!("good");
                config
            })
            .await;
        deployed.until_allowed(&named("bad"), true).await;
        deployed.until_allowed(&named("good"), false).await;
        deployed.delete(&config).await;
        deployed.until_allowed(&named("other"), false).await;
        let missing = deployed.dry_run(&named("other")).await;
        assert!(message(&missing).contains("no params found for policy binding"), "{missing:#?}");
        deployed.apply(&config).await;
        deployed.until_allowed(&named("other"), true).await;

        // Namespaces.
        let media = |labels: Value| {
            json!({"apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": MEDIA, "labels": labels, "annotations": {"e2e": "yes"}}})
        };
        deployed.apply(&media(json!({"e2e-frozen": "yes"}))).await;
        deployed.until_allowed(&named("other"), false).await;
        let frozen = deployed.dry_run(&named("other")).await;
        assert!(message(&frozen).ends_with("media is frozen: yes"), "{frozen:#?}");
        deployed.apply(&media(json!({}))).await;
        deployed.until_allowed(&named("other"), true).await;

        // Who may do what. Ann may create pods, and the policy asks whether she may delete them, too.
        let pods = |verbs: Value| {
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": "e2e-pods"}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": verbs}]})
        };
        let ann = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]);
        deployed.apply(&pods(json!(["create"]))).await;
        deployed.apply(&bind("ClusterRoleBinding", "ClusterRole", "e2e-pods", None, &ann)).await;
        let told = async |says: &str| {
            deployed
                .cluster
                .until(says, async || {
                    let answer = deployed.dry_run_as("ann", &named("asks")).await;
                    let text = if answer.status.is_success() { "allowed" } else { message(&answer) };
                    text.ends_with(says)
                })
                .await;
        };
        told("ann may not delete pods in media, and this is why: \"\"").await;
        deployed.apply(&pods(json!(["create", "delete"]))).await;
        told("allowed").await;

        // Without the right to ask, the answer is an error, which the failure policy denies.
        let (right, less) = Deployed::role_without("subjectaccessreviews");
        deployed.apply(&less).await;
        deployed
            .cluster
            .until("the check being an error", async || {
                let answer = deployed.dry_run_as("ann", &named("asks")).await;
                message(&answer)
                    .contains("resulted in error: the authorization check can't be made: subjectaccessreviews")
            })
            .await;
        assert!(
            deployed.dry_run_as("ann", &named("other")).await.status.is_success(),
            "who doesn't ask needs no answer"
        );
        deployed.apply(&right).await;
        told("allowed").await;
        deployed.delete(&config).await;
    });
}

/// Takes params, looks at the namespace, and asks who may do what.
const ASKING: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: asking}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  variables:
  - {name: label, expression: "object.metadata.?labels.e2e.orValue('')"}
  validations:
  - expression: variables.label == '' || variables.label != params.data.refused
    message: the params refuse it
  - expression: variables.label != 'asks' || authorizer.requestResource.check('delete').allowed()
    messageExpression: >-
      request.userInfo.username + ' may not delete pods in ' + request.namespace + ', and this is why: ""'
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: asking}
spec:
  policyName: asking
  validationActions: [Deny]
  paramRef: {name: e2e, namespace: portcullis-system, parameterNotFoundAction: Deny}
  matchResources:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: media}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: frozen}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {e2e-frozen: 'yes'}}
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  validations:
  - expression: 'false'
    messageExpression: "namespaceObject.metadata.name + ' is frozen: ' + namespaceObject.metadata.annotations.e2e"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: frozen}
spec: {policyName: frozen, validationActions: [Deny]}
"#;

/// Annotates pods.
const MARK: &str = "
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: \"Object{metadata: Object.metadata{annotations: {'e2e': 'seen'}}}\"}
";

fn bind(kind: &str, of: &str, role: &str, namespace: Option<&str>, subjects: &Value) -> Value {
    let mut binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": of, "name": role}, "subjects": subjects});
    if let Some(namespace) = namespace {
        binding["metadata"]["namespace"] = json!(namespace);
    }
    binding
}

#[test]
fn without_a_server_and_without_the_webhook_everything_is_as_before() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        let before = spec_of(&deployed, &jellyfin(&sample())).await;
        let serving = deployed.serve(&["--mode", "enforce"]).await;
        assert_ne!(spec_of(&deployed, &jellyfin(&sample())).await, before);
        deployed.until_allowed(&privileged(), false).await;

        // The server stops, and its configurations stay: failurePolicy Ignore.
        serving.server.signal("KILL");
        deployed.until_allowed(&privileged(), true).await;
        assert_eq!(spec_of(&deployed, &jellyfin(&sample())).await, before);
        drop(serving);

        let serving = deployed.serve(&["--mode", "enforce"]).await;
        deployed.until_allowed(&privileged(), false).await;
        // The configurations go, and the server stays.
        deployed.unregister().await;
        deployed.until_allowed(&privileged(), true).await;
        assert_eq!(spec_of(&deployed, &jellyfin(&sample())).await, before);
        assert_eq!(serving.server.admin("/readyz").await.status, StatusCode::OK);
    });
}

async fn spec_of(deployed: &Deployed, pod: &Value) -> Value {
    let answer = deployed.dry_run(pod).await;
    assert!(answer.status.is_success(), "{answer:#?}");
    answer.body["spec"].clone()
}
