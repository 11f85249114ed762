//! Which policies concern a request: the index by resource, and the plan of what is evaluated for a subject.
//!
//! Upstream: `policy/generic/policy_matcher.go`, `policy/generic/policy_dispatcher.go`.

use std::collections::HashMap;

use crate::cel::{Sharer, Sharing, Variable};
use crate::policy::model::{Binding, Policy, Rules, ValidationAction};
use crate::policy::{self, Params};

use super::matching::matches;
use super::observe::{Outcome, Place};
use super::subject::{Matched, Subject};

/// Policies by what they concern, and what of them is to be evaluated for a subject.
#[derive(Debug, Default)]
pub struct Plans {
    policies: Vec<Policy>,
    /// The expressions of each policy as the evaluator takes them.
    expressions: Vec<Prepared>,
    validating: Index,
    mutating: Index,
}

/// A policy's variables as the evaluator takes them, and which of its expressions share their values with equal ones of
/// other policies, each by its position.
#[derive(Debug)]
pub struct Prepared {
    /// The variables.
    pub variables: Vec<Variable>,
    /// Of the variables.
    pub variable_sharing: Vec<Sharing>,
    condition_sharing: Vec<Sharing>,
    validation_sharing: Vec<Sharing>,
    /// How many different expressions of all policies share their values.
    pub shared: usize,
}

impl Prepared {
    fn new(policy: &Policy, sharer: &mut Sharer) -> Self {
        let variables = policy::variables(policy);
        let variable_sharing = sharer.variables(&variables);
        // Match conditions see no variables.
        let conditions = policy.match_conditions.iter();
        let condition_sharing = conditions.map(|condition| sharer.expression(&condition.program, &[], &[])).collect();
        let validations: &[_] = match &policy.rules {
            Rules::Validate { validations, .. } => validations,
            Rules::Mutate { .. } => &[],
        };
        let validation_sharing = validations
            .iter()
            .map(|validation| sharer.expression(&validation.program, &variables, &variable_sharing))
            .collect();
        Self { variables, variable_sharing, condition_sharing, validation_sharing, shared: 0 }
    }

    /// With whom the expression at `place` shares its value.
    pub fn sharing(&self, place: Place) -> Sharing {
        let found = match place {
            Place::MatchCondition(at) => self.condition_sharing.get(at),
            Place::Validation(at) => self.validation_sharing.get(at),
            Place::Variable(_) | Place::MessageExpression(_) | Place::AuditAnnotation(_) | Place::Mutation(_) => None,
        };
        found.copied().unwrap_or_default()
    }
}

impl Plans {
    /// Indexes compiled policies.
    pub fn new(mut policies: Vec<Policy>) -> Self {
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        let mut sharer = Sharer::default();
        let mut expressions: Vec<_> = policies.iter().map(|policy| Prepared::new(policy, &mut sharer)).collect();
        for prepared in &mut expressions {
            prepared.shared = sharer.len();
        }
        let validating = Index::new(&policies, |rules| matches!(rules, Rules::Validate { .. }));
        let mutating = Index::new(&policies, |rules| matches!(rules, Rules::Mutate { .. }));
        Self { policies, expressions, validating, mutating }
    }

    /// The policies, sorted by name.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// The validating policies that concern the subject; `params` unless its context brings others.
    pub fn validating<'a>(&'a self, subject: &Subject<'a>, params: &'a Params) -> Vec<Planned<'a>> {
        self.plan(&self.validating, subject, params)
    }

    /// The mutating policies that concern the subject; `params` unless its context brings others.
    pub fn mutating<'a>(&'a self, subject: &Subject<'a>, params: &'a Params) -> Vec<Planned<'a>> {
        self.plan(&self.mutating, subject, params)
    }

    /// What of an index concerns the subject: each policy, binding and param, in upstream's order.
    fn plan<'a>(&'a self, index: &Index, subject: &Subject<'a>, params: &'a Params) -> Vec<Planned<'a>> {
        let mut plan = Vec::new();
        let params = subject.context().params.unwrap_or(params);
        for &at in index.get(subject.request.request_resource.resource, subject.request.resource.resource) {
            let (Some(policy), Some(expressions)) = (self.policies.get(at), self.expressions.get(at)) else { continue };
            let failed = |binding, message: String| Err(ConfigurationError { policy, binding, message });
            let matched = match matches(&policy.match_constraints, subject) {
                Ok(Some(matched)) => matched,
                Ok(None) => continue,
                Err(error) => {
                    plan.push(failed("", error.to_owned()));
                    continue;
                }
            };
            // Upstream doesn't look at a policy without bindings at all.
            let kind = policy.param_kind.as_ref().filter(|_| !policy.bindings.is_empty());
            if let Some(Err(error)) = kind.map(|kind| params.check_kind(kind)) {
                plan.push(failed("", error.to_string()));
                continue;
            }
            for binding in &policy.bindings {
                let resources = binding.match_resources.as_ref();
                match resources.map_or(Ok(Some(matched)), |resources| matches(resources, subject)) {
                    Ok(Some(_)) => {}
                    Ok(None) => continue,
                    Err(error) => {
                        plan.push(failed(&binding.name, error.to_owned()));
                        continue;
                    }
                }
                let (kind, reference) = (policy.param_kind.as_ref(), binding.param_ref.as_ref());
                let found = params.resolve(subject.arena(), kind, reference, subject.request.namespace);
                match (found, subject.namespace_object()) {
                    (Ok(params), Ok(_)) => plan.extend(
                        params
                            .iter()
                            .map(|params| Ok(Invocation { policy, expressions, binding, matched, params: *params })),
                    ),
                    (Err(error), _) => plan.push(failed(&binding.name, error.to_string())),
                    (_, Err(error)) => plan.push(failed(&binding.name, error.to_owned())),
                }
            }
        }
        plan
    }
}

