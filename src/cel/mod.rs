//! CEL as Kubernetes' admission policies use it: parse -> check -> compile -> evaluate.
//!
//! Knows nothing of policies, only of expressions, types, values and cost.

pub mod function;
pub mod opaque;
pub mod program;
pub mod value;

pub use function::{Error, Limit};
pub use program::{CompileError, Env, Evaluator, Expect, Inputs, Program};
pub use value::Value;
