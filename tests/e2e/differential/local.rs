//! Asks the engine in-process what the API server asked the recorder.

use std::collections::BTreeMap;

use hyper::Method;
use portcullis::admission::{offline::KnownNamespaces, parse};
use portcullis::cel;
use portcullis::cel::authorization::{Answer, Authorizer, Check, Resource, Target};
use portcullis::engine::{Context, Mode, Phase, PolicySet};
use portcullis::json::{self, Arena, Limits};
use portcullis::policy::{Exemptions, Manifest, defined_kinds, load};
use serde_json::{Value, json as value};

use super::super::cluster::CLUSTER;
use super::api::definitions;
use super::outcome::Outcome;
use super::recorder::Recorder;
use super::run::{Case, cases};
use super::suite::{Suite, list, manifests};

/// Evaluation is recursive where expressions are; debug builds need the most.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// What the engine decides about each request that reached admission.
pub fn review_all(suites: &[Suite], recorder: &Recorder, namespaces: &Value) -> BTreeMap<Case, Outcome> {
    let manifest = Manifest::new("policies.yaml", manifests(suites));
    let loaded = load(&[manifest], 36);
    assert!(loaded.errors.is_empty(), "{:#?}", loaded.errors);
    let kinds = defined_kinds([&Manifest::new("definitions.yaml", list(&definitions()))].into_iter());
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default()).with_kinds(kinds);
    let known = known(namespaces);
    let review_all = || {
        let known = cases(suites).filter_map(|(case, _)| {
            let outcome = judged(&set, &known, recorder.review(&case, true)?, recorder.review(&case, false));
            Some((case, outcome))
        });
        known.collect()
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, review_all);
        thread.expect("a thread").join().expect("reviews without panic")
    })
}

/// Why Portcullis refuses one of a suite's policies or bindings, if it does.
pub fn refusal(suite: &Suite) -> Option<String> {
    let loaded = load(&[Manifest::new("policies.yaml", manifests(std::slice::from_ref(suite)))], 36);
    loaded.errors.first().map(ToString::to_string)
}

/// As the API server does: what was mutated is defaulted and prepared for storage, then validated.
fn judged(set: &PolicySet, known: &KnownNamespaces, mutate: Vec<u8>, validate: Option<Vec<u8>>) -> Outcome {
    let mutated = review(set, known, Phase::Mutate, &mutate);
    match validate {
        Some(body) if mutated.denied.is_none() => {
            let validated = review(set, known, Phase::Validate, &body);
            let object = if validated.denied.is_none() { mutated.object } else { Value::Null };
            Outcome { object, ..validated }
        }
        _ => mutated,
    }
}

fn review(set: &PolicySet, known: &KnownNamespaces, phase: Phase, body: &[u8]) -> Outcome {
    let arena = Arena::new();
    let request = parse(&arena, body, &Limits::default()).expect("the API server's own review");
    let context = Context {
        phase,
        mode: Mode::Enforce,
        namespaces: known,
        authorizer: Some(&ClusterAuthorizer),
        defaulting: false,
        ..Context::new(&arena)
    };
    let decision = set.review(&request, &context);
    let object = serde_json::from_str(&json::to_json(request.object)).expect("JSON");
    Outcome::of_decision(&decision, object)
}

fn known(namespaces: &Value) -> KnownNamespaces {
    let mut known = KnownNamespaces::default();
    for namespace in namespaces["items"].as_array().unwrap() {
        let (text, arena) = (namespace.to_string(), Arena::new());
        known.learn(json::parse(&arena, text.as_bytes(), &Limits::default()).expect("JSON"));
    }
    known
}

/// Asks the API server, without Portcullis's own client.
#[derive(Debug)]
struct ClusterAuthorizer;

impl Authorizer for ClusterAuthorizer {
    fn authorize(&self, check: &Check<'_>) -> Result<Answer, cel::Error> {
        let mut spec: Value = serde_json::from_str(&json::to_json(check.user)).expect("JSON");
        spec["user"] = spec["username"].take();
        spec.as_object_mut().expect("a user").remove("username");
        match check.target {
            Target::Path(path) => spec["nonResourceAttributes"] = value!({"path": path, "verb": check.verb}),
            Target::Resource(Resource {
                group,
                resource,
                subresource,
                namespace,
                name,
                field_selector,
                label_selector,
            }) => {
                let mut asked = value!({"group": group, "version": "*", "resource": resource,
                    "subresource": subresource, "namespace": namespace, "name": name, "verb": check.verb});
                for (field, selector) in [("fieldSelector", field_selector), ("labelSelector", label_selector)] {
                    if !selector.is_empty() {
                        asked[field] = value!({"rawSelector": selector});
                    }
                }
                spec["resourceAttributes"] = asked;
            }
        }
        let review = value!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        let status = CLUSTER.block_on(CLUSTER.request(Method::POST, path, &review)).body["status"].take();
        let text = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        // A selector that can't be read is left aside; to expressions that is no error.
        let unread = ["fieldSelector", "labelSelector"]
            .map(|selector| format!("spec.resourceAttributes.{selector} ignored due to parse error"));
        let error = Some(text("evaluationError")).filter(|error| !error.is_empty() && !unread.contains(error));
        Ok(Answer { allowed: status["allowed"] == true, reason: text("reason"), error })
    }
}
