//! What templates leave in a text: actions that nothing has filled in, and the comments by which Helm says where a
//! document comes from.

use crate::json::{Arena, yaml};

/// The longest name that is taken from a comment, in bytes.
const MAX_SOURCE: usize = 1024;

/// A text cut before its separators, as documents are.
#[derive(Debug)]
pub struct Parts<'t> {
    /// Each part with its first line.
    parts: Vec<(usize, &'t str)>,
    /// The first part that no broken document has been found in yet.
    unbroken: usize,
}

impl<'t> Parts<'t> {
    /// Cuts `text`, whose first line is called `line`.
    pub fn of(text: &'t str, line: usize) -> Self {
        let mut parts = Vec::new();
        let (mut first, mut start, mut at) = (line, 0, 0);
        for (line, content) in (line..).zip(text.split_inclusive('\n')) {
            if at > start && is_separator(content) {
                parts.push((first, text.get(start..at).unwrap_or_default()));
                (first, start) = (line, at);
            }
            at += content.len();
        }
        parts.push((first, text.get(start..).unwrap_or_default()));
        Self { parts, unbroken: 0 }
    }

    /// The part that a line belongs to.
    pub fn around(&self, line: usize) -> &'t str {
        self.parts.get(self.index(line)).map(|(_, text)| *text).unwrap_or_default()
    }

    /// The part that holds a broken document; asked for each of them in order. What is missing at the end of a document
    /// is missed on the line of the next separator.
    pub fn broken(&mut self, line: usize) -> &'t str {
        let mut index = self.index(line).max(self.unbroken);
        let before = index.checked_sub(1).filter(|before| *before >= self.unbroken);
        let is_first_line = self.parts.get(index).is_some_and(|(first, _)| *first == line);
        if let Some((at, (_, text))) = before.and_then(|at| Some((at, self.parts.get(at)?)))
            && is_first_line
            && yaml::documents(&Arena::new(), text).iter().any(Result::is_err)
        {
            index = at;
        }
        self.unbroken = index + 1;
        self.parts.get(index).map(|(_, text)| *text).unwrap_or_default()
    }

    fn index(&self, line: usize) -> usize {
        self.parts.partition_point(|(first, _)| *first <= line).saturating_sub(1)
    }
}

/// What Helm's comment `# Source: chart/templates/x.yaml` above a document says.
pub fn helm_source(part: &str) -> Option<&str> {
    let head = part.lines().take_while(|line| line.is_empty() || line.starts_with('#') || is_separator(line));
    let source = head.filter_map(|line| line.strip_prefix("# Source: ")).last()?.trim();
    (!source.is_empty() && source.len() <= MAX_SOURCE).then_some(source)
}

/// Whether a document that can't be read holds a template action, `{{ … }}`, where YAML would have to read it: outside
/// quotes, comments and block scalars, which hold whatever they like.
pub fn holds_action(document: &str) -> bool {
    let mut quote = None;
    let mut block: Option<usize> = None;
    let mut rest = document;
    while let Some(line) = rest.split_inclusive('\n').next() {
        let inside = block.is_some_and(|indent| line.trim().is_empty() || indentation(line) > indent);
        if !inside {
            block = None;
            match scan(line, &mut quote) {
                Scanned::Action(at) if is_action(rest.get(at..).unwrap_or_default()) => return true,
                Scanned::Block => block = Some(key_column(line)),
                Scanned::Action(_) | Scanned::Nothing => {}
            }
        }
        rest = rest.get(line.len()..).unwrap_or_default();
    }
    false
}

/// What a line holds.
enum Scanned {
    Nothing,
    /// `{{` at this byte.
    Action(usize),
    /// The head of a block scalar at its end.
    Block,
}

fn scan(line: &str, quote: &mut Option<char>) -> Scanned {
    let mut before = ' ';
    let mut end = line.len();
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match (*quote, c) {
            (Some('"'), '\\') => drop(chars.next()),
            (Some('\''), '\'') if next == Some('\'') => drop(chars.next()),
            (Some(open), c) if open == c => *quote = None,
            (Some(_), _) => {}
            (None, '#') if before.is_whitespace() => {
                end = at;
                break;
            }
            // Elsewhere a quote is part of a plain scalar.
            (None, '"' | '\'') if before.is_whitespace() || "[{,:".contains(before) => *quote = Some(c),
            (None, '{') if next == Some('{') && is_action(line.get(at..).unwrap_or_default()) => {
                return Scanned::Action(at);
            }
            // The action may end on a later line.
            (None, '{') if next == Some('{') && !line.get(at..).unwrap_or_default().contains("}}") => {
                return Scanned::Action(at);
            }
            (None, _) => {}
        }
        before = c;
    }
    let is_block = quote.is_none() && line.get(..end).is_some_and(is_block_head);
    if is_block { Scanned::Block } else { Scanned::Nothing }
}

