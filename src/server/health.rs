//! The admin port: is the process alive, should it get requests, what has it seen. Plain HTTP, for the kubelet and
//! Prometheus; it accepts no input.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::drain::{Stage, Watch};
use super::reload::Policies;
use super::tls::{Tls, timestamp};
use super::{Metrics, mode_label};
use crate::cluster::{Cluster, WatchState};
use crate::engine::Mode;
use crate::policy::Exemption;

/// What the admin port reports on.
#[derive(Debug)]
pub struct Health {
    /// The policies in use.
    pub policies: Arc<Policies>,
    /// The certificate in use.
    pub tls: Arc<Tls>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Whether the server is on its way out.
    pub watch: Watch,
    /// The mode, for the detail text.
    pub mode: Mode,
    /// The cluster's objects that are kept here, where there is a cluster.
    pub cluster: Option<Caches>,
}

/// What is kept of a cluster, and whether it ever was complete.
#[derive(Debug)]
pub struct Caches {
    cluster: Arc<Cluster>,
    /// Once complete, a server stays ready: a watch that a reload adds, or that is interrupted, is the same for all
    /// replicas, and is no reason for all of them to leave at once.
    complete: AtomicBool,
}

/// How many expired exemptions readiness names.
const SHOWN_EXPIRED: usize = 20;

/// The endpoints of the admin port.
pub fn router(health: Arc<Health>) -> Router {
    probes().route("/metrics", get(metrics)).with_state(health)
}

/// What the webhook's port tells of health, too: that port is reached in other ways.
pub fn webhook_router(health: Arc<Health>) -> Router {
    probes().with_state(health)
}

fn probes() -> Router<Arc<Health>> {
    Router::new().route("/healthz", get(healthz)).route("/livez", get(healthz)).route("/readyz", get(readyz))
}

/// Whoever gets this answer knows that the process runs and schedules tasks.
async fn healthz() -> &'static str {
    "ok\n"
}

async fn readyz(State(health): State<Arc<Health>>) -> Response {
    let (ready, detail) = health.readiness();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], detail).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    health.tls.publish(&health.metrics);
    health.metrics.load.publish();
    health.policies.with_exemptions(|exemptions| health.metrics.exemptions.publish(exemptions));
    if let Some(caches) = &health.cluster {
        health.metrics.cluster.publish(&caches.cluster.health());
    }
    match health.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics: {error}\n")).into_response(),
    }
}

impl Health {
    /// Whether requests should come here, and why, one check a line: `[+]` good, `[!]` degraded, `[-]` not ready.
    fn readiness(&self) -> (bool, String) {
        let mut ready = true;
        let mut detail = String::new();
        let mut line = |mark: char, text: std::fmt::Arguments<'_>| {
            ready &= mark != '-';
            // Writing to a string doesn't fail.
            let _ = writeln!(detail, "[{mark}] {text}");
        };
        if self.watch.stage() > Stage::Serving {
            line('-', format_args!("shutting down: requests in progress are being finished"));
        }
        let policies = self.policies.summary();
        let (count, errors) = (policies.policies, &policies.errors);
        let bad = if policies.ready { '!' } else { '-' };
        let mark = match (count, errors.is_empty()) {
            (0, _) => bad,
            (_, false) => '!',
            _ => '+',
        };
        line(mark, format_args!("policies: {count} loaded, {} errors in their files", errors.len()));
        if count == 0 {
            line(bad, format_args!("policies: everything is allowed; --allow-empty says that it is meant"));
        }
        if !policies.chosen {
            line(bad, format_args!("policies: the profile can't be used, so the default one is in force"));
        }
        for policy in &policies.unbound {
            line(
                bad,
                format_args!(
                    "policies: no binding names {policy}, so it does nothing; --allow-empty says that it is meant"
                ),
            );
        }
        for error in errors.iter() {
            line('!', format_args!("policies: {error}"));
        }
        self.policies.with_exemptions(|exemptions| {
            let now = SystemTime::now();
            let (expired, in_force): (Vec<_>, Vec<_>) =
                exemptions.all().iter().partition(|exemption| exemption.has_expired(now));
            let mark = if expired.is_empty() { '+' } else { '!' };
            line(mark, format_args!("exemptions: {} in force, {} expired", in_force.len(), expired.len()));
            for exemption in expired.iter().take(SHOWN_EXPIRED) {
                let Exemption { name, source, expires_text, .. } = exemption;
                line(
                    '!',
                    format_args!(
                        "exemptions: {name} ended ({expires_text}): give it a new end, or remove it ({source})"
                    ),
                );
            }
        });
        let expires = self.tls.expires();
        let mark = if expires > SystemTime::now() { '+' } else { '!' };
        line(mark, format_args!("certificate: expires {}", timestamp(expires)));
        if let Some(error) = self.tls.error() {
            line('!', format_args!("certificate: the previous one stays in use: {error}"));
        }
        if let Some(caches) = &self.cluster {
            for (mark, text) in caches.readiness() {
                line(mark, format_args!("{text}"));
            }
        }
        line('+', format_args!("mode: {}", mode_label(self.mode)));
        (ready, format!("{}\n{detail}", if ready { "ready" } else { "not ready" }))
    }
}

