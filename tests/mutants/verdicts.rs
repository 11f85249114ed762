//! What a policy says of generated pods.

use portcullis::admission::acceptable::{incomplete, undecodable};
use portcullis::admission::offline::{Attributes, KnownNamespaces, request};
use portcullis::engine::{Context, Operation, PolicySet, Request};
use portcullis::json::{Arena, Object, Value as Document, to_json};
use portcullis::policy::{Exemptions, Manifest, load};
use serde_json::Value;

use crate::findings::read;
use crate::levels;
use crate::pods::case;
use crate::random::Random;

/// A request about a pod or a workload, read once and asked about often.
pub struct Asked<'a> {
    /// `None` for what the API server would refuse before it asks a policy.
    request: Option<Request<'a>>,
    text: String,
}

impl<'a> Asked<'a> {
    /// The request of a number: every other pod is of those that the standards are about, the others of those that
    /// mutating policies look at. Some come as updates of themselves, with or without another one before.
    pub fn new(arena: &'a Arena, seed: u64, number: u64) -> Self {
        let mut random = Random::of_stream(seed.wrapping_add(2), number);
        let (object, mut old_object, resource, subresource, mut operation) = if number.is_multiple_of(2) {
            levels::asked(&case(seed, number))
        } else {
            (crate::menus::pod(&mut random), Value::Null, "pods", "", Operation::Create)
        };
        if operation == Operation::Create && resource == "pods" && random.chance(20) {
            old_object = if random.chance(30) { object.clone() } else { crate::menus::pod(&mut random) };
            operation = Operation::Update;
        }
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or("media");
        let attributes = Attributes {
            resource,
            subresource,
            namespace: arena.alloc_str(namespace),
            operation,
            user_info: Document::Null,
            dry_run: false,
            defaulting: true,
        };
        let (read, read_old) = (read(arena, &object), read(arena, &old_object));
        let is_refused =
            |object: Document<'_>| !object.is_null() && undecodable(object).or(incomplete(object)).is_some();
        let is_asked = ![read, read_old].into_iter().any(is_refused);
        let before = if old_object.is_null() { String::new() } else { format!("\n  before: {old_object}") };
        Self {
            request: is_asked.then(|| request(arena, read, read_old, attributes)),
            text: format!("{operation:?} {resource}/{subresource} {object}{before}"),
        }
    }

    /// The request as text.
    pub fn description(&self) -> &str {
        &self.text
    }
}

/// Whether a text is still a policy.
pub fn is_policy(text: &str) -> bool {
    load(&[Manifest::new("changed", text)], 36).errors.is_empty()
}

/// What a policy says of every request.
pub struct Verdicts(Vec<String>);

impl Verdicts {
    /// Of a policy as it is written.
    pub fn of(text: &str, asked: &[Asked<'_>]) -> Self {
        let policies = policies(text);
        Self(asked.iter().map(|asked| verdict(&policies, asked)).collect())
    }

    /// The first request of which a changed policy says something else.
    pub fn first_difference(&self, text: &str, asked: &[Asked<'_>]) -> Option<usize> {
        let policies = policies(text);
        asked.iter().zip(&self.0).position(|(asked, before)| verdict(&policies, asked) != *before)
    }
}

fn policies(text: &str) -> PolicySet {
    let loaded = load(&[Manifest::new("changed", text)], 36);
    PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
}

/// What each binding makes of the request, and the object afterwards; messages don't count.
fn verdict(policies: &PolicySet, asked: &Asked<'_>) -> String {
    let Some(request) = &asked.request else { return String::new() };
    let arena = Arena::new();
    // The namespace asks for all that bindings leave to namespaces.
    let labels = [("portcullis.dev/require-digest", Document::String("true"))];
    let metadata = [("labels", Document::Object(Object::new(&arena, &labels)))];
    let namespace = [("metadata", Document::Object(Object::new(&arena, &metadata)))];
    let mut namespaces = KnownNamespaces::default();
    namespaces.insert(request.namespace, Document::Object(Object::new(&arena, &namespace)));
    let decision = policies.review(request, &Context { namespaces: &namespaces, ..Context::new(&arena) });
    let found = decision.findings.iter();
    let mut text: String =
        found.map(|found| format!("{} {:?} {:?};", found.binding, found.evaluation, found.verdict)).collect();
    text.extend(decision.mutated.map(|mutated| to_json(mutated.object)));
    text
}
