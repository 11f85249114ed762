//! The changes to a policy's expressions.

use std::sync::Arc;

use crate::cel::mutants::mutants;
use crate::cel::{CompileError, Env, Expect, Program, Variable};
use crate::engine::Place;
use crate::policy::model::{Compiled, PatchType, Policy, Rules};

use super::change::{Change, To};

/// An expression of a policy.
pub(super) struct Expression<'p> {
    pub place: Place,
    /// How names of mutants spell the place.
    pub label: String,
    /// The way to its text from `spec`, as keys and indexes.
    pub path: Vec<Step>,
    pub compiled: &'p Compiled,
    expect: Expect,
}

/// A step on the way to a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(&'static str),
    Index(usize),
}

/// The policy's expressions, in the order of its fields.
pub(super) fn expressions(policy: &Policy) -> Vec<Expression<'_>> {
    let mut all = Vec::new();
    let mut add = |place, label: String, path: &[Step], compiled, expect| {
        all.push(Expression { place, label, path: path.to_vec(), compiled, expect });
    };
    use Step::{Index, Key};
    for (at, entry) in policy.match_conditions.iter().enumerate() {
        let path = [Key("matchConditions"), Index(at), Key("expression")];
        let label = format!("matchConditions.{}", entry.name);
        add(Place::MatchCondition(at), label, &path, &entry.program, Expect::Bool);
    }
    for (at, entry) in policy.variables.iter().enumerate() {
        let path = [Key("variables"), Index(at), Key("expression")];
        add(Place::Variable(at), format!("variables.{}", entry.name), &path, &entry.program, Expect::Any);
    }
    match &policy.rules {
        Rules::Validate { validations, audit_annotations } => {
            for (at, entry) in validations.iter().enumerate() {
                let path = |field| [Key("validations"), Index(at), Key(field)];
                let label = format!("validations[{at}]");
                add(Place::Validation(at), label, &path("expression"), &entry.program, Expect::Bool);
                if let Some(compiled) = &entry.message_expression {
                    let label = format!("validations[{at}].messageExpression");
                    add(Place::MessageExpression(at), label, &path("messageExpression"), compiled, Expect::String);
                }
            }
            for (at, entry) in audit_annotations.iter().enumerate() {
                let path = [Key("auditAnnotations"), Index(at), Key("valueExpression")];
                let label = format!("auditAnnotations.{}", entry.key);
                add(Place::AuditAnnotation(at), label, &path, &entry.program, Expect::StringOrNull);
            }
        }
        Rules::Mutate { mutations, .. } => {
            for (at, entry) in mutations.iter().enumerate() {
                let (field, expect) = match entry.patch_type {
                    PatchType::JsonPatch => ("jsonPatch", Expect::JsonPatchList),
                    PatchType::ApplyConfiguration => ("applyConfiguration", Expect::Object),
                };
                let path = [Key("mutations"), Index(at), Key(field), Key("expression")];
                add(Place::Mutation(at), format!("mutations[{at}]"), &path, &entry.program, expect);
            }
        }
    }
    all
}

impl Expression<'_> {
    /// The changes that compile, and give a value of the same type: what reads the expression was compiled for that.
    /// `line` finds the line of a place in the expression, given as line and column. They are compiled one by one, for
    /// each may be as large as the expression.
    ///
    /// # Errors
    /// There are too many of them.
    pub fn changes(
        &self,
        policy: &Policy,
        minor: u32,
        line: impl Fn((usize, usize)) -> usize,
    ) -> Result<impl Iterator<Item = Change>, CompileError> {
        let env = self.env(policy, minor);
        let decides = matches!(self.place, Place::MatchCondition(_) | Place::Validation(_));
        let original = self.compiled.as_ref().ok();
        let mutants = original.map_or(Ok(Vec::new()), |original| mutants(original.source(), &env, decides))?;
        Ok(mutants.into_iter().filter_map(move |mutant| {
            let program = Program::compile(&mutant.source, &env, self.expect).ok()?;
            (Some(program.output_type()) == original.map(|original| original.output_type())).then(|| Change {
                name: format!("{}/{}/{}", self.label, mutant.operator.name(), mutant.ordinal),
                line: line(mutant.place),
                text: mutant.change,
                to: To::Expression(self.place, Arc::new(program)),
            })
        }))
    }

    /// What the expression may refer to.
    fn env(&self, policy: &Policy, minor: u32) -> Env {
        let variables = match self.place {
            Place::MatchCondition(_) => 0,
            Place::Variable(at) => at,
            _ => policy.variables.len(),
        };
        let variable =
            |entry: &crate::policy::model::NamedExpression| -> Variable { (entry.name.clone(), entry.program.clone()) };
        Env {
            minor,
            params: policy.param_kind.is_some(),
            authorizer: !matches!(self.place, Place::MessageExpression(_)),
            patch_types: matches!(self.place, Place::Mutation(_)),
            variables: policy.variables.iter().take(variables).map(variable).collect(),
            ..Env::default()
        }
    }
}
