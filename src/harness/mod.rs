//! The test harness of policies: suites in, results and coverage out.
//!
//! Each case goes through the same review as a request to the webhook. Knows nothing of files, clusters and the command
//! line: what a suite refers to is handed in through [`Files`].

mod coverage;
pub mod json;
pub mod junit;
pub mod mutants;
mod path;
mod run;
mod set;
mod suite;
pub mod text;

pub use coverage::{Branch, Coverage, ExpressionCoverage, PolicyCoverage, Side, cobertura, lcov, percent};
pub use run::{CaseResult, Explained, Options, SuiteResult, run};
pub use suite::{AcceptedMutant, Case, CaseRequest, Expect, ExpectedVerdict, Files, Suite, load};
