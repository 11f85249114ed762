//! From judgements to a decision: actions, mode, exemptions, messages, annotations.
//!
//! Upstream: `policy/validating/dispatcher.go`, and `policy/generic/policy_dispatcher.go` for mutating policies.

use serde::Serialize;

use crate::json::Value;
use crate::policy::model::{FailurePolicy, Policy, ValidationAction};
use crate::policy::{self, Exemptions};

use super::context::Context;
use super::decision::{Decision, Denial, Evaluation, Finding, Mode, Mutated, Verdict};
use super::evaluate::Invocation;
use super::expand::Origin;
use super::field;
use super::mutate::{MutationError, MutationErrorKind};
use super::request::Request;
use super::validate::{DEFAULT_REASON, Judgement, PolicyDecision};

const VALIDATION_FAILURE: &str = "validation.policy.admission.k8s.io/validation_failure";
/// How many failures the audit annotation lists.
const MAX_VALIDATION_FAILURES: usize = 50;
/// How long its list may get in bytes; its first failure is there in any case.
const MAX_VALIDATION_FAILURES_BYTES: usize = 64 * 1024;
/// The longest value that a binding and param give an audit annotation, in bytes. Upstream:
/// `maxAuditAnnotationValueLength`.
const MAX_ANNOTATION_BYTES: usize = 10 * 1024;
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
    failures: Vec<ValidationFailure<'a>>,
    /// Annotation key, and the distinct values that bindings and params gave.
    annotations: Vec<(String, Vec<String>)>,
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

/// Why a policy or a binding could not be evaluated at all.
#[derive(Clone, Debug)]
pub struct ConfigurationError<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The binding's name; empty where the policy itself is concerned.
    pub binding: &'a str,
    /// What is wrong.
    pub message: String,
}

impl ConfigurationError<'_> {
    /// What is wrong, and with what.
    pub fn text(&self) -> String {
        let part = if self.binding.is_empty() { "policy" } else { "binding" };
        format!("failed to configure {part}: {}", self.message)
    }
}

#[derive(Debug)]
struct Denied<'a> {
    message: String,
    reason: &'a str,
    code: u16,
}

