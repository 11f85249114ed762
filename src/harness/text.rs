//! Results as their author reads them: failures with their lines, coverage if asked for, the counts alone on the last
//! line.

use std::io::{self, Write};

use crate::style::{BAD, CAUTION, FAINT, GOOD, STRONG};
use crate::visible;

use super::coverage::{ExpressionCoverage, PolicyCoverage, percent};
use super::run::{CaseResult, Explained, SuiteResult};

/// Writes the results; `coverage` where it was asked for.
///
/// # Errors
/// `out` can't be written.
pub fn render(suites: &[SuiteResult], coverage: Option<&[PolicyCoverage]>, out: &mut dyn Write) -> io::Result<()> {
    for suite in suites {
        write_suite(suite, out)?;
    }
    if let Some(coverage) = coverage {
        write_coverage(coverage, out)?;
    }
    let (passed, failed) =
        suites.iter().map(SuiteResult::counts).fold((0, 0), |sum, suite| (sum.0 + suite.0, sum.1 + suite.1));
    let style = if failed > 0 { BAD } else { GOOD };
    writeln!(out, "{style}{passed} passed, {failed} failed{style:#}")
}

fn write_suite(suite: &SuiteResult, out: &mut dyn Write) -> io::Result<()> {
    let (passed, failed) = suite.counts();
    if passed + failed == 0 {
        return Ok(());
    }
    let (style, word) = if failed > 0 { (BAD, "FAIL") } else { (GOOD, "ok  ") };
    writeln!(
        out,
        "{style}{word}{style:#}  {STRONG}{}{STRONG:#}  {passed} of {}  {FAINT}{}{FAINT:#}",
        visible::line(&suite.name),
        passed + failed,
        visible::line(&suite.source.file)
    )?;
    for warning in &suite.warnings {
        writeln!(out, "  {CAUTION}warning{CAUTION:#}  {}", visible::lines(&warning.to_string()))?;
    }
    for case in suite.cases.iter().filter(|case| !case.failures.is_empty()) {
        let (file, name) = (visible::line(&case.source.file), visible::line(&case.name));
        writeln!(out, "  {file}:{}: {STRONG}{name}{STRONG:#}", case.source.line)?;
        for line in case.failures.iter().flat_map(|failure| failure.lines()) {
            let style = match line.chars().next() {
                Some('-') => BAD,
                Some('+') => GOOD,
                _ => anstyle::Style::new(),
            };
            writeln!(out, "    {style}{}{style:#}", visible::line(line))?;
        }
        write_explanations(case, out)?;
    }
    for case in suite.cases.iter().filter(|case| case.failures.is_empty() && !case.explanations.is_empty()) {
        let (file, name) = (visible::line(&case.source.file), visible::line(&case.name));
        writeln!(out, "  {FAINT}{file}:{}: {name}{FAINT:#}", case.source.line)?;
        write_explanations(case, out)?;
    }
    Ok(())
}

fn write_explanations(case: &CaseResult, out: &mut dyn Write) -> io::Result<()> {
    for Explained { policy, validation, explanation } in &case.explanations {
        let (policy, value) = (visible::line(policy), visible::line(&explanation.value));
        writeln!(out, "    {STRONG}{policy} validations[{validation}]{STRONG:#} is {value}")?;
        for (depth, line) in explanation.lines() {
            writeln!(out, "      {:depth$}{}", "", visible::line(&line), depth = depth * 2)?;
        }
    }
    Ok(())
}

