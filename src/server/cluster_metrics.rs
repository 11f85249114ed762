//! The metrics of the connection to the API server, taken from its state whenever they are asked for. Without a cluster
//! there are none.

use std::sync::{Mutex, PoisonError};

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::cluster::Health;

use super::metrics::counters;
use super::tls::unix_seconds;

/// The metrics of the cluster's watches, by `watch`, and of authorization checks, by `result`.
#[derive(Debug)]
pub struct ClusterMetrics {
    synced: IntGaugeVec,
    stale: IntGaugeVec,
    objects: IntGaugeVec,
    mistakes: IntGaugeVec,
    last_contact: GaugeVec,
    failures: IntCounterVec,
    malformed: IntCounterVec,
    reviews: IntCounterVec,
    /// One writer at a time: the series are written anew each time, so that those of ended watches go.
    writing: Mutex<()>,
}

impl ClusterMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// Two metrics of one name, which would be a defect.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauges = |name: &str, help: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &["watch"])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let last_contact = GaugeVec::new(
            Opts::new(
                "portcullis_cluster_watch_last_contact_timestamp_seconds",
                "When the API server last confirmed what is kept of it.",
            ),
            &["watch"],
        )?;
        registry.register(Box::new(last_contact.clone()))?;
        Ok(Self {
            synced: gauges("portcullis_cluster_watch_synced", "1 once everything was listed.")?,
            stale: gauges(
                "portcullis_cluster_watch_stale",
                "1 while what is kept may be out of date: the watch is interrupted, or was not confirmed for long.",
            )?,
            objects: gauges("portcullis_cluster_watch_objects", "Objects that are kept.")?,
            mistakes: gauges(
                "portcullis_cluster_watch_mistakes",
                "Mistakes in what is kept, which is not used for as long as they are there.",
            )?,
            last_contact,
            failures: counters(
                registry,
                "portcullis_cluster_watch_failures_total",
                "Interruptions of watches; each is tried again.",
                &["watch"],
            )?,
            malformed: counters(
                registry,
                "portcullis_cluster_watch_malformed_objects_total",
                "Objects that could not be read; of each, what was known before stays in use.",
                &["watch"],
            )?,
            reviews: counters(
                registry,
                "portcullis_cluster_authorization_checks_total",
                "Authorization checks that policies asked the API server to make.",
                &["result"],
            )?,
            writing: Mutex::new(()),
        })
    }

    /// Writes the state at present.
    pub fn publish(&self, health: &Health) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        for gauges in [&self.synced, &self.stale, &self.objects, &self.mistakes] {
            gauges.reset();
        }
        self.last_contact.reset();
        for counters in [&self.failures, &self.malformed, &self.reviews] {
            counters.reset();
        }
        for (watched, state) in &health.watches {
            let label = &[watched.as_str()];
            self.synced.with_label_values(label).set(state.synced.into());
            self.stale.with_label_values(label).set((state.failing.is_some() || state.is_stale()).into());
            self.objects.with_label_values(label).set(i64::try_from(state.objects).unwrap_or(i64::MAX));
            self.mistakes.with_label_values(label).set(i64::try_from(state.mistakes.len()).unwrap_or(i64::MAX));
            if let Some(contact) = state.last_contact {
                self.last_contact.with_label_values(label).set(unix_seconds(contact));
            }
            self.failures.with_label_values(label).inc_by(state.failures);
            self.malformed.with_label_values(label).inc_by(state.malformed);
        }
        self.reviews.with_label_values(&["answered"]).inc_by(health.reviews);
        self.reviews.with_label_values(&["failed"]).inc_by(health.failed_reviews);
    }
}
