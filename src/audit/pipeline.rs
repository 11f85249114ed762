//! Work on many cores whose results come in the order of the jobs, with little of it under way at a time.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// How many jobs for each thread may be begun or done while one before them isn't.
const WINDOW: usize = 4;

/// What a job came to, or the panic that it ended in.
type Outcome<R> = Result<R, Box<dyn Any + Send>>;

/// Does `work` on each job, `threads` at a time; `take` gets the results in the order of the jobs. Each thread has a state
/// of its own, which `start` makes; they are returned.
///
/// # Errors
/// Those of `take`, after which no job is begun.
pub fn in_order<J: Send, R: Send, S: Send, E>(
    threads: usize,
    jobs: impl Iterator<Item = J> + Send,
    start: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<Vec<S>, E> {
    let threads = threads.max(1);
    let window = threads * WINDOW;
    // A job has a ticket until its result is taken; so none of the channels can be full, and nobody waits but for tickets
    // and for work.
    let (tickets, returned) = sync_channel::<()>(window);
    let (give, todo) = channel::<(usize, J)>();
    let (done, results) = channel::<(usize, Outcome<R>)>();
    let todo = Mutex::new(todo);
    thread::scope(|scope| {
        scope.spawn(move || {
            for job in jobs.enumerate() {
                if tickets.send(()).is_err() || give.send(job).is_err() {
                    return;
                }
            }
        });
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (done, todo, start, work) = (done.clone(), &todo, &start, &work);
                scope.spawn(move || {
                    let mut state = start();
                    loop {
                        let next = todo.lock().unwrap_or_else(PoisonError::into_inner).recv();
                        let Ok((number, job)) = next else { return state };
                        // Without its result the others would wait for ever.
                        let result = catch_unwind(AssertUnwindSafe(|| work(&mut state, job)));
                        if done.send((number, result)).is_err() {
                            return state;
                        }
                    }
                })
            })
            .collect();
        drop(done);
        let mut taken = Ok(());
        let mut early = BTreeMap::new();
        let mut next = 0;
        'all: for (number, result) in &results {
            early.insert(number, result);
            while let Some(result) = early.remove(&next) {
                taken = take(result.unwrap_or_else(|panic| resume_unwind(panic)));
                if taken.is_err() {
                    break 'all;
                }
                next += 1;
                // Whoever gives them out may have ended.
                let _ = returned.recv();
            }
        }
        drop((results, returned));
        let states = workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)));
        let states = states.collect();
        taken.map(|()| states)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_jobs() {
        for threads in [0, 1, 2, 7] {
            let mut taken = Vec::new();
            let slow_at_first = |done: &mut usize, job: usize| {
                if job.is_multiple_of(10) {
                    thread::sleep(Duration::from_millis(2));
                }
                *done += 1;
                job * 2
            };
            let take = |result| {
                taken.push(result);
                Ok::<(), ()>(())
            };
            let states = in_order(threads, 0..100, || 0, slow_at_first, take);
            assert_eq!(states.map(|states| states.iter().sum()), Ok(100));
            assert!(taken.iter().copied().eq((0..100).map(|job| job * 2)), "{taken:?}");
        }
    }

    #[test]
    fn little_is_under_way_while_one_waits() {
        let begun = AtomicUsize::new(0);
        let work = |_: &mut (), job: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            if job == 0 {
                thread::sleep(Duration::from_millis(100));
            }
        };
        let seen = AtomicUsize::new(0);
        let take = |()| {
            // All that were begun before the first one was taken.
            seen.compare_exchange(0, begun.load(Ordering::SeqCst), Ordering::SeqCst, Ordering::SeqCst).ok();
            Ok::<(), ()>(())
        };
        assert!(in_order(2, 0..1000, || (), work, take).is_ok());
        assert!(seen.load(Ordering::SeqCst) <= 2 * WINDOW + 2, "{}", seen.load(Ordering::SeqCst));
    }

    #[test]
    fn an_error_ends_the_work() {
        let begun = AtomicUsize::new(0);
        let work = |_: &mut (), job: usize| {
            begun.fetch_add(1, Ordering::SeqCst);
            job
        };
        let result = in_order(2, 0..usize::MAX, || (), work, |job| if job < 10 { Ok(()) } else { Err(job) });
        assert_eq!(result.map(drop), Err(10));
        assert!(begun.load(Ordering::SeqCst) < 100);
    }

    #[test]
    fn a_panic_is_passed_on() {
        let work = |_: &mut (), job: usize| assert_ne!(job, 5, "no five");
        let panic = catch_unwind(|| in_order(3, 0..1000, || (), work, |()| Ok::<(), ()>(())));
        assert!(panic.is_err());
    }
}
