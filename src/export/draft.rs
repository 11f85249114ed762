//! A policy on its way out: what a manifest says of it, with expressions as text.

use std::sync::Arc;

use crate::cel::rewrite::{Rewrite, rewrite};
use crate::cel::{Env, Expect, Program};
use crate::policy::PolicyType;
use crate::policy::model::{
    Binding, FailurePolicy, MatchResources, NamedExpression, ParamKind, ParamRef, PatchType, Policy,
    ReinvocationPolicy, Rules, ValidationAction,
};

/// A policy with its bindings.
#[derive(Clone, Debug)]
pub struct Draft {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`, sorted by key.
    pub annotations: Vec<(String, String)>,
    /// The policy about pods that this one says for workloads.
    pub extends: Option<String>,
    /// `spec.paramKind`.
    pub param_kind: Option<ParamKind>,
    /// `spec.matchConstraints`.
    pub constraints: MatchResources,
    /// `spec.failurePolicy`.
    pub failure_policy: FailurePolicy,
    /// `spec.matchConditions`.
    pub conditions: Vec<Named>,
    /// `spec.variables`.
    pub variables: Vec<Named>,
    /// The rest of `spec`.
    pub rules: DraftRules,
    /// The policy's bindings.
    pub bindings: Vec<DraftBinding>,
}

/// A name with an expression.
#[derive(Clone, Debug)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The expression.
    pub expression: String,
}

/// What a policy does.
#[derive(Clone, Debug)]
pub enum DraftRules {
    /// A ValidatingAdmissionPolicy.
    Validate {
        /// `spec.validations`.
        validations: Vec<DraftValidation>,
        /// `spec.auditAnnotations`, by their keys.
        audit_annotations: Vec<Named>,
    },
    /// A MutatingAdmissionPolicy.
    Mutate {
        /// `spec.mutations`.
        mutations: Vec<(PatchType, String)>,
        /// `spec.reinvocationPolicy`.
        reinvocation: ReinvocationPolicy,
    },
}

/// An entry of `spec.validations`.
#[derive(Clone, Debug)]
pub struct DraftValidation {
    pub expression: String,
    pub message: Option<String>,
    pub message_expression: Option<String>,
    pub reason: String,
}

/// A binding.
#[derive(Clone, Debug)]
pub struct DraftBinding {
    pub name: String,
    pub annotations: Vec<(String, String)>,
    pub param_ref: Option<ParamRef>,
    pub match_resources: Option<MatchResources>,
    pub actions: Vec<ValidationAction>,
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'d> {
    Condition(&'d str),
    Variable(&'d str),
    Validation,
    Message,
    AuditAnnotation,
    Mutation,
}

impl Draft {
    /// The policy as it was loaded.
    pub fn of(policy: &Policy) -> Self {
        let named = |entry: &NamedExpression| Named { name: entry.name.clone(), expression: entry.expression.clone() };
        let rules = match &policy.rules {
            Rules::Validate { validations, audit_annotations } => DraftRules::Validate {
                validations: validations
                    .iter()
                    .map(|validation| DraftValidation {
                        expression: validation.expression.clone(),
                        message: validation.message.clone(),
                        message_expression: validation
                            .message_expression
                            .as_ref()
                            .and_then(|compiled| Some(compiled.as_ref().ok()?.source().to_owned())),
                        reason: validation.reason.clone(),
                    })
                    .collect(),
                audit_annotations: audit_annotations
                    .iter()
                    .map(|annotation| Named { name: annotation.key.clone(), expression: annotation.expression.clone() })
                    .collect(),
            },
            Rules::Mutate { mutations, reinvocation } => DraftRules::Mutate {
                mutations: mutations.iter().map(|m| (m.patch_type, m.expression.clone())).collect(),
                reinvocation: *reinvocation,
            },
        };
        Self {
            name: policy.name.clone(),
            annotations: policy.annotations.clone(),
            extends: None,
            param_kind: policy.param_kind.clone(),
            constraints: policy.match_constraints.clone(),
            failure_policy: policy.failure_policy,
            conditions: policy.match_conditions.iter().map(named).collect(),
            variables: policy.variables.iter().map(named).collect(),
            rules,
            bindings: policy.bindings.iter().map(DraftBinding::of).collect(),
        }
    }

    /// Whether it is a MutatingAdmissionPolicy.
    pub fn mutates(&self) -> bool {
        matches!(self.rules, DraftRules::Mutate { .. })
    }

    /// The kind of policy.
    pub fn policy_type(&self) -> PolicyType {
        if self.mutates() { PolicyType::Mutating } else { PolicyType::Validating }
    }

    /// Replaces every expression by what `change` makes of it in its environment, in the order of
    /// evaluation.
    ///
    /// # Errors
    /// The place of the first expression that can't be changed, and why.
    pub fn change(
        &mut self,
        minor: u32,
        mut change: impl FnMut(Place<'_>, &str, &Env) -> Result<String, String>,
    ) -> Result<(), String> {
        let params = self.param_kind.is_some();
        let env = Env { minor, params, authorizer: true, patch_types: self.mutates(), ..Env::default() };
        for entry in &mut self.conditions {
            let place = Place::Condition(&entry.name);
            entry.expression = change(place, &entry.expression, &env).map_err(|why| format!("{place}: {why}"))?;
        }
        let mut env = env;
        for entry in &mut self.variables {
            let place = Place::Variable(&entry.name);
            let compiled = Program::compile(&entry.expression, &env, Expect::Any);
            let changed = change(place, &entry.expression, &env).map_err(|why| format!("{place}: {why}"))?;
            let compiled = compiled.map(Arc::new).map_err(|error| error.message);
            env.variables.push((entry.name.clone(), compiled));
            entry.expression = changed;
        }
        let mut at = |place: Place<'_>, text: &mut String| -> Result<(), String> {
            *text = change(place, text, &env).map_err(|why| format!("{place}: {why}"))?;
            Ok(())
        };
        match &mut self.rules {
            DraftRules::Validate { validations, audit_annotations } => {
                for validation in validations {
                    at(Place::Validation, &mut validation.expression)?;
                    if let Some(text) = &mut validation.message_expression {
                        at(Place::Message, text)?;
                    }
                }
                for entry in audit_annotations {
                    at(Place::AuditAnnotation, &mut entry.expression)?;
                }
            }
            DraftRules::Mutate { mutations, .. } => {
                for (_, text) in mutations {
                    at(Place::Mutation, text)?;
                }
            }
        }
        Ok(())
    }

    /// Rewrites every expression.
    ///
    /// # Errors
    /// The place of the first expression that can't be rewritten, and why.
    pub fn rewrite<R: Rewrite + Send>(
        &mut self,
        minor: u32,
        mut rewriter: impl FnMut(Place<'_>) -> R,
    ) -> Result<(), String> {
        self.change(minor, |place, text, env| rewrite(text, env, &mut rewriter(place)).map_err(|error| error.message))
    }
}

impl DraftBinding {
    fn of(binding: &Binding) -> Self {
        Self {
            name: binding.name.clone(),
            annotations: binding.annotations.clone(),
            param_ref: binding.param_ref.clone(),
            match_resources: binding.match_resources.clone(),
            actions: binding.validation_actions.clone(),
        }
    }
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Place::Condition(name) => write!(f, "match condition {name}"),
            Place::Variable(name) => write!(f, "variable {name}"),
            Place::Validation => f.write_str("a validation"),
            Place::Message => f.write_str("a messageExpression"),
            Place::AuditAnnotation => f.write_str("an audit annotation"),
            Place::Mutation => f.write_str("a mutation"),
        }
    }
}
