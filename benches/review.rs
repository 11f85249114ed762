//! What reviews of a Pod and of a Deployment that creates it cost with all shipped policies loaded, and with each policy
//! alone: matching, evaluation and decision, without parsing. A policy that evaluates nothing for either isn't listed.

#![expect(clippy::panic, reason = "a benchmark that can't begin says why")]

use std::cell::Cell;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::admission;
use portcullis::engine::{Context, Observer, Outcome, Phase, Place, PolicySet, Request};
use portcullis::json::{Arena, Limits};
use portcullis::policy::{Embedded, Exemptions, embedded, load};

#[path = "support/reviews.rs"]
#[allow(dead_code, reason = "updates are the server's benchmark's")]
mod reviews;

const PHASES: [(&str, Phase); 2] = [("validate", Phase::Validate), ("mutate", Phase::Mutate)];

fn whole_bundle(c: &mut Criterion) {
    let set = policies(&embedded());
    for (about, body) in bodies() {
        let document = Arena::new();
        let request = parse(&document, &body);
        for (name, phase) in PHASES {
            c.bench_function(&format!("review/{name}/{about}"), |b| review(b, &set, &request, phase));
        }
    }
}

fn each_policy(c: &mut Criterion) {
    let mut group = c.benchmark_group("policy");
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(800)).sample_size(20);
    for entry in embedded() {
        let set = policies(&[entry]);
        for (about, body) in bodies() {
            let document = Arena::new();
            let request = parse(&document, &body);
            for (name, phase) in PHASES {
                if evaluates(&set, &request, phase) {
                    group
                        .bench_function(format!("{}/{name}/{about}", entry.name), |b| review(b, &set, &request, phase));
                }
            }
        }
    }
    group.finish();
}

fn review(b: &mut criterion::Bencher<'_>, set: &PolicySet, request: &Request<'_>, phase: Phase) {
    let mut arena = Arena::with_capacity(64 * 1024);
    b.iter(|| {
        let allowed = set.review(request, &Context { phase, ..Context::new(&arena) }).allowed();
        arena.reset();
        allowed
    });
}

fn policies(entries: &[Embedded]) -> PolicySet {
    let manifests: Vec<_> = entries.iter().map(Embedded::manifest).collect();
    let loaded = load(&manifests, 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
}

fn bodies() -> [(&'static str, String); 2] {
    let deployment = reviews::create_deployment().unwrap_or_else(|error| panic!("the Deployment: {error}"));
    [("pod", reviews::create_pod()), ("deployment", deployment)]
}

fn parse<'a>(arena: &'a Arena, body: &'a str) -> Request<'a> {
    let parsed = admission::parse(arena, body.as_bytes(), &Limits::default());
    parsed.unwrap_or_else(|error| panic!("the review: {error}"))
}

/// Whether any expression is evaluated for a request.
fn evaluates(set: &PolicySet, request: &Request<'_>, phase: Phase) -> bool {
    #[derive(Debug, Default)]
    struct Seen(Cell<bool>);
    impl Observer for Seen {
        fn evaluated(&self, _policy: &str, _place: Place, _outcome: Outcome) {
            self.0.set(true);
        }
    }
    let (seen, arena) = (Seen::default(), Arena::new());
    drop(set.review(request, &Context { phase, observer: Some(&seen), ..Context::new(&arena) }));
    seen.0.get()
}

criterion_group!(benches, whole_bundle, each_policy);
criterion_main!(benches);
