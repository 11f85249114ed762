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
use super::mutate::{Change, mutate};
use super::plan::{ConfigurationError, Invocation, Plans};
use super::record::{JudgedPod, Recorder, Target};
use super::request::Request;
use super::subject::Subject;
use super::validate::{Judged, Judgement, judge};

/// Judges the pod that a workload will create, after what mutating policies will make of it.
pub fn review<'a>(plans: &'a Plans, params: &'a Params, subject: &Subject<'a>, recorder: &mut Recorder<'a>) {
    let (arena, context) = (subject.arena(), subject.context());
    let Some(EffectivePod { request, old, origin }) = expand(arena, &subject.request) else { return };
    let complete = |pod| if context.defaulting { default_templated_pod(arena, pod) } else { pod };
    let (declared, old) = (complete(request.object), old.map(complete));
    if old.is_some_and(|old| is_same(context, &request, old, declared)) {
        return;
    }
    let created = |object, context: &Context<'a>| {
        let subject = Subject::new(&Request { object, ..request }, context);
        mutate(subject, |subject| plans.mutating(subject, params))
    };
    let mutations = created(declared, context);
    // Coverage is of the pod that is asked about.
    let old_created = old.map(|old| created(old, &Context { observer: None, ..*context }).subject.request.object);
    let judged = JudgedPod { origin, declared, created: mutations.subject.request.object };
    let target = Target::Pod(judged);
    recorder.mutations(&mutations, &target);
    let pod = Pod::new(mutations.subject.with_object(judged.created), old_created);
    let asked = pod.plan(plans, params).into_iter();
    let after: Vec<Judged<'a>> =
        asked.map(|asked| asked.map(|(invocation, subject)| (invocation, judge(&invocation, subject)))).collect();
    if !mutations.changes.is_empty() {
        let declared = Pod::new(mutations.subject.with_object(declared), old);
        record_repairs(&declared.plan(plans, params), &mutations.changes, &after, recorder, &judged);
    }
    recorder.judged(after, &target);
}

/// Whether both pods are of one template, but for its defaults.
fn is_same<'a>(context: &Context<'a>, request: &Request<'a>, old: Value<'a>, new: Value<'a>) -> bool {
    let complete = |pod| default(context.arena, request.kind, pod);
    old == new || context.defaulting && complete(old) == complete(new)
}

/// A pod that will be created, as policies see it.
struct Pod<'a> {
    /// What admission will be asked once the controller acts.
    created: Subject<'a>,
    /// The same as an update of the old template's pod, if there is one.
    updated: Option<Subject<'a>>,
}

/// A validating policy to be asked, with what it is asked, or why it can't be.
type Asked<'a, 'p> = Result<(Invocation<'a>, &'p Subject<'a>), ConfigurationError<'a>>;

impl<'a> Pod<'a> {
    fn new(created: Subject<'a>, old: Option<Value<'a>>) -> Self {
        Self { updated: old.map(|old| created.as_update_of(old)), created }
    }

    /// The policies that will judge the pod when it is created. Those that judge updates of pods, too, are asked about
    /// an update.
    fn plan(&self, plans: &'a Plans, params: &'a Params) -> Vec<Asked<'a, '_>> {
        let updates = self.updated.as_ref().map(|subject| (plans.validating(subject, params), subject));
        let ask = |invocation: Invocation<'a>| {
            let update = updates.as_ref().and_then(|(planned, subject)| {
                let same = planned.iter().flatten().find(|update| update.is_same(&invocation))?;
                Some((*same, *subject))
            });
            update.unwrap_or((invocation, &self.created))
        };
        plans.validating(&self.created, params).into_iter().map(|planned| planned.map(ask)).collect()
    }
}

/// Records which violations of the declared pod mutating policies repair.
fn record_repairs<'a>(
    declared: &[Asked<'a, '_>],
    changes: &[Change<'a>],
    after: &[Judged<'a>],
    recorder: &mut Recorder<'a>,
    judged: &JudgedPod<'a>,
) {
    for (invocation, subject) in declared.iter().flatten() {
        let later = after.iter().flatten().find(|(other, _)| other.is_same(invocation)).map(|(_, later)| later);
        for decision in judge(invocation, subject).violations() {
            let persists =
                |judgement: &Judgement<'a>| judgement.violations().any(|later| later.index == decision.index);
            if later.is_some_and(persists) {
                continue;
            }
            let repairer = changes.iter().find(|change| {
                let repaired = subject.with_object(change.object);
                !persists(&judge(invocation, &repaired))
            });
            if let Some(change) = repairer {
                recorder.repaired(invocation, decision, &change.policy.name, judged);
            }
        }
    }
}
