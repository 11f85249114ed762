//! Requests that never reach the engine: why, and how that is told to the client.
//!
//! The body is a `metav1.Status`, because the API server shows its message to whoever made the request.

use std::fmt::{self, Write};

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use crate::admission;

/// Why a request was refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The `Content-Type` isn't JSON.
    #[error("content type {found:?} is not supported: send an AdmissionReview as application/json")]
    ContentType {
        /// The header's value, or empty.
        found: String,
    },
    /// The body is compressed or otherwise encoded.
    #[error("content encoding {found:?} is not supported: send the AdmissionReview uncompressed")]
    ContentEncoding {
        /// The header's value.
        found: String,
    },
    /// The body is larger than the limit.
    #[error("the request body is larger than the limit of {limit} bytes (--max-body-bytes)")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body didn't arrive in time.
    #[error("the request body did not arrive within {0:?} (--body-timeout, or the timeout in the query)")]
    BodyTimeout(std::time::Duration),
    /// The body stalled while others needed its memory.
    #[error("the request body stopped arriving and had to make room for others (--memory-limit): send it again")]
    BodyEvicted,
    /// The connection broke within the body.
    #[error("the request body could not be read: {0}")]
    BodyBroken(String),
    /// The `timeout` parameter can't be read.
    #[error("timeout={found:?} in the query: {why}")]
    Timeout {
        /// The parameter as sent.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The body is no usable AdmissionReview.
    #[error(transparent)]
    Review(#[from] admission::Error),
    /// As many requests as allowed are being served.
    #[error(
        "{limit} requests were being evaluated until the deadline (--max-concurrent-requests): try again in a second"
    )]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The request's memory didn't become free in time, or is more than there is.
    #[error(
        "the memory that requests share has no room for this one (--memory-limit, {limit} bytes for the whole process): try again in a second"
    )]
    Memory {
        /// The limit in bytes.
        limit: u64,
    },
    /// The caller has stopped waiting.
    #[error("the caller's deadline passed before the policies could be evaluated")]
    DeadlinePassed,
    /// A defect of ours.
    #[error("internal error while evaluating policies; the server's log has the details")]
    Panicked,
}

