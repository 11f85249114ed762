//! Compiles the expressions of one policy, each in the environment that its place has upstream.
//!
//! Upstream: `compilePolicy` in `policy/validating/plugin.go` and `policy/mutating/compilation.go` for what is declared
//! where; `validateMatchConditionsExpression` for match conditions, which see no variables.

use std::sync::Arc;

use crate::cel::{Env, Expect, Program, SUPPORTED_MINORS};

use super::decode::Node;
use super::model::Compiled;
use super::problem::Fault;

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `matchConditions[].expression`.
    MatchCondition,
    /// `variables[].expression`.
    Variable,
    /// `validations[].expression`.
    Validation,
    /// `validations[].messageExpression`.
    Message,
    /// `auditAnnotations[].valueExpression`.
    AuditAnnotation,
    /// `mutations[].jsonPatch.expression`.
    JsonPatch,
    /// `mutations[].applyConfiguration.expression`.
    ApplyConfiguration,
}

impl Place {
    /// What an expression there has to give.
    pub fn expects(self) -> Expect {
        match self {
            Place::MatchCondition | Place::Validation => Expect::Bool,
            Place::Variable => Expect::Any,
            Place::Message => Expect::String,
            Place::AuditAnnotation => Expect::StringOrNull,
            Place::JsonPatch => Expect::JsonPatchList,
            Place::ApplyConfiguration => Expect::Object,
        }
    }
}

/// Whose libraries expressions may use. A cluster takes in new policies only what the version before it knew, too, so
/// that it can be rolled back; policies that it has may use all. Upstream: `NewExpressions` and `StoredExpressions` in
/// `cel/environment/environment.go`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Libraries {
    /// Those of Kubernetes 1.`minor`.
    minor: u32,
    /// How many versions pass before a cluster takes them.
    delay: u32,
    /// Whether the parts of expressions report.
    probes: bool,
}

impl Libraries {
    /// What Kubernetes 1.`minor` evaluates.
    pub fn of_stored_expressions(minor: u32) -> Self {
        Self { minor, ..Self::default() }
    }

    /// What Kubernetes 1.`minor` takes in new policies.
    pub fn of_new_expressions(minor: u32) -> Self {
        Self { minor: minor.saturating_sub(1), delay: 1, probes: false }
    }

    /// The same, with expressions whose parts report what they give: for coverage and explanations.
    #[must_use]
    pub fn with_probes(self, probes: bool) -> Self {
        Self { probes, ..self }
    }
}

/// The compiler of one policy: it remembers the variables declared so far.
#[derive(Debug)]
pub struct Compiler {
    env: Env,
    delay: u32,
}

impl Compiler {
    /// A compiler for expressions that use `libraries`; `params` tells whether the policy has a paramKind.
    pub fn new(libraries: Libraries, params: bool) -> Self {
        let Libraries { minor, delay, probes } = libraries;
        Self { env: Env { minor, params, authorizer: true, patch_types: false, probes, ..Env::default() }, delay }
    }

    /// Compiles `source`, which stands at `node`, and reports there what is wrong with it.
    pub fn compile(&mut self, source: &str, place: Place, node: &Node<'_, '_>) -> Compiled {
        self.env.authorizer = place != Place::Message;
        self.env.patch_types = matches!(place, Place::JsonPatch | Place::ApplyConfiguration);
        let hidden = match place {
            Place::MatchCondition => std::mem::take(&mut self.env.variables),
            _ => Vec::new(),
        };
        let compiled = Program::compile(source, &self.env, place.expects());
        let compiled = compiled.map(Arc::new).map_err(|error| {
            let fault = Fault::Expression { message: error.message, line: error.line, column: error.column };
            let text = fault.to_string();
            let advice = self.first_to_admit(source, place).map(|minor| format!("needs Kubernetes 1.{minor}"));
            node.report(fault, advice.unwrap_or_default());
            text
        });
        if place == Place::MatchCondition {
            self.env.variables = hidden;
        }
        compiled
    }

    /// The next Kubernetes 1.x that takes the expression: its libraries may have come later.
    fn first_to_admit(&mut self, source: &str, place: Place) -> Option<u32> {
        let minor = self.env.minor;
        let newer = (minor + 1..=*SUPPORTED_MINORS.end()).find(|newer| {
            self.env.minor = *newer;
            Program::compile(source, &self.env, place.expects()).is_ok()
        });
        self.env.minor = minor;
        newer.map(|newer| newer + self.delay)
    }

    /// Compiles a variable and declares it to the expressions after it.
    pub fn variable(&mut self, name: &str, source: &str, node: &Node<'_, '_>) -> Compiled {
        let compiled = self.compile(source, Place::Variable, node);
        self.env.variables.push((name.to_owned(), compiled.clone()));
        compiled
    }
}
