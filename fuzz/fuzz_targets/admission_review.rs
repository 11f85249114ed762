//! Bytes of an AdmissionReview through the whole way: parsed, judged by the shipped policies, answered.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use portcullis::admission;
use portcullis::engine::{Context, PolicySet};
use portcullis::json::{Arena, Limits};
use portcullis::policy::{Exemptions, embedded, load};

static POLICIES: LazyLock<PolicySet> = LazyLock::new(|| {
    let manifests: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    let loaded = load(&manifests, 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
});

fuzz_target!(|bytes: &[u8]| {
    let arena = Arena::new();
    let Ok(request) = admission::parse(&arena, bytes, &Limits::default()) else { return };
    let context = Context { deadline: Some(Instant::now() + Duration::from_secs(2)), ..Context::new(&arena) };
    let decision = POLICIES.review(&request, &context);
    let response = admission::write(&request, &decision);
    let answer: serde_json::Value = serde_json::from_slice(&response).expect("the answer is JSON");
    assert_eq!(answer["response"]["uid"], request.uid);
    assert_eq!(answer["response"]["allowed"], decision.allowed());
});
