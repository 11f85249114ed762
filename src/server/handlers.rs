//! `/validate` and `/mutate`: what HTTP has to say about a request before and after its evaluation.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Request, Uri, Version, header};
use axum::response::Response;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::engine::Phase;

use super::activity::Activity;
use super::body::{Arrived, Bodies, Incoming};
use super::drain::{Stage, Watch};
use super::evaluate::{Evaluator, Need};
use super::go_duration;
use super::limits::{LARGE_BODY_BYTES, LARGEST_MARGIN, LONGEST_TIMEOUT, RequestLimits};
use super::memory::{Grant, Memory};
use super::metrics::Metrics;
use super::refusal::Refusal;

/// What the endpoints share.
#[derive(Debug)]
pub struct Webhook {
    evaluator: Evaluator,
    limits: RequestLimits,
    memory: Memory,
    bodies: Bodies,
    permits: Semaphore,
    metrics: Arc<Metrics>,
    watch: Watch,
}

impl Webhook {
    /// Endpoints that evaluate with `evaluator`, in what `memory` has for requests.
    pub fn new(evaluator: Evaluator, limits: RequestLimits, memory: Memory, watch: Watch) -> Self {
        let metrics = Arc::clone(&evaluator.metrics);
        let bodies = Bodies::new(&memory, limits.body_bytes, Arc::clone(&metrics));
        Self { evaluator, limits, memory, bodies, permits: Semaphore::new(limits.concurrent), metrics, watch }
    }

