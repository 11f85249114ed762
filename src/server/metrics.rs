//! What Prometheus sees. Every label has a bounded set of values: kinds outside a known list are `other`, and policies
//! that are no longer loaded lose their series.

use std::collections::HashMap;
use std::sync::OnceLock;

use arc_swap::ArcSwap;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

use crate::engine::{Decision, Operation, Phase, PolicySet, Verdict};

use super::cluster_metrics::ClusterMetrics;
use super::exemption_metrics::ExemptionMetrics;
use super::load_metrics::LoadMetrics;
use super::refusal::Refusal;

/// From 50 µs, where most answers are, to the API server's longest timeout.
const LATENCY_BUCKETS: [f64; 17] =
    [50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];

/// The kinds that have a label value of their own.
const KINDS: [&str; 40] = [
    "Application",
    "ApplicationSet",
    "Certificate",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "CronJob",
    "CustomResourceDefinition",
    "DaemonSet",
    "Deployment",
    "DeploymentRollback",
    "EndpointSlice",
    "Endpoints",
    "Event",
    "Eviction",
    "ExternalSecret",
    "HorizontalPodAutoscaler",
    "Ingress",
    "IngressClass",
    "Job",
    "Lease",
    "LimitRange",
    "Namespace",
    "NetworkPolicy",
    "Node",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "PodExecOptions",
    "PodTemplate",
    "ReplicaSet",
    "ReplicationController",
    "ResourceQuota",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
    "StatefulSet",
];

/// How many operations there are.
const OPERATIONS: usize = 4;

/// The label of every other kind.
const OTHER: &str = "other";

const VERDICTS: [Verdict; 6] =
    [Verdict::Pass, Verdict::Exempt, Verdict::Audit, Verdict::Warn, Verdict::Error, Verdict::Deny];

/// The metrics of a server.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    /// The cells of `requests` by phase, operation and kind, resolved when first needed.
    request_cells: Vec<OnceLock<Box<Cells>>>,
    refused: IntCounterVec,
    /// By phase: mutate, validate.
    duration: [Histogram; 2],
    evaluations: IntCounterVec,
    mutations: IntCounterVec,
    /// The counters of the loaded policies, resolved once so that a request looks up no labels.
    by_policy: ArcSwap<PolicyCounters>,
    /// Open connections.
    pub connections: IntGauge,
    /// Requests, memory and connections under load.
    pub load: LoadMetrics,
    /// TLS handshakes that came to nothing, by `reason`.
    pub handshake_failures: IntCounterVec,
    /// Policies in use, by `type`.
    policies: IntGaugeVec,
    /// Policies that no binding names.
    pub policies_unbound: IntGauge,
    /// Errors in the files that policies are loaded from.
    pub policy_load_errors: IntGauge,
    /// Reloads of policies, by `result`.
    pub policy_reloads: IntCounterVec,
    /// When policies were last loaded without an error.
    pub policy_last_success: Gauge,
    /// When the serving certificate expires.
    pub certificate_expiry: Gauge,
    /// Whether the certificate files can't be used at present.
    pub certificate_load_error: IntGauge,
    /// Reloads of the certificate, by `result`.
    pub certificate_reloads: IntCounterVec,
    /// What is kept of the cluster, and what it is asked.
    pub cluster: ClusterMetrics,
    /// What exemptions are good for.
    pub exemptions: ExemptionMetrics,
}

