//! The review of the pod that a workload will create.
//!
//! A workload that is updated replaces its pods if its template changes, and only then. So a template that stays is not
//! judged again: scaling, suspending, labels, finalizers and what controllers note never fail for a template that was
//! accepted before, or was there before the policies were. A changed template is judged as if its pod were updated:
//! policies see the old template's pod as `oldObject`, and their own conditions decide.

use crate::defaulting::{default, default_templated_pod};
use crate::json::Value;
use crate::policy::Params;

use super::context::Context;
use super::expand::{EffectivePod, expand};
use super::matching::selected_by;
use super::mutate::{Change, Mutations, mutate};
use super::plan::{ConfigurationError, Invocation, Plans};
use super::readers::{Concerned, Readers};
use super::record::{JudgedPod, Recorder, Target};
use super::request::Request;
use super::subject::Subject;
use super::validate::{Judged, Judgement, judge};

/// The policies that a pod meets.
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    /// All of them.
    pub plans: &'a Plans,
    /// What they look at.
    pub readers: &'a Readers,
    /// Their params, unless the context brings others.
    pub params: &'a Params,
}

/// Judges the pod that a workload will create, after what mutating policies will make of it.
pub fn review<'a>(policies: &Policies<'a>, subject: &Subject<'a>, recorder: &mut Recorder<'a>) {
    let (arena, context) = (subject.arena(), subject.context());
    let Some(EffectivePod { request, old, origin }) = expand(arena, &subject.request) else { return };
    let complete = |pod| if context.defaulting { default_templated_pod(arena, pod) } else { pod };
    let (declared, old) = (complete(request.object), old.map(complete));
    if old.is_some_and(|old| is_same(context, &request, old, declared)) {
        return;
    }
    let created =
        |object, context: &Context<'a>| policies.mutate(Subject::new(&Request { object, ..request }, context));
    let mutations = created(declared, context);
    // Coverage is of the pod that is asked about.
    let old_created = old.map(|old| created(old, &Context { observer: None, ..*context }).subject.request.object);
    let judged = JudgedPod { origin, declared, created: mutations.subject.request.object };
    let target = Target::Pod(judged);
    recorder.mutations(&mutations, &target);
    let pod = Pod::new(mutations.subject.with_object(judged.created), old_created);
    let asked = pod.plan(policies);
    let judge = |asked: &Asked<'a>| match asked {
        Ok((invocation, subject)) => Ok((*invocation, judge(invocation, pod.subject(*subject)))),
        Err(error) => Err(error.clone()),
    };
    let after: Vec<Judged<'a>> = asked.iter().map(judge).collect();
    if !mutations.changes.is_empty() {
        let declared = Pod::new(mutations.subject.with_object(declared), old);
        let repairs = Repairs { policies, declared, created: pod, changes: &mutations.changes };
        repairs.record(&asked, &after, recorder, &judged);
    }
    recorder.judged(after, &target);
}

/// Whether both pods are of one template, but for its defaults.
fn is_same<'a>(context: &Context<'a>, request: &Request<'a>, old: Value<'a>, new: Value<'a>) -> bool {
    let complete = |pod| default(context.arena, request.kind, pod);
    old == new || context.defaulting && complete(old) == complete(new)
}

impl<'a> Policies<'a> {
    fn mutate(&self, subject: Subject<'a>) -> Mutations<'a> {
        let plan = |subject: &_| self.plans.mutating(subject, self.params);
        mutate(subject, self.plans.policies(), self.readers, plan)
    }

    /// The policies that may see a difference between two pods.
    fn concerned(&self, before: Value<'a>, after: Value<'a>) -> Concerned<'a> {
        self.readers.concerned(self.plans.policies(), before, after)
    }
}

/// A pod that will be created, as policies see it.
struct Pod<'a> {
    /// What admission will be asked once the controller acts.
    created: Subject<'a>,
    /// The same as an update of the old template's pod, if there is one.
    updated: Option<Subject<'a>>,
}

/// Which of the two a policy is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    Created,
    Updated,
}

/// A validating policy to be asked, with what it is asked, or why it can't be.
type Asked<'a> = Result<(Invocation<'a>, As), ConfigurationError<'a>>;

