//! Mutating policies: patches in order, and again for those that ask for it once others have changed the object.
//!
//! Upstream: `policy/mutating/dispatcher.go`, `policy/mutating/patch`.

use crate::cel::Value as Cel;
use crate::cel::value::Struct;
use crate::defaulting;
use crate::json::{Operation, Patch, PatchError, PatchLimits, Value};
use crate::policy::model::{FailurePolicy, Mutation, PatchType, Policy, ReinvocationPolicy, Rules};
use crate::schema::Definitions;

use super::apply;
use super::convert;
use super::decode;
use super::evaluate::{COST_BUDGET, Expressions, Failure};
use super::match_conditions::{self, Conditions};
use super::matching::selected_by;
use super::observe::{Outcome, Place};
use super::plan::{Invocation, Planned};
use super::readers::{Concerned, Readers};
use super::request::Operation as RequestOperation;
use super::subject::Subject;

/// What mutating policies did to a subject.
#[derive(Debug)]
pub struct Mutations<'a> {
    /// The subject with the object as they left it, and its defaults.
    pub subject: Subject<'a>,
    /// The object with the policies' changes and no defaults but those that it came with.
    pub written: Value<'a>,
    /// Each change, in order.
    pub changes: Vec<Change<'a>>,
    /// The invocations that ran without error, whether or not they changed anything, each once.
    pub applied: Vec<Invocation<'a>>,
    /// What went wrong.
    pub errors: Vec<MutationError<'a>>,
}

/// One policy's change.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The object afterwards.
    pub object: Value<'a>,
}

/// Why a policy could not be applied.
#[derive(Debug)]
pub struct MutationError<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The binding's name.
    pub binding: &'a str,
    /// The mutation, if it is one's error.
    pub index: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What kind of error it is.
    pub kind: MutationErrorKind,
}

/// How an error of a mutating policy is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MutationErrorKind {
    /// The binding could not be evaluated at all.
    Configuration,
    /// A condition or a mutation failed.
    Evaluation,
    /// The patched object can't be decoded: the request fails, whatever the failure policy is.
    Internal,
}

/// Runs the mutating policies that `plan` finds for a subject; `policies` are all, of which `readers` knows what they
/// look at.
pub fn mutate<'a>(
    subject: Subject<'a>,
    policies: &'a [Policy],
    readers: &Readers,
    plan: impl Fn(&Subject<'a>) -> Vec<Planned<'a>>,
) -> Mutations<'a> {
    let before = subject.request.object;
    let mutations =
        Mutations { subject, written: before, changes: Vec::new(), applied: Vec::new(), errors: Vec::new() };
    let mut run = Run { mutations, invoked: Vec::new(), policies, readers, compared: None };
    // Upstream's plugin handles no deletions, whatever the rules say: not even conditions are evaluated.
    if run.mutations.subject.request.operation == RequestOperation::Delete {
        return run.mutations;
    }
    let first = plan(&run.mutations.subject);
    if first.is_empty() {
        return run.mutations;
    }
    run.pass(&first, None);
    // Without a change, running a policy again on the same object could only change nothing again.
    let reinvoke = std::mem::take(&mut run.invoked);
    if !run.mutations.changes.is_empty() && !run.is_rejected() && reinvoke.iter().any(|invoked| run.may_act(invoked)) {
        let again = match selected_by(run.mutations.subject.request.object) == selected_by(before) {
            true => first,
            false => plan(&run.mutations.subject),
        };
        run.pass(&again, Some(&reinvoke));
    }
    run.mutations
}

/// What tells one invocation from another. Upstream: the reinvocation context's `key`.
type Key<'a> = (&'a str, &'a str, Option<Value<'a>>, Option<Value<'a>>);

struct Run<'a, 's> {
    mutations: Mutations<'a>,
    /// The invocations that run again if needed.
    invoked: Vec<Invoked<'a>>,
    policies: &'a [Policy],
    readers: &'s Readers,
    /// The objects compared last, and whom their difference concerns.
    compared: Option<(Value<'a>, Value<'a>, Concerned<'a>)>,
}

/// An invocation that ran.
struct Invoked<'a> {
    key: Key<'a>,
    policy: &'a Policy,
    /// The object that it asked nothing of.
    idle_on: Option<Value<'a>>,
}

