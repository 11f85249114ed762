//! Workloads that were there before the policies were, in a cluster with real controllers: what doesn't change their pod
//! template goes on, what changes it is judged, and who repairs one gets rid of its old pods.
//!
//! Nothing runs the pods, so the test says that they are ready, as a kubelet would.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::deployed::{Deployed, MEDIA};

const IMAGE: &str = "registry.example/web:1.0.0";

/// The spec of a pod that is privileged, or is not.
fn pod_spec(image: &str, privileged: bool) -> Value {
    json!({"containers": [{"name": "web", "image": image, "securityContext": {"privileged": privileged}}]})
}

/// An object of a kind that has a pod template, which is privileged.
fn workload(kind: &str) -> Value {
    let labels = json!({"app": kind.to_lowercase()});
    let mut spec = pod_spec(IMAGE, true);
    if matches!(kind, "Job" | "CronJob") {
        spec["restartPolicy"] = json!("Never");
    }
    let template = json!({"metadata": {"labels": labels}, "spec": spec});
    let selector = json!({"matchLabels": labels});
    let (api_version, spec) = match kind {
        "Job" => ("batch/v1", json!({"template": template})),
        "CronJob" => ("batch/v1", json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}})),
        "ReplicationController" => ("v1", json!({"replicas": 2, "selector": labels, "template": template})),
        "PodTemplate" => ("v1", Value::Null),
        "DaemonSet" => ("apps/v1", json!({"selector": selector, "template": template})),
        _ => ("apps/v1", json!({"replicas": 2, "selector": selector, "template": template})),
    };
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"namespace": MEDIA, "name": kind.to_lowercase()}});
    match kind {
        "PodTemplate" => object["template"] = template,
        _ => object["spec"] = spec,
    }
    object
}

/// The merge patch that writes another pod spec into a Deployment.
fn with_pod(spec: &Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

fn any(kind: &str) -> Value {
    let api_version = if kind == "Pod" { "v1" } else { "apps/v1" };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"namespace": MEDIA}})
}

/// The objects of a kind that carry the label of a workload.
async fn labelled(deployed: &Deployed, kind: &str, app: &str) -> Vec<Value> {
    let mut all = deployed.list(&any(kind)).await;
    all.retain(|object| object["metadata"]["labels"]["app"] == app);
    all
}

/// Says of each pod of a workload that it is ready.
async fn become_ready(deployed: &Deployed, app: &str) {
    let status = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    for mut pod in labelled(deployed, "Pod", app).await {
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        // A pod may be gone by now.
        deployed.patch(&pod, "/status", &json!({"status": status})).await;
    }
}

/// Accepted, and without a word.
async fn goes_on(deployed: &Deployed, object: &Value, subresource: &str, patch: Value) {
    let answer = deployed.patch(object, subresource, &patch).await;
    assert!(answer.status.is_success() && answer.warnings().is_empty(), "{} {patch}: {answer:#?}", object["kind"]);
}

async fn is_refused(deployed: &Deployed, object: &Value, patch: Value, field: &str) {
    let answer = deployed.patch(object, "", &patch).await;
    let message = answer.body["message"].as_str().unwrap_or_default();
    assert!(answer.status.is_client_error() && message.contains(field), "{} {patch}: {answer:#?}", object["kind"]);
}

#[test]
fn what_was_there_before_the_policies_goes_on_and_can_be_repaired() {
    let deployed = &Deployed::new(Cluster::with_controllers());
    deployed.cluster.block_on(async {
        let kinds = [
            "Deployment",
            "StatefulSet",
            "DaemonSet",
            "ReplicaSet",
            "ReplicationController",
            "Job",
            "CronJob",
            "PodTemplate",
        ];
        let all = kinds.map(workload);
        for object in &all {
            let created = deployed.create(object).await;
            assert_eq!(created.status, StatusCode::CREATED, "{created:#?}");
        }
        let [deployment, stateful, _, replicas, controller, job, cron_job, _] = &all;
        let until_available = async |count: u64| {
            deployed
                .cluster
                .until("the Deployment being available", async || {
                    become_ready(deployed, "deployment").await;
                    let status = deployed.get(deployment).await.body["status"].clone();
                    status["availableReplicas"] == count && status["replicas"] == count
                })
                .await;
        };
        until_available(2).await;
        let old = labelled(deployed, "ReplicaSet", "deployment").await.remove(0);

        let _serving = deployed.serve(&["--mode", "enforce"]).await;
        // Everything is refused when it is made, now.
        for object in &all {
            let mut another = object.clone();
            another["metadata"]["name"] = json!("another");
            let answer = deployed.dry_run(&another).await;
            let message = answer.body["message"].as_str().unwrap_or_default();
            assert!(message.contains("containers[0].securityContext.privileged"), "{answer:#?}");
        }

        // What is there can be noted, labelled, kept from deletion, suspended, scaled.
        for object in &all {
            let metadata =
                json!({"labels": {"team": "x"}, "annotations": {"note": "y"}, "finalizers": ["example.com/e2e"]});
            goes_on(deployed, object, "", json!({"metadata": metadata})).await;
            goes_on(deployed, object, "", json!({"metadata": {"finalizers": null}})).await;
        }
        for object in [job, cron_job] {
            goes_on(deployed, object, "", json!({"spec": {"suspend": true}})).await;
        }
        for object in [stateful, replicas, controller] {
            goes_on(deployed, object, "", json!({"spec": {"replicas": 0}})).await;
        }
        goes_on(deployed, deployment, "/scale", json!({"spec": {"replicas": 3}})).await;
        // The controller of Deployments scales the ReplicaSet, which makes no pod that a policy refuses.
        let scaled = async |replicas: u64| {
            let mut set = old.clone();
            set["apiVersion"] = json!("apps/v1");
            set["kind"] = json!("ReplicaSet");
            deployed
                .cluster
                .until("the ReplicaSet being scaled", async || {
                    become_ready(deployed, "deployment").await;
                    deployed.get(&set).await.body["spec"]["replicas"] == replicas
                })
                .await;
        };
        scaled(3).await;
        goes_on(deployed, deployment, "", json!({"spec": {"replicas": 1}})).await;
        scaled(1).await;
        until_available(1).await;

        // A changed template is judged.
        let field = "spec.template.spec.containers[0].securityContext.privileged";
        is_refused(deployed, deployment, with_pod(&pod_spec("registry.example/web:1.0.1", true)), field).await;
        let moving = "spec.template.spec.containers[0].image";
        is_refused(deployed, deployment, with_pod(&pod_spec("registry.example/web", false)), moving).await;

        // The repair rolls out, and the old pods go.
        goes_on(deployed, deployment, "", with_pod(&pod_spec(IMAGE, false))).await;
        scaled(0).await;
        until_available(1).await;
        deployed
            .cluster
            .until("the old pods being gone", async || {
                let pods = labelled(deployed, "Pod", "deployment").await;
                pods.len() == 1 && pods[0]["spec"]["containers"][0]["securityContext"]["privileged"] != true
            })
            .await;
        let sets = labelled(deployed, "ReplicaSet", "deployment").await;
        assert_eq!(sets.len(), 2, "{sets:#?}");

        // What was there can go, too, when others have to go first.
        let foreground = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"});
        for object in &all {
            deployed.delete_with(object, &foreground).await;
        }
        for object in &all {
            let what = format!("the {} being gone", object["kind"]);
            deployed.cluster.until(&what, async || !deployed.has(object).await).await;
        }
    });
}
