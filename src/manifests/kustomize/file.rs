//! One kustomization file: what it refers to, the namespace that it sets, and what else it does to objects.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::json::{Arena, Value, yaml};
use crate::regular_file;

use super::paths::real;

/// The largest kustomization that is read, in bytes.
pub const MAX_SIZE: u64 = 1 << 20;

/// The names that kustomize looks for in a directory.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Whether kustomize looks for files of this name.
pub fn is_name(name: &OsStr) -> bool {
    NAMES.iter().any(|known| name == *known)
}

/// What a kustomization says.
#[derive(Clone, Debug, Default)]
pub struct Kustomization {
    /// Its file.
    pub path: PathBuf,
    /// Whether it is a component, which is no build of its own.
    pub is_component: bool,
    /// The namespace that it sets.
    pub namespace: Option<String>,
    /// The files and directories whose objects it takes.
    pub resources: Vec<PathBuf>,
    /// The directories of the components that it applies to them.
    pub components: Vec<PathBuf>,
    /// The files that are patches.
    pub patches: Vec<PathBuf>,
    /// What it does to objects besides.
    pub changes: Vec<Change>,
    /// What it refers to on other machines.
    pub remote: Vec<String>,
    /// The ConfigMaps and Secrets that it generates, by the names that others refer to them by; none if plugins generate,
    /// too, whose names nobody knows.
    pub generated: Vec<String>,
}

/// Something that a kustomization does, and an audit of its files doesn't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Patches of either kind.
    Patches,
    /// Other names, tags or digests of images.
    Images,
    /// ConfigMaps, Secrets and what generators make.
    Generators,
    /// Helm charts, inflated.
    HelmCharts,
    /// Numbers of replicas.
    Replicas,
    /// Values that are copied from one field to another.
    Replacements,
    /// Prefixes and suffixes of names.
    Names,
    /// Labels and annotations.
    Labels,
    /// Transformers and their configuration.
    Transformers,
    /// Resources that would have to be fetched.
    Remote,
}

/// The fields of a kustomization that make each change.
const CHANGES: &[(Change, &[&str])] = &[
    (Change::Patches, &["patches", "patchesStrategicMerge", "patchesJson6902"]),
    (Change::Images, &["images", "imageTags"]),
    (Change::Generators, &["configMapGenerator", "secretGenerator", "generators"]),
    (Change::HelmCharts, &["helmCharts", "helmChartInflationGenerator"]),
    (Change::Replicas, &["replicas"]),
    (Change::Replacements, &["replacements", "vars"]),
    (Change::Names, &["namePrefix", "nameSuffix"]),
    (Change::Labels, &["labels", "commonLabels", "commonAnnotations"]),
    (Change::Transformers, &["transformers", "configurations"]),
];

/// The fields that hold the names of files, directories and what kustomize would fetch.
const REFERENCES: &[&str] = &[
    "resources",
    "bases",
    "components",
    "crds",
    "configurations",
    "generators",
    "transformers",
    "validators",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "replacements",
    "openapi",
    "configMapGenerator",
    "secretGenerator",
];

impl Change {
    /// The change as JSON spells it: the kustomization's field, where there is one.
    pub fn name(self) -> &'static str {
        match self {
            Change::Patches => "patches",
            Change::Images => "images",
            Change::Generators => "generators",
            Change::HelmCharts => "helmCharts",
            Change::Replicas => "replicas",
            Change::Replacements => "replacements",
            Change::Names => "names",
            Change::Labels => "labels",
            Change::Transformers => "transformers",
            Change::Remote => "remote",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Change::Patches => "patches objects",
            Change::Images => "replaces images",
            Change::Generators => "generates objects",
            Change::HelmCharts => "inflates Helm charts",
            Change::Replicas => "sets replicas",
            Change::Replacements => "replaces values",
            Change::Names => "renames objects",
            Change::Labels => "adds labels or annotations",
            Change::Transformers => "transforms objects",
            Change::Remote => "takes resources from elsewhere",
        })
    }
}

/// The kustomization in `directory`, `None` if there is none, or none that can be parsed: that is reported where the
/// file itself is read.
///
/// # Errors
/// A kustomization that is too large.
pub fn read(directory: &Path) -> Result<Option<Kustomization>, (PathBuf, String)> {
    let Some(path) = NAMES.iter().map(|name| directory.join(name)).find(|path| path.is_file()) else {
        return Ok(None);
    };
    let mut text = String::new();
    let Ok(file) = regular_file::open(&path) else { return Ok(None) };
    match file.take(MAX_SIZE + 1).read_to_string(&mut text) {
        Ok(size) if size as u64 > MAX_SIZE => {
            return Err((path, format!("a kustomization larger than {} MiB; split it", MAX_SIZE >> 20)));
        }
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    let arena = Arena::new();
    let value = match yaml::documents(&arena, &text).into_iter().next() {
        Some(Ok(document)) => document.value,
        Some(Err(_)) => return Ok(None),
        None => Value::Null,
    };
    Ok(Some(Kustomization::of(value, directory, path)))
}

impl Kustomization {
    fn of(value: Value<'_>, directory: &Path, path: PathBuf) -> Self {
        let list = |key| value.get(key).and_then(|list| list.as_array()).unwrap_or_default().iter();
        let paths = |keys: &[&'static str]| -> Vec<PathBuf> {
            keys.iter()
                .flat_map(|key| list(key))
                .filter_map(|entry| entry.as_str().or_else(|| entry.get("path")?.as_str()))
                // A patch may stand in the list itself.
                .filter(|path| !path.contains('\n'))
                .filter_map(|path| real(&directory.join(path)))
                .collect()
        };
        let mut remote = Vec::new();
        for key in REFERENCES {
            collect_remote(value.get(key).unwrap_or(Value::Null), directory, &mut remote);
        }
        let mut changes: Vec<_> = CHANGES
            .iter()
            .filter(|(_, keys)| keys.iter().any(|key| is_given(value, key)))
            .map(|(does, _)| *does)
            .collect();
        if !remote.is_empty() {
            changes.push(Change::Remote);
        }
        let text = |key| value.get(key).and_then(|text| text.as_str()).filter(|text| !text.is_empty());
        let generators =
            if is_given(value, "generators") { &[][..] } else { &["configMapGenerator", "secretGenerator"] };
        let generated = generators.iter().flat_map(|key| list(key)).filter_map(|entry| entry.get("name")?.as_str());
        Self {
            path,
            is_component: text("kind") == Some("Component"),
            namespace: text("namespace").map(str::to_owned),
            resources: paths(&["resources", "bases"]),
            components: paths(&["components"]),
            patches: paths(&["patches", "patchesStrategicMerge", "patchesJson6902"]),
            changes,
            generated: generated.map(str::to_owned).collect(),
            remote,
        }
    }
}

fn is_given(value: Value<'_>, key: &str) -> bool {
    match value.get(key) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(elements)) => !elements.is_empty(),
        Some(Value::Object(object)) => !object.members().is_empty(),
        Some(_) => true,
    }
}

