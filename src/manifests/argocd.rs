//! What Argo CD does to a checkout's objects: an Application gives its namespace to those of its path that have none.
//!
//! Applications are followed, and ApplicationSets whose templates take values of lists, of directories in Git and of
//! both (matrix). Whether an Application's repository is this one nobody knows here; its path has to be there.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::admission::resources::split_api_version;
use crate::json::Value;
use crate::policy::Glob;

use super::flux::directory_of;
use super::kustomize::{Kustomizations, ancestors, real};

/// The most Applications that are made of one ApplicationSet.
const MAX_APPLICATIONS: usize = 1_000;

/// The namespaces of Applications among the input.
#[derive(Debug, Default)]
pub struct Destinations {
    /// By the directory whose objects they are for.
    directories: BTreeMap<PathBuf, Destination>,
    generated: Vec<Generated>,
    /// By the files that kustomizations of such directories take.
    files: HashMap<PathBuf, String>,
}

#[derive(Debug)]
struct Destination {
    namespace: String,
    /// Whether directories below count where Argo CD applies files as they are.
    recurses: bool,
}

/// Applications of the directories below `root` that a generator finds, with `suffix` behind each; the namespace may
/// still have placeholders for their names.
#[derive(Debug)]
struct Generated {
    root: PathBuf,
    generator: Git,
    suffix: String,
    destination: Destination,
}

/// A generator that finds directories in Git.
#[derive(Clone, Debug, Default)]
struct Git {
    included: Vec<String>,
    excluded: Vec<String>,
}

/// What a generator has for an Application.
#[derive(Clone, Debug, Default)]
struct Choice {
    values: BTreeMap<String, String>,
    git: Option<Git>,
}

impl Destinations {
    /// Learns from `object`, read from `file`, if it is an Application or an ApplicationSet.
    pub fn learn(&mut self, object: Value<'_>, file: &Path) {
        match kind(object) {
            Some("Application") => {
                if let Some(spec) = object.get("spec") {
                    self.application(spec, &Choice::default(), file);
                }
            }
            Some("ApplicationSet") => {
                let Some(spec) = object.at(&["spec", "template", "spec"]) else { return };
                for choice in choices(elements(object, &["spec", "generators"])) {
                    self.application(spec, &choice, file);
                }
            }
            _ => {}
        }
    }

    /// Finds out which files the kustomizations take, once everything is learnt.
    pub fn follow(&mut self, kustomizations: &Kustomizations) {
        let mut kustomized: Vec<_> =
            self.directories.iter().filter(|(directory, _)| kustomizations.has(directory)).collect();
        // Of two that take a file the nearer one counts.
        kustomized.sort_by_key(|(directory, _)| directory.components().count());
        for (directory, destination) in kustomized {
            for file in kustomizations.files(directory) {
                self.files.insert(file.clone(), destination.namespace.clone());
            }
        }
    }

    /// The namespace that the objects of `file` get which have none: that of the nearest directory.
    pub fn of(&self, file: &Path, kustomizations: &Kustomizations) -> Option<String> {
        if self.directories.is_empty() && self.generated.is_empty() {
            return None;
        }
        let file = real(file)?;
        if let Some(namespace) = self.files.get(&file) {
            return Some(namespace.clone());
        }
        file.ancestors().skip(1).find_map(|directory| {
            let is_kustomized = kustomizations.has(directory);
            let takes = |of: &Destination| match is_kustomized {
                true => kustomizations.takes(directory, &file),
                false => of.recurses || file.parent() == Some(directory),
            };
            if let Some(known) = self.directories.get(directory).filter(|known| !is_kustomized && takes(known)) {
                return Some(known.namespace.clone());
            }
            let generated = self.generated.iter().filter(|generated| takes(&generated.destination));
            generated.filter_map(|generated| generated.namespace(directory)).next()
        })
    }

    fn application(&mut self, spec: Value<'_>, choice: &Choice, file: &Path) {
        let namespace = filled(text(spec, &["destination", "namespace"]), &choice.values);
        if namespace.is_empty() {
            return;
        }
        let one = spec.get("source").filter(|source| !source.is_null());
        for source in one.into_iter().chain(elements(spec, &["sources"]).iter().copied()) {
            let path = filled(text(source, &["path"]), &choice.values);
            let recurses = source.at(&["directory", "recurse"]).and_then(|recurse| recurse.as_bool()) == Some(true);
            let destination = Destination { namespace: namespace.clone(), recurses };
            let is_open = path.contains("{{");
            match &choice.git {
                Some(git) if is_open => self.generated.extend(found(&path, git, destination, file)),
                _ if path.is_empty() || is_open || namespace.contains("{{") => {}
                _ => {
                    let directory = directory_of(&path, file).filter(|directory| directory.is_dir());
                    if let Some(directory) = directory {
                        self.directories.entry(directory).or_insert(destination);
                    }
                }
            }
        }
    }
}

