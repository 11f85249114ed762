//! How each watch is: what readiness, metrics and logs are made of.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How the connection to the API server is.
#[derive(Clone, Debug, Default)]
pub struct Health {
    /// Each watch by what it watches, sorted.
    pub watches: Vec<(String, WatchState)>,
    /// Authorization checks answered by the API server.
    pub reviews: u64,
    /// Authorization checks that it didn't answer.
    pub failed_reviews: u64,
}

/// How a watch is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchState {
    /// Whether everything was listed once.
    pub synced: bool,
    /// Whether the cluster serves nothing of the kind.
    pub absent: bool,
    /// Whether it is done without: it can't be had, and requests can be answered nevertheless.
    pub forgone: bool,
    /// How many objects are kept.
    pub objects: usize,
    /// When the API server last said something, or let the watch begin.
    pub last_contact: Option<SystemTime>,
    /// Why it is interrupted, and since when.
    pub failing: Option<(SystemTime, String)>,
    /// Interruptions so far.
    pub failures: u64,
    /// Objects that couldn't be read so far; for each the version before stays in use.
    pub malformed: u64,
    /// What is wrong with the objects that are kept.
    pub mistakes: Vec<String>,
}

/// A watch that the API server hasn't confirmed for so long is stale: what is kept may be out of date.
pub const STALE_AFTER: Duration = Duration::from_secs(180);

impl WatchState {
    /// Whether what is kept may be out of date.
    pub fn is_stale(&self) -> bool {
        let age = |since: SystemTime| since.elapsed().unwrap_or_default();
        self.synced && self.last_contact.is_none_or(|contact| age(contact) > STALE_AFTER)
    }
}

/// The states of all watches.
#[derive(Debug, Default)]
pub struct Statuses {
    watches: Mutex<BTreeMap<String, Arc<Status>>>,
    reviews: AtomicU64,
    failed_reviews: AtomicU64,
}

/// The state of one watch, which it keeps up to date.
#[derive(Debug, Default)]
pub struct Status {
    state: Mutex<WatchState>,
}

impl Statuses {
    /// The state of a watch that begins.
    pub fn begin(&self, watched: &str) -> Arc<Status> {
        let status = Arc::new(Status::default());
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        watches.insert(watched.to_owned(), Arc::clone(&status));
        status
    }

    /// Forgets a watch that has ended.
    pub fn end(&self, watched: &str) {
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).remove(watched);
    }

    /// Counts an authorization check.
    pub fn reviewed(&self, answered: bool) {
        let counter = if answered { &self.reviews } else { &self.failed_reviews };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// All states at present.
    pub fn health(&self) -> Health {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        Health {
            watches: watches.iter().map(|(watched, status)| (watched.clone(), status.get())).collect(),
            reviews: self.reviews.load(Ordering::Relaxed),
            failed_reviews: self.failed_reviews.load(Ordering::Relaxed),
        }
    }
}

impl Status {
    /// The state at present.
    pub fn get(&self) -> WatchState {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The API server said something.
    pub fn contact(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.last_contact = Some(SystemTime::now());
        state.failing = None;
    }

    /// So many objects are kept now.
    pub fn keeps(&self, objects: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.synced = true;
        (state.absent, state.forgone) = (false, false);
        state.objects = objects;
    }

    /// The watch is interrupted.
    pub fn failed(&self, why: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        let since = state.failing.as_ref().map_or_else(SystemTime::now, |(since, _)| *since);
        state.failing = Some((since, why.to_owned()));
    }

    /// The cluster serves nothing of the kind.
    pub fn absent(&self) {
        self.failed("the cluster doesn't serve this kind");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.absent, state.synced, state.objects) = (true, false, 0);
    }

    /// It can't be had, and is done without.
    pub fn forgo(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).forgone = true;
    }

    /// What is wrong with the objects that are kept; returns what wasn't wrong before.
    pub fn finds(&self, mistakes: Vec<String>) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let news = mistakes.iter().filter(|mistake| !state.mistakes.contains(mistake)).cloned().collect();
        state.mistakes = mistakes;
        news
    }

    /// An object couldn't be read.
    pub fn malformed(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).malformed += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_fails_from_its_first_failure_until_the_next_contact() {
        let statuses = Statuses::default();
        let status = statuses.begin("namespaces");
        status.failed("refused");
        let since = status.get().failing.expect("failing").0;
        status.failed("refused again");
        assert_eq!(status.get().failing, Some((since, "refused again".to_owned())));
        status.contact();
        status.keeps(3);
        let state = &statuses.health().watches[0].1;
        assert_eq!((state.failing.clone(), state.failures, state.objects), (None, 2, 3));
        statuses.end("namespaces");
        assert!(statuses.health().watches.is_empty());
    }

    #[test]
    fn a_watch_without_contact_is_stale() {
        let contact = |age: u64| WatchState {
            synced: true,
            last_contact: SystemTime::now().checked_sub(Duration::from_secs(age)),
            ..WatchState::default()
        };
        assert!(!contact(0).is_stale());
        assert!(contact(STALE_AFTER.as_secs() + 1).is_stale());
        assert!(!WatchState::default().is_stale(), "a watch that never synced is not ready, which is another thing");
    }
}
