//! Tells a listener which expressions were evaluated and what they gave: what coverage is made of.

use std::cell::Cell;
use std::fmt;

use crate::cel::probe::{Element, Recorder, Scope};
use crate::cel::{Error, Value};

pub use crate::policy::Place;

use super::request::Operation;

/// What an evaluation gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// `true`
    True,
    /// `false`
    False,
    /// A value that is no boolean; for a mutation: it changed the object.
    Value,
    /// A mutation that changed nothing.
    Unchanged,
    /// An optional without a value.
    Absent,
    /// An error.
    Error,
}

/// Listens to evaluations.
pub trait Observer: fmt::Debug {
    /// `policy`'s expression at `place` was evaluated.
    fn evaluated(&self, policy: &str, place: Place, outcome: Outcome);

    /// A policy concerns a request of this operation: its match conditions and all else are asked.
    fn concerned(&self, _policy: &str, _operation: Operation) {}

    /// A part of the expression at `place`, which is instrumented, was evaluated; `site` is its number.
    fn part(&self, _policy: &str, _place: Place, _site: usize, _outcome: Outcome) {}
}

impl Outcome {
    /// What an expression's value amounts to.
    pub fn of(result: Result<&Value<'_>, &Error>) -> Self {
        match result {
            Ok(Value::Bool(true)) => Outcome::True,
            Ok(Value::Bool(false)) => Outcome::False,
            Ok(Value::Optional(None)) => Outcome::Absent,
            Ok(_) => Outcome::Value,
            Err(_) => Outcome::Error,
        }
    }
}

/// Hands on what the parts of a policy's expressions give.
pub struct Parts<'a> {
    /// Who listens.
    pub observer: &'a dyn Observer,
    /// Whose expressions they are.
    pub policy: &'a str,
    /// Where the one stands that is evaluated.
    pub place: Cell<Place>,
}

impl<'a> Recorder<'a> for Parts<'a> {
    fn begins(&self, _: Scope, _: usize, _: Option<Element<'a>>) {}

    fn ends(&self, scope: Scope, site: usize, outcome: &Result<Value<'a>, Error>) {
        let place = match scope {
            Scope::Expression => self.place.get(),
            Scope::Variable(index) => Place::Variable(index),
        };
        self.observer.part(self.policy, place, site, Outcome::of(outcome.as_ref()));
    }
}
