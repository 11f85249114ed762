//! The namespace that kustomize gives objects: the outermost kustomization on the way to them decides, whatever is
//! written in them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::admission::offline::{with_member, with_namespace, without_namespace};
use crate::json::{Arena, Object, Value};

use super::file::Kustomization;

/// How many namespaces the objects of one file are judged in. Bases with more overlays are for `--render`.
pub const MAX_NAMESPACES: usize = 64;

/// How deep kustomizations are followed into each other.
const MAX_DEPTH: usize = 64;

/// How many files are followed, counted once for each kustomization that they are part of and each namespace.
pub const MAX_ENTRIES: usize = 1 << 20;

/// What all kustomizations do together.
#[derive(Debug, Default)]
pub struct Effects {
    /// The namespaces of each file's objects; `None` where they stay as they are written.
    pub namespaces: HashMap<PathBuf, BTreeSet<Option<String>>>,
    /// Kustomizations that were not followed, and why.
    pub problems: Vec<(PathBuf, String)>,
}

/// What one kustomization does.
#[derive(Clone, Debug, Default)]
struct Effect<'k> {
    files: BTreeMap<&'k Path, BTreeSet<Option<&'k str>>>,
    /// The namespace that it would give to all that it is applied to as a component.
    imposed: Option<&'k str>,
}

struct Follower<'k> {
    kustomizations: &'k BTreeMap<PathBuf, Kustomization>,
    /// `None` for one that is being followed.
    known: HashMap<&'k Path, Option<Effect<'k>>>,
    remaining: usize,
    problems: Vec<(PathBuf, String)>,
}

/// Follows the kustomizations in the directories `roots` to all files; `limit` is [`MAX_ENTRIES`].
pub fn effects(kustomizations: &BTreeMap<PathBuf, Kustomization>, roots: &[&Path], limit: usize) -> Effects {
    let mut follower = Follower { kustomizations, known: HashMap::new(), remaining: limit, problems: Vec::new() };
    let mut namespaces: HashMap<PathBuf, BTreeSet<Option<String>>> = HashMap::new();
    for root in roots {
        let Some((directory, kustomization)) = kustomizations.get_key_value(*root) else { continue };
        follower.follow(directory, kustomization, 0);
        let effect = follower.known.get(directory.as_path()).cloned().flatten().unwrap_or_default();
        for (file, given) in effect.files {
            let given = given.into_iter().map(|namespace| namespace.map(str::to_owned));
            namespaces.entry(file.to_owned()).or_default().extend(given);
        }
    }
    Effects { namespaces, problems: follower.problems }
}

impl<'k> Follower<'k> {
    fn follow(&mut self, directory: &'k Path, kustomization: &'k Kustomization, depth: usize) {
        if self.known.contains_key(directory) {
            return;
        }
        if depth >= MAX_DEPTH {
            self.refuse(kustomization, format!("{MAX_DEPTH} kustomizations inside each other"));
            return;
        }
        self.known.insert(directory, None);
        let mut effect = Effect::default();
        for resource in &kustomization.resources {
            match self.kustomizations.get_key_value(resource) {
                Some((directory, inner)) => {
                    self.follow(directory, inner, depth + 1);
                    effect.take(self.effect(directory));
                }
                None => {
                    effect.files.entry(resource).or_default().insert(None);
                }
            }
        }
        for component in &kustomization.components {
            let Some((directory, inner)) = self.kustomizations.get_key_value(component) else { continue };
            self.follow(directory, inner, depth + 1);
            let inner = self.effect(directory);
            // A component changes what is there before its own objects are.
            if let Some(namespace) = inner.imposed {
                effect.impose(namespace);
            }
            effect.take(inner);
        }
        if let Some(namespace) = &kustomization.namespace {
            effect.impose(namespace);
        }
        let entries = effect.files.values().map(BTreeSet::len).sum();
        match self.remaining.checked_sub(entries) {
            Some(remaining) => {
                self.remaining = remaining;
                self.known.insert(directory, Some(effect));
            }
            None => self.refuse(kustomization, "too many files and namespaces in these kustomizations".to_owned()),
        }
    }

