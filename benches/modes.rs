//! What a request costs without sockets in each mode and at each endpoint: parsing, review with all shipped policies,
//! answer. A Pod and a Deployment, each as it should be and as mutating policies repair it.

#![allow(clippy::expect_used, missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::admission;
use portcullis::engine::{Context, Mode, Phase, PolicySet};
use portcullis::json::{Arena, Limits};
use portcullis::policy::{Exemptions, embedded, load};
use serde_json::{Value, json};

#[path = "support/reviews.rs"]
#[allow(dead_code, reason = "the reviews of objects as they are written are other benchmarks'")]
mod reviews;

/// Who asks.
const USER: &str =
    r#"{"username":"system:serviceaccount:argocd:argocd-application-controller","groups":["system:authenticated"]}"#;

fn modes(c: &mut Criterion) {
    let manifests: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    let loaded = load(&manifests, 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
    let endpoints = [
        ("validate-enforce", Phase::Validate, Mode::Enforce),
        ("validate-audit", Phase::Validate, Mode::Audit),
        ("validate-warn", Phase::Validate, Mode::Warn),
        ("mutate", Phase::Mutate, Mode::Enforce),
    ];
    let pod = pod();
    let bare = bare(&pod);
    let reviews = [
        ("pod", review("", "Pod", "pods", &pod)),
        ("pod-bare", review("", "Pod", "pods", &bare)),
        ("deployment", review("apps", "Deployment", "deployments", &deployment(&pod))),
        ("deployment-bare", review("apps", "Deployment", "deployments", &deployment(&bare))),
    ];
    let mut arena = Arena::with_capacity(64 * 1024);
    for (object, review) in &reviews {
        for (endpoint, phase, mode) in endpoints {
            c.bench_function(&format!("modes/{object}/{endpoint}"), |b| {
                b.iter(|| {
                    let request = admission::parse(&arena, review, &Limits::default()).expect("a review");
                    let context = Context { phase, mode, ..Context::new(&arena) };
                    let decision = set.review(&request, &context);
                    let answer = admission::write(&request, &decision);
                    drop(decision);
                    arena.reset();
                    answer.len()
                });
            });
        }
    }
}

/// The benchmarks' Pod as it is before it is stored.
fn pod() -> Value {
    let mut pod: Value = serde_json::from_str(include_str!("data/pod-6k.json")).expect("JSON");
    // What the API server's own plugin mounts is no part of a template.
    let is_token = |named: &Value| named["name"].as_str().is_some_and(|name| name.starts_with("kube-api-access-"));
    let lists = pod["spec"]["volumes"].as_array_mut().into_iter();
    lists.for_each(|volumes| volumes.retain(|volume| !is_token(volume)));
    for container in pod["spec"]["containers"].as_array_mut().expect("containers") {
        container["volumeMounts"].as_array_mut().expect("mounts").retain(|mount| !is_token(mount));
    }
    pod
}

/// The same without security contexts and resources, which mutating policies put in.
fn bare(pod: &Value) -> Value {
    let mut pod = pod.clone();
    let spec = pod["spec"].as_object_mut().expect("a spec");
    spec.remove("securityContext");
    for container in spec["containers"].as_array_mut().expect("containers") {
        container["resources"] = json!({});
        container.as_object_mut().expect("a container").remove("securityContext");
    }
    pod
}

fn deployment(pod: &Value) -> Value {
    let labels = &pod["metadata"]["labels"];
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "catalogue", "namespace": "library", "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": "catalogue"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": labels}, "spec": pod["spec"]},
        },
    })
}

fn review(group: &str, kind: &str, resource: &str, object: &Value) -> Vec<u8> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    reviews::review([group, kind, resource], name, "CREATE", USER, &object.to_string(), "null").into_bytes()
}

criterion_group!(benches, modes);
criterion_main!(benches);
