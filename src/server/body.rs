//! Bodies on their way in. They share a memory of their own and draw from it as they arrive, so that one that is only
//! announced costs nothing. Where memory is wanted, a body that has stalled makes room; one body at a time may go beyond
//! the share, so that bodies never wait for each other's rest.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::limits::{BODY_STALL, DISCARD_FACTOR, UNCOUNTED_BODY_BYTES, WAITING_BODIES};
use super::memory::{Grant, Memory, Pool};
use super::metrics::Metrics;
use super::refusal::Refusal;

/// What a request's body has to be.
pub trait Incoming: HttpBody<Data = Bytes, Error: std::fmt::Display> + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: std::fmt::Display> + Unpin> Incoming for B {}

/// The bodies that are on their way in.
#[derive(Debug)]
pub struct Bodies {
    pool: Pool,
    memory_limit: u64,
    /// The largest, in bytes.
    limit: usize,
    /// For the one that may go beyond the pool.
    ahead: Arc<Semaphore>,
    waiting: Semaphore,
    stalled: Mutex<Stalled>,
    metrics: Arc<Metrics>,
}

/// Bodies of which nothing arrives, by how long they have been waited for: whoever sends a byte now and then gains nothing.
#[derive(Debug, Default)]
struct Stalled {
    next: u64,
    bodies: BTreeMap<(Instant, u64), Arc<Notify>>,
}

/// A body that is there, and the memory that it holds.
#[derive(Debug)]
pub struct Arrived {
    /// The body.
    pub bytes: Bytes,
    held: Held,
}

/// What one body has drawn.
#[derive(Debug, Default)]
struct Held {
    grant: Option<Grant>,
    ahead: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn bytes(&self) -> usize {
        self.grant.as_ref().map_or(0, Grant::bytes)
    }

    fn add(&mut self, grant: Grant) {
        match &mut self.grant {
            Some(held) => held.add(grant),
            None => self.grant = Some(grant),
        }
    }
}

impl Bodies {
    /// Bodies of at most `limit` bytes each that share what `memory` has for them.
    pub fn new(memory: &Memory, limit: usize, metrics: Arc<Metrics>) -> Self {
        Self {
            pool: memory.bodies.clone(),
            memory_limit: memory.limit,
            limit,
            ahead: Arc::new(Semaphore::new(1)),
            waiting: Semaphore::new(WAITING_BODIES),
            stalled: Mutex::default(),
            metrics,
        }
    }

    /// Reads a whole body; usually it arrives in one piece, which is not copied. What it waits for its sender may take
    /// `patience` in all; what it waits for memory doesn't count, and both end at `deadline`.
    ///
    /// # Errors
    /// It is too large, too slow, breaks off, or has to make room for others.
    pub async fn read<B: Incoming>(
        &self,
        mut body: B,
        patience: Duration,
        deadline: Instant,
    ) -> Result<Arrived, Refusal> {
        let patience = patience.min(deadline.saturating_duration_since(Instant::now()));
        let mut waited = Duration::ZERO;
        let limit = self.limit;
        let announced = body.size_hint().lower();
        if announced > (limit as u64).saturating_mul(DISCARD_FACTOR as u64) {
            return Err(Refusal::TooLarge { limit });
        }
        let mut held = Held::default();
        let mut first = Bytes::new();
        let mut whole: Vec<u8> = Vec::new();
        let mut length = 0usize;
        loop {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                // Only asked where no frame is there.
                refusal = self.pause(&mut held, length, &mut waited, patience, deadline) => return Err(refusal),
            };
            let Some(frame) = frame else { break };
            let frame = frame.map_err(|error| Refusal::BodyBroken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            length = length.saturating_add(data.len());
            if length > limit {
                // Nothing is kept from here on.
                (first, whole, held) = (Bytes::new(), Vec::new(), Held::default());
                if length > limit.saturating_mul(DISCARD_FACTOR) {
                    break;
                }
                continue;
            }
            if length > UNCOUNTED_BODY_BYTES {
                self.hold(&mut held, length, deadline).await?;
            }
            if first.is_empty() {
                first = data;
            } else {
                if whole.is_empty() {
                    // The announced size is only trusted up to the limit.
                    whole.reserve(usize::try_from(announced).unwrap_or(limit).clamp(length, limit.max(length)));
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&data);
            }
        }
        if length > limit {
            return Err(Refusal::TooLarge { limit });
        }
        let bytes = if whole.is_empty() { first } else { whole.into() };
        Ok(Arrived { bytes, held })
    }

    /// Counts a body that is there and has to wait for its evaluation.
    ///
    /// # Errors
    /// There are too many of them.
    pub async fn keep(&self, body: &mut Arrived, deadline: Instant) -> Result<(), Refusal> {
        self.hold(&mut body.held, body.bytes.len().max(1), deadline).await
    }

