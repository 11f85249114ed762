//! The borrowed document: values that live in an [`Arena`], their parser and printer, pointers and patches.
//!
//! Knows nothing of Kubernetes, CEL, files or HTTP.

mod diff;
mod edit;
mod parse;
mod patch;
pub mod pointer;
mod print;
mod scan;
#[cfg(test)]
pub(crate) mod testing;
mod value;
pub mod yaml;

pub use diff::diff;
pub use edit::Place;
pub use parse::{DEFAULT_MAX_DEPTH, Limits, ParseError, ParseErrorKind, parse};
pub use patch::{Operation, Patch, PatchError, PatchLimits};
pub use print::{to_json, to_json_pretty, write_json, write_json_string};
pub use value::{Arena, ArenaString, ArenaVec, INDEXED_FROM, Member, Object, Value};
