//! Files and streams in, documents out: the only reader of manifests, policies, params and suites.
//!
//! Knows files, YAML and what lies in a checkout; knows nothing of policies' verdicts, clusters and the command line.

mod argocd;
mod classify;
mod documents;
mod files;
mod flux;
mod input;
mod known;
mod kustomize;
mod learning;
mod list;
mod manifest;
mod progress;
pub mod render;
mod sorter;
mod templates;

pub use classify::Reason;
pub use documents::{Collection, Unbuilt, collect, collect_built};
pub use files::{
    Checkout, Exclusions, IGNORE_FILE, MAX_FILE_SIZE, ReadError, TextFile, display_name, find_suites, read,
    read_checkout, read_manifest, read_manifests,
};
pub use input::{Inputs, MAX_DOCUMENT, Piece, Sorted};
pub use known::{ChartSource, ChartSources, Known};
pub use kustomize::Change;
pub use learning::{Learned, Learning};
pub use manifest::{LeftOut, Manifest, ObjectId, Unreadable};
pub use progress::{Progress, Reached, Stage};
