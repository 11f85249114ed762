//! The bundle of policies that the binary carries.

use std::borrow::Cow;

use include_dir::{Dir, include_dir};

use super::manifest::Manifest;

static BUNDLE: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/policies");

/// What the names of embedded manifests begin with.
pub const PREFIX: &str = "embedded:";

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
    let mut all: Vec<_> = BUNDLE.dirs().flat_map(|category| category.dirs()).filter_map(entry).collect();
    all.sort_by_key(|entry| (entry.category, entry.name));
    all
}

impl Embedded {
    /// The manifest to load.
    pub fn manifest(&self) -> Manifest {
        Manifest {
            file: format!("{PREFIX}{}/{}/policy.yaml", self.category, self.name),
            text: Cow::Borrowed(self.policy),
        }
    }
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
