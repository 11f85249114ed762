//! Asks Kubernetes' own CEL and ours the same generated questions, and prints where they differ.
//!
//! `cargo test --test differential -- [--count N] [--seed N] [--first N] [--show N]`; needs the oracle of `tests/oracle`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[allow(dead_code)]
#[path = "../support/arguments.rs"]
mod arguments;
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

use arguments::Arguments;

/// How many questions are asked at once.
const BATCH: u64 = 500;

fn main() -> ExitCode {
    let arguments = match Arguments::read(5_000, false) {
        Ok(arguments) => arguments,
        Err(code) => return code,
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
