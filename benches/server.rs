//! The whole server against an echo of the same stack: a 7 KB AdmissionReview over TLS keep-alive to `/validate` with
//! all shipped policies, and to an axum and rustls server that returns the body. In turns, each server on one core.
//!
//! The client shares the machine, so besides requests per second each round takes the server's own CPU time per
//! request, which says how many a core could do if clients were faster. The ratio is made of both. Each round starts
//! both servers anew: where a process happens to lie in memory moves its figures by a fifth.
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
    let mut results = [Vec::new(), Vec::new()];
    for round in 1..=rounds {
        let echo = Process::echo(SERVER_CORE)?;
        let portcullis = Process::portcullis(SERVER_CORE, directory.path())?;
        let idle = portcullis.resident_bytes()?;
        for (server, results) in [&echo, &portcullis].into_iter().zip(&mut results) {
            // A warm server counts.
            client::run(&server.address, &server.ca, &body, connections, 1)?;
            let before = server.cpu_seconds()?;
            let load = client::run(&server.address, &server.ca, &body, connections, seconds)?;
            let cpu = server.cpu_seconds()? - before;
            let requests_per_second = load.requests as f64 / load.elapsed.as_secs_f64();
            results.push(Round { requests_per_second, cpu_microseconds: cpu * 1e6 / load.requests as f64 });
        }
        println!(
            "round {round}: portcullis ready after {} ms, {:.1} MB resident when idle, {:.1} MB after the load",
            portcullis.start_milliseconds,
            idle as f64 / 1e6,
            portcullis.resident_bytes()? as f64 / 1e6
        );
    }
    println!("{:12} {:>12} {:>18}", "median", "requests/s", "CPU µs a request");
    for (name, rounds) in ["echo", "portcullis"].into_iter().zip(&results) {
        let rate = median(rounds.iter().map(|round| round.requests_per_second));
        let cpu = median(rounds.iter().map(|round| round.cpu_microseconds));
        println!("{name:12} {rate:>12.0} {cpu:>18.1}");
    }
    let [echo, ours] = &results;
    let pairs = || echo.iter().zip(ours);
    let rates = || pairs().map(|(echo, ours)| 100.0 * ours.requests_per_second / echo.requests_per_second);
    println!(
        "ratio: {:.0} % of the echo's throughput (rounds: {:.0} to {:.0} %), {:.0} % by CPU time",
        median(rates()),
        rates().fold(f64::INFINITY, f64::min),
        rates().fold(0.0, f64::max),
        median(pairs().map(|(echo, ours)| 100.0 * echo.cpu_microseconds / ours.cpu_microseconds))
    );
    inside::report(body.as_bytes())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The review that the API server would send for the benchmarks' Pod.
fn review() -> String {
    include_str!("data/review-7k.json").trim_end().to_owned()
}