impl Caches {
    /// Keeps an eye on what is kept of `cluster`.
    pub fn new(cluster: Arc<Cluster>) -> Self {
        Self { cluster, complete: AtomicBool::new(false) }
    }

    /// A mark and a text for each watch.
    fn readiness(&self) -> Vec<(char, String)> {
        let watches = self.cluster.health().watches;
        let mistakes = watches.iter().flat_map(|(watched, state)| {
            state.mistakes.iter().map(move |mistake| ('!', format!("cache of {watched}: {mistake}")))
        });
        if watches.iter().all(|(_, state)| state.synced || state.absent || state.forgone) {
            self.complete.store(true, Ordering::Relaxed);
        }
        let complete = self.complete.load(Ordering::Relaxed);
        watches.iter().map(|(watched, state)| readiness(watched, state, complete)).chain(mistakes).collect()
    }
}

fn readiness(watched: &str, state: &WatchState, complete: bool) -> (char, String) {
    let failing = state.failing.as_ref().map(|(since, why)| format!(", failing since {}: {why}", timestamp(*since)));
    let failing = failing.unwrap_or_default();
    match state {
        WatchState { synced: false, absent: false, forgone: false, .. } if !complete => {
            ('-', format!("cache of {watched}: not synced{failing}"))
        }
        WatchState { synced: false, .. } => ('!', format!("cache of {watched}: not synced{failing}")),
        WatchState { objects, .. } if !failing.is_empty() => {
            ('!', format!("cache of {watched}: {objects} objects{failing}"))
        }
        WatchState { objects, .. } if state.is_stale() => {
            ('!', format!("cache of {watched}: {objects} objects, stale"))
        }
        WatchState { objects, .. } => ('+', format!("cache of {watched}: {objects} objects")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_ready_once_its_caches_were_complete() {
        let synced =
            WatchState { synced: true, objects: 3, last_contact: Some(SystemTime::now()), ..WatchState::default() };
        let failing = Some((SystemTime::UNIX_EPOCH, "refused".to_owned()));
        let broken = WatchState { failing: failing.clone(), ..synced.clone() };
        let starting = WatchState { failing, ..WatchState::default() };
        let absent = WatchState { absent: true, ..WatchState::default() };
        let forgone = WatchState { forgone: true, ..starting.clone() };
        let stale = WatchState { last_contact: Some(SystemTime::UNIX_EPOCH), ..synced.clone() };
        for (state, complete, mark, says) in [
            (&synced, false, '+', "cache of x: 3 objects"),
            (&WatchState::default(), false, '-', "not synced"),
            (&starting, false, '-', "not synced, failing since 1970-01-01T00:00:00Z: refused"),
            (&starting, true, '!', "not synced, failing"),
            (&absent, false, '!', "not synced"),
            (&forgone, false, '!', "not synced, failing since"),
            (&broken, true, '!', "3 objects, failing since 1970-01-01T00:00:00Z: refused"),
            (&stale, true, '!', "3 objects, stale"),
        ] {
            let (found, text) = readiness("x", state, complete);
            assert_eq!(found, mark, "{text}");
            assert!(text.contains(says), "{text}");
        }
    }
}
