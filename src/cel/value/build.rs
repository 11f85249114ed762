//! How library functions put results into the arena: within the memory that one evaluation may use.

use std::mem::size_of;

use super::opaque::Opaque;
use super::{List, Value};
use crate::cel::cost::EXPRESSION_LIMIT;
use crate::cel::function::{Error, Limit};
use crate::json::Arena;

/// Makes sure that `bytes` more may be allocated.
///
/// # Errors
/// [`Limit::Memory`].
pub fn reserve(arena: &Arena, bytes: usize) -> Result<(), Error> {
    if arena.fits(bytes) { Ok(()) } else { Err(Error::Cancelled(Limit::Memory)) }
}

/// Makes sure that a list of `len` elements may be allocated.
///
/// # Errors
/// [`Limit::Memory`].
pub fn reserve_list(arena: &Arena, len: usize) -> Result<(), Error> {
    reserve(arena, len.saturating_mul(size_of::<Value<'_>>()))
}

/// Refuses a call whose cost will be at least `cost` when that is more than an expression may cost: what is going to
/// fail does so before the work rather than after it.
///
/// # Errors
/// [`Limit::Cost`].
pub fn within_cost(cost: usize) -> Result<(), Error> {
    match u64::try_from(cost) {
        Ok(cost) if cost <= EXPRESSION_LIMIT => Ok(()),
        _ => Err(Error::Cancelled(Limit::Cost)),
    }
}

/// A string value.
///
/// # Errors
/// [`Limit::Memory`].
pub fn string<'a>(arena: &'a Arena, text: &str) -> Result<Value<'a>, Error> {
    reserve(arena, text.len())?;
    Ok(Value::String(arena.alloc_str(text)))
}

/// A list value.
///
/// # Errors
/// [`Limit::Memory`].
pub fn list<'a>(arena: &'a Arena, elements: &[Value<'a>]) -> Result<Value<'a>, Error> {
    Ok(Value::List(List::Values(copied(arena, elements)?)))
}

/// A list of strings, as Go's own functions make it.
///
/// # Errors
/// [`Limit::Memory`].
pub fn strings<'a>(arena: &'a Arena, elements: &[Value<'a>]) -> Result<Value<'a>, Error> {
    Ok(Value::List(List::Strings(copied(arena, elements)?)))
}

fn copied<'a>(arena: &'a Arena, elements: &[Value<'a>]) -> Result<&'a [Value<'a>], Error> {
    reserve_list(arena, elements.len())?;
    Ok(arena.alloc_slice_copy(elements))
}

/// A value of one of Kubernetes' own types.
///
/// # Errors
/// [`Limit::Memory`].
pub fn opaque<'a>(arena: &'a Arena, value: Opaque<'a>) -> Result<Value<'a>, Error> {
    reserve(arena, size_of::<Opaque<'_>>())?;
    Ok(Value::Opaque(arena.alloc(value)))
}

/// `optional.of(value)`.
///
/// # Errors
/// [`Limit::Memory`].
pub fn some<'a>(arena: &'a Arena, value: Value<'a>) -> Result<Value<'a>, Error> {
    reserve_list(arena, 1)?;
    Ok(Value::Optional(Some(arena.alloc(value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_more_memory_than_the_limit() {
        let arena = Arena::new();
        assert_eq!(reserve(&arena, Arena::DEFAULT_LIMIT), Ok(()));
        assert_eq!(reserve(&arena, Arena::DEFAULT_LIMIT + 1), Err(Error::Cancelled(Limit::Memory)));
        assert_eq!(reserve(&arena, usize::MAX), Err(Error::Cancelled(Limit::Memory)));
        assert_eq!(reserve_list(&arena, usize::MAX), Err(Error::Cancelled(Limit::Memory)));
        arena.alloc_slice_fill_copy(1 << 20, 0u8);
        assert_eq!(reserve(&arena, Arena::DEFAULT_LIMIT), Err(Error::Cancelled(Limit::Memory)));
    }
}
