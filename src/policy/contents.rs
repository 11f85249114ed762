//! One manifest's documents as loading keeps them: all that can be done for each manifest alone, and so on every core.

use crate::json::Arena;

use super::binding::binding;
use super::compile::Libraries;
use super::decode::Node;
use super::error::{LoadError, Reason};
use super::manifest::{Document, Manifest};
use super::model::{Binding, Policy, Source};
use super::params::Param;
use super::problem::Problems;
use super::selection::Choice;
use super::spec::{PolicyType, policy};

const GROUP: &str = "admissionregistration.k8s.io";
const VERSIONS: [&str; 3] = ["v1", "v1beta1", "v1alpha1"];
/// The types of policy.
pub const TYPES: [PolicyType; 2] = [PolicyType::Validating, PolicyType::Mutating];

/// A policy's name and type.
pub type Key = (String, PolicyType);

/// What a manifest gave.
#[derive(Debug)]
pub struct Contents {
    /// What is wrong: first with the text, then with each document.
    pub errors: Vec<LoadError>,
    /// What there is to keep, and what may be kept no longer, in the order of the documents.
    pub found: Vec<Found>,
}

/// What one document gave.
#[derive(Debug)]
pub struct Found {
    /// Where it stands.
    pub at: Source,
    /// Its kind and name, for errors.
    pub object: String,
    /// How many of the manifest's errors are those of the documents up to this one.
    pub errors: usize,
    /// What it is.
    pub content: Content,
}

/// What a document is, as far as loading is concerned.
#[derive(Debug)]
pub enum Content {
    /// A policy; `None` if it can't be kept.
    Policy(Key, Option<Box<Policy>>),
    /// A binding of the policy that it names; `None` if it can't be kept.
    Binding(Key, Option<Box<Binding>>),
    /// An object that params may refer to.
    Param(Param),
}

/// Reads a manifest and compiles its policies; with `choices`, of its bindings those alone, with their actions.
pub fn read(manifest: &Manifest, libraries: Libraries, choices: Option<&[Choice]>) -> Contents {
    let (arena, mut errors, mut found) = (Arena::new(), Vec::new(), Vec::new());
    for document in manifest.objects(&arena, &mut errors) {
        let content = match Kind::of(&document) {
            Ok(Kind::Policy(policy_type)) => Some(read_policy(&document, policy_type, libraries, &mut errors)),
            Ok(Kind::Binding(policy_type)) => read_binding(&document, policy_type, choices, &mut errors),
            Ok(Kind::Other) => read_param(&document, &mut errors),
            Ok(Kind::Beside) => None,
            Err(reason) => {
                errors.push(document.error(reason));
                let policy_type = TYPES.into_iter().find(|of| of.binding_kind() == document.text(&["kind"]));
                policy_type.map(|policy_type| Content::Binding(bound(&document, policy_type), None))
            }
        };
        if let Some(content) = content {
            found.push(Found { at: document.at.clone(), object: document.object(), errors: errors.len(), content });
        }
    }
    Contents { errors, found }
}

/// The policy that a binding names, as far as it can be read.
fn bound(document: &Document<'_>, policy_type: PolicyType) -> Key {
    (document.text(&["spec", "policyName"]).to_owned(), policy_type)
}

fn read_policy(
    document: &Document<'_>,
    policy_type: PolicyType,
    libraries: Libraries,
    errors: &mut Vec<LoadError>,
) -> Content {
    let problems = Problems::default();
    let node = Node::new(document.value, document.path.clone(), &problems);
    let policy = policy(&node, policy_type, document.at.clone(), libraries);
    let matching = document.path.field("spec").field("matchConstraints");
    let problems = document.report(problems, errors);
    // With faulty match constraints nobody knows what the failure policy would have to be applied to.
    let policy = policy.filter(|_| !problems.iter().any(|problem| problem.path.0.starts_with(&matching.0)));
    let policy = policy.map(|mut policy| {
        policy.compile_error = problems.first().map(ToString::to_string);
        Box::new(policy)
    });
    Content::Policy((document.text(&["metadata", "name"]).to_owned(), policy_type), policy)
}

/// A binding, unless there are `choices` and it isn't among them.
fn read_binding(
    document: &Document<'_>,
    policy_type: PolicyType,
    choices: Option<&[Choice]>,
    errors: &mut Vec<LoadError>,
) -> Option<Content> {
    let name = document.text(&["metadata", "name"]);
    let actions = match choices {
        Some(choices) => choices.iter().find(|choice| choice.binding == name)?.actions.as_deref(),
        None => None,
    };
    let problems = Problems::default();
    let node = Node::new(document.value, document.path.clone(), &problems);
    let binding = binding(&node, policy_type, document.at.clone());
    let problems = document.report(problems, errors);
    let binding = binding.filter(|_| problems.is_empty()).map(|(_, mut binding)| {
        if let Some(actions) = actions.filter(|_| policy_type == PolicyType::Validating) {
            binding.validation_actions = actions.to_vec();
        }
        Box::new(binding)
    });
    Some(Content::Binding(bound(document, policy_type), binding))
}

fn read_param(document: &Document<'_>, errors: &mut Vec<LoadError>) -> Option<Content> {
    let param = Param::new(document.value);
    if param.is_none() {
        let fields: [(&'static str, &[&str]); 3] =
            [("apiVersion", &["apiVersion"]), ("kind", &["kind"]), ("metadata.name", &["metadata", "name"])];
        let missing = fields.iter().find(|(_, path)| document.text(path).is_empty());
        let missing = missing.map_or("an object", |(name, _)| name);
        errors.push(document.error(Reason::NotAnObject { missing }));
    }
    param.map(Content::Param)
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
