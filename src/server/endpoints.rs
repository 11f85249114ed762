//! What a listener serves, as the service that hyper asks for each request.
//!
//! The webhook has two paths and no need for a router, whose generality costs a request several allocations.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::engine::Phase;

use super::activity::Activity;
use super::handlers::Webhook;

/// The endpoints of a listener; cheap to clone.
#[derive(Clone, Debug)]
pub enum Endpoints {
    /// `/validate` and `/mutate`, and what tells of health. Other paths are 404, other methods 405.
    Webhook(Arc<Webhook>, Router),
    /// The admin port's.
    Admin(Router),
}

/// The endpoints as one connection has them.
#[derive(Debug)]
pub struct Served {
    endpoints: Endpoints,
    activity: Arc<Activity>,
}

impl Served {
    /// Serves `endpoints`, and notes requests in `activity`.
    pub fn new(endpoints: Endpoints, activity: Arc<Activity>) -> Self {
        Self { endpoints, activity }
    }
}

impl Service<Request<Incoming>> for Served {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let busy = self.activity.request();
        let router = match &self.endpoints {
            Endpoints::Webhook(webhook, health) => match phase(request.method(), request.uri().path()) {
                Ok(phase) => {
                    let (webhook, activity) = (Arc::clone(webhook), Arc::clone(&self.activity));
                    return Box::pin(async move {
                        let _busy = busy;
                        Ok(webhook.serve(phase, request, &activity).await)
                    });
                }
                Err(StatusCode::NOT_FOUND) => health,
                Err(status) => return Box::pin(async move { Ok(refused(status)) }),
            },
            Endpoints::Admin(router) => router,
        };
        let answer = TowerToHyperService::new(router.clone()).call(request);
        Box::pin(async move {
            let _busy = busy;
            answer.await
        })
    }
}

/// What a request asks for, or the status that says that nothing here does that.
fn phase(method: &Method, path: &str) -> Result<Phase, StatusCode> {
    let phase = match path {
        "/validate" => Phase::Validate,
        "/mutate" => Phase::Mutate,
        _ => return Err(StatusCode::NOT_FOUND),
    };
    if *method == Method::POST { Ok(phase) } else { Err(StatusCode::METHOD_NOT_ALLOWED) }
}

fn refused(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_to_two_paths_are_served() {
        assert!(matches!(phase(&Method::POST, "/validate"), Ok(Phase::Validate)));
        assert!(matches!(phase(&Method::POST, "/mutate"), Ok(Phase::Mutate)));
    }

    #[test]
    fn everything_else_is_refused_by_its_status() {
        for (method, path, status) in [
            (Method::POST, "/", StatusCode::NOT_FOUND),
            (Method::POST, "/validate/", StatusCode::NOT_FOUND),
            (Method::GET, "/healthz", StatusCode::NOT_FOUND),
            (Method::GET, "/validate", StatusCode::METHOD_NOT_ALLOWED),
            (Method::PUT, "/mutate", StatusCode::METHOD_NOT_ALLOWED),
        ] {
            let refused = refused(phase(&method, path).expect_err(path));
            assert_eq!(refused.status(), status, "{method} {path}");
            assert_eq!(refused.headers().contains_key(header::ALLOW), status == StatusCode::METHOD_NOT_ALLOWED);
        }
    }
}
