//! From bytes to the engine's request.

use crate::engine::{GroupVersionKind, GroupVersionResource, Operation, Request};
use crate::json::{self, Arena, Value};

use super::error::Error;

/// The version that is understood and answered.
pub(super) const API_VERSION: &str = "admission.k8s.io/v1";
pub(super) const KIND: &str = "AdmissionReview";

/// Parses an AdmissionReview. Fields that are not known are ignored, as upstream does, so that newer API servers can
/// add some; a field that is known and null is absent.
///
/// # Errors
/// Anything that keeps the request from being judged as the API server meant it.
pub fn parse<'a>(arena: &'a Arena, body: &'a [u8], limits: &json::Limits) -> Result<Request<'a>, Error> {
    if body.is_empty() {
        return Err(Error::Empty);
    }
    let review = json::parse(arena, body, limits)?;
    let Value::Object(_) = review else {
        return Err(Error::NotAnObject { found: type_name(review) });
    };
    let review = Fields { object: review, path: "" };
    let (api_version, kind) = (review.text("apiVersion")?, review.text("kind")?);
    if (api_version, kind) != (API_VERSION, KIND) {
        return Err(Error::WrongType {
            expected: API_VERSION,
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        });
    }
    let request = review.object("request", "request")?.ok_or(Error::NoRequest)?;
    request_of(&request)
}

fn request_of<'a>(request: &Fields<'a>) -> Result<Request<'a>, Error> {
    let uid = required(request.text("uid")?, "request.uid")?;
    let operation = required(request.text("operation")?, "request.operation")?;
    let operation = Operation::parse(operation).ok_or_else(|| Error::Operation(operation.to_owned()))?;
    let kind = request.object("kind", "request.kind")?.ok_or(Error::Missing { field: "request.kind" })?.kind()?;
    required(kind.kind, "request.kind.kind")?;
    required(kind.version, "request.kind.version")?;
    let resource = request
        .object("resource", "request.resource")?
        .ok_or(Error::Missing { field: "request.resource" })?
        .resource()?;
    required(resource.resource, "request.resource.resource")?;
    required(resource.version, "request.resource.version")?;
    let sub_resource = request.text("subResource")?;
    // The API server sends what it was asked originally beside what it converted that to; for whoever leaves it out,
    // both are the same.
    let request_kind = request.object("requestKind", "request.requestKind")?.map(|fields| fields.kind()).transpose()?;
    let request_resource =
        request.object("requestResource", "request.requestResource")?.map(|fields| fields.resource()).transpose()?;
    let request_sub_resource = match request_resource {
        Some(_) => request.text("requestSubResource")?,
        None => sub_resource,
    };
    let object = request.payload("object", "request.object")?;
    if object.is_null() && matches!(operation, Operation::Create | Operation::Update) {
        return Err(Error::Missing { field: "request.object" });
    }
    Ok(Request {
        uid,
        kind,
        resource,
        sub_resource,
        request_kind: request_kind.unwrap_or(kind),
        request_resource: request_resource.unwrap_or(resource),
        request_sub_resource,
        name: request.text("name")?,
        namespace: request.text("namespace")?,
        operation,
        user_info: request.payload("userInfo", "request.userInfo")?,
        object,
        old_object: request.payload("oldObject", "request.oldObject")?,
        options: request.payload("options", "request.options")?,
        dry_run: request.flag("dryRun")?,
    })
}

fn required<'a>(text: &'a str, field: &'static str) -> Result<&'a str, Error> {
    if text.is_empty() { Err(Error::Missing { field }) } else { Ok(text) }
}

/// An object of the review and where it stands in it.
struct Fields<'a> {
    object: Value<'a>,
    path: &'static str,
}

