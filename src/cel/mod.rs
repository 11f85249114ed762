//! CEL as Kubernetes' admission policies use it: parse -> check -> compile -> evaluate.
//!
//! Knows nothing of policies, only of expressions, types, values and cost.

mod ast;
mod attribute;
pub mod authorization;
mod builder;
mod call;
mod check;
pub mod compare;
mod compile;
pub mod cost;
mod dispatch;
mod env;
mod escape;
mod eval;
mod fold;
mod format_literal;
pub mod function;
mod issues;
mod lexer;
mod library;
mod lookup;
mod macros;
mod names;
mod native;
mod node;
pub mod opaque;
mod parser;
pub mod program;
mod schema;
mod signature;
mod standard;
mod text;
mod types;
mod unescape;
mod validate;
pub mod value;

pub use builder::{MAX_NODES, MAX_TREE_HEIGHT};
pub use env::{Declarations, SUPPORTED_MINORS};
pub use escape::escape;
pub use eval::MEMORY_LIMIT;
pub use function::{Error, Limit};
pub use issues::Issues;
pub(crate) use library::quantity_value::Quantity;
pub use names::is_identifier;
pub use parser::{MAX_RULE_DEPTH, MAX_SOURCE_CHARACTERS};
pub use program::{CompileError, Env, Evaluator, Expect, Inputs, MAX_NESTED_HEIGHT, Program, Variable};
pub use types::Type;
pub use value::Value;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
