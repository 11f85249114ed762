//! What is wrong with an expression, all of it, and how cel-go prints that.
//!
//! Upstream: `cel-go/common/errors.go` and `error.go`.

use std::fmt;

/// One mistake and the byte offset of the node that it is found at.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct Fault {
    pub message: String,
    pub offset: u32,
}

/// The mistakes of one expression in the order in which they were found. Only the first [`MAX_FAULTS`] are kept.
#[derive(Clone, Debug, Default)]
pub(in crate::cel) struct Faults {
    kept: Vec<Fault>,
    count: usize,
}

const MAX_FAULTS: usize = 100;

impl Faults {
    pub fn push(&mut self, fault: Fault) {
        self.count += 1;
        if self.kept.len() < MAX_FAULTS {
            self.kept.push(fault);
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// The one that comes first in the text, as upstream sorts them.
    pub fn first(&self) -> Option<&Fault> {
        self.kept.iter().min_by_key(|fault| fault.offset)
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { kept: vec![fault], count: 1 }
    }
}

/// What is wrong with an expression. Prints as upstream does: each mistake with its place and its line of the source.
#[derive(Clone, Debug)]
pub struct Issues {
    source: String,
    faults: Vec<(Place, String)>,
    count: usize,
}

/// A place in a source text; the order is that of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cel) struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

impl Place {
    /// The place of the byte at `offset`.
    pub fn of(source: &str, offset: u32) -> Self {
        let before = source.get(..offset as usize).unwrap_or(source);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..).map_or(0, |text| text.chars().count()) + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

/// Lines longer than this many bytes are not shown.
const MAX_SNIPPET: usize = 16_384;

impl Issues {
    pub(in crate::cel) fn new(source: &str, faults: &Faults) -> Self {
        let place = |fault: &Fault| (Place::of(source, fault.offset), fault.message.clone());
        let mut placed: Vec<_> = faults.kept.iter().map(place).collect();
        placed.sort_by_key(|(place, _)| *place);
        Self { source: source.to_owned(), faults: placed, count: faults.count }
    }

    /// Only those mistakes that are fields which are not there; `None` if there is no such mistake.
    pub fn of_fields(mut self) -> Option<Self> {
        self.faults.retain(|(_, message)| is_of_field(message));
        self.count = self.faults.len();
        (self.count > 0).then_some(self)
    }

    /// Line and column of the first mistake in the text, both from 1, the column in characters.
    pub fn place(&self) -> (usize, usize) {
        self.faults.first().map_or((1, 1), |(place, _)| (place.line, place.column))
    }
}

fn is_of_field(message: &str) -> bool {
    message.starts_with("undefined field '") || message.ends_with(" does not support field selection")
}

impl fmt::Display for Issues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (place, message)) in self.faults.iter().enumerate() {
            let separator = if index > 0 { "\n" } else { "" };
            write!(f, "{separator}ERROR: <input>:{}:{}: {message}", place.line, place.column)?;
            let line = self.source.split('\n').nth(place.line - 1).unwrap_or_default();
            if line.len() <= MAX_SNIPPET {
                snippet(f, line, place.column)?;
            }
        }
        match self.count - self.faults.len() {
            0 => Ok(()),
            more => write!(f, "\n{more} more errors were truncated"),
        }
    }
}

/// The line and, below it, a mark at the column. Characters beyond ASCII are taken to be wide.
fn snippet(f: &mut fmt::Formatter<'_>, line: &str, column: usize) -> fmt::Result {
    let mut marks = String::new();
    let mut characters = line.chars();
    for character in characters.by_ref().take(column - 1) {
        marks.push(if character.is_ascii() { '.' } else { '\u{ff0e}' });
    }
    marks.push(if characters.next().is_none_or(|character| character.is_ascii()) { '^' } else { '\u{ff3e}' });
    write!(f, "\n | {}\n | {marks}", line.replace('\t', " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, offsets: &[u32]) -> String {
        let mut faults = Faults::default();
        for offset in offsets {
            faults.push(Fault { message: format!("wrong {offset}"), offset: *offset });
        }
        Issues::new(source, &faults).to_string()
    }

    #[test]
    fn prints_mistakes_in_the_order_of_the_text_with_a_mark_below_each() {
        assert_eq!(
            shown("a.b +\n\tc.d", &[8, 1]),
            "ERROR: <input>:1:2: wrong 1\n | a.b +\n | .^\nERROR: <input>:2:3: wrong 8\n |  c.d\n | ..^"
        );
    }

    #[test]
    fn marks_wide_characters_by_wide_marks() {
        assert_eq!(shown("'é' + ü", &[7]), "ERROR: <input>:1:7: wrong 7\n | 'é' + ü\n | .．....＾");
    }

    #[test]
    fn can_be_reduced_to_fields_that_are_not_there() {
        let issues = |messages: &[&str]| {
            let mut faults = Faults::default();
            messages.iter().for_each(|message| faults.push(Fault { message: (*message).to_owned(), offset: 0 }));
            Issues::new("x", &faults).of_fields().map(|issues| issues.to_string())
        };
        let field = issues(&["found no matching overload", "undefined field 'a'"]);
        assert_eq!(field.as_deref(), Some("ERROR: <input>:1:1: undefined field 'a'\n | x\n | ^"));
        assert!(issues(&["type 'string' does not support field selection"]).is_some());
        assert_eq!(issues(&["found no matching overload"]), None);
    }

    #[test]
    fn leaves_long_lines_out_and_counts_what_is_too_much() {
        let long = "x".repeat(MAX_SNIPPET + 1);
        assert_eq!(shown(&long, &[3]), "ERROR: <input>:1:4: wrong 3");
        let many: Vec<u32> = (0..120).collect();
        assert!(shown("x", &many).ends_with("\n20 more errors were truncated"));
    }
}
