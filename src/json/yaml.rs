//! YAML as documents: each a [`Value`] with the line that it begins at.

use super::{Arena, Value};

/// One document of a YAML text.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// The document; null if it is empty.
    pub value: Value<'a>,
    /// The line of its first node, from 1.
    pub line: usize,
}

/// Why a document is no YAML that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Error {
    /// What is wrong, in one line.
    pub message: String,
    /// Where, from 1.
    pub line: usize,
}

/// A step into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// To the value of a key.
    Key(&'s str),
    /// To an element.
    Index(usize),
}

/// The documents of `text`, in order; a bad one doesn't keep the others from being read.
pub fn documents<'a>(_arena: &'a Arena, _text: &'a str) -> Vec<Result<Document<'a>, Error>> {
    Vec::new()
}

/// The line (from 1) of the key or element that `path` leads to in document `document` (from 0) of `text`.
pub fn locate(_text: &str, _document: usize, _path: &[Step<'_>]) -> Option<usize> {
    None
}
