//! From texts to manifests: documents taken apart, lists unpacked, namespaces filled in, everything else set aside.

use std::path::Path;

use crate::admission::offline::{KnownNamespaces, with_namespace};
use crate::admission::resources::{Resource, Resources, built_in, split_api_version};
use crate::json::pointer::{self, Segment};
use crate::json::yaml::{self, Lines, Step};
use crate::json::{Arena, Object, Value};
use crate::policy::model::Source;

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
        let mut targets = TargetNamespaces::default();
        for found in &self.found {
            if let Some(path) = &found.file.path {
                targets.learn(found.value, path);
            }
        }
        let mut manifests = Vec::with_capacity(self.found.len());
        for found in std::mem::take(&mut self.found) {
            let (group, _) = split_api_version(text_at(found.value, &["apiVersion"]));
            let resource = resources.of(group, text_at(found.value, &["kind"]));
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
mod tests {
    use super::*;
    use crate::engine::Namespaces;

    fn file(text: &str) -> TextFile {
        TextFile { name: "test.yaml".to_owned(), path: None, text: text.to_owned() }
    }

    /// What each object in `text` is called.
    fn objects(text: &str) -> Vec<String> {
        let files = [file(text)];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        assert_eq!(collection.unreadable, []);
        collection.manifests.iter().map(|manifest| manifest.id.to_string()).collect()
    }

    #[test]
    fn takes_documents_apart_and_numbers_them() {
        let files = [file(
            "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n# nothing\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: b}\n",
        )];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let places: Vec<_> = collection
            .manifests
            .iter()
            .map(|manifest| (manifest.id.name.as_str(), manifest.source.document, manifest.source.line))
            .collect();
        assert_eq!(places, [("a", 0, 1), ("b", 2, 7)]);
        assert_eq!(collection.left_out.iter().map(|document| document.reason).collect::<Vec<_>>(), [Reason::Empty]);
    }

    #[test]
    fn unpacks_lists_and_names_the_kind_of_their_items() {
        let list = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Pod, metadata: {name: a}}
- apiVersion: apps/v1
  kind: DeploymentList
  items:
  - metadata: {name: b, namespace: media}
- text
";
        assert_eq!(objects(list), ["Pod default/a", "Deployment media/b"]);
    }

    #[test]
    fn stops_unpacking_lists_at_a_depth() {
        let mut list = "{apiVersion: v1, kind: Pod, metadata: {name: a}}".to_owned();
        for _ in 0..=MAX_LIST_DEPTH {
            list = format!("{{apiVersion: v1, kind: List, metadata: {{}}, items: [{list}]}}");
        }
        let files = [file(&list)];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        assert!(collection.manifests.is_empty());
        let messages: Vec<_> = collection.unreadable.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(messages, ["more than 8 lists of objects are nested in each other"]);
    }

    #[test]
    fn reads_json() {
        assert_eq!(
            objects("{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n\t\"metadata\": {\"name\": \"a\"}}"),
            ["Pod default/a"]
        );
    }

    #[test]
    fn fills_in_the_namespace_of_namespaced_objects() {
        let files = [file(
            "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: b}}\n",
        )];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "media");
        let namespaces: Vec<_> =
            collection.manifests.iter().map(|manifest| manifest.object.at(&["metadata", "namespace"])).collect();
        assert_eq!(namespaces, [Some(Value::String("media")), None]);
        let written: Vec<_> = collection.manifests.iter().map(|m| m.written.at(&["metadata", "namespace"])).collect();
        assert_eq!(written, [None, None]);
    }

    #[test]
    fn names_objects_whose_names_will_be_generated() {
        assert_eq!(
            objects("{apiVersion: batch/v1, kind: Job, metadata: {generateName: scan-}}"),
            ["Job default/scan-*"]
        );
    }

    #[test]
    fn takes_scope_and_plural_from_definitions_anywhere_in_the_input() {
        let text = "
{apiVersion: pets.io/v1, kind: Mouse, metadata: {name: jerry}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: mice.pets.io}
spec: {group: pets.io, scope: Cluster, names: {kind: Mouse, plural: mice}}
";
        assert_eq!(objects(text), ["Mouse jerry", "CustomResourceDefinition mice.pets.io"]);
    }

    #[test]
    fn knows_the_namespaces_in_the_input() {
        let files = [file("{apiVersion: v1, kind: Namespace, metadata: {name: media, labels: {team: home}}}")];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let media = collection.namespaces.namespace(&arena, "media").expect("no cluster");
        let team = media.and_then(|namespace| namespace.at(&["metadata", "labels", "team"]));
        assert_eq!(team, Some(Value::String("home")));
        assert_eq!(collection.namespaces.namespace(&arena, "other"), Ok(None));
    }

    /// What becomes of each document of a file, or of standard input where `name` is `-`.
    fn outcomes(name: &str, text: &str) -> Vec<String> {
        let path = (name != "-").then(|| name.into());
        let files = [TextFile { name: name.to_owned(), path, text: text.to_owned() }];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let found = collection.manifests.iter().map(|found| (found.source.document, found.id.name.clone()));
        let left = collection.left_out.iter().map(|left| (left.source.document, format!("{:?}", left.reason)));
        let broken = collection.unreadable.iter().map(|broken| (broken.source.document, "unreadable".to_owned()));
        let mut outcomes: Vec<_> = found.chain(left).chain(broken).collect();
        outcomes.sort();
        outcomes.into_iter().map(|(_, outcome)| outcome).collect()
    }

    const POD: &str = "{apiVersion: v1, kind: Pod, metadata: {name: a}}";

    #[test]
    fn what_cannot_be_read_is_an_error_and_the_next_documents_are_judged() {
        for broken in [
            "a: [1",
            "# {{ .Values.a }}\na: [1",
            "a: \"{{ .Values.a }}\"\na: [1",
            "a: |\n  {{ .Values.a }}\nb: [1",
            "metadata: {labels: {{}}}",
            "a: {t: \"{{ x }}\"",
        ] {
            for name in ["a.yaml", "-"] {
                let text = format!("{POD}\n---\n{broken}\n---\n{POD}\n");
                assert_eq!(outcomes(name, &text), ["a", "unreadable", "a"], "{name} {broken}");
            }
        }
    }

    #[test]
    fn a_template_costs_itself_alone_and_is_none_on_standard_input() {
        for template in ["a: {{ .Values.a }}\nb: [", "{{- if .Values.a }}\nkind: Pod\n{{- end }}"] {
            let text = format!("{POD}\n---\n{template}\n---\n{POD}\n");
            assert_eq!(outcomes("a.yaml", &text), ["a", "HelmTemplate", "a"], "{template}");
            assert_eq!(outcomes("-", &text), ["a", "unreadable", "a"], "{template}");
        }
    }

    #[test]
    fn a_patch_that_cannot_be_read_is_an_error() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir(dir.path().join(".git"))?;
        std::fs::write(dir.path().join("kustomization.yaml"), "patches: [{path: patch.yaml}]")?;
        let name = dir.path().join("patch.yaml").to_string_lossy().into_owned();
        assert_eq!(outcomes(&name, &format!("{POD}\n---\na: [\n")), ["KustomizePatch", "unreadable"]);
        Ok(())
    }

    #[test]
    fn a_list_without_items_holds_nothing() {
        for list in [
            "{apiVersion: v1, kind: List, items: []}",
            "{apiVersion: v1, kind: List, metadata: {}}",
            "{apiVersion: apps/v1, kind: DeploymentList, metadata: {}, items: null}",
        ] {
            assert!(outcomes("-", list).is_empty(), "{list}");
        }
        assert_eq!(outcomes("-", "{apiVersion: pets.io/v1, kind: AllowList, metadata: {name: a}}"), ["a"]);
    }

    #[test]
    fn standard_input_names_documents_as_helm_does() {
        let text = format!(
            "---\n# Source: app/templates/a.yaml\n{POD}\n---\n# Source: app/templates/b.yaml\na: [\n---\n{POD}\n"
        );
        let files = [TextFile { name: "-".to_owned(), path: None, text }];
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let names: Vec<_> = collection.manifests.iter().map(|manifest| manifest.source.file.as_str()).collect();
        assert_eq!(names, ["app/templates/a.yaml", "-"]);
        assert_eq!(
            collection.unreadable.first().map(|broken| broken.source.file.as_str()),
            Some("app/templates/b.yaml")
        );
    }

    #[test]
    fn a_target_namespace_of_flux_replaces_what_is_written() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        let text = "{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: written}}";
        let flux = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: app}, \
                    spec: {path: ./app, targetNamespace: target}}";
        let mut files = Vec::new();
        for (name, text) in [("app/pod.yaml", text), ("flux/app.yaml", flux)] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            std::fs::write(&path, text)?;
            files.push(TextFile { name: name.to_owned(), path: Some(path), text: text.to_owned() });
        }
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        let pod = collection.manifests.iter().find(|manifest| manifest.id.kind == "Pod").expect("a pod");
        assert_eq!(pod.id.namespace, "target");
        assert_eq!(pod.object.at(&["metadata", "namespace"]), Some(Value::String("target")));
        Ok(())
    }
}
