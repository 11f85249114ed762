//! What policies with params of ours find, by binding, and how that is unlike what is expected.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis::admission::offline::{Attributes, KnownNamespaces, request};
use portcullis::engine::{Context, Evaluation, Operation, PolicySet};
use portcullis::json::{Arena, Limits, Value as Ours, parse};
use portcullis::manifests::read_manifests;
use portcullis::policy::{Exemptions, Manifest, load};
use serde_json::{Value, json};

/// The policies of a directory of the repository, with these data in the params of a name.
pub fn policies(directory: &str, params: &[(&str, Value)]) -> PolicySet {
    let mut manifests = read_manifests(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).expect("policies");
    for (name, data) in params {
        let metadata = json!({"name": name, "namespace": "portcullis-system"});
        let params = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data});
        manifests.push(Manifest::new(*name, params.to_string()));
    }
    let loaded = load(&manifests, 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
}

/// A value as ours.
pub fn read<'a>(arena: &'a Arena, value: &Value) -> Ours<'a> {
    parse(arena, arena.alloc_str(&value.to_string()).as_bytes(), &Limits::default()).expect("JSON")
}

/// Policies and the namespace that they are asked in.
pub struct Judge {
    policies: PolicySet,
    namespaces: KnownNamespaces,
}

impl Judge {
    /// [`policies`], in a namespace that asks for digests.
    pub fn new(directory: &str, params: &[(&str, Value)]) -> Self {
        let mut namespaces = KnownNamespaces::default();
        let labels = json!({"metadata": {"labels": {"portcullis.dev/require-digest": "true"}}});
        namespaces.insert("media", read(&Arena::new(), &labels));
        Self { policies: policies(directory, params), namespaces }
    }

    /// What is found in a new pod.
    pub fn findings(&self, pod: &Value) -> Findings {
        let arena = Arena::new();
        let attributes = Attributes {
            resource: "pods",
            subresource: "",
            namespace: "media",
            operation: Operation::Create,
            user_info: Ours::Null,
            dry_run: false,
            defaulting: true,
        };
        let request = request(&arena, read(&arena, pod), Ours::Null, attributes);
        let decision =
            self.policies.review(&request, &Context { namespaces: &self.namespaces, ..Context::new(&arena) });
        let mut messages = BTreeMap::new();
        for finding in decision.findings {
            let message = (finding.evaluation != Evaluation::Admit).then_some(finding.message);
            messages.insert(finding.binding.to_owned(), message);
        }
        Findings { messages }
    }
}

/// The message of each binding, if it objects.
pub struct Findings {
    messages: BTreeMap<String, Option<String>>,
}

impl Findings {
    /// What of these bindings is not as expected: no objection, or a message with these words.
    pub fn unlike(&self, expected: &[(&str, Option<String>)]) -> Vec<String> {
        let mut unlike = Vec::new();
        for (binding, expected) in expected {
            match (self.messages.get(*binding), expected) {
                (None, _) => unlike.push(format!("{binding} was not asked")),
                (Some(None), Some(expected)) => unlike.push(format!("{binding} allows it, not: {expected}")),
                (Some(Some(message)), None) => unlike.push(format!("{binding} should allow it: {message}")),
                (Some(Some(message)), Some(expected)) if !message.contains(expected.as_str()) => {
                    unlike.push(format!("{binding} says not {expected:?} but {message:?}"));
                }
                _ => {}
            }
        }
        unlike
    }
}

/// The differences of one comparison.
pub struct Report {
    what: &'static str,
    show: usize,
    compared: u64,
    different: u64,
}

impl Report {
    pub fn new(what: &'static str, show: usize) -> Self {
        Self { what, show, compared: 0, different: 0 }
    }

    /// Takes note of a case, and shows it while few have been different.
    pub fn add(&mut self, case: &str, theirs: &Value, differences: &[String]) {
        self.compared += 1;
        if differences.is_empty() {
            return;
        }
        self.different += 1;
        if self.different <= 3 * self.show as u64 {
            println!("{case:?}, upstream {theirs}");
            differences.iter().for_each(|difference| println!("  {difference}"));
        }
    }

    /// Whether nothing is different.
    pub fn finish(self) -> bool {
        println!("{} {} compared, {} different", self.compared, self.what, self.different);
        self.different == 0 && self.compared > 0
    }
}
