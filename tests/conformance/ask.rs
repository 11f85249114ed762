//! Asks for the answers to lines of a batch: Portcullis in this process, the oracle as a program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use portcullis::cli::eval::Environment;
use portcullis::json::Arena;
use serde_json::Value;

/// What Portcullis answers to each line.
pub fn portcullis(environment: Environment, lines: &[Value]) -> Result<Vec<Value>, String> {
    let mut arena = Arena::new();
    let mut answers = Vec::with_capacity(lines.len());
    for line in lines {
        arena.reset();
        let text = line.to_string();
        let answer = environment.answer_line(&arena, text.as_bytes()).map_err(|error| format!("{text}: {error:#}"))?;
        answers.push(serde_json::from_str(&portcullis::json::to_json(answer)).map_err(|error| error.to_string())?);
    }
    Ok(answers)
}

/// What the program answers to each line.
pub fn oracle(program: &Path, environment: Environment, lines: &[Value]) -> Result<Vec<Value>, String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", program.display());
    let mut command = Command::new(program);
    command.args(["--kubernetes-version", &format!("1.{}", environment.minor)]);
    if environment.patch_types {
        command.arg("--mutation");
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(|error| failed(&error))?;
    let mut stdin = child.stdin.take().ok_or_else(|| failed(&"it has no input"))?;
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    // It answers while it reads, so writing everything before reading anything could stop both.
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(|error| failed(&error))?;
    let written = writer.join().map_err(|_| failed(&"writing to it panicked"))?;
    written.map_err(|error| failed(&error))?;
    let answers: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|error| failed(&error))?;
    if answers.len() != lines.len() {
        return Err(failed(&format!("{} answers to {} lines", answers.len(), lines.len())));
    }
    Ok(answers)
}