impl Metrics {
    /// Registers every metric.
    ///
    /// # Errors
    /// Two metrics of one name, which would be a defect.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            requests: counters(
                &registry,
                "portcullis_admission_requests_total",
                "Admission requests answered. verdict is what the policies say, effective what the mode made of it.",
                &["phase", "operation", "kind", "verdict", "effective"],
            )?,
            request_cells: std::iter::repeat_with(OnceLock::new).take(2 * OPERATIONS * (KINDS.len() + 1)).collect(),
            refused: counters(
                &registry,
                "portcullis_admission_refused_total",
                "Requests refused before any policy was evaluated.",
                &["reason"],
            )?,
            duration: {
                let opts = HistogramOpts::new(
                    "portcullis_admission_duration_seconds",
                    "Time from a request's complete body to its answer.",
                )
                .buckets(LATENCY_BUCKETS.to_vec());
                let histogram = HistogramVec::new(opts, &["phase"])?;
                registry.register(Box::new(histogram.clone()))?;
                [Phase::Mutate, Phase::Validate].map(|phase| histogram.with_label_values(&[phase_label(phase)]))
            },
            evaluations: counters(
                &registry,
                "portcullis_policy_evaluations_total",
                "Evaluations of policy bindings. verdict is the binding's, effective what the mode made of it.",
                &["policy", "binding", "verdict", "effective"],
            )?,
            mutations: counters(
                &registry,
                "portcullis_policy_mutations_total",
                "Objects that a mutating policy changed, or would have changed had the mode let it (applied=false).",
                &["policy", "applied"],
            )?,
            by_policy: ArcSwap::default(),
            connections: gauge(&registry, "portcullis_connections", "Open connections.")?,
            load: LoadMetrics::new(&registry)?,
            handshake_failures: counters(
                &registry,
                "portcullis_tls_handshake_failures_total",
                "TLS handshakes that failed, were not finished in time, or had to make room for other connections.",
                &["reason"],
            )?,
            policies: {
                let opts = Opts::new("portcullis_policies", "Policies in use.");
                let gauges = IntGaugeVec::new(opts, &["type"])?;
                registry.register(Box::new(gauges.clone()))?;
                gauges
            },
            policies_unbound: gauge(
                &registry,
                "portcullis_policies_unbound",
                "Policies in use that no binding names, so that they do nothing.",
            )?,
            policy_load_errors: gauge(
                &registry,
                "portcullis_policy_load_errors",
                "Errors in the files that policies, params and exemptions are loaded from.",
            )?,
            policy_reloads: counters(
                &registry,
                "portcullis_policy_reloads_total",
                "Reloads after policy files changed.",
                &["result"],
            )?,
            policy_last_success: float_gauge(
                &registry,
                "portcullis_policy_last_success_timestamp_seconds",
                "When policies were last loaded without an error.",
            )?,
            certificate_expiry: float_gauge(
                &registry,
                "portcullis_certificate_expiry_timestamp_seconds",
                "When the serving certificate expires.",
            )?,
            certificate_load_error: gauge(
                &registry,
                "portcullis_certificate_load_error",
                "1 while the certificate files can't be used and an earlier certificate is served.",
            )?,
            certificate_reloads: counters(
                &registry,
                "portcullis_certificate_reloads_total",
                "Reloads after certificate files changed.",
                &["result"],
            )?,
            cluster: ClusterMetrics::new(&registry)?,
            exemptions: ExemptionMetrics::new(&registry)?,
            registry,
        };
        metrics.start_at_zero()?;
        Ok(metrics)
    }

    /// Adds a counter that was there before the server.
    ///
    /// # Errors
    /// There is one of its name already.
    pub fn register(&self, counter: &IntCounter) -> Result<(), prometheus::Error> {
        self.registry.register(Box::new(counter.clone()))
    }

    /// Creates the series that alerts are written on, so that their first increase is seen as one.
    fn start_at_zero(&self) -> Result<(), prometheus::Error> {
        for reason in Refusal::LABELS {
            self.refused.with_label_values(&[reason]);
        }
        for reason in ["failed", "timeout", "evicted"] {
            self.handshake_failures.with_label_values(&[reason]);
        }
        for result in ["success", "error"] {
            self.policy_reloads.with_label_values(&[result]);
            self.certificate_reloads.with_label_values(&[result]);
        }
        let opts = Opts::new("portcullis_build_info", "The version that runs.")
            .const_label("version", env!("CARGO_PKG_VERSION"));
        let build_info = IntGauge::with_opts(opts)?;
        build_info.set(1);
        self.registry.register(Box::new(build_info))
    }

    /// Records an answered request.
    pub fn answered(
        &self,
        phase: Phase,
        operation: Operation,
        kind: &str,
        decision: &Decision<'_>,
        elapsed: std::time::Duration,
    ) {
        let strongest = |verdict: fn(&crate::engine::Finding<'_>) -> Verdict| {
            decision.findings.iter().map(verdict).max().unwrap_or(Verdict::Pass)
        };
        let (verdict, effective) = (strongest(|f| f.verdict), strongest(|f| f.effective));
        let [mutate, validate] = &self.duration;
        let duration = if phase == Phase::Mutate { mutate } else { validate };
        duration.observe(elapsed.as_secs_f64());
        self.count_request(phase, operation, kind, verdict, effective);
        let counters = self.by_policy.load();
        for finding in &decision.findings {
            self.exemptions.count(finding);
            if let Some(counter) =
                counters.evaluation(self, finding.policy, finding.binding, finding.verdict, finding.effective)
            {
                counter.inc();
            }
        }
        for (mutated, applied) in [(&decision.mutated, "true"), (&decision.would_mutate, "false")] {
            for policy in mutated.iter().flat_map(|mutated| &mutated.policies) {
                self.mutations.with_label_values(&[*policy, applied]).inc();
            }
        }
    }

    fn count_request(&self, phase: Phase, operation: Operation, kind: &str, verdict: Verdict, effective: Verdict) {
        let kind = KINDS.binary_search(&kind).unwrap_or(KINDS.len());
        let row = usize::from(phase == Phase::Mutate) * OPERATIONS + operation as usize;
        let cells = self.request_cells.get(row * (KINDS.len() + 1) + kind);
        let cell = cells.and_then(|cells| cells.get_or_init(Box::default).cells.get(position(verdict, effective)));
        let Some(cell) = cell else { return };
        cell.get_or_init(|| {
            self.requests.with_label_values(&[
                phase_label(phase),
                operation.as_str(),
                KINDS.get(kind).copied().unwrap_or(OTHER),
                verdict_label(verdict),
                verdict_label(effective),
            ])
        })
        .inc();
    }

    /// Records a refused request.
    pub fn refused(&self, refusal: &Refusal) {
        self.refused.with_label_values(&[refusal.label()]).inc();
    }

    /// Makes counters for the policies of `set` and removes those of policies that are gone.
    pub fn use_policies(&self, set: &PolicySet) {
        let mut types = [0i64; 2];
        let mut next = PolicyCounters::default();
        for policy in set.policies() {
            let mutates = matches!(policy.rules, crate::policy::model::Rules::Mutate { .. });
            types[usize::from(mutates)] += 1;
            let bindings = next.policies.entry(policy.name.clone()).or_default();
            // Errors of a whole policy carry no binding.
            for binding in policy.bindings.iter().map(|b| b.name.as_str()).chain([""]) {
                bindings.entry(binding.to_owned()).or_default();
            }
        }
        self.policies.with_label_values(&["validating"]).set(types[0]);
        self.policies.with_label_values(&["mutating"]).set(types[1]);
        let previous = self.by_policy.swap(std::sync::Arc::new(next));
        let current = self.by_policy.load();
        for (policy, bindings) in &previous.policies {
            for (binding, cells) in bindings {
                if !current.policies.get(policy).is_some_and(|bindings| bindings.contains_key(binding)) {
                    cells.remove(self, policy, binding);
                }
            }
            if !current.policies.contains_key(policy) {
                for applied in ["true", "false"] {
                    // An error means that there is no such series, which is what is wanted.
                    let _ = self.mutations.remove_label_values(&[policy.as_str(), applied]);
                }
            }
        }
    }

    /// The exposition format's text.
    ///
    /// # Errors
    /// The encoder's, which for text into memory has none to give.
    pub fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut text = Vec::with_capacity(16 * 1024);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

