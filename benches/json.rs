//! Parsing an AdmissionReview of 7 KB, against `serde_json::Value`; writing, patching and comparing the Pod in it.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis::json::{Arena, Limits, Operation, Patch, PatchLimits, Value, diff, parse, to_json, yaml};

const REVIEW: &str = include_str!("data/review-7k.json");
const POD: &str = include_str!("data/pod-6k.json");

fn parsing(c: &mut Criterion) {
    let mut group = c.benchmark_group("json/parse");
    for (name, text) in [("review-7k", REVIEW), ("pod-6k", POD)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        // As the server does: one arena, reset after each request.
        let mut arena = Arena::with_capacity(64 << 10);
        group.bench_function(format!("{name}/portcullis"), |b| {
            b.iter(|| {
                arena.reset();
                black_box(parse(&arena, black_box(text.as_bytes()), &Limits::default()).is_ok())
            });
        });
        group.bench_function(format!("{name}/serde_json"), |b| {
            b.iter(|| black_box(serde_json::from_slice::<serde_json::Value>(black_box(text.as_bytes())).is_ok()));
        });
    }
    group.finish();
}

fn working(c: &mut Criterion) {
    let arena = Arena::new();
    let pod = parse(&arena, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null);
    let patch = Patch::from(vec![
        Operation::new("replace", "/spec/containers/0/securityContext/privileged").with_value(Value::Bool(true)),
        Operation::new("add", "/spec/containers/1/env/-").with_value(Value::Object(Default::default())),
        Operation::new("remove", "/spec/volumes/1"),
    ]);
    let patched = patch.apply(&arena, pod, &PatchLimits::default()).unwrap_or(Value::Null);
    let text = yaml::to_yaml(pod);

    let mut group = c.benchmark_group("json/pod-6k");
    group.bench_function("write", |b| b.iter(|| black_box(to_json(black_box(pod)))));
    group.bench_function("patch", |b| {
        let mut arena = Arena::new();
        b.iter(|| {
            arena.reset();
            black_box(patch.apply(&arena, pod, &PatchLimits::default()).is_ok())
        });
    });
    group.bench_function("diff", |b| b.iter(|| black_box(diff(black_box(pod), black_box(patched)))));
    group.bench_function("read-yaml", |b| b.iter(|| black_box(yaml::documents(&Arena::new(), &text).len())));
    group.finish();
}

criterion_group!(benches, parsing, working);
criterion_main!(benches);