/// Upstream's JSON, in upstream's order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ValidationFailure<'a> {
    message: String,
    policy: &'a str,
    binding: &'a str,
    expression_index: usize,
    validation_actions: Vec<&'static str>,
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
            failures: Vec::new(),
            annotations: Vec::new(),
        }
    }

    /// Records what a validating policy found.
    pub fn judgement(&mut self, invocation: &Invocation<'a>, judgement: Judgement<'a>, pod: Option<&JudgedPod<'a>>) {
        let Judgement::Evaluated { decisions, annotations } = judgement else { return };
        if decisions.is_empty() {
            self.pass(invocation);
        }
        for decision in decisions {
            self.decision(invocation, decision, pod);
        }
        for annotation in annotations {
            match annotation {
                Ok((key, value)) => self.annotate(&invocation.policy.name, key, value),
                // Whatever the binding's actions are, upstream denies.
                Err(message) => self.error(invocation.policy, &invocation.binding.name, message, None, pod),
            }
        }
    }

    /// Records that a policy was evaluated and has nothing to object to.
    pub fn pass(&mut self, invocation: &Invocation<'a>) {
        self.findings.push(Finding {
            policy: &invocation.policy.name,
            binding: &invocation.binding.name,
            evaluation: Evaluation::Admit,
            verdict: Verdict::Pass,
            effective: Verdict::Pass,
            reason: "",
            expression_index: None,
            field: String::new(),
            message: String::new(),
            severity: "",
        });
    }

    /// Records a configuration error of a validating policy, which denies whatever its bindings' actions are.
    pub fn configuration_error(&mut self, error: ConfigurationError<'a>, pod: Option<&JudgedPod<'a>>) {
        self.error(error.policy, error.binding, error.text(), None, pod);
    }

    /// Records an error of a mutating policy.
    pub fn mutation_error(&mut self, error: &MutationError<'a>, pod: Option<&JudgedPod<'a>>) {
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
            self.ignored(policy, binding, message.clone(), index);
        } else {
            self.fail(policy, binding, message.clone(), index, denied, pod);
        }
    }

    /// Records that a violation of the declared pod is repaired before the pod is created.
    pub fn repaired(
        &mut self,
        invocation: &Invocation<'a>,
        decision: &PolicyDecision<'a>,
        by: &str,
        pod: &JudgedPod<'a>,
    ) {
        // The decision was made on the declared pod, whose fields are where the user wrote them.
        let message = pod.origin.message(&decision.message, pod.declared, pod.declared);
        let field = field::leading(&message).to_owned();
        // Below enforcement nothing is repaired yet.
        let when = if self.mode.mutates() { "" } else { ", once policies are enforced" };
        let message = format!(
            "{message}{}MutatingAdmissionPolicy '{by}' will repair its pods when they are created{when})",
            field::ACCEPTED
        );
        let (policy, binding) = (invocation.policy.name.as_str(), invocation.binding.name.as_str());
        let effective = cap(Verdict::Warn, self.mode);
        if effective == Verdict::Warn {
            self.warn(format!("ValidatingAdmissionPolicy '{policy}' with binding '{binding}': {message}"));
        }
        self.findings.push(Finding {
            policy,
            binding,
            evaluation: Evaluation::Deny,
            verdict: Verdict::Warn,
            effective,
            reason: decision.reason,
            expression_index: decision.index,
            field,
            message,
            severity: severity(invocation.policy),
        });
    }

    /// The decision.
    pub fn finish(self, mutated: Option<Mutated<'a>>) -> Decision<'a> {
        let mut audit_annotations: Vec<(String, String)> =
            self.annotations.into_iter().map(|(key, values)| (key, values.join(", "))).collect();
        if !self.failures.is_empty() {
            audit_annotations.push((VALIDATION_FAILURE.to_owned(), listed(&self.failures)));
        }
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

    fn decision(&mut self, invocation: &Invocation<'a>, decision: PolicyDecision<'a>, pod: Option<&JudgedPod<'a>>) {
        let Invocation { policy, binding, .. } = *invocation;
        let message = locate(decision.message, pod);
        let is_error = decision.evaluation == Evaluation::Error;
        if is_error && policy.failure_policy == FailurePolicy::Ignore {
            self.ignored(policy, &binding.name, message, decision.index);
            return;
        }
        let exempt = self.is_exempt(policy, pod);
        let verdict = match binding.validation_actions.iter().max() {
            _ if exempt => Verdict::Exempt,
            Some(action) => verdict_of(*action),
            None => Verdict::Audit,
        };
        if !exempt {
            for action in effective_actions(&binding.validation_actions, self.mode) {
                match action {
                    ValidationAction::Deny => self.denials.push(Denied {
                        message: denied_message(policy, &binding.name, &message),
                        reason: if decision.reason.is_empty() { DEFAULT_REASON } else { decision.reason },
                        code: reason_to_code(decision.reason),
                    }),
                    ValidationAction::Warn => self.warn(format!(
                        "Validation failed for ValidatingAdmissionPolicy '{}' with binding '{}': {message}",
                        policy.name, binding.name
                    )),
                    ValidationAction::Audit => self.failures.push(ValidationFailure {
                        message: message.clone(),
                        policy: &policy.name,
                        binding: &binding.name,
                        expression_index: decision.index.unwrap_or(0),
                        validation_actions: binding
                            .validation_actions
                            .iter()
                            .map(|action| action_name(*action))
                            .collect(),
                    }),
                }
            }
        }
        self.findings.push(Finding {
            policy: &policy.name,
            binding: &binding.name,
            evaluation: decision.evaluation,
            verdict,
            effective: cap(verdict, self.mode),
            reason: if decision.reason.is_empty() { DEFAULT_REASON } else { decision.reason },
            expression_index: decision.index,
            field: field::leading(&message).to_owned(),
            message,
            severity: severity(policy),
        });
    }

    /// An error of a validating policy that denies whatever the actions of its bindings are.
    fn error(
        &mut self,
        policy: &'a Policy,
        binding: &'a str,
        message: String,
        index: Option<usize>,
        pod: Option<&JudgedPod<'a>>,
    ) {
        let text = denied_message(policy, binding, &message);
        let denied = Denied { message: text, reason: DEFAULT_REASON, code: reason_to_code(DEFAULT_REASON) };
        if policy.failure_policy == FailurePolicy::Ignore {
            self.ignored(policy, binding, message, index);
        } else {
            self.fail(policy, binding, message, index, denied, pod);
        }
    }

    fn fail(
        &mut self,
        policy: &'a Policy,
        binding: &'a str,
        message: String,
        index: Option<usize>,
        denied: Denied<'a>,
        pod: Option<&JudgedPod<'a>>,
    ) {
        let verdict = if self.is_exempt(policy, pod) { Verdict::Exempt } else { Verdict::Deny };
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
            field: String::new(),
            message,
            severity: severity(policy),
        });
    }

    fn ignored(&mut self, policy: &'a Policy, binding: &'a str, message: String, index: Option<usize>) {
        self.findings.push(Finding {
            policy: &policy.name,
            binding,
            evaluation: Evaluation::Error,
            verdict: Verdict::Error,
            effective: Verdict::Error,
            reason: "",
            expression_index: index,
            field: String::new(),
            message,
            severity: severity(policy),
        });
    }

    /// The same warning twice tells the client nothing; the API server drops it too.
    fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    fn annotate(&mut self, policy: &str, key: &str, mut value: String) {
        cut(&mut value, MAX_ANNOTATION_BYTES);
        let key = format!("{policy}/{key}");
        match self.annotations.iter_mut().find(|(known, _)| *known == key) {
            Some((_, values)) if values.contains(&value) => {}
            Some((_, values)) => values.push(value),
            None => self.annotations.push((key, vec![value])),
        }
    }

    fn is_exempt(&self, policy: &Policy, pod: Option<&JudgedPod<'a>>) -> bool {
        let object = match self.request.object {
            Value::Null => self.request.old_object,
            object => object,
        };
        let text = |path: &[&str]| object.at(path).and_then(|v| v.as_str()).unwrap_or_default();
        let name = [self.request.name, text(&["metadata", "name"]), text(&["metadata", "generateName"])]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        let subject = policy::Subject { namespace: self.request.namespace, kind: self.request.kind.kind, name };
        let judged = pod.map_or(object, |pod| pod.declared);
        self.exemptions.covering(&policy.name, subject, || images(judged), self.context.now).is_some()
    }
}

