//! The tasks that instructions are counted of.

use std::hint::black_box;

use portcullis::admission;
use portcullis::engine::{Context, Mode, Phase, PolicySet};
use portcullis::json::{self, Arena, Limits, Value, yaml};
use portcullis::policy::{Embedded, Exemptions, embedded, load};

use super::{Result, reviews};

const POD: &str = include_str!("../data/pod-6k.json");

/// Something that is done again and again.
pub struct Task {
    /// What the figures call it.
    pub name: &'static str,
    /// How many times it is done before it counts.
    pub warm_up: u32,
    /// How many times it is counted.
    pub times: u32,
    /// Does it so many times.
    pub perform: fn(u32) -> Result<()>,
}

/// All of them. A review is judged with the whole bundle, from bytes to bytes.
pub const TASKS: [Task; 9] = [
    Task { name: "start", warm_up: 0, times: 1, perform: start },
    Task { name: "parse review of 7 KB", warm_up: 20, times: 100, perform: parse },
    Task { name: "read YAML of 6 KB", warm_up: 5, times: 20, perform: read_yaml },
    Task { name: "validate Pod, audit", warm_up: 2, times: 5, perform: validate_pod::<0> },
    Task { name: "validate Pod, enforce", warm_up: 2, times: 5, perform: validate_pod::<1> },
    Task { name: "mutate Pod, audit", warm_up: 2, times: 5, perform: mutate_pod::<0> },
    Task { name: "mutate Pod, enforce", warm_up: 2, times: 5, perform: mutate_pod::<1> },
    Task { name: "validate Deployment, audit", warm_up: 2, times: 5, perform: validate_deployment::<0> },
    Task { name: "validate Deployment, enforce", warm_up: 2, times: 5, perform: validate_deployment::<1> },
];

/// By the tasks' parameter: a function's address takes no mode.
const MODES: [Mode; 2] = [Mode::Audit, Mode::Enforce];

fn start(times: u32) -> Result<()> {
    for _ in 0..times {
        black_box(policies()?);
    }
    Ok(())
}

fn parse(times: u32) -> Result<()> {
    let body = reviews::create_pod();
    let mut arena = Arena::new();
    for _ in 0..times {
        black_box(json::parse(&arena, black_box(body.as_bytes()), &Limits::default())?);
        arena.reset();
    }
    Ok(())
}

fn read_yaml(times: u32) -> Result<()> {
    let arena = Arena::new();
    let text = yaml::to_yaml(json::parse(&arena, POD.as_bytes(), &Limits::default()).unwrap_or(Value::Null));
    let mut arena = Arena::new();
    for _ in 0..times {
        black_box(yaml::documents(&arena, black_box(&text)).len());
        arena.reset();
    }
    Ok(())
}

fn validate_pod<const MODE: usize>(times: u32) -> Result<()> {
    review(times, &reviews::create_pod(), Phase::Validate, MODES[MODE])
}

fn mutate_pod<const MODE: usize>(times: u32) -> Result<()> {
    review(times, &reviews::create_pod(), Phase::Mutate, MODES[MODE])
}

fn validate_deployment<const MODE: usize>(times: u32) -> Result<()> {
    review(times, &reviews::create_deployment()?, Phase::Validate, MODES[MODE])
}

fn review(times: u32, body: &str, phase: Phase, mode: Mode) -> Result<()> {
    let set = policies()?;
    let mut arena = Arena::new();
    for _ in 0..times {
        let request = admission::parse(&arena, black_box(body.as_bytes()), &Limits::default())?;
        let decision = set.review(&request, &Context { phase, mode, ..Context::new(&arena) });
        black_box(admission::write(&request, &decision));
        drop(decision);
        arena.reset();
    }
    Ok(())
}

fn policies() -> Result<PolicySet> {
    let manifests: Vec<_> = embedded().iter().map(Embedded::manifest).collect();
    let loaded = load(&manifests, 36);
    match loaded.errors.first() {
        Some(error) => Err(error.to_string().into()),
        None => Ok(PolicySet::new(loaded.policies, loaded.params, Exemptions::default())),
    }
}
