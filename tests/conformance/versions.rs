//! Which Kubernetes admits an expression first: one row for each function, overload, macro and syntax that came later
//! than the oldest supported version, and for some that were always there.
//!
//! `{"expr": "semver('1.0.0')", "since": 33}`: compile errors up to 1.32, none from 1.33 on. `apart` says why the oracle
//! is not asked.

use std::path::Path;

use portcullis::cel::SUPPORTED_MINORS;
use portcullis::cli::eval::Environment;
use serde_json::{Value, json};

use crate::ask;

/// The oldest and the newest version that the oracle can speak for; what newer ones bring stands as it is written.
const ORACLE: std::ops::RangeInclusive<u32> = 30..=36;

/// How many rows hold and how many don't. With an oracle, what it admits has to be the same up to its own version.
pub fn run(oracle: Option<&Path>) -> Result<(usize, usize), String> {
    let rows = rows()?;
    let ours = admissions(&rows, SUPPORTED_MINORS, ask::portcullis)?;
    let truths = oracle.map(|program| first_admissions(&rows, program)).transpose()?;
    let mut failed = 0;
    for (at, row) in rows.iter().enumerate() {
        let since = since(row);
        let expected: Vec<_> = SUPPORTED_MINORS.map(|minor| (minor, minor >= since)).collect();
        let got: Vec<_> = ours.iter().filter_map(|(minor, admitted)| Some((*minor, *admitted.get(at)?))).collect();
        let truth = truths.as_ref().and_then(|truths| *truths.get(at)?);
        let differs =
            truths.is_some() && row.get("apart").is_none() && truth.unwrap_or(since.max(ORACLE.end() + 1)) != since;
        if got != expected || differs {
            failed += 1;
            println!("versions: {row}\n  admitted: {got:?}\n  oracle:   {truth:?}");
        }
    }
    Ok((rows.len() - failed, failed))
}

/// Replaces every row's version by the first that the oracle admits it in, where there is one.
pub fn write(oracle: &Path) -> Result<(), String> {
    let rows = rows()?;
    let truths = first_admissions(&rows, oracle)?;
    let lines = rows.iter().zip(&truths).map(|(row, truth)| {
        if row.get("apart").is_some() {
            return row.to_string();
        }
        let expr = row.get("expr").cloned().unwrap_or(Value::Null);
        format!("{{\"expr\":{expr},\"since\":{}}}", truth.unwrap_or_else(|| since(row)))
    });
    let text = format!("[\n{}\n]\n", lines.collect::<Vec<_>>().join(",\n"));
    std::fs::write(path(), text).map_err(|error| format!("{}: {error}", path().display()))?;
    println!("versions: {} rows written", rows.len());
    Ok(())
}

/// The first version of the oracle's that admits each row.
fn first_admissions(rows: &[Value], program: &Path) -> Result<Vec<Option<u32>>, String> {
    let admissions = admissions(rows, ORACLE, |environment, lines| ask::oracle(program, environment, lines))?;
    let first = |at: usize| admissions.iter().find(|(_, admitted)| admitted.get(at) == Some(&true));
    Ok((0..rows.len()).map(|at| first(at).map(|(minor, _)| *minor)).collect())
}

/// For each version, which rows it admits.
fn admissions(
    rows: &[Value],
    minors: std::ops::RangeInclusive<u32>,
    ask: impl Fn(Environment, &[Value]) -> Result<Vec<Value>, String>,
) -> Result<Vec<(u32, Vec<bool>)>, String> {
    let object = json!({"l": [1, 2], "s": "a", "m": {"a": 1}});
    let line = |row: &Value| json!({"expr": row.get("expr"), "object": object, "authorizer": []});
    let lines: Vec<_> = rows.iter().map(line).collect();
    let mut table = Vec::new();
    for minor in minors {
        let answers = ask(Environment { minor, patch_types: false, explain: false }, &lines)?;
        table.push((minor, answers.iter().map(|answer| answer.get("stage") != Some(&json!("compile"))).collect()));
    }
    Ok(table)
}

fn since(row: &Value) -> u32 {
    row.get("since").and_then(Value::as_u64).and_then(|since| u32::try_from(since).ok()).unwrap_or(*ORACLE.start())
}

fn path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/versions.json")
}

fn rows() -> Result<Vec<Value>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path().display());
    let text = std::fs::read_to_string(path()).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
