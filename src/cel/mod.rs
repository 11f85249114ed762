//! CEL as Kubernetes' admission policies use it: parse -> check -> compile -> evaluate.
//!
//! Knows nothing of policies, only of expressions, types, values and cost.

pub mod authorization;
mod check;
pub mod cost;
mod eval;
pub mod explain;
pub mod function;
mod library;
mod plan;
pub mod probe;
pub mod program;
pub mod rewrite;
mod syntax;
pub mod value;

pub use check::env::{Declarations, SUPPORTED_MINORS};
pub use check::issues::Issues;
pub use check::types::Type;
pub use function::{Error, Limit};
pub use library::standard::{duration_text, parse_duration, zoned_text};
pub use program::{CompileError, Env, Evaluator, Expect, Inputs, MAX_NESTED_HEIGHT, Program, Variable};
pub use syntax::builder::{MAX_NODES, MAX_TREE_HEIGHT};
pub use syntax::escape::escape;
pub use syntax::names::is_identifier;
pub use syntax::parser::{MAX_RULE_DEPTH, MAX_SOURCE_CHARACTERS};
pub(crate) use value::quantity::Quantity;
pub use value::{Value, compare, opaque};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