    /// Draws what a body of `length` bytes holds, waiting for it if need be.
    async fn hold(&self, held: &mut Held, length: usize, deadline: Instant) -> Result<(), Refusal> {
        let more = length.saturating_sub(held.bytes());
        if more == 0 || held.ahead.is_some() {
            return Ok(());
        }
        if let Some(grant) = self.pool.try_draw(more) {
            held.add(grant);
            return Ok(());
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Refusal::Memory { limit: self.memory_limit });
        };
        let _waits = self.metrics.load.waiting();
        let mut drawn = pin!(self.pool.draw(more, deadline));
        let mut ahead = pin!(Arc::clone(&self.ahead).acquire_owned());
        loop {
            self.evict_stalled();
            tokio::select! {
                grant = drawn.as_mut() => {
                    held.add(grant.ok_or(Refusal::Memory { limit: self.memory_limit })?);
                    return Ok(());
                }
                permit = ahead.as_mut() => {
                    held.ahead = permit.ok();
                    return Ok(());
                }
                () = tokio::time::sleep(BODY_STALL / 4) => {}
            }
        }
    }

    /// What becomes of a body of which nothing arrives: it is counted, and may have to make room for others.
    async fn pause(
        &self,
        held: &mut Held,
        length: usize,
        waited: &mut Duration,
        patience: Duration,
        deadline: Instant,
    ) -> Refusal {
        // Mostly it comes right behind its header, so that neither a timer nor memory is worth its while.
        tokio::task::yield_now().await;
        if let Err(refusal) = self.hold(held, length.max(1), deadline).await {
            return refusal;
        }
        let began = Began { at: Instant::now(), waited };
        let end = deadline.min(began.at + patience.saturating_sub(*began.waited));
        match tokio::time::timeout_at(end.into(), self.evicted(*began.waited)).await {
            Ok(()) => Refusal::BodyEvicted,
            Err(_) => Refusal::BodyTimeout(patience),
        }
    }

    /// Ends the body that has been waited for longest, if that is long.
    fn evict_stalled(&self) {
        let mut stalled = self.stalled();
        if let Some(entry) = stalled.bodies.first_entry()
            && entry.key().0.elapsed() >= BODY_STALL
        {
            entry.remove().notify_one();
        }
    }

    /// Waits, as a body that has stalled, until that has to make room.
    async fn evicted(&self, waited: Duration) {
        let notify = Arc::new(Notify::new());
        let _registered = Registered::new(self, waited, &notify);
        notify.notified().await;
    }

    fn stalled(&self) -> MutexGuard<'_, Stalled> {
        self.stalled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait for the sender of a body; adds to what was waited when it ends, however it does.
struct Began<'a> {
    at: Instant,
    waited: &'a mut Duration,
}

impl Drop for Began<'_> {
    fn drop(&mut self) {
        *self.waited += self.at.elapsed();
    }
}

/// The entry of a body that has stalled, until something of it arrives.
struct Registered<'a> {
    bodies: &'a Bodies,
    key: (Instant, u64),
}

