//! Asks the engine in-process what the API server asked the recorder.

use std::collections::BTreeMap;

use portcullis::admission::{offline::KnownNamespaces, parse};
use portcullis::engine::{Context, Mode, Phase, PolicySet};
use portcullis::json::{self, Arena, Limits};
use portcullis::policy::{Exemptions, Manifest, load};
use serde_json::Value;

use super::outcome::Outcome;
use super::recorder::Recorder;
use super::run::{Case, cases};
use super::suite::{Suite, manifests};

/// Evaluation is recursive where expressions are; debug builds need the most.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// What the engine decides about each request that reached admission.
pub fn review_all(suites: &[Suite], recorder: &Recorder, namespaces: &Value) -> BTreeMap<Case, Outcome> {
    let manifest = Manifest::new("policies.yaml", manifests(suites));
    let loaded = load(&[manifest], 36);
    assert!(loaded.errors.is_empty(), "{:#?}", loaded.errors);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
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
    let context = Context { phase, mode: Mode::Enforce, namespaces: known, defaulting: false, ..Context::new(&arena) };
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
