//! Equality, ordering and hashing of values: one definition for operators, look-ups and libraries.
//!
//! Numbers compare across `int`, `uint` and `double` as cel-go compares them. Knows nothing of overloads: what can't
//! be equal is unequal, what can't be ordered has no order.

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::opaque::Opaque;
use super::{Struct, Value};

/// The deepest nesting that equality looks into; documents are limited to a fraction of it. Deeper values are unequal.
const MAX_DEPTH: usize = 2_000;

/// How many elements, entries and fields the comparisons of one evaluation may look at. A list that holds another
/// twice, which holds another twice, and so on, is made in a few steps and would never be compared to its end.
const MAX_VISITS: u64 = 1 << 24;

thread_local! {
    /// What is left of [`MAX_VISITS`]. An evaluation stays on its thread.
    static VISITS_LEFT: Cell<u64> = const { Cell::new(MAX_VISITS) };
}

/// Begins to count for another evaluation.
pub fn renew_visits() {
    VISITS_LEFT.set(MAX_VISITS);
}

/// Whether a comparison ended early, so that nothing follows from what it came to.
pub fn visits_are_exhausted() -> bool {
    VISITS_LEFT.get() == 0
}

/// Takes a container's elements from what is left; false where nothing is.
fn visit(elements: usize) -> bool {
    let left = VISITS_LEFT.get().saturating_sub(1 + elements as u64);
    VISITS_LEFT.set(left);
    left > 0
}

/// Whether `a == b`: values of different kinds are unequal, numbers are equal by value, NaN equals nothing.
pub fn equals(a: &Value<'_>, b: &Value<'_>) -> bool {
    equality(a, b) == Equality::Equal
}

/// What `a == b` comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Equality {
    /// True.
    Equal,
    /// False.
    Unequal,
    /// One of Kubernetes' own types is asked about a value of another: no such overload. `!=` just holds.
    Error,
}

impl From<bool> for Equality {
    fn from(equal: bool) -> Self {
        if equal { Equality::Equal } else { Equality::Unequal }
    }
}

/// [`equals`], with the error that upstream's types make of some comparisons.
pub fn equality(a: &Value<'_>, b: &Value<'_>) -> Equality {
    equality_at(a, b, MAX_DEPTH)
}

/// The order of two values of the kinds that `<` takes; `None` for all others and for NaN.
pub fn compare(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
        _ => compare_numbers(a, b),
    }
}

/// A hash that is the same for equal values, to find equal ones among many.
pub fn hash(value: &Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash_into(value, &mut hasher, MAX_DEPTH);
    hasher.finish()
}

fn equality_at(a: &Value<'_>, b: &Value<'_>, depth: usize) -> Equality {
    if let (Value::String(a), Value::String(b)) = (a, b) {
        return Equality::from(a == b);
    }
    let Some(deeper) = depth.checked_sub(1) else { return Equality::Unequal };
    // Lists and maps are equal unless some elements are unequal: an error is not.
    let not_unequal = |a: &Value<'_>, b: &Value<'_>| equality_at(a, b, deeper) != Equality::Unequal;
    Equality::from(match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Type(a), Value::Type(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && visit(a.len()) && a.iter().zip(b.iter()).all(|(a, b)| not_unequal(&a, &b))
        }
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len()
                && visit(a.len())
                && a.iter().all(|(key, value)| b.get(&key).is_some_and(|other| not_unequal(&value, &other)))
        }
        (Value::Struct(a), Value::Struct(b)) if a.type_name == "JSONPatch" && b.type_name == a.type_name => {
            return patches_equality(a, b, deeper);
        }
        (Value::Struct(a), Value::Struct(b)) => structs_equal(a, b, deeper),
        (Value::Optional(a), Value::Optional(b)) => return contents_equality(*a, *b, deeper),
        // The types of authorization are not comparable, not even among themselves; nor is an error.
        (Value::Opaque(Opaque::Authorization(_)), Value::Opaque(_)) => return Equality::Error,
        (Value::Opaque(Opaque::Failed(_)), _) => return Equality::Error,
        (Value::Opaque(a), Value::Opaque(b)) if a.type_name() == b.type_name() => a == b,
        (Value::Opaque(_), b) if !matches!(b, Value::Null) => return Equality::Error,
        _ => compare(a, b) == Some(Ordering::Equal),
    })
}

