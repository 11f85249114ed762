//! What admission adds to a request to the real API server: a webhook that does nothing, Portcullis with the whole bundle,
//! and the same bundle installed in the API server itself. Dry runs that create a Pod and a Deployment, one at a time and
//! sixteen at once, in turns.
//!
//! `cargo bench --profile release --bench apiserver [-- ROUNDS REQUESTS]`, after `tests/controlplane/build.sh`

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(missing_docs)]

use std::process::ExitCode;

#[allow(dead_code, reason = "the end-to-end tests use the rest")]
#[path = "../tests/e2e/cluster.rs"]
mod cluster;
#[path = "apiserver/load.rs"]
mod load;
#[allow(dead_code, reason = "the end-to-end tests use the rest")]
#[path = "../tests/support/objects.rs"]
mod objects;
#[allow(dead_code, reason = "the server's benchmark uses the rest")]
#[path = "support/process.rs"]
mod process;
#[path = "support/serving.rs"]
mod serving;
#[path = "apiserver/setup.rs"]
mod setup;
#[path = "apiserver/table.rs"]
mod table;
#[path = "apiserver/webhook.rs"]
mod webhook;

use setup::{OBJECTS, Setup, WAYS};
use table::{Row, Table};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many requests are under way at once.
const IN_FLIGHT: [usize; 2] = [1, 16];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.first().map(String::as_str) {
        Some(webhook::ROLE) => serving::serve(webhook::router()),
        _ => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &[String]) -> Result<()> {
    let number = |at: usize, default: usize| match arguments.get(at) {
        Some(text) => text.parse().map_err(|error| format!("{text}: {error}; write a number")),
        None => Ok(default),
    };
    let (rounds, requests) = (number(0, 5)?, number(1, 50)?);
    if rounds == 0 || requests == 0 {
        return Err("at least one round of one request".into());
    }
    let setup = Setup::new()?;
    println!("{rounds} rounds of {requests} requests each");
    let mut table = Table::default();
    // A warm API server counts, with its connections.
    measure(&setup, &mut Table::default(), requests.min(IN_FLIGHT[1]), IN_FLIGHT[1], 0)?;
    for round in 0..rounds {
        // One at a time, ways alternate with each request: what the machine does besides meets them all.
        for turn in 0..requests {
            measure(&setup, &mut table, 1, 1, round + turn)?;
        }
        measure(&setup, &mut table, requests, IN_FLIGHT[1], round)?;
        println!("round {} is done", round + 1);
    }
    setup.check_called((rounds * requests * OBJECTS.len() * IN_FLIGHT.len()) as u64)?;
    println!();
    table.print();
    Ok(())
}

/// Has so many requests of each kind admitted in each way; nobody is always first.
fn measure(setup: &Setup, table: &mut Table, requests: usize, in_flight: usize, turn: usize) -> Result<()> {
    for of in OBJECTS {
        for way in (0..WAYS.len()).map(|at| WAYS[(at + turn) % WAYS.len()]) {
            let (cluster, path, object) = setup.request(of, way);
            let times = load::run(cluster, &path, &object, requests, in_flight)?;
            table.add(Row { of, in_flight, way }, times);
        }
    }
    Ok(())
}
