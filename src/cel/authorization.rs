//! What `authorizer` stands for in expressions, and what answers it. The functions are in `library::authz`.
//!
//! Knows no cluster: whoever evaluates brings an [`Authorizer`].
//!
//! Upstream: `k8s.io/apiserver/pkg/cel/library/authz.go`.

use std::fmt;

use crate::json;

use crate::cel::function::Error;

/// Answers whether a user may do something. Upstream: `authorizer.Authorizer`.
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Answers one check.
    ///
    /// # Errors
    /// No answer can be had, which is an error of the expression; or the time until one is needed has passed, which
    /// ends the evaluation. An authorizer's own error is no error here but part of the answer, as upstream has it.
    fn authorize(&self, check: &Check<'_>) -> Result<Answer, Error>;
}

/// What an authorizer says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is allowed; a denial and no opinion are both `false`.
    pub allowed: bool,
    /// Why.
    pub reason: String,
    /// What went wrong on the way to the decision.
    pub error: Option<String>,
}

/// What is asked: may `user` do `verb` to `target`? Upstream: `authorizer.AttributesRecord`.
#[derive(Clone, Copy, Debug)]
pub struct Check<'a> {
    /// Who, in the shape of `request.userInfo`.
    pub user: json::Value<'a>,
    /// A verb of the API, or an HTTP method in lower case.
    pub verb: &'a str,
    /// To what.
    pub target: Target<'a>,
}

/// What would be acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A path that is no resource, `/healthz` for example.
    Path(&'a str),
    /// A resource, in any version.
    Resource(Resource<'a>),
}

/// A resource; what is empty is not asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// The plural name.
    pub resource: &'a str,
    /// For example `status`.
    pub subresource: &'a str,
    /// Empty for cluster-scoped resources, and for all namespaces.
    pub namespace: &'a str,
    /// Empty for all names.
    pub name: &'a str,
    /// As written in the expression.
    pub field_selector: &'a str,
    /// As written in the expression.
    pub label_selector: &'a str,
}

/// What `authorizer` and `authorizer.requestResource` are for one request.
#[derive(Clone, Copy, Debug)]
pub struct RequestAuthorizer<'a> {
    /// What answers.
    pub authorizer: &'a dyn Authorizer,
    /// Who made the request, in the shape of `request.userInfo`.
    pub user: json::Value<'a>,
    /// What the request is about.
    pub resource: Resource<'a>,
}

/// Why `authorizer` has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAuthorizer {
    /// Nothing can answer.
    Offline,
    /// Upstream declares it, but gives it no value: in audit annotations, and in variables that they and message
    /// expressions use.
    Unbound,
}

impl NoAuthorizer {
    /// The error of an expression that uses `name`.
    pub fn error(self, name: &str) -> Error {
        Error::new(match self {
            NoAuthorizer::Offline => "no authorizer is available offline: authorization checks need a cluster, or \
                                      answers given in their place"
                .to_owned(),
            NoAuthorizer::Unbound => format!("no such attribute(s): {name}"),
        })
    }
}

/// A value of one of the library's types.
#[derive(Clone, Copy, Debug)]
pub enum Authorization<'a> {
    /// `kubernetes.authorization.Authorizer`
    Authorizer(Asker<'a>),
    /// `kubernetes.authorization.PathCheck`
    PathCheck(Asker<'a>, &'a str),
    /// `kubernetes.authorization.GroupCheck`
    GroupCheck(Asker<'a>, &'a str),
    /// `kubernetes.authorization.ResourceCheck`
    ResourceCheck(Asker<'a>, Resource<'a>),
    /// `kubernetes.authorization.Decision`
    Decision(Decision<'a>),
}

/// Who is asked about whom.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// What answers.
    pub authorizer: &'a dyn Authorizer,
    /// About whom, in the shape of `request.userInfo`.
    pub user: json::Value<'a>,
}

/// An [`Answer`] as a value.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Why.
    pub reason: &'a str,
    /// What went wrong.
    pub error: Option<&'a str>,
}

impl PartialEq for Authorization<'_> {
    /// Upstream's values equal nothing, not even themselves.
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Authorization<'_> {
    /// The CEL name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Authorization::Authorizer(_) => "kubernetes.authorization.Authorizer",
            Authorization::PathCheck(..) => "kubernetes.authorization.PathCheck",
            Authorization::GroupCheck(..) => "kubernetes.authorization.GroupCheck",
            Authorization::ResourceCheck(..) => "kubernetes.authorization.ResourceCheck",
            Authorization::Decision(_) => "kubernetes.authorization.Decision",
        }
    }
}
