//! Words of the grammar: which can be names, and which it keeps.

/// Whether a text can be the name of a variable.
pub fn is_identifier(text: &str) -> bool {
    let begins = text.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic());
    let continues = text.chars().all(|rest| rest == '_' || rest.is_ascii_alphanumeric());
    begins && continues && !is_reserved(text)
}

/// Whether the grammar keeps a word for itself: it has a use, or may get one.
pub(in crate::cel) fn is_reserved(word: &str) -> bool {
    is_kept(word) || matches!(word, "true" | "false" | "null" | "in")
}

/// Whether a word reads as a name and yet can't be one, because the grammar may get a use for it.
pub(in crate::cel) fn is_kept(word: &str) -> bool {
    RESERVED.contains(&word)
}

/// Besides those that are tokens of their own.
const RESERVED: &[&str] = &[
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];
