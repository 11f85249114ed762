//! The shipped mutating policies with the params of different clusters, each alone and all together.

use std::collections::BTreeMap;
use std::path::Path;

use portcullis::admission::offline::{self, Attributes};
use portcullis::defaulting::default;
use portcullis::engine::{Context, Evaluation, GroupVersionKind, Operation, Phase, PolicySet};
use portcullis::json::{Arena, Limits, Value as Document, parse, to_json, yaml};
use portcullis::policy::{Embedded, Exemptions, Manifest, Params, embedded, load};
use serde_json::Value;

/// The policies that change pods.
pub const MUTATING: [&str; 5] =
    ["gpu-device-access", "images-locked", "resource-defaults", "security-context-defaults", "service-account-token"];

const PODS: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };

/// The policies, each alone and all together, with the params that they are shipped with.
pub struct Policies {
    alone: Vec<PolicySet>,
    together: PolicySet,
}

/// The params of one cluster.
pub struct Profile {
    /// The file that they are read from, in this package; none, for those that are shipped.
    pub file: Option<&'static str>,
    params: Params,
    data: BTreeMap<String, Value>,
}

/// The clusters whose params are tried.
pub fn profiles() -> Vec<Profile> {
    [
        None,
        Some("policies/params/k8s-nas.yaml"),
        Some("tests/mutations/params/restricted.yaml"),
        Some("tests/mutations/params/intel.yaml"),
        Some("tests/mutations/params/dra.yaml"),
        Some("tests/mutations/params/generic.yaml"),
        Some("tests/mutations/params/empty.yaml"),
    ]
    .map(Profile::read)
    .into()
}

fn shipped() -> Vec<Manifest> {
    embedded().iter().filter(|policy| MUTATING.contains(&policy.name)).map(Embedded::manifest).collect()
}

impl Policies {
    /// Compiles them.
    pub fn load() -> Self {
        let set = |is_wanted: &dyn Fn(&str) -> bool| {
            let loaded = load(&shipped(), 36);
            assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
            let policies: Vec<_> = loaded.policies.into_iter().filter(|policy| is_wanted(&policy.name)).collect();
            assert!(!policies.is_empty());
            PolicySet::new(policies, loaded.params, Exemptions::default())
        };
        let alone = MUTATING.iter().map(|only| set(&|name| name == *only)).collect();
        Self { alone, together: set(&|_| true) }
    }

    /// The pod after one of the policies, by its place among them.
    ///
    /// # Errors
    /// What it stumbled over.
    pub fn one(&self, policy: usize, profile: &Profile, pod: &Value) -> Result<Value, String> {
        mutated(&self.alone[policy], profile, pod)
    }

    /// The pod after all of them, as admission would store it.
    ///
    /// # Errors
    /// What a policy stumbled over.
    pub fn all(&self, profile: &Profile, pod: &Value) -> Result<Value, String> {
        mutated(&self.together, profile, pod)
    }
}

impl Profile {
    fn read(file: Option<&'static str>) -> Self {
        let path = |file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = file.map(|file| std::fs::read_to_string(path(file)).unwrap()).unwrap_or_default();
        let own = Manifest { file: file.unwrap_or_default().into(), text: text.clone().into() };
        let loaded = load(&[shipped(), vec![own]].concat(), 36);
        assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
        Self { file, params: loaded.params, data: data(&text) }
    }

    /// What the params of a policy say; empty where they don't.
    pub fn param(&self, policy: &str, key: &str) -> &str {
        self.data.get(policy).and_then(|data| data[key].as_str()).unwrap_or_default()
    }
}

/// The data of the params, by name; of two of a name the later one's.
fn data(own: &str) -> BTreeMap<String, Value> {
    let (arena, shipped) = (Arena::new(), shipped());
    let texts = shipped.iter().map(|manifest| manifest.text.as_ref()).chain([own]);
    let documents = texts.flat_map(|text| yaml::documents(&arena, text)).map(|document| document.unwrap().value);
    let objects = documents.map(|document| serde_json::from_str::<Value>(&to_json(document)).unwrap());
    let maps = objects.filter(|object| object["kind"] == "ConfigMap");
    maps.map(|map| (map["metadata"]["name"].as_str().unwrap().to_owned(), map["data"].clone())).collect()
}

/// The pod with the API server's defaults, as it reaches admission.
pub fn completed(pod: &Value) -> Value {
    let (text, arena) = (pod.to_string(), Arena::new());
    let object = parse(&arena, text.as_bytes(), &Limits::default()).unwrap();
    written(default(&arena, PODS, object))
}

fn mutated(policies: &PolicySet, profile: &Profile, pod: &Value) -> Result<Value, String> {
    let (text, arena) = (pod.to_string(), Arena::new());
    let object = parse(&arena, text.as_bytes(), &Limits::default()).unwrap();
    let attributes = Attributes {
        resource: "pods",
        subresource: "",
        namespace: pod["metadata"]["namespace"].as_str().unwrap_or_default(),
        operation: Operation::Create,
        user_info: Document::Null,
        dry_run: false,
        // The pod has them.
        defaulting: false,
    };
    let request = offline::request(&arena, object, Document::Null, attributes);
    let context = Context { phase: Phase::Mutate, params: Some(&profile.params), ..Context::new(&arena) };
    let decision = policies.review(&request, &context);
    if let Some(error) = decision.findings.iter().find(|finding| finding.evaluation == Evaluation::Error) {
        return Err(format!("{}: {}", error.policy, error.message));
    }
    Ok(decision.mutated.map_or_else(|| pod.clone(), |mutated| written(mutated.stored)))
}

fn written(object: Document<'_>) -> Value {
    serde_json::from_str(&to_json(object)).unwrap()
}
