//! Saying once a second what happens a thousand times a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// At most one event in each period is let through.
#[derive(Debug)]
pub struct Throttle {
    period: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    last: Option<Instant>,
    held_back: u64,
}

impl Throttle {
    /// Lets one event through in each `period`.
    pub const fn new(period: Duration) -> Self {
        Self { period, state: Mutex::new(State { last: None, held_back: 0 }) }
    }

    /// Whether what happens `now` may be said; if so, how many before it were not.
    pub fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < self.period) {
            state.held_back += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_a_period_is_let_through_with_the_number_of_those_before() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let start = Instant::now();
        for (millis, admitted) in
            [(0, Some(0)), (1, None), (500, None), (999, None), (1000, Some(3)), (1999, None), (9000, Some(1))]
        {
            assert_eq!(throttle.admit(start + Duration::from_millis(millis)), admitted, "{millis}");
        }
    }
}
