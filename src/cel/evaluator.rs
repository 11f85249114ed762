//! Evaluation: the inputs, the variables with their values so far, the cost against the budget.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use super::authorization::{NoAuthorizer, RequestAuthorizer};
use super::check::env::Global;
use super::cost::EXPRESSION_LIMIT;
use super::eval::{CLOCK_INTERVAL, Local, Machine, stop_if_cancelled};
use super::function::{Error, Limit};
use super::kept::Params;
use super::probe::{Recorder, Scope};
use super::program::{Program, Variable};
use super::sharing::{Known, Memo, Sharing};
use super::value::Value;
use super::value::compare::{renew_visits, visits_are_exhausted};
use crate::json::{self, Arena};

/// The values that an expression sees; `json::Value::Null` for what is absent.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// `object`
    pub object: json::Value<'a>,
    /// `oldObject`
    pub old_object: json::Value<'a>,
    /// `request`, in the shape of AdmissionRequest without object and oldObject.
    pub request: json::Value<'a>,
    /// `params`
    pub params: Params<'a>,
    /// `namespaceObject`
    pub namespace_object: json::Value<'a>,
    /// What `authorizer` is; where there is none, expressions that use it fail.
    pub authorizer: Result<RequestAuthorizer<'a>, NoAuthorizer>,
    /// The values of [`Env::bindings`], in their order.
    pub bindings: &'a [Value<'a>],
}

impl<'a> Inputs<'a> {
    /// The document that a name stands for; `None` for what is none.
    pub(super) fn document(&self, global: Global) -> Option<json::Value<'a>> {
        match global {
            Global::Object => Some(self.object),
            Global::OldObject => Some(self.old_object),
            Global::Request => Some(self.request),
            Global::Params => Some(self.params.value()),
            Global::NamespaceObject => Some(self.namespace_object),
            Global::Extra(_) | Global::Authorizer | Global::RequestResourceAuthorizer | Global::Variables => None,
        }
    }
}

impl Default for Inputs<'_> {
    /// Nothing given, and nobody to ask who may do what: everything is null, `authorizer` is offline.
    fn default() -> Self {
        let null = json::Value::Null;
        Self {
            object: null,
            old_object: null,
            request: null,
            params: null.into(),
            namespace_object: null,
            authorizer: Err(NoAuthorizer::Offline),
            bindings: &[],
        }
    }
}

/// Evaluates the expressions of one policy on one set of inputs: variables are lazy and computed once, cost is
/// added up against a budget.
pub struct Evaluator<'a> {
    store: Store<'a>,
    budget: u64,
}

impl<'a> Evaluator<'a> {
    /// `variables` are the policy's, in the order of [`Env::variables`]; `budget` is the cost that all evaluations
    /// together may reach (each is limited to [`EXPRESSION_LIMIT`] besides); `deadline` stops a running evaluation.
    pub fn new(
        arena: &'a Arena,
        inputs: Inputs<'a>,
        variables: &'a [Variable],
        budget: u64,
        deadline: Option<Instant>,
    ) -> Self {
        Self { store: Store::new(arena, inputs, variables, deadline), budget }
    }

    /// Takes values that are known from `memo`, which has to be of the same object, old object and request, and puts
    /// there what is found. `sharing` is that of the variables.
    #[must_use]
    pub fn sharing(mut self, memo: Memo<'a>, sharing: &'a [Sharing]) -> Self {
        self.store.memo = Some(memo);
        self.store.sharing = sharing;
        self
    }

    /// The same, with the parts of instrumented programs reporting to `recorder`.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Rc<dyn Recorder<'a> + 'a>) -> Self {
        self.store.recorder = Some(recorder);
        self
    }

    /// Evaluates `program`.
    ///
    /// # Errors
    /// The expression's own error, or the limit that stopped it.
    pub fn evaluate(&mut self, program: &'a Program) -> Result<Value<'a>, Error> {
        self.evaluate_shared(program, Sharing::Own)
    }

    /// Evaluates `program`, which shares its value as `sharing` says.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn evaluate_shared(&mut self, program: &'a Program, sharing: Sharing) -> Result<Value<'a>, Error> {
        if self.store.cost > self.budget {
            return Err(Error::Cancelled(Limit::Budget));
        }
        let value = self.store.shared(program, sharing);
        if self.store.cost > self.budget && value.is_ok() {
            return Err(Error::Cancelled(Limit::Budget));
        }
        value
    }

    /// The cost of all evaluations so far.
    pub fn cost(&self) -> u64 {
        self.store.cost
    }

    /// The cost of the last evaluation, without that of the variables which it was the first to read.
    pub fn own_cost(&self) -> u64 {
        self.store.own_cost
    }

    /// The positions of the variables that have been evaluated, with whether their evaluation succeeded.
    pub fn evaluated_variables(&self) -> impl Iterator<Item = (usize, bool)> {
        self.store.values.iter().enumerate().filter_map(|(at, slot)| match slot {
            Slot::Unread => None,
            Slot::Value(_) => Some((at, true)),
            Slot::Failed(_) => Some((at, false)),
        })
    }
}