/// Counters by policy and binding.
#[derive(Debug, Default)]
struct PolicyCounters {
    policies: HashMap<String, HashMap<String, Cells>>,
}

impl PolicyCounters {
    fn evaluation(
        &self,
        metrics: &Metrics,
        policy: &str,
        binding: &str,
        verdict: Verdict,
        effective: Verdict,
    ) -> Option<&IntCounter> {
        let cell = self.policies.get(policy)?.get(binding)?.cells.get(position(verdict, effective))?;
        Some(cell.get_or_init(|| {
            metrics.evaluations.with_label_values(&[policy, binding, verdict_label(verdict), verdict_label(effective)])
        }))
    }
}

/// A counter for each pair of verdict and effective verdict, made when first needed.
#[derive(Debug)]
struct Cells {
    cells: [OnceLock<IntCounter>; VERDICTS.len() * VERDICTS.len()],
}

impl Default for Cells {
    fn default() -> Self {
        Self { cells: std::array::from_fn(|_| OnceLock::new()) }
    }
}

impl Cells {
    fn remove(&self, metrics: &Metrics, policy: &str, binding: &str) {
        for verdict in VERDICTS {
            for effective in VERDICTS {
                // An error means that there is no such series, which is what is wanted.
                let _ = metrics.evaluations.remove_label_values(&[
                    policy,
                    binding,
                    verdict_label(verdict),
                    verdict_label(effective),
                ]);
            }
        }
    }
}

