//! What a defaulting rule can say, and how it is carried out on a borrowed document.

use crate::json::{Arena, Member, Object, Value};

/// One line of a kind's table. Rules run in order: a later one sees what the earlier ones added.
pub(super) enum Rule {
    /// Sets a member that is absent. Upstream's field is a pointer: a zero that is written stays.
    Set(&'static str, Value<'static>),
    /// Sets a member that is absent or zero. Upstream's field is none: both are the same to it.
    Fill(&'static str, Value<'static>),
    /// Rules for a member that is there.
    In(&'static str, &'static [Rule]),
    /// Rules for a member that upstream always has: made if absent.
    Make(&'static str, &'static [Rule]),
    /// Rules for each object in a list.
    Each(&'static str, &'static [Rule]),
    /// Rules for the object itself, under a condition.
    If(for<'a> fn(&Fields<'a>) -> bool, &'static [Rule]),
    /// What a table cannot say.
    Call(for<'a> fn(&mut Fields<'a>)),
}

/// Carries out `rules`.
pub(super) fn apply(rules: &'static [Rule], fields: &mut Fields<'_>) {
    for rule in rules {
        match rule {
            Rule::Set(key, value) => fields.set_if(key, *value, |found| found.is_none()),
            Rule::Fill(key, value) => fields.set_if(key, *value, |found| found.is_none_or(is_zero)),
            Rule::In(key, rules) if fields.is_touched(key) => fields.within(key, |inner| apply(rules, inner)),
            Rule::In(..) => {}
            Rule::Make(key, rules) => {
                fields.set_if(key, Value::Object(Object::default()), |found| found.is_none());
                if fields.is_touched(key) {
                    fields.within(key, |inner| apply(rules, inner));
                }
            }
            Rule::Each(key, rules) => fields.each_of(key, true, |inner| apply(rules, inner)),
            Rule::If(condition, rules) if condition(fields) => apply(rules, fields),
            Rule::If(..) => {}
            Rule::Call(function) => function(fields),
        }
    }
}

/// Whether upstream cannot tell the value of a field that is no pointer from an absent one.
pub(super) fn is_zero(value: Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Int(value) => value == 0,
        Value::Float(value) => value == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(_) => false,
    }
}

/// The members of an object that is being completed. They are copied when the first of them changes; a member that is
/// null counts as absent, as upstream's decoder has it. Rules of what is in the object pass over what it shares with the
/// object before, which is complete.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub arena: &'a Arena,
    before: Object<'a>,
    object: Object<'a>,
    changed: Option<Vec<Member<'a>>>,
}

impl<'a> Fields<'a> {
    pub fn new(arena: &'a Arena, before: Object<'a>, object: Object<'a>) -> Self {
        Self { arena, before, object, changed: None }
    }

    /// The object as it is now, if it isn't what it was.
    pub fn into_changed(self) -> Option<Object<'a>> {
        self.changed.map(|members| Object::new(self.arena, &members))
    }

    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let found = match &self.changed {
            Some(members) => members.iter().find(|(name, _)| *name == key).map(|(_, value)| *value),
            None => self.object.get(key),
        };
        found.filter(|value| !value.is_null())
    }

    /// Whether the member is there, be it null.
    pub fn has(&self, key: &str) -> bool {
        self.members().iter().any(|(name, _)| *name == key)
    }

    pub fn members(&self) -> &[Member<'a>] {
        self.changed.as_deref().unwrap_or_else(|| self.object.members())
    }

    /// The text of a member; empty where there is none.
    pub fn text(&self, key: &str) -> &'a str {
        self.get(key).and_then(|value| value.as_str()).unwrap_or_default()
    }

    /// The value below the members `path`.
    pub fn at(&self, path: &[&str]) -> Option<Value<'a>> {
        let (first, rest) = path.split_first()?;
        self.get(first)?.at(rest).filter(|value| !value.is_null())
    }

    pub fn set(&mut self, key: &'a str, value: Value<'a>) {
        let members = self.changed.get_or_insert_with(|| self.object.members().to_vec());
        match members.iter_mut().find(|(name, _)| *name == key) {
            Some(member) => member.1 = value,
            None => members.push((key, value)),
        }
    }

    pub fn remove(&mut self, key: &str) {
        if self.has(key) {
            self.changed.get_or_insert_with(|| self.object.members().to_vec()).retain(|(name, _)| *name != key);
        }
    }

    fn set_if(&mut self, key: &'static str, value: Value<'static>, condition: impl Fn(Option<Value<'a>>) -> bool) {
        if condition(self.get(key)) {
            self.set(key, value);
        }
    }

    /// Changes the object that is a member; any other value is validation's business.
    pub fn within(&mut self, key: &'static str, change: impl FnOnce(&mut Fields<'a>)) {
        let before = self.before.get(key);
        if let Some(changed) = self.get(key).and_then(|value| changed(self.arena, before, value, change)) {
            self.set(key, changed);
        }
    }

    /// Whether the member isn't what it was before.
    fn is_touched(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| !is_shared(self.before.get(key), value))
    }

    /// Changes each object in the list that is a member.
    pub fn each(&mut self, key: &'static str, change: impl FnMut(&mut Fields<'a>)) {
        self.each_of(key, false, change);
    }

    /// The same, or only of those that aren't what they were before.
    fn each_of(&mut self, key: &'static str, touched: bool, mut change: impl FnMut(&mut Fields<'a>)) {
        let Some(Value::Array(elements)) = self.get(key) else { return };
        let before = self.before.get(key).and_then(|before| before.as_array()).unwrap_or_default();
        let mut copy: Option<&'a mut [Value<'a>]> = None;
        for (index, element) in elements.iter().enumerate() {
            let before = before.get(index).copied();
            if touched && is_shared(before, *element) {
                continue;
            }
            let Some(changed) = changed(self.arena, before, *element, &mut change) else { continue };
            let copy = copy.get_or_insert_with(|| self.arena.alloc_slice_copy(elements));
            if let Some(slot) = copy.get_mut(index) {
                *slot = changed;
            }
        }
        if let Some(copy) = copy {
            self.set(key, Value::Array(copy));
        }
    }
}

/// `object` with those of `others` that it lacks, if there are any. One pass, since a map may have very many members.
pub(super) fn with_missing<'a>(
    arena: &'a Arena,
    object: Object<'a>,
    others: impl Iterator<Item = Member<'a>>,
) -> Option<Object<'a>> {
    let missing = others.filter(|(key, value)| !value.is_null() && object.get(key).is_none_or(|own| own.is_null()));
    let missing: Vec<Member<'a>> = missing.collect();
    (!missing.is_empty()).then(|| Object::new(arena, &[object.members(), &missing].concat()))
}

fn is_shared<'a>(before: Option<Value<'a>>, value: Value<'a>) -> bool {
    before.is_some_and(|before| before.is_shared_with(&value))
}

fn changed<'a>(
    arena: &'a Arena,
    before: Option<Value<'a>>,
    value: Value<'a>,
    change: impl FnOnce(&mut Fields<'a>),
) -> Option<Value<'a>> {
    let before = before.and_then(|before| before.as_object()).unwrap_or_default();
    let mut fields = Fields::new(arena, before, value.as_object()?);
    change(&mut fields);
    fields.into_changed().map(Value::Object)
}
