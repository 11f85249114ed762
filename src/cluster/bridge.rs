//! The thread that the client lives on, and how others wait for it.

use std::fmt;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Instant;

use kube::Client;
use tokio::runtime::{Builder, Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::api::Api;
use super::connect::{ConnectError, Connection, chain};

/// A client on a thread of its own, which ends with the value.
pub struct Bridge {
    api: Api,
    namespace: String,
    handle: Handle,
    /// Dropped to end the thread.
    _end: oneshot::Sender<()>,
}

impl Bridge {
    /// Starts the thread and makes the client; nothing is sent yet.
    pub fn start(connection: &Connection) -> Result<Self, ConnectError> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(async {
            let config = connection.config().await?;
            Client::try_from(config).map_err(|error| ConnectError::Client(chain(&error)))
        })?;
        Self::with(runtime, client)
    }

    /// Starts the thread for a runtime whose client is known.
    pub fn with(runtime: tokio::runtime::Runtime, client: Client) -> Result<Self, ConnectError> {
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("cluster".to_owned()).spawn(move || {
            // An error is what a dropped sender gives: the end.
            let _ = runtime.block_on(ended);
            runtime.shutdown_background();
        })?;
        Ok(Self { namespace: client.default_namespace().to_owned(), api: Api::new(client), handle, _end: end })
    }

    /// The client, for futures on the thread.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// The process's own namespace: that of its service account, or of the kubeconfig's context; `default` if that names
    /// none.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Runs a future on the thread.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
        self.handle.spawn(future)
    }

    /// Runs a future on the thread and waits for what it gives; `None` if that takes until `deadline`. May be called
    /// anywhere but on the thread itself: a worker of the caller's runtime hands its other tasks on while it waits.
    pub fn ask<T: Send + 'static>(
        &self,
        deadline: Instant,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        let asked = self.handle.spawn(async move {
            let answer = tokio::time::timeout_at(deadline.into(), future).await;
            // Nobody waits any longer when the deadline has passed.
            let _ = sender.send(answer.ok());
        });
        let patience = deadline.saturating_duration_since(Instant::now());
        match waiting(|| receiver.recv_timeout(patience)) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                asked.abort();
                None
            }
        }
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").finish_non_exhaustive()
    }
}

/// Waits without keeping other tasks of this thread's runtime from running.
fn waiting<T>(wait: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cluster::testing::bridge;

    #[test]
    fn waits_for_an_answer_and_no_longer_than_the_deadline() {
        let bridge = bridge(|_| (200, String::new()));
        let soon = Instant::now() + Duration::from_secs(60);
        assert_eq!(bridge.ask(soon, async { 5 }), Some(5));
        let started = Instant::now();
        let never = std::future::pending::<()>();
        assert_eq!(bridge.ask(started + Duration::from_millis(50), never), None);
        assert!(started.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn requests_that_wait_do_not_keep_others_from_running() {
        let bridge = std::sync::Arc::new(bridge(|_| (200, String::new())));
        // One worker, several requests at once, each of which waits for the next.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let (sender, receiver) = oneshot::channel::<()>();
            let deadline = Instant::now() + Duration::from_secs(60);
            let waits = std::sync::Arc::clone(&bridge);
            let first = tokio::spawn(async move { waits.ask(deadline, async { receiver.await.is_ok() }) });
            let second = tokio::spawn(async move { sender.send(()).is_ok() });
            assert!(second.await.expect("no panic"));
            assert_eq!(first.await.expect("no panic"), Some(true));
        });
    }
}
