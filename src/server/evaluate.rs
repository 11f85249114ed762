//! One admission request, from its body to its answer: parse, review, record, write. Knows nothing of HTTP.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::admission;
use crate::cel::authorization::Authorizer;
use crate::cluster::Cluster;
use crate::engine::{CachingAuthorizer, Context, Decision, Finding, Mode, Namespaces, Phase, Request, Verdict};
use crate::json::{self, Arena};

use super::limits::LARGE_BODY_BYTES;
use super::log_queue;
use super::metrics::{Metrics, phase_label, verdict_label};
use super::refusal::{Refusal, excerpt};
use super::reload::Policies;

/// An arena that grew beyond this for one large request is given back to the system.
const KEEP_ARENA_BYTES: usize = 1024 * 1024;

thread_local! {
    /// The arena of the thread's previous request. One for each thread is enough: an evaluation that waits for an answer
    /// of the cluster keeps its thread, whose other tasks go elsewhere.
    static ARENA: Cell<Option<Arena>> = const { Cell::new(None) };
}

/// What evaluating a request needs.
#[derive(Debug)]
pub struct Evaluator {
    /// The policies in use.
    pub policies: Arc<Policies>,
    /// How far bindings may act.
    pub mode: Mode,
    /// Namespaces by name, where there is no cluster.
    pub namespaces: Arc<dyn Namespaces + Send + Sync>,
    /// The cluster, which knows namespaces, params, definitions of custom resources and who may do what.
    pub cluster: Option<Arc<Cluster>>,
    /// How deep a document may be nested.
    pub document: json::Limits,
    /// Where answers are counted.
    pub metrics: Arc<Metrics>,
}

/// The memory that a request needs, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// For a document that has an arena of its own; 0 where it shares that of its evaluation.
    document: usize,
    /// For what the evaluation makes of it.
    evaluation: usize,
    /// Whether the evaluation gets no more, even if that turns out to be too little: what fails then is the policy.
    is_final: bool,
    is_small: bool,
}

impl Need {
    /// All of it, in bytes.
    pub fn bytes(&self) -> usize {
        self.document.saturating_add(self.evaluation)
    }

    /// Whether it is that of a small request.
    pub fn is_small(&self) -> bool {
        self.is_small
    }

    /// Four times as much for an evaluation that ran out, within `available` bytes.
    pub fn grow(&mut self, available: usize) {
        let most = Arena::DEFAULT_LIMIT.min(available.saturating_sub(self.document));
        self.evaluation = self.evaluation.saturating_mul(4).clamp(KEEP_ARENA_BYTES, most.max(KEEP_ARENA_BYTES));
        self.is_final = self.evaluation >= most;
        self.is_small = false;
    }
}

impl Evaluator {
    /// What the review in `body` needs at first: enough for nearly every set of policies.
    pub fn need(&self, body: &[u8]) -> Need {
        if body.len() < LARGE_BODY_BYTES {
            // The densest document takes 12 times its text, a usual one 4.
            return Need { document: 0, evaluation: 24 * body.len() + 64 * 1024, is_final: false, is_small: true };
        }
        let document = json::Outline::of(body, &self.document).document_bytes();
        // Mutation copies what it changes and defaulting what it completes.
        Need { document, evaluation: document + body.len(), is_final: false, is_small: false }
    }

    /// Answers the AdmissionReview in `body` within the memory that it needs; `None` if that turns out to be too little.
    ///
    /// # Errors
    /// The body is no AdmissionReview, `deadline` has passed, or a defect made the evaluation panic; the panic stays
    /// within this request.
    pub fn answer(
        &self,
        phase: Phase,
        body: &[u8],
        need: &Need,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let mut arena = ARENA.take().unwrap_or_default();
        // What the previous request left is no part of this one.
        arena.set_limit(need.evaluation.max(2 * KEEP_ARENA_BYTES));
        // Whatever a panic leaves half-done is in the arena, which is reset before it is used again.
        let answer = catch_unwind(AssertUnwindSafe(|| match need.document {
            0 => self.answer_in(&arena, &arena, phase, body, need, deadline),
            bytes => self.answer_in(&Arena::with_capacity(bytes), &arena, phase, body, need, deadline),
        }));
        if arena.allocated_bytes() <= KEEP_ARENA_BYTES {
            arena.reset();
            ARENA.set(Some(arena));
        }
        answer.unwrap_or(Err(Refusal::Panicked))
    }