/// The failures as a JSON list, as many of them as the limits allow.
fn listed(failures: &[ValidationFailure<'_>]) -> String {
    let mut list = String::from("[");
    for (i, failure) in failures.iter().take(MAX_VALIDATION_FAILURES).enumerate() {
        // Serialising strings and numbers to memory can't fail.
        let json = escape_html(&serde_json::to_string(failure).unwrap_or_default());
        if i > 0 && list.len() + json.len() > MAX_VALIDATION_FAILURES_BYTES {
            break;
        }
        if i > 0 {
            list.push(',');
        }
        list.push_str(&json);
    }
    list.push(']');
    list
}

/// Cuts a text after so many bytes, as upstream does: of a character that is cut through, each byte left is logged as
/// a replacement character.
fn cut(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        let end = text.floor_char_boundary(bytes);
        text.truncate(end);
        text.extend(std::iter::repeat_n(char::REPLACEMENT_CHARACTER, bytes - end));
    }
}

/// A message in terms of the object that the user wrote.
fn locate(message: String, pod: Option<&JudgedPod<'_>>) -> String {
    match pod {
        Some(pod) => pod.origin.message(&message, pod.declared, pod.created),
        None => message,
    }
}

/// The images of all of a pod's containers.
fn images(pod: Value<'_>) -> Vec<&str> {
    ["containers", "initContainers", "ephemeralContainers"]
        .iter()
        .filter_map(|list| pod.at(&["spec", list])?.as_array())
        .flatten()
        .filter_map(|container| container.get("image")?.as_str())
        .collect()
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

/// The binding's actions under the mode, each once, in the binding's order.
fn effective_actions(actions: &[ValidationAction], mode: Mode) -> Vec<ValidationAction> {
    let mut effective = Vec::with_capacity(actions.len());
    for action in actions {
        let capped = match mode {
            Mode::Enforce => *action,
            Mode::Warn => (*action).min(ValidationAction::Warn),
            // A warning refuses nothing; whoever wrote it wants it seen.
            Mode::Audit if *action == ValidationAction::Deny => ValidationAction::Audit,
            Mode::Audit => *action,
        };
        if !effective.contains(&capped) {
            effective.push(capped);
        }
    }
    effective
}

/// What a verdict comes to under the mode.
fn cap(verdict: Verdict, mode: Mode) -> Verdict {
    match (verdict, mode) {
        (Verdict::Deny, Mode::Warn) => Verdict::Warn,
        (Verdict::Deny, Mode::Audit) => Verdict::Audit,
        (verdict, _) => verdict,
    }
}

fn verdict_of(action: ValidationAction) -> Verdict {
    match action {
        ValidationAction::Audit => Verdict::Audit,
        ValidationAction::Warn => Verdict::Warn,
        ValidationAction::Deny => Verdict::Deny,
    }
}

fn action_name(action: ValidationAction) -> &'static str {
    match action {
        ValidationAction::Audit => "Audit",
        ValidationAction::Warn => "Warn",
        ValidationAction::Deny => "Deny",
    }
}

/// Upstream: `reasonToCode`.
fn reason_to_code(reason: &str) -> u16 {
    match reason {
        "Forbidden" => 403,
        "Unauthorized" => 401,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    }
}

/// What Go's encoder escapes within strings, where alone these characters can occur.
fn escape_html(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}
