//! Cutting a YAML text into documents before it is parsed, so that a broken one costs only itself.

/// A piece of the text, normally one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The piece, from its `---` if it has one.
    pub text: &'a str,
    /// Its first line in the whole text, from 1.
    pub line: usize,
}

impl Part<'_> {
    /// Whether it holds exactly one document, as far as can be said without parsing it.
    pub fn is_one_document(&self) -> bool {
        self.text.starts_with("---") && !self.text.contains("\n...")
    }
}

/// Cuts `text` before each line that starts with `---` and a space or nothing.
///
/// No scalar can hold such a line: YAML ends every scalar there. Directives stay with the document that they precede.
pub(super) fn split(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (part, tail) = rest.split_at(end_of_part(rest));
        let first = line;
        line += memchr::memchr_iter(b'\n', part.as_bytes()).count();
        rest = tail;
        Some(Part { text: part, line: first })
    })
}

fn end_of_part(text: &str) -> usize {
    let mut at = 0;
    // Before its `---`, a document has nothing but directives and comments.
    let (mut prelude, mut directives) = (true, false);
    for line in text.split_inclusive('\n') {
        if at > 0 && is_separator(line) && !(prelude && directives) {
            return at;
        }
        directives |= line.starts_with('%');
        prelude &= line.starts_with(['%', '#']) || line.trim().is_empty();
        at += line.len();
    }
    text.len()
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn cuts_before_separators_only() {
        for (text, parts) in [
            ("", vec![]),
            ("a", vec![("a", 1)]),
            ("---\na\n---\nb\n", vec![("---\na\n", 1), ("---\nb\n", 3)]),
            ("a\r\n---\r\nb", vec![("a\r\n", 1), ("---\r\nb", 2)]),
            ("# c\n--- # d\nb", vec![("# c\n", 1), ("--- # d\nb", 2)]),
            ("a: |\n  x\n ---\n----\n", vec![("a: |\n  x\n ---\n----\n", 1)]),
            ("%YAML 1.1\n# c\n---\na\n---\n", vec![("%YAML 1.1\n# c\n---\na\n", 1), ("---\n", 5)]),
            ("---\n%a\n---\nb", vec![("---\n%a\n", 1), ("---\nb", 3)]),
            ("\u{feff}---\na", vec![("---\na", 1)]),
        ] {
            let found: Vec<_> = split(text).map(|part| (part.text, part.line)).collect();
            assert_eq!(found, parts, "{text:?}");
        }
    }
}
