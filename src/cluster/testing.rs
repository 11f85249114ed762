//! An API server of this process's own, for unit tests: a function from a request to a status and a body.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use kube::Client;

use super::bridge::Bridge;

/// The code of an answer that never comes.
pub const NEVER: u16 = 0;

/// A client that is answered by `answer`, which gets the path with its query.
pub fn client(answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> Client {
    let handler = async move |request: Request| {
        let (code, body) = answer(&request.uri().to_string());
        if code == NEVER {
            std::future::pending::<()>().await;
        }
        (StatusCode::from_u16(code).unwrap_or_default(), body)
    };
    Client::new(Router::new().fallback(handler), "default")
}

/// A bridge to a client that is answered by `answer`.
pub fn bridge(answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> Bridge {
    of_client(|| client(answer))
}

/// A bridge to a client that is never answered.
pub fn hanging() -> Bridge {
    of_client(|| Client::new(Router::new().fallback(std::future::pending::<()>), "default"))
}

fn of_client(client: impl FnOnce() -> Client) -> Bridge {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = {
        // The client begins tasks of its own.
        let _here = runtime.enter();
        client()
    };
    Bridge::with(runtime, client).expect("a thread")
}

/// What the requests of a watch are answered: one change after the other, when it has been told.
#[derive(Clone, Debug, Default)]
pub struct Changes(Arc<Mutex<VecDeque<String>>>);

impl Changes {
    /// Has the watch be told of `object` (ADDED, MODIFIED, DELETED).
    pub fn tell(&self, what: &str, object: &str) {
        self.0
            .lock()
            .expect("no panic")
            .push_back(format!("{{\"type\":\"{what}\",\"object\":{}}}\n", object.replace('\n', " ")));
    }

    /// The answer to a request: the next change, or none yet.
    pub fn answer(&self) -> (u16, String) {
        let next = self.0.lock().expect("no panic").pop_front();
        if next.is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        (200, next.unwrap_or_default())
    }
}
