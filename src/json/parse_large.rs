//! The containers that [`Outline`](crate::json::Outline) found to be large: they are filled where they stay.

use super::{Parser, Step, index};
use crate::json::value::{Object, Value};

impl<'a> Parser<'a, '_> {
    /// How many children the container that begins here has, if it is one that is filled in place.
    #[inline]
    pub(super) fn large(&mut self) -> Option<usize> {
        let (next, rest) = self.large.split_first()?;
        if next.offset != self.at {
            return None;
        }
        self.large = rest;
        Some(next.children)
    }

    #[cold]
    pub(super) fn large_array(&mut self, depth: usize, children: usize) -> Step<Value<'a>> {
        let elements = self.arena.alloc_slice_fill_copy(children, Value::Null);
        self.at += 1;
        let last = children.saturating_sub(1);
        for (position, element) in elements.iter_mut().enumerate() {
            *element = self.value(depth + 1)?;
            let due = if position == last { b']' } else { b',' };
            if self.peek() != due {
                return Err(self.expected("',' or ']'"));
            }
            self.at += 1;
        }
        Ok(Value::Array(elements))
    }

    #[cold]
    pub(super) fn large_object(&mut self, depth: usize, children: usize) -> Step<Value<'a>> {
        let members = self.arena.alloc_slice_fill_copy(children, ("", Value::Null));
        self.at += 1;
        let last = children.saturating_sub(1);
        for (position, member) in members.iter_mut().enumerate() {
            if self.peek() != b'"' {
                return Err(self.expected("a key in double quotes"));
            }
            let key = self.string()?;
            if self.peek() != b':' {
                return Err(self.expected("':' after the key"));
            }
            self.at += 1;
            *member = (key, self.value(depth + 1)?);
            let due = if position == last { b'}' } else { b',' };
            if self.peek() != due {
                return Err(self.expected("',' or '}'"));
            }
            self.at += 1;
        }
        if let Some(key) = index(members) {
            return Err(self.duplicate(key));
        }
        Ok(Value::Object(Object::from_checked(members)))
    }
}