impl<'a> Run<'a, '_> {
    /// Whether running again could do anything: what asked for nothing does so again unless what it looks at changed.
    fn may_act(&mut self, invoked: &Invoked<'a>) -> bool {
        let Some(before) = invoked.idle_on else { return true };
        let after = self.mutations.subject.request.object;
        let is_compared = |(a, b, _): &(Value<'a>, Value<'a>, _)| a.is_shared_with(&before) && b.is_shared_with(&after);
        if !self.compared.as_ref().is_some_and(is_compared) {
            self.compared = Some((before, after, self.readers.concerned(self.policies, before, after)));
        }
        self.compared.as_ref().is_none_or(|(.., concerned)| concerned.includes(invoked.policy))
    }

    /// Runs the planned policies; on the second pass only those to `reinvoke`.
    fn pass<'r>(&mut self, plan: &[Planned<'a>], reinvoke: Option<&'r [Invoked<'a>]>) {
        for planned in plan {
            if self.has_failed() {
                return;
            }
            match planned {
                Err(error) if reinvoke.is_none() => {
                    let message = error.text();
                    let (policy, binding) = (error.policy, error.binding);
                    let error =
                        MutationError { policy, binding, index: None, message, kind: MutationErrorKind::Configuration };
                    self.mutations.errors.push(error);
                }
                Err(_) => {}
                Ok(invocation) => {
                    let invoked = |reinvoke: &'r [Invoked<'a>]| {
                        let key = key(invocation);
                        reinvoke.iter().find(|invoked| invoked.key == key)
                    };
                    match reinvoke.map(invoked) {
                        None => self.invoke(invocation),
                        Some(Some(invoked)) if self.may_act(invoked) => self.invoke(invocation),
                        Some(_) => {}
                    }
                }
            }
        }
    }

    fn invoke(&mut self, invocation: &Invocation<'a>) {
        let (policy, binding) = (invocation.policy, invocation.binding.name.as_str());
        let Rules::Mutate { mutations, reinvocation } = &policy.rules else { return };
        if let Some(error) = &policy.compile_error {
            self.error(policy, binding, None, error.clone());
            return;
        }
        invocation.concerns(&self.mutations.subject);
        match match_conditions::evaluate(invocation, &self.mutations.subject) {
            Conditions::Match => {}
            Conditions::NoMatch => return,
            Conditions::Error(error) => {
                self.error(policy, binding, None, error);
                return;
            }
        }
        let before = self.mutations.subject.request.object;
        let errors = self.mutations.errors.len();
        let (mut is_changed, mut is_idle) = (false, true);
        for (index, mutation) in mutations.iter().enumerate() {
            let subject = &self.mutations.subject;
            if subject.request.object.is_null() {
                continue;
            }
            let patched = apply_one(invocation, subject, Place::Mutation(index), mutation);
            let outcome = match &patched {
                Ok(Patched::Into(_)) => Outcome::Value,
                Ok(Patched::Same | Patched::Unasked) => Outcome::Unchanged,
                Err(_) => Outcome::Error,
            };
            invocation.observe(subject, Place::Mutation(index), outcome);
            is_idle &= matches!(patched, Ok(Patched::Unasked));
            match patched {
                Ok(Patched::Into(object)) => {
                    self.replace(object);
                    is_changed = true;
                }
                Ok(Patched::Same | Patched::Unasked) => {}
                // Upstream goes on with the policy's next mutation.
                Err(Fault::Evaluation(error)) => self.error(policy, binding, Some(index), error),
                // And here it answers at once, with nothing but this.
                Err(Fault::Internal(message)) => {
                    let kind = MutationErrorKind::Internal;
                    self.mutations.errors = vec![MutationError { policy, binding, index: Some(index), message, kind }];
                    return;
                }
            }
        }
        let object = self.mutations.subject.request.object;
        if is_changed && object != before {
            self.mutations.changes.push(Change { policy, object });
        }
        if *reinvocation == ReinvocationPolicy::IfNeeded {
            let idle_on = is_idle.then_some(object);
            self.invoked.push(Invoked { key: key(invocation), policy, idle_on });
        }
        let is_first = !self.mutations.applied.iter().any(|applied| applied.is_same(invocation));
        if is_first && self.mutations.errors.len() == errors {
            self.mutations.applied.push(*invocation);
        }
    }

    /// Sets the defaults of a changed object before anything else sees it. Upstream: `dispatchOne`.
    fn replace(&mut self, patched: Value<'a>) {
        let subject = &self.mutations.subject;
        let (arena, request) = (subject.arena(), &subject.request);
        if subject.context().defaulting {
            self.mutations.written = defaulting::carry_over(arena, request.object, patched, self.mutations.written);
            let completed = defaulting::default_patched(arena, request.kind, request.object, patched);
            self.mutations.subject = subject.with_object(completed);
        } else {
            self.mutations.written = patched;
            self.mutations.subject = subject.with_object(patched);
        }
    }

    fn error(&mut self, policy: &'a Policy, binding: &'a str, index: Option<usize>, message: String) {
        let error = MutationError { policy, binding, index, message, kind: MutationErrorKind::Evaluation };
        self.mutations.errors.push(error);
    }

    fn is_rejected(&self) -> bool {
        self.mutations.errors.iter().any(|error| error.policy.failure_policy == FailurePolicy::Fail)
            || self.has_failed()
    }

    fn has_failed(&self) -> bool {
        self.mutations.errors.iter().any(|error| error.kind == MutationErrorKind::Internal)
    }
}

