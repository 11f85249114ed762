//! The interface to the rest of the house: declare an environment, compile a source text, evaluate it on inputs.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::json::{self, Arena};

use crate::cel::authorization::{NoAuthorizer, RequestAuthorizer};
use crate::cel::check::check;
use crate::cel::check::env::{Declarations, Global};
use crate::cel::check::issues::{Fault, Faults, Issues, Place};
use crate::cel::check::types::Type;
use crate::cel::check::validate::validate;
use crate::cel::cost::EXPRESSION_LIMIT;
use crate::cel::eval::{CLOCK_INTERVAL, Local, Machine};
use crate::cel::function::{Error, Limit};
use crate::cel::plan::node::Node;
use crate::cel::plan::{Plan, compile};
use crate::cel::probe::{Recorder, Scope, Site};
use crate::cel::syntax::parser::parse;
use crate::cel::value::Value;
use crate::cel::value::compare::{renew_visits, visits_are_exhausted};

/// A policy's variable: its name, and its program or why there is none.
pub type Variable = (String, Result<Arc<Program>, String>);

/// What an expression may refer to.
#[derive(Clone, Debug, Default)]
pub struct Env {
    /// Kubernetes 1.`minor`, which selects libraries and overloads.
    pub minor: u32,
    /// Whether `params` is declared (policies with a paramKind).
    pub params: bool,
    /// Whether `authorizer` is declared.
    pub authorizer: bool,
    /// Whether `Object{…}` and `JSONPatch{…}` may be written (mutations).
    pub patch_types: bool,
    /// `variables.<name>`: the variables declared so far, in order.
    pub variables: Vec<Variable>,
    /// Further variables, beyond those of admission, with their types.
    pub bindings: Vec<(String, Type)>,
    /// What is known of the fields of `object`, `oldObject` and `params`; without it they are `dyn`.
    pub declarations: Option<Arc<dyn Declarations>>,
    /// Whether the parts of programs report to a recorder; see [`probe`](crate::cel::probe). Values, errors and costs are the same.
    pub probes: bool,
}

/// The result types that a place allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Any type (variables).
    Any,
    /// `bool` (validations, match conditions).
    Bool,
    /// `string` (messageExpression).
    String,
    /// `string` or null (audit annotations).
    StringOrNull,
    /// `list(JSONPatch)`.
    JsonPatchList,
    /// `Object`.
    Object,
}

/// A checked and compiled expression.
#[derive(Debug)]
pub struct Program {
    source: String,
    output: Type,
    node: Node,
    /// How many names its folds bind at once.
    slots: usize,
    /// The height of its syntax tree: what it may take of the stack.
    height: u16,
    /// The parts that report.
    sites: Vec<Site>,
    fixed: Option<bool>,
}

/// Why a source text is not a valid expression of its environment; positions are 1-based lines and columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// One line of text, in upstream's words where upstream has them.
    pub message: String,
    /// Line in the source, from 1.
    pub line: usize,
    /// Column in the line in characters, from 1.
    pub column: usize,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "compilation failed: {}:{}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for CompileError {}

impl CompileError {
    pub(super) fn at(source: &str, offset: u32, message: String) -> Self {
        let Place { line, column } = Place::of(source, offset);
        Self { message, line, column }
    }
}

/// A text of at most this many bytes can't nest deep enough to need more than an ordinary stack.
const SHORT_SOURCE: usize = 256;
/// Room for the parser and the checker at their depth limits, in bytes.
const COMPILER_STACK: usize = 32 * 1024 * 1024;

impl Program {
    /// Parses, checks and compiles `source`.
    ///
    /// # Errors
    /// The first error with its place, or a result type that `expect` does not allow.
    pub fn compile(source: &str, env: &Env, expect: Expect) -> Result<Self, CompileError> {
        with_room(source, || Self::compile_here(source, env, expect), |failure| CompileError::at(source, 0, failure))
    }

    /// The type of `source`, which is parsed and checked only.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn type_check(source: &str, env: &Env) -> Result<Type, Issues> {
        let check = || {
            let parsed = parse(source, env.minor).map_err(|e| Fault { message: e.message, offset: e.offset })?;
            let checked = check(env, &parsed.expr, parsed.next_id)?;
            validate(&checked, &parsed.expr)?;
            Ok(checked.type_of(&parsed.expr).clone())
        };
        let checked = with_room(source, check, |message| Faults::from(Fault { message, offset: 0 }));
        checked.map_err(|faults| Issues::new(source, &faults))
    }

    fn compile_here(source: &str, env: &Env, expect: Expect) -> Result<Self, CompileError> {
        let at = |offset, message| CompileError::at(source, offset, message);
        let parsed = parse(source, env.minor).map_err(|e| at(e.offset, e.message))?;
        let first = |faults: Faults| {
            let fault = faults.first().cloned().unwrap_or(Fault { message: String::new(), offset: 0 });
            at(fault.offset, fault.message)
        };
        let checked = check(env, &parsed.expr, parsed.next_id).map_err(first)?;
        validate(&checked, &parsed.expr).map_err(first)?;
        let output = checked.type_of(&parsed.expr).clone();
        expect.allows(&output).map_err(|message| at(0, message))?;
        let Plan { node, slots, sites, fixed } =
            compile(env, &checked, &parsed.expr, source).map_err(|e| at(e.offset, e.message))?;
        Ok(Self { source: source.to_owned(), output, node, slots, height: parsed.expr.height, sites, fixed })
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its parts that report what they give, by their numbers; none unless it was compiled with [`Env::probes`].
    pub fn sites(&self) -> &[Site] {
        &self.sites
    }

    /// The boolean that it gives whatever the inputs are, where its form shows that: `has(object.a) || true`. Looked for
    /// with [`Env::probes`] only.
    pub fn fixed(&self) -> Option<bool> {
        self.fixed
    }

    /// The type of the value.
    pub fn output_type(&self) -> &Type {
        &self.output
    }
}

