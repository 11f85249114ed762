//! From manifests to policies with their bindings and params. Nothing that is wrong with one document keeps another
//! from being loaded, and nothing is dropped without an error.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::Arena;

use super::binding::binding;
use super::compile::Libraries;
use super::decode::Node;
use super::embedded::{PREFIX, embedded};
use super::error::{LoadError, Reason};
use super::manifest::{Document, HELPED_ERRORS, Manifest};
use super::model::{Binding, Policy, Rules, Source, ValidationAction};
use super::params::Params;
use super::problem::{Problems, closest};
use super::selection::{Choice, Selection};
use super::spec::{PolicyType, policy};

const GROUP: &str = "admissionregistration.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
const TYPES: [PolicyType; 2] = [PolicyType::Validating, PolicyType::Mutating];

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
    for (policy, choices) in selection.policies() {
        loader.load_shipped(&policy.manifest(), choices);
    }
    loader.load_all(manifests);
    loader.bind_shipped(selection);
    loader.finish()
}

/// As [`load`], with expressions that may use `libraries`.
pub fn load_with(manifests: &[Manifest], libraries: Libraries) -> LoadedPolicies {
    let mut loader = Loader { libraries, ..Loader::default() };
    loader.load_all(manifests);
    loader.finish()
}

/// The kind of a document, as far as loading is concerned.
enum Kind {
    Policy(PolicyType),
    Binding(PolicyType),
    /// A test suite, a profile or a kustomization, which may lie beside policies.
    Beside,
    Other,
}

impl Kind {
    fn of(document: &Document<'_>) -> Result<Self, Reason> {
        let (api_version, kind) = (document.text(&["apiVersion"]), document.text(&["kind"]));
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let ours = TYPES.into_iter().find_map(|policy_type| {
            if kind == policy_type.kind() {
                Some(Kind::Policy(policy_type))
            } else if kind == policy_type.binding_kind() {
                Some(Kind::Binding(policy_type))
            } else {
                None
            }
        });
        match (group, ours) {
            (GROUP, Some(ours)) if VERSIONS.contains(&version) => Ok(ours),
            (GROUP | "", Some(_)) => Err(Reason::Version {
                found: api_version.to_owned(),
                kind: kind.to_owned(),
                write: "apiVersion: admissionregistration.k8s.io/v1",
            }),
            ("portcullis.dev", _) if kind == "PolicyTest" || kind == "Profile" => Ok(Kind::Beside),
            ("portcullis.dev", _) if kind == "Exemption" => {
                Err(Reason::Misplaced { kind: kind.to_owned(), advice: "give its file to --exemptions" })
            }
            ("kustomize.config.k8s.io", _) => Ok(Kind::Beside),
            _ => match other_engine(group) {
                Some(engine) => Err(Reason::OtherEngine { kind: kind.to_owned(), engine }),
                None => Ok(Kind::Other),
            },
        }
    }
}

/// The policy engine that an API group belongs to. Taken for params, its policies would be in force in appearance only.
fn other_engine(group: &str) -> Option<&'static str> {
    [("kyverno.io", "Kyverno"), ("gatekeeper.sh", "Gatekeeper"), ("kubewarden.io", "Kubewarden")]
        .into_iter()
        .find(|(domain, _)| group.strip_suffix(domain).is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.')))
        .map(|(_, engine)| engine)
}

