//! The time that a request's header may take, without a timer for each request: arming and disarming one is a lock and
//! two list operations, twice for each request, for something that happens almost never. A connection has one timer,
//! which is armed again when it rings.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};

/// The clock of one HTTP/1.1 connection. [`HeaderClock::ring`] has to be polled beside the connection, in its task and
/// before it.
#[derive(Clone, Debug)]
pub struct HeaderClock(Arc<State>);

/// Times are nanoseconds since `start`. Everything happens within one task, so no order between the two matters.
#[derive(Debug)]
struct State {
    start: Instant,
    /// The latest deadline that was asked for.
    latest: AtomicU64,
    /// When the timer rang last.
    rang: AtomicU64,
}

impl HeaderClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self(Arc::new(State { start: Instant::now(), latest: AtomicU64::new(0), rang: AtomicU64::new(0) }))
    }

    /// Rings for ever, at least once after each deadline that is `patience` away when it is set.
    ///
    /// A deadline is never before the time at which the timer rings next: that is either the latest deadline so far, or
    /// `patience` from a moment at which there was none to come.
    pub async fn ring(self, patience: Duration) -> Infallible {
        let mut next = self.0.start + patience;
        loop {
            tokio::time::sleep_until(next.into()).await;
            let now = Instant::now();
            self.0.rang.store(self.nanoseconds(now), Ordering::Relaxed);
            let latest = self.0.start + Duration::from_nanos(self.0.latest.load(Ordering::Relaxed));
            next = if latest > now { latest } else { now + patience };
        }
    }

    fn nanoseconds(&self, time: Instant) -> u64 {
        u64::try_from(time.saturating_duration_since(self.0.start).as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Timer for HeaderClock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let deadline = self.nanoseconds(deadline);
        self.0.latest.fetch_max(deadline, Ordering::Relaxed);
        Box::pin(Deadline { clock: Arc::clone(&self.0), deadline })
    }
}

/// Over once the clock has rung after it. Wakes nobody: the clock wakes the task.
struct Deadline {
    clock: Arc<State>,
    deadline: u64,
}

impl Future for Deadline {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.clock.rang.load(Ordering::Relaxed) >= self.deadline { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for Deadline {}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(40);

    /// How long after `from` a deadline that is set `PATIENCE` away is noticed.
    async fn noticed(clock: &HeaderClock, from: Instant) -> Duration {
        let mut deadline = clock.sleep_until(from + PATIENCE);
        let ring = clock.clone().ring(PATIENCE);
        tokio::pin!(ring);
        std::future::poll_fn(|context| {
            let _ = ring.as_mut().poll(context);
            deadline.as_mut().poll(context)
        })
        .await;
        from.elapsed()
    }

    #[tokio::test]
    async fn a_deadline_is_noticed_when_it_has_passed_and_soon_after() {
        for before in [0, 10, 39, 41, 100] {
            let clock = HeaderClock::new();
            tokio::time::sleep(Duration::from_millis(before)).await;
            let after = noticed(&clock, Instant::now()).await;
            assert!(after >= PATIENCE && after < 10 * PATIENCE, "{after:?}");
        }
    }

    #[tokio::test]
    async fn a_deadline_that_was_given_up_moves_no_other() {
        let clock = HeaderClock::new();
        drop(clock.sleep_until(Instant::now() + PATIENCE));
        tokio::time::sleep(PATIENCE / 2).await;
        let after = noticed(&clock, Instant::now()).await;
        assert!(after >= PATIENCE, "{after:?}");
    }
}