/// The texts in `value` that kustomize would take for an address, unless something is called so here.
fn collect_remote(value: Value<'_>, directory: &Path, found: &mut Vec<String>) {
    match value {
        Value::String(text) if is_address(text) && !directory.join(text).exists() => found.push(text.to_owned()),
        Value::Array(elements) => elements.iter().for_each(|element| collect_remote(*element, directory, found)),
        Value::Object(object) => {
            // Those hold no names of files.
            let inline = ["patch", "literals", "options", "target", "name"];
            let members = object.members().iter().filter(|(key, _)| !inline.contains(key));
            members.for_each(|(_, member)| collect_remote(*member, directory, found));
        }
        _ => {}
    }
}

fn is_address(text: &str) -> bool {
    let hosts = ["github.com/", "github.com:", "gitlab.com/", "bitbucket.org/"];
    !text.contains('\n')
        && (text.contains("://")
            || text.contains("git@")
            || text.contains("?ref=")
            || text.contains(".git/")
            || text.starts_with("git::")
            || hosts.iter().any(|host| text.starts_with(host)))
}

#[cfg(test)]
mod tests {
    use std::{fs, io};

    use super::*;

    fn read_text(text: &str) -> io::Result<Kustomization> {
        let dir = tempfile::tempdir()?;
        fs::write(dir.path().join("Kustomization"), text)?;
        read(dir.path()).map_err(|(_, problem)| io::Error::other(problem))?.ok_or(io::ErrorKind::InvalidData.into())
    }

    #[test]
    fn knows_what_a_kustomization_does_besides_setting_the_namespace() -> io::Result<()> {
        for (text, expected) in [
            ("namespace: a\nresources: [a.yaml]", &[][..]),
            ("patches: []\nimages: null\nnamePrefix: ''", &[]),
            ("patches: [{path: a.yaml}]", &[Change::Patches]),
            ("patchesStrategicMerge:\n- |\n  kind: https://a\n", &[Change::Patches]),
            ("images: [{name: a, newTag: '1'}]", &[Change::Images]),
            ("secretGenerator: [{name: a, literals: ['https://a=b']}]", &[Change::Generators]),
            ("secretGenerator: [{name: a, files: ['https://a/b']}]", &[Change::Generators, Change::Remote]),
            ("commonLabels: {home: 'https://a'}\nnamePrefix: a-", &[Change::Names, Change::Labels]),
            ("replicas: [{name: a, count: 2}]\nvars: [{name: A}]", &[Change::Replicas, Change::Replacements]),
            ("transformers: [a.yaml]\nhelmCharts: [{name: a}]", &[Change::HelmCharts, Change::Transformers]),
            ("resources: ['https://example.com/a.yaml']", &[Change::Remote]),
            ("resources: ['github.com/a/b//c?ref=v1']", &[Change::Remote]),
            ("bases: ['git@example.com:a/b']", &[Change::Remote]),
        ] {
            assert_eq!(read_text(text)?.changes, expected, "{text}");
        }
        Ok(())
    }

    #[test]
    fn knows_what_a_kustomization_generates() -> io::Result<()> {
        for (text, expected) in [
            ("configMapGenerator: [{name: a}, {literals: [x=y]}]\nsecretGenerator: [{name: b}]", &["a", "b"][..]),
            ("configMapGenerator: [{name: a}]\ngenerators: [plugin.yaml]", &[]),
            ("resources: [a.yaml]", &[]),
        ] {
            assert_eq!(read_text(text)?.generated, expected, "{text}");
        }
        Ok(())
    }

    #[test]
    fn reads_a_kustomization_up_to_its_limit() -> io::Result<()> {
        let text = "namespace: media\n#";
        let limit = usize::try_from(MAX_SIZE).unwrap_or(usize::MAX);
        let padding = "x".repeat(limit - text.len());
        assert_eq!(read_text(&format!("{text}{padding}"))?.namespace.as_deref(), Some("media"));
        let error = read_text(&format!("{text}{padding}x")).map(|_| ());
        assert!(error.is_err_and(|error| error.to_string() == "a kustomization larger than 1 MiB; split it"));
        Ok(())
    }

    #[test]
    fn nothing_is_read_where_nothing_can_be_parsed() -> io::Result<()> {
        assert!(read_text("namespace: [unclosed").is_err_and(|error| error.kind() == io::ErrorKind::InvalidData));
        Ok(())
    }
}
