//! One admission request, from its body to its answer: parse, review, record, write. Knows nothing of HTTP.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::admission;
use crate::engine::{Context, Decision, Finding, Mode, Namespaces, Phase, Request, Verdict};
use crate::json::{self, Arena};

use super::metrics::{Metrics, phase_label, verdict_label};
use super::refusal::Refusal;
use super::reload::Policies;

/// An arena that grew beyond this for one large request is given back to the system.
const KEEP_ARENA_BYTES: usize = 1024 * 1024;

thread_local! {
    /// The arena of the thread's previous request. Evaluation never waits, so one for each thread is enough.
    static ARENA: Cell<Option<Arena>> = const { Cell::new(None) };
}

/// What evaluating a request needs.
#[derive(Debug)]
pub struct Evaluator {
    /// The policies in use.
    pub policies: Arc<Policies>,
    /// How far bindings may act.
    pub mode: Mode,
    /// Namespaces by name.
    pub namespaces: Arc<dyn Namespaces + Send + Sync>,
    /// How deep a document may be nested.
    pub document: json::Limits,
    /// Where answers are counted.
    pub metrics: Arc<Metrics>,
}

impl Evaluator {
    /// Answers the AdmissionReview in `body`.
    ///
    /// # Errors
    /// The body is no AdmissionReview, `deadline` has passed, or a defect made the evaluation panic; the panic stays
    /// within this request.
    pub fn answer(&self, phase: Phase, body: &[u8], deadline: Instant) -> Result<Vec<u8>, Refusal> {
        let mut arena = ARENA.take().unwrap_or_default();
        // Whatever a panic leaves half-done is in the arena, which is reset before it is used again.
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer_in(&arena, phase, body, deadline)));
        if arena.allocated_bytes() <= KEEP_ARENA_BYTES {
            arena.reset();
            ARENA.set(Some(arena));
        }
        answer.unwrap_or(Err(Refusal::Panicked))
    }

    fn answer_in(&self, arena: &Arena, phase: Phase, body: &[u8], deadline: Instant) -> Result<Vec<u8>, Refusal> {
        let started = Instant::now();
        if started >= deadline {
            return Err(Refusal::DeadlinePassed);
        }
        let request = admission::parse(arena, body, &self.document)?;
        let policies = self.policies.current();
        let context = Context {
            arena,
            phase,
            mode: self.mode,
            namespaces: &*self.namespaces,
            deadline: Some(deadline),
            now: SystemTime::now(),
            observer: None,
        };
        let decision = policies.review(&request, &context);
        let answer = admission::write(&request, &decision);
        self.metrics.answered(phase, request.operation, request.kind.kind, &decision, started.elapsed());
        log_decision(phase, self.mode, &request, &decision);
        Ok(answer)
    }
}

/// One line for each finding that isn't a pass, and for each mutation. Messages come from policies and name fields;
/// objects, which may hold secrets, are never logged.
fn log_decision(phase: Phase, mode: Mode, request: &Request<'_>, decision: &Decision<'_>) {
    for finding in decision.findings.iter().filter(|finding| finding.verdict != Verdict::Pass) {
        log_finding(phase, request, finding);
    }
    for (mutated, applied) in [(&decision.mutated, true), (&decision.would_mutate, false)] {
        let Some(mutated) = mutated else { continue };
        tracing::info!(
            phase = phase_label(phase),
            uid = request.uid,
            operation = request.operation.as_str(),
            kind = request.kind.kind,
            namespace = request.namespace,
            name = object_name(request),
            policies = mutated.policies.join(","),
            mode = super::mode_label(mode),
            applied,
            "mutation"
        );
    }
}

fn log_finding(phase: Phase, request: &Request<'_>, finding: &Finding<'_>) {
    /// The level of an event is part of its static description, so each level is an event of its own.
    macro_rules! event {
        ($level:ident) => {
            tracing::$level!(
                phase = phase_label(phase),
                uid = request.uid,
                operation = request.operation.as_str(),
                kind = request.kind.kind,
                namespace = request.namespace,
                name = object_name(request),
                policy = finding.policy,
                binding = finding.binding,
                verdict = verdict_label(finding.verdict),
                effective = verdict_label(finding.effective),
                field = finding.field,
                reason = finding.message,
                "finding"
            )
        };
    }
    match finding.effective {
        Verdict::Deny => event!(warn),
        _ => event!(info),
    }
}

/// The object's name, or what the API server will make one from.
fn object_name<'a>(request: &Request<'a>) -> &'a str {
    if !request.name.is_empty() {
        return request.name;
    }
    let metadata = |field| request.object.at(&["metadata", field]).and_then(|name| name.as_str());
    metadata("name").or_else(|| metadata("generateName")).unwrap_or_default()
}
