//! Warnings as the API server passes them on: without control characters, each once, within its limits.

/// More than this many characters in all, and the API server cuts each warning down to [`EACH`].
const TOTAL: usize = 4096;
/// What is left of a warning that is cut, in characters.
const EACH: usize = 256;

/// Prepares warnings. Upstream drops a warning with a control character and, past 4096 characters in all, cuts each
/// to 256 and leaves out what still doesn't fit; done here, the cut shows and says how many are missing.
pub(super) fn prepare(warnings: &[String]) -> Vec<String> {
    let mut unique: Vec<String> = Vec::with_capacity(warnings.len());
    for warning in warnings {
        let text = printable(warning);
        if !text.is_empty() && !unique.contains(&text) {
            unique.push(text);
        }
    }
    if unique.iter().map(|text| text.chars().count()).sum::<usize>() <= TOTAL {
        return unique;
    }
    // One place is kept for saying that there are more.
    let room = TOTAL / EACH - 1;
    let left_out = unique.len().saturating_sub(room);
    let mut cut: Vec<String> = unique.into_iter().take(room).map(shorten).collect();
    if left_out > 0 {
        cut.push(format!("{left_out} more warnings were left out; they are in the audit log"));
    }
    cut
}

fn printable(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.trim().to_owned()
}

fn shorten(text: String) -> String {
    if text.chars().count() <= EACH {
        return text;
    }
    text.chars().take(EACH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_warnings_within_the_limits_alone() {
        let warnings = ["one".to_owned(), "x".repeat(4000)];
        assert_eq!(prepare(&warnings), warnings);
    }

    #[test]
    fn replaces_control_characters_because_upstream_would_drop_the_warning() {
        assert_eq!(prepare(&["a\nb\tc\u{7f}d\n".to_owned()]), ["a b c d"]);
    }

    #[test]
    fn says_each_thing_once_and_nothing_empty() {
        assert_eq!(prepare(&["a".to_owned(), String::new(), "\n".to_owned(), "a".to_owned()]), ["a"]);
    }

    #[test]
    fn cuts_every_warning_once_the_total_is_exceeded() {
        let warnings: Vec<String> = (0..5).map(|i| format!("{i}{}", "é".repeat(1000))).collect();
        let prepared = prepare(&warnings);
        assert_eq!(prepared.len(), 5);
        assert!(prepared.iter().all(|text| text.chars().count() == EACH && text.ends_with('…')));
    }

    #[test]
    fn counts_the_warnings_that_do_not_fit() {
        let warnings: Vec<String> = (0..100).map(|i| format!("{i}{}", "w".repeat(300))).collect();
        let prepared = prepare(&warnings);
        assert!(prepared.iter().map(|text| text.chars().count()).sum::<usize>() <= TOTAL);
        assert_eq!(prepared.len(), 16);
        assert!(prepared.last().is_some_and(|last| last.starts_with("85 more warnings")), "{prepared:?}");
    }
}
