//! The admin port: is the process alive, should it get requests, what has it seen. Plain HTTP, for the kubelet and
//! Prometheus; it accepts no input.

use std::fmt::Write;
use std::sync::Arc;
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
use crate::engine::Mode;

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
}

/// The endpoints of the admin port.
pub fn router(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/livez", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
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
        let (count, errors) = self.policies.summary();
        let mark = match (count, errors.is_empty()) {
            (0, false) => '-',
            (_, false) | (0, true) => '!',
            _ => '+',
        };
        line(mark, format_args!("policies: {count} loaded, {} errors in their files", errors.len()));
        for error in errors.iter() {
            line('!', format_args!("policies: {error}"));
        }
        let expires = self.tls.expires();
        let mark = if expires > SystemTime::now() { '+' } else { '!' };
        line(mark, format_args!("certificate: expires {}", timestamp(expires)));
        if let Some(error) = self.tls.error() {
            line('!', format_args!("certificate: the previous one stays in use: {error}"));
        }
        line('+', format_args!("mode: {}", mode_label(self.mode)));
        (ready, format!("{}\n{detail}", if ready { "ready" } else { "not ready" }))
    }
}
