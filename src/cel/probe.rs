//! Instrumented programs: their parts report what they give, for coverage and for explanations.
//!
//! Only programs that are compiled with [`Env::probes`](super::Env) have parts; all others carry nothing of this.

use super::Error;
use super::value::Value;

/// Which of a policy's expressions a part belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The expression that is evaluated.
    Expression,
    /// The variable at this position, which the expression has read.
    Variable(usize),
}

/// A part of an expression that reports.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where it begins in the source: line, from 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Its source text, as it would be written on one line; long ones are cut off.
    pub text: String,
    /// What it has to have given once to be covered.
    pub wanted: Wanted,
    /// How it comes to its value.
    pub shape: Shape,
}

/// What a part has to have given for its branches to be covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// It is no branch.
    #[default]
    Nothing,
    /// It decides something: true once, and false once.
    BothSides,
    /// It is evaluated for each element of a loop, or is an operation of a patch: any value.
    Reached,
    /// An optional part: with a value once, and without one once.
    Presence,
}

/// How a part comes to its value, as far as an explanation goes by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `a && b`
    And,
    /// `a || b`
    Or,
    /// `!a`
    Not,
    /// `a ? b : c`
    Conditional,
    /// `all`
    All(Variables),
    /// `exists`, and `filter` and `exists_one`, where what matters is the elements that are true.
    Exists(Variables),
    /// A loop that makes something of each element.
    Collect,
    /// `variables.<name>`
    Variable,
    /// A name, a field, an element: a value with nothing to look into.
    Name,
    /// Anything else: its operands explain it.
    Other,
}

/// The names that a loop gives to what it is at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variables {
    /// The element or key; with a second name the index or key.
    pub first: String,
    /// The element or value.
    pub second: Option<String>,
}

/// What a loop is at.
#[derive(Clone, Copy, Debug)]
pub struct Element<'a> {
    /// The element or the key; with a second value the index or the key.
    pub first: Value<'a>,
    /// The element or value.
    pub second: Option<Value<'a>>,
}

/// Is told what the parts of instrumented programs give, in the order of evaluation: parts begin and end nested.
pub trait Recorder<'a> {
    /// A part begins; with an `element` it is evaluated for each element of the loop around it.
    fn begins(&self, scope: Scope, site: usize, element: Option<Element<'a>>);
    /// The part that began last and has not ended ends.
    fn ends(&self, scope: Scope, site: usize, outcome: &Result<Value<'a>, Error>);
}
