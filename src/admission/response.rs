//! From the engine's decision to bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::engine::{Decision, Request};
use crate::json;

use super::request::{API_VERSION, KIND};
use super::{annotations, warnings};

/// Writes the AdmissionReview that answers `request` with `decision`.
///
/// A patch is only sent if mutation changed something: the API server refuses a patch from a validating webhook and an
/// empty one from a mutating webhook.
pub fn write(request: &Request<'_>, decision: &Decision<'_>) -> Vec<u8> {
    let patch = match &decision.mutated {
        Some(mutated) if decision.allowed() => Some(json::diff(request.object, mutated.object)),
        _ => None,
    }
    .filter(|patch| !patch.is_empty());
    let status = decision.denied.as_ref().map(|denial| Status {
        status: "Failure",
        message: &denial.message,
        reason: denial.reason,
        code: denial.code,
        details: Details {
            name: request.name,
            group: request.resource.group,
            // Upstream: `admission.NewForbidden` names the resource here, whatever the field is called.
            kind: request.resource.resource,
            causes: denial.causes.iter().map(|message| Cause { message }).collect(),
        },
    });
    let review = Review {
        api_version: API_VERSION,
        kind: KIND,
        response: Response {
            uid: request.uid,
            allowed: decision.allowed(),
            status,
            patch_type: patch.is_some().then_some("JSONPatch"),
            patch: patch.map(|operations| STANDARD.encode(operations.to_string())),
            audit_annotations: annotations::prepare(&decision.audit_annotations),
            warnings: warnings::prepare(&decision.warnings),
        },
    };
    // The types above hold nothing that JSON can't say.
    serde_json::to_vec(&review).unwrap_or_default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

/// Upstream: `k8s.io/api/admission/v1.AdmissionResponse`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: BTreeMap<String, Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

/// Upstream: `metav1.Status`.
#[derive(Serialize)]
struct Status<'a> {
    status: &'static str,
    message: &'a str,
    reason: &'a str,
    code: u16,
    details: Details<'a>,
}

/// Upstream: `metav1.StatusDetails`.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    group: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<Cause<'a>>,
}

/// Upstream: `metav1.StatusCause`.
#[derive(Serialize)]
struct Cause<'a> {
    message: &'a str,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::admission::parse;
    use crate::engine::{Denial, Mutated};
    use crate::json::Arena;

    const REVIEW: &[u8] = br#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{
        "uid":"u-1","operation":"CREATE","name":"web","namespace":"shop",
        "kind":{"group":"apps","version":"v1","kind":"Deployment"},
        "resource":{"group":"apps","version":"v1","resource":"deployments"},
        "object":{"spec":{"replicas":1}}}}"#;

    fn answer(decide: impl for<'a> Fn(&'a Arena, &Request<'a>) -> Decision<'a>) -> Value {
        let arena = Arena::new();
        let request = parse(&arena, REVIEW, &crate::json::Limits::default()).expect("a good review");
        let decision = decide(&arena, &request);
        serde_json::from_slice(&write(&request, &decision)).expect("an answer in JSON")
    }

    #[test]
    fn an_allowed_request_is_answered_with_its_uid_and_nothing_else() {
        let answer = answer(|_, _| Decision::default());
        assert_eq!(
            answer,
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
                   "response": {"uid": "u-1", "allowed": true}})
        );
    }

    #[test]
    fn a_denied_request_is_answered_with_upstreams_status() {
        let answer = answer(|_, _| Decision {
            denied: Some(Denial {
                message: "no".to_owned(),
                reason: "Invalid",
                code: 422,
                causes: vec!["no".to_owned(), "nor that".to_owned()],
            }),
            ..Decision::default()
        });
        assert_eq!(
            answer["response"],
            json!({"uid": "u-1", "allowed": false, "status": {
                "status": "Failure", "message": "no", "reason": "Invalid", "code": 422,
                "details": {"name": "web", "group": "apps", "kind": "deployments",
                            "causes": [{"message": "no"}, {"message": "nor that"}]}}})
        );
    }

    #[test]
    fn a_mutated_object_is_answered_with_the_patch_that_makes_it() {
        let answer = answer(|arena, _| {
            let after = crate::json::parse(arena, br#"{"spec":{"replicas":2}}"#, &crate::json::Limits::default());
            let after = after.expect("good JSON");
            let mutated = Mutated { object: after, stored: after, policies: vec!["scale"] };
            Decision { mutated: Some(mutated), ..Decision::default() }
        });
        assert_eq!(answer["response"]["patchType"], "JSONPatch");
        let patch = answer["response"]["patch"].as_str().expect("a patch");
        let patch: Value = serde_json::from_slice(&STANDARD.decode(patch).expect("base64")).expect("JSON");
        assert_eq!(patch, json!([{"op": "replace", "path": "/spec/replicas", "value": 2}]));
    }

    #[test]
    fn an_unchanged_object_is_answered_without_a_patch() {
        let answer = answer(|_, request| {
            let mutated = Mutated { object: request.object, stored: request.object, policies: Vec::new() };
            Decision { mutated: Some(mutated), ..Decision::default() }
        });
        assert_eq!(answer["response"], json!({"uid": "u-1", "allowed": true}));
    }

    #[test]
    fn warnings_and_annotations_are_passed_on() {
        let answer = answer(|_, _| Decision {
            warnings: vec!["careful\nnow".to_owned()],
            audit_annotations: vec![("p/k".to_owned(), "v".to_owned())],
            ..Decision::default()
        });
        assert_eq!(answer["response"]["warnings"], json!(["careful now"]));
        assert_eq!(answer["response"]["auditAnnotations"], json!({"p.k": "v"}));
    }
}
