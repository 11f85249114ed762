//! The whole server against an echo of the same stack: a 7 KB AdmissionReview over TLS keep-alive to `/validate` with
//! all shipped policies, and to an axum and rustls server that returns the body. In turns, each server on one core.
//!
//! The client shares the machine, so besides requests per second each round takes the server's own CPU time per
//! request, which says how many a core could do if clients were faster. The ratio is made of both.
//!
//! `cargo bench --bench server [-- ROUNDS SECONDS CONNECTIONS]`

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, missing_docs)]

use std::process::ExitCode;

#[path = "server/client.rs"]
mod client;
#[path = "server/echo.rs"]
mod echo;
#[path = "server/inside.rs"]
mod inside;
#[path = "server/process.rs"]
mod process;

use process::Process;

/// The echo gets what the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Which core runs the servers, and which the client.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.first().map(String::as_str) {
        Some("echo-server") => echo::serve(),
        Some("client") => compare(&arguments[1..]),
        // Cargo runs benchmarks as tests, too; there is nothing to test here.
        Some("--test") => Ok(()),
        _ => process::rerun_on(CLIENT_CORE, "client", &arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What one round gave.
#[derive(Clone, Copy)]
struct Round {
    requests_per_second: f64,
    cpu_microseconds: f64,
}

fn compare(arguments: &[String]) -> Result<()> {
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (rounds, seconds, connections) = (number(0, 7), number(1, 3), number(2, 16));
    let body = review();
    println!(
        "AdmissionReview of {} bytes, {connections} TLS keep-alive connections, {rounds} rounds of {seconds} s",
        body.len()
    );

    let directory = tempfile::tempdir()?;
    let echo = Process::echo(SERVER_CORE)?;
    let portcullis = Process::portcullis(SERVER_CORE, directory.path())?;
    println!(
        "portcullis: ready after {} ms, {:.1} MB resident when idle",
        portcullis.start_milliseconds,
        portcullis.resident_bytes()? as f64 / 1e6
    );
    // Both warm up before anything counts.
    let mut results = [Vec::new(), Vec::new()];
    for round in 0..=rounds {
        for (server, results) in [&echo, &portcullis].into_iter().zip(&mut results) {
            let before = server.cpu_seconds()?;
            let load =
                client::run(&server.address, &server.ca, &body, connections, if round == 0 { 1 } else { seconds })?;
            let cpu = server.cpu_seconds()? - before;
            if round > 0 {
                let requests_per_second = load.requests as f64 / load.elapsed.as_secs_f64();
                results.push(Round { requests_per_second, cpu_microseconds: cpu * 1e6 / load.requests as f64 });
            }
        }
    }
    let [echo, ours] = results.map(|rounds| {
        (median(&rounds, |round| round.requests_per_second), median(&rounds, |round| round.cpu_microseconds))
    });
    println!("{:12} {:>12} {:>18}", "median", "requests/s", "CPU µs a request");
    for (name, (rate, cpu)) in [("echo", echo), ("portcullis", ours)] {
        println!("{name:12} {rate:>12.0} {cpu:>18.1}");
    }
    println!(
        "ratio: {:.0} % of the echo's throughput, {:.0} % by CPU time",
        100.0 * ours.0 / echo.0,
        100.0 * echo.1 / ours.1
    );
    println!("portcullis: {:.1} MB resident after the load", portcullis.resident_bytes()? as f64 / 1e6);
    inside::report(body.as_bytes())
}

fn median(rounds: &[Round], of: fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The review that the API server would send for the benchmarks' Pod.
fn review() -> String {
    include_str!("data/review-7k.json").trim_end().to_owned()
}
