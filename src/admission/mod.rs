//! AdmissionReview on the wire, and the engine's request and decision: bytes in, bytes out. Also the request that a
//! manifest would become.
//!
//! Knows `admission.k8s.io/v1` and what the API server accepts in an answer; knows nothing of HTTP, files or clusters.

pub mod acceptable;
mod annotations;
mod answers;
mod error;
pub mod offline;
mod request;
pub mod resources;
mod response;
mod warnings;

pub use answers::GivenAnswers;
pub use error::Error;
pub use request::parse;
pub use response::write;
