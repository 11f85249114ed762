//! Policies about pods, as policies about the workloads that create them.
//!
//! What is moved is what the engine's effective pod takes from the template; what that has besides is known (its kind,
//! its resource, who creates it) or isn't, and then the policy is left to pods.

use std::collections::BTreeSet;

use crate::cel::rewrite::{Reference, Replacement, Rewrite};
use crate::json::Value;

use super::Note;
use super::draft::{Draft, DraftRules, Place};
use super::rules::{self, Judged};
use super::shape::{Shape, shapes};
use super::text;
use super::usage::deciding;

/// The policy's sisters, one for each shape of workload; none if it isn't about the creation of pods, or, with a note,
/// if it can't be said of workloads.
pub fn extended(draft: &Draft, minor: u32, notes: &mut Vec<Note>) -> Vec<Draft> {
    let mut note = |about: &str, why: &str| {
        let note = Note { about: about.to_owned(), text: format!("it judges pods alone: {why}") };
        // What keeps one shape from being judged keeps the others, mostly.
        if !notes.contains(&note) {
            notes.push(note);
        }
    };
    let judged = match rules::judged(&draft.constraints) {
        Ok(Some(judged)) => judged,
        Ok(None) => return Vec::new(),
        Err(why) => {
            note(&draft.name, &why);
            return Vec::new();
        }
    };
    let deciding = match deciding(draft, minor) {
        Ok(deciding) => deciding,
        Err(why) => {
            note(&draft.name, &why);
            return Vec::new();
        }
    };
    let mut extended = Vec::new();
    for shape in shapes() {
        let mover = Mover { shape: &shape, judged, deciding: &deciding, minor };
        let mut moved = match mover.moved(draft) {
            Ok(moved) => moved,
            Err(why) => {
                note(&draft.name, &why);
                continue;
            }
        };
        for binding in &draft.bindings {
            match rules::binding(binding, judged, &shape) {
                Ok(binding) => moved.bindings.extend(binding),
                Err(why) => note(&binding.name, &why),
            }
        }
        extended.push(moved);
    }
    extended
}

struct Mover<'m> {
    shape: &'m Shape,
    judged: Judged,
    deciding: &'m BTreeSet<String>,
    minor: u32,
}

impl Mover<'_> {
    fn moved(&self, draft: &Draft) -> Result<Draft, String> {
        let mut moved = Draft { bindings: Vec::new(), ..draft.clone() };
        moved.rewrite(self.minor, |place| {
            let says = match place {
                Place::Message | Place::AuditAnnotation => true,
                Place::Variable(name) => !self.deciding.contains(name),
                Place::Condition(_) | Place::Validation | Place::Mutation => false,
            };
            PodFields::new(self.shape, self.judged, says)
        })?;
        if let DraftRules::Validate { validations, .. } = &mut moved.rules {
            for message in validations.iter_mut().filter_map(|validation| validation.message.as_mut()) {
                *message = text::message(message, self.shape.template);
            }
        }
        moved.conditions.splice(0..0, rules::conditions(draft, self.judged, self.shape));
        moved.constraints = rules::constraints(&draft.constraints, self.shape);
        moved.name = format!("{}-{}", draft.name, self.shape.suffix);
        moved.extends = Some(draft.name.clone());
        Ok(moved)
    }
}

/// Moves what an expression reads of a pod to the pod's template.
struct PodFields<'s> {
    shape: &'s Shape,
    judged: Judged,
    says: bool,
    spec: Vec<&'static str>,
    metadata: Vec<&'static str>,
    creator: String,
}

impl<'s> PodFields<'s> {
    fn new(shape: &'s Shape, judged: Judged, says: bool) -> Self {
        let below = |field| shape.template.iter().copied().chain([field]).collect();
        Self { shape, judged, says, spec: below("spec"), metadata: below("metadata"), creator: creator(shape) }
    }

    fn pod(&self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        let text = |text| Ok(Replacement::Value(Value::String(text)));
        match reference.fields.as_slice() {
            // Whether there is an old one is the same for both.
            [] if reference.test => Ok(Replacement::Same),
            [] => Err(format!("{reference} as a whole is another object for a workload")),
            ["spec", ..] => Ok(Replacement::Fields(1, &self.spec)),
            ["metadata", "labels" | "annotations" | "finalizers", ..] => Ok(Replacement::Fields(1, &self.metadata)),
            ["metadata", "namespace"] => Ok(Replacement::Same),
            [
                "metadata",
                "uid"
                | "resourceVersion"
                | "generation"
                | "creationTimestamp"
                | "deletionTimestamp"
                | "deletionGracePeriodSeconds"
                | "managedFields"
                | "selfLink",
                ..,
            ] => Ok(Replacement::Absent(2)),
            ["kind"] => text("Pod"),
            ["apiVersion"] => text("v1"),
            _ => Err(format!("{reference} is known only when the pod is made")),
        }
    }

    fn request(&self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        let text = |text| Ok(Replacement::Value(Value::String(text)));
        match reference.fields.as_slice() {
            ["operation"] if self.judged.updates => Ok(Replacement::Same),
            ["operation"] => text("CREATE"),
            ["namespace"] | ["dryRun"] => Ok(Replacement::Same),
            ["kind" | "requestKind" | "resource" | "requestResource", "group"] => text(""),
            ["kind" | "requestKind" | "resource" | "requestResource", "version"] => text("v1"),
            ["kind" | "requestKind", "kind"] => text("Pod"),
            ["resource" | "requestResource", "resource"] => text("pods"),
            ["subResource" | "requestSubResource"] => Ok(Replacement::Absent(1)),
            ["userInfo", ..] if self.creator.is_empty() => Ok(Replacement::Same),
            ["userInfo", "username"] => Ok(Replacement::Source(&self.creator)),
            ["userInfo", "groups"] => Ok(Replacement::Value(Value::Array(&GROUPS))),
            ["userInfo", "uid" | "extra", ..] => Ok(Replacement::Absent(2)),
            _ => Err(format!("{reference} is known only when the pod is made")),
        }
    }
}

/// The groups of every controller's service account.
const GROUPS: [Value<'static>; 3] = [
    Value::String("system:serviceaccounts"),
    Value::String("system:serviceaccounts:kube-system"),
    Value::String("system:authenticated"),
];

/// The user that creates the pods of a shape's workloads, as an expression; empty where whoever asks does.
fn creator(shape: &Shape) -> String {
    let user = |controller: &str| format!("\"system:serviceaccount:kube-system:{controller}\"");
    match shape.workloads.as_slice() {
        [only] if only.controller.is_empty() => String::new(),
        [only] => user(only.controller),
        several => {
            let users: Vec<_> = several.iter().map(|of| format!("\"{}\": {}", of.kind, user(of.controller))).collect();
            format!("{{{}}}[request.kind.kind]", users.join(", "))
        }
    }
}

impl Rewrite for PodFields<'_> {
    fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        match reference.root {
            "object" => self.pod(reference),
            "oldObject" if self.judged.updates => self.pod(reference),
            "oldObject" if reference.test && reference.fields.is_empty() => Ok(Replacement::Absent(0)),
            "oldObject" => {
                Err("oldObject is there when a workload is updated, and not when its pod is made".to_owned())
            }
            "request" => self.request(reference),
            "authorizer" | "authorizer.requestResource" => {
                Err("authorizer asks about who writes the workload, and its pods are made by a controller".to_owned())
            }
            _ => Ok(Replacement::Same),
        }
    }

    fn text(&mut self, text: &str) -> Option<String> {
        text::part(text, self.shape.template).filter(|_| self.says)
    }
}