impl Refusal {
    /// The HTTP status code.
    pub fn code(&self) -> StatusCode {
        match self {
            Refusal::ContentType { .. } | Refusal::ContentEncoding { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BodyTimeout(_) | Refusal::BodyEvicted => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyBroken(_) | Refusal::Timeout { .. } | Refusal::Review(_) => StatusCode::BAD_REQUEST,
            Refusal::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Memory { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::DeadlinePassed => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// `status.reason`, a word of `metav1.StatusReason`.
    fn reason(&self) -> &'static str {
        match self {
            Refusal::ContentType { .. } | Refusal::ContentEncoding { .. } => "UnsupportedMediaType",
            Refusal::TooLarge { .. } => "RequestEntityTooLarge",
            Refusal::BodyTimeout(_) | Refusal::BodyEvicted | Refusal::DeadlinePassed => "Timeout",
            Refusal::BodyBroken(_) | Refusal::Timeout { .. } | Refusal::Review(_) => "BadRequest",
            Refusal::Busy { .. } => "TooManyRequests",
            Refusal::Memory { .. } => "ServiceUnavailable",
            Refusal::Panicked => "InternalError",
        }
    }

    /// The value of the `reason` label in metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Refusal::ContentType { .. } => "content_type",
            Refusal::ContentEncoding { .. } => "content_encoding",
            Refusal::TooLarge { .. } => "body_too_large",
            Refusal::BodyTimeout(_) => "body_timeout",
            Refusal::BodyEvicted => "body_evicted",
            Refusal::BodyBroken(_) => "body_broken",
            Refusal::Timeout { .. } => "bad_timeout",
            Refusal::Review(_) => "bad_review",
            Refusal::Busy { .. } => "too_many_requests",
            Refusal::Memory { .. } => "memory",
            Refusal::DeadlinePassed => "deadline",
            Refusal::Panicked => "panic",
        }
    }

    /// Every value of [`Refusal::label`], so that the series exist from the start.
    pub const LABELS: [&'static str; 12] = [
        "content_type",
        "content_encoding",
        "body_too_large",
        "body_timeout",
        "body_evicted",
        "body_broken",
        "bad_timeout",
        "bad_review",
        "too_many_requests",
        "memory",
        "deadline",
        "panic",
    ];

    /// What is wrong, in [`MAX_MESSAGE_BYTES`] at most, whatever was sent: for the client and for the log.
    pub fn message(&self) -> String {
        let mut message = Clipped(String::new());
        if write!(message, "{self}").is_err() {
            message.0.push_str(CUT);
        }
        message.0
    }

    /// The HTTP response.
    pub fn response(&self) -> Response {
        let status = Status {
            kind: "Status",
            api_version: "v1",
            status: "Failure",
            message: format!("portcullis: {}", self.message()),
            reason: self.reason(),
            code: self.code().as_u16(),
        };
        let body = serde_json::to_vec(&status).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.code();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Refusal::Busy { .. } | Refusal::Memory { .. } = self {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The longest message of a refusal; a header or a name that is quoted may be as long as its sender likes.
const MAX_MESSAGE_BYTES: usize = 1024;
const CUT: &str = "… (cut)";

/// A text that takes no more than fits.
struct Clipped(String);

impl fmt::Write for Clipped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_MESSAGE_BYTES - CUT.len()).saturating_sub(self.0.len());
        let fits = excerpt(text, room);
        self.0.push_str(fits);
        if fits.len() < text.len() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// As much of the beginning of `text` as fits into `bytes`.
pub fn excerpt(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or_default()
}

#[derive(Serialize)]
struct Status {
    kind: &'static str,
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    status: &'static str,
    message: String,
    reason: &'static str,
    code: u16,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{self, Arena};

    #[test]
    fn messages_are_at_most_a_kilobyte_whatever_was_sent() {
        let long = "é\u{202e}".repeat(100_000);
        let (arena, twice) = (Arena::new(), format!(r#"{{"{long}":1,"{long}":2}}"#));
        let json = json::parse(&arena, twice.as_bytes(), &json::Limits::default());
        let refusals = [
            Refusal::ContentType { found: long.clone() },
            Refusal::ContentEncoding { found: long.clone() },
            Refusal::BodyBroken(long.clone()),
            Refusal::Timeout { found: long.clone(), why: "" },
            Refusal::Review(admission::Error::Json(json.expect_err("a key twice"))),
            Refusal::Review(admission::Error::Operation(long.clone())),
            Refusal::Review(admission::Error::WrongType {
                expected: "",
                api_version: long.clone(),
                kind: long.clone(),
            }),
        ];
        for refusal in refusals {
            let message = refusal.message();
            assert!(message.len() <= MAX_MESSAGE_BYTES, "{}: {}", refusal.label(), message.len());
            assert!(message.ends_with(CUT), "{}: {message}", refusal.label());
            assert!(message.len() > MAX_MESSAGE_BYTES / 2, "{}: {message}", refusal.label());
        }
        let whole = Refusal::Busy { limit: 1 };
        assert_eq!(whole.message(), whole.to_string());
    }

    #[test]
    fn every_label_is_listed() {
        let refusals = [
            Refusal::ContentType { found: String::new() },
            Refusal::ContentEncoding { found: String::new() },
            Refusal::TooLarge { limit: 1 },
            Refusal::BodyTimeout(std::time::Duration::ZERO),
            Refusal::BodyEvicted,
            Refusal::BodyBroken(String::new()),
            Refusal::Timeout { found: String::new(), why: "" },
            Refusal::Review(admission::Error::NoRequest),
            Refusal::Busy { limit: 1 },
            Refusal::Memory { limit: 1 },
            Refusal::DeadlinePassed,
            Refusal::Panicked,
        ];
        let labels: Vec<_> = refusals.iter().map(Refusal::label).collect();
        assert_eq!(labels, Refusal::LABELS);
    }
}
