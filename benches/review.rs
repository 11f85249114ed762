//! What a review of one Pod costs with all shipped policies loaded: matching, evaluation and decision, without parsing.

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::engine::{Context, GroupVersionKind, GroupVersionResource, Operation, Phase, PolicySet, Request};
use portcullis::json::{self, Arena, Limits, Value};
use portcullis::policy::{Exemptions, embedded, load};

const POD: &str = include_str!("data/pod-6k.json");

fn review(c: &mut Criterion) {
    let manifests: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    let loaded = load(&manifests, 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
    for (name, phase) in [("validate", Phase::Validate), ("mutate", Phase::Mutate)] {
        let document = Arena::new();
        let object = json::parse(&document, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null);
        let mut arena = Arena::with_capacity(64 * 1024);
        c.bench_function(&format!("review/{name}"), |b| {
            b.iter(|| {
                let context = Context { phase, ..Context::new(&arena) };
                let allowed = set.review(&request(object), &context).allowed();
                arena.reset();
                allowed
            });
        });
    }
}

fn request(object: Value<'_>) -> Request<'_> {
    let kind = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
    let resource = GroupVersionResource { group: "", version: "v1", resource: "pods" };
    Request {
        uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
        kind,
        resource,
        sub_resource: "",
        request_kind: kind,
        request_resource: resource,
        request_sub_resource: "",
        name: "",
        namespace: "media",
        operation: Operation::Create,
        user_info: Value::Null,
        object,
        old_object: Value::Null,
        options: Value::Null,
        dry_run: false,
    }
}

criterion_group!(benches, review);
criterion_main!(benches);
