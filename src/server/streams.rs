//! The life of an HTTP/2 stream is bounded, whatever holds it open: a peer may give no window for the answer and ping for
//! ever.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hyper::rt::Executor;

use super::handlers::in_time;
use super::metrics::Metrics;

/// Runs the streams of HTTP/2 connections; one that takes too long is reset.
#[derive(Clone, Debug)]
pub struct Streams {
    metrics: Arc<Metrics>,
    longest: Duration,
}

impl Streams {
    /// Resets streams that take longer than `longest`.
    pub fn new(metrics: Arc<Metrics>, longest: Duration) -> Self {
        Self { metrics, longest }
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let Self { metrics, longest } = self.clone();
        tokio::spawn(async move {
            if in_time(longest, stream).await.is_none() {
                metrics.load.reset_stream();
            }
        });
    }
}
