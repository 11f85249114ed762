//! What can be wrong with an AdmissionReview.

use crate::json;

/// Why bytes are no AdmissionReview that can be answered.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// There is no body.
    #[error("the body is empty: POST an AdmissionReview of admission.k8s.io/v1")]
    Empty,
    /// The body isn't a JSON document, or has a key twice, or is nested too deep.
    #[error("the body is not an acceptable JSON document: {0}")]
    Json(#[from] json::ParseError),
    /// The body is JSON, but no object.
    #[error("the body is {found}, not an AdmissionReview object")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// `apiVersion` or `kind` name something else.
    #[error(
        "expected apiVersion {expected} and kind AdmissionReview, found {api_version:?} and {kind:?}{}",
        advice(.api_version)
    )]
    WrongType {
        /// What is understood.
        expected: &'static str,
        /// What `apiVersion` says.
        api_version: String,
        /// What `kind` says.
        kind: String,
    },
    /// `request` is absent or null.
    #[error("the AdmissionReview has no request")]
    NoRequest,
    /// A field that is needed is absent, null or empty.
    #[error("{field} is missing")]
    Missing {
        /// The field's path.
        field: &'static str,
    },
    /// A field has the wrong type.
    #[error("{field} must be {expected}, found {found}")]
    Type {
        /// The field's path.
        field: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// `request.operation` is no operation.
    #[error("request.operation must be CREATE, UPDATE, DELETE or CONNECT, found {0:?}")]
    Operation(String),
}

/// What to do about a version that isn't understood.
fn advice(api_version: &str) -> &'static str {
    if api_version == "admission.k8s.io/v1beta1" {
        "; v1beta1 is gone since Kubernetes 1.22: list v1 in the webhook's admissionReviewVersions"
    } else {
        ""
    }
}
