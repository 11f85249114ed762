//! The expressions of a policy, each with the field that it stands in and what it sees.

use super::model::{Compiled, PatchType, Policy, Rules};
use super::problem::FieldPath;

/// An expression of a policy.
pub struct Expression<'p> {
    /// Its field, from `spec` on.
    pub field_ref: FieldPath,
    /// What it sees.
    pub place: Place<'p>,
    /// Its text.
    pub source: &'p str,
    /// What it was compiled to.
    pub program: &'p Compiled,
}

impl Expression<'_> {
    /// Whether it mentions the authorizer. Looks at the text: a mention in a string counts, too.
    pub fn asks_authorizer(&self) -> bool {
        self.source.contains("authorizer")
    }
}

/// What an expression sees besides the objects.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Place<'p> {
    /// No variables.
    MatchCondition,
    /// The variables before it; it gets this name.
    Variable(&'p str),
    /// All variables; this is what upstream checks.
    Validation,
    /// All variables.
    AuditAnnotation,
    /// All variables, and the types of patches.
    Mutation,
}

/// The field that a policy's expressions are below.
pub fn spec() -> FieldPath {
    FieldPath::default().field("spec")
}

/// Every expression of a policy, variables before what may use them.
pub fn expressions(policy: &Policy) -> Vec<Expression<'_>> {
    let mut all = Vec::new();
    let at = |list: &str, index: usize| spec().field(list).index(index);
    for (index, condition) in policy.match_conditions.iter().enumerate() {
        let field_ref = at("matchConditions", index).field("expression");
        all.push(Expression {
            field_ref,
            place: Place::MatchCondition,
            source: &condition.expression,
            program: &condition.program,
        });
    }
    for (index, variable) in policy.variables.iter().enumerate() {
        let field_ref = at("variables", index).field("expression");
        all.push(Expression {
            field_ref,
            place: Place::Variable(&variable.name),
            source: &variable.expression,
            program: &variable.program,
        });
    }
    match &policy.rules {
        Rules::Validate { validations, audit_annotations } => {
            for (index, validation) in validations.iter().enumerate() {
                let entry = at("validations", index);
                let place = Place::Validation;
                all.push(Expression {
                    field_ref: entry.field("expression"),
                    place,
                    source: &validation.expression,
                    program: &validation.program,
                });
                if let Some(program @ Ok(message)) = &validation.message_expression {
                    all.push(Expression {
                        field_ref: entry.field("messageExpression"),
                        place,
                        source: message.source(),
                        program,
                    });
                }
            }
            for (index, annotation) in audit_annotations.iter().enumerate() {
                let field_ref = at("auditAnnotations", index).field("valueExpression");
                all.push(Expression {
                    field_ref,
                    place: Place::AuditAnnotation,
                    source: &annotation.expression,
                    program: &annotation.program,
                });
            }
        }
        Rules::Mutate { mutations, .. } => {
            for (index, mutation) in mutations.iter().enumerate() {
                let patch = match mutation.patch_type {
                    PatchType::JsonPatch => "jsonPatch",
                    PatchType::ApplyConfiguration => "applyConfiguration",
                };
                let field_ref = at("mutations", index).field(patch).field("expression");
                all.push(Expression {
                    field_ref,
                    place: Place::Mutation,
                    source: &mutation.expression,
                    program: &mutation.program,
                });
            }
        }
    }
    all
}
