//! Files and streams in, documents out: the only reader of manifests, policies, params and suites.
//!
//! Knows files, YAML and what lies in a checkout; knows nothing of policies' verdicts, clusters and the command line.

mod argocd;
mod classify;
mod documents;
mod files;
mod flux;
mod kustomize;
pub mod render;
mod templates;

pub use classify::Reason;
pub use documents::{Collection, LeftOut, Manifest, ObjectId, Unbuilt, Unreadable, collect, collect_built};
pub use files::{
    Checkout, Exclusions, IGNORE_FILE, MAX_FILE_SIZE, ReadError, TextFile, display_name, find_suites, read,
    read_checkout, read_manifest, read_manifests,
};
pub use kustomize::Change;
