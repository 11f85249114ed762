//! From judgements to a decision: actions, mode, exemptions, messages, annotations.
//!
//! Upstream: `policy/validating/dispatcher.go`, and `policy/generic/policy_dispatcher.go` for mutating policies.

mod actions;
mod annotations;
mod exempting;

use crate::cel::explain::Explanation;
use crate::json::Value;
use crate::policy::model::{FailurePolicy, Policy, ValidationAction};
use crate::policy::{Exemption, Exemptions, Subject};

use crate::engine::context::Context;
use crate::engine::decision::{Decision, Denial, Evaluation, Finding, Mode, Mutated, SetAside, Verdict};
use crate::engine::expand::Origin;
use crate::engine::field;
use crate::engine::mutate::{MutationError, MutationErrorKind, Mutations};
use crate::engine::plan::Invocation;
use crate::engine::request::Request;
use crate::engine::validate::{DEFAULT_REASON, Judged, Judgement, PolicyDecision};

pub use actions::verdict_of;
use actions::{cap, effective_actions, reason_to_code};
use annotations::{Annotations, Exempted, ValidationFailure};
use exempting::{Share, divide, parts};

/// The annotation from which findings take their severity.
const SEVERITY: &str = "portcullis.dev/severity";

/// Collects what policies say about one request, in the order in which they say it.
#[derive(Debug)]
pub struct Recorder<'a> {
    mode: Mode,
    context: Context<'a>,
    exemptions: &'a Exemptions,
    request: Request<'a>,
    findings: Vec<Finding<'a>>,
    denials: Vec<Denied<'a>>,
    warnings: Vec<String>,
    annotations: Annotations<'a>,
}

/// The pod that a judgement was made on, if it wasn't made on the request's own object.
#[derive(Clone, Copy, Debug)]
pub struct JudgedPod<'a> {
    /// How the pod's fields map to the workload's.
    pub origin: Origin,
    /// The pod as the workload declares it.
    pub declared: Value<'a>,
    /// The pod after mutation.
    pub created: Value<'a>,
}

/// What a judgement was made on.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// The request's own object, as policies saw it; null at DELETE.
    Request(Value<'a>),
    /// The pod that it will create.
    Pod(JudgedPod<'a>),
}

#[derive(Debug)]
struct Denied<'a> {
    message: String,
    reason: &'a str,
    code: u16,
}

impl<'a> Recorder<'a> {
    /// Starts the record of a request.
    pub fn new(request: &Request<'a>, context: &Context<'a>, exemptions: &'a Exemptions) -> Self {
        Self {
            mode: context.mode,
            context: *context,
            exemptions,
            request: *request,
            findings: Vec::new(),
            denials: Vec::new(),
            warnings: Vec::new(),
            annotations: Annotations::default(),
        }
    }

    /// Records what validating policies found, and why others could not be asked.
    pub fn judged(&mut self, judged: Vec<Judged<'a>>, target: &Target<'a>) {
        for judged in judged {
            match judged {
                Ok((invocation, judgement)) => self.judgement(&invocation, judgement, target),
                // It denies whatever the actions of the bindings are.
                Err(error) => self.error(error.policy, error.binding, error.text(), None, target),
            }
        }
    }

    /// Records which mutating policies ran, and what went wrong.
    pub fn mutations(&mut self, mutations: &Mutations<'a>, target: &Target<'a>) {
        for invocation in &mutations.applied {
            self.pass(invocation, Vec::new());
        }
        for error in &mutations.errors {
            self.mutation_error(error, target);
        }
    }

    fn judgement(&mut self, invocation: &Invocation<'a>, judgement: Judgement<'a>, target: &Target<'a>) {
        let Judgement::Evaluated { decisions, annotations } = judgement else { return };
        if decisions.is_empty() {
            let idle = self.selecting(invocation.policy, target).into_iter().map(|exemption| (exemption, 0));
            self.pass(invocation, idle.collect());
        }
        for decision in decisions {
            self.decision(invocation, decision, target);
        }
        for annotation in annotations {
            match annotation {
                Ok((key, value)) => self.annotations.add(&invocation.policy.name, key, value),
                // Whatever the binding's actions are, upstream denies.
                Err(message) => self.error(invocation.policy, &invocation.binding.name, message, None, target),
            }
        }
    }

