//! Evaluates compiled expressions, charging cost as cel-go's tracker does and stopping at every limit.

mod attribute;
pub(in crate::cel) mod call;
pub(in crate::cel) mod dispatch;
mod fold;
pub(in crate::cel) mod lookup;
mod native;
mod probe;

use std::time::Instant;

use self::call::FAILED;
use self::dispatch::{go_type, text_within};
use self::lookup::check_field;
use crate::cel::authorization::{Asker, Authorization, RequestAuthorizer, Resource};
use crate::cel::check::env::Global;
use crate::cel::cost;
use crate::cel::evaluator::Store;
use crate::cel::function::{Error, Limit};
use crate::cel::plan::node::{Bind, Constant, Item, MapItem, Matches, Node, StructItems};
use crate::cel::value::compare::{self, Equality};
use crate::cel::value::opaque::Opaque;
use crate::cel::value::text::{display, printed};
use crate::cel::value::{Entries, KeyError, List, Map, Struct, Value, is_one_key};
use crate::json::{Arena, ArenaVec};

pub(in crate::cel) type Outcome<'a> = Result<Value<'a>, Error>;

/// How many steps go by between two looks at the clock.
pub(in crate::cel) const CLOCK_INTERVAL: u32 = 1024;

/// The state of evaluating one expression.
pub(in crate::cel) struct Machine<'a, 'v> {
    pub arena: &'a Arena,
    pub variables: &'v mut Store<'a>,
    pub locals: Vec<Local<'a>>,
    pub cost: u64,
    pub deadline: Option<Instant>,
    pub steps: u32,
}

/// A name bound by a fold.
#[derive(Clone, Debug)]
pub(in crate::cel) enum Local<'a> {
    Unset,
    Value(Value<'a>),
    /// Computed when first used.
    Lazy(&'a Node),
    Failed(Error),
}

pub(in crate::cel) fn evaluation<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(message))
}

pub(in crate::cel) fn no_such_overload<T>() -> Result<T, Error> {
    Err(Error::no_such_overload())
}