/// The sum of the heights of expressions in evaluation at once: a variable evaluates within the expression that
/// names it, so long chains of variables would otherwise exhaust the stack.
pub const MAX_NESTED_HEIGHT: u32 = 1_000;

/// What is known of a variable.
#[derive(Clone, Copy, Debug)]
enum Slot<'a> {
    /// Nothing yet: no expression has read it.
    Unread,
    Value(Value<'a>),
    /// The position of its error.
    Failed(usize),
}

/// The variables of a policy and their values so far.
pub(super) struct Store<'a> {
    arena: &'a Arena,
    pub inputs: Inputs<'a>,
    variables: &'a [Variable],
    values: &'a mut [Slot<'a>],
    /// The errors of variables.
    errors: Vec<Error>,
    deadline: Option<Instant>,
    cost: u64,
    /// Of the expression whose evaluation ended last: of a variable first, then of the one that read it.
    own_cost: u64,
    height: u32,
    /// Steps since the clock was last looked at, over all evaluations.
    steps: u32,
    /// The names of the previous evaluation's folds, kept for their memory.
    locals: Vec<Local<'a>>,
    memo: Option<Memo<'a>>,
    /// Of each variable.
    sharing: &'a [Sharing],
    /// The variables that the expression in evaluation has read, as bits by position.
    read: Cell<u64>,
    /// Who is told what parts of instrumented programs give.
    pub recorder: Option<Rc<dyn Recorder<'a> + 'a>>,
    /// Which expression is being evaluated.
    pub scope: Scope,
}

impl<'a> Store<'a> {
    fn new(arena: &'a Arena, inputs: Inputs<'a>, variables: &'a [Variable], deadline: Option<Instant>) -> Self {
        let values = arena.alloc_slice_fill_copy(variables.len(), Slot::Unread);
        // The first step looks at the clock: the deadline may have passed before.
        let steps = CLOCK_INTERVAL;
        Self {
            arena,
            inputs,
            variables,
            values,
            errors: Vec::new(),
            deadline,
            cost: 0,
            height: 0,
            steps,
            own_cost: 0,
            locals: Vec::new(),
            memo: None,
            sharing: &[],
            read: Cell::new(0),
            recorder: None,
            scope: Scope::Expression,
        }
    }

