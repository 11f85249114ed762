//! A webhook that does nothing: it allows every request, and reads of it only what the answer has to repeat.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;

/// Makes this program that webhook.
pub const ROLE: &str = "empty-webhook";

/// `/validate` and `/mutate`, as Portcullis has them.
pub fn router() -> Router {
    Router::new().route("/validate", post(allow)).route("/mutate", post(allow))
}

async fn allow(body: Bytes) -> Result<([(&'static str, &'static str); 1], String), StatusCode> {
    let uid = uid(&body).ok_or(StatusCode::BAD_REQUEST)?;
    let answer = format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{{"uid":"{uid}","allowed":true}}}}"#
    );
    Ok(([("content-type", "application/json")], answer))
}

/// The first one is the request's.
fn uid(body: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"uid\":\"";
    let rest = &body[body.windows(KEY.len()).position(|window| window == KEY)? + KEY.len()..];
    std::str::from_utf8(&rest[..rest.iter().position(|byte| *byte == b'"')?]).ok()
}
