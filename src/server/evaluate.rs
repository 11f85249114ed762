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

use super::metrics::{Metrics, phase_label, verdict_label};
use super::refusal::Refusal;
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
            authorizer: authorizer.as_ref().map(|authorizer| authorizer as &dyn Authorizer),
            defaulting: true,
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
mod tests {
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
  validations: [{expression: 'true'}]
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
            Compiled { set: PolicySet::new(loaded.policies, loaded.params, Exemptions::default()), errors: Vec::new() }
        }
    }

    /// A defect in what the engine asks.
    #[derive(Debug)]
    struct Defect;

    impl Namespaces for Defect {
        fn namespace<'a>(&'a self, _: &'a Arena, name: &str) -> Result<Option<Value<'a>>, String> {
            assert_ne!(name, "defect", "the panic that is wanted");
            Ok(None)
        }
    }

    fn evaluator() -> Evaluator {
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

    fn answer(evaluator: &Evaluator, namespace: &str, padding: usize) -> Result<Vec<u8>, Refusal> {
        let body = format!(
            r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","operation":"CREATE",
            "kind":{{"version":"v1","kind":"ConfigMap"}},"resource":{{"version":"v1","resource":"configmaps"}},
            "namespace":"{namespace}","object":{{"metadata":{{}},"padding":[{}0]}}}}}}"#,
            "0,".repeat(padding)
        );
        evaluator.answer(Phase::Validate, body.as_bytes(), Instant::now() + Duration::from_secs(60))
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
    fn nothing_is_evaluated_once_the_deadline_has_passed() {
        let refused = evaluator().answer(Phase::Validate, b"", Instant::now());
        assert!(matches!(refused, Err(Refusal::DeadlinePassed)), "{refused:?}");
    }
}
