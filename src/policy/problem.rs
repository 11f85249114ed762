//! What can be wrong with a field of a manifest, and the way to the field.
//!
//! Upstream's words (`k8s.io/apimachinery/pkg/util/validation/field`) where upstream has them, with advice added.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use thiserror::Error;

use crate::json::pointer::{Path, Segment};

/// The way from a document's root to a field: `spec.validations[0].expression`.
pub type FieldPath = Path<'static>;

impl Path<'static> {
    /// The path of a member below this one.
    pub fn field(&self, name: &str) -> Self {
        self.with(Segment::Key(Cow::Owned(name.to_owned())))
    }

    /// The path of an element below this one.
    pub fn index(&self, index: usize) -> Self {
        self.with(Segment::Index(index))
    }

    /// The path of what `relative` leads to from here.
    pub fn below(&self, relative: &Self) -> Self {
        Path(self.0.iter().chain(&relative.0).cloned().collect())
    }

    fn with(&self, step: Segment<'static>) -> Self {
        Path(self.0.iter().cloned().chain([step]).collect())
    }
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// The type has no such field.
    #[error("unknown field")]
    Unknown,
    /// The value has another type than the field.
    #[error("must be {expected}, but is {found}")]
    Type {
        /// The field's type, with its article.
        expected: &'static str,
        /// The value's type, with its article.
        found: &'static str,
    },
    /// The field is absent, null or empty.
    #[error("Required value{}", Detail(.0))]
    Required(String),
    /// The value breaks a rule.
    #[error("Invalid value: {value:?}{}", Detail(.detail))]
    Invalid {
        /// The value.
        value: String,
        /// The rule.
        detail: String,
    },
    /// The value is none of the allowed words.
    #[error("Unsupported value: {value:?}: supported values: {}", Quoted(.supported))]
    Unsupported {
        /// The value.
        value: String,
        /// The allowed words.
        supported: Vec<&'static str>,
    },
    /// The value may be given only once.
    #[error("Duplicate value: {0:?}")]
    Duplicate(String),
    /// The field may not be given here.
    #[error("Forbidden{}", Detail(.0))]
    Forbidden(String),
    /// A list is too long.
    #[error("Too many: {count}: must have at most {limit} items")]
    TooMany {
        /// How many items there are.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
    /// An expression doesn't compile in its environment.
    #[error("compilation failed: {message} (line {line}, column {column} of the expression)")]
    Expression {
        /// Why.
        message: String,
        /// The line in the expression, from 1.
        line: usize,
        /// The column in that line in characters, from 1.
        column: usize,
    },
}

/// Something wrong with one field of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it.
    pub fault: Fault,
    /// What to write instead; empty where `fault` already says so.
    pub advice: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.0.is_empty() {
            write!(f, "{}", self.fault)?;
        } else {
            write!(f, "{}: {}", self.path, self.fault)?;
        }
        if self.advice.is_empty() { Ok(()) } else { write!(f, "; {}", self.advice) }
    }
}

/// The problems of one document, gathered while it is decoded.
#[derive(Debug, Default)]
pub struct Problems(RefCell<Vec<Problem>>);

impl Problems {
    /// Adds a problem.
    pub fn add(&self, path: FieldPath, fault: Fault, advice: impl Into<String>) {
        self.0.borrow_mut().push(Problem { path, fault, advice: advice.into() });
    }

    /// All problems, in the order they were found.
    pub fn into_inner(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

struct Detail<'a>(&'a str);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

struct Quoted<'a>(&'a [&'static str]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{word:?}")?;
        }
        Ok(())
    }
}

/// The name among `known` that `name` was probably meant to be.
pub fn closest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let allowed = (name.chars().count() / 2).clamp(1, 3);
    known
        .iter()
        .map(|candidate| (edits(&name.to_lowercase(), &candidate.to_lowercase()), *candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= allowed)
        .map(|(_, candidate)| candidate)
}

/// How many insertions, deletions and replacements of a character lead from one text to the other.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in to.chars().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_faults_in_upstreams_words() {
        let cases = [
            (Fault::Required(String::new()), "Required value"),
            (Fault::Required("name is not specified".into()), "Required value: name is not specified"),
            (
                Fault::Invalid { value: "a b".into(), detail: "must be a valid CEL identifier".into() },
                "Invalid value: \"a b\": must be a valid CEL identifier",
            ),
            (
                Fault::Unsupported { value: "Dney".into(), supported: vec!["Audit", "Deny"] },
                "Unsupported value: \"Dney\": supported values: \"Audit\", \"Deny\"",
            ),
            (Fault::Duplicate("x".into()), "Duplicate value: \"x\""),
            (Fault::TooMany { count: 65, limit: 64 }, "Too many: 65: must have at most 64 items"),
        ];
        for (fault, text) in cases {
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn suggests_only_what_is_close() {
        let known = ["expression", "message", "messageExpression", "reason"];
        for (written, meant) in [
            ("mesage", Some("message")),
            ("Expression", Some("expression")),
            ("expresion", Some("expression")),
            ("message_expression", Some("messageExpression")),
            ("resaon", Some("reason")),
            ("severity", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(closest(written, &known), meant, "{written}");
        }
    }

    #[test]
    fn counts_edits() {
        for (from, to, distance) in [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("ü", "u", 1)]
        {
            assert_eq!(edits(from, to), distance, "{from} -> {to}");
        }
    }
}