fn position(verdict: Verdict, effective: Verdict) -> usize {
    verdict as usize * VERDICTS.len() + effective as usize
}

/// The label value, and the word in logs, for a verdict.
pub fn verdict_label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "allow",
        other => other.name(),
    }
}

/// The label value, and the word in logs, for a phase.
pub fn phase_label(phase: Phase) -> &'static str {
    match phase {
        Phase::Mutate => "mutate",
        Phase::Validate => "validate",
        Phase::Both => "both",
    }
}

/// Registers counters.
pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

/// Registers a gauge.
pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let gauge = IntGauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

fn float_gauge(registry: &Registry, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
    let gauge = Gauge::new(name, help)?;
    registry.register(Box::new(gauge.clone()))?;
    Ok(gauge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_sorted_so_that_they_are_found() {
        assert!(KINDS.is_sorted());
    }

    /// The exposition's lines on answered requests.
    fn counted(metrics: &Metrics) -> Vec<String> {
        let text = String::from_utf8(metrics.render().expect("text")).expect("UTF-8");
        text.lines()
            .filter(|line| line.starts_with("portcullis_admission_requests_total{"))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn each_request_is_counted_by_all_its_labels() {
        const ALL: [Operation; OPERATIONS] =
            [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
        let metrics = Metrics::new().expect("metrics");
        let mut expected = Vec::new();
        for phase in [Phase::Mutate, Phase::Validate] {
            for operation in ALL {
                for kind in KINDS.into_iter().chain([OTHER]) {
                    metrics.count_request(phase, operation, kind, Verdict::Deny, Verdict::Warn);
                    expected.push(format!(
                        "portcullis_admission_requests_total{{effective=\"warn\",kind=\"{kind}\",operation=\"{}\",phase=\"{}\",verdict=\"deny\"}} 1",
                        operation.as_str(),
                        phase_label(phase)
                    ));
                }
            }
        }
        let mut found = counted(&metrics);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn unknown_kinds_share_one_label() {
        let metrics = Metrics::new().expect("metrics");
        for kind in ["Widget", "", "pod"] {
            metrics.count_request(Phase::Validate, Operation::Create, kind, Verdict::Pass, Verdict::Pass);
        }
        let found = counted(&metrics);
        assert!(matches!(&*found, [line] if line.contains(r#"kind="other""#) && line.ends_with(" 3")), "{found:?}");
    }

    #[test]
    fn each_pair_of_verdicts_has_its_own_cell() {
        let mut seen = std::collections::BTreeSet::new();
        for verdict in VERDICTS {
            for effective in VERDICTS {
                assert!(seen.insert(position(verdict, effective)));
            }
        }
        assert_eq!(seen.len(), Cells::default().cells.len());
        assert_eq!(seen.last(), Some(&(Cells::default().cells.len() - 1)));
    }
}
