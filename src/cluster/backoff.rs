//! How long to wait before trying again: longer each time, and never all replicas at once.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// Waiting times after failures in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The time to wait after one more failure: half of it certain, half of it random.
    pub fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        full / 2 + between_zero_and(full / 2)
    }

    /// Starts again from the shortest time.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A random duration. Each `RandomState` has keys of its own, and that is random enough.
pub fn between_zero_and(most: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) % 1024;
    most.mul_f64(random as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_and_longer_up_to_a_limit() {
        let mut backoff = Backoff::default();
        for full in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] {
            let waited = backoff.next().as_secs_f64();
            assert!((full / 2.0..=full).contains(&waited), "{waited} of {full}");
        }
        for _ in 0..100 {
            assert!(backoff.next() <= LONGEST);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn replicas_wait_differently_long() {
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| between_zero_and(LONGEST)).collect();
        assert!(waits.len() > 10, "{waits:?}");
    }
}
