//! Leaving without failing a request: the stages of shutting down, and who has to act at each.
//!
//! Kubernetes removes a terminating pod from its Service while the pod already shuts down, so requests keep arriving
//! for a while after the signal. Therefore nothing is refused before the drain delay has passed.

use std::time::Duration;

use tokio::sync::watch;

/// How far the server is on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Serving; ready.
    Serving,
    /// No longer ready, but still accepting. HTTP/2 clients are told to take their next requests elsewhere, HTTP/1.1
    /// clients to close after the response.
    Leaving,
    /// The listener is closed. Requests in progress are finished, and so is one more on each HTTP/1.1 connection whose
    /// client sent it before it could know; see [`LAST_REQUEST`].
    Closed,
}

/// How long an idle HTTP/1.1 connection is kept after the listener was closed, or after its handshake if that ended
/// later: HTTP/1.1 can't tell a client to stop sending, so what is under way gets time to arrive.
pub const LAST_REQUEST: Duration = Duration::from_secs(1);

/// The side that moves from stage to stage.
#[derive(Debug)]
pub struct Drain {
    stage: watch::Sender<Stage>,
}

/// The side that watches; cheap to clone.
#[derive(Clone, Debug)]
pub struct Watch {
    stage: watch::Receiver<Stage>,
}

impl Drain {
    /// A server that is serving.
    pub fn new() -> (Self, Watch) {
        let (sender, receiver) = watch::channel(Stage::Serving);
        (Self { stage: sender }, Watch { stage: receiver })
    }

    /// Walks through the stages; returns when the listener has been told to close.
    pub async fn run(&self, delay: Duration) {
        self.stage.send_replace(Stage::Leaving);
        tokio::time::sleep(delay).await;
        self.stage.send_replace(Stage::Closed);
    }
}

impl Watch {
    /// The present stage.
    pub fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    /// Waits until `stage` is reached.
    pub async fn reached(&mut self, stage: Stage) {
        if self.stage.wait_for(|current| *current >= stage).await.is_err() {
            // The server is gone without passing through the stages, which only happens when its task is dropped.
            std::future::pending::<()>().await;
        }
    }
}