    /// Answers a POST to the endpoint for `phase` on the connection of `activity`.
    pub async fn serve<B: Incoming>(&self, phase: Phase, request: Request<B>, activity: &Arc<Activity>) -> Response {
        let version = request.version();
        let _in_flight = self.metrics.load.in_flight();
        let mut response = match self.answer(phase, request, activity).await {
            Ok(answer) => {
                let mut response = Response::new(Body::new(answer));
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            Err(refusal) => {
                self.metrics.refused(&refusal);
                tracing::warn!(reason = refusal.label(), error = refusal.message(), "request refused");
                refusal.response()
            }
        };
        if version < Version::HTTP_2 && self.watch.stage() > Stage::Serving {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    async fn answer<B: Incoming>(
        &self,
        phase: Phase,
        request: Request<B>,
        activity: &Arc<Activity>,
    ) -> Result<Answer, Refusal> {
        let arrived = Instant::now();
        let timeout = timeout(request.uri())?.unwrap_or(self.limits.timeout).min(LONGEST_TIMEOUT);
        let deadline = arrived + timeout.saturating_sub(LARGEST_MARGIN.min(timeout / 10));
        check_headers(request.headers())?;
        let body = self.bodies.read(request.into_body(), self.limits.body_timeout, deadline).await?;
        let _evaluation = activity.evaluation();
        self.evaluate(phase, body, deadline).await
    }

    /// Evaluates a body that is there. Memory comes before the permit, so that whoever waits for memory keeps nobody from
    /// being evaluated; an evaluation that turns out to need more gives back what it has and starts anew.
    async fn evaluate(&self, phase: Phase, mut body: Arrived, deadline: Instant) -> Result<Answer, Refusal> {
        let mut need = self.evaluator.need(&body.bytes);
        loop {
            let mut grant = self.draw(&need, &mut body, deadline).await?;
            let permit = self.permit(&mut body, deadline).await?;
            let evaluated = if body.bytes.len() < LARGE_BODY_BYTES {
                self.evaluator.answer(phase, &body.bytes, &need, deadline)
            } else {
                tokio::task::block_in_place(|| self.evaluator.answer(phase, &body.bytes, &need, deadline))
            };
            drop(permit);
            match evaluated? {
                Some(answer) => {
                    grant.shrink(answer.len());
                    return Ok(Answer { bytes: answer.into(), _grant: grant });
                }
                None => need.grow(self.memory.large.bytes()),
            }
        }
    }

    async fn draw(&self, need: &Need, body: &mut Arrived, deadline: Instant) -> Result<Grant, Refusal> {
        let pool = if need.is_small() { &self.memory.small } else { &self.memory.large };
        if let Some(grant) = pool.try_draw(need.bytes()) {
            return Ok(grant);
        }
        let _waiting = self.metrics.load.waiting();
        let drawn = async {
            self.bodies.keep(body, deadline).await?;
            pool.draw(need.bytes(), deadline).await.ok_or(Refusal::Memory { limit: self.memory.limit })
        };
        let late = Refusal::Memory { limit: self.memory.limit };
        tokio::time::timeout_at(deadline.into(), drawn).await.unwrap_or(Err(late))
    }

    async fn permit(&self, body: &mut Arrived, deadline: Instant) -> Result<SemaphorePermit<'_>, Refusal> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let _waiting = self.metrics.load.waiting();
        let busy = || Refusal::Busy { limit: self.limits.concurrent };
        let permit = async {
            self.bodies.keep(body, deadline).await?;
            self.permits.acquire().await.map_err(|_| busy())
        };
        tokio::time::timeout_at(deadline.into(), permit).await.unwrap_or_else(|_| Err(busy()))
    }
}

/// An answer and the memory that it holds until it is sent.
#[derive(Debug)]
struct Answer {
    bytes: Bytes,
    _grant: Grant,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let bytes = std::mem::take(&mut self.bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
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
    use super::super::evaluate::tests::{evaluator, review};
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

    fn webhook(memory: u64) -> Webhook {
        let never = Duration::from_secs(3600);
        let connections = super::super::limits::ConnectionLimits::patient(0);
        let limits =
            RequestLimits { body_bytes: 1 << 20, body_timeout: never, concurrent: 1, timeout: Duration::from_secs(20) };
        let memory = Memory::new(memory, &connections, limits.body_bytes).expect("enough");
        Webhook::new(evaluator(), limits, memory, super::super::drain::Drain::new().1)
    }

    async fn post(webhook: &Webhook, query: &str, body: &str) -> (u16, String) {
        let request = Request::post(format!("/validate{query}")).header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).expect("a request");
        let response = webhook.serve(Phase::Validate, request, &Activity::new()).await;
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        (status, String::from_utf8(body.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn a_request_waits_for_an_evaluation_to_end_until_its_deadline() {
        let webhook = webhook(512 << 20);
        let permit = webhook.permits.acquire().await.expect("free");
        let (status, text) = post(&webhook, "?timeout=50ms", &review("shop", 0)).await;
        assert_eq!(status, 429, "{text}");
        assert!(text.contains("--max-concurrent-requests"), "{text}");
        let body = review("shop", 0);
        let ((status, text), ()) = tokio::join!(post(&webhook, "", &body), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(permit);
        });
        assert_eq!(status, 200, "{text}");
        assert!(webhook.memory.pools().iter().all(|(_, pool)| pool.used() == 0));
    }

    #[tokio::test]
    async fn a_request_waits_for_memory_until_its_deadline() {
        let webhook = webhook(512 << 20);
        let taken = webhook.memory.small.try_draw(webhook.memory.small.bytes()).expect("all of it");
        let (status, text) = post(&webhook, "?timeout=50ms", &review("shop", 0)).await;
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("--memory-limit, 536870912 bytes"), "{text}");
        let body = review("shop", 0);
        let ((status, text), ()) = tokio::join!(post(&webhook, "", &body), async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(taken);
        });
        assert_eq!(status, 200, "{text}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_document_that_never_fits_is_refused_at_once() {
        // The share of large requests is then some 10 MiB.
        let webhook = webhook(92 << 20);
        let body = review("shop", 500_000);
        assert!(webhook.evaluator.need(body.as_bytes()).bytes() > webhook.memory.large.bytes());
        let (status, text) = post(&webhook, "", &body).await;
        assert_eq!(status, 503, "{text}");
        assert!(text.contains("--memory-limit"), "{text}");
        let (status, text) = post(&webhook, "", &review("shop", 100_000)).await;
        assert_eq!(status, 200, "{text}");
    }
}
