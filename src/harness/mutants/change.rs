//! A change to a policy, and the policy with it.

use std::sync::Arc;

use crate::cel::Program;
use crate::engine::Place;
use crate::policy::model::{FailurePolicy, MatchResources, Policy, Rules};

/// A change to a policy.
pub(super) struct Change {
    /// The mutant's name without the policy's.
    pub name: String,
    /// The line that it changes.
    pub line: usize,
    /// What it changes to what.
    pub text: String,
    /// The change itself.
    pub to: To,
}

/// What a policy gets.
pub(super) enum To {
    /// Another expression at a place.
    Expression(Place, Arc<Program>),
    /// Other match constraints.
    Constraints(MatchResources),
    /// The other failure policy.
    FailurePolicy(FailurePolicy),
}

impl Change {
    /// The policy with the change.
    pub fn applied(&self, policy: &Policy) -> Policy {
        let mut changed = policy.clone();
        match &self.to {
            To::Constraints(constraints) => changed.match_constraints = constraints.clone(),
            To::FailurePolicy(failure_policy) => changed.failure_policy = *failure_policy,
            To::Expression(place, program) => set(&mut changed, *place, program.clone()),
        }
        changed
    }
}

fn set(policy: &mut Policy, place: Place, program: Arc<Program>) {
    match (place, &mut policy.rules) {
        (Place::MatchCondition(at), _) => {
            policy
                .match_conditions
                .get_mut(at)
                .into_iter()
                .for_each(|condition| condition.program = Ok(program.clone()));
        }
        (Place::Variable(at), _) => {
            policy.variables.get_mut(at).into_iter().for_each(|variable| variable.program = Ok(program.clone()));
        }
        (Place::Validation(at), Rules::Validate { validations, .. }) => {
            validations.get_mut(at).into_iter().for_each(|validation| validation.program = Ok(program.clone()));
        }
        (Place::MessageExpression(at), Rules::Validate { validations, .. }) => {
            let validation = validations.get_mut(at).into_iter();
            validation.for_each(|validation| validation.message_expression = Some(Ok(program.clone())));
        }
        (Place::AuditAnnotation(at), Rules::Validate { audit_annotations, .. }) => {
            audit_annotations.get_mut(at).into_iter().for_each(|annotation| annotation.program = Ok(program.clone()));
        }
        (Place::Mutation(at), Rules::Mutate { mutations, .. }) => {
            mutations.get_mut(at).into_iter().for_each(|mutation| mutation.program = Ok(program.clone()));
        }
        // A place of the other kind of policy.
        _ => {}
    }
}
