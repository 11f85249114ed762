//! Changes the text of the shipped policies at random, and asks whether the suites catch every change that makes a
//! difference to a generated pod. Knows nothing of `test --mutants`, whose claims it checks.
//!
//! `cargo test --test mutants -- [--count N] [--seed N] [--first N] [--show N]`. The count is that of changes; there are
//! five pods for each. It takes minutes unless it is optimized.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../standards/accepted.rs"]
mod accepted;
#[allow(dead_code)]
#[path = "../support/arguments.rs"]
mod arguments;
mod changes;
#[path = "../support/cores.rs"]
mod cores;
#[allow(dead_code)]
#[path = "../standards/findings.rs"]
mod findings;
#[allow(dead_code)]
#[path = "../standards/levels.rs"]
mod levels;
#[path = "../mutations/pods.rs"]
mod menus;
#[allow(dead_code)]
#[path = "../standards/pods.rs"]
mod pods;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod suites;
#[allow(dead_code)]
#[path = "../mutations/valid.rs"]
mod valid;
mod verdicts;
#[path = "../standards/volumes.rs"]
mod volumes;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use changes::{Changed, changed};
use cores::on_all_cores;
use portcullis::json::Arena;
use portcullis::policy::{Embedded, embedded};
use random::Random;
use verdicts::{Asked, Verdicts};

/// How many pods there are for each change.
const PODS: u64 = 5;

fn main() -> ExitCode {
    let arguments = match Arguments::read(2_000, false) {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    let started = Instant::now();
    let policies = embedded();
    let pods = arguments.count * PODS;
    let arena = Arena::new();
    let asked: Vec<_> = (0..pods).map(|number| Asked::new(&arena, arguments.seed, number)).collect();
    let (made, refused) = made(&arguments, &policies);
    let mut by_policy: BTreeMap<usize, Vec<Changed>> = BTreeMap::new();
    for changed in made {
        by_policy.entry(changed.policy).or_default().push(changed);
    }
    let by_policy: Vec<_> = by_policy.into_iter().collect();
    let judged = on_all_cores(&by_policy, |(policy, all)| judged(&policies[*policy], all, &asked));
    let (mut differing, mut missed) = (0, Vec::new());
    for judged in judged {
        differing += judged.differing;
        missed.extend(judged.missed);
    }
    for text in missed.iter().take(arguments.show) {
        println!("{text}\n");
    }
    println!(
        "{} changes to {} policies ({refused} more were refused), {pods} pods: {differing} change a verdict, the suites \
         catch {}; {:.0?}",
        arguments.count,
        by_policy.len(),
        differing - missed.len(),
        started.elapsed()
    );
    // Where nothing makes a difference, nothing is shown either.
    if missed.is_empty() && differing > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// As many changes as are wanted, none twice, and how many more were no policies any longer.
fn made(arguments: &Arguments, policies: &[Embedded]) -> (Vec<Changed>, usize) {
    let (mut made, mut refused) = (Vec::new(), 0);
    for number in arguments.first.. {
        if made.len() as u64 == arguments.count {
            break;
        }
        let mut random = Random::of_stream(arguments.seed.wrapping_add(1), number);
        let Some(changed) = changed(&mut random, policies) else { continue };
        if made.iter().any(|earlier: &Changed| (earlier.policy, &earlier.text) == (changed.policy, &changed.text)) {
            continue;
        }
        if verdicts::is_policy(&changed.text) {
            made.push(changed);
        } else {
            refused += 1;
        }
    }
    (made, refused)
}

/// What came of the changes to a policy.
struct Judged {
    /// How many change a verdict.
    differing: usize,
    /// Those that do, and that no case catches, as text.
    missed: Vec<String>,
}

fn judged(policy: &Embedded, all: &[Changed], asked: &[Asked<'_>]) -> Judged {
    let mut judged = Judged { differing: 0, missed: Vec::new() };
    let before = Verdicts::of(policy.policy, asked);
    for changed in all {
        let Some(pod) = before.first_difference(&changed.text, asked) else { continue };
        judged.differing += 1;
        if !suites::catch(policy, &changed.text) {
            judged.missed.push(format!("{}\n  {}", changed.description, asked[pod].description()));
        }
    }
    judged
}