/// The equality of what optionals, or the values of two patches, hold: here Kubernetes' types are asked about null too.
fn contents_equality(a: Option<&Value<'_>>, b: Option<&Value<'_>>, depth: usize) -> Equality {
    match (a, b) {
        (None, None) => Equality::Equal,
        (Some(Value::Opaque(_)), Some(Value::Null)) => Equality::Error,
        (Some(a), Some(b)) => equality_at(a, b, depth),
        _ => Equality::Unequal,
    }
}

/// Upstream: `JSONPatchVal.Equal` in `pkg/cel/mutation/jsonpatch.go`. A text that isn't set is empty.
fn patches_equality(a: &Struct<'_>, b: &Struct<'_>, depth: usize) -> Equality {
    fn field<'s, 'v>(patch: &'s Struct<'v>, name: &str) -> Option<&'s Value<'v>> {
        patch.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }
    fn text<'v>(patch: &Struct<'v>, name: &str) -> &'v str {
        match field(patch, name) {
            Some(Value::String(text)) => text,
            _ => "",
        }
    }
    if ["op", "path", "from"].into_iter().any(|name| text(a, name) != text(b, name)) {
        return Equality::Unequal;
    }
    contents_equality(field(a, "value"), field(b, "value"), depth)
}

fn structs_equal(a: &Struct<'_>, b: &Struct<'_>, depth: usize) -> bool {
    a.type_name == b.type_name
        && a.fields.len() == b.fields.len()
        && visit(a.fields.len().saturating_mul(b.fields.len()))
        && a.fields.iter().all(|(name, value)| {
            let other = b.fields.iter().find(|(other, _)| other == name);
            other.is_some_and(|(_, other)| equality_at(value, other, depth) == Equality::Equal)
        })
}

fn compare_numbers(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.partial_cmp(b),
        (Value::Double(a), b) => compare_double(*a, integer(b)?),
        (a, Value::Double(b)) => compare_double(*b, integer(a)?).map(Ordering::reverse),
        (a, b) => Some(integer(a)?.cmp(&integer(b)?)),
    }
}

fn integer(value: &Value<'_>) -> Option<i128> {
    match value {
        Value::Int(i) => Some(i128::from(*i)),
        Value::Uint(u) => Some(i128::from(*u)),
        _ => None,
    }
}

/// Within the integer's range cel-go rounds the integer to a double, so 2^53 + 1 equals 2.0^53.
fn compare_double(double: f64, integer: i128) -> Option<Ordering> {
    double.partial_cmp(&(integer as f64))
}

fn hash_into(value: &Value<'_>, hasher: &mut DefaultHasher, depth: usize) {
    let Some(deeper) = depth.checked_sub(1) else { return };
    match value {
        Value::Null => 0u8.hash(hasher),
        Value::Bool(b) => (1u8, b).hash(hasher),
        Value::Int(i) => hash_number(*i as f64, hasher),
        Value::Uint(u) => hash_number(*u as f64, hasher),
        Value::Double(d) => hash_number(*d, hasher),
        Value::String(s) => (3u8, s).hash(hasher),
        Value::Bytes(b) => (4u8, b).hash(hasher),
        Value::Duration(d) => (5u8, d).hash(hasher),
        Value::Timestamp(t) => (6u8, t.seconds, t.nanos).hash(hasher),
        Value::List(list) => {
            (7u8, list.len()).hash(hasher);
            if !visit(list.len()) {
                return;
            }
            list.iter().for_each(|element| hash_into(&element, hasher, deeper));
        }
        Value::Map(map) => {
            if !visit(map.len()) {
                return;
            }
            // The sum makes it independent of the order, as equality is.
            let sum = map.iter().fold(0u64, |sum, (key, value)| {
                let mut entry = DefaultHasher::new();
                hash_into(&key, &mut entry, deeper);
                hash_into(&value, &mut entry, deeper);
                sum.wrapping_add(entry.finish())
            });
            (8u8, map.len(), sum).hash(hasher);
        }
        Value::Struct(message) => (9u8, message.type_name, message.fields.len()).hash(hasher),
        Value::Type(name) => (10u8, name).hash(hasher),
        Value::Optional(inner) => {
            (11u8, inner.is_some()).hash(hasher);
            if let Some(inner) = inner {
                hash_into(inner, hasher, deeper);
            }
        }
        Value::Opaque(opaque) => (12u8, opaque.type_name()).hash(hasher),
    }
}

