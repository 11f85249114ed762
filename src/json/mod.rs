//! The borrowed document: values that live in an [`Arena`], their parser and printer, pointers and patches.
//!
//! Knows nothing of Kubernetes, CEL, files or HTTP.

mod value;
pub mod yaml;

pub use value::{Arena, INDEXED_FROM, Member, Object, Value};
