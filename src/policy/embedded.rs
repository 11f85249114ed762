//! The bundle of policies that the binary carries.

use std::borrow::Cow;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};

use crate::json::Arena;

use super::manifest::Manifest;
use super::spec::PolicyType;

static BUNDLE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// What the names of embedded manifests begin with.
pub const PREFIX: &str = "embedded:";

/// What stands between the documents of a shipped file.
const DOCUMENT_START: &str = "\n---\n";
/// What the kinds of bindings have in common.
const BINDING: &str = "PolicyBinding";

/// One policy of the bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// The folder that it lies in: `pod-security`, `images`…
    pub category: &'static str,
    /// Its own folder: its name.
    pub name: &'static str,
    /// `policy.yaml`: policy, default binding, default params.
    pub policy: &'static str,
    /// `tests.yaml`, its suite; empty if there is none.
    pub tests: &'static str,
    /// `README.md`; empty if there is none.
    pub readme: &'static str,
}

/// The bundle, sorted by category and name.
pub fn embedded() -> Vec<Embedded> {
    // That the files are text is found out once.
    static ALL: LazyLock<Vec<Embedded>> = LazyLock::new(|| {
        let mut all: Vec<_> = BUNDLE.dirs().flat_map(|category| category.dirs()).filter_map(entry).collect();
        all.sort_by_key(|entry| (entry.category, entry.name));
        all
    });
    ALL.clone()
}

/// A binding that a policy of the bundle ships with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShippedBinding {
    /// Its name.
    pub name: String,
    /// Whether it binds a mutating policy, so that it has no actions.
    pub mutates: bool,
}

/// The profiles of the bundle with their names, sorted.
pub fn profiles() -> Vec<(&'static str, Manifest)> {
    let files = BUNDLE.get_dir("profiles").map(|folder| folder.files()).into_iter().flatten();
    let profile = |file: &'static include_dir::File<'static>| {
        let name = file.path().file_stem()?.to_str()?;
        let text = Cow::Borrowed(file.contents_utf8()?);
        Some((name, Manifest { file: format!("{PREFIX}profiles/{name}.yaml"), text }))
    };
    let mut profiles: Vec<_> = files.filter_map(profile).collect();
    profiles.sort_by_key(|(name, _)| *name);
    profiles
}

impl Embedded {
    /// The bindings that it ships with, in their order.
    pub fn bindings(&self) -> Vec<ShippedBinding> {
        // The policy itself is by far the longest document of its file, and is read when it is loaded.
        let documents = self.policy.split(DOCUMENT_START).filter(|text| text.contains(BINDING));
        documents.flat_map(bindings_in).collect()
    }

    /// The manifest to load.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            file: format!("{PREFIX}{}/{}/policy.yaml", self.category, self.name),
            text: Cow::Borrowed(self.policy),
        }
    }
}

fn bindings_in(text: &'static str) -> Vec<ShippedBinding> {
    let (manifest, arena) = (Manifest { file: String::new(), text: Cow::Borrowed(text) }, Arena::new());
    let documents = manifest.objects(&arena, &mut Vec::new());
    let binding = |kind: &str, name: &str| {
        let policy_type =
            [PolicyType::Validating, PolicyType::Mutating].into_iter().find(|of| of.binding_kind() == kind)?;
        Some(ShippedBinding { name: name.to_owned(), mutates: policy_type == PolicyType::Mutating })
    };
    let bindings =
        documents.iter().filter_map(|found| binding(found.text(&["kind"]), found.text(&["metadata", "name"])));
    bindings.collect()
}

fn entry(folder: &'static Dir<'static>) -> Option<Embedded> {
    let text = |name| {
        let file = folder.get_file(folder.path().join(name));
        file.and_then(|file| file.contents_utf8()).unwrap_or_default()
    };
    let component = |path: Option<&'static std::path::Path>| path?.file_name()?.to_str();
    let policy = text("policy.yaml");
    (!policy.is_empty()).then_some(Embedded {
        category: component(folder.path().parent())?,
        name: component(Some(folder.path()))?,
        policy,
        tests: text("tests.yaml"),
        readme: text("README.md"),
    })
}
