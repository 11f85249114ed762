//! The structured merge itself: upstream's `typed.Merge`, which keeps what only one side has and prefers the patch.
//!
//! What only the object has is taken over as it is, whole subtrees at a time, without being judged: the API server has
//! accepted it. Upstream's detail that policies can observe: an empty list or map in the patch changes only an empty one.

use std::collections::{HashMap, HashSet, VecDeque};

use super::item::identity;
use crate::json::{Arena, Member, Object, Value};
use crate::schema::{Form, List, ListKind, Map, TypeId, Types};

/// Merges the patch's value into the object's, both of type `id`. The patch has been validated.
///
/// # Errors
/// An element of the object's list without identity, in upstream's words.
pub(super) fn merge<'a>(
    arena: &'a Arena,
    types: &Types,
    id: TypeId,
    live: Value<'a>,
    patch: Value<'a>,
) -> Result<Value<'a>, String> {
    Merge { arena, types, path: String::new() }.both(id, live, patch)
}

struct Merge<'a, 'k> {
    arena: &'a Arena,
    types: &'k Types,
    path: String,
}

impl<'a> Merge<'a, '_> {
    fn both(&mut self, id: TypeId, live: Value<'a>, patch: Value<'a>) -> Result<Value<'a>, String> {
        let types = self.types;
        match types.resolve(id).form(patch) {
            Some(Form::Map(map)) if !map.atomic => {
                let live = live.as_object().unwrap_or_default();
                match patch.as_object() {
                    _ if live.is_empty() => Ok(patch),
                    None => Ok(Value::Object(live)),
                    Some(patch) => self.map(map, live, patch),
                }
            }
            Some(Form::List(list)) if list.kind != ListKind::Atomic => {
                let live = live.as_array().unwrap_or_default();
                match patch.as_array() {
                    _ if live.is_empty() => Ok(patch),
                    None => Ok(Value::Array(live)),
                    Some(patch) => self.list(list, live, patch),
                }
            }
            _ => Ok(patch),
        }
    }

    fn map(&mut self, map: &Map, live: Object<'a>, patch: Object<'a>) -> Result<Value<'a>, String> {
        let mut members: Vec<Member<'a>> = Vec::with_capacity(live.len() + patch.len());
        for (key, old) in live.members() {
            let merged = match (patch.get(key), map.member(key)) {
                (Some(new), Some(id)) => self.below(&format!(".{key}"), |merge| merge.both(id, *old, new))?,
                (Some(new), None) => new,
                (None, _) => *old,
            };
            members.push((key, merged));
        }
        members.extend(patch.members().iter().filter(|(key, _)| live.get(key).is_none()));
        Ok(Value::Object(Object::new(self.arena, &members)))
    }

    /// Merges two sets or list-maps: in the object's order where the patch does not contradict it, in the patch's
    /// where it does. Upstream: `visitListItems`.
    fn list(&mut self, list: &List, live: &'a [Value<'a>], patch: &'a [Value<'a>]) -> Result<Value<'a>, String> {
        let olds = self.identities(list, live)?;
        let news = self.identities(list, patch)?;
        // An element that the object has twice is not merged with the patch's: which one would it be?
        let mut by_old: HashMap<&str, Option<Value<'a>>> = HashMap::with_capacity(olds.len());
        for (name, old) in olds.iter().zip(live) {
            by_old.entry(name).and_modify(|seen| *seen = None).or_insert(Some(*old));
        }
        let by_new: HashSet<&str> = news.iter().map(String::as_str).collect();
        // What both have, in the patch's order.
        let mut shared: VecDeque<&str> =
            news.iter().map(String::as_str).filter(|name| by_old.contains_key(name)).collect();
        let mut next_shared = shared.pop_front();

        let mut merged: HashSet<&str> = HashSet::with_capacity(news.len());
        let mut out = Vec::with_capacity(live.len() + patch.len());
        let (mut old_at, mut new_at) = (0, 0);
        loop {
            let old = olds.get(old_at).zip(live.get(old_at));
            let new = news.get(new_at).zip(patch.get(new_at));
            if old.is_none() && new.is_none() {
                break;
            }
            if let Some((name, value)) = old {
                let name = name.as_str();
                if let Some((new_name, new_value)) = new {
                    if name == new_name {
                        merged.insert(name);
                        out.push(self.element(list, name, by_old.get(name), *new_value)?);
                        old_at += 1;
                        new_at += 1;
                        next_shared = shared.pop_front();
                        continue;
                    }
                    if by_new.contains(name) && next_shared.is_some_and(|next| next != name) {
                        // Shared, but its turn is later.
                        old_at += 1;
                        continue;
                    }
                }
                if !by_new.contains(name) {
                    out.push(*value);
                    old_at += 1;
                    continue;
                }
                if merged.contains(name) {
                    old_at += 1;
                }
            }
            if let Some((name, value)) = new {
                let name = name.as_str();
                merged.insert(name);
                out.push(self.element(list, name, by_old.get(name), *value)?);
                new_at += 1;
                if next_shared == Some(name) {
                    next_shared = shared.pop_front();
                }
            }
        }
        Ok(Value::Array(self.arena.alloc_slice_copy(&out)))
    }

    fn element(
        &mut self,
        list: &List,
        name: &str,
        old: Option<&Option<Value<'a>>>,
        new: Value<'a>,
    ) -> Result<Value<'a>, String> {
        match old {
            Some(Some(old)) => self.below(name, |merge| merge.both(list.element, *old, new)),
            _ => Ok(new),
        }
    }

    fn identities(&self, list: &List, elements: &[Value<'_>]) -> Result<Vec<String>, String> {
        let named = |(i, element): (usize, &Value<'_>)| {
            identity(self.types, list, *element).map_err(|why| format!("{}: element {i}: {why}", self.path))
        };
        elements.iter().enumerate().map(named).collect()
    }

    fn below<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let length = self.path.len();
        self.path.push_str(name);
        let result = work(self);
        self.path.truncate(length);
        result
    }
}
