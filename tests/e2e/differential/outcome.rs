//! What became of a request, in a form that native policies, the webhook and the engine have in common.

use std::collections::BTreeMap;

use hyper::Method;
use portcullis::engine::Decision;
use portcullis::json::to_json;
use serde_json::{Value, json};

use super::super::cluster::Answer;
use super::suite::Ask;

/// The name that the webhook's audit annotations and messages begin with.
pub const WEBHOOK: &str = "validate.portcullis.dev";

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// What policies said, if they denied it.
    pub denied: Option<Denied>,
    /// Code and text of another failure: one of the API server's own.
    pub failed: Option<String>,
    /// Warnings of policies, sorted.
    pub warnings: Vec<String>,
    /// Audit annotations of policies.
    pub annotations: BTreeMap<String, String>,
    /// The object that the API server would store, without what it sets itself.
    pub object: Value,
}

/// A denial.
#[derive(Clone, Debug, PartialEq)]
pub struct Denied {
    pub message: String,
    pub reason: String,
    pub code: u64,
    /// Every denial, sorted.
    pub causes: Vec<String>,
}

impl Outcome {
    /// What the API server answered.
    pub fn of_answer(answer: &Answer, audited: BTreeMap<String, String>) -> Self {
        let mut outcome = Self { warnings: sorted(answer.warnings()), annotations: audited, ..Self::default() };
        if answer.status.is_success() {
            outcome.object = stored(answer.body.clone());
            return outcome;
        }
        let status = &answer.body;
        let text = status["message"].as_str().unwrap_or_default();
        match policy_message(text) {
            None => outcome.failed = Some(format!("{}: {}", answer.status, own_words(text))),
            Some(message) => {
                let causes = status["details"]["causes"].as_array().map(Vec::as_slice).unwrap_or_default();
                outcome.denied = Some(Denied {
                    message: message.to_owned(),
                    reason: status["reason"].as_str().unwrap_or_default().to_owned(),
                    code: status["code"].as_u64().unwrap_or_default(),
                    causes: sorted(causes.iter().filter_map(|c| Some(c["message"].as_str()?.to_owned())).collect()),
                });
            }
        }
        outcome
    }

    /// What the engine decided; `object` is the one that it was asked about.
    pub fn of_decision(decision: &Decision<'_>, object: Value) -> Self {
        let denied = decision.denied.as_ref().map(|denial| Denied {
            message: denial.message.clone(),
            reason: denial.reason.to_owned(),
            code: u64::from(denial.code),
            causes: sorted(denial.causes.clone()),
        });
        let failed = denied.as_ref().filter(|denied| denied.reason == INTERNAL).map(internal);
        let denied = denied.filter(|_| failed.is_none());
        let mutated = decision
            .mutated
            .as_ref()
            .map(|mutated| serde_json::from_str(&to_json(mutated.object)).expect("the engine's JSON"));
        Self {
            object: if denied.is_none() && failed.is_none() { stored(mutated.unwrap_or(object)) } else { Value::Null },
            denied,
            failed,
            warnings: sorted(decision.warnings.clone()),
            annotations: decision.audit_annotations.iter().cloned().collect(),
        }
    }

    /// Without what the engine can't know: the API server's own warnings and failures, fields that it sets or leaves
    /// out when it decodes and stores an object.
    pub fn judged(&self, ask: &Ask) -> Self {
        let mut outcome = self.clone();
        outcome.warnings.retain(|warning| warning.starts_with("Validation failed for "));
        // A deletion is answered with the old object, subresources with part of one or none.
        let has_object = ask.method != Method::DELETE && !ask.is_of_subresource() && self.failed.is_none();
        outcome.object = if has_object { without_empty(outcome.object) } else { Value::Null };
        // What became of the object after admission is not the engine's business; what kept it from being decoded is.
        outcome.failed = outcome.failed.filter(|text| text.contains("strict decoding error"));
        let set: &[&str] = match outcome.object["kind"].as_str() {
            Some("Service") => &["clusterIPs", "ipFamilies", "ipFamilyPolicy"],
            Some("Namespace") => &["finalizers"],
            _ => &[],
        };
        if outcome.object["kind"] == "Secret" {
            // Merged into the data when it is stored.
            outcome.object.as_object_mut().map(|fields| fields.remove("stringData"));
        }
        for field in set {
            outcome.object.get_mut("spec").and_then(Value::as_object_mut).map(|spec| spec.remove(*field));
        }
        outcome.object = without_empty(outcome.object);
        outcome
    }
}

const INTERNAL: &str = "InternalError";

/// An internal error as the API server's answer shows it.
fn internal(denied: &Denied) -> String {
    format!("{} Internal Server Error: {}", denied.code, denied.message)
}

/// A message without the API server's words around a webhook's.
fn own_words(text: &str) -> &str {
    let webhook = text.strip_prefix("admission webhook \"");
    webhook.and_then(|rest| Some(rest.split_once("\" denied the request: ")?.1)).unwrap_or(text)
}

/// What policies said, without the words around it.
fn policy_message(text: &str) -> Option<&str> {
    let text = own_words(text);
    let start = text.find("ValidatingAdmissionPolicy '").or_else(|| {
        let is_mutating = text.starts_with("policy '") || text.starts_with("policy \"");
        is_mutating.then_some(0)
    })?;
    text.get(start..)
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// An object without what the API server sets anew with each answer.
fn stored(mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in ["uid", "creationTimestamp", "deletionTimestamp", "managedFields", "resourceVersion", "generation"]
        {
            metadata.remove(field);
        }
        if metadata.contains_key("generateName") {
            metadata.remove("name");
        }
    }
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    object
}

/// The value without nulls and without empty lists and objects, at any depth.
fn without_empty(value: Value) -> Value {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(list) => list.into_iter().map(without_empty).collect(),
        Value::Object(object) => {
            let members = object.into_iter().map(|(key, value)| (key, without_empty(value)));
            json!(members.filter(|(_, value)| !is_empty(value)).collect::<serde_json::Map<_, _>>())
        }
        scalar => scalar,
    }
}