fn hash_number(number: f64, hasher: &mut DefaultHasher) {
    // -0.0 equals 0.0.
    let bits = if number == 0.0 { 0 } else { number.to_bits() };
    (2u8, bits).hash(hasher);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::value::{Entries, List, Map};
    use crate::json::Arena;

    #[test]
    fn numbers_are_equal_across_types() {
        let two = [Value::Int(2), Value::Uint(2), Value::Double(2.0)];
        for a in &two {
            for b in &two {
                assert!(equals(a, b), "{a:?} == {b:?}");
                assert_eq!(hash(a), hash(b), "{a:?} and {b:?} hash alike");
            }
        }
        assert!(equals(&Value::Double(0.0), &Value::Double(-0.0)));
        assert_eq!(hash(&Value::Double(0.0)), hash(&Value::Double(-0.0)));
        assert!(!equals(&Value::Double(f64::NAN), &Value::Double(f64::NAN)));
        assert!(!equals(&Value::Int(-1), &Value::Uint(u64::MAX)));
    }

    #[test]
    fn integers_round_to_doubles_as_in_cel_go() {
        assert!(equals(&Value::Int((1 << 53) + 1), &Value::Double((1i64 << 53) as f64)));
        assert!(!equals(&Value::Int((1 << 53) + 1), &Value::Int(1 << 53)));
    }

    #[test]
    fn orders_numbers_strings_and_nothing_else() {
        let rows = [
            (Value::Int(-1), Value::Uint(u64::MAX), Some(Ordering::Less)),
            (Value::Double(1e300), Value::Int(i64::MAX), Some(Ordering::Greater)),
            (Value::Double(f64::NEG_INFINITY), Value::Int(i64::MIN), Some(Ordering::Less)),
            (Value::Int(1), Value::Double(f64::NAN), None),
            (Value::String("a"), Value::String("b"), Some(Ordering::Less)),
            (Value::String("1"), Value::Int(1), None),
            (Value::Null, Value::Null, None),
        ];
        for (a, b, expected) in rows {
            assert_eq!(compare(&a, &b), expected, "{a:?} <=> {b:?}");
        }
    }

    #[test]
    fn maps_are_equal_in_any_order() {
        let arena = Arena::new();
        let (a, b) = ((Value::String("a"), Value::Int(1)), (Value::String("b"), Value::Double(2.0)));
        let map = |entries: Vec<_>| Value::Map(Map::Entries(Entries::new(&arena, &entries).unwrap()));
        let (one, other) = (map(vec![a, b]), map(vec![b, a]));
        assert!(equals(&one, &other));
        assert_eq!(hash(&one), hash(&other));
        assert!(!equals(&one, &map(vec![a])));
    }

    #[test]
    fn values_nested_too_deeply_are_unequal_and_do_not_overflow() {
        let arena = Arena::new();
        let mut deep = Value::Null;
        for _ in 0..100_000 {
            deep = Value::List(List::Values(arena.alloc_slice_copy(&[deep])));
        }
        assert!(!equals(&deep, &deep));
        hash(&deep);
    }
}
