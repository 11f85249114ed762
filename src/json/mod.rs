//! The borrowed document: values that live in an [`Arena`], their parser and printer, pointers and patches.
//!
//! Knows nothing of Kubernetes, CEL, files or HTTP.

mod arena;
mod diff;
mod edit;
mod outline;
mod parse;
mod patch;
pub mod pointer;
mod print;
mod scan;
#[cfg(test)]
pub(crate) mod testing;
mod tree;
mod value;
pub mod yaml;

pub use arena::{Arena, ArenaString, ArenaVec};
pub use diff::diff;
pub use edit::Place;
pub use outline::Outline;
pub use parse::{DEFAULT_MAX_DEPTH, Limits, ParseError, ParseErrorKind, parse};
pub use patch::{Operation, Patch, PatchError, PatchLimits};
pub use print::{to_json, to_json_pretty, write_json, write_json_string};
pub use tree::Tree;
pub use value::{INDEXED_FROM, Member, Object, Value};