fn key<'a>(invocation: &Invocation<'a>) -> Key<'a> {
    let part = |name| invocation.params.value().at(&["metadata", name]);
    (&invocation.policy.name, &invocation.binding.name, part("namespace"), part("name"))
}

/// What a mutation makes of the object.
enum Patched<'a> {
    /// Another one.
    Into(Value<'a>),
    /// The same: there was nothing to do.
    Same,
    /// The same, because the expression asks for nothing.
    Unasked,
}

/// Why a mutation gave no object.
enum Fault {
    /// An error that the failure policy applies to.
    Evaluation(String),
    /// An object that can't be decoded.
    Internal(String),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Expression(error) | Failure::Stopped(error) => Fault::Evaluation(error),
        }
    }
}

/// The object after one mutation.
fn apply_one<'a>(
    invocation: &Invocation<'a>,
    subject: &Subject<'a>,
    place: Place,
    mutation: &'a Mutation,
) -> Result<Patched<'a>, Fault> {
    if let Err(error) = &mutation.program {
        return Err(Fault::Evaluation(error.clone()));
    }
    let inputs = subject.inputs(&invocation.matched, invocation.params);
    let mut expressions = Expressions::new(invocation, subject, inputs, COST_BUDGET);
    let value = expressions.value(place, &mutation.program, &mutation.expression)?;
    let patched = match (mutation.patch_type, value) {
        (PatchType::JsonPatch, Cel::List(list)) if list.is_empty() => return Ok(Patched::Unasked),
        (PatchType::JsonPatch, Cel::List(list)) => {
            let operations: Vec<Cel<'a>> = list.iter().collect();
            json_patch(subject, &operations)
        }
        (PatchType::JsonPatch, _) => Err("type mismatch: JSONPatchType.expression should evaluate to array".to_owned()),
        (PatchType::ApplyConfiguration, Cel::Struct(configuration)) => apply_configuration(subject, configuration),
        (PatchType::ApplyConfiguration, other) => {
            Err(format!("unsupported return type from ApplyConfiguration expression: {}", other.type_name()))
        }
    };
    let object = subject.request.object;
    let Some(patched) = patched.map_err(Fault::Evaluation)?.filter(|patched| *patched != object) else {
        return Ok(Patched::Same);
    };
    if mutation.patch_type == PatchType::JsonPatch {
        decode::check(subject.request.kind, object, patched, subject.context().phase).map_err(Fault::Internal)?;
    }
    Ok(Patched::Into(patched))
}

fn json_patch<'a>(subject: &Subject<'a>, operations: &[Cel<'a>]) -> Result<Option<Value<'a>>, String> {
    let operations = operations.iter().map(|operation| match operation {
        Cel::Struct(operation) => patch_operation(subject, operation),
        other => Err(format!(
            "type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch, got element of {}",
            other.type_name()
        )),
    });
    let patch = Patch { operations: operations.collect::<Result<_, _>>()? };
    match patch.apply(subject.arena(), subject.request.object, &PatchLimits::default()) {
        Ok(patched) => Ok(Some(patched)),
        // A failed test means that the patch isn't wanted.
        Err(PatchError::TestFailed(_)) => Ok(None),
        Err(error) => Err(format!("JSON Patch: {error}")),
    }
}

fn patch_operation<'a>(subject: &Subject<'a>, operation: &Struct<'a>) -> Result<Operation<'a>, String> {
    let field = |name| operation.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value);
    let text_of = |name| field(name).and_then(text);
    let value = field("value").map(|value| {
        if let Cel::Struct(message) = value {
            convert::check_type_names(message).map_err(|error| format!("type mismatch: {error}"))?;
        }
        convert::patch_value(subject.arena(), *value).map_err(|error| {
            format!("JSONPath valueExpression evaluated to a type that could not marshal to JSON: {error}")
        })
    });
    Ok(Operation {
        op: text_of("op").unwrap_or_default().into(),
        path: text_of("path").unwrap_or_default().into(),
        // As upstream, an empty `from` is none.
        from: text_of("from").filter(|from| !from.is_empty()).map(Into::into),
        value: value.transpose()?,
    })
}

fn text<'a>(value: &Cel<'a>) -> Option<&'a str> {
    match value {
        Cel::String(text) => Some(text),
        _ => None,
    }
}

fn apply_configuration<'a>(subject: &Subject<'a>, configuration: &Struct<'a>) -> Result<Option<Value<'a>>, String> {
    convert::check_type_names(configuration).map_err(|error| format!("type mismatch: {error}"))?;
    let arena = subject.arena();
    let patch =
        convert::apply_configuration(arena, configuration).map_err(|error| format!("invalid return type: {error}"))?;
    let none = Definitions::default();
    let definitions = subject.context().definitions.unwrap_or(&none);
    let kind = subject.request.kind;
    let merged = apply::merge(arena, definitions, kind, subject.request.object, &patch)
        .map_err(|error| format!("error applying patch: {error}"))?;
    decode::check_integers(kind, patch.value)?;
    Ok(Some(merged))
}
