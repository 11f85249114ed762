//! Evaluates compiled expressions, charging cost as cel-go's tracker does and stopping at every limit.

use std::time::Instant;

use super::authorization::{Asker, Authorization, RequestAuthorizer, Resource};
use super::call::FAILED;
use super::compare::{self, Equality};
use super::cost;
use super::dispatch::text_within;
use super::env::Global;
use super::function::{Error, Limit};
use super::lookup::{check_field, element_of, field_of, member_of};
use super::native::{converted, looked_into};
use super::node::{Attribute, Base, Bind, Item, Key, MapItem, Matches, Node, Qualifier, StructItems};
use super::opaque::Opaque;
use super::program::{Inputs, Store};
use super::text::display;
use super::value::{Entries, KeyError, List, Map, Struct, Value};
use crate::json::Arena;

pub(super) type Outcome<'a> = Result<Value<'a>, Error>;

/// The memory that one evaluator's arena may hold, in bytes; the request's document counts too.
pub const MEMORY_LIMIT: usize = 256 * 1024 * 1024;
/// How many steps go by between two looks at the clock.
pub(super) const CLOCK_INTERVAL: u32 = 1024;

/// The state of evaluating one expression.
pub(super) struct Machine<'a, 'v> {
    pub arena: &'a Arena,
    pub inputs: Inputs<'a>,
    pub variables: &'v mut Store<'a>,
    pub locals: Vec<Local<'a>>,
    pub cost: u64,
    pub deadline: Option<Instant>,
    pub steps: u32,
}

/// A name bound by a fold.
#[derive(Clone, Debug)]
pub(super) enum Local<'a> {
    Unset,
    Value(Value<'a>),
    /// Computed when first used.
    Lazy(&'a Node),
    Failed(Error),
}

/// The error of expressions that use `authorizer` where nothing can answer it.
const NO_AUTHORIZER: &str =
    "no authorizer is available offline: authorization checks need a cluster, or answers given in their place";

pub(super) fn evaluation<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(message))
}

pub(super) fn no_such_overload<T>() -> Result<T, Error> {
    Err(Error::no_such_overload())
}