/// Whether `object` is one that objects get their namespace by.
pub fn is_application(object: Value<'_>) -> bool {
    matches!(kind(object), Some("Application" | "ApplicationSet"))
}

/// The kind of an object of Argo CD.
fn kind(object: Value<'_>) -> Option<&str> {
    let (group, _) = split_api_version(text(object, &["apiVersion"]));
    (group == "argoproj.io").then(|| text(object, &["kind"]))
}

impl Generated {
    /// The namespace of the Application for a directory, if there is one.
    fn namespace(&self, directory: &Path) -> Option<String> {
        let below = directory.strip_prefix(&self.root).ok()?.to_str()?;
        let found = below.strip_suffix(self.suffix.as_str()).filter(|found| self.generator.finds(found))?;
        let namespace = filled(&self.destination.namespace, &values_of(found));
        (!namespace.contains("{{")).then_some(namespace)
    }
}

impl Git {
    fn finds(&self, path: &str) -> bool {
        let is_among = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, path));
        is_among(&self.included) && !is_among(&self.excluded)
    }
}

/// The Applications of a template whose path is `{{path}}` with something behind it.
fn found(path: &str, git: &Git, destination: Destination, file: &Path) -> Option<Generated> {
    let (placeholder, suffix) = path.strip_prefix("{{")?.split_once("}}")?;
    let is_whole = matches!(placeholder.trim(), "path" | ".path.path" | ".path");
    if !is_whole || suffix.contains("{{") {
        return None;
    }
    let root = ancestors(&real(file)?).last()?.to_owned();
    Some(Generated { root, generator: git.clone(), suffix: suffix.trim_end_matches('/').to_owned(), destination })
}

/// What the generators of an ApplicationSet have, those of a matrix combined.
fn choices(generators: &[Value<'_>]) -> Vec<Choice> {
    let mut choices = Vec::new();
    for generator in generators {
        if let Some(matrix) = generator.get("matrix") {
            let mut combined = vec![Choice::default()];
            for part in elements(matrix, &["generators"]) {
                let parts = self::choices(std::slice::from_ref(part));
                combined = combined
                    .iter()
                    .flat_map(|left| parts.iter().map(|right| left.with(right)))
                    .take(MAX_APPLICATIONS)
                    .collect();
            }
            choices.extend(combined);
        } else if generator.get("list").is_some() {
            choices.extend(elements(*generator, &["list", "elements"]).iter().map(|element| Choice::of(*element)));
        } else if let Some(directories) = generator.at(&["git", "directories"]).and_then(|list| list.as_array()) {
            let mut git = Git::default();
            for directory in directories {
                let excludes = directory.get("exclude").and_then(|exclude| exclude.as_bool()) == Some(true);
                let patterns = if excludes { &mut git.excluded } else { &mut git.included };
                patterns.push(text(*directory, &["path"]).trim_matches('/').to_owned());
            }
            choices.push(Choice { git: Some(git), ..Choice::default() });
        } else {
            // Clusters, pull requests and the like: what they know, nobody knows here.
            choices.push(Choice::default());
        }
    }
    choices.truncate(MAX_APPLICATIONS);
    choices
}

impl Choice {
    fn of(element: Value<'_>) -> Self {
        let members = element.as_object().map(|object| object.members()).unwrap_or_default();
        let value = |(key, value): &(&str, Value<'_>)| Some(((*key).to_owned(), value.as_str()?.to_owned()));
        Self { values: members.iter().filter_map(value).collect(), git: None }
    }

    fn with(&self, other: &Self) -> Self {
        let values = self.values.iter().chain(&other.values).map(|(key, value)| (key.clone(), value.clone()));
        Self { values: values.collect(), git: self.git.clone().or_else(|| other.git.clone()) }
    }
}

/// What templates may say of a directory that was found.
fn values_of(path: &str) -> BTreeMap<String, String> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let normalized: String = name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let mut values = BTreeMap::from([
        ("path".to_owned(), path.to_owned()),
        ("path.path".to_owned(), path.to_owned()),
        ("path.basename".to_owned(), name.to_owned()),
        ("path.basenameNormalized".to_owned(), normalized),
    ]);
    for (at, segment) in path.split('/').enumerate() {
        values.insert(format!("path[{at}]"), segment.to_owned());
        values.insert(format!("index .path.segments {at}"), segment.to_owned());
    }
    values
}

/// A template with its placeholders filled; those without a value stay.
fn filled(template: &str, values: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.push_str(before);
        let Some((placeholder, behind)) = after.split_once("}}") else {
            rest = &rest[before.len()..];
            break;
        };
        let name = placeholder.trim();
        match values.get(name.strip_prefix('.').unwrap_or(name)) {
            Some(value) => filled.push_str(value),
            None => filled.push_str(&format!("{{{{{placeholder}}}}}")),
        }
        rest = behind;
    }
    filled + rest
}

