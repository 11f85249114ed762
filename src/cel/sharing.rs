//! Equal expressions of several policies are evaluated once for one object.
//!
//! Upstream evaluates each policy by itself, and charges each for all that it evaluates. So does this: who takes a value
//! that is known pays what computing it has cost, and the variables that were read on the way count as read.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::json::Arena;

use super::check::env::Global;
use super::program::{Program, Variable};
use super::value::Value;

/// The names that an expression refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct References {
    globals: Vec<Global>,
    /// Variables by position, each once.
    variables: Vec<usize>,
}

impl References {
    pub fn global(&mut self, global: Global) {
        if !self.globals.contains(&global) {
            self.globals.push(global);
        }
    }

    pub fn variable(&mut self, at: usize) {
        if !self.variables.contains(&at) {
            self.variables.push(at);
        }
    }
}

/// With whom an expression shares its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// With nobody.
    #[default]
    Own,
    /// With every expression of this number, for one object, old object and request.
    Object(u32),
    /// With equal expressions, for one object that is `params`.
    Params,
}

/// An expression is read by no more variables than this if it is shared: the bits of what notes them.
const MAX_VARIABLES: usize = 64;

/// Finds out which expressions are equal.
#[derive(Debug, Default)]
pub struct Sharer {
    ids: HashMap<Key, u32>,
}

/// What makes two expressions equal: their text, in one version of the libraries, with variables that are equal.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    minor: u32,
    source: String,
    variables: Vec<(String, u32)>,
}

impl Sharer {
    /// How many different expressions there are that share: their numbers are below.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none shares.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// With whom each of a policy's variables shares its value.
    pub fn variables(&mut self, variables: &[Variable]) -> Vec<Sharing> {
        let mut found = Vec::with_capacity(variables.len());
        for (_, program) in variables {
            let sharing = self.expression(program, variables, &found);
            found.push(sharing);
        }
        found
    }

    /// With whom an expression shares its value that sees `variables`, of which this is known in `sharing`.
    pub fn expression(
        &mut self,
        program: &Result<Arc<Program>, String>,
        variables: &[Variable],
        sharing: &[Sharing],
    ) -> Sharing {
        let Ok(program) = program else { return Sharing::Own };
        let references = program.references();
        if references.globals.as_slice() == [Global::Params] && references.variables.is_empty() {
            return Sharing::Params;
        }
        let is_shared = |global: &Global| {
            matches!(global, Global::Object | Global::OldObject | Global::Request | Global::Variables)
        };
        if variables.len() > MAX_VARIABLES || !references.globals.iter().all(is_shared) {
            return Sharing::Own;
        }
        let mut read = Vec::with_capacity(references.variables.len());
        for at in &references.variables {
            let (Some((name, _)), Some(Sharing::Object(id))) = (variables.get(*at), sharing.get(*at)) else {
                return Sharing::Own;
            };
            read.push((name.clone(), *id));
        }
        let key = Key { minor: program.minor(), source: program.source().to_owned(), variables: read };
        let next = u32::try_from(self.ids.len()).unwrap_or(u32::MAX);
        Sharing::Object(*self.ids.entry(key).or_insert(next))
    }
}

/// The values that are known of one object, old object and request, by the numbers of their expressions.
#[derive(Clone, Copy, Debug)]
pub struct Memo<'a> {
    known: &'a [Cell<Option<&'a Known<'a>>>],
}

/// A value, and what computing it takes.
#[derive(Debug)]
pub(super) struct Known<'a> {
    pub value: Value<'a>,
    /// Without that of the variables.
    pub cost: u64,
    /// The numbers of the variables that are read for it.
    pub reads: &'a [u32],
}

impl<'a> Memo<'a> {
    /// Room for the values of `count` expressions, of which none is known yet.
    pub fn new(arena: &'a Arena, count: usize) -> Self {
        Self { known: arena.alloc_slice_fill_with(count, |_| Cell::new(None)) }
    }

    pub(super) fn get(&self, id: u32) -> Option<&'a Known<'a>> {
        self.known.get(id as usize)?.get()
    }

    pub(super) fn set(&self, id: u32, known: &'a Known<'a>) {
        if let Some(slot) = self.known.get(id as usize) {
            slot.set(Some(known));
        }
    }
}
