//! The shipped mutating policies, tried on generated pods: in every order, again and again, with the params of several
//! clusters. What doesn't hold is shown with the smallest pod that shows it.
//!
//! `cargo test --test mutations -- [--count N] [--seed N] [--first N]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod changes;
mod owned;
mod pods;
mod policies;
mod properties;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod shrink;
mod valid;

use std::collections::BTreeMap;
use std::process::ExitCode;

use policies::{MUTATING, Policies, Profile, profiles};
use properties::{Seen, check};
use random::Random;
use serde_json::Value;

/// The arguments, with what plain `cargo test` runs as defaults.
struct Arguments {
    count: u64,
    seed: u64,
    /// The number of the first pod, to see one again.
    first: u64,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => return ExitCode::SUCCESS,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    let trial = Trial { policies: Policies::load(), profiles: profiles(), seed: arguments.seed };
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get() as u64);
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| {
                let numbers = (arguments.first + thread..arguments.first + arguments.count).step_by(threads as usize);
                scope.spawn(|| trial.tally(numbers))
            })
            .collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let tally = tallies.into_iter().fold(Tally::default(), Tally::and);
    for (kind, (_, number)) in &tally.failed {
        trial.show(*kind, *number);
    }
    tally.finish()
}

/// What doesn't hold, and of which policy.
type Kind = (&'static str, &'static str);

/// The policies, the clusters and the pods.
struct Trial {
    policies: Policies,
    profiles: Vec<Profile>,
    seed: u64,
}

impl Trial {
    /// The pod of a number, and the cluster that it is created in.
    fn pod(&self, number: u64) -> (&Profile, Value) {
        let mut random = Random::of_stream(self.seed, number);
        let profile = random.of(&self.profiles);
        (profile, pods::pod(&mut random))
    }

    fn tally(&self, numbers: impl Iterator<Item = u64>) -> Tally {
        let mut tally = Tally::default();
        for number in numbers {
            let (profile, pod) = self.pod(number);
            tally.pods += 1;
            match check(&self.policies, profile, &pod) {
                Ok(seen) => tally.stood(&seen),
                Err(failure) => tally.failed((failure.property, failure.policy), 1, number),
            }
        }
        tally
    }

    /// Shows a failure by as small a pod as shows it, too.
    fn show(&self, kind: Kind, number: u64) {
        let (profile, pod) = self.pod(number);
        let refusals = |pod: &Value| valid::refusals(&policies::completed(pod));
        let before = refusals(&pod);
        // What remains is no worse a pod than it was.
        let small = shrink::shrink(pod, |smaller| {
            smaller["metadata"]["namespace"].is_string()
                && refusals(smaller).iter().all(|refusal| before.contains(refusal))
                && check(&self.policies, profile, smaller)
                    .is_err_and(|failure| (failure.property, failure.policy) == kind)
        });
        let failure = check(&self.policies, profile, &small).err();
        println!("pod {number}, params {:?}: it doesn't hold that {} {}", profile.file, kind.0, kind.1);
        println!("  {small}\n  {}\n", failure.map(|failure| failure.text).unwrap_or_default().replace('\n', "\n  "));
    }
}

#[derive(Default)]
struct Tally {
    pods: u64,
    acceptable: u64,
    changed_by: [u64; MUTATING.len()],
    /// How many pods fail, and the number of the first of them.
    failed: BTreeMap<Kind, (u64, u64)>,
}

impl Tally {
    fn stood(&mut self, seen: &Seen) {
        self.acceptable += u64::from(seen.is_acceptable);
        for (count, is_changed) in self.changed_by.iter_mut().zip(seen.changed_by) {
            *count += u64::from(is_changed);
        }
    }

    fn failed(&mut self, kind: Kind, pods: u64, number: u64) {
        let (count, first) = self.failed.entry(kind).or_insert((0, number));
        *count += pods;
        *first = number.min(*first);
    }

    fn and(mut self, other: Self) -> Self {
        self.pods += other.pods;
        self.acceptable += other.acceptable;
        for (count, more) in self.changed_by.iter_mut().zip(other.changed_by) {
            *count += more;
        }
        for (kind, (pods, number)) in other.failed {
            self.failed(kind, pods, number);
        }
        self
    }

    fn finish(self) -> ExitCode {
        println!("{} pods, {} of them acceptable as they are", self.pods, self.acceptable);
        for (policy, count) in MUTATING.iter().zip(self.changed_by) {
            println!("{count:8} changed by {policy}");
        }
        for ((property, policy), (count, _)) in &self.failed {
            println!("{count:8} FAILED: {property} {policy}");
        }
        // A test of pods that hardly anybody accepts, or that a policy never changes, shows nothing.
        let shows = self.acceptable * 2 > self.pods && self.changed_by.iter().all(|count| count * 50 > self.pods);
        if self.pods >= 1000 && !shows {
            println!("the pods are too few of a kind to show anything");
            return ExitCode::FAILURE;
        }
        if self.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// The arguments; none where `cargo test` asks for other tests alone.
fn arguments() -> Result<Option<Arguments>, String> {
    /// Options of Rust's own test harness that take a value.
    const HARNESS: [&str; 6] = ["--test-threads", "--skip", "--color", "--format", "--logfile", "--shuffle-seed"];
    let mut arguments = Arguments { count: 1_000, seed: 1, first: 0 };
    let mut given = std::env::args().skip(1);
    let mut is_asked = true;
    while let Some(argument) = given.next() {
        let field = match argument.as_str() {
            "--count" => &mut arguments.count,
            "--seed" => &mut arguments.seed,
            "--first" => &mut arguments.first,
            "--list" => return Ok(None),
            option if HARNESS.contains(&option) => {
                given.next();
                continue;
            }
            option if option.starts_with('-') => continue,
            // A part of a name, as `cargo test NAME` passes it to every test program.
            filter => {
                is_asked = "mutations".contains(filter);
                continue;
            }
        };
        *field =
            given.next().and_then(|value| value.parse().ok()).ok_or_else(|| format!("{argument} needs a number"))?;
    }
    Ok(is_asked.then_some(arguments))
}
