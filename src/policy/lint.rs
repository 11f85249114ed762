//! What `policies lint` reports: every load error, and what loads but is probably not meant.

use std::fmt;

use crate::json::{Arena, Value};
use crate::schema::{Definitions, Kinds};

use super::compile::Libraries;
use super::contradiction::{contradictions, contradicts};
use super::cost::{MAX_TOTAL, costly};
use super::error::LoadError;
use super::expressions::{Expression, Place, expressions};
use super::load::{LoadedPolicies, load_with};
use super::manifest::{Document, HELPED_ERRORS, Manifest};
use super::model::{Binding, MatchResources, Policy, Source};
use super::params::Params;
use super::problem::FieldPath;
use super::type_check::{TypeChecking, type_check};
use super::unmatchable::{MAX_LOOKED_AT, unmatchable};

/// Something that lint reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lint {
    /// What keeps a document from being used.
    Error(LoadError),
    /// What is probably not meant.
    Warning {
        /// The file, document and line.
        at: Source,
        /// Kind and name of the object.
        object: String,
        /// The field; empty for the whole object.
        field: String,
        /// What is wrong and what to write; several lines where upstream writes several.
        message: String,
    },
    /// What could not be checked; no finding.
    Note {
        /// The file, document and line.
        at: Source,
        /// Kind and name of the object.
        object: String,
        /// The field.
        field: String,
        /// What and why.
        message: String,
    },
}

impl Lint {
    /// Where it is.
    pub fn at(&self) -> &Source {
        match self {
            Lint::Error(error) => &error.at,
            Lint::Warning { at, .. } | Lint::Note { at, .. } => at,
        }
    }

    /// Whether something should be changed.
    pub fn is_finding(&self) -> bool {
        !matches!(self, Lint::Note { .. })
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lint::Error(error) => error.fmt(f),
            Lint::Warning { at, object, field, message } | Lint::Note { at, object, field, message } => {
                let colon = if field.is_empty() { "" } else { ": " };
                write!(f, "{at} {object}: {field}{colon}")?;
                for (index, line) in message.lines().filter(|line| !line.is_empty()).enumerate() {
                    let indent = if index > 0 { "\n    " } else { "" };
                    write!(f, "{indent}{line}")?;
                }
                Ok(())
            }
        }
    }
}

/// Lints manifests as new policies of Kubernetes 1.`minor`, in the order of files and lines. Expressions are checked against the
/// structures of built-in kinds and of those that CustomResourceDefinitions among the manifests and in `definitions`
/// define.
pub fn lint(manifests: &[Manifest], definitions: &[Manifest], minor: u32) -> Vec<Lint> {
    let LoadedPolicies { policies, params, errors, bound_by_mistake } =
        load_with(manifests, Libraries::of_new_expressions(minor));
    let mut found: Vec<Lint> = errors.into_iter().map(Lint::Error).collect();
    let kinds = known_kinds(definitions.iter().chain(manifests));
    let mut cost_left = MAX_TOTAL;
    for manifest in manifests {
        let arena = Arena::new();
        // Syntax errors have been reported by the loader.
        for document in manifest.objects(&arena, &mut Vec::new()) {
            let mut warner = Warner { document: &document, found: &mut found };
            warner.version(minor);
            // Items of a list may share a line: only kind and name tell them apart.
            let name = document.text(&["metadata", "name"]);
            let is_policy = |policy: &&Policy| {
                policy.source == document.at
                    && policy.name == name
                    && policy.policy_type().kind() == document.text(&["kind"])
            };
            if let Some(policy) = policies.iter().find(is_policy) {
                // A binding that doesn't say whom it binds may be anybody's.
                let is_bound = [&policy.name[..], ""]
                    .iter()
                    .any(|name| bound_by_mistake.contains(&((*name).to_owned(), policy.policy_type())));
                if !is_bound {
                    warner.unbound(policy);
                }
                warner.policy(policy);
                warner.rules("matchConstraints", &policy.match_constraints);
                warner.types(policy, &kinds, minor);
                warner.costs(policy, &params, &mut cost_left);
            }
            let of = policies.iter().find_map(|policy| {
                let is_binding = |binding: &&Binding| {
                    binding.source == document.at
                        && binding.name == name
                        && policy.policy_type().binding_kind() == document.text(&["kind"])
                };
                Some((policy, policy.bindings.iter().find(is_binding)?))
            });
            if let Some((policy, binding)) = of {
                warner.binding(policy, binding);
            }
        }
    }
    let order = |lint: &Lint| manifests.iter().position(|manifest| manifest.file == lint.at().file);
    found.sort_by_key(|lint| (order(lint), lint.at().document, lint.at().line));
    found
}