impl<'a> Registered<'a> {
    fn new(bodies: &'a Bodies, waited: Duration, notify: &Arc<Notify>) -> Self {
        let mut stalled = bodies.stalled();
        let now = Instant::now();
        let key = (now.checked_sub(waited).unwrap_or(now), stalled.next);
        stalled.next += 1;
        stalled.bodies.insert(key, Arc::clone(notify));
        drop(stalled);
        Self { bodies, key }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.bodies.stalled().bodies.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use http_body_util::channel::Channel;

    use super::super::limits::ConnectionLimits;
    use super::*;

    /// Bodies of up to 100,000 bytes that share `bytes` beside what one may take beyond.
    fn bodies(bytes: u64) -> Bodies {
        let connections = ConnectionLimits::patient(0);
        let limit = (super::super::limits::BASE_BYTES + 4 * (bytes + 100_000)) * 8 / 7 + 64;
        let memory = Memory::new(limit, &connections, 100_000).expect("enough");
        Bodies::new(&memory, 100_000, Arc::new(Metrics::new().expect("metrics")))
    }

    async fn read<B: Incoming>(bodies: &Bodies, body: B) -> Result<Arrived, Refusal> {
        let minute = Duration::from_secs(60);
        bodies.read(body, minute, Instant::now() + minute).await
    }

    async fn begun(bytes: usize) -> (http_body_util::channel::Sender<Bytes, Infallible>, Channel<Bytes, Infallible>) {
        let (mut sender, channel) = Channel::new(4);
        sender.send_data(vec![b'x'; bytes].into()).await.expect("room");
        (sender, channel)
    }

    #[tokio::test]
    async fn reads_bodies_up_to_the_limit() {
        let bodies = bodies(400_000);
        for length in [0, 1, 99_999, 100_000] {
            let body = read(&bodies, Body::from(vec![b'x'; length])).await.expect("within the limit");
            assert_eq!(body.bytes.len(), length);
        }
        for length in [100_001, 400_000, 400_001, 10_000_000] {
            let refused = read(&bodies, Body::from(vec![b'x'; length])).await;
            assert!(matches!(refused, Err(Refusal::TooLarge { limit: 100_000 })), "{length}");
        }
        assert_eq!(bodies.pool.used(), 0);
    }

    #[tokio::test]
    async fn a_body_holds_what_has_arrived_of_it_until_it_is_done_with() {
        let bodies = bodies(400_000);
        let (mut sender, channel) = begun(70_000).await;
        let read = read(&bodies, channel);
        tokio::pin!(read);
        assert!(tokio::time::timeout(Duration::from_millis(20), read.as_mut()).await.is_err());
        assert!((70_000..80_000).contains(&bodies.pool.used()), "{}", bodies.pool.used());
        sender.send_data(vec![b'x'; 30_000].into()).await.expect("room");
        drop(sender);
        let body = read.await.expect("a body");
        assert!((100_000..110_000).contains(&bodies.pool.used()), "{}", bodies.pool.used());
        drop(body);
        assert_eq!(bodies.pool.used(), 0);
    }

    #[tokio::test]
    async fn a_body_that_stalls_makes_room_for_one_that_does_not() {
        let bodies = bodies(200_000);
        // Two fill the share and one goes beyond it; the fourth finds no room.
        let mut stalled = Vec::new();
        let mut senders = Vec::new();
        for _ in 0..3 {
            let (sender, channel) = begun(95_000).await;
            senders.push(sender);
            let mut read = Box::pin(read(&bodies, channel));
            assert!(tokio::time::timeout(Duration::from_millis(20), read.as_mut()).await.is_err());
            stalled.push(read);
        }
        let evicted = stalled.remove(0);
        let (fourth, evicted) = tokio::join!(read(&bodies, Body::from(vec![b'x'; 90_000])), evicted);
        assert_eq!(fourth.expect("room").bytes.len(), 90_000);
        assert!(matches!(evicted, Err(Refusal::BodyEvicted)), "{evicted:?}");
    }

    #[tokio::test]
    async fn bodies_that_all_wait_for_the_rest_are_served_one_after_the_other() {
        let bodies = bodies(200_000);
        let reads = (0..10).map(|_| async {
            let (mut sender, channel) = begun(66_000).await;
            let (read, ()) = tokio::join!(read(&bodies, channel), async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                sender.send_data(vec![b'x'; 34_000].into()).await.expect("somebody reads");
                drop(sender);
            });
            read.expect("room in the end").bytes.len()
        });
        let mut set = reads.map(Box::pin).collect::<Vec<_>>();
        for read in &mut set {
            // All are under way before the first is waited for.
            let _ = tokio::time::timeout(Duration::from_millis(1), read.as_mut()).await;
        }
        let mut lengths = 0;
        std::future::poll_fn(|context| {
            set.retain_mut(|read| match read.as_mut().poll(context) {
                std::task::Poll::Ready(length) => {
                    lengths += length;
                    false
                }
                std::task::Poll::Pending => true,
            });
            if set.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        assert_eq!(lengths, 1_000_000);
    }

    #[tokio::test]
    async fn only_so_many_may_wait() {
        let bodies = bodies(200_000);
        let _taken = bodies.pool.try_draw(bodies.pool.bytes()).expect("all of it");
        let _ahead = Arc::clone(&bodies.ahead).acquire_owned().await.expect("free");
        let _waiting = bodies.waiting.acquire_many(WAITING_BODIES as u32).await.expect("free");
        let refused = read(&bodies, Body::from(vec![b'x'; 100_000])).await;
        assert!(matches!(refused, Err(Refusal::Memory { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_body_that_drips_in_has_to_end_in_time() {
        let bodies = bodies(400_000);
        let (mut sender, channel) = begun(10).await;
        let drips = async {
            while sender.send_data(vec![b'x'].into()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let patience = Duration::from_millis(100);
        let (refused, ()) =
            tokio::join!(bodies.read(channel, patience, Instant::now() + Duration::from_secs(60)), drips);
        assert!(matches!(refused, Err(Refusal::BodyTimeout(limit)) if limit == patience), "{refused:?}");
    }

    #[tokio::test]
    async fn a_body_waits_for_memory_until_the_deadline_and_longer_than_for_its_sender() {
        let bodies = bodies(200_000);
        let taken = bodies.pool.try_draw(bodies.pool.bytes()).expect("all of it");
        let _ahead = Arc::clone(&bodies.ahead).acquire_owned().await.expect("free");
        let patience = Duration::from_millis(10);
        let body = || Body::from(vec![b'x'; 100_000]);
        let refused = bodies.read(body(), patience, Instant::now() + 10 * patience).await;
        assert!(matches!(refused, Err(Refusal::Memory { .. })), "{refused:?}");
        let (read, ()) = tokio::join!(bodies.read(body(), patience, Instant::now() + Duration::from_secs(60)), async {
            tokio::time::sleep(10 * patience).await;
            drop(taken);
        });
        assert_eq!(read.expect("room").bytes.len(), 100_000);
    }
}