impl<'a> Fields<'a> {
    /// A text, empty where it is absent.
    fn text(&self, name: &str) -> Result<&'a str, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.type_error(name, "a string", other)),
        }
    }

    /// A boolean, false where it is absent.
    fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(other) => Err(self.type_error(name, "a boolean", other)),
        }
    }

    /// An object whose fields are looked at.
    fn object(&self, name: &str, path: &'static str) -> Result<Option<Fields<'a>>, Error> {
        match self.payload(name, path)? {
            Value::Null => Ok(None),
            object => Ok(Some(Fields { object, path })),
        }
    }

    /// An object that is passed on as it is; null where it is absent.
    fn payload(&self, name: &str, path: &str) -> Result<Value<'a>, Error> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(Value::Null),
            Some(object @ Value::Object(_)) => Ok(object),
            Some(other) => Err(Error::Type { field: path.to_owned(), expected: "an object", found: type_name(other) }),
        }
    }

    fn kind(&self) -> Result<GroupVersionKind<'a>, Error> {
        Ok(GroupVersionKind { group: self.text("group")?, version: self.text("version")?, kind: self.text("kind")? })
    }

    fn resource(&self) -> Result<GroupVersionResource<'a>, Error> {
        Ok(GroupVersionResource {
            group: self.text("group")?,
            version: self.text("version")?,
            resource: self.text("resource")?,
        })
    }

    fn type_error(&self, name: &str, expected: &'static str, found: Value<'_>) -> Error {
        let dot = if self.path.is_empty() { "" } else { "." };
        Error::Type { field: format!("{}{dot}{name}", self.path), expected, found: type_name(found) }
    }
}