/// Whether a text that begins with `{{` begins with an action: `{{}}` is an empty mapping in another.
fn is_action(text: &str) -> bool {
    let Some((action, _)) = text.strip_prefix("{{").and_then(|text| text.split_once("}}")) else { return false };
    !action.trim_matches(|c: char| c == '-' || c.is_whitespace()).is_empty()
}

/// Whether a line ends in `|` or `>` with or without indicators, as the last word.
fn is_block_head(line: &str) -> bool {
    let word = line.split_whitespace().next_back().unwrap_or_default();
    word.strip_prefix(['|', '>']).is_some_and(|rest| rest.len() <= 2 && rest.chars().all(|c| "+-123456789".contains(c)))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// The column where a line's key begins, behind the dashes of list items.
fn key_column(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '-']).len()
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_actions_that_yaml_would_have_to_read() {
        for text in [
            "a: {{ .Values.a }}\n",
            "{{- if .Values.a }}\na: b\n",
            "a: b {{ .c }} d\n",
            "a: 'b'\nc: {{-\n  .Values.c }}\n",
            "a: it's\nb: {{ .c }}\n",
            "a: |\n  text\nb: {{ .c }}\n",
            "- a: |\n    text\n  b: {{ .c }}\n",
            "a: # \"\n  {{ .c }}\n",
            "a: 'it''s' {{ .c }}\n",
            "a: {{}}\nb: {{ .c }}\n",
        ] {
            assert!(holds_action(text), "{text}");
        }
    }

    #[test]
    fn passes_over_braces_that_are_text() {
        for text in [
            "# {{ .Values.a }}\na:\tb\n",
            "a: b # {{ .c }}\n",
            "a: \"up {{ $value }}\"\nb: [\n",
            "a: 'up {{ $value }}'\n",
            "a: 'it''s {{ $value }}'\n",
            "a: \"\\\"{{ $value }}\"\n",
            "{\"a\":\"{{ x }}\"}",
            "a: \"first\n  {{ second }}\"\n",
            "a: |-\n  {{ $value }}\n\n  {{ $value }}\nb: [\n",
            "- a: >2\n    {{ $value }}\n",
            "a: {{}}\n",
            "a: {{ - }}\n",
            "a: {{b: c}: d}\n",
        ] {
            assert!(!holds_action(text), "{text}");
        }
    }

    #[test]
    fn reads_helm_s_comments_above_documents() {
        for (text, source) in [
            ("---\n# Source: app/templates/a.yaml\na: b\n", Some("app/templates/a.yaml")),
            ("# Source: app/templates/a.yaml\n\na: b\n", Some("app/templates/a.yaml")),
            ("---\n# Source: x.yaml\n# Source: app/templates/a.yaml\na: b\n", Some("app/templates/a.yaml")),
            ("---\na: b\n# Source: app/templates/a.yaml\n", None),
            ("# Source: \na: b\n", None),
        ] {
            assert_eq!(helm_source(text), source, "{text}");
        }
        assert_eq!(helm_source(&format!("# Source: {}", "x".repeat(MAX_SOURCE + 1))), None);
        assert!(helm_source(&format!("# Source: {}", "x".repeat(MAX_SOURCE))).is_some());
    }

    #[test]
    fn finds_the_part_of_a_line() {
        let text = "a: [\n---\nb: 1\n---\nc: [\n--- [\nd: 1\n";
        let mut parts = Parts::of(text, 1);
        assert_eq!(parts.around(3), "---\nb: 1\n");
        // Each list misses its end on the next separator's line.
        assert_eq!(parts.broken(2), "a: [\n");
        assert_eq!(parts.broken(6), "---\nc: [\n");
        assert_eq!(parts.broken(6), "--- [\nd: 1\n");
        assert_eq!(Parts::of("", 1).around(1), "");
    }
}
