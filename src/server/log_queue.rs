//! Log lines on their way out: a bounded queue, and one thread that writes.
//!
//! Whoever logs never waits for the writing and never sees it fail: a line that finds no room, or that can't be written
//! (full disk, closed pipe), is dropped and counted. `tracing-appender` does the same until it is left: it then prints
//! to standard error, and waits for whoever holds that, which a pipe that nobody reads makes forever.

use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use prometheus::IntCounter;

/// Lines that may wait, and their bytes together.
const MAX_LINES: usize = 8192;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long the last lines may take at the end.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// How many bytes of lines go out together at most.
const MAX_TOGETHER: usize = 64 * 1024;

thread_local! {
    /// The lines that this thread collects, and where they go.
    static TOGETHER: RefCell<Option<Together>> = const { RefCell::new(None) };
}

/// Lines to go out together.
#[derive(Default)]
struct Together {
    bytes: Vec<u8>,
    lines: usize,
    to: Option<LogQueue>,
}

/// What `work` logs goes out at once when it is done: waking the thread that writes, and writing, cost more than a line
/// itself.
pub fn together<T>(work: impl FnOnce() -> T) -> T {
    /// Sends what was collected, also if `work` panics.
    struct Collecting;
    impl Drop for Collecting {
        fn drop(&mut self) {
            if let Some(Together { bytes, lines, to: Some(queue) }) = TOGETHER.take() {
                queue.send(bytes, lines);
            }
        }
    }
    TOGETHER.set(Some(Together::default()));
    let _collecting = Collecting;
    work()
}

/// Where log lines go; cheap to clone.
#[derive(Clone, Debug)]
pub struct LogQueue {
    lines: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
    dropped: IntCounter,
}

#[derive(Debug)]
enum Message {
    /// One line or more.
    Lines { bytes: Vec<u8>, count: usize },
    /// Everything before this has been handled.
    Flushed(SyncSender<()>),
}

impl LogQueue {
    /// Starts the thread that writes to `out`.
    ///
    /// # Errors
    /// The thread can't be started, or the counter not made.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let dropped = IntCounter::new("portcullis_log_lines_dropped_total", "Log lines that could not be written.")
            .map_err(io::Error::other)?;
        let (lines, receiver) = sync_channel(MAX_LINES);
        let queue = Self { lines, waiting: Arc::default(), dropped };
        let (waiting, dropped) = (Arc::clone(&queue.waiting), queue.dropped.clone());
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || write_lines(out, &receiver, &waiting, &dropped))?;
        Ok(queue)
    }

    /// How many lines were dropped.
    pub fn dropped(&self) -> &IntCounter {
        &self.dropped
    }

    /// Waits until what was logged so far is written, a second at most.
    pub fn flush(&self) {
        let (done, flushed) = sync_channel(1);
        let lines = self.lines.clone();
        // Even asking may have to wait, which a thread of its own does.
        let asked = std::thread::Builder::new().spawn(move || lines.send(Message::Flushed(done)));
        if asked.is_ok() {
            // Late or never: the lines that are left are lost with the process.
            let _ = flushed.recv_timeout(FLUSH_PATIENCE);
        }
    }

    fn push(&self, line: &[u8]) {
        let is_collected = TOGETHER.with_borrow_mut(|together| {
            let Some(together) = together.as_mut() else { return false };
            if together.bytes.len().saturating_add(line.len()) > MAX_TOGETHER {
                self.send(std::mem::take(&mut together.bytes), std::mem::take(&mut together.lines));
            }
            together.bytes.extend_from_slice(line);
            together.lines += 1;
            together.to.get_or_insert_with(|| self.clone());
            true
        });
        if !is_collected {
            self.send(line.to_vec(), 1);
        }
    }

    fn send(&self, bytes: Vec<u8>, count: usize) {
        let length = bytes.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed).saturating_add(length) > MAX_BYTES
            || self.lines.try_send(Message::Lines { bytes, count }).is_err()
        {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.dropped.inc_by(count as u64);
        }
    }
}

