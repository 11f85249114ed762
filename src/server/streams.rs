//! The life of an HTTP/2 stream is bounded, whatever holds it open: a peer may give no window for the answer and ping for
//! ever.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::rt::Executor;

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

/// The output of `future`, unless it takes longer than `patience`.
///
/// A request whose body came with its header is answered the second time that it is asked for, so a timer, which is a
/// lock and two list operations, is not set before that.
async fn in_time<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut asked = false;
    let early = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if asked => Poll::Ready(None),
        Poll::Pending => {
            asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match early.await {
        None => tokio::time::timeout(patience, future).await.ok(),
        output => output,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_a_stream_as_long_as_it_may() {
        assert_eq!(in_time(Duration::ZERO, async { 1 }).await, Some(1));
        let soon = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            2
        };
        assert_eq!(in_time(Duration::from_secs(60), soon).await, Some(2));
        assert_eq!(in_time(Duration::from_millis(10), std::future::pending::<()>()).await, None);
    }
}
