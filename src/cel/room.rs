//! Stack for the compiler: expressions may nest deeper than an ordinary thread's stack allows.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};

/// A text of at most this many bytes can't nest deep enough to need more than an ordinary stack.
const SHORT_SOURCE: usize = 256;
/// Room for the parser and the checker at their depth limits, in bytes.
const COMPILER_STACK: usize = 32 * 1024 * 1024;
thread_local! {
    /// Whether this thread has that stack.
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// What `work` makes of each item, on as many threads as there are processors, but not more than `most`, that have stack enough to compile every expression: within `work`,
/// none needs a thread of its own. Where no thread can be started, all is done here.
pub fn compile_each<I: Sync, O: Send>(most: usize, items: &[I], work: impl Fn(&I) -> O + Sync) -> Vec<O> {
    let next = AtomicUsize::new(0);
    let some = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return done };
            done.push((at, work(item)));
        }
    };
    let with_room = || {
        HAS_ROOM.set(true);
        some()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(most).min(items.len());
    let mut done = thread::scope(|scope| {
        let start = |_| thread::Builder::new().stack_size(COMPILER_STACK).spawn_scoped(scope, with_room).ok();
        let threads: Vec<ScopedJoinHandle<'_, _>> = (0..threads).filter_map(start).collect();
        let join = |thread: ScopedJoinHandle<'_, _>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        threads.into_iter().flat_map(join).collect::<Vec<_>>()
    });
    done.extend(some());
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// Runs a part of the compiler on `source` with enough stack for it.
pub(super) fn with_room<T: Send, E: Send>(
    source: &str,
    run: impl FnOnce() -> Result<T, E> + Send,
    failed: impl FnOnce(String) -> E,
) -> Result<T, E> {
    if source.len() <= SHORT_SOURCE {
        return run();
    }
    let done = if HAS_ROOM.get() {
        // What a panic leaves half-done is dropped with it.
        Ok(catch_unwind(AssertUnwindSafe(run)))
    } else {
        thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(COMPILER_STACK).spawn_scoped(scope, run);
            thread.map(ScopedJoinHandle::join)
        })
    };
    match done {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(failed("the compiler panicked on this expression".to_owned())),
        Err(_) => Err(failed("no thread could be started to compile this expression".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_item_is_worked_on_once_and_in_its_place() {
        let items: Vec<usize> = (0..1_000).collect();
        let made = compile_each(4, &items, |item| (*item, HAS_ROOM.get()));
        assert!(made.iter().enumerate().all(|(at, (item, _))| at == *item) && made.len() == items.len());
        assert!(made.iter().all(|(_, has_room)| *has_room), "a thread without room worked, too");
        assert!(compile_each(4, &[] as &[usize], |item| *item).is_empty());
    }

    #[test]
    fn a_panic_is_an_error_of_its_expression() {
        let source = " ".repeat(SHORT_SOURCE + 1);
        let compile = |item: &bool| with_room(&source, || if *item { panic!("wanted") } else { Ok(1) }, |text| text);
        let panicked = Err("the compiler panicked on this expression".to_owned());
        assert_eq!(compile_each(4, &[true, false], compile), [panicked.clone(), Ok(1)]);
        assert_eq!(compile(&true), panicked, "on a thread of its own");
    }
}
