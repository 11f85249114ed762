//! Authorization checks through SubjectAccessReview, one for each check.
//!
//! The selectors of a check are passed on as they are written; the API server parses them as upstream's library does.

use std::sync::Arc;
use std::time::Instant;

use crate::cel::authorization::{Answer, Authorizer, Check, Resource, Target};
use crate::cel::{Error, Limit};
use crate::json::{self, Arena, Limits, Value};

use super::bridge::Bridge;
use super::status::Statuses;

/// Asks the API server whether users may do things.
#[derive(Debug)]
pub struct ReviewingAuthorizer {
    bridge: Arc<Bridge>,
    statuses: Arc<Statuses>,
    deadline: Instant,
}

const PATH: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";

impl ReviewingAuthorizer {
    /// Asks for a request that has to be answered by `deadline`.
    pub fn new(bridge: Arc<Bridge>, statuses: Arc<Statuses>, deadline: Instant) -> Self {
        Self { bridge, statuses, deadline }
    }
}

impl Authorizer for ReviewingAuthorizer {
    fn authorize(&self, check: &Check<'_>) -> Result<Answer, Error> {
        let arena = Arena::new();
        let review = json::to_json(review(&arena, check)).into_bytes();
        let api = self.bridge.api();
        let Some(answer) = self.bridge.ask(self.deadline, async move { api.create(PATH, review).await }) else {
            self.statuses.reviewed(false);
            return Err(Error::Cancelled(Limit::Deadline));
        };
        let read = answer.map_err(|failure| failure.to_string()).and_then(|answer| read(&answer));
        self.statuses.reviewed(read.is_ok());
        read.map_err(|error| {
            tracing::warn!(error, "an authorization check can't be made");
            Error::new(format!("the authorization check can't be made: {error}"))
        })
    }
}

/// The SubjectAccessReview that asks the check.
fn review<'a>(arena: &'a Arena, check: &Check<'a>) -> Value<'a> {
    let object = |members: &[(&'static str, Value<'a>)]| {
        let given: Vec<_> = members.iter().copied().filter(|(_, value)| !is_empty(*value)).collect();
        Value::Object(json::Object::new(arena, &given))
    };
    let of_user = |field| check.user.get(field).unwrap_or(Value::Null);
    let selector = |raw: &'a str| match raw {
        "" => Value::Null,
        raw => object(&[("rawSelector", Value::String(raw))]),
    };
    let verb = ("verb", Value::String(check.verb));
    let target = match check.target {
        Target::Path(path) => ("nonResourceAttributes", object(&[("path", Value::String(path)), verb])),
        Target::Resource(Resource {
            group,
            resource,
            subresource,
            namespace,
            name,
            field_selector,
            label_selector,
        }) => (
            "resourceAttributes",
            object(&[
                ("group", Value::String(group)),
                ("version", Value::String("*")),
                ("resource", Value::String(resource)),
                ("subresource", Value::String(subresource)),
                ("namespace", Value::String(namespace)),
                ("name", Value::String(name)),
                verb,
                ("fieldSelector", selector(field_selector)),
                ("labelSelector", selector(label_selector)),
            ]),
        ),
    };
    object(&[
        ("apiVersion", Value::String("authorization.k8s.io/v1")),
        ("kind", Value::String("SubjectAccessReview")),
        (
            "spec",
            object(&[
                ("user", of_user("username")),
                ("uid", of_user("uid")),
                ("groups", of_user("groups")),
                ("extra", of_user("extra")),
                target,
            ]),
        ),
    ])
}

fn is_empty(value: Value<'_>) -> bool {
    matches!(value, Value::Null | Value::String(""))
}

/// What the review's status says.
fn read(answer: &[u8]) -> Result<Answer, String> {
    let arena = Arena::new();
    let answer = json::parse(&arena, answer, &Limits::default()).map_err(|error| error.to_string())?;
    let status = answer.get("status").ok_or("the answer has no status")?;
    let text = |field| status.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    Ok(Answer {
        allowed: status.get("allowed").and_then(|allowed| allowed.as_bool()).unwrap_or(false),
        reason: text("reason"),
        error: Some(evaluation_error(&text("evaluationError"))).filter(|error| !error.is_empty()),
    })
}