/// Runs a part of the compiler on `source` with enough stack for it.
pub(super) fn with_room<T: Send, E: Send>(
    source: &str,
    run: impl FnOnce() -> Result<T, E> + Send,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    if source.len() <= SHORT_SOURCE {
        return run();
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(COMPILER_STACK).spawn_scoped(scope, run);
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(failed("the compiler panicked on this expression".to_owned())),
            Err(_) => Err(failed("no thread could be started to compile this expression".to_owned())),
        }
    })
}

impl Expect {
    fn allows(self, output: &Type) -> Result<(), String> {
        let object = |name: &str| Type::Struct(name.into());
        let allowed = match self {
            Expect::Any => return Ok(()),
            Expect::Bool => vec![Type::Bool],
            Expect::String => vec![Type::String],
            Expect::StringOrNull => vec![Type::String, Type::Null],
            Expect::JsonPatchList => vec![Type::list(object("JSONPatch"))],
            Expect::Object => vec![object("Object")],
        };
        if allowed.contains(output) {
            return Ok(());
        }
        match allowed.as_slice() {
            [one] => Err(format!("must evaluate to {one} but got {output}")),
            several => {
                let several: Vec<_> = several.iter().map(ToString::to_string).collect();
                Err(format!("must evaluate to one of [{}] but got {output}", several.join(" ")))
            }
        }
    }
}

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
    pub params: json::Value<'a>,
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
            Global::Params => Some(self.params),
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
            params: null,
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
        if self.store.cost > self.budget {
            return Err(Error::Cancelled(Limit::Budget));
        }
        let value = self.store.run(program);
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
        self.store.values.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_ref()?.is_ok())))
    }
}

/// The sum of the heights of expressions in evaluation at once: a variable evaluates within the expression that
/// names it, so long chains of variables would otherwise exhaust the stack.
pub const MAX_NESTED_HEIGHT: u32 = 1_000;

/// The variables of a policy and their values so far.
pub(super) struct Store<'a> {
    arena: &'a Arena,
    pub inputs: Inputs<'a>,
    variables: &'a [Variable],
    values: Vec<Option<Result<Value<'a>, Error>>>,
    deadline: Option<Instant>,
    cost: u64,
    /// Of the expression whose evaluation ended last: of a variable first, then of the one that read it.
    own_cost: u64,
    height: u32,
    /// Steps since the clock was last looked at, over all evaluations.
    steps: u32,
    /// The names of the previous evaluation's folds, kept for their memory.
    locals: Vec<Local<'a>>,
    /// Who is told what parts of instrumented programs give.
    pub recorder: Option<Rc<dyn Recorder<'a> + 'a>>,
    /// Which expression is being evaluated.
    pub scope: Scope,
}

impl<'a> Store<'a> {
    fn new(arena: &'a Arena, inputs: Inputs<'a>, variables: &'a [Variable], deadline: Option<Instant>) -> Self {
        let values = vec![None; variables.len()];
        // The first step looks at the clock: the deadline may have passed before.
        let steps = CLOCK_INTERVAL;
        Self {
            arena,
            inputs,
            variables,
            values,
            deadline,
            cost: 0,
            height: 0,
            steps,
            own_cost: 0,
            locals: Vec::new(),
            recorder: None,
            scope: Scope::Expression,
        }
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
        locals.resize(program.slots, Local::Unset);
        let mut machine =
            Machine { arena: self.arena, deadline: self.deadline, locals, cost: 0, steps: self.steps, variables: self };
        let value = machine.eval(&program.node);
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
        match self.values.get(at)? {
            Some(Ok(Value::Optional(_) | Value::Opaque(_))) | Some(Err(_)) | None => None,
            Some(Ok(value)) => Some(*value),
        }
    }

    /// The value of the variable at a position.
    pub fn value(&mut self, at: usize) -> Result<Value<'a>, Error> {
        if let Some(Some(known)) = self.values.get(at) {
            return known.clone();
        }
        let value = match self.variables.get(at) {
            Some((name, Ok(program))) => {
                let reader = std::mem::replace(&mut self.scope, Scope::Variable(at));
                let value = self.run(program);
                self.scope = reader;
                value.map_err(|error| failed(name, &error))
            }
            Some((name, Err(error))) => {
                Err(Error::new(format!("composited variable \"{name}\" fails to compile: {error}")))
            }
            None => Err(Error::new("no such attribute(s): variables")),
        };
        if let Some(slot) = self.values.get_mut(at) {
            *slot = Some(value.clone());
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