impl<'a> Machine<'a, '_> {
    /// Adds to the cost; every node passes here, so this is where limits are looked at.
    pub fn charge(&mut self, cost: u64) -> Result<(), Error> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > cost::EXPRESSION_LIMIT {
            return Err(Error::Cancelled(Limit::Cost));
        }
        self.steps += 1;
        if self.steps >= CLOCK_INTERVAL {
            self.steps = 0;
            return self.check_clock_and_memory();
        }
        Ok(())
    }

    #[cold]
    fn check_clock_and_memory(&self) -> Result<(), Error> {
        if self.arena.allocated_bytes() > MEMORY_LIMIT {
            return Err(Error::Cancelled(Limit::Memory));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::Cancelled(Limit::Deadline)),
            _ => Ok(()),
        }
    }

    pub fn eval(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Constant(constant) => constant.value(self.arena),
            Node::Attribute(attribute) => self.attribute(attribute, true),
            Node::Not(operand) => {
                let value = self.eval(operand);
                self.charge_after(&value, 1)?;
                match value? {
                    Value::Bool(b) => Ok(Value::Bool(!b)),
                    _ => no_such_overload(),
                }
            }
            Node::And(terms) => self.logical(terms, false),
            Node::Or(terms) => self.logical(terms, true),
            Node::Equal { operands, negated } => self.equal(&operands.0, &operands.1, *negated),
            Node::InSet(parts) => Ok(Value::Bool(parts.1.contains(&self.eval(&parts.0)?))),
            Node::Matches(matches) => self.matches(matches),
            Node::OptionalOr { operands, unwrap } => match self.eval(&operands.0)? {
                Value::Optional(Some(value)) if *unwrap => sound(*value),
                present @ Value::Optional(Some(_)) => Ok(present),
                Value::Optional(None) => self.eval(&operands.1),
                // What is no optional passes through, as up to Kubernetes 1.36; 1.37 takes it for an error.
                other => Ok(other),
            },
            Node::Call(call) => self.call(call),
            Node::List(items) => self.list(items),
            Node::Map(items) => self.map(items),
            Node::Struct(items) => self.message(items),
            Node::Fold(fold) => self.fold(fold),
            Node::Bind(bind) => self.bind(bind),
        }
    }

    /// Charges what may have failed on the way: upstream charges it all the same, unless the evaluation was stopped.
    pub fn charge_after<T>(&mut self, outcome: &Result<T, Error>, cost: u64) -> Result<(), Error> {
        stop_if_cancelled(outcome)?;
        self.charge(cost)
    }

    /// `&&` (deciding on false) or `||` (deciding on true): a deciding term absorbs the errors of the others.
    fn logical(&mut self, terms: &'a [Node], deciding: bool) -> Outcome<'a> {
        let mut failed = None;
        for term in terms {
            match self.eval(term) {
                Ok(Value::Bool(b)) if b == deciding => return Ok(Value::Bool(deciding)),
                Ok(Value::Bool(_)) => {}
                Ok(_) => failed = failed.or(Some(Error::no_such_overload())),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(Value::Bool(!deciding)), Err)
    }

    fn equal(&mut self, a: &'a Node, b: &'a Node, negated: bool) -> Outcome<'a> {
        let a = self.eval(a);
        stop_if_cancelled(&a)?;
        let b = self.eval(b);
        stop_if_cancelled(&b)?;
        let cost = match (&a, &b) {
            (Ok(Value::Opaque(_)), _) if !negated => 1,
            (Ok(a), Ok(b)) => equality_cost(a, b),
            (Ok(only), Err(_)) | (Err(_), Ok(only)) => equality_cost(only, &FAILED),
            _ => 1,
        };
        self.charge(cost)?;
        let (a, b) = (a?, b?);
        match compare::equality(&a, &b) {
            Equality::Error if !negated => no_such_overload(),
            equality => Ok(Value::Bool((equality == Equality::Equal) != negated)),
        }
    }

    fn matches(&mut self, matches: &'a Matches) -> Outcome<'a> {
        // Upstream charges for no match of a text that failed.
        let text = self.eval(&matches.text)?;
        self.charge(match matches.cost {
            cost::CallCost::Regex => cost::regex(cost::size(&text), matches.pattern_length),
            other => other.charge(&[], None),
        })?;
        match text_within(&text) {
            Some(text) => Ok(Value::Bool(matches.regex.is_match(text))),
            None => no_such_overload(),
        }
    }

    /// `own` is whether the attribute itself is charged: as an operand of another attribute it is not.
    fn attribute(&mut self, attribute: &'a Attribute, own: bool) -> Outcome<'a> {
        // Whether the base is what a chain of look-ups has led to: such an optional is not looked into.
        let mut inside_chain = matches!(attribute.base, Base::Variable(_));
        let base = match &attribute.base {
            Base::Global(global) => Ok(self.global(*global)?),
            Base::Local(slot) => self.local(*slot),
            // With qualifiers the test is for the last of them, not for the variable.
            Base::Variable(at) => self.variable(*at, attribute.test && attribute.qualifiers.is_empty()),
            Base::Conditional(parts) => self.conditional(parts).map(|(value, inside)| {
                inside_chain = inside;
                value
            }),
            Base::Node(node) => self.eval(node),
        };
        stop_if_cancelled(&base)?;
        let value = base.and_then(|base| self.qualify_all(base, attribute, inside_chain)).and_then(sound);
        let charged = own && !attribute.test && !matches!(attribute.base, Base::Conditional(_));
        if charged {
            self.charge_after(&value, 1)?;
        } else if own && attribute.test && matches!(attribute.base, Base::Conditional(_)) {
            self.uncharge(&value)?;
        }
        value
    }

    /// Takes one off the cost: upstream takes back what a presence test costs even where it charged nothing, and below
    /// zero its counter is beyond every limit.
    #[cold]
    fn uncharge(&mut self, outcome: &Outcome<'a>) -> Result<(), Error> {
        stop_if_cancelled(outcome)?;
        self.cost = self.cost.checked_sub(1).ok_or(Error::Cancelled(Limit::Cost))?;
        Ok(())
    }

    fn global(&mut self, global: Global) -> Outcome<'a> {
        Ok(match global {
            Global::Object => self.inputs.object.into(),
            Global::OldObject => self.inputs.old_object.into(),
            Global::Request => self.inputs.request.into(),
            Global::Params => self.inputs.params.into(),
            Global::NamespaceObject => self.inputs.namespace_object.into(),
            Global::Extra(at) => match self.inputs.bindings.get(at) {
                Some(value) => *value,
                None => return evaluation("no such attribute(s)"),
            },
            Global::Authorizer => self.authorizer(|asker, _| Authorization::Authorizer(asker))?,
            Global::RequestResourceAuthorizer => self.authorizer(Authorization::ResourceCheck)?,
            Global::Variables => return evaluation("variables can only be used one by one, as variables.<name>"),
        })
    }

    fn authorizer(&self, value: fn(Asker<'a>, Resource<'a>) -> Authorization<'a>) -> Outcome<'a> {
        let Some(RequestAuthorizer { authorizer, user, resource }) = self.inputs.authorizer else {
            return evaluation(NO_AUTHORIZER);
        };
        let value = value(Asker { authorizer, user }, resource);
        Ok(Value::Opaque(self.arena.alloc(Opaque::Authorization(value))))
    }

    fn variable(&mut self, at: usize, test: bool) -> Outcome<'a> {
        let value = self.variables.value(at);
        // The look-up by name, which the compiler resolved.
        self.charge_after(&value, 1)?;
        let value = value?;
        Ok(if test { Value::Bool(true) } else { value })
    }

    fn local(&mut self, slot: usize) -> Outcome<'a> {
        match self.locals.get(slot) {
            Some(Local::Value(value)) => Ok(*value),
            Some(Local::Failed(error)) => Err(error.clone()),
            Some(Local::Lazy(node)) => {
                let node = *node;
                let value = self.eval(node);
                stop_if_cancelled(&value)?;
                let local = match &value {
                    Ok(value) => Local::Value(*value),
                    Err(error) => Local::Failed(error.clone()),
                };
                self.set(slot, local);
                value
            }
            Some(Local::Unset) | None => evaluation("no such attribute(s)"),
        }
    }

    pub fn set(&mut self, slot: usize, local: Local<'a>) {
        if let Some(place) = self.locals.get_mut(slot) {
            *place = local;
        }
    }

    /// The branch's value, and whether look-ups that are not optional have led to it.
    fn conditional(&mut self, parts: &'a (Node, Node, Node)) -> Result<(Value<'a>, bool), Error> {
        let branch = match self.eval(&parts.0)? {
            Value::Bool(true) => &parts.1,
            Value::Bool(false) => &parts.2,
            _ => return no_such_overload(),
        };
        let inside_chain = match branch {
            Node::Attribute(of) if of.qualifiers.is_empty() => matches!(of.base, Base::Variable(_)),
            Node::Attribute(of) => !of.qualifiers.iter().any(|qualifier| qualifier.optional),
            _ => false,
        };
        Ok((self.operand(branch)?, inside_chain))
    }

    /// Evaluates a node that is part of an attribute: an attribute is not charged for itself then.
    fn operand(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Attribute(attribute) => self.attribute(attribute, false),
            other => Ok(looked_into(self.arena, self.eval(other)?)),
        }
    }

    fn qualify_all(&mut self, base: Value<'a>, attribute: &'a Attribute, inside_chain: bool) -> Outcome<'a> {
        if attribute.qualifiers.is_empty() {
            return Ok(match base {
                // The branch of a conditional has been looked into already.
                Value::Optional(_) if !inside_chain && !matches!(attribute.base, Base::Conditional(_)) => {
                    looked_into(self.arena, base)
                }
                _ => base,
            });
        }
        let (mut value, mut optional) = match base {
            // Upstream unwraps what the chain begins with: for a variable that is the map of variables, not its value.
            base if inside_chain => (base, false),
            Value::Optional(None) if attribute.test => return Ok(Value::Bool(false)),
            Value::Optional(None) => return Ok(base),
            Value::Optional(Some(inner)) => (sound(converted(self.arena, *inner))?, true),
            other => (other, false),
        };
        let last = attribute.qualifiers.len() - 1;
        for (at, qualifier) in attribute.qualifiers.iter().enumerate() {
            optional |= qualifier.optional;
            let test = attribute.test && at == last;
            let found = self.qualify(value, qualifier, optional || test);
            // An optional look-up that finds nothing is free; every other is charged, also when it fails.
            if !optional || matches!(found, Ok(Some(_))) {
                self.charge_after(&found, 1)?;
            }
            match found? {
                found if test => return Ok(Value::Bool(found.is_some())),
                Some(found) => value = found,
                None if attribute.test => return Ok(Value::Bool(false)),
                None => return Ok(Value::Optional(None)),
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
            Key::Node(node) => element_of(of, &self.operand(node)?, presence),
        }
    }

    fn list(&mut self, items: &'a [Item]) -> Outcome<'a> {
        let values = self.items(items);
        self.charge_after(&values, cost::LIST)?;
        Ok(Value::List(List::Values(self.arena.alloc_slice_copy(&values?))))
    }

    fn items(&mut self, items: &'a [Item]) -> Result<Vec<Value<'a>>, Error> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let value = self.eval(&item.value)?;
            if !item.optional {
                values.push(value);
                continue;
            }
            match value {
                Value::Optional(Some(inner)) => values.push(*inner),
                Value::Optional(None) => {}
                other => {
                    return evaluation(format!(
                        "cannot initialize optional list element from non-optional value {}",
                        display(&other)
                    ));
                }
            }
        }
        Ok(values)
    }

    fn map(&mut self, items: &'a [MapItem]) -> Outcome<'a> {
        let entries = self.entries(items);
        self.charge_after(&entries, cost::MAP)?;
        let entries = Entries::new(self.arena, &entries?).map_err(|error| key_error(&error))?;
        Ok(Value::Map(Map::Entries(entries)))
    }

    fn entries(&mut self, items: &'a [MapItem]) -> Result<Vec<(Value<'a>, Value<'a>)>, Error> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let (key, value) = (self.eval(&item.key)?, self.eval(&item.value)?);
            match value {
                Value::Optional(None) if item.optional => {}
                Value::Optional(Some(inner)) if item.optional => entries.push((key, *inner)),
                other if item.optional => return evaluation(not_optional(&display(&key), &other)),
                value => entries.push((key, value)),
            }
        }
        Ok(entries)
    }

    fn message(&mut self, items: &'a StructItems) -> Outcome<'a> {
        let fields = self.fields(items);
        self.charge_after(&fields, cost::STRUCT)?;
        let fields = self.arena.alloc_slice_copy(&fields?);
        Ok(Value::Struct(self.arena.alloc(Struct { type_name: &items.type_name, fields })))
    }

    fn fields(&mut self, items: &'a StructItems) -> Result<Vec<(&'a str, Value<'a>)>, Error> {
        let mut fields: Vec<(&'a str, Value<'a>)> = Vec::with_capacity(items.fields.len());
        for item in &items.fields {
            let value = match self.eval(&item.value)? {
                Value::Optional(None) if item.optional => continue,
                Value::Optional(Some(inner)) if item.optional => *inner,
                other if item.optional => return evaluation(not_optional(&item.name, &other)),
                value => value,
            };
            check_field(&items.type_name, &item.name, &value)?;
            match fields.iter_mut().find(|(name, _)| *name == &*item.name) {
                Some(field) => field.1 = value,
                None => fields.push((&item.name, value)),
            }
        }
        Ok(fields)
    }

    fn bind(&mut self, bind: &'a Bind) -> Outcome<'a> {
        self.set(bind.slot, Local::Lazy(&bind.value));
        self.eval(&bind.body)
    }
}

/// A value, unless it is an error in the place of one.
pub(super) fn sound(value: Value<'_>) -> Outcome<'_> {
    match value {
        Value::Opaque(Opaque::Failed(message)) => evaluation(*message),
        other => Ok(other),
    }
}

/// Passes on what ends the whole evaluation; other errors may still be absorbed.
pub(super) fn stop_if_cancelled<T>(outcome: &Result<T, Error>) -> Result<(), Error> {
    match outcome {
        Err(error) if error.is_final() => Err(error.clone()),
        _ => Ok(()),
    }
}

/// The cost of `==` and `!=` on two values.
fn equality_cost(a: &Value<'_>, b: &Value<'_>) -> u64 {
    match (a, b) {
        (Value::String(a), Value::String(b)) => cost::characters(a).min(cost::characters(b)).div_ceil(10),
        (a, b) => cost::size(a).min(cost::size(b)).div_ceil(10),
    }
}

fn not_optional(entry: &str, value: &Value<'_>) -> String {
    format!("cannot initialize optional entry '{entry}' from non-optional value {}", display(value))
}

/// The error of a map that can't be built.
pub(super) fn key_error(error: &KeyError<'_>) -> Error {
    match error {
        KeyError::Unsupported(key) => Error::new(format!("unsupported key type: {}", key.type_name())),
        KeyError::Repeated(key) => {
            Error::new(format!("insert failed: key {} already exists", super::text::display(key)))
        }
    }
}