impl<'a> Pod<'a> {
    fn new(created: Subject<'a>, old: Option<Value<'a>>) -> Self {
        Self { updated: old.map(|old| created.as_update_of(old)), created }
    }

    fn subject(&self, which: As) -> &Subject<'a> {
        match (&self.updated, which) {
            (Some(updated), As::Updated) => updated,
            _ => &self.created,
        }
    }

    /// The policies that will judge the pod when it is created. Those that judge updates of pods, too, are asked about
    /// an update.
    fn plan(&self, policies: &Policies<'a>) -> Vec<Asked<'a>> {
        let plan = |subject| policies.plans.validating(subject, policies.params);
        let updates = self.updated.as_ref().map(plan).unwrap_or_default();
        let ask = |invocation: Invocation<'a>| {
            let update = updates.iter().flatten().find(|update| update.is_same(&invocation));
            update.map_or((invocation, As::Created), |update| (*update, As::Updated))
        };
        plan(&self.created).into_iter().map(|planned| planned.map(ask)).collect()
    }

    /// Whether the same policies judge another pod of the request: what they select it by is the same.
    fn is_selected_as(&self, other: &Self) -> bool {
        let selected = |pod: &Self, which| {
            let request = &pod.subject(which).request;
            (selected_by(request.object), selected_by(request.old_object))
        };
        [As::Created, As::Updated].into_iter().all(|which| selected(self, which) == selected(other, which))
    }
}

/// What mutating policies repair of a pod.
struct Repairs<'a, 'r> {
    policies: &'r Policies<'a>,
    /// The pod before.
    declared: Pod<'a>,
    /// The pod afterwards.
    created: Pod<'a>,
    /// What led from one to the other, at least one change.
    changes: &'r [Change<'a>],
}

impl<'a> Repairs<'a, '_> {
    /// Records which violations of the declared pod are repaired; those who are `asked` about the created one judged it
    /// thus: `after`.
    fn record(&self, asked: &[Asked<'a>], after: &[Judged<'a>], recorder: &mut Recorder<'a>, judged: &JudgedPod<'a>) {
        let concerned = self.policies.concerned(judged.declared, judged.created);
        let planned;
        let asked = if self.declared.is_selected_as(&self.created) {
            asked
        } else {
            planned = self.declared.plan(self.policies);
            &planned
        };
        let mut steps = None;
        for (invocation, which) in asked.iter().flatten() {
            let later = after.iter().flatten().find(|(other, _)| other.is_same(invocation)).map(|(_, later)| later);
            // Who sees no difference judges both pods alike.
            if later.is_some() && !concerned.includes(invocation.policy) && self.has_same_old(*which) {
                continue;
            }
            for decision in judge(invocation, self.declared.subject(*which)).violations() {
                let persists =
                    |judgement: &Judgement<'a>| judgement.violations().any(|later| later.index == decision.index);
                if later.is_some_and(persists) {
                    continue;
                }
                let steps = steps.get_or_insert_with(|| self.steps());
                let is_repaired = |(change, concerned): &&(&Change<'a>, Concerned<'a>)| {
                    // Who sees no difference from the change before would still object.
                    concerned.includes(invocation.policy)
                        && !persists(&judge(invocation, &self.declared.subject(*which).with_object(change.object)))
                };
                if let Some((change, _)) = steps.iter().find(is_repaired) {
                    recorder.repaired(invocation, decision, &change.policy.name, judged);
                }
            }
        }
    }

    /// Each change with those whom it concerns.
    fn steps(&self) -> Vec<(&Change<'a>, Concerned<'a>)> {
        let mut before = self.declared.created.request.object;
        let step = |change: &Change<'a>| {
            let concerned = self.policies.concerned(before, change.object);
            before = change.object;
            concerned
        };
        let concerned: Vec<_> = self.changes.iter().map(step).collect();
        self.changes.iter().zip(concerned).collect()
    }

    /// Whether the old object is the same before the repairs and afterwards.
    fn has_same_old(&self, which: As) -> bool {
        self.declared.subject(which).request.old_object == self.created.subject(which).request.old_object
    }
}
