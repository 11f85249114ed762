//! From texts to manifests: documents taken apart, lists unpacked, namespaces filled in, everything else set aside.

use std::path::Path;

use crate::admission::offline::{KnownNamespaces, with_namespace};
use crate::admission::resources::{Resource, Resources, built_in, split_api_version};
use crate::json::pointer::{self, Segment};
use crate::json::yaml::{self, Lines, Step};
use crate::json::{Arena, Object, Value};
use crate::policy::model::Source;

use super::argocd::Destinations;
use super::classify::{self, Reason};
use super::files::TextFile;
use super::flux::TargetNamespaces;
use super::kustomize::{Change, Kustomizations, MAX_NAMESPACES, transform};
use super::render::{Built, Origins, Output};
use super::templates::{self, Parts};

/// How deep lists of lists are unpacked.
const MAX_LIST_DEPTH: usize = 8;

/// What was found among the texts.
#[derive(Debug, Default)]
pub struct Collection<'a> {
    /// The objects to judge, in input order.
    pub manifests: Vec<Manifest<'a>>,
    /// The documents that are none.
    pub left_out: Vec<LeftOut>,
    /// The documents that are not YAML.
    pub unreadable: Vec<Unreadable>,
    /// The Namespace objects among the manifests.
    pub namespaces: KnownNamespaces,
    /// The kustomizations that were not built, though they change more than namespaces.
    pub unbuilt: Vec<Unbuilt>,
}

/// A kustomization whose objects may differ from what its files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unbuilt {
    /// Its file.
    pub file: String,
    /// What it does to objects.
    pub changes: Vec<Change>,
    /// The ConfigMaps and Secrets that it generates, as far as their names are known.
    pub generated: Vec<String>,
}

/// One object to judge.
#[derive(Clone, Debug)]
pub struct Manifest<'a> {
    /// The object as it would reach admission: with its namespace.
    pub object: Value<'a>,
    /// The object as it was written.
    pub written: Value<'a>,
    /// What the object is called.
    pub id: ObjectId,
    /// The resource that its kind is served under.
    pub resource: Resource,
    /// Where it was read from.
    pub source: Source,
    /// The lines of its fields.
    pub lines: Lines<'a>,
    /// The kustomization or chart that the object was built of; `written`, `source` and `lines` are then those
    /// of the file that it came from.
    pub built_by: Option<&'a str>,
}

impl Manifest<'_> {
    /// The way in what is written to what `path` leads to in the object: where that was built, elements of lists are told
    /// by their names, and an element that isn't written ends the way.
    pub fn written_path<'p>(&self, path: pointer::Path<'p>) -> pointer::Path<'p> {
        if self.built_by.is_none() {
            return path;
        }
        let (mut built, mut written) = (Some(self.object), Some(self.written));
        let mut way = Vec::new();
        for segment in path.0 {
            let index = match &segment {
                Segment::Key(key) => {
                    built = built.and_then(|value| value.get(key));
                    written = written.and_then(|value| value.get(key));
                    way.push(segment);
                    continue;
                }
                Segment::Index(index) => *index,
            };
            built = elements(built).get(index).copied();
            let name = |value: &Value<'_>| value.get("name").and_then(|name| name.as_str().map(str::to_owned));
            let called = built.as_ref().and_then(name);
            let same = |value: &Value<'_>| if called.is_some() { name(value) == called } else { built == Some(*value) };
            let Some(at) = elements(written).iter().position(same) else { break };
            written = elements(written).get(at).copied();
            way.push(Segment::Index(at));
        }
        pointer::Path(way)
    }
}

/// What names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectId {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// `metadata.name`, or `metadata.generateName` with a `*`.
    pub name: String,
}

/// A file or a document that may hold manifests, but can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where.
    pub source: Source,
    /// What is wrong.
    pub message: String,
}

/// A document that is no manifest.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The document.
    pub source: Source,
    /// Why.
    pub reason: Reason,
}

/// Finds the manifests in `files`; namespaced objects get the namespace of their outermost kustomizations, and where
/// there is none, `default_namespace` unless they have one.
pub fn collect<'a>(arena: &'a Arena, files: &'a [TextFile], default_namespace: &str) -> Collection<'a> {
    collect_built(arena, files, None, default_namespace)
}

/// The same, with what was built of `files` in place of those that it was built of.
pub fn collect_built<'a>(
    arena: &'a Arena,
    files: &'a [TextFile],
    built: Option<&'a Built>,
    default_namespace: &str,
) -> Collection<'a> {
    let mut collector = Collector {
        arena,
        found: Vec::new(),
        left_out: Vec::new(),
        unreadable: Vec::new(),
        kustomizations: Kustomizations::around(files),
        built,
    };
    for file in files.iter().filter(|file| built.is_none_or(|built| !built.covers(file))) {
        collector.file(file);
    }
    if let Some(built) = built {
        let mut origins = Origins::new(arena, files);
        built.outputs.iter().for_each(|output| collector.output(output, &mut origins));
        collector.unreadable.extend(built.failures.iter().cloned());
    }
    collector.finish(default_namespace)
}

