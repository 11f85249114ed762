//! (see docs/architecture.md)

pub mod offline;
pub mod resources;
