//! The expressions of a policy, each with the field that it stands in and what it has to give.

use crate::cel::{Expect, Variable};

use super::compile;
use super::model::{Compiled, PatchType, Policy, Rules};
use super::problem::FieldPath;

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

impl Place {
    /// The list of `spec` that it is in, and the position there.
    pub fn entry(self) -> (&'static str, usize) {
        match self {
            Place::MatchCondition(at) => ("matchConditions", at),
            Place::Variable(at) => ("variables", at),
            Place::Validation(at) | Place::MessageExpression(at) => ("validations", at),
            Place::AuditAnnotation(at) => ("auditAnnotations", at),
            Place::Mutation(at) => ("mutations", at),
        }
    }
}

/// An expression of a policy.
pub struct Expression<'p> {
    /// Where it stands.
    pub place: Place,
    /// The name of a match condition or a variable, the key of an audit annotation.
    pub name: Option<&'p str>,
    /// Its field, from `spec` on.
    pub field_ref: FieldPath,
    /// Its text; `None` for a messageExpression that doesn't compile, whose text isn't kept.
    pub source: Option<&'p str>,
    /// What it was compiled to.
    pub program: &'p Compiled,
    /// What it has to give.
    pub expects: Expect,
}

impl Expression<'_> {
    /// Whether it mentions the authorizer. Looks at the text: a mention in a string counts, too.
    pub fn asks_authorizer(&self) -> bool {
        self.source.is_some_and(|source| source.contains("authorizer"))
    }
}

/// The field that a policy's expressions are below.
pub fn spec() -> FieldPath {
    FieldPath::default().field("spec")
}

/// Every expression of a policy, in the order of its fields: variables before what may use them.
pub fn expressions(policy: &Policy) -> Vec<Expression<'_>> {
    let mut all = Vec::new();
    let mut add = |place: Place, name, field: &[&str], source, program, expects: compile::Place| {
        let (list, at) = place.entry();
        let field_ref = field.iter().fold(spec().field(list).index(at), |path, field| path.field(field));
        all.push(Expression { place, name, field_ref, source, program, expects: expects.expects() });
    };
    for (at, entry) in policy.match_conditions.iter().enumerate() {
        let (place, expects) = (Place::MatchCondition(at), compile::Place::MatchCondition);
        add(
            place,
            Some(entry.name.as_str()),
            &["expression"],
            Some(entry.expression.as_str()),
            &entry.program,
            expects,
        );
    }
    for (at, entry) in policy.variables.iter().enumerate() {
        let (place, expects) = (Place::Variable(at), compile::Place::Variable);
        add(
            place,
            Some(entry.name.as_str()),
            &["expression"],
            Some(entry.expression.as_str()),
            &entry.program,
            expects,
        );
    }
    match &policy.rules {
        Rules::Validate { validations, audit_annotations } => {
            for (at, entry) in validations.iter().enumerate() {
                let (place, expects) = (Place::Validation(at), compile::Place::Validation);
                add(place, None, &["expression"], Some(entry.expression.as_str()), &entry.program, expects);
                if let Some(message) = &entry.message_expression {
                    let (place, expects) = (Place::MessageExpression(at), compile::Place::Message);
                    let source = message.as_ref().ok().map(|program| program.source());
                    add(place, None, &["messageExpression"], source, message, expects);
                }
            }
            for (at, entry) in audit_annotations.iter().enumerate() {
                let (place, expects) = (Place::AuditAnnotation(at), compile::Place::AuditAnnotation);
                let (key, source) = (Some(entry.key.as_str()), Some(entry.expression.as_str()));
                add(place, key, &["valueExpression"], source, &entry.program, expects);
            }
        }
        Rules::Mutate { mutations, .. } => {
            for (at, entry) in mutations.iter().enumerate() {
                let expects = match entry.patch_type {
                    PatchType::JsonPatch => compile::Place::JsonPatch,
                    PatchType::ApplyConfiguration => compile::Place::ApplyConfiguration,
                };
                let field = [entry.patch_type.field(), "expression"];
                add(Place::Mutation(at), None, &field, Some(entry.expression.as_str()), &entry.program, expects);
            }
        }
    }
    all
}

/// The variables of a policy as the evaluator and the compiler take them.
pub fn variables(policy: &Policy) -> Vec<Variable> {
    policy.variables.iter().map(|variable| (variable.name.clone(), variable.program.clone())).collect()
}
