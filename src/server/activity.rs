//! What one connection is doing, so that it can be told from one that only costs: is a request in progress, did a header
//! begin, does the peer take what is sent to it. Noted by whoever does it, without a lock or a timer; one timer for the
//! connection looks at it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::limits::ConnectionLimits;

/// The state of one connection. Times are nanoseconds since `start`; a 0 means that nothing of the kind is the case.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    /// Requests whose answer isn't there yet.
    requests: AtomicU32,
    /// Requests whose body has arrived.
    evaluating: AtomicU32,
    /// Since when there has been nothing to do but wait for the peer; the time of its start for a new connection.
    idle: AtomicU64,
    /// When the first byte of a header came that isn't complete.
    header: AtomicU64,
    /// Since when the peer has taken nothing of what is sent to it.
    unread: AtomicU64,
    evicted: Notify,
}

/// Why a connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It made room for a new one.
    Evicted,
    /// Nothing was asked on it for too long.
    Idle,
    /// A header took too long.
    Header,
    /// The peer doesn't read its answers.
    Unread,
}

impl Cut {
    /// The value of the `reason` label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Cut::Evicted => "evicted",
            Cut::Idle => "idle",
            Cut::Header => "header",
            Cut::Unread => "unread",
        }
    }
}

impl Activity {
    /// A connection that starts now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            requests: AtomicU32::new(0),
            evaluating: AtomicU32::new(0),
            idle: AtomicU64::new(1),
            header: AtomicU64::new(0),
            unread: AtomicU64::new(0),
            evicted: Notify::new(),
        })
    }

    /// Notes a request, until the guard goes.
    pub fn request(self: &Arc<Self>) -> Busy {
        self.header.store(0, Ordering::Relaxed);
        Busy::new(Arc::clone(self), |activity| &activity.requests)
    }

    /// Notes that a request's body is there, until the guard goes.
    pub fn evaluation(self: &Arc<Self>) -> Busy {
        Busy::new(Arc::clone(self), |activity| &activity.evaluating)
    }

    /// When the peer was last waited for, if that is all that happens on this connection: a body that arrives is no
    /// work.
    pub fn idle_since(&self) -> Option<Instant> {
        (self.evaluating.load(Ordering::Relaxed) == 0).then(|| self.time(self.idle.load(Ordering::Relaxed)))
    }

    /// Ends the connection in favour of another.
    pub fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Waits for [`Activity::evict`].
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Waits until the connection has to be closed. `header_is_slow` says whether what arrives without a request is a
    /// header: HTTP/2 has other frames.
    pub async fn cut(&self, limits: &ConnectionLimits, header_is_slow: bool) -> Cut {
        let shortest = limits.header.min(limits.write).min(limits.idle);
        loop {
            let now = Instant::now();
            // Whatever begins later can't be over before this.
            let mut next = now + shortest;
            for (cut, deadline) in self.deadlines(limits, header_is_slow) {
                match deadline {
                    Some(deadline) if deadline <= now => return cut,
                    Some(deadline) => next = next.min(deadline),
                    None => {}
                }
            }
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.evicted() => return Cut::Evicted,
            }
        }
    }

    fn deadlines(&self, limits: &ConnectionLimits, header_is_slow: bool) -> [(Cut, Option<Instant>); 3] {
        let no_request = self.requests.load(Ordering::Relaxed) == 0;
        let since = |note: &AtomicU64, limit: Duration, applies: bool| {
            let noted = note.load(Ordering::Relaxed);
            (applies && noted != 0).then(|| self.time(noted) + limit)
        };
        [
            (Cut::Header, since(&self.header, limits.header, no_request && header_is_slow)),
            (Cut::Unread, since(&self.unread, limits.write, true)),
            (Cut::Idle, since(&self.idle, limits.idle, no_request)),
        ]
    }

    fn time(&self, nanoseconds: u64) -> Instant {
        self.start + Duration::from_nanos(nanoseconds)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// Sets a note that isn't set.
    fn note(&self, note: &AtomicU64) {
        if note.load(Ordering::Relaxed) == 0 {
            note.store(self.now(), Ordering::Relaxed);
        }
    }
}

