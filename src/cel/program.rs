//! Compilation: declare an environment, compile a source text in it.

use std::sync::Arc;

use crate::cel::check::check;
use crate::cel::check::env::Declarations;
use crate::cel::check::issues::{Fault, Faults, Issues, Place};
use crate::cel::check::types::Type;
use crate::cel::check::validate::validate;
use crate::cel::plan::{Plan, compile};
use crate::cel::probe::Site;
use crate::cel::reads::{Flow, Reads};
use crate::cel::room::with_room;
use crate::cel::sharing::References;
use crate::cel::syntax::parser::parse;

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
    minor: u32,
    output: Type,
    pub(super) plan: Plan,
    /// The height of its syntax tree: what it may take of the stack.
    pub(super) height: u16,
    /// What it looks at.
    flow: Flow,
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
        let plan = compile(env, &checked, &parsed.expr, source).map_err(|e| at(e.offset, e.message))?;
        let flow = Flow::of(&parsed.expr, &env.variables);
        Ok(Self { source: source.to_owned(), minor: env.minor, output, plan, height: parsed.expr.height, flow })
    }

    /// What it looks at of `object`, its variables included.
    pub fn reads(&self) -> Reads {
        self.flow.reads_with_value()
    }

    pub(super) fn flow(&self) -> &Flow {
        &self.flow
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its parts that report what they give, by their numbers; none unless it was compiled with [`Env::probes`].
    pub fn sites(&self) -> &[Site] {
        &self.plan.sites
    }

    /// The boolean that it gives whatever the inputs are, where its form shows that: `has(object.a) || true`. Looked for
    /// with [`Env::probes`] only.
    pub fn fixed(&self) -> Option<bool> {
        self.plan.fixed
    }

    /// The type of the value.
    pub fn output_type(&self) -> &Type {
        &self.output
    }

    /// Whose libraries it uses: those of Kubernetes 1.`minor`.
    pub(super) fn minor(&self) -> u32 {
        self.minor
    }

    /// The names that it refers to.
    pub(super) fn references(&self) -> &References {
        &self.plan.references
    }
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