/// Only what checking the expressions of `policies`, which were loaded from `manifests`, finds.
pub fn lint_types(policies: &[Policy], manifests: &[Manifest], definitions: &[Manifest], minor: u32) -> Vec<Lint> {
    let kinds = known_kinds(definitions.iter().chain(manifests));
    let mut found = Vec::new();
    for manifest in manifests {
        let arena = Arena::new();
        for document in manifest.objects(&arena, &mut Vec::new()) {
            if let Some(policy) = policies.iter().find(|policy| policy.source == document.at) {
                Warner { document: &document, found: &mut found }.types(policy, &kinds, minor);
            }
        }
    }
    found
}

/// The kinds that CustomResourceDefinitions in the manifests define, by how they merge.
pub fn defined_kinds<'m>(manifests: impl Iterator<Item = &'m Manifest>) -> Definitions {
    let mut definitions = Definitions::default();
    each_definition(manifests, |object| definitions.learn(object));
    definitions
}

/// The same by the structure that expressions see, and the built-in kinds.
fn known_kinds<'m>(manifests: impl Iterator<Item = &'m Manifest>) -> Kinds {
    let mut kinds = Kinds::default();
    each_definition(manifests, |object| kinds.learn(object));
    kinds
}

fn each_definition<'m>(manifests: impl Iterator<Item = &'m Manifest>, mut learn: impl FnMut(Value<'_>)) {
    for manifest in manifests.filter(|manifest| manifest.text.contains("CustomResourceDefinition")) {
        let arena = Arena::new();
        for document in manifest.objects(&arena, &mut Vec::new()) {
            learn(document.value);
        }
    }
}

struct Warner<'w> {
    document: &'w Document<'w>,
    found: &'w mut Vec<Lint>,
}