    fn answer_in<'a>(
        &self,
        document: &'a Arena,
        arena: &'a Arena,
        phase: Phase,
        body: &'a [u8],
        need: &Need,
        deadline: Instant,
    ) -> Result<Option<Vec<u8>>, Refusal> {
        let started = Instant::now();
        if started >= deadline {
            return Err(Refusal::DeadlinePassed);
        }
        let request = admission::parse(document, body, &self.document)?;
        let view = self.cluster.as_ref().map(|cluster| cluster.view(deadline));
        let authorizer = view.as_ref().map(|view| CachingAuthorizer::new(&view.authorizer));
        let policies = self.policies.current();
        let context = Context {
            arena,
            phase,
            mode: self.mode,
            namespaces: match &view {
                Some(view) => &view.namespaces,
                None => &*self.namespaces,
            },
            params: view.as_ref().map(|view| &*view.params),
            definitions: view.as_ref().map(|view| &*view.definitions),
            exemptions: view.as_ref().map(|view| &*view.exemptions),
            authorizer: authorizer.as_ref().map(|authorizer| authorizer as &dyn Authorizer),
            defaulting: true,
            deadline: Some(deadline),
            now: SystemTime::now(),
            observer: None,
            explain: false,
        };
        let decision = policies.review(&request, &context);
        if arena.was_overrun() && !need.is_final {
            return Ok(None);
        }
        let answer = admission::write(&request, &decision);
        self.metrics.answered(phase, request.operation, request.kind.kind, &decision, started.elapsed());
        log_queue::together(|| log_decision(phase, self.mode, &request, &decision));
        Ok(Some(answer))
    }
}

