//! Metrics of what the server is under: requests in progress and waiting, the memory that they share, and connections
//! that cost more than they may.

use std::sync::OnceLock;

use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

use super::activity::Cut;
use super::memory::Memory;
use super::metrics::{counters, gauge};

/// See the module.
#[derive(Debug)]
pub struct LoadMetrics {
    in_flight: IntGauge,
    waiting: IntGauge,
    cut: IntCounterVec,
    refused: IntCounter,
    reset: IntCounter,
    used: IntGaugeVec,
    size: IntGaugeVec,
    memory: OnceLock<Memory>,
}

/// Something that a gauge counts, as long as this lives.
#[derive(Debug)]
pub struct Counted(IntGauge);

impl Counted {
    fn by(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl LoadMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    /// Two metrics of one name, which would be a defect.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let by_share = |name: &str, help: &str| {
            let gauges = IntGaugeVec::new(Opts::new(name, help), &["share"])?;
            registry.register(Box::new(gauges.clone()))?;
            Ok::<_, prometheus::Error>(gauges)
        };
        let metrics = Self {
            in_flight: gauge(registry, "portcullis_admission_in_flight", "Admission requests being served.")?,
            waiting: gauge(
                registry,
                "portcullis_admission_waiting",
                "Waits for memory or for an evaluation to end, of requests in flight.",
            )?,
            cut: counters(
                registry,
                "portcullis_connections_closed_total",
                "Connections that the server closed: evicted in favour of a new one, idle, header or answer (unread) too slow.",
                &["reason"],
            )?,
            refused: counter(
                "portcullis_connections_refused_total",
                "Connections refused because their address has as many as it may have, all of them busy.",
            )?,
            reset: counter("portcullis_http2_streams_reset_total", "HTTP/2 streams that were held open for too long.")?,
            used: by_share(
                "portcullis_memory_used_bytes",
                "What requests have drawn from the memory that they share.",
            )?,
            size: by_share("portcullis_memory_limit_bytes", "The memory that requests share.")?,
            memory: OnceLock::new(),
        };
        for cut in [Cut::Evicted, Cut::Idle, Cut::Header, Cut::Unread] {
            metrics.cut.with_label_values(&[cut.label()]);
        }
        Ok(metrics)
    }

    /// From now on, reports on `memory`.
    pub fn watch(&self, memory: Memory) {
        for (share, pool) in memory.pools() {
            self.size.with_label_values(&[share]).set(i64::try_from(pool.bytes()).unwrap_or(i64::MAX));
        }
        // A server has one memory.
        let _ = self.memory.set(memory);
    }

    /// Writes what changes without being told into the metrics.
    pub fn publish(&self) {
        for (share, pool) in self.memory.get().iter().flat_map(|memory| memory.pools()) {
            self.used.with_label_values(&[share]).set(i64::try_from(pool.used()).unwrap_or(i64::MAX));
        }
    }

    /// Counts a request, as long as the guard lives.
    pub fn in_flight(&self) -> Counted {
        Counted::by(&self.in_flight)
    }

    /// Counts a wait, as long as the guard lives.
    pub fn waiting(&self) -> Counted {
        Counted::by(&self.waiting)
    }

    /// Records a connection that was closed.
    pub fn cut_connection(&self, cut: Cut) {
        self.cut.with_label_values(&[cut.label()]).inc();
    }

    /// Records a connection that was refused.
    pub fn refused_connection(&self) {
        self.refused.inc();
    }

    /// Records a stream that was reset.
    pub fn reset_stream(&self) {
        self.reset.inc();
    }
}
