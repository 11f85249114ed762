//! Small changes to a checked expression, each of which should make a difference to somebody: what mutation testing
//! asks a test suite about.
//!
//! A change is made to the syntax tree, which is text again afterwards and compiles like any other expression. Changes
//! that can't make a difference by the form of what they change are not made.

mod equivalent;
mod find;
#[cfg(test)]
mod tests;

use find::Finder;

use super::check::check;
use super::check::issues::{Faults, Place};
use super::program::{CompileError, Env};
use super::room::with_room;
use super::syntax::ast::{Expr, Kind};
use super::syntax::parser::parse;
use super::syntax::unparse::unparse;

/// How many changes there may be to one expression.
pub const MAX_MUTANTS: usize = 2_000;

/// What was done to an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operator {
    /// A comparison or a test says the opposite, or takes in its limit.
    Comparison,
    /// `all` became `exists` or the other way round, or `exists_one` became `exists`.
    Quantifier,
    /// An operand of `&&` was dropped.
    Conjunct,
    /// An operand of `||` was dropped.
    Disjunct,
    /// A condition was dropped: a choice was made for good, a macro takes every element.
    Condition,
    /// An operand of a sum of lists was dropped.
    List,
    /// An element of a list, an entry of a map or a field of an object was removed.
    Element,
    /// A constant became another one.
    Constant,
    /// The whole expression became true.
    Whole,
}

/// A changed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// What was done.
    pub operator: Operator,
    /// Which of the expression's changes by this operator it is, from 1, in the order of the source.
    pub ordinal: usize,
    /// Where the change is in the source: line from 1, column from 1.
    pub place: (usize, usize),
    /// What was changed to what.
    pub change: String,
    /// The source text of the changed expression.
    pub source: String,
}

impl Operator {
    /// As the names of mutants spell it.
    pub fn name(self) -> &'static str {
        match self {
            Operator::Comparison => "comparison",
            Operator::Quantifier => "quantifier",
            Operator::Conjunct => "conjunct",
            Operator::Disjunct => "disjunct",
            Operator::Condition => "condition",
            Operator::List => "list",
            Operator::Element => "element",
            Operator::Constant => "constant",
            Operator::Whole => "whole",
        }
    }
}

/// The changes to `source`. `decides` says that the expression is a condition as a whole, as validations and match
/// conditions are.
///
/// # Errors
/// The expression doesn't compile, or there would be too many of them.
pub fn mutants(source: &str, env: &Env, decides: bool) -> Result<Vec<Mutant>, CompileError> {
    with_room(source, || mutants_here(source, env, decides), |failure| CompileError::at(source, 0, failure))
}

fn mutants_here(source: &str, env: &Env, decides: bool) -> Result<Vec<Mutant>, CompileError> {
    let parsed = parse(source, env.minor).map_err(|error| CompileError::at(source, error.offset, error.message))?;
    let first = |faults: Faults| {
        let (offset, message) = faults.first().map_or((0, ""), |fault| (fault.offset, fault.message.as_str()));
        CompileError::at(source, offset, message.to_owned())
    };
    let checked = check(env, &parsed.expr, parsed.next_id).map_err(first)?;
    let mut finder = Finder::new(&checked, env.minor);
    finder.whole(&parsed.expr, decides);
    if finder.is_too_much() {
        let message = format!("too large for mutants (limit {MAX_MUTANTS}): split it into variables");
        return Err(CompileError::at(source, 0, message));
    }
    let mut edits = finder.edits;
    // A stable sort: the changes of one place keep the order in which they were found.
    edits.sort_by_key(|edit| edit.offset);
    let mut mutants: Vec<Mutant> = Vec::new();
    for edit in edits {
        let ordinal = 1 + mutants.iter().filter(|earlier| earlier.operator == edit.operator).count();
        let changed = unparse(&replaced(&parsed.expr, edit.id, &edit.kind));
        let Some(changed) = changed.filter(|changed| mutants.iter().all(|earlier| earlier.source != *changed)) else {
            continue;
        };
        let Place { line, column } = Place::of(source, edit.offset);
        mutants.push(Mutant {
            operator: edit.operator,
            ordinal,
            place: (line, column),
            change: edit.change,
            source: changed,
        });
    }
    Ok(mutants)
}

/// The tree with another node in place of the one with a number.
fn replaced(expr: &Expr, id: u32, kind: &Kind) -> Expr {
    let mut changed = expr.clone();
    let mut pending = vec![&mut changed];
    while let Some(expr) = pending.pop() {
        if expr.id == id {
            expr.kind = kind.clone();
            break;
        }
        pending.extend(expr.kind.children_mut());
    }
    changed
}
