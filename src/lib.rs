//! Kubernetes admission control from native policies.
//!
//! The rooms of the house, lowest last; a room may use the rooms below it, never above:
//! `cli`, `server`, `cluster`, `audit`, `harness`, `manifests`, `admission`, `export`, `engine`, `defaulting`, `policy`, `schema`, `cel`, `json`.
//! See `docs/architecture.md` for the way that a request takes through them.

pub mod admission;
pub mod audit;
pub mod cel;
pub mod cli;
pub mod cluster;
pub mod defaulting;
pub mod engine;
pub mod export;
pub mod harness;
pub mod json;
pub mod manifests;
pub mod policy;
mod regular_file;
pub mod schema;
pub mod server;
pub mod style;
pub mod visible;