/// What was wrong with the decision itself. A review also tells which selectors it could not read and therefore left
/// aside (upstream: `BuildEvaluationError`); to an expression that is no error, neither in the API server.
fn evaluation_error(told: &str) -> String {
    let of_selector = |part: &str| {
        part.starts_with("spec.resourceAttributes.") && part.ends_with("Selector ignored due to parse error")
    };
    told.split("; ").filter(|part| !of_selector(part)).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::cluster::testing::{bridge, hanging};

    const USER: &[u8] = br#"{"username": "ann", "uid": "7", "groups": ["g"], "extra": {"k": ["v"]}}"#;

    fn spec(target: Target<'_>) -> serde_json::Value {
        let arena = Arena::new();
        let user = json::parse(&arena, USER, &Limits::default()).expect("good JSON");
        let review = json::to_json(review(&arena, &Check { user, verb: "get", target }));
        serde_json::from_str::<serde_json::Value>(&review).expect("good JSON")["spec"].clone()
    }

    #[test]
    fn asks_what_the_check_asks() {
        let user = json!({"user": "ann", "uid": "7", "groups": ["g"], "extra": {"k": ["v"]}});
        let with = |key: &str, value: serde_json::Value| {
            let mut spec = user.clone();
            spec[key] = value;
            spec
        };
        let path = json!({"path": "/healthz", "verb": "get"});
        assert_eq!(spec(Target::Path("/healthz")), with("nonResourceAttributes", path));
        let pods = Resource { resource: "pods", ..Resource::default() };
        let attributes = json!({"version": "*", "resource": "pods", "verb": "get"});
        assert_eq!(spec(Target::Resource(pods)), with("resourceAttributes", attributes));
        let narrow = Resource {
            group: "apps",
            resource: "deployments",
            subresource: "scale",
            namespace: "media",
            name: "web",
            field_selector: "a=b",
            label_selector: "c in (d)",
        };
        let attributes = json!({"group": "apps", "version": "*", "resource": "deployments", "subresource": "scale",
            "namespace": "media", "name": "web", "verb": "get",
            "fieldSelector": {"rawSelector": "a=b"}, "labelSelector": {"rawSelector": "c in (d)"}});
        assert_eq!(spec(Target::Resource(narrow)), with("resourceAttributes", attributes));
    }

    #[test]
    fn reads_every_decision() {
        let unread = "spec.resourceAttributes.fieldSelector ignored due to parse error; \
                      spec.resourceAttributes.labelSelector ignored due to parse error";
        for (status, allowed, reason, error) in [
            (r#"{"allowed":true,"reason":"RBAC: allowed"}"#, true, "RBAC: allowed", None),
            (r#"{"allowed":false,"denied":true}"#, false, "", None),
            (r#"{"allowed":false,"evaluationError":"no role"}"#, false, "", Some("no role")),
            (&format!(r#"{{"allowed":true,"evaluationError":"{unread}"}}"#), true, "", None),
            (&format!(r#"{{"allowed":false,"evaluationError":"a; b; {unread}"}}"#), false, "", Some("a; b")),
        ] {
            let answer = read(format!(r#"{{"status":{status}}}"#).as_bytes()).expect("an answer");
            assert_eq!((answer.allowed, &*answer.reason, answer.error.as_deref()), (allowed, reason, error));
        }
        assert!(read(b"{}").is_err());
    }

    fn ask(bridge: Bridge, patience: Duration) -> Result<Answer, Error> {
        let deadline = Instant::now() + patience;
        let authorizer = ReviewingAuthorizer::new(Arc::new(bridge), Arc::default(), deadline);
        authorizer.authorize(&Check { user: Value::Null, verb: "get", target: Target::Path("/") })
    }

    #[test]
    fn what_the_cluster_does_not_answer_is_an_error() {
        let long = Duration::from_secs(60);
        let allowed = ask(bridge(|_| (201, r#"{"status":{"allowed":true}}"#.to_owned())), long);
        assert!(allowed.expect("an answer").allowed);
        let forbidden = ask(bridge(|_| (403, r#"{"message":"may not ask"}"#.to_owned())), long);
        let expected = "the authorization check can't be made: may not ask (403)";
        assert_eq!(forbidden, Err(Error::new(expected)));
        assert!(ask(bridge(|_| (201, "?".to_owned())), long).is_err());
    }

    #[test]
    fn the_deadline_ends_the_evaluation() {
        assert_eq!(ask(hanging(), Duration::from_millis(50)), Err(Error::Cancelled(Limit::Deadline)));
    }
}
