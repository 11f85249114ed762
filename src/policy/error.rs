//! What can be wrong with a manifest, printed with its file, line, document and field, and what to write instead.

use std::fmt;

use thiserror::Error;

use super::model::Source;
use super::problem::Problem;

/// Something wrong with one document of one manifest; the other documents are loaded regardless.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The file and document, with the line of the field where it is known and that of the document otherwise.
    pub at: Source,
    /// The kind and name of the object, as far as they could be read: `ValidatingAdmissionPolicy/require-probes`.
    pub object: String,
    /// What is wrong.
    pub reason: Reason,
}

/// What is wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reason {
    /// The text is not YAML.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// The document is no Kubernetes object.
    #[error("{missing} is missing; every object has apiVersion, kind and metadata.name")]
    NotAnObject {
        /// The field that is missing.
        missing: &'static str,
    },
    /// The kind is one of ours in a version that there is none of.
    #[error("apiVersion: unsupported version {found:?} of {kind}; write {write}")]
    Version {
        /// What the document says.
        found: String,
        /// The kind.
        kind: String,
        /// What it may say.
        write: &'static str,
    },
    /// The object belongs elsewhere.
    #[error("a {kind} can't be used here; {advice}")]
    Misplaced {
        /// The kind.
        kind: String,
        /// What to do with it.
        advice: &'static str,
    },
    /// The object is another engine's policy.
    #[error(
        "a {kind} is for {engine}, and nothing here would enforce it; write a ValidatingAdmissionPolicy or MutatingAdmissionPolicy of admissionregistration.k8s.io/v1"
    )]
    OtherEngine {
        /// The kind.
        kind: String,
        /// The engine.
        engine: &'static str,
    },
    /// A field is wrong.
    #[error("{0}")]
    Field(Problem),
    /// The whole document can't be used.
    #[error("{0}")]
    Unusable(String),
    /// A binding has the name of a shipped one and another policy.
    #[error(
        "metadata.name: the shipped binding {name:?} binds {policy:?}; give yours another name, or bind {policy} to replace it"
    )]
    NotAReplacement {
        /// The name of both bindings.
        name: String,
        /// The policy of the shipped one.
        policy: String,
    },
    /// Another object of the same kind and name was loaded before.
    #[error("metadata.name: Duplicate value: {name:?}: already loaded from {first}; {advice}")]
    Duplicate {
        /// The name.
        name: String,
        /// Where it was loaded from.
        first: Source,
        /// How to have only one.
        advice: &'static str,
    },
    /// There are more objects of a kind than can be used.
    #[error("there are more than {limit} objects of this kind; {advice}")]
    TooMany {
        /// How many there may be.
        limit: usize,
        /// How to do with fewer.
        advice: &'static str,
    },
    /// A binding whose policy doesn't exist.
    #[error("spec.policyName: there is no {kind} named {name:?}{}", Meant(.meant))]
    NoPolicy {
        /// The kind of the policy.
        kind: &'static str,
        /// The name that the binding gives.
        name: String,
        /// What else to write; may be empty.
        meant: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = if self.object.is_empty() { "" } else { " " };
        write!(f, "{}{object}{}: {}", self.at, self.object, self.reason)
    }
}

impl std::error::Error for LoadError {}

impl fmt::Display for Source {
    /// `file:line: (document N)`, counted from 0 as in JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: (document {})", self.file, self.line, self.document)
    }
}

struct Meant<'a>(&'a str);

impl fmt::Display for Meant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "; {}", self.0) }
    }
}
