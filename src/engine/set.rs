//! A set of policies that is ready to judge requests.

use std::time::Instant;

use crate::defaulting::default_templated_pod;
use crate::json::Value;
use crate::policy::model::{Policy, Rules};
use crate::policy::{Exemptions, Params};
use crate::schema::Definitions;

use super::context::{Context, Phase};
use super::decision::{Decision, Evaluation, Mutated};
use super::expand::expand;
use super::matching::is_excluded;
use super::mutate::{Mutations, mutate};
use super::plan::{ConfigurationError, Invocation, Plans};
use super::record::{JudgedPod, Recorder};
use super::request::Request;
use super::subject::Subject;
use super::validate::{Judgement, PolicyDecision, validate};

/// Policies with their bindings and params, indexed by resource. It doesn't change while it is in use: a reload makes a
/// new one.
#[derive(Debug, Default)]
pub struct PolicySet {
    plans: Plans,
    params: Params,
    exemptions: Exemptions,
    definitions: Definitions,
}

/// What one policy, binding and param said, or why it could not be asked.
type Judged<'a> = Result<(Invocation<'a>, Judgement<'a>), ConfigurationError<'a>>;

impl PolicySet {
    /// Builds a set from compiled policies, the objects that their bindings' `paramRef`s may refer to, and exemptions.
    pub fn new(policies: Vec<Policy>, params: Params, exemptions: Exemptions) -> Self {
        Self { plans: Plans::new(policies), params, exemptions, definitions: Definitions::default() }
    }

    /// Sets the kinds whose objects apply configurations merge by their definitions; without, only built-in ones are.
    #[must_use]
    pub fn with_kinds(self, definitions: Definitions) -> Self {
        Self { definitions, ..self }
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
        if is_excluded(request.resource) {
            return Decision::default();
        }
        let context = &Context { definitions: context.definitions.or(Some(&self.definitions)), ..*context };
        let mut subject = Subject::new(request, context);
        let mut recorder = Recorder::new(request, context, &self.exemptions);
        let mut mutated = None;
        // Below enforcement nothing was mutated before validation: what would have been done is done here.
        if context.phase != Phase::Validate || !context.mode.mutates() {
            let mutations = mutate(subject, |subject| self.plans.mutating(subject, &self.params));
            if context.phase != Phase::Validate {
                record_mutations(&mut recorder, &mutations, None);
                mutated = summary(&mutations);
            }
            subject = mutations.subject;
        }
        if context.phase != Phase::Mutate {
            record(&mut recorder, self.judge(&subject), None);
            self.review_effective_pod(&subject, &mut recorder);
        }
        recorder.finish(mutated)
    }

    /// Judges the pod that a workload will create, after what mutating policies will make of it.
    fn review_effective_pod<'a>(&'a self, subject: &Subject<'a>, recorder: &mut Recorder<'a>) {
        let Some(mut pod) = expand(subject.arena(), &subject.request) else { return };
        if subject.context().defaulting {
            pod.request.object = default_templated_pod(subject.arena(), pod.request.object);
        }
        let declared = Subject::new(&pod.request, subject.context());
        let mutations = mutate(declared.with_object(pod.request.object), |pod| self.plans.mutating(pod, &self.params));
        let created = mutations.subject.request.object;
        let judged = JudgedPod { origin: pod.origin, declared: pod.request.object, created };
        record_mutations(recorder, &mutations, Some(&judged));
        let after = self.judge(&mutations.subject);
        if !mutations.changes.is_empty() {
            self.record_repairs(&declared, &mutations, &after, recorder, &judged);
        }
        record(recorder, after, Some(&judged));
    }

    /// Records which violations of the declared pod, that would deny it, mutating policies repair.
    fn record_repairs<'a>(
        &'a self,
        declared: &Subject<'a>,
        mutations: &Mutations<'a>,
        after: &[Judged<'a>],
        recorder: &mut Recorder<'a>,
        judged: &JudgedPod<'a>,
    ) {
        for planned in self.plans.validating(declared, &self.params) {
            let Ok(invocation) = planned else { continue };
            let later = after.iter().flatten().find(|(other, _)| other.is_same(&invocation)).map(|(_, later)| later);
            for decision in violations(&judge_one(&invocation, declared)) {
                let persists =
                    |judgement: &Judgement<'a>| violations(judgement).any(|later| later.index == decision.index);
                if !invocation.denies() || later.is_some_and(persists) {
                    continue;
                }
                let repairer = mutations.changes.iter().find(|change| {
                    let repaired = declared.with_object(change.object);
                    !violations(&judge_one(&invocation, &repaired)).any(|later| later.index == decision.index)
                });
                if let Some(change) = repairer {
                    recorder.repaired(&invocation, decision, &change.policy.name, judged);
                }
            }
        }
    }

    /// Judges a subject by every validating policy that matches it.
    fn judge<'a>(&'a self, subject: &Subject<'a>) -> Vec<Judged<'a>> {
        let judge = |invocation| {
            let judgement = judge_one(&invocation, subject);
            (invocation, judgement)
        };
        self.plans.validating(subject, &self.params).into_iter().map(|planned| planned.map(judge)).collect()
    }
}

fn record<'a>(recorder: &mut Recorder<'a>, judged: Vec<Judged<'a>>, pod: Option<&JudgedPod<'a>>) {
    for judged in judged {
        match judged {
            Ok((invocation, judgement)) => recorder.judgement(&invocation, judgement, pod),
            Err(error) => recorder.configuration_error(error, pod),
        }
    }
}

/// Judges a subject by one validating policy, unless nobody waits for the answer any longer.
fn judge_one<'a>(invocation: &Invocation<'a>, subject: &Subject<'a>) -> Judgement<'a> {
    let Rules::Validate { validations, audit_annotations } = &invocation.policy.rules else {
        return Judgement::Skipped;
    };
    if subject.context().deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Judgement::error("the request's timeout had passed before this policy could be evaluated".to_owned());
    }
    validate(invocation, subject, validations, audit_annotations)
}

fn violations<'j, 'a>(judgement: &'j Judgement<'a>) -> impl Iterator<Item = &'j PolicyDecision<'a>> {
    let decisions = match judgement {
        Judgement::Evaluated { decisions, .. } => decisions.as_slice(),
        Judgement::Skipped => &[],
    };
    decisions.iter().filter(|decision| decision.evaluation == Evaluation::Deny)
}

fn record_mutations<'a>(recorder: &mut Recorder<'a>, mutations: &Mutations<'a>, pod: Option<&JudgedPod<'a>>) {
    for invocation in &mutations.applied {
        recorder.pass(invocation);
    }
    for error in &mutations.errors {
        recorder.mutation_error(error, pod);
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
