//! Results as their author reads them: failures with their lines, coverage if asked for, the counts alone on the last
//! line.

use std::io::{self, Write};

use crate::style::{BAD, CAUTION, FAINT, GOOD, STRONG};
use crate::visible;

use super::coverage::{PolicyCoverage, percent};
use super::run::SuiteResult;

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
        for expression in policy.expressions.iter().filter(|expression| !expression.missing.is_empty()) {
            writeln!(out, "    {}: {}", visible::line(&expression.label), expression.missing.join(", "))?;
        }
    }
    writeln!(out)
}

#[cfg(test)]
pub(super) mod samples {
    use std::time::Duration;

    use super::super::coverage::ExpressionCoverage;
    use super::super::run::CaseResult;
    use super::*;
    use crate::policy::Lint;
    use crate::policy::model::Source;

    /// Two suites, one of them failing.
    pub fn suites() -> Vec<SuiteResult> {
        let source = |line| Source { file: "images/tests.yaml".to_owned(), document: 0, line };
        let case = |name: &str, line, failures: &[&str]| CaseResult {
            name: name.to_owned(),
            source: source(line),
            failures: failures.iter().map(ToString::to_string).collect(),
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
                    case("rejects latest", 29, &["expected deny, but allow"]),
                    case("fills in", 40, &["the object afterwards:\n-a: 1\n+a: 2\n b: 3"]),
                    case("accepts a digest", 50, &[]),
                ],
                warnings: Vec::new(),
            },
        ]
    }

    /// One policy, half covered.
    pub fn coverage() -> Vec<PolicyCoverage> {
        let expression = |label: &str, was_false, missing: &[&'static str]| ExpressionCoverage {
            label: label.to_owned(),
            reached: true,
            was_true: Some(true),
            was_false: Some(was_false),
            was_error: false,
            missing: missing.to_vec(),
            wanted: 2,
        };
        vec![PolicyCoverage {
            policy: "require-pinned-images".to_owned(),
            expressions: vec![
                expression("matchConditions[0] (selected)", true, &[]),
                expression("validations[0]", false, &["never false"]),
            ],
        }]
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
