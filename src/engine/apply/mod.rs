//! `ApplyConfiguration`: merging a partial object into an object by the rules of server-side apply.
//!
//! Upstream: `policy/mutating/patch/smd.go` over `sigs.k8s.io/structured-merge-diff/v6/typed`. Ownership of fields is
//! not tracked there either: nothing is ever removed by a merge.

mod foreign;
mod go_time;
mod item;
mod merge;
mod validate;

pub use foreign::{Configuration, Foreign};

use super::request::GroupVersionKind;
use crate::json::{Arena, Member, Object, Value};
use crate::schema::{Definitions, Known};

/// Why an apply configuration cannot be merged. The text is what upstream appends to `error applying patch: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The configuration does not fit the kind's schema.
    #[error("failed to convert patch object to typed object: {0}")]
    Patch(String),
    /// The configuration sets part of something that can only be replaced whole.
    #[error("invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {0}")]
    Atomic(String),
    /// The object's own lists do not fit the schema where the configuration touches them.
    #[error("failed to convert original object to typed object: {0}")]
    Object(String),
}

/// Merges `patch` into `object`, both of `kind`, whose `apiVersion` and `kind` the patch gets if it lacks them.
///
/// A kind that is neither built in nor among `definitions` merges like a custom resource without schema: maps field by
/// field, and lists, which could only be replaced whole, are refused.
///
/// # Errors
/// [`ApplyError`]; nothing is merged then.
pub fn merge<'a>(
    arena: &'a Arena,
    definitions: &Definitions,
    kind: GroupVersionKind<'a>,
    object: Value<'a>,
    patch: &Configuration<'a>,
) -> Result<Value<'a>, ApplyError> {
    let (types, root, known) = definitions.merge_type(kind.group, kind.version, kind.kind);
    let foreign = &patch.foreign;
    let patch = typed(arena, kind, patch.value);
    validate::validate(types, root, patch, foreign)?;
    validate::reject_atomics(types, root, known, patch)?;
    if known == Known::Defined {
        validate::validate_object(types, root, object)?;
    }
    merge::merge(arena, types, root, object, patch).map_err(ApplyError::Object)
}

/// The patch with the object's `apiVersion` and `kind`.
fn typed<'a>(arena: &'a Arena, kind: GroupVersionKind<'a>, patch: Value<'a>) -> Value<'a> {
    let Value::Object(fields) = patch else { return patch };
    let api_version =
        if kind.group.is_empty() { kind.version } else { arena.alloc_str(&[kind.group, kind.version].join("/")) };
    let own: [Member<'a>; 2] = [("apiVersion", Value::String(api_version)), ("kind", Value::String(kind.kind))];
    // Of two members with one key the last wins.
    let members: Vec<Member<'a>> = fields.members().iter().copied().chain(own).collect();
    Value::Object(Object::new(arena, &members))
}

#[cfg(test)]
mod defined_tests;
#[cfg(test)]
mod tests;
