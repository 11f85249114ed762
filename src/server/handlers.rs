//! `/validate` and `/mutate`: what HTTP has to say about a request before and after its evaluation.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, Uri, Version, header};
use axum::response::Response;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;

use crate::engine::Phase;

use super::drain::{Stage, Watch};
use super::evaluate::Evaluator;
use super::go_duration;
use super::metrics::Metrics;
use super::refusal::Refusal;

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The largest body, in bytes. The API server stores at most 3 MiB and sends the old object, too.
    pub body_bytes: usize,
    /// For a body to arrive.
    pub body_timeout: Duration,
    /// Requests in progress at once, over all connections.
    pub concurrent: usize,
    /// For an answer, where the query names no `timeout`. The API server's own default.
    pub timeout: Duration,
}

/// No caller waits longer: the most that the API server lets a webhook configuration ask for.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// What is left of the caller's timeout for the answer to travel: a tenth, and never more than this.
const LARGEST_MARGIN: Duration = Duration::from_millis(500);
/// From this size, a document takes so long that the thread's other connections are handed to another thread.
const LARGE_BODY_BYTES: usize = 128 * 1024;
/// How much of a body that is too large is read and dropped, in multiples of the limit, so that the client gets to
/// read why: an answer beside a half-sent body is mostly lost.
const DISCARD_FACTOR: usize = 4;

/// What the endpoints share.
#[derive(Debug)]
pub struct Webhook {
    evaluator: Evaluator,
    limits: RequestLimits,
    permits: Semaphore,
    metrics: Arc<Metrics>,
    watch: Watch,
}

impl Webhook {
    /// Endpoints that evaluate with `evaluator`.
    pub fn new(evaluator: Evaluator, limits: RequestLimits, watch: Watch) -> Self {
        let metrics = Arc::clone(&evaluator.metrics);
        Self { evaluator, limits, permits: Semaphore::new(limits.concurrent), metrics, watch }
    }

    /// Answers a POST to the endpoint for `phase`.
    pub async fn serve<B: Incoming>(&self, phase: Phase, request: Request<B>) -> Response {
        let version = request.version();
        let mut response = match self.answer(phase, request).await {
            Ok(answer) => {
                let mut response = Response::new(Body::from(answer));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(refusal) => {
                self.metrics.refused(&refusal);
                tracing::warn!(reason = refusal.label(), error = %refusal, "request refused");
                refusal.response()
            }
        };
        if version < Version::HTTP_2 && self.watch.stage() > Stage::Serving {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn answer<B: Incoming>(&self, phase: Phase, request: Request<B>) -> Result<Vec<u8>, Refusal> {
        let arrived = Instant::now();
        let timeout = timeout(request.uri())?.unwrap_or(self.limits.timeout).min(LONGEST_TIMEOUT);
        let deadline = arrived + timeout.saturating_sub(LARGEST_MARGIN.min(timeout / 10));
        check_headers(request.headers())?;
        let Ok(_permit) = self.permits.try_acquire() else {
            return Err(Refusal::Busy { limit: self.limits.concurrent });
        };
        self.metrics.in_flight.inc();
        let patience = self.limits.body_timeout.min(deadline.saturating_duration_since(arrived));
        let answer = self.evaluate(phase, request.into_body(), patience, deadline).await;
        self.metrics.in_flight.dec();
        answer
    }

    async fn evaluate<B: Incoming>(
        &self,
        phase: Phase,
        body: B,
        patience: Duration,
        deadline: Instant,
    ) -> Result<Vec<u8>, Refusal> {
        let body =
            in_time(patience, read(body, self.limits.body_bytes)).await.ok_or(Refusal::BodyTimeout(patience))??;
        if body.len() < LARGE_BODY_BYTES {
            self.evaluator.answer(phase, &body, deadline)
        } else {
            tokio::task::block_in_place(|| self.evaluator.answer(phase, &body, deadline))
        }
    }
}

/// What a request's body has to be.
pub trait Incoming: HttpBody<Data = Bytes, Error: std::fmt::Display> + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: std::fmt::Display> + Unpin> Incoming for B {}

/// The output of `future`, unless it takes longer than `patience`.
///
/// A body that came with its header is handed over the second time that it is asked for, so a timer, which is a lock
/// and two list operations, is not set before that.
async fn in_time<F: Future>(patience: Duration, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut asked = false;
    let early = poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if asked => Poll::Ready(None),
        Poll::Pending => {
            asked = true;
            context.waker().wake_by_ref();
            Poll::Pending
        }
    });
    match early.await {
        None => tokio::time::timeout(patience, future).await.ok(),
        output => output,
    }
}

/// Reads a whole body of at most `limit` bytes; usually it arrives in one piece, which is not copied.
async fn read<B: Incoming>(mut body: B, limit: usize) -> Result<Bytes, Refusal> {
    let announced = body.size_hint().lower();
    if announced > (limit as u64).saturating_mul(DISCARD_FACTOR as u64) {
        return Err(Refusal::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut whole: Vec<u8> = Vec::new();
    let mut length = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::BodyBroken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length > limit {
            // Nothing is kept from here on.
            (first, whole) = (Bytes::new(), Vec::new());
            if length > limit.saturating_mul(DISCARD_FACTOR) {
                break;
            }
        } else if first.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                // The announced size is only trusted up to the limit.
                whole.reserve(usize::try_from(announced).unwrap_or(limit).clamp(length, limit.max(length)));
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
    }
    match length {
        length if length > limit => Err(Refusal::TooLarge { limit }),
        _ if whole.is_empty() => Ok(first),
        _ => Ok(whole.into()),
    }
}

fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let content_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Refusal::ContentType { found: content_type.into_owned() });
    }
    match text(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.trim().eq_ignore_ascii_case("identity") => {
            Err(Refusal::ContentEncoding { found: encoding.into_owned() })
        }
        _ => Ok(()),
    }
}