/// One entry of a plan: what to run, or why it can't be.
pub type Planned<'a> = Result<Invocation<'a>, ConfigurationError<'a>>;

/// A policy to be evaluated for one binding with one param.
#[derive(Clone, Copy, Debug)]
pub struct Invocation<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The policy's expressions as the evaluator takes them.
    pub expressions: &'a Prepared,
    /// The binding.
    pub binding: &'a Binding,
    /// How the request was matched.
    pub matched: Matched<'a>,
    /// The param, or null.
    pub params: crate::cel::Params<'a>,
}

impl<'a> Invocation<'a> {
    /// Whether both evaluate one policy for one binding and param.
    pub fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.policy, other.policy)
            && std::ptr::eq(self.binding, other.binding)
            && self.params.is_same(&other.params)
    }

    /// Whether a violation denies the request.
    pub fn denies(&self) -> bool {
        self.binding.validation_actions.contains(&ValidationAction::Deny)
    }

    /// Tells the observer, if any, that the policy concerns the subject.
    pub fn concerns(&self, subject: &Subject<'a>) {
        if let Some(observer) = subject.context().observer {
            observer.concerned(&self.policy.name, subject.request.operation);
        }
    }

    /// Tells the observer, if any, what an expression gave.
    pub fn observe(&self, subject: &Subject<'a>, place: Place, outcome: Outcome) {
        if let Some(observer) = subject.context().observer {
            observer.evaluated(&self.policy.name, place, outcome);
        }
    }
}

/// Why a policy or a binding could not be evaluated at all.
#[derive(Clone, Debug)]
pub struct ConfigurationError<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The binding's name; empty where the policy itself is concerned.
    pub binding: &'a str,
    /// What is wrong.
    pub message: String,
}

impl ConfigurationError<'_> {
    /// What is wrong, and with what.
    pub fn text(&self) -> String {
        let part = if self.binding.is_empty() { "policy" } else { "binding" };
        format!("failed to configure {part}: {}", self.message)
    }
}

/// Which policies can concern a resource, by their position; a policy in doubt is listed.
#[derive(Debug, Default)]
struct Index {
    by_resource: HashMap<String, Vec<usize>>,
    /// For resources that no rule names.
    wildcard: Vec<usize>,
}

impl Index {
    fn new(policies: &[Policy], is_of_kind: impl Fn(&Rules) -> bool) -> Self {
        let mut index = Self::default();
        for policy in policies.iter().filter(|policy| is_of_kind(&policy.rules)) {
            for resource in policy.match_constraints.resource_rules.iter().flat_map(|rule| &rule.resources) {
                let name = resource.split('/').next().unwrap_or_default();
                if name != "*" {
                    index.by_resource.entry(name.to_owned()).or_default();
                }
            }
        }
        for (at, policy) in policies.iter().enumerate().filter(|(_, policy)| is_of_kind(&policy.rules)) {
            let rules = &policy.match_constraints.resource_rules;
            let names = |name: &str| {
                let mut resources = rules.iter().flat_map(|rule| &rule.resources);
                rules.is_empty()
                    || resources.any(|resource| resource.split('/').next().is_some_and(|r| r == name || r == "*"))
            };
            for (resource, listed) in &mut index.by_resource {
                if names(resource) {
                    listed.push(at);
                }
            }
            if names("*") {
                index.wildcard.push(at);
            }
        }
        index
    }

    /// The policies for a request. Equivalent resources share their name, and so do a request's own resource and the
    /// one it was converted to.
    fn get(&self, requested: &str, converted: &str) -> &[usize] {
        self.by_resource.get(requested).or_else(|| self.by_resource.get(converted)).unwrap_or(&self.wildcard)
    }
}
