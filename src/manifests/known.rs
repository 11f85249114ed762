//! What has to be seen of the whole input before any object of it can be judged: which kinds there are, the namespaces
//! and what puts objects into them, and the objects that others refer to.

use std::collections::HashMap;
use std::path::Path;

use crate::admission::offline::{KnownNamespaces, with_namespace};
use crate::admission::resources::{Resource, Resources, split_api_version};
use crate::json::{Arena, Value};
use crate::policy::model::Source;

use super::argocd::Destinations;
use super::documents::Unbuilt;
use super::flux::TargetNamespaces;
use super::kustomize::{Kustomizations, MAX_NAMESPACES, transform};
use super::manifest::{Manifest, ObjectId, Unreadable, text_at};
use super::sorter::Found;

/// What is known of an input.
#[derive(Debug, Default)]
pub struct Known {
    /// The Namespace objects among the manifests.
    pub namespaces: KnownNamespaces,
    /// What Flux's releases refer to.
    pub chart_sources: ChartSources,
    pub(super) kustomizations: Kustomizations,
    definitions: Definitions,
    default_namespace: String,
    /// What there was no room for.
    overflow: Option<Unreadable>,
}

/// What objects say about others: of which kind they are, and into which namespace they go.
#[derive(Debug, Default)]
pub struct Definitions {
    resources: Resources,
    targets: TargetNamespaces,
    destinations: Destinations,
}

impl Definitions {
    /// Learns from `object`, read from the file `path`.
    pub fn learn(&mut self, object: Value<'_>, path: Option<&Path>) {
        self.resources.learn(object);
        if let Some(path) = path {
            self.targets.learn(object, path);
            self.destinations.learn(object, path);
        }
    }
}

/// Where charts come from: the objects of `source.toolkit.fluxcd.io`.
#[derive(Debug, Default)]
pub struct ChartSources {
    by_id: HashMap<(String, String, String), ChartSource>,
}

/// What a release needs to know of the object that it refers to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartSource {
    /// `spec.url`
    pub url: Option<String>,
    /// `spec.ref.tag`
    pub tag: Option<String>,
}

const CHART_SOURCE_GROUP: &str = "source.toolkit.fluxcd.io";

impl Known {
    /// Knows no objects yet; namespaced objects without a namespace get `default_namespace`.
    pub fn new(kustomizations: Kustomizations, mut definitions: Definitions, default_namespace: &str) -> Self {
        definitions.destinations.follow(&kustomizations);
        Self { kustomizations, definitions, default_namespace: default_namespace.to_owned(), ..Self::default() }
    }

    /// Learns what others ask about: Namespaces, and where charts come from. To be asked about every manifest before any
    /// is judged.
    pub fn remember(&mut self, manifest: &Manifest<'_>) {
        self.namespaces.learn(manifest.object);
        self.chart_sources.learn(manifest);
    }