fn type_name(value: Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &[u8]) -> String {
        let arena = Arena::new();
        match parse(&arena, body, &json::Limits::default()) {
            Ok(request) => panic!("accepted as {request:?}"),
            Err(error) => error.to_string(),
        }
    }

    /// A review whose request has `fields`, separated by commas.
    fn review(fields: &str) -> String {
        format!(r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{{fields}}}}}"#)
    }

    const POD: &str = r#""uid":"u-1","operation":"CREATE","kind":{"group":"","version":"v1","kind":"Pod"},
        "resource":{"group":"","version":"v1","resource":"pods"},"object":{"kind":"Pod"}"#;

    #[test]
    fn accepts_what_the_api_server_sends() {
        let body = review(
            r#""uid":"u-1","operation":"UPDATE","dryRun":true,"name":"web","namespace":"shop","subResource":"scale",
            "kind":{"group":"autoscaling","version":"v1","kind":"Scale"},
            "resource":{"group":"apps","version":"v1","resource":"deployments"},
            "requestKind":{"group":"autoscaling","version":"v2","kind":"Scale"},
            "requestResource":{"group":"apps","version":"v1beta1","resource":"deployments"},
            "requestSubResource":"scale","userInfo":{"username":"ann"},
            "object":{"kind":"Scale"},"oldObject":{"kind":"Scale","spec":{}},"options":{"kind":"UpdateOptions"}"#,
        );
        let arena = Arena::new();
        let request = parse(&arena, body.as_bytes(), &json::Limits::default()).expect("a good review");
        assert_eq!(request.uid, "u-1");
        assert_eq!(request.operation, Operation::Update);
        assert!(request.dry_run);
        assert_eq!((request.name, request.namespace), ("web", "shop"));
        assert_eq!(request.kind, GroupVersionKind { group: "autoscaling", version: "v1", kind: "Scale" });
        assert_eq!(request.resource, GroupVersionResource { group: "apps", version: "v1", resource: "deployments" });
        assert_eq!(request.request_kind.version, "v2");
        assert_eq!(request.request_resource.version, "v1beta1");
        assert_eq!((request.sub_resource, request.request_sub_resource), ("scale", "scale"));
        assert_eq!(request.user_info.get("username"), Some(Value::String("ann")));
        assert!(request.old_object.get("spec").is_some());
        assert_eq!(request.options.get("kind"), Some(Value::String("UpdateOptions")));
    }

    #[test]
    fn takes_the_original_request_to_be_the_same_where_it_is_left_out() {
        let body = review(&format!(r#"{POD},"subResource":"ephemeralcontainers""#));
        let arena = Arena::new();
        let request = parse(&arena, body.as_bytes(), &json::Limits::default()).expect("a good review");
        assert_eq!(request.request_kind, request.kind);
        assert_eq!(request.request_resource, request.resource);
        assert_eq!(request.request_sub_resource, "ephemeralcontainers");
    }

    #[test]
    fn rejects_bodies_that_are_no_review_and_says_why() {
        let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
        for (body, says) in [
            ("", "the body is empty"),
            ("  ", "empty"),
            ("{", "not an acceptable JSON document"),
            (&POD[..20], "not an acceptable JSON document"),
            ("[]", "an array, not an AdmissionReview"),
            ("null", "null, not an AdmissionReview"),
            ("{}", r#"expected apiVersion admission.k8s.io/v1 and kind AdmissionReview, found "" and """#),
            (r#"{"apiVersion":7}"#, "apiVersion must be a string, found a number"),
            (r#"{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview"}"#, "list v1 in the webhook's"),
            (r#"{"apiVersion":"v1","kind":"Pod"}"#, r#"found "v1" and "Pod""#),
            (r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}"#, "has no request"),
            (r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}"#, "has no request"),
            (
                r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":[]}"#,
                "request must be an object, found an array",
            ),
            (r#"{"kind":"AdmissionReview","kind":"AdmissionReview"}"#, r#"the key "kind" appears twice"#),
            (&nested, "nested in each other"),
        ] {
            let message = message(body.as_bytes());
            assert!(message.contains(says), "{}: {message}", &body[..body.len().min(60)]);
        }
        let message = message(b"{\"apiVersion\":\"\xff\"}");
        assert!(message.contains("not valid UTF-8"), "{message}");
    }

    #[test]
    fn rejects_requests_with_missing_or_mistyped_fields_and_names_them() {
        let without = |name: &str| {
            let (before, after) = POD.split_once(&format!("\"{name}\":")).expect("the field is there");
            review(&format!("{before}\"ignored\":{after}"))
        };
        for (body, says) in [
            (without("uid"), "request.uid is missing"),
            (without("operation"), "request.operation is missing"),
            (without("resource"), "request.resource is missing"),
            (without("object"), "request.object is missing"),
            (review(&POD.replace("u-1", "")), "request.uid is missing"),
            (review(&POD.replace("CREATE", "PATCH")), r#"CREATE, UPDATE, DELETE or CONNECT, found "PATCH""#),
            (review(&POD.replace(r#""pods""#, r#""""#)), "request.resource.resource is missing"),
            (review(&POD.replace(r#""pods""#, "[]")), "request.resource.resource must be a string, found an array"),
            (review(&POD.replace(r#""kind":"Pod"}"#, r#""kind":5}"#)), "request.kind.kind must be a string"),
            (review(&format!(r#"{POD},"name":{{}}"#)), "request.name must be a string, found an object"),
            (review(&format!(r#"{POD},"dryRun":"yes""#)), "request.dryRun must be a boolean, found a string"),
            (review(&format!(r#"{POD},"userInfo":"ann""#)), "request.userInfo must be an object, found a string"),
            (review(&format!(r#"{POD},"oldObject":3"#)), "request.oldObject must be an object, found a number"),
        ] {
            let message = message(body.as_bytes());
            assert!(message.contains(says), "{says}: {message}");
        }
    }

    #[test]
    fn accepts_a_delete_without_objects() {
        let body = review(&POD.replace("CREATE", "DELETE").replace(r#"{"kind":"Pod"}"#, "null"));
        let arena = Arena::new();
        let request = parse(&arena, body.as_bytes(), &json::Limits::default()).expect("a good review");
        assert!(request.object.is_null() && request.old_object.is_null());
    }
}
