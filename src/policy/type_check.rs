//! Checks the expressions of a policy against the structure of the kinds that it matches, so that a misspelt field is
//! found before anything runs. A policy works all the same: what is found are warnings.
//!
//! Upstream: `policy/validating/typechecking.go`, which kube-controller-manager fills `status.typeChecking` by. There
//! only validations and their messages are looked at, and all is reported. Here every other expression is looked at too,
//! also those of MutatingAdmissionPolicies, but only for fields that are not there: that `spec.containers` and
//! `spec.initContainers` are lists of different types, which can't be added, is a mistake to the checker alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cel::{Env, Expect, Issues, Program};
use crate::schema::{KindName, Kinds, Objects, Structure};

use super::expressions::{Place, expressions, spec};
use super::model::{NamedRule, Policy};
use super::problem::FieldPath;

/// How many kinds of one rule are checked, as upstream.
const MAX_KINDS_OF_RULE: usize = 10;

/// How many combinations of group, version and resource are looked up for one rule: a rule that is longer is none that
/// somebody wrote.
const MAX_COMBINATIONS: usize = 10_000;

/// How many unknown resources of a policy are worth a word each.
const MAX_UNKNOWN: usize = 20;

/// What the type checker has to say about one expression (`status.typeChecking.expressionWarnings[]`).
#[derive(Clone, Debug)]
pub struct ExpressionWarning {
    /// The expression's field, from `spec` on.
    pub field_ref: FieldPath,
    /// Upstream's text: for each kind, what is wrong and where.
    pub warning: String,
    /// Line and column of the first mistake in the expression, from 1.
    pub place: (usize, usize),
}

/// A resource that a policy names and that nobody knows the structure of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The field that names it, from `spec` on.
    pub field_ref: FieldPath,
    /// `example.com/v1 widgets`
    pub name: String,
}

/// What came of checking a policy.
#[derive(Clone, Debug, Default)]
pub struct TypeChecking {
    /// The expressions with mistakes, in the order of the manifest.
    pub warnings: Vec<ExpressionWarning>,
    /// What could not be checked.
    pub unknown: Vec<Unknown>,
}

/// Checks the expressions of `policy` in the environment of Kubernetes 1.`minor`.
pub fn type_check(policy: &Policy, kinds: &Kinds, minor: u32) -> TypeChecking {
    let mut made = TypeChecking::default();
    // What doesn't compile with unknown types is an error already, and no API server would take it.
    if policy.compile_error.is_some() {
        return made;
    }
    let matched = matched_kinds(policy, kinds, &mut made.unknown);
    let params = params_structure(policy, kinds, &mut made.unknown);
    let mut found: Vec<Vec<(&KindName, Issues)>> = Vec::new();
    let expressions = expressions(policy);
    found.resize_with(expressions.len(), Vec::new);
    for (kind, structure) in &matched {
        let objects = Objects::new(Some((&kind.kind, structure.clone())), params.clone());
        let mut env = Env { minor, params: policy.param_kind.is_some(), authorizer: true, ..Env::default() };
        env.declarations = Some(Arc::new(objects));
        for (expression, found) in expressions.iter().zip(&mut found) {
            let Some(source) = expression.source else { continue };
            env.patch_types = matches!(expression.place, Place::Mutation(_));
            let hidden = match expression.place {
                Place::MatchCondition(_) => std::mem::take(&mut env.variables),
                _ => Vec::new(),
            };
            let issues = Program::type_check(source, &env).err();
            let reported = match expression.place {
                Place::Validation(_) | Place::MessageExpression(_) => issues,
                _ => issues.and_then(Issues::of_fields),
            };
            found.extend(reported.map(|issues| (kind, issues)));
            if let Place::MatchCondition(_) = expression.place {
                env.variables = hidden;
            }
            if let (Place::Variable(_), Some(name)) = (expression.place, expression.name) {
                let program = Program::compile(source, &env, Expect::Any);
                env.variables.push((name.to_owned(), program.map(Arc::new).map_err(|error| error.to_string())));
            }
        }
    }
    for (expression, issues) in expressions.into_iter().zip(found) {
        let Some((_, first)) = issues.first() else { continue };
        let texts: Vec<_> = issues.iter().map(|(kind, issues)| format!("{kind}: {issues}\n")).collect();
        let place = first.place();
        made.warnings.push(ExpressionWarning { field_ref: expression.field_ref, warning: texts.join("\n"), place });
    }
    made
}

/// The kinds that the policy's rules name, each with its structure, in upstream's order.
fn matched_kinds(policy: &Policy, kinds: &Kinds, unknown: &mut Vec<Unknown>) -> Vec<(KindName, Structure)> {
    let mut matched = BTreeSet::new();
    for (index, rule) in policy.match_constraints.resource_rules.iter().enumerate() {
        let field_ref = spec().field("matchConstraints").field("resourceRules").index(index);
        let mut count = 0;
        for (group, version, resource) in combinations(rule) {
            let found = kinds.of_resource(group, version, resource);
            if found.is_empty() && unknown.len() < MAX_UNKNOWN {
                let name = format!("{} {resource}", api_version(group, version));
                unknown.push(Unknown { field_ref: field_ref.clone(), name });
            }
            let wanted = MAX_KINDS_OF_RULE - count;
            count += found.len().min(wanted);
            matched.extend(found.into_iter().take(wanted));
            if count == MAX_KINDS_OF_RULE {
                break;
            }
        }
        // Upstream stops at the first rule that names so many kinds.
        if count == MAX_KINDS_OF_RULE {
            break;
        }
    }
    matched.into_iter().filter_map(|kind| Some((kind.clone(), kinds.structure(&kind)?))).collect()
}

/// Groups, versions and resources of a rule in all combinations; none if a group or version is a wildcard. Wildcards of
/// resources and subresources are left out.
fn combinations(rule: &NamedRule) -> Vec<(&str, &str, &str)> {
    let (groups, versions) = (sorted(&rule.api_groups), sorted(&rule.api_versions));
    if groups.iter().chain(&versions).any(|name| name.contains('*')) {
        return Vec::new();
    }
    let mut resources = sorted(&rule.resources);
    resources.retain(|resource| !resource.contains(['*', '/']));
    let in_versions = groups.iter().flat_map(|group| versions.iter().map(move |version| (*group, *version)));
    let all =
        in_versions.flat_map(|(group, version)| resources.iter().map(move |resource| (group, version, *resource)));
    all.take(MAX_COMBINATIONS).collect()
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut sorted: Vec<_> = names.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    sorted
}

fn params_structure<'p>(policy: &'p Policy, kinds: &Kinds, unknown: &mut Vec<Unknown>) -> Option<(&'p str, Structure)> {
    let params = policy.param_kind.as_ref()?;
    let (group, version) = params.api_version.rsplit_once('/').unwrap_or(("", &params.api_version));
    let structure = kinds.structure(&KindName::new(group, version, &params.kind));
    if structure.is_none() {
        let name = format!("{} {}", params.api_version, params.kind);
        unknown.push(Unknown { field_ref: spec().field("paramKind"), name });
    }
    Some((&params.kind, structure?))
}

fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
