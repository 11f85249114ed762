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

    /// With whom each of a policy's variables shares its value. Of two that are equal the second keeps to itself: the
    /// number tells which variable is meant.
    pub fn variables(&mut self, variables: &[Variable]) -> Vec<Sharing> {
        let mut found = Vec::with_capacity(variables.len());
        for (_, program) in variables {
            let sharing = self.expression(program, variables, &found);
            let is_second = sharing != Sharing::Params && found.contains(&sharing);
            found.push(if is_second { Sharing::Own } else { sharing });
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::cel::{Env, Error, Evaluator, Expect, Inputs};
    use crate::json::{self, Limits};

    const BUDGET: u64 = 10_000_000;

    /// A policy's variables by name and text, and the last of them with its sharing.
    struct Policy {
        variables: Vec<Variable>,
        sharing: Vec<Sharing>,
    }

    impl Policy {
        fn new(sharer: &mut Sharer, texts: &[(&str, &str)]) -> Self {
            let mut env = Env { minor: 36, params: true, ..Env::default() };
            for (name, text) in texts {
                let program = Program::compile(text, &env, Expect::Any).expect("compiles");
                env.variables.push(((*name).to_owned(), Ok(Arc::new(program))));
            }
            let sharing = sharer.variables(&env.variables);
            Self { variables: env.variables, sharing }
        }

        /// The text of what the expression at a position gives, the cost of all, and the variables that were read.
        fn evaluate<'a>(
            &'a self,
            at: usize,
            arena: &'a Arena,
            memo: Option<Memo<'a>>,
            object: json::Value<'a>,
        ) -> (String, u64, Vec<(usize, bool)>) {
            let inputs = Inputs { object, ..Inputs::default() };
            let mut evaluator = Evaluator::new(arena, inputs, &self.variables, BUDGET, None);
            if let Some(memo) = memo {
                evaluator = evaluator.sharing(memo, &self.sharing);
            }
            let program = self.variables[at].1.as_ref().expect("compiles");
            let value = match evaluator.evaluate_shared(program, self.sharing[at]) {
                Ok(value) => format!("{value:?}"),
                Err(Error::Evaluation(text)) => text.into(),
                Err(other) => other.to_string(),
            };
            (value, evaluator.cost(), evaluator.evaluated_variables().collect())
        }
    }

    #[test]
    fn gives_what_evaluating_anew_gives_at_the_same_cost() {
        let texts: &[(&str, &str)] = &[
            ("containers", "object.containers + object.?inits.orValue([])"),
            ("names", "variables.containers.map(c, c.name)"),
            ("again", "object.containers + object.?inits.orValue([])"),
            ("both", "variables.containers.size() + variables.again.size()"),
            ("one", "object.?windows.hasValue() ? variables.names.size() : variables.containers.size()"),
            ("fails", "variables.containers[0].missing == 1"),
            ("never", "variables.fails && true"),
            ("absorbs", "variables.fails || variables.names.size() == 2"),
        ];
        let mut sharer = Sharer::default();
        let policies = [Policy::new(&mut sharer, texts), Policy::new(&mut sharer, texts)];
        assert_eq!(
            sharer.len(),
            texts.len() - 2,
            "equal texts have one number, and who reads the second keeps to itself"
        );
        let document = Arena::new();
        let object = br#"{"containers": [{"name": "a"}, {"name": "b"}]}"#;
        let object = json::parse(&document, object, &Limits::default()).expect("parses");
        for at in (0..texts.len()).chain((0..texts.len()).rev()) {
            let arena = Arena::new();
            let memo = Memo::new(&arena, sharer.len());
            for policy in &policies {
                for other in 0..texts.len() {
                    policy.evaluate(other, &arena, Some(memo), object);
                }
                let anew = policy.evaluate(at, &arena, None, object);
                let (value, cost, read) = policy.evaluate(at, &arena, Some(memo), object);
                assert_eq!((&value, cost), (&anew.0, anew.1), "{}", texts[at].1);
                assert_eq!(read.len(), anew.2.len(), "{}", texts[at].1);
            }
        }
    }

    #[test]
    fn shares_by_text_and_variables_and_only_what_every_policy_sees() {
        let mut sharer = Sharer::default();
        let of = |sharer: &mut Sharer, texts: &[(&str, &str)]| Policy::new(sharer, texts).sharing.pop().unwrap();
        let object = of(&mut sharer, &[("x", "object.a")]);
        assert_eq!(of(&mut sharer, &[("other", "object.a")]), object, "whatever it is called");
        assert_ne!(of(&mut sharer, &[("x", "object.b")]), object);
        let read = of(&mut sharer, &[("x", "object.a"), ("y", "variables.x == 1")]);
        assert_eq!(of(&mut sharer, &[("x", "object.a"), ("z", "variables.x == 1")]), read);
        assert_ne!(of(&mut sharer, &[("x", "object.b"), ("y", "variables.x == 1")]), read, "x is another variable");
        assert_eq!(of(&mut sharer, &[("x", "params.a")]), Sharing::Params);
        for own in ["params.a == object.a", "namespaceObject.metadata.name"] {
            assert_eq!(of(&mut sharer, &[("x", own)]), Sharing::Own, "{own}");
        }
        let read = of(&mut sharer, &[("x", "params.a"), ("y", "variables.x == object.a")]);
        assert_eq!(read, Sharing::Own, "what it reads is another's own");
    }

    #[test]
    fn more_variables_than_are_noted_are_not_shared() {
        let names: Vec<String> = (0..=MAX_VARIABLES).map(|at| format!("v{at}")).collect();
        let texts: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "object.a")).collect();
        let mut sharer = Sharer::default();
        assert_ne!(Policy::new(&mut sharer, &texts[..MAX_VARIABLES]).sharing[0], Sharing::Own);
        assert!(Policy::new(&mut sharer, &texts).sharing.iter().all(|s| *s == Sharing::Own));
    }
}
