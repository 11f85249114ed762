//! From manifests to policies with their bindings and params. Nothing that is wrong with one document keeps another
//! from being loaded, and nothing is dropped without an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::cel::compile_each;

use super::compile::Libraries;
use super::contents::{Content, Contents, Found, Key, TYPES, read};
use super::embedded::{PREFIX, embedded};
use super::error::{LoadError, Reason};
use super::manifest::{HELPED_ERRORS, Manifest};
use super::model::{Binding, Policy, Rules, Source};
use super::params::Params;
use super::problem::closest;
use super::selection::{Choice, Selection};
use super::spec::PolicyType;

/// The most threads that compile policies at once: they are few.
const MAX_THREADS: usize = 4;

/// What manifests gave.
#[derive(Debug, Default)]
pub struct LoadedPolicies {
    /// The policies, sorted by name; a validating one stands before a mutating one of the same name.
    pub policies: Vec<Policy>,
    /// The objects that bindings may refer to.
    pub params: Params,
    /// What is wrong, in the order of the manifests.
    pub errors: Vec<LoadError>,
    /// Policies that a binding with a mistake was probably meant for: they don't lack one, it has to be mended.
    pub bound_by_mistake: BTreeSet<(String, PolicyType)>,
}

/// Loads manifests for Kubernetes 1.`minor`. Later params replace earlier ones of the same apiVersion, kind, namespace
/// and name; of policies and bindings the first of a name stays and later ones are errors.
///
/// A policy with errors stays, with a `compile_error`, if its name, match constraints and failure policy are known, so
/// that its failure policy is applied to what it matches; otherwise it is left out. A binding with errors is left out.
pub fn load(manifests: &[Manifest], minor: u32) -> LoadedPolicies {
    load_with(manifests, Libraries::of_stored_expressions(minor))
}

/// As [`load`], with the policies of the bundle that are on before `manifests`. A shipped policy that is off, and that a
/// binding in `manifests` names, is loaded without its own bindings; one that was turned off expressly is not.
pub fn load_selected(selection: &Selection, manifests: &[Manifest], minor: u32) -> LoadedPolicies {
    load_selected_with(selection, manifests, Libraries::of_stored_expressions(minor))
}

/// As [`load_selected`], with expressions that may use `libraries`.
pub fn load_selected_with(selection: &Selection, manifests: &[Manifest], libraries: Libraries) -> LoadedPolicies {
    let mut loader = Loader { libraries, ..Loader::default() };
    let shipped: Vec<_> =
        selection.policies().into_iter().map(|(policy, choices)| (policy.manifest(), Some(choices))).collect();
    let shipped = shipped.iter().map(|(manifest, choices)| (manifest, *choices));
    loader.load(&shipped.chain(manifests.iter().map(|manifest| (manifest, None))).collect::<Vec<_>>());
    loader.bind_shipped(selection);
    loader.finish()
}

/// As [`load`], with expressions that may use `libraries`.
pub fn load_with(manifests: &[Manifest], libraries: Libraries) -> LoadedPolicies {
    let mut loader = Loader { libraries, ..Loader::default() };
    loader.load(&manifests.iter().map(|manifest| (manifest, None)).collect::<Vec<_>>());
    loader.finish()
}

#[derive(Default)]
struct Loader {
    libraries: Libraries,
    policies: BTreeMap<Key, Policy>,
    /// Policies that could not be kept: their bindings are no mistake.
    lost: BTreeSet<Key>,
    /// Bindings by their own name, with the name of their policy.
    bindings: BTreeMap<Key, (String, Binding)>,
    params: Params,
    errors: Vec<LoadError>,
    bound_by_mistake: BTreeSet<Key>,
}

impl Loader {
    /// Loads manifests in their order; those of the bundle with the bindings that are on.
    fn load(&mut self, manifests: &[(&Manifest, Option<&[Choice]>)]) {
        let libraries = self.libraries;
        let contents = compile_each(MAX_THREADS, manifests, |(manifest, choices)| read(manifest, libraries, *choices));
        for (Contents { errors, found }, (_, choices)) in contents.into_iter().zip(manifests) {
            let (mut errors, mut reported) = (errors.into_iter(), 0);
            for found in found {
                self.errors.extend(errors.by_ref().take(found.errors - reported));
                reported = found.errors;
                self.keep(found, choices.is_some());
            }
            self.errors.extend(errors);
        }
    }

    /// Loads the policies of the bundle that bindings name and that aren't there, unless they were turned off: then such
    /// bindings bind nothing.
    fn bind_shipped(&mut self, selection: &Selection) {
        let mut missing = Vec::new();
        for policy in embedded() {
            let is_there = TYPES.iter().any(|of| self.has_policy(&(policy.name.to_owned(), *of)));
            if is_there || !self.bindings.values().any(|(named, _)| named == policy.name) {
                continue;
            }
            if selection.turned_off(policy.name).is_some() {
                self.bindings.retain(|_, (named, _)| named != policy.name);
            } else {
                missing.push(policy.manifest());
            }
        }
        self.load(&missing.iter().map(|manifest| (manifest, Some(&[][..]))).collect::<Vec<_>>());
    }

