//! Gives upstream's own evaluators and our policies the same generated pods, image references and paths, and prints
//! where they differ.
//!
//! `cargo test --test standards -- [--count N] [--seed N] [--first N] [--show N]`; needs the program of
//! `tests/standards`. The count is that of pods, each of which is compared at every level; of references and paths there
//! are half as many.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod accepted;
#[allow(dead_code)]
#[path = "../support/arguments.rs"]
mod arguments;
mod audited;
#[path = "../support/cores.rs"]
mod cores;
mod findings;
mod levels;
mod paths;
mod pods;
#[path = "../support/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod references;
mod shrink;
mod volumes;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use cores::on_all_cores;
use findings::policies;
use levels::{Answer, Seen, differences, ours, unpaired};
use pods::{Case, case};
use portcullis::engine::PolicySet;
use program::{Program, built};
use serde_json::{Value, json};

/// Where a ready program is named.
const VARIABLE: &str = "PORTCULLIS_STANDARDS";

/// How many pods are asked about at once.
const BATCH: u64 = 1000;

fn main() -> ExitCode {
    let arguments = match Arguments::read(20_000, false) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let mut upstream = Program::start(&built("standards", VARIABLE), &[]);
    let Arguments { count, seed, show, .. } = arguments;
    let held = [
        compare_pods(&arguments, &mut upstream),
        audited::compare(seed, &mut upstream),
        references::compare(count / 2, seed, show, &mut upstream),
        paths::compare(count / 2, seed, show, &mut upstream),
    ];
    if held.iter().all(|held| *held) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether all pods are judged alike.
fn compare_pods(arguments: &Arguments, upstream: &mut Program) -> bool {
    let started = Instant::now();
    let policies = policies("policies/pod-security", &[]);
    let (checks, ()) = upstream.answers(&[json!({"checks": true}).to_string()], || ());
    let unpaired = unpaired(&checks[0], &policies);
    unpaired.iter().for_each(|missing| println!("{missing}"));
    let mut seen = Seen::default();
    let mut refused = 0;
    let mut kinds: BTreeMap<String, (u64, Vec<Case>)> = BTreeMap::new();
    let last = arguments.first + arguments.count;
    for first in (arguments.first..last).step_by(BATCH as usize) {
        let cases: Vec<_> = (first..last.min(first + BATCH)).map(|number| case(arguments.seed, number)).collect();
        for (case, (answer, theirs)) in cases.iter().zip(answers(upstream, &policies, &cases)) {
            seen.add(&theirs);
            let differences = differences(case, &answer, &theirs);
            refused += u64::from(differences.refused);
            for kind in differences.unexplained {
                let (count, examples) = kinds.entry(kind).or_default();
                *count += 1;
                if examples.len() < arguments.show {
                    examples.push(case.clone());
                }
            }
        }
    }
    for (kind, (count, examples)) in &kinds {
        println!("\n{kind}: {count}");
        for case in examples {
            let smallest = shrink::shrunk(case, |case| {
                let (answer, theirs) = answers(upstream, &policies, std::slice::from_ref(case)).remove(0);
                differences(case, &answer, &theirs).unexplained.contains(kind)
            });
            println!("  #{} {:?} {}", smallest.number, smallest.way, smallest.pod);
        }
    }
    let (lines, both) = seen.lines();
    lines.iter().for_each(|line| println!("{line}"));
    if !both {
        println!("too few pods, or too much alike: something was always allowed, or always forbidden");
    }
    println!("{} pods in {:.0?}; {refused} differ that no API server accepts", arguments.count, started.elapsed());
    kinds.is_empty() && unpaired.is_empty() && both
}

/// What ours and upstream's say of each pod.
fn answers(upstream: &mut Program, policies: &PolicySet, cases: &[Case]) -> Vec<(Answer, Value)> {
    let questions: Vec<_> = cases.iter().map(|case| json!({ "pod": case.pod }).to_string()).collect();
    let (theirs, ours) = upstream.answers(&questions, || on_all_cores(cases, |case| ours(policies, case)));
    ours.into_iter().zip(theirs).collect()
}
