//! The engine: match, expand, mutate, validate, decide.
//!
//! Knows policies and requests; knows nothing of HTTP, files or clusters.

mod decision;
mod request;

pub use decision::{Decision, Denial, Finding, Mode, Mutated, Verdict};
pub use request::{GroupVersionKind, GroupVersionResource, Operation, Request};