    /// The object in each namespace that it goes into; more of those than are judged are one of the `unreadable`.
    pub fn manifests<'a>(
        &self,
        arena: &'a Arena,
        found: &Found<'a>,
        unreadable: &mut Vec<Unreadable>,
    ) -> Vec<Manifest<'a>> {
        let (group, _) = split_api_version(text_at(found.value, &["apiVersion"]));
        let resource = self.definitions.resources.of(group, text_at(found.value, &["kind"]));
        let applied = found.built_by.map(Path::new).or(found.path);
        let destinations = &self.definitions.destinations;
        let destination = applied.and_then(|path| destinations.of(path, &self.kustomizations));
        let default_namespace = destination.as_deref().unwrap_or(&self.default_namespace);
        let manifest = |namespace: Option<String>| {
            let object = match namespace {
                Some(namespace) => transform(arena, found.value, resource.namespaced, &namespace),
                None => found.value,
            };
            manifest(arena, found, object, &resource, default_namespace)
        };
        self.imposed_namespaces(found, unreadable).into_iter().map(manifest).collect()
    }

    /// The namespaces that kustomizations put an object into, each for a manifest of its own; `None` to leave it where
    /// it is.
    fn imposed_namespaces(&self, found: &Found<'_>, unreadable: &mut Vec<Unreadable>) -> Vec<Option<String>> {
        // What Flux sets, it sets last.
        let applied = found.built_by.map(Path::new).or(found.path);
        if let Some(target) = applied.and_then(|path| self.definitions.targets.of(path, &self.kustomizations)) {
            return vec![Some(target)];
        }
        let path = found.path.filter(|_| found.built_by.is_none());
        let namespaces = path.map(|path| self.kustomizations.namespaces_of(path)).unwrap_or_default();
        if namespaces.len() > MAX_NAMESPACES {
            let message = format!(
                "{} namespaces by as many kustomizations; judged in the first {MAX_NAMESPACES}, --render judges all",
                namespaces.len()
            );
            unreadable.push(Unreadable { source: found.source.clone(), message });
        }
        match namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().take(MAX_NAMESPACES).map(|namespace| namespace.map(str::to_owned)).collect(),
        }
    }

    /// Says that not everything is known.
    pub(super) fn set_overflow(&mut self, overflow: Option<Unreadable>) {
        self.overflow = overflow;
    }

    /// The kustomizations that can't be followed, and what is not known for want of room.
    pub fn problems(&self) -> impl Iterator<Item = Unreadable> {
        let unfollowed = self.kustomizations.problems.iter().map(|(path, problem)| Unreadable {
            source: Source { file: self.kustomizations.name(path), document: 0, line: 1 },
            message: problem.clone(),
        });
        unfollowed.chain(self.overflow.clone())
    }

    /// The kustomizations among the input that do more than set namespaces.
    pub fn unbuilt(&self) -> Vec<Unbuilt> {
        let changing = self.kustomizations.given().filter(|kustomization| !kustomization.changes.is_empty());
        let unbuilt = changing.map(|kustomization| Unbuilt {
            file: self.kustomizations.name(&kustomization.path),
            changes: kustomization.changes.clone(),
            generated: kustomization.generated.clone(),
        });
        unbuilt.collect()
    }
}

/// An object that was found, with what names it; without a namespace of its own it gets the default.
fn manifest<'a>(
    arena: &'a Arena,
    found: &Found<'a>,
    object: Value<'a>,
    resource: &Resource,
    default_namespace: &str,
) -> Manifest<'a> {
    let namespace = match text_at(object, &["metadata", "namespace"]) {
        _ if !resource.namespaced => "",
        "" => default_namespace,
        written => written,
    };
    let name = match (text_at(object, &["metadata", "name"]), text_at(object, &["metadata", "generateName"])) {
        ("", "") => String::new(),
        ("", prefix) => format!("{prefix}*"),
        (name, _) => name.to_owned(),
    };
    let id = ObjectId {
        api_version: text_at(object, &["apiVersion"]).to_owned(),
        kind: text_at(object, &["kind"]).to_owned(),
        namespace: namespace.to_owned(),
        name,
    };
    Manifest {
        object: with_namespace(arena, object, namespace),
        written: found.written,
        id,
        resource: resource.clone(),
        source: found.source.clone(),
        lines: found.lines,
        built_by: found.built_by,
    }
}

impl ChartSources {
    /// Whether objects of this `apiVersion` are kept.
    pub fn concern(api_version: &str) -> bool {
        split_api_version(api_version).0 == CHART_SOURCE_GROUP
    }

    fn learn(&mut self, manifest: &Manifest<'_>) {
        if Self::concern(&manifest.id.api_version) {
            let text = |path: &[&str]| Some(text_at(manifest.written, path)).filter(|text| !text.is_empty());
            let ObjectId { kind, namespace, name, .. } = &manifest.id;
            self.by_id.entry((kind.clone(), namespace.clone(), name.clone())).or_insert_with(|| ChartSource {
                url: text(&["spec", "url"]).map(str::to_owned),
                tag: text(&["spec", "ref", "tag"]).map(str::to_owned),
            });
        }
    }

    /// The one that is called so.
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&ChartSource> {
        self.by_id.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }
}