    /// Records that a policy was evaluated and has nothing to object to, and which exemptions are needless thereby.
    fn pass(&mut self, invocation: &Invocation<'a>, idle: Vec<(&'a Exemption, usize)>) {
        self.findings.push(Finding {
            policy: &invocation.policy.name,
            binding: &invocation.binding.name,
            evaluation: Evaluation::Admit,
            verdict: Verdict::Pass,
            effective: Verdict::Pass,
            reason: "",
            expression_index: None,
            offenders: Vec::new(),
            repaired_by: None,
            message: String::new(),
            severity: "",
            exemption: None,
            covered_by: idle,
            explanation: None,
        });
    }

    fn mutation_error(&mut self, error: &MutationError<'a>, target: &Target<'a>) {
        let MutationError { policy, binding, index, ref message, kind } = *error;
        let text = match binding {
            "" => format!("policy {:?} denied request: {message}", policy.name),
            binding => format!("policy '{}' with binding '{binding}' denied request: {message}", policy.name),
        };
        // Upstream sets the reason only, and not even that where the binding could not be evaluated at all; the code
        // stays that of Forbidden.
        let denied = match kind {
            MutationErrorKind::Configuration => Denied { message: text, reason: "Forbidden", code: 403 },
            MutationErrorKind::Evaluation => Denied { message: text, reason: DEFAULT_REASON, code: 403 },
            MutationErrorKind::Internal => {
                Denied { message: format!("Internal error occurred: {message}"), reason: "InternalError", code: 500 }
            }
        };
        if kind != MutationErrorKind::Internal && policy.failure_policy == FailurePolicy::Ignore {
            self.ignored(policy, binding, message.clone(), index, None);
        } else {
            self.fail(policy, binding, message.clone(), index, denied, target);
        }
    }

    /// Records that a violation of the declared pod is repaired before the pod is created. Whoever declared it is warned of
    /// what would deny it otherwise; the rest is for the record.
    pub fn repaired(
        &mut self,
        invocation: &Invocation<'a>,
        decision: &PolicyDecision<'a>,
        by: &'a str,
        pod: &JudgedPod<'a>,
    ) {
        // The decision was made on the declared pod, whose fields are where the user wrote them.
        let declared = Target::Pod(JudgedPod { created: pod.declared, ..*pod });
        let message = declared.locate(decision.message.clone());
        // Below enforcement nothing is repaired yet.
        let when = if self.mode.mutates() { "" } else { ", once policies are enforced" };
        let accepted = format!(
            " (accepted, because MutatingAdmissionPolicy '{by}' will repair its pods when they are created{when})"
        );
        let mut offenders = field::offenders(&message);
        offenders.iter_mut().for_each(|offender| offender.message.push_str(&accepted));
        let message = message + &accepted;
        let (policy, binding) = (invocation.policy.name.as_str(), invocation.binding.name.as_str());
        let verdict = if invocation.denies() { Verdict::Warn } else { Verdict::Audit };
        let effective = cap(verdict, self.mode);
        if effective == Verdict::Warn {
            self.warn(format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}': {message}"));
        }
        self.findings.push(Finding {
            policy,
            binding,
            evaluation: Evaluation::Deny,
            verdict,
            effective,
            reason: decision.reason,
            expression_index: decision.index,
            offenders,
            repaired_by: Some(by),
            message,
            severity: severity(invocation.policy),
            exemption: None,
            covered_by: Vec::new(),
            explanation: decision.explanation.clone().map(|explanation| relocated(explanation, &declared)),
        });
    }

    /// The decision.
    pub fn finish(self, mutated: Option<Mutated<'a>>) -> Decision<'a> {
        let audit_annotations = self.annotations.finish();
        let causes: Vec<String> = self.denials.iter().map(|denied| denied.message.clone()).collect();
        let denied = self.denials.into_iter().next().map(|first| Denial {
            message: first.message,
            reason: first.reason,
            code: first.code,
            causes,
        });
        let (mutated, would_mutate) = match self.mode {
            Mode::Enforce => (mutated, None),
            Mode::Audit | Mode::Warn => (None, mutated),
        };
        Decision { findings: self.findings, mutated, would_mutate, denied, warnings: self.warnings, audit_annotations }
    }

    fn decision(&mut self, invocation: &Invocation<'a>, decision: PolicyDecision<'a>, target: &Target<'a>) {
        let Invocation { policy, binding, .. } = *invocation;
        let PolicyDecision { index, evaluation, reason, message, explanation } = decision;
        let explanation = explanation.map(|explanation| relocated(explanation, target));
        let is_error = evaluation == Evaluation::Error;
        if is_error && policy.failure_policy == FailurePolicy::Ignore {
            self.ignored(policy, &binding.name, target.locate(message), index, explanation);
            return;
        }
        let mut selecting = self.selecting(policy, target);
        if is_error {
            // What could not be evaluated may concern any part of the object.
            selecting.retain(|exemption| !exemption.is_partial());
        }
        let strongest = binding.validation_actions.iter().max().map_or(Verdict::Audit, |action| verdict_of(*action));
        for Share { exemption, message, covered_by } in divide(message, target.seen(), &selecting, self.context.now) {
            let message = target.locate(message);
            match exemption {
                Some(exemption) => self.annotations.add_exempted(Exempted {
                    message: message.clone(),
                    policy: &policy.name,
                    binding: &binding.name,
                    exemption: &exemption.name,
                    would_be: strongest.name(),
                }),
                None => self.act(invocation, index, reason, &message),
            }
            let verdict = if exemption.is_some() { Verdict::Exempt } else { strongest };
            self.findings.push(Finding {
                policy: &policy.name,
                binding: &binding.name,
                evaluation,
                verdict,
                effective: cap(verdict, self.mode),
                reason: if reason.is_empty() { DEFAULT_REASON } else { reason },
                expression_index: index,
                // An error's text is upstream's: what looks like a second offender in it is none.
                offenders: if is_error { field::offender(&message) } else { field::offenders(&message) },
                repaired_by: None,
                message,
                severity: severity(policy),
                exemption: exemption.map(|by| SetAside { by, instead_of: strongest }),
                covered_by,
                explanation: explanation.clone(),
            });
        }
    }

    /// Does what the binding's actions come to under the mode.
    fn act(&mut self, invocation: &Invocation<'a>, index: Option<usize>, reason: &'a str, message: &str) {
        let Invocation { policy, binding, .. } = *invocation;
        for action in effective_actions(&binding.validation_actions, self.mode) {
            match action {
                ValidationAction::Deny => self.denials.push(Denied {
                    message: denied_message(policy, &binding.name, message),
                    reason: if reason.is_empty() { DEFAULT_REASON } else { reason },
                    code: reason_to_code(reason),
                }),
                ValidationAction::Warn => self.warn(format!(
                    "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {message}",
                    policy.name, binding.name
                )),
                ValidationAction::Audit => self.annotations.add_failure(ValidationFailure {
                    message: message.to_owned(),
                    policy: &policy.name,
                    binding: &binding.name,
                    expression_index: index.unwrap_or(0),
                    validation_actions: binding.validation_actions.iter().map(|action| action.name()).collect(),
                }),
            }
        }
    }

    /// An error of a validating policy that denies whatever the actions of its bindings are.
    fn error(
        &mut self,
        policy: &'a Policy,
        binding: &'a str,
        message: String,
        index: Option<usize>,
        target: &Target<'a>,
    ) {
        let text = denied_message(policy, binding, &message);
        let denied = Denied { message: text, reason: DEFAULT_REASON, code: reason_to_code(DEFAULT_REASON) };
        if policy.failure_policy == FailurePolicy::Ignore {
            self.ignored(policy, binding, message, index, None);
        } else {
            self.fail(policy, binding, message, index, denied, target);
        }
    }

    fn fail(
        &mut self,
        policy: &'a Policy,
        binding: &'a str,
        message: String,
        index: Option<usize>,
        denied: Denied<'a>,
        target: &Target<'a>,
    ) {
        let mut selecting = self.selecting(policy, target);
        selecting.retain(|exemption| !exemption.is_partial());
        let exemption = selecting.iter().copied().find(|exemption| !exemption.has_expired(self.context.now));
        if let Some(exemption) = exemption {
            self.annotations.add_exempted(Exempted {
                message: message.clone(),
                policy: &policy.name,
                binding,
                exemption: &exemption.name,
                would_be: Verdict::Deny.name(),
            });
        }
        let verdict = if exemption.is_some() { Verdict::Exempt } else { Verdict::Deny };
        let effective = cap(verdict, self.mode);
        match effective {
            Verdict::Deny => self.denials.push(denied),
            Verdict::Warn => self.warn(denied.message),
            _ => {}
        }
        self.findings.push(Finding {
            policy: &policy.name,
            binding,
            evaluation: Evaluation::Error,
            verdict,
            effective,
            reason: DEFAULT_REASON,
            expression_index: index,
            offenders: Vec::new(),
            repaired_by: None,
            message,
            severity: severity(policy),
            exemption: exemption.map(|by| SetAside { by, instead_of: Verdict::Deny }),
            covered_by: selecting.into_iter().map(|exemption| (exemption, 1)).collect(),
            explanation: None,
        });
    }

    fn ignored(
        &mut self,
        policy: &'a Policy,
        binding: &'a str,
        message: String,
        index: Option<usize>,
        explanation: Option<Explanation>,
    ) {
        self.findings.push(Finding {
            policy: &policy.name,
            binding,
            evaluation: Evaluation::Error,
            verdict: Verdict::Error,
            effective: Verdict::Error,
            reason: "",
            expression_index: index,
            offenders: Vec::new(),
            repaired_by: None,
            message,
            severity: severity(policy),
            exemption: None,
            covered_by: Vec::new(),
            explanation,
        });
    }

    /// The same warning twice tells the client nothing; the API server drops it too.
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// The exemptions from a policy that select what was judged.
    fn selecting(&self, policy: &Policy, target: &Target<'a>) -> Vec<&'a Exemption> {
        if self.exemptions.all().is_empty() {
            return Vec::new();
        }
        let object = match self.request.object {
            Value::Null => self.request.old_object,
            object => object,
        };
        let text = |path: &[&str]| object.at(path).and_then(|v| v.as_str()).unwrap_or_default();
        let name = [self.request.name, text(&["metadata", "name"]), text(&["metadata", "generateName"])]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        let labels = |object: Value<'a>| object.at(&["metadata", "labels"]);
        let subject = Subject {
            namespace: self.request.namespace,
            kind: self.request.kind.kind,
            name,
            labels: [labels(object), target.pod().and_then(|pod| labels(pod.declared))],
        };
        self.exemptions.selecting(&policy.name, &subject, || match target.seen() {
            Value::Null => parts(object),
            seen => parts(seen),
        })
    }
}

impl<'a> Target<'a> {
    /// What policies saw.
    fn seen(&self) -> Value<'a> {
        match self {
            Self::Request(object) => *object,
            Self::Pod(pod) => pod.created,
        }
    }

    fn pod(&self) -> Option<&JudgedPod<'a>> {
        match self {
            Self::Request(_) => None,
            Self::Pod(pod) => Some(pod),
        }
    }

    /// A message in terms of the object that the user wrote.
    fn locate(&self, message: String) -> String {
        match self.pod() {
            Some(pod) => pod.origin.message(&message, pod.declared, pod.created),
            None => message,
        }
    }
}

/// An explanation in terms of the object that the user wrote; what stands in other documents stays where it is.
fn relocated(mut explanation: Explanation, target: &Target<'_>) -> Explanation {
    if let Some(pod) = target.pod() {
        explanation.relocate(&|path| match path.split(['.', '[']).next() {
            Some("spec" | "metadata" | "status") => pod.origin.field(path, pod.declared, pod.created),
            _ => path.to_owned(),
        });
    }
    explanation
}

fn severity(policy: &Policy) -> &str {
    policy.annotations.iter().find(|(key, _)| key == SEVERITY).map(|(_, value)| value.as_str()).unwrap_or_default()
}

fn denied_message(policy: &Policy, binding: &str, message: &str) -> String {
    match binding {
        "" => format!("ValidatingAdmissionPolicy '{}' denied request: {message}", policy.name),
        binding => {
            format!("ValidatingAdmissionPolicy '{}' with binding '{binding}' denied request: {message}", policy.name)
        }
    }
}