/// Whether a path matches a pattern, in which `*` and `?` stand for what is within one segment, and `**` for any segments.
fn matches(pattern: &str, path: &str) -> bool {
    let segments: Vec<&str> = path.split('/').collect();
    // How many segments what is read of the pattern may stand for.
    let mut taken = vec![false; segments.len() + 1];
    taken[0] = true;
    for part in pattern.split('/') {
        let mut next = vec![false; taken.len()];
        match part {
            "**" => {
                let least = taken.iter().position(|is_taken| *is_taken).unwrap_or(taken.len());
                next.iter_mut().skip(least).for_each(|is_taken| *is_taken = true);
            }
            _ => {
                let glob = Glob::new(part);
                for (at, segment) in segments.iter().enumerate() {
                    next[at + 1] = taken[at] && glob.matches(segment);
                }
            }
        }
        taken = next;
    }
    taken.last() == Some(&true)
}

fn elements<'v>(value: Value<'v>, path: &[&str]) -> &'v [Value<'v>] {
    value.at(path).and_then(|value| value.as_array()).unwrap_or_default()
}

fn text<'v>(value: Value<'v>, path: &[&str]) -> &'v str {
    value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::json::{Arena, yaml};
    use crate::manifests::{TextFile, read};

    /// The namespaces of files in a checkout with these files, given what is in `apps.yaml`.
    fn namespaces(files: &[&str], apps: &str, wanted: &[&str]) -> io::Result<Vec<Option<String>>> {
        let dir = tempfile::tempdir()?;
        for name in [".git/config", "apps.yaml"].iter().chain(files).chain(wanted) {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(&path))?;
            let text = if name.ends_with("kustomization.yaml") { "resources: [a.yaml]" } else { "" };
            std::fs::write(&path, text)?;
        }
        let mut destinations = Destinations::default();
        let arena = Arena::new();
        for document in yaml::documents(&arena, apps).into_iter().flatten() {
            destinations.learn(document.value, &dir.path().join("apps.yaml"));
        }
        let (found, _) = read(&[dir.path().to_owned()], &mut io::empty());
        let seen = Kustomizations::around(found.iter().filter_map(TextFile::called));
        destinations.follow(&seen);
        Ok(wanted.iter().map(|file| destinations.of(&dir.path().join(file), &seen)).collect())
    }

    fn named(name: &str) -> Option<String> {
        Some(name.to_owned())
    }

    fn application(source: &str, namespace: &str) -> String {
        format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: Application, spec: {{{source}, destination: {{namespace: {namespace}}}}}}}\n---\n"
        )
    }

    /// An ApplicationSet whose template has this path and namespace.
    fn set(generators: &str, path: &str, namespace: &str) -> String {
        format!(
            "{{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, spec: {{generators: [{generators}], template: {{spec: \
             {{source: {{path: {path:?}}}, destination: {{namespace: {namespace:?}}}}}}}}}}}\n---\n"
        )
    }

    #[test]
    fn an_application_gives_its_namespace_to_the_files_of_its_path() -> io::Result<()> {
        let apps = application("source: {path: media}", "media")
            + &application("sources: [{repoURL: a, ref: values}, {path: ./media/inner/}]", "inner")
            + &application("source: {path: whole, directory: {recurse: true}}", "whole")
            + &application("source: {path: kustomized}", "kustomized")
            + &application("source: {path: gone}", "gone")
            + &application("source: {chart: redis}", "charts")
            + &application("source: {path: nowhere}", "''");
        let files = ["kustomized/kustomization.yaml", "nowhere/x.yaml"];
        let wanted = [
            ("media/a.yaml", named("media")),
            ("media/inner/a.yaml", named("inner")),
            ("media/other/a.yaml", None),
            ("whole/a/b/c.yaml", named("whole")),
            ("kustomized/a.yaml", named("kustomized")),
            ("kustomized/unlisted.yaml", None),
            ("nowhere/a.yaml", None),
            ("a.yaml", None),
        ];
        let found = namespaces(&files, &apps, &wanted.each_ref().map(|(file, _)| *file))?;
        assert_eq!(found, wanted.map(|(_, namespace)| namespace));
        Ok(())
    }

    #[test]
    fn an_application_set_gives_what_its_generators_have() -> io::Result<()> {
        let list = "{list: {elements: [{name: one, folder: lists/a}, {name: two, folder: lists/b}]}}";
        let git = "{git: {directories: [{path: 'apps/*'}, {path: apps/old, exclude: true}]}}";
        let deep = "{git: {directories: [{path: 'deep/**'}]}}";
        let matrix = format!(
            "{{matrix: {{generators: [{{list: {{elements: [{{stage: prod}}]}}}}, {}]}}}}",
            git.replace("apps/", "staged/")
        );
        for (generators, path, namespace, file, expected) in [
            (list, "{{folder}}", "{{name}}", "lists/b/a.yaml", named("two")),
            (list, "{{ .folder }}", "app-{{ .name }}", "lists/a/a.yaml", named("app-one")),
            (list, "lists/a", "media", "lists/a/a.yaml", named("media")),
            (list, "{{folder}}", "{{unknown}}", "lists/a/a.yaml", None),
            (git, "{{path}}", "{{path.basename}}", "apps/jellyfin/a.yaml", named("jellyfin")),
            (git, "{{.path.path}}", "{{.path.basename}}", "apps/jellyfin/a.yaml", named("jellyfin")),
            (git, "{{path}}", "{{path.basenameNormalized}}", "apps/a_b/a.yaml", named("a-b")),
            (git, "{{path}}", "{{path[0]}}", "apps/jellyfin/a.yaml", named("apps")),
            (git, "{{.path.path}}", "{{index .path.segments 1}}", "apps/x/a.yaml", named("x")),
            (git, "{{path}}/prod", "{{path.basename}}", "apps/x/prod/a.yaml", named("x")),
            (git, "{{path}}", "fixed", "apps/x/a.yaml", named("fixed")),
            (git, "{{path}}", "{{path.basename}}", "apps/old/a.yaml", None),
            (git, "{{path}}", "{{path.basename}}", "apps/x/below/a.yaml", None),
            (git, "other/{{path.basename}}", "{{path.basename}}", "other/x/a.yaml", None),
            (deep, "{{path}}", "{{path.basename}}", "deep/a/b/x.yaml", named("b")),
            (&matrix, "{{path}}", "{{path.basename}}-{{stage}}", "staged/x/a.yaml", named("x-prod")),
            ("{clusters: {}}", "fixed", "media", "fixed/a.yaml", named("media")),
            ("{clusters: {}}", "fixed", "{{name}}", "fixed/a.yaml", None),
        ] {
            let found = namespaces(&[], &set(generators, path, namespace), &[file])?;
            assert_eq!(found, [expected], "{generators} {path} {namespace} {file}");
        }
        Ok(())
    }

    #[test]
    fn a_template_that_does_not_end_stays_as_it_is() {
        let values = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        for (template, expected) in
            [("{{a}}-{{ .a }}", "1-1"), ("{{a", "{{a"), ("x{{b}}{{a}}", "x{{b}}1"), ("", ""), ("}}{{a}}", "}}1")]
        {
            assert_eq!(filled(template, &values), expected, "{template}");
        }
    }

    #[test]
    fn no_more_applications_are_made_than_the_limit() {
        let arena = Arena::new();
        let element = "{a: b}, ".repeat(40);
        let list = format!("{{list: {{elements: [{element}]}}}}");
        let text = format!("[{{matrix: {{generators: [{list}, {list}]}}}}]");
        let document = yaml::documents(&arena, &text).into_iter().flatten().next().map(|found| found.value);
        let generators = document.and_then(|value| value.as_array()).unwrap_or_default();
        assert_eq!(choices(generators).len(), MAX_APPLICATIONS);
    }
}
