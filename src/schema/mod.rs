//! What kinds are made of: the built-in ones, and custom resources by their definitions.
//!
//! Knows structures and the CEL types of their fields, not policies and not requests.

mod custom;
mod identity;
mod kinds;
mod merging;
mod structure;
mod table;

pub use identity::{GroupVersionKind, GroupVersionResource};
pub use kinds::{KindName, Kinds};
pub use merging::{Definition, Definitions, Known, Types};
pub use structure::{Objects, Structure};
pub use table::{
    Field, Form, KeyDefault, Kind, List, ListKind, Map, Scalar, Seen, Type, TypeId, kinds, merge_type, resolve,
};
