//! Where the time of a request goes, measured without sockets.

use std::hint::black_box;
use std::time::Instant;

use portcullis::admission;
use portcullis::engine::{Context, Phase, PolicySet};
use portcullis::json::{Arena, Limits};
use portcullis::policy::{Exemptions, embedded, load};

use super::Result;

const TURNS: u32 = 20_000;

/// Prints what parsing, reviewing and answering cost.
pub fn report(body: &[u8]) -> Result<()> {
    let manifests: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    let loaded = load(&manifests, 36);
    let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
    let mut arena = Arena::new();
    let mut steps = [0.0; 3];
    // The first turns warm up.
    for turn in 0..TURNS + TURNS / 10 {
        let started = Instant::now();
        let request = admission::parse(&arena, body, &Limits::default())?;
        let parsed = started.elapsed();
        let context = Context { phase: Phase::Validate, ..Context::new(&arena) };
        let decision = set.review(&request, &context);
        let reviewed = started.elapsed();
        black_box(admission::write(&request, &decision));
        let answered = started.elapsed();
        drop(decision);
        arena.reset();
        if turn >= TURNS / 10 {
            for (step, time) in steps.iter_mut().zip([parsed, reviewed - parsed, answered - reviewed]) {
                *step += time.as_secs_f64() * 1e6 / f64::from(TURNS);
            }
        }
    }
    let [parse, review, answer] = steps;
    println!(
        "inside: parsing {parse:.1} µs, reviewing with {} policies {review:.1} µs, writing the answer {answer:.1} µs; the rest is TLS and HTTP",
        set.policies().len()
    );
    Ok(())
}
