//! CEL as Kubernetes' admission policies use it: parse -> check -> compile -> evaluate.
//!
//! Knows nothing of policies, only of expressions, types, values and cost.

pub mod authorization;
mod check;
pub mod cost;
mod eval;
pub mod evaluator;
pub mod explain;
pub mod function;
pub mod kept;
mod library;
pub mod mutants;
mod plan;
pub mod probe;
pub mod program;
pub mod reads;
pub mod rewrite;
mod room;
pub mod sharing;
mod syntax;
pub mod value;

pub use check::env::{Declarations, SUPPORTED_MINORS};
pub use check::issues::Issues;
pub use check::types::Type;
pub use evaluator::{Evaluator, Inputs, MAX_NESTED_HEIGHT};
pub use function::{Error, Limit};
pub use kept::{Kept, Params};
pub use library::standard::{duration_text, parse_duration, zoned_text};
pub use program::{CompileError, Env, Expect, Program, Variable};
pub use room::compile_each;
pub use sharing::{Memo, Sharer, Sharing};
pub use syntax::builder::{MAX_NODES, MAX_TREE_HEIGHT};
pub use syntax::escape::escape;
pub use syntax::names::is_identifier;
pub use syntax::parser::{MAX_RULE_DEPTH, MAX_SOURCE_CHARACTERS};
pub(crate) use value::quantity::Quantity;
pub use value::{Value, compare, opaque};

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
