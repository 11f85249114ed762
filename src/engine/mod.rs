//! The engine: match, expand, mutate, validate, decide.
//!
//! Knows policies and requests; knows nothing of HTTP, files or clusters.

pub mod apply;
mod authorize;
mod context;
mod convert;
mod decision;
mod decode;
mod effective;
mod equivalent;
mod evaluate;
mod expand;
mod explain;
pub mod field;
mod match_conditions;
mod matching;
mod mutate;
mod observe;
mod plan;
mod readers;
mod record;
mod request;
mod set;
mod subject;
#[cfg(test)]
mod tests;
mod tolerations;
mod validate;

pub use crate::cel::explain::Explanation;
pub use authorize::CachingAuthorizer;
pub use context::{Context, Namespaces, NoNamespaces, Phase};
pub use decision::{Decision, Denial, Evaluation, Finding, Mode, Mutated, Offender, SetAside, Verdict};
pub use decode::{Mistyped, Wanted, mistyped};
pub use expand::{EffectivePod, Origin, Workload, expand, workload_resources, workloads};
pub use explain::documents as explained_documents;
pub use matching::matches_rules;
pub use observe::{Observer, Outcome, Place};
pub use record::verdict_of;
pub use request::{GroupVersionKind, GroupVersionResource, Operation, Request};
pub use set::PolicySet;
