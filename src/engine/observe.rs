//! Tells a listener which expressions were evaluated and what they gave: what coverage is made of.

use std::fmt;

/// An expression's place in a policy, by its index in the policy's own list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// `spec.matchConditions[i]`
    MatchCondition(usize),
    /// `spec.variables[i]`
    Variable(usize),
    /// `spec.validations[i].expression`
    Validation(usize),
    /// `spec.validations[i].messageExpression`
    MessageExpression(usize),
    /// `spec.auditAnnotations[i].valueExpression`
    AuditAnnotation(usize),
    /// `spec.mutations[i]`
    Mutation(usize),
}

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
    /// An error.
    Error,
}

/// Listens to evaluations.
pub trait Observer: fmt::Debug {
    /// `policy`'s expression at `place` was evaluated.
    fn evaluated(&self, policy: &str, place: Place, outcome: Outcome);
}
