//! Attributes: a name, a conditional or any other value, and the chain of look-ups on it.
//!
//! Upstream: `cel-go/interpreter/attributes.go`.

use super::lookup::{element_of, field_of, member_of, not_a_qualifier};
use super::native::{converted, looked_into};
use super::{Local, Machine, Outcome, no_such_overload, sound, stop_if_cancelled};
use crate::cel::function::{Error, Limit};
use crate::cel::plan::node::{Attribute, Base, Key, Node, Qualifier};
use crate::cel::value::{Map, Value};

/// The look-ups that follow a conditional: they go on where the chain of its branch ends.
#[derive(Clone, Copy)]
struct Tail<'t, 'a> {
    qualifiers: &'a [Qualifier],
    next: Option<&'t Tail<'t, 'a>>,
}

impl Tail<'_, '_> {
    fn len(&self) -> usize {
        self.qualifiers.len() + self.next.map_or(0, Tail::len)
    }
}

impl<'a> Machine<'a, '_> {
    /// `own` is whether the attribute itself is charged: as an operand of another attribute it is not, nor is what it
    /// has found of an optional made true or false.
    pub(in crate::cel) fn attribute(&mut self, attribute: &'a Attribute, own: bool) -> Outcome<'a> {
        if let Some((value, cost)) = self.plain_chain(attribute) {
            self.charge(cost + u64::from(own && !attribute.test))?;
            return Ok(match value {
                Value::Optional(found) if own && attribute.test => Value::Bool(found.is_some()),
                value => value,
            });
        }
        let value = self.resolve(attribute, None, attribute.test).and_then(sound);
        if !own {
            return value;
        }
        if !attribute.test {
            if !matches!(attribute.base, Base::Conditional(_)) {
                self.charge_after(&value, 1)?;
            }
            return value;
        }
        if matches!(attribute.base, Base::Conditional(_)) {
            self.uncharge(&value)?;
        }
        Ok(match value? {
            Value::Optional(found) => Value::Bool(found.is_some()),
            other => other,
        })
    }

    /// The value of a name and a chain of plain look-ups in maps and lists, and what they cost: what most attributes
    /// are, in one go. `None` for every other attribute, and where a look-up fails; nothing has been charged then.
    fn plain_chain(&self, attribute: &'a Attribute) -> Option<(Value<'a>, u64)> {
        let last = attribute.qualifiers.last();
        if attribute.test && last.is_none() {
            return None;
        }
        let (mut value, mut cost) = match &attribute.base {
            Base::Global(global) => (self.variables.inputs.document(*global)?.into(), 0),
            Base::Local(slot) => (self.known_local(*slot)?, 0),
            Base::Variable(at) => (self.variables.known(*at)?, 1),
            Base::Node(_) | Base::Conditional(_) => return None,
        };
        let mut optional = false;
        for qualifier in &attribute.qualifiers {
            let found = match (&qualifier.key, value) {
                (Key::Field(field), Value::Map(Map::Json(object))) => object.get(field).map(Value::from),
                (Key::Field(field), Value::Map(Map::Entries(entries))) => entries.get(&Value::String(field)),
                (Key::Node(Node::Attribute(index)), Value::List(list)) => Some(list.get(self.index(index)?)?),
                _ => return None,
            };
            optional |= qualifier.optional;
            let tested = attribute.test && !optional && last.is_some_and(|last| std::ptr::eq(qualifier, last));
            match found {
                found if tested => return Some((Value::Bool(found.is_some()), cost + 1)),
                Some(Value::Opaque(_)) => return None,
                Some(found) => value = found,
                None if optional => return Some((Value::Optional(None), cost)),
                None => return None,
            }
            cost += 1;
        }
        Some((if optional { Value::Optional(Some(self.arena.alloc(value))) } else { value }, cost))
    }

    /// The value of a local that has one, unless it is one to look into.
    fn known_local(&self, slot: usize) -> Option<Value<'a>> {
        match self.locals.get(slot)? {
            Local::Value(Value::Optional(_) | Value::Opaque(_)) => None,
            Local::Value(value) => Some(*value),
            Local::Unset | Local::Lazy(_) | Local::Failed(_) => None,
        }
    }

    /// The position that a loop's variable holds.
    fn index(&self, attribute: &Attribute) -> Option<usize> {
        let Attribute { base: Base::Local(slot), qualifiers, test: false } = attribute else { return None };
        match self.known_local(*slot) {
            Some(Value::Int(index)) if qualifiers.is_empty() => usize::try_from(index).ok(),
            _ => None,
        }
    }

    /// Takes one off the cost: upstream takes back what a presence test costs even where it charged nothing, and below
    /// zero its counter is beyond every limit.
    #[cold]
    fn uncharge(&mut self, outcome: &Outcome<'a>) -> Result<(), Error> {
        stop_if_cancelled(outcome)?;
        self.cost = self.cost.checked_sub(1).ok_or(Error::Cancelled(Limit::Cost))?;
        Ok(())
    }

    /// The value at the end of the chain; of a presence test true or false, or an optional where the chain has met one.
    fn resolve(&mut self, attribute: &'a Attribute, tail: Option<&Tail<'_, 'a>>, test: bool) -> Outcome<'a> {
        let base = match &attribute.base {
            Base::Global(global) => self.global(*global)?,
            Base::Local(slot) => self.local(*slot)?,
            Base::Variable(at) => {
                // With look-ups the test is for the last of them, not for the variable.
                let last = attribute.qualifiers.is_empty() && tail.is_none_or(|tail| tail.len() == 0);
                self.variable(*at, test && last)?
            }
            Base::Node(node) => self.eval(node)?,
            Base::Conditional(parts) => return self.conditional(parts, &attribute.qualifiers, tail, test),
        };
        // What `variables` holds is looked up in it: only what a chain begins with is looked into.
        self.walk(base, matches!(attribute.base, Base::Variable(_)), &attribute.qualifiers, tail, test)
    }

    fn conditional(
        &mut self,
        parts: &'a (Node, Node, Node),
        qualifiers: &'a [Qualifier],
        next: Option<&Tail<'_, 'a>>,
        test: bool,
    ) -> Outcome<'a> {
        let branch = match self.eval(&parts.0)? {
            Value::Bool(true) => &parts.1,
            Value::Bool(false) => &parts.2,
            _ => return no_such_overload(),
        };
        self.branch(branch, &Tail { qualifiers, next }, test)
    }

    fn branch(&mut self, branch: &'a Node, tail: &Tail<'_, 'a>, test: bool) -> Outcome<'a> {
        match branch {
            Node::Probe(probe) => self.reported(probe, |machine| machine.branch(&probe.inner, tail, test)),
            Node::Attribute(inner) if !inner.test => self.resolve(inner, Some(tail), test),
            Node::Attribute(inner) if tail.len() == 0 => self.resolve(inner, None, true),
            other => {
                let base = self.eval(other)?;
                self.walk(base, false, &[], Some(tail), test)
            }
        }
    }

    /// Evaluates a node that is part of an attribute: an attribute is not charged for itself then.
    fn operand(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Attribute(attribute) => self.attribute(attribute, false),
            other => Ok(looked_into(self.arena, self.eval(other)?)),
        }
    }

    /// Follows a chain of look-ups. `inside` is whether others have led to the base.
    fn walk(
        &mut self,
        base: Value<'a>,
        inside: bool,
        qualifiers: &'a [Qualifier],
        tail: Option<&Tail<'_, 'a>>,
        test: bool,
    ) -> Outcome<'a> {
        let mut left = qualifiers.len() + tail.map_or(0, Tail::len);
        if left == 0 {
            return Ok(if inside { base } else { looked_into(self.arena, base) });
        }
        let (mut value, mut optional) = match base {
            base if inside => (base, false),
            Value::Optional(None) => return Ok(base),
            Value::Optional(Some(inner)) => (converted(self.arena, *inner), true),
            other => (other, false),
        };
        let (mut qualifiers, mut tail) = (qualifiers, tail);
        loop {
            for qualifier in qualifiers {
                left -= 1;
                optional |= qualifier.optional;
                let tested = test && left == 0;
                let found = self.qualify(value, qualifier, optional || tested);
                // An optional look-up that finds nothing is free; every other is charged, also when it fails.
                if !optional || matches!(found, Ok(Some(_))) {
                    self.charge_after(&found, 1)?;
                }
                match found? {
                    found if tested && !optional => return Ok(Value::Bool(found.is_some())),
                    Some(found) => value = found,
                    None => return Ok(Value::Optional(None)),
                }
            }
            match tail {
                Some(more) => (qualifiers, tail) = (more.qualifiers, more.next),
                None => break,
            }
        }
        Ok(if optional { Value::Optional(Some(self.arena.alloc(value))) } else { value })
    }

    /// The value at the qualifier; `None` where `presence` says that absence is no error.
    fn qualify(&mut self, of: Value<'a>, by: &'a Qualifier, presence: bool) -> Result<Option<Value<'a>>, Error> {
        match &by.key {
            Key::Field(field) => field_of(of, field, presence),
            Key::Member(field) => member_of(self.arena, of, field, presence),
            Key::Constant(constant) => element_of(of, &constant.value(self.arena)?, presence),
            Key::Node(node) => {
                let key = self.operand(node)?;
                let is_native = matches!(node, Node::Attribute(by) if matches!(by.base, Base::Global(_)));
                let failed = if is_native { not_a_qualifier(&key) } else { None };
                failed.map_or_else(|| element_of(of, &key, presence), Err)
            }
        }
    }
}