type Key = (String, PolicyType);

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
    fn load_all(&mut self, manifests: &[Manifest]) {
        for manifest in manifests {
            let arena = Arena::new();
            for document in manifest.objects(&arena, &mut self.errors) {
                self.load(&document);
            }
        }
    }

    /// Loads a policy of the bundle with the bindings that are on. Params that are there already stay.
    fn load_shipped(&mut self, manifest: &Manifest, choices: &[Choice]) {
        let arena = Arena::new();
        for document in manifest.objects(&arena, &mut self.errors) {
            match Kind::of(&document) {
                Ok(Kind::Binding(policy_type)) => {
                    let name = document.text(&["metadata", "name"]);
                    if let Some(choice) = choices.iter().find(|choice| choice.binding == name) {
                        self.load_binding(&document, policy_type, choice.actions.as_deref());
                    }
                }
                Ok(Kind::Other) if self.params.contains(document.value) => {}
                _ => self.load(&document),
            }
        }
    }

    /// Loads the policies of the bundle that bindings name and that aren't there, unless they were turned off: then such
    /// bindings bind nothing.
    fn bind_shipped(&mut self, selection: &Selection) {
        for policy in embedded() {
            let is_there = TYPES.iter().any(|of| self.has_policy(&(policy.name.to_owned(), *of)));
            if is_there || !self.bindings.values().any(|(named, _)| named == policy.name) {
                continue;
            }
            if selection.turned_off(policy.name).is_some() {
                self.bindings.retain(|_, (named, _)| named != policy.name);
            } else {
                self.load_shipped(&policy.manifest(), &[]);
            }
        }
    }

    fn has_policy(&self, key: &Key) -> bool {
        self.policies.contains_key(key) || self.lost.contains(key)
    }

    fn load(&mut self, document: &Document<'_>) {
        match Kind::of(document) {
            Ok(Kind::Policy(policy_type)) => self.load_policy(document, policy_type),
            Ok(Kind::Binding(policy_type)) => self.load_binding(document, policy_type, None),
            Ok(Kind::Other) => self.load_param(document),
            Ok(Kind::Beside) => {}
            Err(reason) => {
                if let Some(policy_type) = TYPES.into_iter().find(|of| of.binding_kind() == document.text(&["kind"])) {
                    self.mark_bound(document, policy_type);
                }
                self.errors.push(document.error(reason));
            }
        }
    }

    /// Marks the policy that a binding with a mistake names.
    fn mark_bound(&mut self, document: &Document<'_>, policy_type: PolicyType) {
        self.bound_by_mistake.insert((document.text(&["spec", "policyName"]).to_owned(), policy_type));
    }

    fn load_policy(&mut self, document: &Document<'_>, policy_type: PolicyType) {
        let problems = Problems::default();
        let node = Node::new(document.value, document.path.clone(), &problems);
        let policy = policy(&node, policy_type, document.at.clone(), self.libraries);
        let matching = document.path.field("spec").field("matchConstraints");
        let problems = document.report(problems, &mut self.errors);
        // With faulty match constraints nobody knows what the failure policy would have to be applied to.
        let policy = policy.filter(|_| !problems.iter().any(|problem| problem.path.0.starts_with(&matching.0)));
        let key = (document.text(&["metadata", "name"]).to_owned(), policy_type);
        match policy {
            None => {
                self.lost.insert(key);
            }
            Some(mut policy) => {
                if let Some(first) = self.policies.get(&key).map(|earlier| earlier.source.clone()) {
                    self.errors.push(document.error(duplicate(&key.0, first)));
                    return;
                }
                policy.compile_error = problems.first().map(ToString::to_string);
                self.policies.insert(key, policy);
            }
        }
    }

    /// Loads a binding; `actions` take the place of its own. A binding of the bundle gives way to one of its name and policy.
    fn load_binding(&mut self, document: &Document<'_>, policy_type: PolicyType, actions: Option<&[ValidationAction]>) {
        let problems = Problems::default();
        let node = Node::new(document.value, document.path.clone(), &problems);
        let binding = binding(&node, policy_type, document.at.clone());
        let problems = document.report(problems, &mut self.errors);
        let Some((policy_name, mut binding)) = binding.filter(|_| problems.is_empty()) else {
            self.mark_bound(document, policy_type);
            return;
        };
        if let Some(actions) = actions.filter(|_| policy_type == PolicyType::Validating) {
            binding.validation_actions = actions.to_vec();
        }
        let key = (binding.name.clone(), policy_type);
        let reason = match self.bindings.get(&key) {
            Some((policy, earlier)) if is_shipped(&earlier.source) && !is_shipped(&binding.source) => {
                let policy = policy.clone();
                (policy != policy_name).then(|| Reason::NotAReplacement { name: key.0.clone(), policy })
            }
            Some((_, earlier)) => Some(duplicate(&key.0, earlier.source.clone())),
            None => None,
        };
        match reason {
            Some(reason) => {
                self.mark_bound(document, policy_type);
                self.errors.push(document.error(reason));
            }
            None => {
                self.bindings.insert(key, (policy_name, binding));
            }
        }
    }

    fn load_param(&mut self, document: &Document<'_>) {
        if self.params.insert(document.value) {
            return;
        }
        let fields: [(&'static str, &[&str]); 3] =
            [("apiVersion", &["apiVersion"]), ("kind", &["kind"]), ("metadata.name", &["metadata", "name"])];
        let missing = fields.iter().find(|(_, path)| document.text(path).is_empty());
        let missing = missing.map_or("an object", |(name, _)| name);
        self.errors.push(document.error(Reason::NotAnObject { missing }));
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
