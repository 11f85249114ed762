//! An API server of this process's own, for unit tests: a function from a request to a status and a body.

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
