//! The project's own vectors: one file a suite, each test a line of `eval --batch` and the answer that is due.
//!
//! ```json
//! {
//! "suite": "lists",
//! "kubernetes": 36,
//! "mutation": false,
//! "given": {"object": {"a": [1]}},
//! "tests": [
//! {"expr": "object.a.sum()", "expect": {"value": {"t": "int", "v": "1"}, "type": "int", "checked": "int", "cost": 3}}
//! ]
//! }
//! ```
//!
//! All but `tests` may be left out; `given` holds for every test that does not say otherwise. Expectations come from
//! the oracle alone (`--oracle PROGRAM --write`).

use std::path::{Path, PathBuf};

use portcullis::cli::eval::Environment;
use serde_json::{Map, Value, json};

use crate::{answer, ask, versions};

/// Tests for which a run prints the whole difference; of more it says only how many.
const MAX_SHOWN: usize = 100;
/// The version that the project follows, where a suite doesn't name one.
const DEFAULT_MINOR: u64 = 36;

struct Suite {
    path: PathBuf,
    name: String,
    content: Map<String, Value>,
    environment: Environment,
    tests: Vec<Map<String, Value>>,
}

/// Runs the suites whose names contain any of the filters; all without filters. Whether everything passed.
pub fn run(filters: &[String], oracle: Option<&Path>) -> Result<bool, String> {
    let (mut passed, mut failed) = (0, 0);
    for suite in suites()? {
        if !filters.is_empty() && !filters.iter().any(|filter| suite.name.contains(filter.as_str())) {
            continue;
        }
        let lines = suite.lines();
        let answers = ask::portcullis(suite.environment, &lines)?;
        let explained = ask::portcullis(Environment { explain: true, ..suite.environment }, &lines)?;
        let oracle = oracle.map(|program| ask::oracle(program, suite.environment, &lines)).transpose()?;
        for (at, (test, answer)) in suite.tests.iter().zip(&answers).enumerate() {
            if let Some(difference) = explained.get(at).and_then(|explained| difference(answer, explained)) {
                failed += 1;
                println!("{}: {}\n  {difference}", suite.name, test.get("expr").unwrap_or(&Value::Null));
                continue;
            }
            let expected = test.get("expect").cloned().unwrap_or(Value::Null);
            let truth = oracle.as_ref().and_then(|answers| answers.get(at)).map(answer::normal);
            let answer = answer::normal(answer);
            if answer::is_same(&expected, &answer) && truth.as_ref().is_none_or(|truth| *truth == expected) {
                passed += 1;
                continue;
            }
            failed += 1;
            if failed <= MAX_SHOWN {
                println!("{}: {}", suite.name, test.get("expr").unwrap_or(&Value::Null));
                println!("  expected: {expected}\n  got:      {answer}");
                if let Some(truth) = truth {
                    println!("  oracle:   {truth}");
                }
            }
        }
    }
    if filters.is_empty() || filters.iter().any(|filter| "versions".contains(filter.as_str())) {
        let (kept, broken) = versions::run(oracle)?;
        (passed, failed) = (passed + kept, failed + broken);
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

/// Replaces every expectation by the oracle's answer.
pub fn write(oracle: &Path) -> Result<(), String> {
    for suite in suites()? {
        let answers = ask::oracle(oracle, suite.environment, &suite.lines())?;
        let mut tests = Vec::with_capacity(answers.len());
        for (test, answer) in suite.tests.iter().zip(&answers) {
            let expected = answer::normal(answer);
            if expected.get("stage").is_some_and(|stage| stage == "input") {
                return Err(format!("{}: {}: {}", suite.name, json!(test), answer));
            }
            let mut test = test.clone();
            test.remove("expect");
            let mut line = json!(test).to_string();
            // The expectation last, where a reader looks for it.
            line.pop();
            tests.push(format!("{line},\"expect\":{expected}}}"));
        }
        let head: String = suite
            .content
            .iter()
            .filter(|(name, _)| *name != "tests")
            .map(|(name, value)| format!("{}: {value},\n", json!(name)))
            .collect();
        let text = format!("{{\n{head}\"tests\": [\n{}\n]\n}}\n", tests.join(",\n"));
        std::fs::write(&suite.path, text).map_err(|error| format!("{}: {error}", suite.path.display()))?;
        println!("{}: {} tests written", suite.name, tests.len());
    }
    Ok(())
}

/// What is different in an answer that says why it is so: its value, error and cost have to be the same, and an
/// expression that was evaluated has to have an explanation.
fn difference(plain: &Value, explained: &Value) -> Option<String> {
    let mut rest = explained.clone();
    let explanation = rest.as_object_mut().and_then(|answer| answer.remove("explanation"));
    let is_evaluated = plain.get("stage").is_none_or(|stage| stage == "runtime");
    if rest != *plain {
        return Some(format!("plain:     {plain}\n  explained: {rest}"));
    }
    // A constant has no parts.
    let has_parts = plain.get("cost").and_then(Value::as_u64).is_some_and(|cost| cost > 0);
    (is_evaluated && has_parts && explanation.is_none()).then(|| "there is no explanation".to_owned())
}

/// Names the suites as Rust's own test harness lists tests.
pub fn list() -> Result<bool, String> {
    for suite in suites()? {
        println!("{}: test", suite.name);
    }
    Ok(true)
}

fn suites() -> Result<Vec<Suite>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/vectors");
    json_files(&folder)?.into_iter().map(Suite::read).collect()
}

/// The JSON files of a folder, by name.
pub fn json_files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

impl Suite {
    fn read(path: PathBuf) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let content: Map<String, Value> = serde_json::from_str(&text).map_err(|error| failed(&error))?;
        let tests = content.get("tests").and_then(Value::as_array).ok_or_else(|| failed(&"needs a list \"tests\""))?;
        let tests = tests
            .iter()
            .map(|test| test.as_object().cloned().ok_or_else(|| failed(&"a test is an object")))
            .collect::<Result<_, _>>()?;
        let minor = content.get("kubernetes").map_or(Some(DEFAULT_MINOR), Value::as_u64);
        let environment = Environment {
            minor: minor
                .and_then(|minor| u32::try_from(minor).ok())
                .ok_or_else(|| failed(&"kubernetes is a number"))?,
            patch_types: content.get("mutation") == Some(&Value::Bool(true)),
            explain: false,
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { path, name, content, environment, tests })
    }

    /// What to ask: each test with what is given for all, without what is expected.
    fn lines(&self) -> Vec<Value> {
        let given = self.content.get("given").and_then(Value::as_object);
        let line = |test: &Map<String, Value>| {
            let mut line = given.cloned().unwrap_or_default();
            let asked = test.iter().filter(|(name, _)| !matches!(name.as_str(), "expect" | "why"));
            line.extend(asked.map(|(name, value)| (name.clone(), value.clone())));
            Value::Object(line)
        };
        self.tests.iter().map(line).collect()
    }
}
