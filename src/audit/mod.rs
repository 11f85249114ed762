//! The audit: many objects in, findings out.
//!
//! Asks the engine about each manifest as if it were being created, and renders what it says. One renderer per format,
//! side by side. Knows nothing of clusters and of the command line.

mod across;
pub mod json;
mod locate;
mod report;
mod run;
pub mod text;
mod unrendered;

pub use report::{Counts, Filter, Finding, Judged, Report, Summary};
pub use run::{Options, Rule, create_request, review, run};
pub use unrendered::Unrendered;
