//! Results as JUnit XML, which every CI system shows.

use std::io::{self, Write};

use crate::visible;

use super::mutants::{self, Report};
use super::run::{Explained, SuiteResult};

/// Writes the results; `mutants` where they were asked for.
///
/// # Errors
/// `out` can't be written.
pub fn render(suites: &[SuiteResult], mutants: Option<&Report>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites>")?;
    for suite in suites {
        let (passed, failed) = suite.counts();
        let seconds: f64 = suite.cases.iter().map(|case| case.elapsed.as_secs_f64()).sum();
        writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" time=\"{seconds:.6}\" file=\"{}\">",
            escaped(&suite.name),
            passed + failed,
            escaped(&suite.source.file)
        )?;
        for case in &suite.cases {
            write!(
                out,
                "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.6}\" file=\"{}\" line=\"{}\"",
                escaped(&case.name),
                escaped(&suite.name),
                case.elapsed.as_secs_f64(),
                escaped(&case.source.file),
                case.source.line
            )?;
            if case.failures.is_empty() {
                writeln!(out, "/>")?;
                continue;
            }
            let mut text = case.failures.join("\n");
            for Explained { policy, validation, explanation } in &case.explanations {
                text.push_str(&format!("\n{policy} validations[{validation}] is {}", explanation.value));
                for (depth, line) in explanation.lines() {
                    text.push_str(&format!("\n  {:depth$}{line}", "", depth = depth * 2));
                }
            }
            let first = text.lines().next().unwrap_or_default();
            writeln!(out, ">\n      <failure message=\"{}\">{}</failure>", escaped(first), escaped(&text))?;
            writeln!(out, "    </testcase>")?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    if let Some(report) = mutants {
        mutants::junit::write_suites(report, out)?;
    }
    writeln!(out, "</testsuites>")
}

/// The text as XML takes it in attributes and in content, with nothing in it that does something to a terminal; what
/// XML has no way to write becomes a question mark.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible::lines(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::text::samples;
    use super::*;

    #[test]
    fn writes_a_test_case_for_each_case() -> io::Result<()> {
        let mut out = Vec::new();
        render(&samples::suites(), None, &mut out)?;
        insta::assert_snapshot!(String::from_utf8_lossy(&out));
        Ok(())
    }

    #[test]
    fn escapes_what_xml_reserves_and_drops_what_it_forbids() {
        assert_eq!(escaped("a<b> & \"c\"\n\u{1b}[31m\u{0}é"), "a&lt;b&gt; &amp; &quot;c&quot;\n\\u{1b}[31m\\u{0}é");
        assert_eq!(escaped("\u{9b}a\u{202e}b\u{2028}\u{ffff}"), "\\u{9b}a\\u{202e}b\\u{2028}?");
    }
}
