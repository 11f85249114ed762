//! Results as JSON: schema `portcullis.dev/test/v1`, which only ever gains fields.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::cel::explain::Explanation;
use crate::visible;

use super::coverage::{Branch, PolicyCoverage, percent};
use super::mutants::Report;
use super::mutants::json::Mutants;
use super::run::{Explained, SuiteResult};

/// Writes the results with a newline at the end; `coverage` and `mutants` where they were asked for.
///
/// # Errors
/// `out` can't be written.
pub fn render(
    suites: &[SuiteResult],
    coverage: Option<&[PolicyCoverage]>,
    mutants: Option<&Report>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let counts = suites.iter().map(SuiteResult::counts);
    let (passed, failed) = counts.fold((0, 0), |sum, suite| (sum.0 + suite.0, sum.1 + suite.1));
    let document = Document {
        schema: "portcullis.dev/test/v1",
        summary: Summary { passed, failed },
        suites: suites.iter().map(Suite::new).collect(),
        coverage: coverage.map(Coverage::new),
        mutants: mutants.map(Mutants::new),
    };
    writeln!(out, "{}", visible::json(&serde_json::to_string_pretty(&document)?))
}

#[derive(Serialize)]
struct Document<'r> {
    schema: &'static str,
    summary: Summary,
    suites: Vec<Suite<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Coverage<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutants: Option<Mutants<'r>>,
}

#[derive(Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
}

#[derive(Serialize)]
struct Suite<'r> {
    name: &'r str,
    file: &'r str,
    cases: Vec<Case<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Case<'r> {
    name: &'r str,
    line: usize,
    passed: bool,
    failures: &'r [String],
    /// Why validations were false or failed: of failed cases, or of all where that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    explanations: Vec<ExplainedRow<'r>>,
    seconds: f64,
}

#[derive(Serialize)]
struct ExplainedRow<'r> {
    policy: &'r str,
    validation: usize,
    explanation: &'r Explanation,
}

#[derive(Serialize)]
struct Coverage<'r> {
    percent: f64,
    policies: Vec<Policy<'r>>,
}

#[derive(Serialize)]
struct Policy<'r> {
    policy: &'r str,
    file: &'r str,
    percent: f64,
    expressions: Vec<Expression<'r>>,
}

#[derive(Serialize)]
struct Expression<'r> {
    expression: &'r str,
    reached: bool,
    #[serde(rename = "true", skip_serializing_if = "Option::is_none")]
    was_true: Option<bool>,
    #[serde(rename = "false", skip_serializing_if = "Option::is_none")]
    was_false: Option<bool>,
    error: bool,
    missing: &'r [&'static str],
    line: usize,
    #[serde(skip_serializing_if = "is_unknown")]
    column: usize,
    count: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    branches: Vec<BranchRow<'r>>,
}

/// A part that decides something: how often it gave what.
#[derive(Serialize)]
struct BranchRow<'r> {
    expression: &'r str,
    line: usize,
    #[serde(skip_serializing_if = "is_unknown")]
    column: usize,
    sides: BTreeMap<&'static str, u64>,
    missing: Vec<&'static str>,
}

fn is_unknown(column: &usize) -> bool {
    *column == 0
}

impl<'r> Suite<'r> {
    fn new(suite: &'r SuiteResult) -> Self {
        let cases = suite.cases.iter().map(|case| Case {
            name: &case.name,
            line: case.source.line,
            passed: case.failures.is_empty(),
            failures: &case.failures,
            explanations: case
                .explanations
                .iter()
                .map(|Explained { policy, validation, explanation }| ExplainedRow {
                    policy,
                    validation: *validation,
                    explanation,
                })
                .collect(),
            seconds: case.elapsed.as_secs_f64(),
        });
        let warnings = suite.warnings.iter().map(ToString::to_string).collect();
        Self { name: &suite.name, file: &suite.source.file, cases: cases.collect(), warnings }
    }
}

impl<'r> BranchRow<'r> {
    fn new(branch: &'r Branch) -> Self {
        Self {
            expression: &branch.expression,
            line: branch.line,
            column: branch.column,
            sides: branch.sides.iter().map(|side| (side.name, side.count)).collect(),
            missing: branch.missing(),
        }
    }
}

impl<'r> Coverage<'r> {
    fn new(policies: &'r [PolicyCoverage]) -> Self {
        let of = |policy: &'r PolicyCoverage| Policy {
            policy: &policy.policy,
            file: &policy.file,
            percent: percent(std::slice::from_ref(policy)),
            expressions: policy
                .expressions
                .iter()
                .map(|expression| Expression {
                    expression: &expression.label,
                    reached: expression.is_reached(),
                    was_true: expression.was_true,
                    was_false: expression.was_false,
                    error: expression.was_error,
                    missing: &expression.missing,
                    line: expression.line,
                    column: expression.column,
                    count: expression.count,
                    branches: expression.branches.iter().map(BranchRow::new).collect(),
                })
                .collect(),
        };
        Self { percent: percent(policies), policies: policies.iter().map(of).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::samples;
    use super::*;

    #[test]
    fn follows_its_schema() -> Result<(), Box<dyn std::error::Error>> {
        let mut out = Vec::new();
        render(&samples::suites(), Some(&samples::coverage()), None, &mut out)?;
        let document: serde_json::Value = serde_json::from_slice(&out)?;
        assert_eq!(document["schema"], "portcullis.dev/test/v1");
        assert_eq!(document["summary"], serde_json::json!({"passed": 2, "failed": 2}));
        let case = serde_json::json!({
            "name": "rejects latest", "line": 29, "passed": false, "failures": ["expected deny, but allow"],
            "seconds": 0.0015, "explanations": [{
                "policy": "require-pinned-images", "validation": 0, "explanation": {
                    "expression": "object.spec.containers.all(c, c.image != \"web:latest\")", "value": "false",
                    "parts": [{"expression": "c", "element": "[1]", "path": "spec.containers[1]", "parts": [{
                        "expression": "c.image", "value": "\"web:latest\"", "path": "spec.containers[1].image",
                    }]}],
                },
            }],
        });
        assert_eq!(document["suites"][1]["cases"][0], case);
        let warning = document["suites"][0]["warnings"][0].as_str();
        assert!(warning.is_some_and(|warning| warning.starts_with("images/policy.yaml:7: ")), "{document}");
        assert_eq!(document["coverage"]["percent"], 60.0);
        let branch = |column, expression: &str, counts: [u64; 2], missing: &[&str]| {
            serde_json::json!({
                "expression": expression, "line": 14, "column": column,
                "sides": {"true": counts[0], "false": counts[1]}, "missing": missing,
            })
        };
        let expression = serde_json::json!({
            "expression": "validations[0]", "reached": true, "true": true, "false": false, "error": false,
            "missing": ["never false"], "line": 14, "column": 19, "count": 4,
            "branches": [
                branch(7, "has(object.a)", [1, 3], &[]),
                branch(24, "b < \"<\"", [2, 0], &["never false"]),
                branch(30, "c", [0, 0], &["never evaluated"]),
            ],
        });
        assert_eq!(document["coverage"]["policies"][0]["expressions"][1], expression);
        Ok(())
    }
}
