//! Work that is spread over all processors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What `answer` makes of each, in their order.
pub fn on_all_cores<T: Sync, A: Send>(all: &[T], answer: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(all.len())));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(at) else { return };
                    let answer = answer(one);
                    answers.lock().expect("no panic").push((at, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no panic");
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