impl<'a> Machine<'a, '_> {
    /// Adds to the cost. Every loop and every call passes here, constants and names that are slots don't, so this is where
    /// limits are looked at.
    pub fn charge(&mut self, cost: u64) -> Result<(), Error> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > cost::EXPRESSION_LIMIT {
            return Err(Error::Cancelled(Limit::Cost));
        }
        self.steps = self.steps.saturating_add(1);
        if self.steps >= CLOCK_INTERVAL {
            self.steps = 0;
            return self.check_clock_and_memory();
        }
        Ok(())
    }

    /// Brings the next look at the clock and the memory nearer, for what takes time or memory and has no cost.
    pub fn pace(&mut self, steps: usize) {
        self.steps = self.steps.saturating_add(u32::try_from(steps).unwrap_or(CLOCK_INTERVAL)).min(CLOCK_INTERVAL);
    }

    #[cold]
    fn check_clock_and_memory(&self) -> Result<(), Error> {
        if !self.arena.fits(0) {
            return Err(Error::Cancelled(Limit::Memory));
        }
        if compare::visits_are_exhausted() {
            return Err(Error::Cancelled(Limit::Cost));
        }
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(Error::Cancelled(Limit::Deadline)),
            _ => Ok(()),
        }
    }

    pub fn eval(&mut self, node: &'a Node) -> Outcome<'a> {
        match node {
            Node::Constant(constant) => {
                if matches!(constant, Constant::List(_) | Constant::Map(_)) {
                    self.pace(constant.elements());
                }
                constant.value(self.arena)
            }
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
            Node::Probe(probe) => self.probe(probe),
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

    pub(in crate::cel) fn global(&mut self, global: Global) -> Outcome<'a> {
        if let Some(document) = self.variables.inputs.document(global) {
            return Ok(document.into());
        }
        Ok(match global {
            Global::Extra(at) => match self.variables.inputs.bindings.get(at) {
                Some(value) => *value,
                None => return evaluation("no such attribute(s)"),
            },
            Global::Authorizer => self.authorizer("authorizer", |asker, _| Authorization::Authorizer(asker))?,
            Global::RequestResourceAuthorizer => {
                self.authorizer("authorizer.requestResource", Authorization::ResourceCheck)?
            }
            // Of what is no document, there is nothing else left.
            _ => return evaluation("variables can only be used one by one, as variables.<name>"),
        })
    }

    fn authorizer(&self, name: &str, value: fn(Asker<'a>, Resource<'a>) -> Authorization<'a>) -> Outcome<'a> {
        let RequestAuthorizer { authorizer, user, resource } =
            self.variables.inputs.authorizer.map_err(|none| none.error(name))?;
        let value = value(Asker { authorizer, user }, resource);
        Ok(Value::Opaque(self.arena.alloc(Opaque::Authorization(value))))
    }

    pub(in crate::cel) fn variable(&mut self, at: usize, test: bool) -> Outcome<'a> {
        let value = self.variables.value(at);
        // The look-up by name, which the compiler resolved.
        self.charge_after(&value, 1)?;
        let value = value?;
        Ok(if test { Value::Bool(true) } else { value })
    }

    pub(in crate::cel) fn local(&mut self, slot: usize) -> Outcome<'a> {
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

    fn list(&mut self, items: &'a [Item]) -> Outcome<'a> {
        let values = self.items(items);
        self.charge_after(&values, cost::LIST)?;
        Ok(Value::List(List::Values(values?)))
    }

    fn items(&mut self, items: &'a [Item]) -> Result<&'a [Value<'a>], Error> {
        let mut values = ArenaVec::with_capacity_in(items.len(), self.arena);
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
                        printed(&other)
                    ));
                }
            }
        }
        self.pace(items.len());
        Ok(values.into_bump_slice())
    }

    fn map(&mut self, items: &'a [MapItem]) -> Outcome<'a> {
        let arena = self.arena;
        let map = self.entries(items).and_then(|entries| Entries::new(arena, &entries).map_err(|e| key_error(&e)));
        self.charge_after(&map, cost::MAP)?;
        Ok(Value::Map(Map::Entries(map?)))
    }

    fn entries(&mut self, items: &'a [MapItem]) -> Result<Vec<(Value<'a>, Value<'a>)>, Error> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            let (key, value) = (self.eval(&item.key)?, self.eval(&item.value)?);
            match value {
                // Upstream takes out what an entry before has put there.
                Value::Optional(None) if item.optional => entries.retain(|(other, _)| !is_one_key(other, &key)),
                Value::Optional(Some(inner)) if item.optional => entries.push((key, *inner)),
                other if item.optional => return evaluation(not_optional(&display(&key), &other)),
                value => entries.push((key, value)),
            }
        }
        self.pace(items.len());
        Ok(entries)
    }

    fn message(&mut self, items: &'a StructItems) -> Outcome<'a> {
        let fields = self.fields(items);
        self.charge_after(&fields, cost::STRUCT)?;
        let fields = self.arena.alloc_slice_copy(&fields?);
        Ok(Value::Struct(self.arena.alloc(Struct { type_name: &items.type_name, fields })))
    }

    fn fields(&mut self, items: &'a StructItems) -> Result<Vec<(&'a str, Value<'a>)>, Error> {
        let mut fields: Vec<Option<(&'a str, Value<'a>)>> = vec![None; items.fields.len()];
        for item in &items.fields {
            let value = match self.eval(&item.value)? {
                Value::Optional(inner) if item.optional => inner.copied(),
                other if item.optional => return evaluation(not_optional(&item.name, &other)),
                value => Some(value),
            };
            // Of two fields with one name the last counts; one that holds nothing takes the first away.
            if let Some(field) = fields.get_mut(item.slot) {
                *field = value.map(|value| (&*item.name, value));
            }
        }
        self.pace(items.fields.len());
        let fields: Vec<_> = fields.into_iter().flatten().collect();
        for (name, value) in &fields {
            check_field(&items.type_name, name, value)?;
        }
        Ok(fields)
    }

    fn bind(&mut self, bind: &'a Bind) -> Outcome<'a> {
        self.set(bind.slot, Local::Lazy(&bind.value));
        self.eval(&bind.body)
    }
}

/// A value, unless it is an error in the place of one.
pub(in crate::cel) fn sound(value: Value<'_>) -> Outcome<'_> {
    match value {
        Value::Opaque(Opaque::Failed(message)) => evaluation(*message),
        other => Ok(other),
    }
}

/// Passes on what ends the whole evaluation; other errors may still be absorbed.
pub(in crate::cel) fn stop_if_cancelled<T>(outcome: &Result<T, Error>) -> Result<(), Error> {
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
    format!("cannot initialize optional entry '{entry}' from non-optional value {}", printed(value))
}

/// The error of a map that can't be built.
pub(in crate::cel) fn key_error(error: &KeyError<'_>) -> Error {
    match error {
        KeyError::Unhashable(key) => {
            Error::internal(format!("runtime error: hash of unhashable type {}", go_type(key)))
        }
        KeyError::Repeated(key) => Error::new(format!("insert failed: key {} already exists", printed(key))),
    }
}