/// The `timeout` that the API server puts into the query.
fn timeout(uri: &Uri) -> Result<Option<Duration>, Refusal> {
    let parameters = uri.query().unwrap_or_default().split('&');
    let Some(found) = parameters.filter_map(|parameter| parameter.strip_prefix("timeout=")).next() else {
        return Ok(None);
    };
    match go_duration::parse(found) {
        Ok(Duration::ZERO) => Err(Refusal::Timeout { found: found.to_owned(), why: "nothing can be done in no time" }),
        Ok(timeout) => Ok(Some(timeout)),
        Err(why) => Err(Refusal::Timeout { found: found.to_owned(), why }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn accepts_json_with_parameters() {
        for value in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
            assert!(check_headers(&headers(&[(header::CONTENT_TYPE, value)])).is_ok(), "{value}");
        }
    }

    #[test]
    fn rejects_other_content() {
        assert!(matches!(check_headers(&headers(&[])), Err(Refusal::ContentType { .. })));
        for value in ["text/plain", "application/json5", "application/vnd.kubernetes.protobuf", ""] {
            let refused = check_headers(&headers(&[(header::CONTENT_TYPE, value)]));
            assert!(matches!(refused, Err(Refusal::ContentType { .. })), "{value}");
        }
        let gzip = headers(&[(header::CONTENT_TYPE, "application/json"), (header::CONTENT_ENCODING, "gzip")]);
        assert!(matches!(check_headers(&gzip), Err(Refusal::ContentEncoding { .. })));
    }

    #[test]
    fn reads_the_timeout_from_the_query() {
        for (uri, expected) in [
            ("/validate", None),
            ("/validate?timeout=10s", Some(10)),
            ("/validate?a=b&timeout=1m30s&timeout=5s", Some(90)),
        ] {
            let found = timeout(&Uri::from_static(uri)).expect(uri);
            assert_eq!(found, expected.map(Duration::from_secs), "{uri}");
        }
        for uri in ["/validate?timeout=", "/validate?timeout=soon", "/validate?timeout=0s", "/validate?timeout=-1s"] {
            assert!(matches!(timeout(&Uri::from_static(uri)), Err(Refusal::Timeout { .. })), "{uri}");
        }
    }

    #[tokio::test]
    async fn waits_for_a_body_as_long_as_it_may() {
        assert_eq!(in_time(Duration::ZERO, async { 1 }).await, Some(1));
        let soon = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            2
        };
        assert_eq!(in_time(Duration::from_secs(60), soon).await, Some(2));
        assert_eq!(in_time(Duration::from_millis(10), std::future::pending::<()>()).await, None);
    }

    #[tokio::test]
    async fn reads_bodies_up_to_the_limit() {
        for length in [0, 1, 99, 100] {
            let body = read(Body::from(vec![b'x'; length]), 100).await.expect("within the limit");
            assert_eq!(body.len(), length);
        }
        for length in [101, 400, 401, 10_000] {
            let refused = read(Body::from(vec![b'x'; length]), 100).await;
            assert!(matches!(refused, Err(Refusal::TooLarge { limit: 100 })), "{length}");
        }
    }
}
