//! The loops that macros compile to, each with the cost of the generic fold that cel-go would run.

use super::dispatch::{go_type, no_overload};
use super::{Local, Machine, evaluation, key_error, no_such_overload};
use crate::cel::cost::LIST;
use crate::cel::function::Error;
use crate::cel::plan::node::{Body, Fold, Insert, Node};
use crate::cel::value::{Entries, List, Map, Value};
use crate::json::ArenaVec;

type Outcome<'a> = Result<Value<'a>, Error>;

/// The accumulator looked up, `@not_strictly_false` called, and the accumulator looked up again in the step.
const ALL_STEP: u64 = 3;
/// As [`ALL_STEP`], with a negation in between.
const EXISTS_STEP: u64 = 4;
/// What the condition alone costs when it ends the loop.
const ALL_END: u64 = 2;
const EXISTS_END: u64 = 3;
/// The accumulator looked up, a list of one created, and both concatenated.
const APPEND: u64 = 12;
/// The accumulator looked up and an insertion into it.
const INSERT: u64 = 2;

/// What a loop runs over.
enum Range<'a> {
    List(List<'a>),
    Map(Map<'a>),
}

impl<'a> Range<'a> {
    fn len(&self) -> usize {
        match self {
            Range::List(list) => list.len(),
            Range::Map(map) => map.len(),
        }
    }

    /// The loop variables at a position: element, or index and element; key, or key and value.
    fn variables(&self, at: usize, two: bool) -> Option<(Value<'a>, Option<Value<'a>>)> {
        match self {
            Range::List(list) if two => Some((Value::Int(at as i64), Some(list.get(at)?))),
            Range::List(list) => Some((list.get(at)?, None)),
            Range::Map(map) => map.entry(at).map(|(key, value)| (key, two.then_some(value))),
        }
    }
}

impl<'a> Machine<'a, '_> {
    pub(in crate::cel) fn fold(&mut self, fold: &'a Fold) -> Outcome<'a> {
        let range = match self.eval(&fold.range)? {
            Value::List(list) => Range::List(list),
            Value::Map(map) => Range::Map(map),
            other if fold.two => {
                return evaluation(format!("unsupported comprehension range type: {}", go_type(&other)));
            }
            other => return evaluation(format!("got '{}', expected iterable type", go_type(&other))),
        };
        match &fold.body {
            Body::All(predicate) => self.quantify(fold, &range, predicate, false),
            Body::Exists(predicate) => self.quantify(fold, &range, predicate, true),
            Body::ExistsOne(predicate) => self.exists_one(fold, &range, predicate),
            Body::Collect { filter, value } => self.collect(fold, &range, filter.as_ref(), value),
            Body::Insert { filter, insert } => self.insert(fold, &range, filter.as_ref(), insert),
        }
    }

    fn enter(&mut self, fold: &Fold, range: &Range<'a>, at: usize) {
        if let Some((first, second)) = range.variables(at, fold.two) {
            self.set(fold.slot, Local::Value(first));
            if let Some(second) = second {
                self.set(fold.slot + 1, Local::Value(second));
            }
        }
    }

    /// `all` (decided by false) and `exists` (decided by true): a deciding element absorbs errors of the others.
    fn quantify(&mut self, fold: &'a Fold, range: &Range<'a>, predicate: &'a Node, deciding: bool) -> Outcome<'a> {
        let (step, end) = if deciding { (EXISTS_STEP, EXISTS_END) } else { (ALL_STEP, ALL_END) };
        let mut failed = None;
        for at in 0..range.len() {
            self.charge(step)?;
            self.enter(fold, range, at);
            match self.eval(predicate) {
                Ok(Value::Bool(b)) if b == deciding => {
                    self.charge(1 + if at + 1 < range.len() { end } else { 0 })?;
                    return Ok(Value::Bool(deciding));
                }
                Ok(Value::Bool(_)) => {}
                Ok(_) => failed = failed.or(Some(Error::no_such_overload())),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.charge(1)?;
        failed.map_or(Ok(Value::Bool(!deciding)), Err)
    }

    fn exists_one(&mut self, fold: &'a Fold, range: &Range<'a>, predicate: &'a Node) -> Outcome<'a> {
        let mut count = 0u64;
        let mut failed = None;
        for at in 0..range.len() {
            self.enter(fold, range, at);
            match self.predicate(predicate) {
                Ok(true) => {
                    self.charge(2)?;
                    count += 1;
                }
                Ok(false) => {}
                Err(error) => failed = Some(self.absorb(failed, error)?),
            }
        }
        self.charge(2)?;
        failed.map_or(Ok(Value::Bool(count == 1)), Err)
    }

    fn collect(&mut self, fold: &'a Fold, range: &Range<'a>, filter: Option<&'a Node>, value: &'a Node) -> Outcome<'a> {
        let mut values = ArenaVec::with_capacity_in(range.len().min(1024), self.arena);
        let mut failed = None;
        // Upstream makes the list of a constant element ahead.
        let append = if matches!(value, Node::Constant(_)) { APPEND - LIST } else { APPEND };
        for at in 0..range.len() {
            self.enter(fold, range, at);
            let kept = match filter.map(|filter| self.predicate(filter)) {
                None | Some(Ok(true)) => {
                    let value = self.eval(value);
                    if matches!(value, Err(Error::Internal(_))) {
                        // The accumulator has been looked up.
                        self.cost += 1;
                    }
                    self.charge_after(&value, append)?;
                    value
                }
                Some(Ok(false)) => continue,
                Some(Err(error)) => Err(error),
            };
            match kept {
                Ok(value) => values.push(value),
                // Upstream carries the error along and goes on; what follows is charged all the same.
                Err(error) => failed = Some(self.absorb(failed, error)?),
            }
        }
        self.charge(1)?;
        match failed {
            Some(error) => Err(error),
            None => Ok(Value::List(List::Values(values.into_bump_slice()))),
        }
    }

    fn insert(
        &mut self,
        fold: &'a Fold,
        range: &Range<'a>,
        filter: Option<&'a Node>,
        insert: &'a Insert,
    ) -> Outcome<'a> {
        let mut entries = Vec::with_capacity(range.len().min(1024));
        let mut failed = None;
        for at in 0..range.len() {
            self.enter(fold, range, at);
            let inserted = match filter.map(|filter| self.predicate(filter)) {
                // Upstream looks no further than the failed accumulator.
                None | Some(Ok(true)) if failed.is_some() && matches!(insert, Insert::Pair { .. }) => {
                    self.charge(1)?;
                    continue;
                }
                None | Some(Ok(true)) => self.insertion(insert, &mut entries),
                Some(Ok(false)) => continue,
                Some(Err(error)) => Err(error),
            };
            if let Err(error) = inserted {
                failed = Some(self.absorb(failed, error)?);
            }
        }
        self.charge(1)?;
        match failed {
            Some(error) => Err(error),
            None => {
                let entries = Entries::distinct(self.arena, &entries).map_err(|error| key_error(&error))?;
                Ok(Value::Map(Map::Entries(entries)))
            }
        }
    }

    fn insertion(&mut self, insert: &'a Insert, entries: &mut Vec<(Value<'a>, Value<'a>)>) -> Result<(), Error> {
        match insert {
            Insert::Pair { key, value } => {
                let key = self.eval(key);
                self.charge_after(&key, 1)?;
                let key = key?;
                let value = self.eval(value);
                self.charge_after(&value, 1)?;
                entries.push((key, value?));
                Ok(())
            }
            Insert::Entries(node) => {
                let map = self.eval(node);
                if matches!(map, Err(Error::Internal(_))) {
                    // The accumulator has been looked up.
                    self.cost += 1;
                }
                self.charge_after(&map, INSERT)?;
                match map? {
                    Value::Map(map) => {
                        entries.extend(map.iter());
                        Ok(())
                    }
                    other => {
                        let so_far = Value::Map(Map::Entries(Entries::default()));
                        Err(no_overload("cel.@mapInsert", &[so_far, other]))
                    }
                }
            }
        }
    }

    fn predicate(&mut self, node: &'a Node) -> Result<bool, Error> {
        match self.eval(node)? {
            Value::Bool(b) => Ok(b),
            _ => no_such_overload(),
        }
    }

    /// Keeps the first error of a loop; a cancelled evaluation ends it.
    fn absorb(&self, first: Option<Error>, error: Error) -> Result<Error, Error> {
        if error.is_final() { Err(error) } else { Ok(first.unwrap_or(error)) }
    }
}
