//! What a policy says of generated pods.

use portcullis::admission::acceptable::{incomplete, undecodable};
use portcullis::admission::offline::{Attributes, KnownNamespaces, request};
use portcullis::engine::{Context, Operation, PolicySet};
use portcullis::json::{Arena, Object, Value as Document, to_json};
use portcullis::policy::{Exemptions, Manifest, load};
use serde_json::{Value, json};

use crate::findings::read;
use crate::levels;
use crate::pods::case;
use crate::random::Random;

/// A request about a pod or a workload.
pub struct Asked {
    object: Value,
    old_object: Value,
    resource: &'static str,
    subresource: &'static str,
    operation: Operation,
}

impl Asked {
    /// The request of a number: every other pod is of those that the standards are about, the others of those that
    /// mutating policies look at. Some come as updates of themselves, with or without another one before.
    pub fn new(seed: u64, number: u64) -> Self {
        let mut random = Random::of_stream(seed.wrapping_add(2), number);
        let made = if number.is_multiple_of(2) {
            let (object, old_object, resource, subresource, operation) = levels::asked(&case(seed, number));
            Self { object, old_object, resource, subresource, operation }
        } else {
            Self {
                object: crate::menus::pod(&mut random),
                old_object: Value::Null,
                resource: "pods",
                subresource: "",
                operation: Operation::Create,
            }
        };
        if made.operation != Operation::Create || made.resource != "pods" || !random.chance(20) {
            return made;
        }
        let old_object = if random.chance(30) { made.object.clone() } else { crate::menus::pod(&mut random) };
        Self { old_object, operation: Operation::Update, ..made }
    }

    /// The request as text.
    pub fn description(&self) -> String {
        let old = if self.old_object.is_null() { String::new() } else { format!("\n  before: {}", self.old_object) };
        format!("{:?} {}/{} {}{old}", self.operation, self.resource, self.subresource, self.object)
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
    pub fn of(text: &str, asked: &[Asked]) -> Self {
        let policies = policies(text);
        Self(asked.iter().map(|asked| verdict(&policies, asked)).collect())
    }

    /// The first request of which a changed policy says something else.
    pub fn first_difference(&self, text: &str, asked: &[Asked]) -> Option<usize> {
        let policies = policies(text);
        asked.iter().zip(&self.0).position(|(asked, before)| verdict(&policies, asked) != *before)
    }
}

fn policies(text: &str) -> PolicySet {
    let loaded = load(&[Manifest::new("changed", text)], 36);
    PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
}

/// What each binding makes of the request, and the object afterwards; messages don't count.
fn verdict(policies: &PolicySet, asked: &Asked) -> String {
    let arena = Arena::new();
    let (object, old_object) = (read(&arena, &asked.object), read(&arena, &asked.old_object));
    if [object, old_object]
        .into_iter()
        .filter(|object| !object.is_null())
        .any(|object| undecodable(object).or_else(|| incomplete(object)).is_some())
    {
        return String::new();
    }
    let attributes = Attributes {
        resource: asked.resource,
        subresource: asked.subresource,
        namespace: asked.object["metadata"]["namespace"].as_str().unwrap_or("media"),
        operation: asked.operation,
        user_info: Document::Null,
        dry_run: false,
        defaulting: true,
    };
    let mut namespaces = KnownNamespaces::default();
    namespaces.insert(attributes.namespace, labelled(&arena));
    let request = request(&arena, object, old_object, attributes);
    let decision = policies.review(&request, &Context { namespaces: &namespaces, ..Context::new(&arena) });
    let findings = decision.findings.iter();
    let mut text: String = findings
        .map(|finding| format!("{} {:?} {:?};", finding.binding, finding.evaluation, finding.verdict))
        .collect();
    text.extend(decision.mutated.map(|mutated| to_json(mutated.object)));
    text
}

/// The namespace, which asks for all that bindings leave to namespaces.
fn labelled<'a>(arena: &'a Arena) -> Document<'a> {
    let labels = json!({"portcullis.dev/require-digest": "true"});
    match read(arena, &json!({"metadata": {"labels": labels}})) {
        Document::Object(object) => Document::Object(object),
        _ => Document::Object(Object::default()),
    }
}
