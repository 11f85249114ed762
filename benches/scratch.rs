use portcullis::engine::{Context, GroupVersionKind, GroupVersionResource, Operation, Phase, PolicySet, Request};
use portcullis::json::{self, Arena, Limits, Value};
use portcullis::policy::{Exemptions, embedded, load};
use std::time::Instant;
const POD: &str = include_str!("data/pod-6k.json");
fn main() {
    if std::env::args().any(|a| a == "one") {
        return one();
    }
    let manifests: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    let mut rows = Vec::new();
    let all = measure(&manifests, Phase::Validate);
    for m in &manifests {
        let one = [m.clone()];
        let v = measure(&one, Phase::Validate);
        rows.push((v, m.file.clone()));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (v, n) in &rows {
        if *v > 0.3 {
            println!("{v:8.2} {n}");
        }
    }
    println!(
        "sum {:.1} all {all:.1} mutate {:.1}",
        rows.iter().map(|r| r.0).sum::<f64>(),
        measure(&manifests, Phase::Mutate)
    );
}
fn measure(manifests: &[portcullis::policy::Manifest], phase: Phase) -> f64 {
    let loaded = load(manifests, 36);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
    let document = Arena::new();
    let object = json::parse(&document, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null);
    let mut arena = Arena::with_capacity(64 * 1024);
    let mut best = f64::MAX;
    for _ in 0..300 {
        let t = Instant::now();
        for _ in 0..4 {
            let context = Context { phase, ..Context::new(&arena) };
            let allowed = set.review(&request(object), &context).allowed();
            std::hint::black_box(allowed);
            arena.reset();
        }
        best = best.min(t.elapsed().as_secs_f64() * 1e6 / 4.0);
    }
    best
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
fn one() {
    let only = std::env::args().nth(2).unwrap_or_default();
    let manifests: Vec<_> =
        embedded().iter().map(|entry| entry.manifest()).filter(|m| m.file.contains(&only)).collect();
    let loaded = load(&manifests, 36);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
    let document = Arena::new();
    let object = json::parse(&document, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null);
    let mut arena = Arena::with_capacity(64 * 1024);
    let n: usize = std::env::args().nth(3).map_or(20, |n| n.parse().unwrap());
    for _ in 0..n {
        iteration(&set, object, &mut arena);
    }
}
#[inline(never)]
fn iteration(set: &PolicySet, object: Value<'_>, arena: &mut Arena) {
    {
        let context = Context { phase: Phase::Validate, ..Context::new(arena) };
        std::hint::black_box(set.review(&request(object), &context).allowed());
    }
    arena.reset();
}

#[inline(never)]
fn warm(set: &PolicySet, object: Value<'_>, arena: &mut Arena) {
    {
        let context = Context { phase: Phase::Validate, ..Context::new(arena) };
        std::hint::black_box(set.review(&request(object), &context).allowed());
    }
    arena.reset();
    std::hint::black_box("warm");
}
