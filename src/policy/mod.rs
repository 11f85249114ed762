//! The policy model: loaded strictly from upstream's YAML, defaulted, validated, compiled.
//!
//! Knows expressions and objects, and of a request what an exemption looks at; knows nothing of HTTP, files or clusters:
//! manifests come in as text.
//!
//! [`load()`] turns [`Manifest`]s into [`LoadedPolicies`]. Each kind is read by one module that knows its fields,
//! defaults and rules ([`spec`](self), binding, exemption), through the strict cursor of `decode`; what is wrong is
//! gathered as `problem`s, which become [`LoadError`]s with file and line.

mod audit_rule;
mod binding;
mod compile;
mod contents;
mod contradiction;
mod cost;
mod decode;
mod embedded;
mod error;
mod exempt;
mod expressions;
mod format;
mod glob;
mod lint;
mod load;
mod manifest;
mod matching;
mod metadata;
pub mod model;
mod params;
mod places;
mod problem;
mod profile;
mod selection;
mod selector;
mod spec;
#[cfg(test)]
mod tests;
mod type_check;
mod unmatchable;

pub use crate::json::Tree;
pub use audit_rule::{AUDIT_RULES, AuditRule, audit_rule};
pub use compile::Libraries;
pub use decode::{Fields, Node};
pub use embedded::{Embedded, PREFIX as EMBEDDED_PREFIX, ShippedBinding, embedded, profiles};
pub use error::{LoadError, Reason};
pub use exempt::{Exemption, Exemptions, Part, Subject};
pub use expressions::{Expression, Place, expressions, variables};
pub use glob::Glob;
pub use lint::{Lint, defined_kinds, lint, lint_types};
pub use load::{LoadedPolicies, load, load_selected, load_selected_with, load_with};
pub use manifest::{Document, Manifest};
pub use matching::is_excluded;
pub use params::{KindState, Param, ParamError, Params};
pub use places::{document_of, places};
pub use problem::{Fault, FieldPath, Problem, Problems, closest};
pub use profile::{ProfileFiles, Shipped, is_profile_file, load_profile, shipped, shipped_policy, shipped_profile};
pub use selection::{Choice, RuleChoice, Selection};
pub use spec::PolicyType;
pub use type_check::{ExpressionWarning, TypeChecking, Unknown, type_check};
