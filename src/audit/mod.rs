//! The audit: many objects in, findings out.
//!
//! Finds manifests among files, asks the engine about each as if it were being created, and renders what it says. One
//! renderer per format, side by side. Knows nothing of clusters and of the command line.

mod classify;
mod files;
pub mod json;
mod report;
mod resources;
pub mod text;

pub use classify::Reason;
pub use files::{MAX_FILE_SIZE, ReadError, TextFile, read};
pub use report::{Finding, Judged, LeftOut, ObjectId, Report, Summary, verdict_name};
pub use resources::{Resource, Resources};