    fn effect(&self, directory: &Path) -> Effect<'k> {
        self.known.get(directory).cloned().flatten().unwrap_or_default()
    }

    fn refuse(&mut self, kustomization: &Kustomization, problem: String) {
        let problem = format!("{problem}: not followed; judge its output: kustomize build DIR | portcullis audit -");
        self.problems.push((kustomization.path.clone(), problem));
    }
}

impl<'k> Effect<'k> {
    fn impose(&mut self, namespace: &'k str) {
        self.imposed = Some(namespace);
        self.files.values_mut().for_each(|given| *given = BTreeSet::from([Some(namespace)]));
    }

    fn take(&mut self, other: Effect<'k>) {
        for (file, namespaces) in other.files {
            self.files.entry(file).or_default().extend(namespaces);
        }
    }
}

/// The object as kustomize's namespace transformer leaves it: in `namespace` if its kind is namespaced; a Namespace is
/// renamed, and subjects of role bindings that are called `default` are those in `namespace`.
pub fn transform<'a>(arena: &'a Arena, object: Value<'a>, is_namespaced: bool, namespace: &str) -> Value<'a> {
    let text = |key| object.get(key).and_then(|value| value.as_str()).unwrap_or_default();
    let object = match (text("apiVersion"), text("kind")) {
        ("v1", "Namespace") => return renamed(arena, object, namespace),
        (api_version, "RoleBinding" | "ClusterRoleBinding")
            if api_version.starts_with("rbac.authorization.k8s.io/") =>
        {
            with_subjects(arena, object, namespace)
        }
        _ => object,
    };
    if is_namespaced { with_namespace(arena, without_namespace(arena, object), namespace) } else { object }
}

fn renamed<'a>(arena: &'a Arena, object: Value<'a>, name: &str) -> Value<'a> {
    let Some(fields) = object.as_object() else { return object };
    let metadata = object.get("metadata").and_then(|metadata| metadata.as_object()).unwrap_or_default();
    let metadata = with_member(arena, metadata, "name", Value::String(arena.alloc_str(name)));
    Value::Object(with_member(arena, fields, "metadata", Value::Object(metadata)))
}

fn with_subjects<'a>(arena: &'a Arena, object: Value<'a>, namespace: &str) -> Value<'a> {
    let (Some(fields), Some(subjects)) =
        (object.as_object(), object.get("subjects").and_then(|subjects| subjects.as_array()))
    else {
        return object;
    };
    let namespace = Value::String(arena.alloc_str(namespace));
    let subject = |subject: &Value<'a>| match subject {
        // Whatever its kind: kustomize looks at nothing else.
        Value::Object(fields) if subject.get("name") == Some(Value::String("default")) => {
            Value::Object(with_member(arena, *fields, "namespace", namespace))
        }
        other => *other,
    };
    let subjects: Vec<_> = subjects.iter().map(subject).collect();
    let subjects = Value::Array(arena.alloc_slice_copy(&subjects));
    let object: Object<'a> = with_member(arena, fields, "subjects", subjects);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_so_many_files_and_says_where_it_stopped() {
        let at = |directory: &str, resources: &[&str]| {
            let kustomization = Kustomization {
                path: Path::new(directory).join("kustomization.yaml"),
                resources: resources.iter().map(PathBuf::from).collect(),
                ..Kustomization::default()
            };
            (PathBuf::from(directory), kustomization)
        };
        let all = BTreeMap::from([at("/a", &["/a/1", "/a/2", "/b"]), at("/b", &["/b/1", "/b/2"])]);
        // Two for the inner one, four for the outer one.
        for (limit, files, problems) in [(6, 4, vec![]), (5, 0, vec![Path::new("/a/kustomization.yaml")])] {
            let effects = effects(&all, &[Path::new("/a")], limit);
            let stopped: Vec<_> = effects.problems.iter().map(|(path, _)| path.as_path()).collect();
            assert_eq!((effects.namespaces.len(), stopped), (files, problems), "{limit}");
        }
    }
}