/// As much of an identifier as the log needs: the longest that the API server accepts has 253 bytes.
fn short(identifier: &str) -> &str {
    excerpt(identifier, 253)
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
            uid = short(request.uid),
            operation = request.operation.as_str(),
            kind = short(request.kind.kind),
            namespace = short(request.namespace),
            name = short(object_name(request)),
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
                uid = short(request.uid),
                operation = request.operation.as_str(),
                kind = short(request.kind.kind),
                namespace = short(request.namespace),
                name = short(object_name(request)),
                policy = finding.policy,
                binding = finding.binding,
                verdict = verdict_label(finding.verdict),
                effective = verdict_label(finding.effective),
                exemption = finding.exemption.map(|exemption| exemption.by.name.as_str()),
                would_be = finding.exemption.map(|exemption| verdict_label(exemption.instead_of)),
                field = finding.field(),
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

#[cfg(test)]
pub(super) mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::PolicySet;
    use crate::json::Value;
    use crate::policy::{Exemptions, Manifest, load};
    use crate::server::{Compiled, InputFile, PolicySource};

    /// Asks for the request's namespace.
    const POLICY: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {a: b}}
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations: [{expression: 'size(object.padding) > 0'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: b}
spec: {policyName: p, validationActions: [Deny]}
";

    #[derive(Debug)]
    struct OnePolicy;

    impl PolicySource for OnePolicy {
        fn read(&self) -> Vec<InputFile> {
            Vec::new()
        }

        fn compile(&self, _: &[InputFile]) -> Compiled {
            let loaded = load(&[Manifest::new("p.yaml", POLICY)], 36);
            assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
            let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
            Compiled { set, chosen: true, declared: Vec::new(), errors: Vec::new() }
        }

        fn allow_empty(&self) -> bool {
            false
        }
    }

    /// A defect in what the engine asks.
    #[derive(Debug)]
    struct Defect;

    impl Namespaces for Defect {
        fn namespace<'a>(&'a self, arena: &'a Arena, name: &str) -> Result<Option<Value<'a>>, String> {
            assert_ne!(name, "defect", "the panic that is wanted");
            let namespace = br#"{"metadata":{"labels":{"a":"b"}}}"#;
            json::parse(arena, namespace, &json::Limits::default()).map(Some).map_err(|error| error.to_string())
        }
    }

    /// An evaluator of one policy that asks for the namespace, in which `defect` is one.
    pub fn evaluator() -> Evaluator {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        Evaluator {
            policies: Arc::new(Policies::load(Box::new(OnePolicy), None, &metrics)),
            mode: Mode::Enforce,
            namespaces: Arc::new(Defect),
            cluster: None,
            document: json::Limits::default(),
            metrics,
        }
    }

    /// A review of a new ConfigMap in `namespace`.
    pub fn review(namespace: &str, padding: usize) -> String {
        format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","operation":"CREATE",
            "kind":{{"version":"v1","kind":"ConfigMap"}},"resource":{{"version":"v1","resource":"configmaps"}},
            "namespace":"{namespace}","object":{{"metadata":{{}},"padding":[{}0]}}}}}}"#,
            "0,".repeat(padding)
        )
    }

    fn answer(evaluator: &Evaluator, namespace: &str, padding: usize) -> Result<Vec<u8>, Refusal> {
        let body = review(namespace, padding);
        let need = evaluator.need(body.as_bytes());
        let answer =
            evaluator.answer(Phase::Validate, body.as_bytes(), &need, Instant::now() + Duration::from_secs(60))?;
        Ok(answer.expect("enough memory"))
    }

    #[test]
    fn a_panic_stays_within_its_request() {
        let evaluator = evaluator();
        assert!(answer(&evaluator, "shop", 0).is_ok());
        assert!(matches!(answer(&evaluator, "defect", 0), Err(Refusal::Panicked)));
        assert!(answer(&evaluator, "shop", 0).is_ok());
    }

    #[test]
    fn a_large_request_leaves_no_large_arena_behind() {
        let evaluator = evaluator();
        assert!(answer(&evaluator, "shop", 0).is_ok());
        assert!(answer(&evaluator, "shop", 500_000).is_ok());
        let kept = ARENA.take().map_or(0, |arena| arena.allocated_bytes());
        assert!(kept <= KEEP_ARENA_BYTES, "{kept}");
    }

    #[test]
    fn an_evaluation_that_runs_out_of_memory_is_not_taken_for_an_answer_until_it_has_all_there_is() {
        let evaluator = evaluator();
        let mut need = Need { document: 0, evaluation: 1, is_final: false, is_small: true };
        let body = review("shop", 500_000);
        let deadline = Instant::now() + Duration::from_secs(60);
        let answer =
            |need: &Need| evaluator.answer(Phase::Validate, body.as_bytes(), need, deadline).expect("a review");
        // The document is in the evaluation's arena, where its size is noticed when an expression looks.
        let mut attempts = 0;
        while answer(&need).is_none() {
            need.grow(1 << 30);
            attempts += 1;
        }
        assert!((1..5).contains(&attempts), "{attempts}");
        assert!(!need.is_small() && need.bytes() > body.len());
        let mut least = Need { evaluation: 1, ..need };
        least.grow(0);
        assert!(least.is_final && answer(&least).is_some(), "the policy fails, by its failurePolicy");
    }

    #[test]
    fn nothing_is_evaluated_once_the_deadline_has_passed() {
        let evaluator = evaluator();
        let refused = evaluator.answer(Phase::Validate, b"", &evaluator.need(b""), Instant::now());
        assert!(matches!(refused, Err(Refusal::DeadlinePassed)), "{refused:?}");
    }
}