/// What `tracing` writes to, one call a line; it never fails.
impl Write for LogQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_lines(mut out: impl Write, lines: &Receiver<Message>, waiting: &AtomicUsize, dropped: &IntCounter) {
    for message in lines {
        match message {
            Message::Lines { bytes, count } => {
                if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                    dropped.inc_by(count as u64);
                }
                waiting.fetch_sub(bytes.len(), Ordering::Relaxed);
            }
            Message::Flushed(done) => {
                // An error means that nobody waits any more.
                let _ = done.try_send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Takes lines while its gate is open, and tells of each.
    struct Gated {
        gate: Arc<Mutex<()>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Gated {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            let _open = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
            self.written.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    type Shared<T> = Arc<Mutex<T>>;

    fn gated() -> (LogQueue, Shared<()>, Shared<Vec<u8>>) {
        let (gate, written) = (Arc::default(), Arc::default());
        let queue =
            LogQueue::start(Gated { gate: Arc::clone(&gate), written: Arc::clone(&written) }).expect("a thread");
        (queue, gate, written)
    }

    #[test]
    fn lines_are_written_in_order_and_flushed() {
        let (mut queue, _, written) = gated();
        for line in ["one\n", "two\n", "three\n"] {
            queue.write_all(line.as_bytes()).expect("never fails");
        }
        LogQueue::flush(&queue);
        assert_eq!(*written.lock().expect("lock"), b"one\ntwo\nthree\n");
        assert_eq!(queue.dropped().get(), 0);
    }

    #[test]
    fn lines_that_go_out_together_keep_their_order_and_are_counted_one_by_one() {
        let (mut queue, gate, written) = gated();
        let closed = gate.lock().expect("lock");
        queue.write_all(b"first\n").expect("never fails");
        let logged = together(|| {
            queue.clone().write_all(b"a\n").and_then(|()| queue.clone().write_all(b"b\n")).expect("never fails");
            assert_eq!(queue.waiting.load(Ordering::Relaxed), b"first\n".len(), "nothing has gone out yet");
            2
        });
        queue.write_all(b"last\n").expect("never fails");
        // More than may wait is dropped, line by line.
        let long = vec![b'x'; MAX_TOGETHER - 1];
        together(|| (0..=MAX_BYTES / MAX_TOGETHER).for_each(|_| (0..2).for_each(|_| queue.push(&long))));
        let dropped = usize::try_from(queue.dropped().get()).expect("a count");
        assert!(dropped >= MAX_BYTES / MAX_TOGETHER, "{dropped}");
        drop(closed);
        LogQueue::flush(&queue);
        assert_eq!(logged, 2);
        assert!(written.lock().expect("lock").starts_with(b"first\na\nb\nlast\n"));
        let failed = std::panic::catch_unwind(|| together(|| panic!("wanted")));
        assert!(failed.is_err() && TOGETHER.take().is_none());
    }

    #[test]
    fn lines_beyond_the_number_that_may_wait_are_dropped_and_counted() {
        let (queue, gate, written) = gated();
        let closed = gate.lock().expect("lock");
        let pushed = MAX_LINES + 100;
        for _ in 0..pushed {
            queue.push(b"x");
        }
        // One more may already be with the writer.
        let dropped = usize::try_from(queue.dropped().get()).expect("a count");
        assert!((99..=100).contains(&dropped), "{dropped}");
        drop(closed);
        LogQueue::flush(&queue);
        assert_eq!(written.lock().expect("lock").len(), pushed - dropped);
    }

    #[test]
    fn lines_beyond_the_bytes_that_may_wait_are_dropped_and_counted() {
        let (queue, gate, _) = gated();
        let closed = gate.lock().expect("lock");
        let line = vec![b'x'; MAX_BYTES / 4];
        for _ in 0..6 {
            queue.push(&line);
        }
        assert_eq!(queue.dropped().get(), 2);
        drop(closed);
        LogQueue::flush(&queue);
        queue.push(&line);
        assert_eq!(queue.dropped().get(), 2, "there is room again");
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_the_next_are_tried() {
        /// Fails every other time.
        struct Flaky(bool);
        impl Write for Flaky {
            fn write(&mut self, line: &[u8]) -> io::Result<usize> {
                self.0 = !self.0;
                if self.0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(line.len()) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let queue = LogQueue::start(Flaky(false)).expect("a thread");
        for _ in 0..10 {
            queue.push(b"x");
        }
        LogQueue::flush(&queue);
        assert_eq!(queue.dropped().get(), 5);
    }

    #[test]
    fn a_writer_that_hangs_does_not_hold_up_the_end() {
        let (queue, gate, _) = gated();
        let _closed = gate.lock().expect("lock");
        for _ in 0..MAX_LINES + 2 {
            queue.push(b"x");
        }
        LogQueue::flush(&queue);
        assert!(queue.dropped().get() > 0);
    }
}
