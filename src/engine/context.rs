//! What a review needs besides the request: the arena, the phase, the mode, the namespaces, the params, the authorizer, the clock.

use std::fmt;
use std::time::{Instant, SystemTime};

use crate::cel::authorization::Authorizer;
use crate::json::{self, Arena};
use crate::policy::{Exemptions, Params};
use crate::schema::Definitions;

use super::decision::Mode;
use super::observe::Observer;

/// Which policies run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Mutating policies, on the request's own object (`/mutate`).
    Mutate,
    /// Validating policies, on the request's object and on the pods that it will create (`/validate`). Below
    /// [`Mode::Enforce`] nothing was mutated before, so what mutating policies would have done is done here first:
    /// the findings are those that enforcing would give.
    Validate,
    /// Both as the API server would: mutate, then validate the result (audit and harness).
    #[default]
    Both,
}

/// Where the engine finds Namespace objects.
pub trait Namespaces: fmt::Debug + Sync {
    /// The Namespace object called `name`, or `None` if there is none.
    ///
    /// The API server refuses a request in a namespace that it doesn't know. Here it is treated as a namespace whose
    /// only label is `kubernetes.io/metadata.name`, because manifests are judged before their namespace exists.
    ///
    /// # Errors
    /// Whether there is one can't be found out: policies that have to know fail by their failure policy.
    fn namespace<'a>(&'a self, arena: &'a Arena, name: &str) -> Result<Option<json::Value<'a>>, String>;
}

/// No namespace is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNamespaces;

impl Namespaces for NoNamespaces {
    fn namespace<'a>(&'a self, _arena: &'a Arena, _name: &str) -> Result<Option<json::Value<'a>>, String> {
        Ok(None)
    }
}

/// What a review needs besides the request.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where the request's documents live and intermediate values are put.
    pub arena: &'a Arena,
    /// Which policies run.
    pub phase: Phase,
    /// How far bindings may act.
    pub mode: Mode,
    /// Namespace objects by name.
    pub namespaces: &'a dyn Namespaces,
    /// The objects that `paramRef`s refer to, in place of those that the policies were loaded with.
    pub params: Option<&'a Params>,
    /// The custom resources that apply configurations merge by their definitions, in place of those that the policies
    /// were loaded with.
    pub definitions: Option<&'a Definitions>,
    /// The exemptions, in place of those that the policies were loaded with.
    pub exemptions: Option<&'a Exemptions>,
    /// Answers `authorizer` in expressions; see [`super::CachingAuthorizer`]. Without one, they fail.
    pub authorizer: Option<&'a dyn Authorizer>,
    /// When nobody waits for the answer any longer; policies not evaluated by then fail by their failure policy.
    pub deadline: Option<Instant>,
    /// The time that exemptions expire by.
    pub now: SystemTime,
    /// Whether the API server's defaults are set on objects that mutating policies changed, and on the pods that
    /// workloads will create. What is asked about has its defaults already, or is meant to have none.
    pub defaulting: bool,
    /// Told of each expression evaluated; `None` costs nothing.
    pub observer: Option<&'a dyn Observer>,
    /// Whether findings say what decided. The policies have to be loaded with probes; what is not satisfied is evaluated
    /// once more then, and all else costs nothing.
    pub explain: bool,
}

impl<'a> Context<'a> {
    /// A context that enforces, runs both phases, sets defaults, and knows no namespaces, no authorizer and no deadline.
    pub fn new(arena: &'a Arena) -> Self {
        Self {
            arena,
            phase: Phase::Both,
            mode: Mode::Enforce,
            namespaces: &NoNamespaces,
            params: None,
            definitions: None,
            exemptions: None,
            authorizer: None,
            deadline: None,
            now: SystemTime::now(),
            defaulting: true,
            observer: None,
            explain: false,
        }
    }
}
