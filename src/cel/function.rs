//! How a library declares its functions: names, typed overloads, and one Rust function for each name.

use std::fmt;

use crate::json::Arena;

use crate::cel::value::Value;

/// A function of the CEL environment: every overload of one name.
#[derive(Debug)]
pub struct Function {
    /// The name as the parser produces it: `size`, `_+_`, `ip.isCanonical`.
    pub name: &'static str,
    /// Its overloads; the type checker chooses among them.
    pub overloads: &'static [Overload],
    /// The implementation of all overloads. It tells them apart by the values it gets and returns
    /// [`Error::no_such_overload`] for every other combination: the checker can't exclude those behind `dyn`.
    pub eval: Eval,
}

/// One typed signature of a function.
#[derive(Debug)]
pub struct Overload {
    /// Upstream's overload id, which cost and differential tests refer to.
    pub id: &'static str,
    /// The signature: `(string, int) -> bool`, or `string.(int) -> bool` for a member function. Types: `dyn`, `null`,
    /// `bool`, `int`, `uint`, `double`, `string`, `bytes`, `duration`, `timestamp`, `type`, `list<T>`, `map<K, V>`,
    /// `optional<T>`, a single capital letter for a type parameter, anything with a dot for an opaque type.
    pub signature: &'static str,
    /// The Kubernetes minor versions (of 1.x) that have it: from the first, before the second.
    pub versions: (u32, u32),
}

/// Declares an overload that every supported Kubernetes version has.
pub const fn overload(id: &'static str, signature: &'static str) -> Overload {
    Overload { id, signature, versions: (0, u32::MAX) }
}

/// Declares an overload that Kubernetes has since 1.`minor`.
pub const fn overload_since(minor: u32, id: &'static str, signature: &'static str) -> Overload {
    Overload { id, signature, versions: (minor, u32::MAX) }
}

/// Implements a function: a member function gets its target as the first argument.
pub type Eval = for<'a> fn(&'a Arena, &[Value<'a>]) -> Result<Value<'a>, Error>;

/// Why an evaluation gave no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// An error of the expression; `||`, `&&` and comprehensions may absorb it.
    Evaluation(Box<str>),
    /// The evaluation was stopped; nothing absorbs it.
    Cancelled(Limit),
    /// What makes upstream's evaluator panic: the whole expression fails, nothing absorbs it.
    Internal(Box<str>),
}

/// The limit that stopped an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The cost of one expression.
    Cost,
    /// The cost of all expressions of one binding or of the match conditions.
    Budget,
    /// The time until the API server stops waiting.
    Deadline,
    /// The memory of one evaluation.
    Memory,
}

impl Error {
    /// An error of the expression.
    pub fn new(message: impl Into<String>) -> Self {
        Error::Evaluation(message.into().into_boxed_str())
    }

    /// A panic of upstream's evaluator.
    pub(super) fn internal(message: String) -> Self {
        Error::Internal(message.into_boxed_str())
    }

    /// Whether nothing within the expression can absorb it.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self, Error::Evaluation(_))
    }

    /// No overload of the function takes these values.
    pub fn no_such_overload() -> Self {
        Error::new("no such overload")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Evaluation(message) => f.write_str(message),
            Error::Internal(message) => write!(f, "internal error: {message}"),
            Error::Cancelled(Limit::Cost) => f.write_str("operation cancelled: actual cost limit exceeded"),
            Error::Cancelled(Limit::Budget) => f.write_str(
                "validation failed due to running out of cost budget, no further validation rules will be run",
            ),
            Error::Cancelled(Limit::Deadline) => f.write_str("operation interrupted: the request's timeout has passed"),
            Error::Cancelled(Limit::Memory) => {
                f.write_str("operation cancelled: the evaluation's memory limit is exceeded")
            }
        }
    }
}

impl std::error::Error for Error {}