fn write_coverage(policies: &[PolicyCoverage], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{STRONG}coverage {:.1} %{STRONG:#}", percent(policies))?;
    let width = policies.iter().map(|policy| policy.policy.chars().count()).max().unwrap_or_default();
    for policy in policies {
        let of_policy = percent(std::slice::from_ref(policy));
        let style = if of_policy < 100.0 { CAUTION } else { GOOD };
        writeln!(out, "  {:width$}  {style}{of_policy:5.1} %{style:#}", visible::line(&policy.policy))?;
        for expression in policy.expressions.iter().filter(|expression| !expression.is_covered()) {
            write_expression(&policy.file, expression, out)?;
        }
    }
    writeln!(out)
}

/// What is missing of an expression, a line for it and one for each branch; of what was never evaluated no branch was.
fn write_expression(file: &str, expression: &ExpressionCoverage, out: &mut dyn Write) -> io::Result<()> {
    let mut write = |line: usize, column: usize, text: &str, missing: &[&'static str]| {
        let column = if column > 0 { format!(":{column}") } else { String::new() };
        let (file, text) = (visible::line(file), visible::line(text));
        writeln!(out, "    {FAINT}{file}:{line}{column}:{FAINT:#} {text}: {}", missing.join(", "))
    };
    if !expression.missing.is_empty() {
        write(expression.line, expression.column, &expression.label, &expression.missing)?;
    }
    for branch in expression.branches.iter().filter(|_| expression.is_reached()) {
        let missing = branch.missing();
        if !missing.is_empty() {
            write(branch.line, branch.column, &branch.expression, &missing)?;
        }
    }
    Ok(())
}

#[cfg(test)]
pub(super) mod samples {
    use std::time::Duration;

    use super::super::coverage::{Branch, Side};
    use super::*;
    use crate::cel::explain::Explanation;
    use crate::policy::Lint;
    use crate::policy::model::Source;

    /// Two suites, one of them failing.
    pub fn suites() -> Vec<SuiteResult> {
        let source = |line| Source { file: "images/tests.yaml".to_owned(), document: 0, line };
        let case = |name: &str, line, failures: &[&str]| CaseResult {
            name: name.to_owned(),
            source: source(line),
            failures: failures.iter().map(ToString::to_string).collect(),
            explanations: Vec::new(),
            elapsed: Duration::from_micros(1500),
        };
        vec![
            SuiteResult {
                name: "good".to_owned(),
                source: source(1),
                cases: vec![case("accepts <b>", 9, &[])],
                warnings: vec![Lint::Warning {
                    at: Source { file: "images/policy.yaml".to_owned(), document: 0, line: 7 },
                    object: "ValidatingAdmissionPolicy/good".to_owned(),
                    field: "spec.validations[0].expression".to_owned(),
                    message: "/v1, Kind=Pod: ERROR: <input>:1:7: undefined field 'a'\n | object.a\n | ......^\n"
                        .to_owned(),
                }],
            },
            SuiteResult {
                name: "bad".to_owned(),
                source: source(20),
                cases: vec![
                    CaseResult {
                        explanations: vec![explanation()],
                        ..case("rejects latest", 29, &["expected deny, but allow"])
                    },
                    case("fills in", 40, &["the object afterwards:\n-a: 1\n+a: 2\n b: 3"]),
                    case("accepts a digest", 50, &[]),
                ],
                warnings: Vec::new(),
            },
        ]
    }

    /// One policy, of which a branch and a side are not covered.
    pub fn coverage() -> Vec<PolicyCoverage> {
        let side = |name, count, missing| Side { name, count, missing };
        let expression = |label: &str, line, was_false, missing: &[&'static str]| ExpressionCoverage {
            label: label.to_owned(),
            line,
            column: 19,
            count: 4,
            was_true: Some(true),
            was_false: Some(was_false),
            was_error: false,
            missing: missing.to_vec(),
            wanted: 2,
            sides: vec![side("true", 3, "never true"), side("false", u64::from(was_false), "never false")],
            branches: Vec::new(),
        };
        let branch = |column, expression: &str, counts: [u64; 2]| Branch {
            line: 14,
            column,
            expression: expression.to_owned(),
            sides: vec![side("true", counts[0], "never true"), side("false", counts[1], "never false")],
            count: counts[0] + counts[1],
        };
        let branches =
            vec![branch(7, "has(object.a)", [1, 3]), branch(24, "b < \"<\"", [2, 0]), branch(30, "c", [0, 0])];
        vec![PolicyCoverage {
            policy: "require-pinned-images".to_owned(),
            file: "images/policy.yaml".to_owned(),
            expressions: vec![
                expression("matchConditions[0] (selected)", 9, true, &[]),
                ExpressionCoverage { branches, ..expression("validations[0]", 14, false, &["never false"]) },
            ],
        }]
    }

    /// Why a validation was false.
    pub fn explanation() -> Explained {
        let value = |expression: &str, value: &str, path: Option<&str>| Explanation {
            expression: expression.to_owned(),
            value: value.to_owned(),
            path: path.map(str::to_owned),
            ..Explanation::default()
        };
        let element = Explanation {
            expression: "c".to_owned(),
            element: Some("[1]".to_owned()),
            path: Some("spec.containers[1]".to_owned()),
            parts: vec![value("c.image", "\"web:latest\"", Some("spec.containers[1].image"))],
            ..Explanation::default()
        };
        let all = "object.spec.containers.all(c, c.image != \"web:latest\")";
        let explanation = Explanation { parts: vec![element], ..value(all, "false", None) };
        Explained { policy: "require-pinned-images".to_owned(), validation: 0, explanation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_does_nothing_to_a_terminal() -> io::Result<()> {
        const NASTY: &str = "\u{9b}31m\u{202e}\u{2028}";
        let mut suites = samples::suites();
        for suite in &mut suites {
            suite.name.push_str(NASTY);
            suite.source.file.push_str(NASTY);
            for case in &mut suite.cases {
                case.name.push_str(NASTY);
                case.source.file.push_str(NASTY);
                case.failures.iter_mut().for_each(|failure| failure.push_str(NASTY));
                for explained in &mut case.explanations {
                    explained.policy.push_str(NASTY);
                    explained.explanation.value.push_str(NASTY);
                    explained.explanation.parts.iter_mut().for_each(|part| part.expression.push_str(NASTY));
                }
            }
        }
        let mut out = anstream::StripStream::new(Vec::new());
        render(&suites, None, &mut out)?;
        let text = String::from_utf8_lossy(&out.into_inner()).into_owned();
        assert!(text.matches("\\u{9b}31m").count() > 5, "{text}");
        assert!(!text.chars().any(|c| c != '\n' && visible::is_deceptive(c)), "{text:?}");
        Ok(())
    }

    #[test]
    fn ends_in_the_counts_alone() -> io::Result<()> {
        let mut out = anstream::StripStream::new(Vec::new());
        render(&samples::suites(), Some(&samples::coverage()), &mut out)?;
        let text = String::from_utf8_lossy(&out.into_inner()).into_owned();
        assert_eq!(text.lines().last(), Some("2 passed, 2 failed"));
        insta::assert_snapshot!(text);
        Ok(())
    }
}
