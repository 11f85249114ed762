//! A whole input in memory: every manifest of some texts, and of what was built of them.

use crate::json::yaml;
use crate::json::{Arena, Value};
use crate::policy::model::Source;

use super::classify;
use super::files::TextFile;
use super::known::{Definitions, Known};
use super::kustomize::{Change, Kustomizations};
use super::list::list_items;
use super::manifest::{LeftOut, Manifest, Unreadable};
use super::render::{Built, Origins, Output};
use super::sorter::{Found, MAX_LIST_DEPTH, Sorter};

/// What was found among the texts.
#[derive(Debug, Default)]
pub struct Collection<'a> {
    /// The objects to judge, in input order.
    pub manifests: Vec<Manifest<'a>>,
    /// The documents that are none.
    pub left_out: Vec<LeftOut>,
    /// The documents that are not YAML.
    pub unreadable: Vec<Unreadable>,
    /// What had to be seen before any object can be judged.
    pub known: Known,
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
    let kustomizations = Kustomizations::around(files.iter().filter_map(TextFile::called));
    let mut sorter = Sorter::new(arena, &kustomizations);
    for file in files.iter().filter(|file| built.is_none_or(|built| !built.covers(file))) {
        sorter.file(file.origin(), &file.text);
    }
    if let Some(built) = built {
        let mut origins = Origins::new(arena, files);
        built.outputs.iter().for_each(|output| output_of(output, arena, &mut origins, &mut sorter));
        sorter.unreadable.extend(built.failures.iter().cloned());
    }
    let Sorter { found, left_out, mut unreadable, .. } = sorter;
    let mut definitions = Definitions::default();
    found.iter().for_each(|found| definitions.learn(found.value, found.path));
    let mut known = Known::new(kustomizations, definitions, default_namespace);
    let manifests: Vec<_> = found.iter().flat_map(|found| known.manifests(arena, found, &mut unreadable)).collect();
    manifests.iter().for_each(|manifest| known.remember(manifest));
    let unbuilt = if built.is_some() { Vec::new() } else { known.unbuilt() };
    unreadable.extend(known.problems());
    Collection { manifests, left_out, unreadable, known, unbuilt }
}

/// Sorts the objects of a kustomization or chart that was built.
fn output_of<'a>(output: &'a Output, arena: &'a Arena, origins: &mut Origins<'a>, sorter: &mut Sorter<'a, '_>) {
    for (document, parsed) in yaml::documents(arena, &output.text).into_iter().enumerate() {
        match parsed {
            Ok(parsed) => built_value((parsed.value, parsed.line, 0), output, arena, origins, sorter),
            Err(error) => {
                let source = Source { file: output.name.clone(), document, line: 1 };
                let message =
                    format!("line {} of what it is built to is not valid YAML: {}", error.line, error.message);
                sorter.unreadable.push(Unreadable { source, message });
            }
        }
    }
}

/// Sorts a value of the output, given with its line and how many lists deep it stands.
fn built_value<'a>(
    (value, line, depth): (Value<'a>, usize, usize),
    output: &'a Output,
    arena: &'a Arena,
    origins: &mut Origins<'a>,
    sorter: &mut Sorter<'a, '_>,
) {
    if let Some(list) = list_items(value).filter(|_| depth < MAX_LIST_DEPTH) {
        for item in list.elements {
            built_value((list.typed(arena, *item), line, depth + 1), output, arena, origins, sorter);
        }
        return;
    }
    if value.is_null() {
        return;
    }
    let Some(place) = origins.place(value, line, output) else { return };
    match classify::left_out(value, None) {
        Some(reason) => sorter.left_out.push(LeftOut { source: place.source, reason }),
        None => sorter.found.push(Found {
            value,
            written: place.written,
            built_by: Some(&output.name),
            source: place.source,
            path: place.file.path.as_deref(),
            lines: place.lines,
        }),
    }
}

#[cfg(test)]
#[path = "documents_tests.rs"]
mod tests;