impl Warner<'_> {
    fn version(&mut self, minor: u32) {
        let first_stable = match self.document.text(&["kind"]) {
            "ValidatingAdmissionPolicy" | "ValidatingAdmissionPolicyBinding" => 30,
            "MutatingAdmissionPolicy" | "MutatingAdmissionPolicyBinding" => 36,
            _ => return,
        };
        let version = self.document.text(&["apiVersion"]).rsplit('/').next().unwrap_or_default();
        let served: &[(&str, u32)] = match first_stable {
            36 => &[("v1", 36), ("v1beta1", 34), ("v1alpha1", 32)],
            _ => &[],
        };
        if served.iter().any(|(name, since)| *name == version && minor < *since) {
            let older = served.iter().find(|(_, since)| minor >= *since);
            let advice = match older {
                Some((older, _)) => format!("write admissionregistration.k8s.io/{older}"),
                None => format!("Kubernetes 1.{minor} has no mutating policies"),
            };
            let since = served.iter().find(|(name, _)| *name == version).map_or(first_stable, |(_, since)| *since);
            self.warn(
                self.document.path.field("apiVersion"),
                format!("{version} needs Kubernetes 1.{since}; {advice}"),
            );
        }
        if version != "v1" && minor >= first_stable {
            self.warn(
                self.document.path.field("apiVersion"),
                format!(
                    "{version} is deprecated since Kubernetes 1.{first_stable}; write admissionregistration.k8s.io/v1"
                ),
            );
        }
    }

    fn unbound(&mut self, policy: &Policy) {
        if policy.bindings.is_empty() {
            let kind = policy.policy_type().binding_kind();
            self.warn(
                FieldPath::default(),
                format!(
                    "no binding names the policy, so it does nothing; write a {kind} with policyName: {}",
                    policy.name
                ),
            );
        }
    }

    fn policy(&mut self, policy: &Policy) {
        let spec = self.document.path.field("spec");
        let expressions = expressions(policy);
        let sees_variables = |of: &&Expression<'_>| !matches!(of.place, Place::MatchCondition(_));
        let sources = || expressions.iter().filter(sees_variables).filter_map(|of| of.source);
        for (index, variable) in policy.variables.iter().enumerate() {
            // An expression that doesn't compile is not kept, and may have been the one that uses the variable.
            if policy.compile_error.is_none() && !sources().any(|source| uses(source, &variable.name)) {
                self.warn(
                    spec.field("variables").index(index).field("name"),
                    format!("no expression uses variables.{}; remove it", variable.name),
                );
            }
        }
        let wants_params = policy.bindings.iter().any(|binding| binding.param_ref.is_some());
        if policy.param_kind.is_some() && !policy.bindings.is_empty() && !wants_params {
            self.warn(spec.field("paramKind"), "no binding has a paramRef, so params is always null".to_owned());
        }
    }

    fn binding(&mut self, policy: &Policy, binding: &Binding) {
        if policy.param_kind.is_none() && binding.param_ref.is_some() {
            self.warn(
                self.document.path.field("spec").field("paramRef"),
                format!("has no effect, since {} has no paramKind; remove it", policy.name),
            );
        }
        if let Some(resources) = &binding.match_resources {
            self.rules("matchResources", resources);
            let path = self.document.path.field("spec").field("matchResources");
            for (below, message) in contradicts(resources, &policy.match_constraints) {
                self.warn(path.below(&below), message);
            }
        }
    }

    /// What `field` of the spec names and no request is about.
    fn rules(&mut self, field: &'static str, resources: &MatchResources) {
        let path = self.document.path.field("spec").field(field);
        let lists =
            [("resourceRules", &resources.resource_rules), ("excludeResourceRules", &resources.exclude_resource_rules)];
        for (list, rules) in lists {
            for (index, rule) in rules.iter().enumerate() {
                let rule_path = path.field(list).index(index);
                let Some(mistakes) = unmatchable(rule) else {
                    let message =
                        format!("lists more than {MAX_LOOKED_AT} words, so what can never match isn't looked for");
                    self.note(rule_path, message);
                    continue;
                };
                for (below, message) in mistakes {
                    self.warn(rule_path.below(&below), message);
                }
            }
        }
        for (below, message) in contradictions(resources) {
            self.warn(path.below(&below), message);
        }
    }

    fn types(&mut self, policy: &Policy, kinds: &Kinds, minor: u32) {
        let TypeChecking { warnings, unknown } = type_check(policy, kinds, minor);
        for warning in warnings {
            let path = self.document.path.below(&warning.field_ref);
            let helped = self.found.len() < HELPED_ERRORS;
            let line = if helped { self.document.line_within(&path, warning.place) } else { self.document.line(&path) };
            let (at, object) = (self.at(line), self.object());
            self.found.push(Lint::Warning { at, object, field: path.to_string(), message: warning.warning });
        }
        for unknown in unknown {
            let path = self.document.path.below(&unknown.field_ref);
            let message = format!(
                "the fields of {} are not known, so they are not checked; give the CustomResourceDefinition with --crds",
                unknown.name
            );
            self.note(path, message);
        }
    }

    /// What costs so much that it may fail on larger objects.
    fn costs(&mut self, policy: &Policy, params: &Params, left: &mut u64) {
        for costly in costly(policy, params, left) {
            self.warn(self.document.path.below(&costly.field_ref), costly.message);
        }
    }

    fn note(&mut self, path: FieldPath, message: String) {
        let (at, object) = (self.at(self.document.line(&path)), self.object());
        self.found.push(Lint::Note { at, object, field: path.to_string(), message });
    }

    fn warn(&mut self, path: FieldPath, message: String) {
        let line = if path.0.is_empty() { self.document.at.line } else { self.document.line(&path) };
        let (at, object) = (self.at(line), self.object());
        self.found.push(Lint::Warning { at, object, field: path.to_string(), message });
    }

    /// The document's place, with the line of a field in it.
    fn at(&self, line: usize) -> Source {
        Source { line, ..self.document.at.clone() }
    }

    fn object(&self) -> String {
        format!("{}/{}", self.document.text(&["kind"]), self.document.text(&["metadata", "name"]))
    }
}

/// Whether an expression mentions `variables.<name>`. Looks at the text: a mention in a string counts as a use, which
/// at worst leaves an unused variable unreported.
fn uses(expression: &str, name: &str) -> bool {
    expression.match_indices("variables").any(|(at, word)| {
        let rest = expression.get(at + word.len()..).unwrap_or_default().trim_start();
        let Some(rest) = rest.strip_prefix('.') else { return false };
        let rest = rest.trim_start().trim_start_matches('?').trim_start();
        rest.strip_prefix(name).is_some_and(|after| !after.starts_with(|c: char| c == '_' || c.is_ascii_alphanumeric()))
    })
}