    fn has_policy(&self, key: &Key) -> bool {
        self.policies.contains_key(key) || self.lost.contains(key)
    }

    /// Keeps what a document gave; params of the bundle give way to those that are there already.
    fn keep(&mut self, found: Found, is_shipped: bool) {
        let Found { at, object, content, .. } = found;
        let error = |reason| LoadError { at, object, reason };
        match content {
            Content::Policy(key, None) => {
                self.lost.insert(key);
            }
            Content::Policy(key, Some(policy)) => match self.policies.get(&key) {
                Some(earlier) => self.errors.push(error(duplicate(&key.0, earlier.source.clone()))),
                None => {
                    self.policies.insert(key, *policy);
                }
            },
            Content::Binding(policy, None) => {
                self.bound_by_mistake.insert(policy);
            }
            Content::Binding(policy, Some(binding)) => match self.bind(policy, *binding) {
                Ok(()) => {}
                Err(reason) => self.errors.push(error(reason)),
            },
            Content::Param(param) if is_shipped && self.params.contains(&param) => {}
            Content::Param(param) => self.params.keep(param),
        }
    }

    /// Keeps a binding of `policy`. A binding of the bundle gives way to one of its name and policy.
    fn bind(&mut self, policy: Key, binding: Binding) -> Result<(), Reason> {
        let (policy_name, policy_type) = &policy;
        let key = (binding.name.clone(), *policy_type);
        let reason = match self.bindings.get(&key) {
            Some((bound, earlier)) if is_shipped(&earlier.source) && !is_shipped(&binding.source) => {
                (bound != policy_name).then(|| Reason::NotAReplacement { name: key.0.clone(), policy: bound.clone() })
            }
            Some((_, earlier)) => Some(duplicate(&key.0, earlier.source.clone())),
            None => None,
        };
        match reason {
            Some(reason) => {
                self.bound_by_mistake.insert(policy);
                Err(reason)
            }
            None => {
                self.bindings.insert(key, (policy.0, binding));
                Ok(())
            }
        }
    }

    fn finish(mut self) -> LoadedPolicies {
        for ((name, policy_type), (policy_name, binding)) in std::mem::take(&mut self.bindings) {
            let key = (policy_name, policy_type);
            if let Some(policy) = self.policies.get_mut(&key) {
                policy.bindings.push(binding);
            } else if !self.lost.contains(&key) {
                let reason = self.no_policy(&key);
                let object = format!("{}/{name}", policy_type.binding_kind());
                self.errors.push(LoadError { at: binding.source, object, reason });
            }
        }
        LoadedPolicies {
            policies: self.policies.into_values().collect(),
            params: self.params,
            errors: self.errors,
            bound_by_mistake: self.bound_by_mistake,
        }
    }

    fn no_policy(&mut self, (name, policy_type): &Key) -> Reason {
        let other = match policy_type {
            PolicyType::Validating => PolicyType::Mutating,
            PolicyType::Mutating => PolicyType::Validating,
        };
        let meant = if self.policies.contains_key(&(name.clone(), other)) {
            self.bound_by_mistake.insert((name.clone(), other));
            format!("that is a {}: write kind: {}", other.kind(), other.binding_kind())
        } else if self.errors.len() < HELPED_ERRORS {
            let known = self.policies.keys().filter(|(_, known)| known == policy_type);
            let known: Vec<_> = known.map(|(name, _)| name.as_str()).collect();
            let meant = closest(name, &known).map(str::to_owned);
            self.bound_by_mistake.extend(meant.clone().map(|meant| (meant, *policy_type)));
            meant.map(|meant| format!("write policyName: {meant}")).unwrap_or_default()
        } else {
            String::new()
        };
        Reason::NoPolicy { kind: policy_type.kind(), name: name.clone(), meant }
    }
}

fn is_shipped(source: &Source) -> bool {
    source.file.starts_with(PREFIX)
}

fn duplicate(name: &str, first: Source) -> Reason {
    let advice = if is_shipped(&first) {
        "give it another name, or turn the shipped one off with --disable"
    } else {
        "give it another name, or remove one of them"
    };
    Reason::Duplicate { name: name.to_owned(), first, advice }
}

impl Policy {
    /// Whether the policy validates or mutates.
    pub fn policy_type(&self) -> PolicyType {
        match self.rules {
            Rules::Validate { .. } => PolicyType::Validating,
            Rules::Mutate { .. } => PolicyType::Mutating,
        }
    }
}