    /// The value of a program that others may have evaluated before.
    fn shared(&mut self, program: &'a Program, sharing: Sharing) -> Result<Value<'a>, Error> {
        let id = match sharing {
            Sharing::Object(id) => id,
            Sharing::Params => return self.of_params(program),
            Sharing::Own => return self.run(program),
        };
        let Some(memo) = self.memo else { return self.run(program) };
        if let Some(known) = memo.get(id) {
            return self.take_shared(known);
        }
        let before = self.read.take();
        let value = self.run(program);
        let read = self.read.replace(before);
        // An error is rare, and has texts of its own.
        if let Ok(value) = value {
            let known = Known { value, cost: self.own_cost, reads: self.numbers(read) };
            memo.set(id, self.arena.alloc(known));
        }
        value
    }

    /// The value of a program that reads nothing but `params`.
    fn of_params(&mut self, program: &'a Program) -> Result<Value<'a>, Error> {
        // Who listens hears of every evaluation.
        let kept = self.inputs.params.kept().filter(|_| self.recorder.is_none());
        let Some(kept) = kept else { return self.run(program) };
        if let Some((value, cost)) = kept.known(program, self.arena) {
            return Ok(self.take(value, cost));
        }
        let value = self.run(program)?;
        kept.keep(program, &value, self.own_cost);
        Ok(value)
    }

    /// Takes a value that is known, and pays for it and for the variables that are read for it.
    fn take_shared(&mut self, known: &'a Known<'a>) -> Result<Value<'a>, Error> {
        for id in known.reads {
            if let Some(at) = self.sharing.iter().position(|sharing| *sharing == Sharing::Object(*id)) {
                // The expression has absorbed the error of a variable, since it has a value.
                stop_if_cancelled(&self.value(at))?;
            }
        }
        Ok(self.take(known.value, known.cost))
    }

    fn take(&mut self, value: Value<'a>, cost: u64) -> Value<'a> {
        self.cost = self.cost.saturating_add(cost);
        self.own_cost = cost;
        value
    }

    /// The numbers of the variables at the positions of `bits`.
    fn numbers(&self, mut bits: u64) -> &'a [u32] {
        if bits == 0 {
            return &[];
        }
        let mut numbers = json::ArenaVec::with_capacity_in(bits.count_ones() as usize, self.arena);
        while bits != 0 {
            if let Some(Sharing::Object(id)) = self.sharing.get(bits.trailing_zeros() as usize) {
                numbers.push(*id);
            }
            bits &= bits - 1;
        }
        numbers.into_bump_slice()
    }

    fn note(&self, at: usize) {
        self.read.set(self.read.get() | 1 << (at % 64));
    }

    fn run(&mut self, program: &'a Program) -> Result<Value<'a>, Error> {
        let height = u32::from(program.height);
        if self.height + height > MAX_NESTED_HEIGHT {
            return Err(Error::new(format!("variables are nested too deep: limit {MAX_NESTED_HEIGHT}")));
        }
        if self.steps >= CLOCK_INTERVAL {
            self.steps = 0;
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Err(Error::Cancelled(Limit::Deadline));
            }
        }
        if self.height == 0 {
            renew_visits();
        }
        self.height += height;
        let mut locals = std::mem::take(&mut self.locals);
        locals.clear();
        locals.resize(program.plan.slots, Local::Unset);
        let mut machine =
            Machine { arena: self.arena, deadline: self.deadline, locals, cost: 0, steps: self.steps, variables: self };
        let value = machine.eval(&program.plan.node);
        let Machine { cost, steps, locals, .. } = machine;
        self.steps = steps;
        self.locals = locals;
        let cost = cost.min(EXPRESSION_LIMIT + 1);
        self.cost = self.cost.saturating_add(cost);
        self.own_cost = cost;
        self.height -= height;
        if visits_are_exhausted() { Err(Error::Cancelled(Limit::Cost)) } else { value }
    }

    /// The value of the variable at a position if it is known already, unless it is one to look into.
    pub fn known(&self, at: usize) -> Option<Value<'a>> {
        self.note(at);
        match self.values.get(at)? {
            Slot::Value(Value::Optional(_) | Value::Opaque(_)) | Slot::Failed(_) | Slot::Unread => None,
            Slot::Value(value) => Some(*value),
        }
    }

    /// The value of the variable at a position.
    pub fn value(&mut self, at: usize) -> Result<Value<'a>, Error> {
        self.note(at);
        match self.values.get(at) {
            Some(Slot::Value(value)) => return Ok(*value),
            Some(Slot::Failed(error)) => {
                if let Some(error) = self.errors.get(*error) {
                    return Err(error.clone());
                }
            }
            Some(Slot::Unread) | None => {}
        }
        let value = match self.variables.get(at) {
            Some((name, Ok(program))) => {
                let sharing = self.sharing.get(at).copied().unwrap_or_default();
                let reader = std::mem::replace(&mut self.scope, Scope::Variable(at));
                let value = self.shared(program, sharing);
                self.scope = reader;
                value.map_err(|error| failed(name, &error))
            }
            Some((name, Err(error))) => {
                Err(Error::new(format!("composited variable \"{name}\" fails to compile: {error}")))
            }
            None => Err(Error::new("no such attribute(s): variables")),
        };
        if let Some(slot) = self.values.get_mut(at) {
            *slot = match &value {
                Ok(value) => Slot::Value(*value),
                Err(error) => {
                    self.errors.push(error.clone());
                    Slot::Failed(self.errors.len() - 1)
                }
            };
        }
        value
    }
}

/// A variable's failure is an error of the expression that uses it, limits included, as upstream has it; only the
/// deadline ends everything.
fn failed(name: &str, error: &Error) -> Error {
    match error {
        Error::Cancelled(limit @ (Limit::Deadline | Limit::Memory | Limit::Budget)) => Error::Cancelled(*limit),
        error => Error::new(format!("composited variable \"{name}\" fails to evaluate: {error}")),
    }
}
