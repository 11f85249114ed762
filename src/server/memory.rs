//! The memory of the whole process, and what requests may draw from it.
//!
//! It is shared out once: what the process and its connections take anyway is left alone; bodies that arrive have a share
//! of their own, so that they can't keep those that are there from being evaluated; and so have small requests, so that
//! they never wait for large ones. A request waits for its share, first come, first served.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::limits::{BASE_BYTES, CONNECTION_BYTES, ConnectionLimits};

/// Memory is counted in pieces of this size, in bytes.
const PIECE_BYTES: usize = 4096;

/// The memory that requests share.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What the process may take as a whole, in bytes.
    pub limit: u64,
    /// Bodies that arrive, or wait for their evaluation.
    pub bodies: Pool,
    /// Small requests, body and evaluation together.
    pub small: Pool,
    /// Large requests, and evaluations that take more than is usual.
    pub large: Pool,
}

/// A limit that leaves too little to work with.
#[derive(Debug, thiserror::Error)]
#[error(
    "the memory limit of {limit} bytes is too small: with --max-connections={connections} and \
     --max-body-bytes={body_bytes} at least {needed} are needed; set --memory-limit, or give the container more"
)]
pub struct TooLittle {
    limit: u64,
    needed: u64,
    connections: u32,
    body_bytes: usize,
}

impl Memory {
    /// Shares out `limit` bytes among bodies of at most `body_bytes` and everything else.
    ///
    /// # Errors
    /// What is left can't hold two of the largest bodies.
    pub fn new(limit: u64, connections: &ConnectionLimits, body_bytes: usize) -> Result<Self, TooLittle> {
        // An allocator keeps some of what was freed for the next.
        let overhead = limit / 8;
        let fixed = BASE_BYTES + CONNECTION_BYTES * u64::from(connections.connections);
        let shared = limit.saturating_sub(fixed + overhead);
        if shared / 4 < 2 * body_bytes as u64 {
            let needed = (fixed + 8 * body_bytes as u64).saturating_mul(8) / 7 + 1;
            return Err(TooLittle { limit, needed, connections: connections.connections, body_bytes });
        }
        Ok(Self {
            limit,
            // What one body may take beyond the share is never given to another.
            bodies: Pool::new(shared / 4 - body_bytes as u64),
            small: Pool::new(shared / 8),
            large: Pool::new(shared / 8 * 5),
        })
    }

    /// Each share with its name.
    pub fn pools(&self) -> [(&'static str, &Pool); 3] {
        [("bodies", &self.bodies), ("small", &self.small), ("large", &self.large)]
    }
}

/// A share of the memory; cheap to clone.
#[derive(Clone, Debug)]
pub struct Pool {
    free: Arc<Semaphore>,
    pieces: usize,
}

impl Pool {
    fn new(bytes: u64) -> Self {
        let pieces = usize::try_from(bytes).unwrap_or(usize::MAX).min(u32::MAX as usize) / PIECE_BYTES;
        Self { free: Arc::new(Semaphore::new(pieces)), pieces }
    }

    /// All of it, in bytes.
    pub fn bytes(&self) -> usize {
        self.pieces * PIECE_BYTES
    }

    /// What is drawn at present, in bytes.
    pub fn used(&self) -> usize {
        self.pieces.saturating_sub(self.free.available_permits()) * PIECE_BYTES
    }

    /// Draws `bytes` if they are there, and nobody waits for them.
    pub fn try_draw(&self, bytes: usize) -> Option<Grant> {
        match Arc::clone(&self.free).try_acquire_many_owned(pieces(bytes)) {
            Ok(permit) => Some(Grant { permit }),
            Err(TryAcquireError::NoPermits | TryAcquireError::Closed) => None,
        }
    }

