//! The interface to the rest of the house: declare an environment, compile a source text, evaluate it on inputs.

use std::time::Instant;

use crate::json::{self, Arena};

use super::function::Error;
use super::value::Value;

/// What an expression may refer to.
#[derive(Clone, Debug)]
pub struct Env {
    /// Kubernetes 1.`minor`, which selects libraries and overloads.
    pub minor: u32,
    /// Whether `params` is declared (policies with a paramKind).
    pub params: bool,
    /// Whether `authorizer` is declared.
    pub authorizer: bool,
    /// Whether `Object{…}` and `JSONPatch{…}` may be written (mutations).
    pub patch_types: bool,
    /// `variables.<name>`: names with the programs declared so far, in order.
    pub variables: Vec<(String, std::sync::Arc<Program>)>,
}

/// The result types that a place allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any type (variables).
    Any,
    /// `bool` (validations, match conditions).
    Bool,
    /// `string` (messageExpression).
    String,
    /// `string` or null (audit annotations).
    StringOrNull,
    /// `list(JSONPatch)`.
    JsonPatchList,
    /// `Object`.
    Object,
}

/// A checked and compiled expression.
#[derive(Debug)]
pub struct Program {
    source: String,
}

/// Why a source text is not a valid expression of its environment; positions are 1-based lines and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// One line of text, in upstream's words where upstream has them.
    pub message: String,
    /// Line in the source, from 1.
    pub line: usize,
    /// Column in the line in characters, from 1.
    pub column: usize,
}

impl Program {
    /// Parses, checks and compiles `source`.
    ///
    /// # Errors
    /// The first error with its place, or a result type that `expect` does not allow.
    pub fn compile(source: &str, _env: &Env, _expect: Expect) -> Result<Self, CompileError> {
        Ok(Self { source: source.to_owned() })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// The values that an expression sees; `json::Value::Null` for what is absent.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `object`
    pub object: json::Value<'a>,
    /// `oldObject`
    pub old_object: json::Value<'a>,
    /// `request`, in the shape of AdmissionRequest without object and oldObject.
    pub request: json::Value<'a>,
    /// `params`
    pub params: json::Value<'a>,
    /// `namespaceObject`
    pub namespace_object: json::Value<'a>,
}

/// Evaluates the expressions of one policy on one set of inputs: variables are lazy and computed once, cost is
/// added up against a budget.
pub struct Evaluator<'a> {
    _arena: &'a Arena,
    cost: u64,
}

impl<'a> Evaluator<'a> {
    /// `variables` are the policy's, in the order of [`Env::variables`]; `budget` is the cost that all evaluations
    /// together may reach (each is limited to 1,000,000 besides); `deadline` stops a running evaluation.
    pub fn new(
        arena: &'a Arena,
        _inputs: Inputs<'a>,
        _variables: &'a [(String, std::sync::Arc<Program>)],
        _budget: u64,
        _deadline: Option<Instant>,
    ) -> Self {
        Self { _arena: arena, cost: 0 }
    }

    /// Evaluates `program`.
    ///
    /// # Errors
    /// The expression's own error, or the limit that stopped it.
    pub fn evaluate(&mut self, _program: &'a Program) -> Result<Value<'a>, Error> {
        Err(Error::no_such_overload())
    }

    /// The cost of all evaluations so far.
    pub fn cost(&self) -> u64 {
        self.cost
    }
}
