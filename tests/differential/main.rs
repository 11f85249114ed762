//! Asks Kubernetes' own CEL and ours the same generated questions, and prints where they differ.
//!
//! `cargo test --test differential -- [--count N] [--seed N] [--first N] [--show N]`; needs the oracle of `tests/oracle`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod compare;
mod explained;
mod generate;
mod grammar;
mod inputs;
mod literals;
#[path = "../support/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../support/random.rs"]
mod random;
mod report;
mod session;
mod texts;
mod tree;
mod types;

use std::process::ExitCode;

/// The arguments, with what continuous integration runs as defaults.
struct Arguments {
    count: u64,
    seed: u64,
    /// The number of the first case, to see one again.
    first: u64,
    /// How many differences of each kind are cut down and shown.
    show: usize,
}

/// How many questions are asked at once.
const BATCH: u64 = 500;

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(message) => {
            println!("{message}");
            return ExitCode::from(2);
        }
    };
    let productions = grammar::productions();
    let mut session = session::Session::start();
    let mut report = report::Report::new(arguments.show);
    let last = arguments.first + arguments.count;
    for first in (arguments.first..last).step_by(BATCH as usize) {
        let numbers = first..last.min(first + BATCH);
        let cases: Vec<_> = numbers.map(|number| generate::case(&productions, arguments.seed, number)).collect();
        for (case, pair) in cases.iter().zip(session.ask(&cases)) {
            report.add(&mut session, case, &pair);
        }
    }
    if report.finish() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { count: 5_000, seed: 1, first: 0, show: 3 };
    let mut given = std::env::args().skip(1);
    while let Some(flag) = given.next() {
        let value = given.next().and_then(|value| value.parse().ok());
        let value: u64 = value.ok_or_else(|| format!("{flag} needs a number"))?;
        match flag.as_str() {
            "--count" => arguments.count = value,
            "--seed" => arguments.seed = value,
            "--first" => arguments.first = value,
            "--show" => arguments.show = value as usize,
            _ => return Err(format!("unknown argument {flag}; there are --count, --seed, --first and --show")),
        }
    }
    Ok(arguments)
}
