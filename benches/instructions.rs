//! How many instructions typical tasks take, against the last landed figures: unlike time, that hardly depends on the
//! machine or on what else runs there. Valgrind counts; what a task takes is what a process that does it several times
//! takes more than one that does it fewer times.
//!
//! `.ci/instructions [--update]`, which builds this always in the same way: `instructions.json` holds for no other.

#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use serde::{Deserialize, Serialize};

#[path = "support/reviews.rs"]
#[allow(dead_code, reason = "updates are the server's benchmark's")]
mod reviews;
#[path = "instructions/tasks.rs"]
mod tasks;

use tasks::{TASKS, Task};

/// What the server has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LANDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.json");
/// How far a count may be from the landed one, in either direction, as a part of that.
const TOLERANCE: f64 = 0.1;

/// The landed figures, and what they were counted with.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Landed {
    rustc: String,
    architecture: String,
    instructions: BTreeMap<String, u64>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["task", name, times] => perform(name, times),
        ["--update"] => update(),
        [] => compare(),
        _ => Err("write --update, or nothing".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare() -> Result<()> {
    let landed: Landed =
        serde_json::from_str(&std::fs::read_to_string(LANDED)?).map_err(|error| format!("{LANDED}: {error}"))?;
    let counted = count_all()?;
    let mut wrong = Vec::new();
    println!("| task | landed | now | change |\n| --- | ---: | ---: | ---: |");
    for (name, now) in &counted.instructions {
        let Some(before) = landed.instructions.get(name) else {
            println!("| {name} | | {now} | |");
            wrong.push(format!("{name} has no landed figure"));
            continue;
        };
        let change = *now as f64 / *before as f64 - 1.0;
        println!("| {name} | {before} | {now} | {:+.1} % |", 100.0 * change);
        if change > TOLERANCE {
            wrong.push(format!("{name} takes more instructions than it did"));
        } else if change < -TOLERANCE {
            wrong.push(format!("{name} takes fewer instructions than it did, which later ones should not lose again"));
        }
    }
    let gone = landed.instructions.keys().filter(|name| !counted.instructions.contains_key(*name));
    wrong.extend(gone.map(|name| format!("{name} is no task any longer")));
    if wrong.is_empty() {
        return Ok(());
    }
    let other = |what: &str, landed: &str, now: &str| match landed == now {
        true => String::new(),
        false => format!("\n(the landed figures are of {what} {landed}, these of {now})"),
    };
    Err(format!(
        "{}{}{}\nIf that is meant, run .ci/instructions --update and commit benches/instructions.json.",
        wrong.join("\n"),
        other("rustc", &landed.rustc, &counted.rustc),
        other("the architecture", &landed.architecture, &counted.architecture),
    )
    .into())
}

fn update() -> Result<()> {
    let counted = count_all()?;
    std::fs::write(LANDED, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
    for (name, count) in &counted.instructions {
        println!("{name}: {count}");
    }
    Ok(())
}

fn count_all() -> Result<Landed> {
    let rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output()?;
    let counts = TASKS.iter().map(|task| Ok((task.name.to_owned(), count(task)?)));
    Ok(Landed {
        rustc: String::from_utf8(rustc.stdout)?.trim().trim_start_matches("rustc ").to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        instructions: counts.collect::<Result<_>>()?,
    })
}

/// The instructions of doing `task` once.
fn count(task: &Task) -> Result<u64> {
    let directory = tempfile::tempdir()?;
    let of = |times: u32| instructions(task.name, times, &directory.path().join("counts"));
    let (less, more) = (of(task.warm_up)?, of(task.warm_up + task.times)?);
    Ok(more.saturating_sub(less) / u64::from(task.times))
}

/// The instructions of a process that does a task some times.
fn instructions(task: &str, times: u32, counts: &Path) -> Result<u64> {
    let mut out_file = std::ffi::OsString::from("--cachegrind-out-file=");
    out_file.push(counts);
    let status = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--quiet"])
        .arg(out_file)
        .arg(std::env::current_exe()?)
        .args(["task", task, &times.to_string()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("valgrind, which counts: {error}; install it"))?;
    if !status.success() {
        return Err(format!("{task} ended with {status}").into());
    }
    let counts = std::fs::read_to_string(counts)?;
    let total = counts.lines().find_map(|line| line.strip_prefix("summary:")).ok_or("valgrind wrote no summary")?;
    Ok(total.trim().parse()?)
}

/// What valgrind looks at.
fn perform(name: &str, times: &str) -> Result<()> {
    let task = TASKS.iter().find(|task| task.name == name).ok_or("no such task")?;
    (task.perform)(times.parse()?)
}
