//! A set of policies that is ready to judge requests.

use crate::json::Value;
use crate::policy::model::Policy;
use crate::policy::{Exemptions, Params, is_excluded};
use crate::schema::Definitions;

use super::context::{Context, Phase};
use super::decision::{Decision, Mutated};
use super::effective::{self, Policies};
use super::mutate::{Mutations, mutate};
use super::plan::Plans;
use super::readers::Readers;
use super::record::{Recorder, Target};
use super::request::Request;
use super::subject::Subject;
use super::validate::judge;

/// Policies with their bindings and params, indexed by resource. It doesn't change while it is in use: a reload makes a
/// new one.
#[derive(Debug, Default)]
pub struct PolicySet {
    plans: Plans,
    readers: Readers,
    params: Params,
    exemptions: Exemptions,
    definitions: Definitions,
}

impl PolicySet {
    /// Builds a set from compiled policies, the objects that their bindings' `paramRef`s may refer to, and exemptions.
    pub fn new(policies: Vec<Policy>, params: Params, exemptions: Exemptions) -> Self {
        let plans = Plans::new(policies);
        let readers = Readers::new(plans.policies());
        Self { plans, readers, params, exemptions, definitions: Definitions::default() }
    }

    /// Sets the kinds whose objects apply configurations merge by their definitions; without, only built-in ones are.
    #[must_use]
    pub fn with_kinds(self, definitions: Definitions) -> Self {
        Self { definitions, ..self }
    }

    /// The same set without knowledge of what its policies look at.
    #[cfg(test)]
    pub(super) fn asking_everybody_again(self) -> Self {
        Self { readers: Readers::of_everything(self.policies().len()), ..self }
    }

    /// Learns the kinds that `object` defines if it is a CustomResourceDefinition.
    pub fn learn(&mut self, object: Value<'_>) {
        self.definitions.learn(object);
    }

    /// The policies, sorted by name.
    pub fn policies(&self) -> &[Policy] {
        self.plans.policies()
    }

    /// The objects that `paramRef`s may refer to, unless the context of a review brings others.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The custom resources that apply configurations merge by their definitions, unless the context of a review brings
    /// others.
    pub fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    /// The exemptions.
    pub fn exemptions(&self) -> &Exemptions {
        &self.exemptions
    }

    /// Judges a request: matches, mutates, expands, validates, decides.
    pub fn review<'a>(&'a self, request: &Request<'a>, context: &Context<'a>) -> Decision<'a> {
        if is_excluded(request.resource.group, request.resource.resource) {
            return Decision::default();
        }
        let context = &Context { definitions: context.definitions.or(Some(&self.definitions)), ..*context };
        let mut subject = Subject::new(request, context);
        let exemptions = context.exemptions.unwrap_or(&self.exemptions);
        let mut recorder = Recorder::new(request, context, exemptions);
        let mut mutated = None;
        // Below enforcement nothing was mutated before validation: what would have been done is done here.
        if context.phase != Phase::Validate || !context.mode.mutates() {
            let plan = |subject: &_| self.plans.mutating(subject, &self.params);
            let mutations = mutate(subject, self.policies(), &self.readers, plan);
            if context.phase != Phase::Validate {
                recorder.mutations(&mutations, &Target::Request(mutations.subject.request.object));
                mutated = summary(&mutations);
            }
            subject = mutations.subject;
        }
        if context.phase != Phase::Mutate {
            let planned = self.plans.validating(&subject, &self.params).into_iter();
            let judged = planned.map(|planned| planned.map(|invocation| (invocation, judge(&invocation, &subject))));
            recorder.judged(judged.collect(), &Target::Request(subject.request.object));
            effective::review(
                &Policies { plans: &self.plans, readers: &self.readers, params: &self.params },
                &subject,
                &mut recorder,
            );
        }
        recorder.finish(mutated)
    }
}

/// The object after mutation with each policy that changed it, once.
fn summary<'a>(mutations: &Mutations<'a>) -> Option<Mutated<'a>> {
    let mut policies: Vec<&'a str> = Vec::new();
    for change in &mutations.changes {
        if !policies.contains(&change.policy.name.as_str()) {
            policies.push(&change.policy.name);
        }
    }
    let stored: Value<'a> = mutations.changes.last()?.object;
    Some(Mutated { object: mutations.written, stored, policies })
}
