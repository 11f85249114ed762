//! Which policies look at what changed of an object, so that the others need not be asked again.

use std::collections::HashMap;

use crate::cel::reads::{Depth, Reads, Step};
use crate::json::Value;
use crate::policy::model::Policy;
use crate::policy::{Place, expressions};

/// What each policy looks at of its object.
#[derive(Debug, Default)]
pub struct Readers {
    /// The parts of objects that somebody looks at; the first is the whole.
    parts: Vec<Part>,
}

/// Policies by their position among all.
type Set = Vec<u64>;

/// A part of an object.
#[derive(Debug, Default)]
struct Part {
    members: HashMap<Box<str>, usize>,
    element: Option<usize>,
    /// Who looks at what members it has.
    counting: Set,
    /// Who looks at all of it.
    all: Set,
    /// Who looks at it or at anything in it.
    within: Set,
}

/// The policies that a change concerns.
#[derive(Debug)]
pub struct Concerned<'s> {
    policies: &'s [Policy],
    set: Set,
}

impl Readers {
    /// Finds what `policies` look at.
    pub fn new(policies: &[Policy]) -> Self {
        let mut readers = Self { parts: vec![Part::default()] };
        for (position, policy) in policies.iter().enumerate() {
            for (path, depth) in reads(policy).paths() {
                readers.add(position, path, depth);
            }
        }
        readers
    }

    /// So many policies that look at everything.
    #[cfg(test)]
    pub fn of_everything(policies: usize) -> Self {
        let mut readers = Self { parts: vec![Part::default()] };
        (0..policies).for_each(|position| readers.add(position, std::iter::empty(), Depth::All));
        readers
    }

    fn add<'r>(&mut self, position: usize, path: impl Iterator<Item = Step<'r>>, depth: Depth) {
        let mut at = 0;
        for step in path {
            let new = self.parts.len();
            let Some(part) = self.parts.get_mut(at) else { return };
            insert(&mut part.within, position);
            at = match step {
                Step::Field(name) => *part.members.entry(name.into()).or_insert(new),
                Step::Element => *part.element.get_or_insert(new),
            };
            if at == new {
                self.parts.push(Part::default());
            }
        }
        let Some(part) = self.parts.get_mut(at) else { return };
        insert(&mut part.within, position);
        match depth {
            Depth::Presence => {}
            Depth::Members => insert(&mut part.counting, position),
            Depth::All => insert(&mut part.all, position),
        }
    }

    /// Which of `policies`, those that this was made of, may see a difference between two objects.
    pub fn concerned<'s>(&self, policies: &'s [Policy], before: Value<'_>, after: Value<'_>) -> Concerned<'s> {
        let mut set = vec![0; policies.len().div_ceil(64)];
        self.differs(self.parts.first(), before, after, &mut set);
        Concerned { policies, set }
    }

    /// Whether the values differ; adds who sees that to `set`.
    fn differs(&self, part: Option<&Part>, before: Value<'_>, after: Value<'_>, set: &mut Set) -> bool {
        if before.is_shared_with(&after) {
            return false;
        }
        let add = |set: &mut Set, who: fn(&Part) -> &Set| {
            if let Some(part) = part {
                set.iter_mut().zip(who(part)).for_each(|(set, who)| *set |= who);
            }
        };
        match (before, after) {
            (Value::Object(before), Value::Object(after)) => {
                let member = |name: &str| part.and_then(|part| self.parts.get(*part.members.get(name)?));
                let mut differs = before.len() != after.len();
                for (index, (name, value)) in after.members().iter().enumerate() {
                    let old = before.get_near(name, index);
                    if old.is_some_and(|old| old.is_shared_with(value)) {
                        continue;
                    }
                    differs |= match old {
                        Some(old) => self.differs(member(name), old, *value, set),
                        None => {
                            add_within(member(name), set);
                            true
                        }
                    };
                }
                for (index, (name, _)) in before.members().iter().enumerate() {
                    if after.get_near(name, index).is_none() {
                        add_within(member(name), set);
                    }
                }
                // Who goes through the members meets them in their order.
                let mut pairs = before.members().iter().zip(after.members());
                if differs || pairs.any(|((before, _), (after, _))| before != after) {
                    add(set, |part| &part.counting);
                    add(set, |part| &part.all);
                    differs = true;
                }
                differs
            }
            (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
                let element = part.and_then(|part| self.parts.get(part.element?));
                let mut differs = false;
                for (before, after) in before.iter().zip(after) {
                    differs |= self.differs(element, *before, *after, set);
                }
                if differs {
                    add(set, |part| &part.all);
                }
                differs
            }
            _ if before == after => false,
            _ => {
                add_within(part, set);
                true
            }
        }
    }
}

impl Concerned<'_> {
    /// Whether the change concerns a policy.
    pub fn includes(&self, policy: &Policy) -> bool {
        let first = self.policies.partition_point(|other| other.name < policy.name);
        let same = self.policies.iter().enumerate().skip(first).find(|(_, other)| std::ptr::eq(*other, policy));
        same.is_none_or(|(position, _)| {
            self.set.get(position / 64).is_none_or(|word| word & (1 << (position % 64)) != 0)
        })
    }
}

fn add_within(part: Option<&Part>, set: &mut Set) {
    if let Some(part) = part {
        set.iter_mut().zip(&part.within).for_each(|(set, who)| *set |= who);
    }
}

fn insert(set: &mut Set, position: usize) {
    let word = position / 64;
    if set.len() <= word {
        set.resize(word + 1, 0);
    }
    if let Some(word) = set.get_mut(word) {
        *word |= 1 << (position % 64);
    }
}

/// What all expressions of a policy look at.
fn reads(policy: &Policy) -> Reads {
    let mut reads = Reads::default();
    // What doesn't compile fails whatever the object is, and who reads a variable looks at what it looks at.
    let read = expressions(policy).into_iter().filter(|of| !matches!(of.place, Place::Variable(_)));
    read.filter_map(|of| of.program.as_ref().ok()).for_each(|program| reads.extend(&program.reads()));
    reads
}
