//! The conformance runner: expressions with the answers that Kubernetes itself gives to them.
//!
//! - `cargo test --test conformance`: the project's own vectors, `tests/conformance/vectors/*.json`.
//! - `cargo test --test conformance -- FOLDER`: the CEL specification's vectors, as a table by suite.
//! - with `--oracle PROGRAM` (see `tests/oracle`): asks that program too, so that no expectation is only our own; with
//!   `--write` besides, the own vectors' expectations are replaced by its answers.
//!
//! Expressions are answered by what answers `portcullis eval --batch`.

#![allow(clippy::print_stdout)]

mod answer;
mod ask;
mod left_out;
mod spec;
mod vectors;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = Arguments::parse(std::env::args().skip(1)).and_then(|arguments| match arguments {
        Arguments { list: true, .. } => vectors::list(),
        Arguments { folder: Some(folder), oracle, .. } => spec::run(&folder, oracle.as_deref()),
        Arguments { oracle: Some(oracle), write: true, .. } => {
            vectors::write(&oracle).and_then(|()| versions::write(&oracle)).map(|()| true)
        }
        Arguments { write: true, .. } => {
            Err("--write needs --oracle PROGRAM: expectations are never our own".to_owned())
        }
        Arguments { filters, oracle, .. } => vectors::run(&filters, oracle.as_deref()),
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            println!("error: {message}");
            ExitCode::from(2)
        }
    }
}

#[derive(Debug, Default)]
struct Arguments {
    folder: Option<PathBuf>,
    oracle: Option<PathBuf>,
    write: bool,
    list: bool,
    /// Parts of suite names, as `cargo test NAME` passes them to every test program.
    filters: Vec<String>,
}

impl Arguments {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        /// Options of Rust's own test harness that take a value, which is no folder.
        const HARNESS: [&str; 6] = ["--test-threads", "--skip", "--color", "--format", "--logfile", "--shuffle-seed"];
        let mut parsed = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--oracle" => {
                    let program = arguments.next().ok_or("--oracle needs the path of a program")?;
                    parsed.oracle = Some(PathBuf::from(program));
                }
                "--write" => parsed.write = true,
                "--list" => parsed.list = true,
                option if HARNESS.contains(&option) => drop(arguments.next()),
                option if option.starts_with('-') => {}
                folder if PathBuf::from(folder).is_dir() => parsed.folder = Some(PathBuf::from(folder)),
                missing if missing.contains('/') => return Err(format!("there is no folder {missing}")),
                filter => parsed.filters.push(filter.to_owned()),
            }
        }
        Ok(parsed)
    }
}
