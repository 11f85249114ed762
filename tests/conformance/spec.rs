//! The CEL specification's vectors: suites of `{section, name, expr, container, bindings, expect, tags, type_env}` with
//! tagged values, as JSON files in a folder of the user's. They state plain CEL; what Kubernetes' environment doesn't
//! admit or decides otherwise is left out by rule and counted.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis::cli::eval::Environment;
use serde_json::{Map, Value};

use crate::{answer, ask, left_out, vectors};

/// The version whose environment the vectors meet: the one that the project follows.
const ENVIRONMENT: Environment = Environment { minor: 36, patch_types: false, explain: false };

/// One of the specification's tests.
pub struct Case {
    pub name: String,
    pub expr: String,
    /// The namespace that names are resolved in; Kubernetes has none.
    pub container: String,
    pub bindings: Map<String, Value>,
    pub expect: Value,
    pub tags: Vec<String>,
}

/// The outcome of a suite.
#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    left_out: BTreeMap<&'static str, usize>,
}

/// Runs every suite of the folder and prints a table. Whether everything that was not left out passed and, with an
/// oracle, whether it answers everything as Portcullis does, what is left out included.
pub fn run(folder: &Path, oracle: Option<&Path>) -> Result<bool, String> {
    let mut tallies = Vec::new();
    let mut agrees = true;
    for path in vectors::json_files(folder)? {
        let (suite, cases) = read(&path)?;
        let mut tally = Tally::default();
        let (skipped, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| left_out::by_tag(case).is_some());
        for case in &skipped {
            if let Some(reason) = left_out::by_tag(case) {
                *tally.left_out.entry(reason).or_default() += 1;
            }
        }
        let lines: Vec<_> = cases.iter().map(Case::line).collect();
        let answers = ask::portcullis(ENVIRONMENT, &lines)?;
        for (case, answer) in cases.iter().zip(&answers) {
            if case.is_met_by(answer) {
                tally.passed += 1;
            } else if let Some(reason) = left_out::by_rule(case, answer) {
                *tally.left_out.entry(reason).or_default() += 1;
            } else {
                tally.failed += 1;
                println!("{suite}/{}: {}\n  expected: {}\n  got:      {answer}", case.name, case.expr, case.expect);
            }
        }
        if let Some(oracle) = oracle {
            let truths = ask::oracle(oracle, ENVIRONMENT, &lines)?;
            for ((case, answer), truth) in cases.iter().zip(&answers).zip(&truths) {
                let (answer, truth) = (answer::normal(answer), answer::normal(truth));
                if !answer::is_same(&truth, &answer) {
                    agrees = false;
                    println!("{suite}/{}: {}\n  oracle: {truth}\n  got:    {answer}", case.name, case.expr);
                }
            }
        }
        tallies.push((suite, tally));
    }
    print(&tallies);
    if oracle.is_some() {
        println!("the oracle {}", if agrees { "gives the same answers" } else { "differs, see above" });
    }
    Ok(agrees && tallies.iter().all(|(_, tally)| tally.failed == 0))
}

fn print(tallies: &[(String, Tally)]) {
    let row = |name: &str, passed: usize, failed: usize, left_out: usize| {
        println!("{name:<18}{passed:>8}{failed:>8}{left_out:>10}");
    };
    println!("{:<18}{:>8}{:>8}{:>10}", "suite", "passed", "failed", "left out");
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (suite, tally) in tallies {
        row(suite, tally.passed, tally.failed, tally.left_out.values().sum());
        for (reason, count) in &tally.left_out {
            *reasons.entry(reason).or_default() += count;
        }
    }
    let total = |count: fn(&Tally) -> usize| tallies.iter().map(|(_, tally)| count(tally)).sum();
    let (passed, failed) = (total(|tally| tally.passed), total(|tally| tally.failed));
    row("total", passed, failed, reasons.values().sum());
    println!("\nleft out, by reason:");
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (reason, count) in reasons {
        println!("{count:>6}  {reason}");
    }
    println!("\n{passed} passed, {failed} failed");
}

fn read(path: &Path) -> Result<(String, Vec<Case>), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let suite: Value = serde_json::from_str(&text).map_err(|error| failed(&error))?;
    let name = suite.get("suite").and_then(Value::as_str).ok_or_else(|| failed(&"needs a text \"suite\""))?;
    let tests = suite.get("tests").and_then(Value::as_array).ok_or_else(|| failed(&"needs a list \"tests\""))?;
    let cases = tests.iter().map(Case::read).collect::<Option<_>>();
    Ok((name.to_owned(), cases.ok_or_else(|| failed(&"every test needs a section, a name, an expr and an expect"))?))
}

impl Case {
    fn read(test: &Value) -> Option<Self> {
        let text = |name| test.get(name).and_then(Value::as_str);
        let tags = test.get("tags").and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            name: format!("{}/{}", text("section")?, text("name")?),
            expr: text("expr")?.to_owned(),
            container: text("container").unwrap_or("").to_owned(),
            bindings: test.get("bindings").and_then(Value::as_object).cloned().unwrap_or_default(),
            expect: test.get("expect")?.clone(),
            tags: tags.filter_map(|tag| tag.as_str().map(str::to_owned)).collect(),
        })
    }

    /// The line of a batch that asks for it.
    fn line(&self) -> Value {
        serde_json::json!({"expr": self.expr, "bindings": self.bindings})
    }

    /// What the specification expects: `value`, `error` or `compile_error`.
    pub fn expects(&self) -> &str {
        self.expect.get("kind").and_then(Value::as_str).unwrap_or("")
    }

    /// Whether the answer is what the specification expects. An error may come earlier, from the type checker, where
    /// the specification evaluates unchecked.
    fn is_met_by(&self, answer: &Value) -> bool {
        let stage = answer.get("stage").and_then(Value::as_str);
        match self.expects() {
            "value" => match (answer.get("value"), self.expect.get("value")) {
                (Some(value), Some(expected)) => answer::value(value) == answer::value(expected),
                _ => false,
            },
            "error" => matches!(stage, Some("compile" | "runtime")),
            "compile_error" => stage == Some("compile"),
            _ => false,
        }
    }
}
