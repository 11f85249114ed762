//! The audit: many objects in, findings out.
//!
//! Asks the engine about each manifest as if it were being created, and renders what it says. One renderer per format,
//! side by side. Knows nothing of clusters and of the command line.

mod across;
mod json;
mod judge;
mod locate;
mod pipeline;
mod renderer;
mod report;
mod run;
mod sections;
mod text;
mod unrendered;
mod writer;

pub use json::Json;
pub use judge::{Options, Rule, create_request, review};
pub use renderer::Renderer;
pub use report::{Counts, Filter, Report, Summary};
pub use run::{Audit, learn};
pub use text::Text;
pub use writer::Findings;
