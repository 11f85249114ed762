//! Plain requests to the API server: JSON in, bytes out, every answer within a limit.

use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode};
use kube::Client;
use kube::client::Body;

use crate::json::{self, Arena, Limits};

use super::connect::chain;

/// The largest answer that is read as a whole, in bytes; longer lists are asked for in smaller pages.
pub const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// How long one request may take; a watch only until its answer begins.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of the API server.
#[derive(Clone)]
pub struct Api {
    client: Client,
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The API server can't be reached, or the connection broke.
    #[error("{0}")]
    Connection(String),
    /// The API server said no.
    #[error("{message} ({code})")]
    Refused {
        /// The HTTP status code.
        code: u16,
        /// The message of the API's Status, or the beginning of whatever else it sent.
        message: String,
    },
    /// The answer is larger than [`MAX_ANSWER_BYTES`].
    #[error("the answer is larger than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// The answer is not what was asked for.
    #[error("the answer can't be used: {0}")]
    Unusable(String),
}

impl Failure {
    /// Whether the API server, or what it sends, stands in the way, so that asking again soon brings the same.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Connection(_) => false,
            // Too many requests, and errors of the server's own, pass.
            Self::Refused { code, .. } => *code < 500 && *code != 429,
            Self::TooLarge | Self::Unusable(_) => true,
        }
    }
}

impl Api {
    /// Requests with `client`.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// GETs a whole answer.
    ///
    /// # Errors
    /// There is none, or the API server refuses.
    pub async fn get(&self, path: &str) -> Result<Vec<u8>, Failure> {
        self.whole(Method::GET, path, Vec::new()).await
    }

    /// POSTs an object and returns what it became.
    ///
    /// # Errors
    /// There is no answer, or the API server refuses.
    pub async fn create(&self, path: &str, object: Vec<u8>) -> Result<Vec<u8>, Failure> {
        self.whole(Method::POST, path, object).await
    }

    /// GETs an answer that goes on and on.
    ///
    /// # Errors
    /// There is none, or the API server refuses.
    pub async fn stream(&self, path: &str) -> Result<Body, Failure> {
        let sent = tokio::time::timeout(TIMEOUT, self.send(Method::GET, path, Vec::new())).await;
        sent.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn whole(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let answer = async { read(self.send(method, path, body).await?).await };
        tokio::time::timeout(TIMEOUT, answer).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> Result<Body, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .body(Body::from(body))
            .map_err(|error| Failure::Unusable(format!("{path}: {error}")))?;
        let answer = self.client.send(request).await.map_err(|error| Failure::Connection(chain(&error)))?;
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(refused(head.status, &read(body).await.unwrap_or_default()))
    }
}

async fn read(body: Body) -> Result<Vec<u8>, Failure> {
    match Limited::new(body, MAX_ANSWER_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge),
        Err(error) => Err(Failure::Connection(chain(&*error))),
    }
}

/// How much is shown of an answer that is no Status.
const SHOWN_BYTES: usize = 200;

fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let arena = Arena::new();
    let parsed = json::parse(&arena, body, &Limits::default()).ok();
    let message = parsed.and_then(|status| status.get("message")?.as_str().map(str::to_owned));
    let message =
        message.unwrap_or_else(|| String::from_utf8_lossy(body.get(..SHOWN_BYTES).unwrap_or(body)).trim().to_owned());
    Failure::Refused { code: status.as_u16(), message }
}

fn timed_out() -> Failure {
    Failure::Connection(format!("no answer within {TIMEOUT:?}"))
}

/// A text as part of a URL's path or query.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::testing::client;

    #[tokio::test]
    async fn a_refusal_says_what_the_api_server_says() {
        let status = r#"{"kind":"Status","message":"pods is forbidden","code":403}"#;
        for (code, body, message) in [
            (403, status.to_owned(), "pods is forbidden (403)"),
            (500, "<html>".to_owned(), "<html> (500)"),
            (200, " ".repeat(MAX_ANSWER_BYTES + 1), "the answer is larger than 16777216 bytes"),
        ] {
            let api = Api::new(client(move |_| (code, body.clone())));
            let failure = api.get("/api/v1/pods").await.expect_err("a failure");
            assert_eq!(failure.to_string(), message);
        }
    }

    #[test]
    fn what_a_url_cannot_hold_is_escaped() {
        assert_eq!(escaped("a-b.c_d~9"), "a-b.c_d~9");
        assert_eq!(escaped("a/b?c=d&é"), "a%2Fb%3Fc%3Dd%26%C3%A9");
    }
}