impl std::fmt::Display for ObjectId {
    /// `Deployment media/jellyfin`, `Namespace media`; `Pod media/?` for one without a name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, "") => write!(f, " {namespace}/?"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

struct Collector<'a> {
    arena: &'a Arena,
    found: Vec<Found<'a>>,
    left_out: Vec<LeftOut>,
    unreadable: Vec<Unreadable>,
    kustomizations: Kustomizations,
    built: Option<&'a Built>,
}

struct Found<'a> {
    value: Value<'a>,
    written: Value<'a>,
    built_by: Option<&'a str>,
    source: Source,
    file: &'a TextFile,
    lines: Lines<'a>,
}

impl<'a> Collector<'a> {
    fn file(&mut self, file: &'a TextFile) {
        let path = file.path.as_deref();
        if path.is_some_and(classify::is_helm_template) {
            let source = Source { file: file.name.clone(), document: 0, line: 1 };
            self.left_out.push(LeftOut { source, reason: Reason::HelmTemplate });
            return;
        }
        let is_patch = path.is_some_and(|path| self.kustomizations.is_patch(path));
        let mut parts = Parts::of(&file.text);
        for (document, parsed) in yaml::documents(self.arena, &file.text).into_iter().enumerate() {
            let (part, line) = match &parsed {
                Ok(parsed) => (parts.around(parsed.line), parsed.line),
                Err(error) => (parts.broken(error.line), error.line),
            };
            // Only Helm knows which file a document of its output was made from.
            let name = path.map_or_else(|| templates::helm_source(part), |_| None);
            let source = Source { file: name.unwrap_or(&file.name).to_owned(), document, line };
            match parsed {
                Ok(parsed) if is_patch && !parsed.value.is_null() => {
                    self.left_out.push(LeftOut { source, reason: Reason::KustomizePatch });
                }
                Ok(parsed) => self.value(parsed.value, parsed.lines, source, file, 0),
                // Templates lie about outside charts too; what a pipe brings is meant to be judged.
                Err(_) if path.is_some() && templates::holds_action(part) => {
                    self.left_out.push(LeftOut { source, reason: Reason::HelmTemplate });
                }
                Err(error) => {
                    let message = format!("not valid YAML: {}", error.message);
                    self.unreadable.push(Unreadable { source, message });
                }
            }
        }
    }

    /// Sorts a value, `depth` lists deep in its document.
    fn value(&mut self, value: Value<'a>, lines: Lines<'a>, source: Source, file: &'a TextFile, depth: usize) {
        if let Some(list) = list_items(value) {
            if depth == MAX_LIST_DEPTH {
                let message = format!("more than {MAX_LIST_DEPTH} lists of objects are nested in each other");
                self.unreadable.push(Unreadable { source, message });
                return;
            }
            for (index, item) in list.elements.iter().enumerate() {
                let lines = lines.at(&[Step::Key("items"), Step::Index(index)]);
                self.value(list.typed(self.arena, *item), lines, source.clone(), file, depth + 1);
            }
            return;
        }
        match classify::left_out(value, file.path.as_deref()) {
            Some(reason) => self.left_out.push(LeftOut { source, reason }),
            None => self.found.push(Found { value, written: value, built_by: None, source, file, lines }),
        }
    }

    /// The objects of a kustomization or chart that was built.
    fn output(&mut self, output: &'a Output, origins: &mut Origins<'a>) {
        for (document, parsed) in yaml::documents(self.arena, &output.text).into_iter().enumerate() {
            match parsed {
                Ok(parsed) => self.built_value(parsed.value, parsed.line, output, origins, 0),
                Err(error) => {
                    let source = Source { file: output.name.clone(), document, line: 1 };
                    let message =
                        format!("line {} of what it is built to is not valid YAML: {}", error.line, error.message);
                    self.unreadable.push(Unreadable { source, message });
                }
            }
        }
    }

    fn built_value(
        &mut self,
        value: Value<'a>,
        line: usize,
        output: &'a Output,
        origins: &mut Origins<'a>,
        depth: usize,
    ) {
        if let Some(list) = list_items(value).filter(|_| depth < MAX_LIST_DEPTH) {
            for item in list.elements {
                self.built_value(list.typed(self.arena, *item), line, output, origins, depth + 1);
            }
            return;
        }
        if value.is_null() {
            return;
        }
        let Some(place) = origins.place(value, line, output) else { return };
        match classify::left_out(value, None) {
            Some(reason) => self.left_out.push(LeftOut { source: place.source, reason }),
            None => self.found.push(Found {
                value,
                written: place.written,
                built_by: Some(&output.name),
                source: place.source,
                file: place.file,
                lines: place.lines,
            }),
        }
    }

