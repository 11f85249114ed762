//! The policy model: loaded strictly from upstream's YAML, defaulted, validated, compiled.
//!
//! Knows expressions and objects; knows nothing of requests, HTTP, files or clusters.

pub mod model;
