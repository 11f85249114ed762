//! A line at the bottom of a terminal that says how far a command has come.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::manifests::{Progress, Reached, Stage};

use super::output::Output;

/// What takes less time shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often the line changes.
const TICK: Duration = Duration::from_millis(100);

/// How many characters the bar itself has.
const WIDTH: u64 = 20;

/// Shows progress on standard error until it is dropped, if that is a terminal.
#[derive(Debug, Default)]
pub struct Bar {
    shared: Option<Arc<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    has_ended: AtomicBool,
    /// Whether the line is there.
    is_shown: Mutex<bool>,
}

impl Bar {
    /// Begins to look at `progress`.
    pub fn start(progress: &Arc<Progress>) -> Self {
        if !io::stderr().is_terminal() {
            return Self::default();
        }
        let shared = Arc::new(Shared::default());
        let (progress, theirs) = (Arc::clone(progress), Arc::clone(&shared));
        // Without it there is no bar.
        let thread = thread::Builder::new().spawn(move || theirs.show(&progress)).ok();
        Self { shared: Some(shared), thread }
    }

    /// Does something while the line isn't there, such as to write to the terminal.
    pub fn away<T>(&self, what: impl FnOnce() -> T) -> T {
        let Some(shared) = &self.shared else { return what() };
        let mut is_shown = shared.lock();
        erase(&mut is_shown);
        what()
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        let Some(shared) = &self.shared else { return };
        shared.has_ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It can't panic.
            let _ = thread.join();
        }
        erase(&mut shared.lock());
    }
}

impl Shared {
    fn show(&self, progress: &Progress) {
        let begun = Instant::now();
        while !self.has_ended.load(Ordering::Relaxed) {
            thread::park_timeout(TICK);
            if begun.elapsed() < PATIENCE || self.has_ended.load(Ordering::Relaxed) {
                continue;
            }
            let mut is_shown = self.lock();
            erase(&mut is_shown);
            let line = line(&progress.reached());
            // Nobody has to see it.
            *is_shown = io::stderr().write_all(line.as_bytes()).is_ok();
        }
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn erase(is_shown: &mut bool) {
    if std::mem::replace(is_shown, false) {
        // Nobody has to see it go.
        let _ = io::stderr().write_all(b"\r\x1b[K");
    }
}

/// The line; it fits into the narrowest terminal.
fn line(reached: &Reached) -> String {
    let Reached { stage, bytes, of, objects } = *reached;
    let doing = match stage {
        Stage::Listing => "reading",
        Stage::Learning => "first pass",
        Stage::Relating => "second pass",
        Stage::Judging => "judging",
    };
    let objects = if objects > 0 { format!("  {objects} objects") } else { String::new() };
    if of == 0 {
        return format!("{doing}  {}{objects}", megabytes(bytes));
    }
    let done = bytes.min(of);
    let full = usize::try_from(done * WIDTH / of).unwrap_or_default();
    let empty = usize::try_from(WIDTH).unwrap_or_default() - full;
    format!(
        "{doing} [{}{}] {}% of {}{objects}",
        "#".repeat(full),
        "-".repeat(empty),
        done.saturating_mul(100) / of,
        megabytes(of)
    )
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

/// An output that is written above the bar where both are on a terminal.
pub struct Above<'a> {
    /// The output.
    pub out: &'a mut Output,
    /// The bar.
    pub bar: &'a Bar,
}

impl Write for Above<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.out.is_terminal() {
            return self.out.write(bytes);
        }
        self.bar.away(|| {
            self.out.write_all(bytes)?;
            self.out.flush()?;
            Ok(bytes.len())
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_far_it_is() {
        for (reached, expected) in [
            (Reached { stage: Stage::Listing, bytes: 12_345_678, of: 0, objects: 0 }, "reading  12 MB"),
            (
                Reached { stage: Stage::Learning, bytes: 0, of: 3_000_000_000, objects: 0 },
                "first pass [--------------------] 0% of 3000 MB",
            ),
            (
                Reached { stage: Stage::Relating, bytes: 3, of: 3_000_000_000, objects: 0 },
                "second pass [--------------------] 0% of 3000 MB",
            ),
            (
                Reached { stage: Stage::Judging, bytes: 1_500_000_000, of: 3_000_000_000, objects: 500_000 },
                "judging [##########----------] 50% of 3000 MB  500000 objects",
            ),
            (
                // A file has grown.
                Reached { stage: Stage::Judging, bytes: 20, of: 10, objects: 1 },
                "judging [####################] 100% of 0 MB  1 objects",
            ),
        ] {
            assert_eq!(line(&reached), expected);
            assert!(expected.len() < 80);
        }
    }

    #[test]
    fn without_a_terminal_nothing_is_in_the_way() {
        let bar = Bar::default();
        assert_eq!(bar.away(|| 1), 1);
    }
}