    fn finish(mut self, default_namespace: &str) -> Collection<'a> {
        let mut resources = Resources::default();
        self.found.iter().for_each(|found| resources.learn(found.value));
        let mut namespaces = KnownNamespaces::default();
        let (mut targets, mut destinations) = (TargetNamespaces::default(), Destinations::default());
        for found in &self.found {
            if let Some(path) = &found.file.path {
                targets.learn(found.value, path);
                destinations.learn(found.value, path);
            }
        }
        destinations.follow(&self.kustomizations);
        let mut manifests = Vec::with_capacity(self.found.len());
        for found in std::mem::take(&mut self.found) {
            let (group, _) = split_api_version(text_at(found.value, &["apiVersion"]));
            let resource = resources.of(group, text_at(found.value, &["kind"]));
            let applied = found.built_by.map(Path::new).or(found.file.path.as_deref());
            let destination = applied.and_then(|path| destinations.of(path, &self.kustomizations));
            let default_namespace = destination.as_deref().unwrap_or(default_namespace);
            for namespace in self.imposed_namespaces(&found, &targets) {
                let object = match namespace {
                    Some(namespace) => transform(self.arena, found.value, resource.namespaced, &namespace),
                    None => found.value,
                };
                namespaces.learn(object);
                manifests.push(found.manifest(self.arena, object, &resource, default_namespace));
            }
        }
        let unbuilt = if self.built.is_some() { Vec::new() } else { self.unbuilt() };
        self.unreadable.extend(self.kustomizations.problems.iter().map(|(path, problem)| Unreadable {
            source: Source { file: self.kustomizations.name(path), document: 0, line: 1 },
            message: problem.clone(),
        }));
        Collection { manifests, left_out: self.left_out, unreadable: self.unreadable, namespaces, unbuilt }
    }

    /// The namespaces that kustomizations put an object into, each for a manifest of its own; `None` to leave it where
    /// it is.
    fn imposed_namespaces(&mut self, found: &Found<'a>, targets: &TargetNamespaces) -> Vec<Option<String>> {
        // What Flux sets, it sets last.
        let applied = found.built_by.map(Path::new).or(found.file.path.as_deref());
        if let Some(target) = applied.and_then(|path| targets.of(path, &self.kustomizations)) {
            return vec![Some(target)];
        }
        let path = found.file.path.as_deref().filter(|_| found.built_by.is_none());
        let namespaces = path.map(|path| self.kustomizations.namespaces_of(path)).unwrap_or_default();
        if namespaces.len() > MAX_NAMESPACES {
            let message = format!(
                "{} namespaces by as many kustomizations; judged in the first {MAX_NAMESPACES}, --render judges all",
                namespaces.len()
            );
            self.unreadable.push(Unreadable { source: found.source.clone(), message });
        }
        match namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().take(MAX_NAMESPACES).map(|namespace| namespace.map(str::to_owned)).collect(),
        }
    }

    fn unbuilt(&self) -> Vec<Unbuilt> {
        let changing = self.kustomizations.given().filter(|kustomization| !kustomization.changes.is_empty());
        changing
            .map(|kustomization| Unbuilt {
                file: self.kustomizations.name(&kustomization.path),
                changes: kustomization.changes.clone(),
                generated: kustomization.generated.clone(),
            })
            .collect()
    }
}

impl<'a> Found<'a> {
    fn manifest(&self, arena: &'a Arena, object: Value<'a>, resource: &Resource, default: &str) -> Manifest<'a> {
        let namespace = match text_at(object, &["metadata", "namespace"]) {
            _ if !resource.namespaced => "",
            "" => default,
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
            written: self.written,
            id,
            resource: resource.clone(),
            source: self.source.clone(),
            lines: self.lines,
            built_by: self.built_by,
        }
    }
}

fn elements<'a>(value: Option<Value<'a>>) -> &'a [Value<'a>] {
    value.and_then(|value| value.as_array()).unwrap_or_default()
}

fn text_at<'a>(value: Value<'a>, path: &[&str]) -> &'a str {
    value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
}

/// The items of a list object, and what they are where they don't say so themselves.
pub(super) struct List<'a> {
    pub(super) elements: &'a [Value<'a>],
    api_version: &'a str,
    item_kind: &'a str,
}

pub(super) fn list_items(value: Value<'_>) -> Option<List<'_>> {
    let item_kind = value.get("kind")?.as_str()?.strip_suffix("List")?;
    let api_version = value.get("apiVersion")?.as_str()?;
    let elements = match value.get("items") {
        // Only what is known to be a list can be one without items.
        None | Some(Value::Null) if is_known_list(api_version, item_kind) => &[],
        items => items?.as_array()?,
    };
    Some(List { elements, api_version, item_kind })
}

fn is_known_list(api_version: &str, item_kind: &str) -> bool {
    let (group, _) = split_api_version(api_version);
    (group.is_empty() && item_kind.is_empty()) || built_in(group, item_kind).is_some()
}

impl<'a> List<'a> {
    /// The item with `apiVersion` and `kind`, which the API server omits in the items of a typed list.
    pub(super) fn typed(&self, arena: &'a Arena, item: Value<'a>) -> Value<'a> {
        match item {
            Value::Object(object) if !self.item_kind.is_empty() && object.get("kind").is_none() => {
                let mut members =
                    vec![("apiVersion", Value::String(self.api_version)), ("kind", Value::String(self.item_kind))];
                members.extend(object.members().iter().filter(|(key, _)| *key != "apiVersion"));
                Value::Object(Object::new(arena, &members))
            }
            other => other,
        }
    }
}
#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
