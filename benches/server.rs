//! The whole server against an echo of the same stack: AdmissionReviews over TLS keep-alive to each endpoint in each
//! mode, with all shipped policies and with four, and to an axum and rustls server that returns the body. In turns, each
//! server on one core.
//!
//! The client shares the machine, so besides requests per second each round takes the server's own CPU time per
//! request, which says how many a core could do if clients were faster. The ratio is made of both. Each round starts
//! all servers anew: where a process happens to lie in memory moves its figures by a fifth.
//!
//! `cargo bench --bench server [-- ROUNDS SECONDS CONNECTIONS]`

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used, missing_docs)]

use std::process::ExitCode;
use std::time::Duration;

#[path = "server/cases.rs"]
mod cases;
#[path = "server/client.rs"]
mod client;
#[path = "server/inside.rs"]
mod inside;
#[path = "support/process.rs"]
mod process;
#[path = "support/reviews.rs"]
mod reviews;
#[path = "support/serving.rs"]
mod serving;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use cases::{Body, Policies};
use process::Process;

/// The echo gets what the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Which core runs the servers, and which the client.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";
/// How long a server is asked before it counts.
const WARM_UP: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let done = match arguments.first().map(String::as_str) {
        Some("echo-server") => serving::serve(Router::new().route("/echo", post(async |body: Bytes| body))),
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

/// What one round gave for one row of the table.
struct Round {
    requests_per_second: f64,
    cpu_microseconds: f64,
    /// The same of the echo that the row is compared with.
    echo: Option<(f64, f64)>,
}

impl Round {
    /// Requests per second as a part of the echo's.
    fn throughput(&self) -> Option<f64> {
        self.echo.map(|(requests_per_second, _)| self.requests_per_second / requests_per_second)
    }

    /// How many requests the echo answers in the CPU time that one takes here.
    fn by_cpu(&self) -> Option<f64> {
        self.echo.map(|(_, cpu_microseconds)| cpu_microseconds / self.cpu_microseconds)
    }
}

/// What the rounds gave, by the row's name in the order of the table.
type Rows = Vec<(String, Vec<Round>)>;

fn compare(arguments: &[String]) -> Result<()> {
    let number = |at: usize, default: usize| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(default);
    let load = Load { seconds: number(1, 2), connections: number(2, 16) };
    let rounds = number(0, 7);
    let bodies = cases::bodies()?;
    println!("{} TLS keep-alive connections, {rounds} rounds of {} s each", load.connections, load.seconds);
    let mut tables = cases::POLICIES.map(|policies| (policies, Rows::new()));
    for round in 1..=rounds {
        for (policies, rows) in &mut tables {
            measure(policies, &bodies, &load, rows).map_err(|error| format!("{}: {error}", policies.name))?;
        }
        println!("round {round} is done");
    }
    for (policies, rows) in &tables {
        println!("\n{}\n", policies.name);
        print(rows);
    }
    println!();
    inside::report(bodies[0].text.as_bytes())
}

/// Adds one round of everything that is asked: each review first of the echo, then of Portcullis in each mode.
fn measure(policies: &Policies, bodies: &[Body], load: &Load, rows: &mut Rows) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let echo = Process::own(Some(SERVER_CORE), "echo-server")?;
    let start = |mode| Ok((mode, Process::portcullis(Some(SERVER_CORE), directory.path(), mode, policies.flags)?));
    let servers = cases::MODES.into_iter().map(start).collect::<Result<Vec<_>>>()?;
    let (_, default) = servers.first().ok_or("no modes")?;
    println!(
        "{}: ready after {} ms, {:.1} MB resident when idle",
        policies.name,
        default.start_milliseconds,
        default.resident_bytes()? as f64 / 1e6
    );
    for body in bodies {
        let bare = load.put_on(&echo, "/echo", &body.text)?;
        let compared_with = Some((bare.requests_per_second, bare.cpu_microseconds));
        add(rows, format!("echo of {} bytes", body.text.len()), bare);
        for (path, mode) in body.asked {
            let (_, server) = servers.iter().find(|(of, _)| of == mode).ok_or("a mode that isn't served")?;
            let round = load.put_on(server, path, &body.text)?;
            add(rows, format!("`{path}`, {}, {mode}", body.about), Round { echo: compared_with, ..round });
        }
    }
    println!("{}: {:.1} MB resident after the load", policies.name, default.resident_bytes()? as f64 / 1e6);
    Ok(())
}

fn add(rows: &mut Rows, name: String, round: Round) {
    match rows.iter_mut().find(|(of, _)| *of == name) {
        Some((_, rounds)) => rounds.push(round),
        None => rows.push((name, vec![round])),
    }
}

/// How much is asked at once, and for how long.
struct Load {
    seconds: usize,
    connections: usize,
}

impl Load {
    fn put_on(&self, server: &Process, path: &str, body: &str) -> Result<Round> {
        let run = |time| client::run(&server.address, &server.ca, path, body, self.connections, time);
        // A warm server counts.
        run(WARM_UP)?;
        let before = server.cpu_seconds()?;
        let load = run(Duration::from_secs(self.seconds as u64))?;
        let cpu = server.cpu_seconds()? - before;
        Ok(Round {
            requests_per_second: load.requests as f64 / load.elapsed.as_secs_f64(),
            cpu_microseconds: cpu * 1e6 / load.requests as f64,
            echo: None,
        })
    }
}

/// Prints the medians in Markdown.
fn print(rows: &Rows) {
    println!("| request | requests/s | of the echo's | from to | CPU µs a request | of the echo's, by CPU time |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (name, rounds) in rows {
        let ratios = || rounds.iter().filter_map(Round::throughput);
        let (low, high) = (ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max));
        let (of_echo, range, by_cpu) = match rounds.iter().any(|round| round.echo.is_some()) {
            true => (
                percent(median(ratios())),
                format!("{} to {}", percent(low), percent(high)),
                percent(median(rounds.iter().filter_map(Round::by_cpu))),
            ),
            false => Default::default(),
        };
        let rate = median(rounds.iter().map(|round| round.requests_per_second));
        let cpu = median(rounds.iter().map(|round| round.cpu_microseconds));
        println!("| {name} | {rate:.0} | {of_echo} | {range} | {cpu:.1} | {by_cpu} |");
    }
}

fn percent(ratio: f64) -> String {
    format!("{:.0} %", 100.0 * ratio)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