    /// Draws `bytes` once they are there; `None` if that isn't before `deadline`, or never.
    pub async fn draw(&self, bytes: usize, deadline: Instant) -> Option<Grant> {
        if pieces(bytes) as usize > self.pieces {
            return None;
        }
        let drawn = Arc::clone(&self.free).acquire_many_owned(pieces(bytes));
        let permit = tokio::time::timeout_at(deadline.into(), drawn).await.ok()?.ok()?;
        Some(Grant { permit })
    }
}

fn pieces(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(u32::MAX)
}

/// Memory that was drawn; it goes back when this goes.
#[derive(Debug)]
pub struct Grant {
    permit: OwnedSemaphorePermit,
}

impl Grant {
    /// Gives back what is more than `bytes`.
    pub fn shrink(&mut self, bytes: usize) {
        let spare = self.permit.num_permits().saturating_sub(pieces(bytes) as usize);
        drop(self.permit.split(spare));
    }

    /// How much it is, in bytes.
    pub fn bytes(&self) -> usize {
        self.permit.num_permits() * PIECE_BYTES
    }

    /// Adds what another grant from the same pool holds.
    pub fn add(&mut self, other: Grant) {
        self.permit.merge(other.permit);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn the_shares_and_what_is_taken_anyway_are_no_more_than_the_limit() {
        for limit in [200 << 20, 512 << 20, 1 << 30, 64 << 30, 4 << 40, u64::MAX] {
            let memory = Memory::new(limit, &ConnectionLimits::patient(256), 4 << 20).expect("enough");
            let shares: u64 = memory.pools().iter().map(|(_, pool)| pool.bytes() as u64).sum();
            assert!(shares + (4 << 20) + BASE_BYTES + 256 * CONNECTION_BYTES <= limit, "{limit}: {shares}");
        }
    }

    #[test]
    fn a_limit_that_is_too_small_is_refused_and_the_one_it_names_is_not() {
        for limit in [0, 1 << 20, 100 << 20] {
            let error = Memory::new(limit, &ConnectionLimits::patient(256), 8 << 20).expect_err("too small");
            assert!(error.to_string().contains("--memory-limit"), "{error}");
            assert!(Memory::new(error.needed, &ConnectionLimits::patient(256), 8 << 20).is_ok(), "{error}");
        }
    }

    #[tokio::test]
    async fn whoever_does_not_fit_waits_and_no_longer_than_it_may() {
        let pool = Pool::new(10 * PIECE_BYTES as u64);
        let first = pool.try_draw(6 * PIECE_BYTES).expect("room");
        assert_eq!(pool.used(), 6 * PIECE_BYTES);
        assert!(pool.try_draw(5 * PIECE_BYTES).is_none());
        assert!(pool.draw(5 * PIECE_BYTES, soon()).await.is_none());
        let (second, ()) = tokio::join!(pool.draw(5 * PIECE_BYTES, Instant::now() + Duration::from_secs(60)), async {
            drop(first);
        });
        assert_eq!(second.expect("room").bytes(), 5 * PIECE_BYTES);
        assert_eq!(pool.used(), 0);
    }

    #[tokio::test]
    async fn what_never_fits_does_not_wait() {
        let pool = Pool::new(10 * PIECE_BYTES as u64);
        assert!(pool.draw(10 * PIECE_BYTES + 1, Instant::now() + Duration::from_secs(3600)).await.is_none());
        assert!(pool.draw(usize::MAX, Instant::now() + Duration::from_secs(3600)).await.is_none());
    }

    #[test]
    fn a_grant_gives_back_what_it_no_longer_needs() {
        let pool = Pool::new(10 * PIECE_BYTES as u64);
        let mut grant = pool.try_draw(8 * PIECE_BYTES).expect("room");
        grant.shrink(PIECE_BYTES + 1);
        assert_eq!(pool.used(), 2 * PIECE_BYTES);
        grant.shrink(usize::MAX);
        grant.add(pool.try_draw(1).expect("room"));
        assert_eq!((pool.used(), grant.bytes()), (3 * PIECE_BYTES, 3 * PIECE_BYTES));
        drop(grant);
        assert_eq!(pool.used(), 0);
    }
}
