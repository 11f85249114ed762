//! The audit: many objects in, findings out.
//!
//! Finds manifests among files, asks the engine about each as if it were being created, and renders what it says. One
//! renderer per format, side by side. Knows nothing of clusters and of the command line.

mod classify;
mod collect;
mod files;
pub mod json;
mod kustomize;
mod locate;
mod report;
mod run;
pub mod text;

pub use classify::Reason;
pub use collect::{Collection, Manifest, collect};
pub use files::{MAX_FILE_SIZE, ReadError, TextFile, read};
pub use report::{Finding, Judged, LeftOut, ObjectId, Report, Summary, Unreadable, verdict_name};
pub use run::{Options, create_request, review, run};
