//! Metrics of exemptions: how many there are, when each ends, and what it was good for. One whose findings stay 0 sets
//! nothing aside.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use crate::engine::Finding;
use crate::policy::Exemptions;

use super::metrics::counters;
use super::tls::unix_seconds;

/// The metrics of exemptions, which by name are those of the exemptions in use.
#[derive(Debug)]
pub struct ExemptionMetrics {
    exemptions: IntGaugeVec,
    expiry: GaugeVec,
    findings: IntCounterVec,
    /// What `findings` is written from whenever it is asked for, by exemption and in the order of [`RESULTS`].
    counted: Mutex<HashMap<String, [u64; RESULTS.len()]>>,
}

const RESULTS: [&str; 3] = ["exempt", "expired", "pass"];

impl ExemptionMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// Two metrics of one name, which would be a defect.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let exemptions =
            IntGaugeVec::new(Opts::new("portcullis_exemptions", "Exemptions in use, by state."), &["state"])?;
        registry.register(Box::new(exemptions.clone()))?;
        let expiry = Opts::new("portcullis_exemption_expiry_timestamp_seconds", "When an exemption ends.");
        let expiry = GaugeVec::new(expiry, &["exemption"])?;
        registry.register(Box::new(expiry.clone()))?;
        let findings = counters(
            registry,
            "portcullis_exemption_findings_total",
            "Evaluations that an exemption is written for: set aside (exempt), no longer set aside (expired), and those \
             that had nothing to object to (pass).",
            &["exemption", "result"],
        )?;
        Ok(Self { exemptions, expiry, findings, counted: Mutex::default() })
    }

    /// Counts a finding for the exemptions that are written for it.
    pub fn count(&self, finding: &Finding<'_>) {
        if finding.covered_by.is_empty() {
            return;
        }
        let now = SystemTime::now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (exemption, offenders) in &finding.covered_by {
            let [exempt, expired, pass] = counted.entry(exemption.name.clone()).or_default();
            match offenders {
                0 => *pass += 1,
                _ if exemption.has_expired(now) => *expired += 1,
                _ => *exempt += 1,
            }
        }
    }

    /// Writes the state at present, and forgets exemptions that are gone.
    pub fn publish(&self, exemptions: &Exemptions) {
        let now = SystemTime::now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        self.expiry.reset();
        self.findings.reset();
        let mut before = std::mem::take(&mut *counted);
        let mut states = [0, 0];
        for exemption in exemptions.all() {
            let [in_force, expired] = &mut states;
            *(if exemption.has_expired(now) { expired } else { in_force }) += 1;
            self.expiry.with_label_values(&[&exemption.name]).set(unix_seconds(exemption.expires));
            let counts = before.remove(&exemption.name).unwrap_or_default();
            for (result, count) in RESULTS.iter().zip(counts) {
                self.findings.with_label_values(&[exemption.name.as_str(), *result]).inc_by(count);
            }
            counted.insert(exemption.name.clone(), counts);
        }
        for (state, count) in ["in_force", "expired"].iter().zip(states) {
            self.exemptions.with_label_values(&[*state]).set(count);
        }
    }
}