/// Something that a connection is busy with, as long as this lives.
#[derive(Debug)]
pub struct Busy {
    activity: Arc<Activity>,
    count: fn(&Activity) -> &AtomicU32,
}

impl Busy {
    fn new(activity: Arc<Activity>, count: fn(&Activity) -> &AtomicU32) -> Self {
        count(&activity).fetch_add(1, Ordering::Relaxed);
        Self { activity, count }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.activity.idle.store(self.activity.now(), Ordering::Relaxed);
        (self.count)(&self.activity).fetch_sub(1, Ordering::Relaxed);
    }
}

/// A stream that notes what passes through it.
#[derive(Debug)]
pub struct Noted<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Noted<S> {
    /// Notes in `activity` what passes through `stream`.
    pub fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity }
    }

    fn written<T>(&self, outcome: Poll<T>) -> Poll<T> {
        match outcome {
            Poll::Pending => self.activity.note(&self.activity.unread),
            Poll::Ready(_) => self.activity.unread.store(0, Ordering::Relaxed),
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        if outcome.is_ready() && self.activity.requests.load(Ordering::Relaxed) == 0 {
            self.activity.note(&self.activity.header);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(outcome)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(context);
        self.written(outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.written(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    fn limits() -> ConnectionLimits {
        ConnectionLimits::patient(1)
    }

    #[tokio::test]
    async fn a_connection_without_a_request_is_idle() {
        let activity = Activity::new();
        assert_eq!(activity.cut(&ConnectionLimits { idle: SOON, ..limits() }, true).await, Cut::Idle);
    }

    #[tokio::test]
    async fn a_connection_with_a_request_is_not_idle_but_may_make_room_while_the_body_arrives() {
        let activity = Activity::new();
        let request = activity.request();
        let limits = ConnectionLimits { idle: SOON, ..limits() };
        assert!(tokio::time::timeout(5 * SOON, activity.cut(&limits, true)).await.is_err());
        assert!(activity.idle_since().is_some());
        let evaluation = activity.evaluation();
        assert!(activity.idle_since().is_none());
        drop((request, evaluation));
        assert!(activity.idle_since().is_some());
        assert_eq!(activity.cut(&limits, true).await, Cut::Idle);
    }

    #[tokio::test]
    async fn a_header_that_began_has_to_end() {
        let activity = Activity::new();
        let (mut peer, stream) = tokio::io::duplex(64);
        let mut stream = Noted::new(stream, Arc::clone(&activity));
        peer.write_all(b"G").await.expect("room");
        stream.read_u8().await.expect("a byte");
        let limits = ConnectionLimits { header: SOON, ..limits() };
        assert_eq!(activity.cut(&limits, true).await, Cut::Header);
        assert!(tokio::time::timeout(5 * SOON, activity.cut(&limits, false)).await.is_err(), "HTTP/2 has other frames");
        drop(activity.request());
        assert!(tokio::time::timeout(5 * SOON, activity.cut(&limits, true)).await.is_err(), "the header was complete");
    }

    #[tokio::test]
    async fn an_answer_has_to_be_read() {
        let activity = Activity::new();
        let (mut peer, stream) = tokio::io::duplex(4);
        let mut stream = Noted::new(stream, Arc::clone(&activity));
        let limits = ConnectionLimits { write: SOON, ..limits() };
        let write = stream.write_all(b"an answer");
        tokio::pin!(write);
        assert!(tokio::time::timeout(SOON, write.as_mut()).await.is_err());
        assert_eq!(activity.cut(&limits, true).await, Cut::Unread);
        let mut read = [0; 9];
        let (written, read) = tokio::join!(write, peer.read_exact(&mut read));
        assert!(written.is_ok() && read.is_ok());
        assert!(tokio::time::timeout(5 * SOON, activity.cut(&limits, true)).await.is_err(), "all of it was read");
    }

    #[tokio::test]
    async fn whoever_is_evicted_before_it_looks_learns_of_it() {
        let activity = Activity::new();
        activity.evict();
        assert_eq!(activity.cut(&limits(), true).await, Cut::Evicted);
    }
}
