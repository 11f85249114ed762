//! Offline defaulting against the API server: manifests generated from menus are sent as a dry run, and what comes
//! back has to be what our defaulting makes of them, but for what only a server can know.

use std::collections::BTreeMap;

use hyper::{Method, StatusCode};
use portcullis::admission::resources::{Resources, split_api_version};
use portcullis::defaulting::default;
use portcullis::engine::GroupVersionKind;
use portcullis::json::{Arena, Limits, parse, to_json, yaml};
use serde_json::{Map, Value, json};

use super::cluster::CLUSTER;

/// Where manifests come from.
const MENUS: &str = include_str!("defaulting.yaml");

/// How many manifests are made from the menu of a Pod, of each kind that makes pods, and of each other kind.
const PODS: u64 = 300;
const WORKLOADS: u64 = 80;
const OTHERS: u64 = 40;

/// What the API server sets beside defaults, when an object passes its admission plugins and is stored: kind, field,
/// and who does it. `[]` stands for each element of a list; `*` for every kind.
const SERVER_SET: &[(&str, &str, &str)] = &[
    ("*", "metadata.creationTimestamp", "storage"),
    ("*", "metadata.generation", "storage"),
    ("*", "metadata.managedFields", "field management"),
    ("*", "metadata.resourceVersion", "storage"),
    ("*", "metadata.uid", "storage"),
    ("*", "status", "the kind's strategy resets it"),
    ("DaemonSet", "metadata.annotations.deprecated~daemonset~template~generation", "conversion of its generation"),
    ("Job", "metadata.labels.batch~kubernetes~io/controller-uid", "the kind's strategy, through the shared map"),
    ("Job", "metadata.labels.batch~kubernetes~io/job-name", "the kind's strategy, through the shared map"),
    ("Job", "metadata.labels.controller-uid", "the kind's strategy, through the shared map"),
    ("Job", "metadata.labels.job-name", "the kind's strategy, through the shared map"),
    ("Job", "spec.selector", "the kind's strategy generates it"),
    ("Job", "spec.template.metadata.labels.batch~kubernetes~io/controller-uid", "the kind's strategy"),
    ("Job", "spec.template.metadata.labels.batch~kubernetes~io/job-name", "the kind's strategy"),
    ("Job", "spec.template.metadata.labels.controller-uid", "the kind's strategy"),
    ("Job", "spec.template.metadata.labels.job-name", "the kind's strategy"),
    ("Namespace", "spec.finalizers", "the kind's strategy"),
    ("PersistentVolume", "metadata.finalizers", "admission plugin StorageObjectInUseProtection"),
    ("PersistentVolumeClaim", "metadata.finalizers", "admission plugin StorageObjectInUseProtection"),
    ("Pod", "spec.preemptionPolicy", "admission plugin Priority"),
    ("Pod", "spec.priority", "admission plugin Priority"),
    ("Pod", "spec.tolerations", "admission plugin DefaultTolerationSeconds"),
    ("Service", "spec.clusterIP", "allocated"),
    ("Service", "spec.clusterIPs", "allocated"),
    ("Service", "spec.healthCheckNodePort", "allocated"),
    ("Service", "spec.ipFamilies", "allocated"),
    ("Service", "spec.ipFamilyPolicy", "allocated"),
    ("Service", "spec.ports[].nodePort", "allocated"),
];

#[test]
fn objects_have_the_defaults_that_the_api_server_sets() {
    let menus = menus();
    let mut differences = Vec::new();
    let mut accepted = 0;
    for (number, menu) in menus.iter().enumerate() {
        let mut generator = Generator { state: 0x5eed + number as u64, choices: BTreeMap::new() };
        let count = match menu {
            menu if menu["kind"] == "Pod" => PODS,
            menu if menu.to_string().contains("containers") => WORKLOADS,
            _ => OTHERS,
        };
        let name = format!("{} {}", menu["kind"], menu["metadata"]["name"]);
        let mut refused = Vec::new();
        for _ in 0..count {
            let manifest = generator.manifest(menu);
            match stored(&manifest) {
                Ok(stored) => {
                    accepted += 1;
                    compare(&name, &manifest, stored, &mut differences);
                }
                Err(message) => refused.push(message),
            }
        }
        // Some choices don't go together; a menu that hardly ever gets past validation shows nothing.
        assert!(refused.len() as u64 * 2 < count, "{name}: {} of {count} refused: {refused:#?}", refused.len());
        generator.assert_chose_everything(&name);
    }
    println!("{accepted} manifests compared");
    differences.sort();
    differences.dedup_by(|a, b| a.split('\n').next() == b.split('\n').next());
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

/// The menus, with the pod's spec where they ask for it.
fn menus() -> Vec<Value> {
    let arena = Arena::new();
    let documents = yaml::documents(&arena, MENUS).into_iter().map(|document| document.unwrap().value);
    let mut menus: Vec<Value> = documents.map(|menu| serde_json::from_str(&to_json(menu)).unwrap()).collect();
    let pod = menus[0]["spec"].clone();
    for menu in &mut menus {
        let mut spec = pod.clone();
        if matches!(menu["kind"].as_str(), Some("Job" | "CronJob")) {
            spec["restartPolicy"] = json!("Never");
        }
        if menu["kind"] != "Pod" {
            // A field of pods alone.
            spec.as_object_mut().unwrap().remove("activeDeadlineSeconds");
        }
        fill_in(menu, &spec);
    }
    menus
}

fn fill_in(value: &mut Value, pod: &Value) {
    match value {
        Value::String(text) if text == "$pod" => *value = pod.clone(),
        Value::Array(elements) => elements.iter_mut().for_each(|element| fill_in(element, pod)),
        Value::Object(members) => members.values_mut().for_each(|member| fill_in(member, pod)),
        _ => {}
    }
}

/// Makes manifests from menus; the same ones every time.
struct Generator {
    state: u64,
    /// For each place with a choice, how often each was taken.
    choices: BTreeMap<String, Vec<u32>>,
}

impl Generator {
    fn manifest(&mut self, menu: &Value) -> Value {
        self.value(menu, "").expect("a manifest")
    }

    fn value(&mut self, menu: &Value, path: &str) -> Option<Value> {
        match menu {
            Value::Object(members) if members.len() == 1 && members.contains_key("maybe") => {
                let taken = self.choose(path, 2) == 1;
                if taken { self.value(&members["maybe"], path) } else { None }
            }
            Value::Object(members) if members.len() == 1 && members.contains_key("one") => {
                let alternatives = members["one"].as_array().unwrap();
                let choice = self.choose(&format!("{path}="), alternatives.len());
                self.value(&alternatives[choice], path)
            }
            Value::Object(members) => {
                let members = members.iter();
                let members =
                    members.filter_map(|(key, menu)| Some((key.clone(), self.value(menu, &format!("{path}.{key}"))?)));
                Some(Value::Object(members.collect::<Map<_, _>>()))
            }
            Value::Array(elements) => {
                let elements = elements.iter().enumerate();
                let elements = elements.filter_map(|(index, menu)| self.value(menu, &format!("{path}[{index}]")));
                Some(Value::Array(elements.collect()))
            }
            scalar => Some(scalar.clone()),
        }
    }

    /// One of the choices that were taken least often, so that those deep in a menu have their turn too.
    fn choose(&mut self, place: &str, among: usize) -> usize {
        // Vigna's splitmix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let taken = self.choices.entry(place.to_owned()).or_insert_with(|| vec![0; among]);
        let least = taken.iter().min().copied();
        let open: Vec<usize> = (0..among).filter(|choice| taken.get(*choice).copied() == least).collect();
        let choice = open[(mixed % open.len() as u64) as usize];
        taken[choice] += 1;
        choice
    }

    /// Every field of the menu was there at least once, and wasn't at least once.
    fn assert_chose_everything(&self, name: &str) {
        let missed: Vec<_> = self.choices.iter().filter(|(_, taken)| taken.contains(&0)).collect();
        assert!(missed.is_empty(), "{name}: choices never taken: {missed:?}");
    }
}

/// What the API server would store, or why it would not.
fn stored(manifest: &Value) -> Result<Value, String> {
    let text = |path: &str| manifest.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = split_api_version(text("/apiVersion"));
    let resource = Resources::default().of(group, text("/kind"));
    let root = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let namespace = if resource.namespaced { "/namespaces/default" } else { "" };
    let path = format!("{root}{namespace}/{}?dryRun=All", resource.name);
    let answer = CLUSTER.block_on(CLUSTER.request(Method::POST, &path, manifest));
    match answer.status {
        StatusCode::CREATED => Ok(answer.body),
        status => Err(format!("{status}: {}", answer.body["message"])),
    }
}

fn compare(name: &str, manifest: &Value, mut stored: Value, differences: &mut Vec<String>) {
    let text = manifest.to_string();
    let arena = Arena::new();
    let object = parse(&arena, text.as_bytes(), &Limits::default()).unwrap();
    let part = |key| object.get(key).and_then(|part| part.as_str()).unwrap_or_default();
    let (group, version) = split_api_version(part("apiVersion"));
    let kind = GroupVersionKind { group, version, kind: part("kind") };
    let completed = default(&arena, kind, object);
    assert_eq!(default(&arena, kind, completed), completed, "{name}: defaults have defaults");
    let mut ours: Value = serde_json::from_str(&to_json(completed)).unwrap();
    ours.as_object_mut().unwrap().remove("status");
    for (_, field, _) in SERVER_SET.iter().filter(|(kind, ..)| ["*", part("kind")].contains(kind)) {
        forget(&mut stored, Some(&ours), &field.split('.').collect::<Vec<_>>());
    }
    difference("", &ours, &stored, &mut |path, ours, theirs| {
        let show = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
        differences.push(format!("{name}: {path}\n  ours {}, theirs {}", show(ours), show(theirs)));
    });
}

/// Removes a field that the server set, and the object around it if it was made for it, unless we have it too; of a list
/// that we have, the elements that we don't.
fn forget(stored: &mut Value, ours: Option<&Value>, path: &[&str]) {
    let [first, rest @ ..] = path else { return };
    if let Some(list) = first.strip_suffix("[]") {
        let elements = stored.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for (index, element) in elements.enumerate() {
            forget(element, ours.and_then(|ours| ours.get(list)?.get(index)), rest);
        }
        return;
    }
    let key = first.replace('~', ".");
    let (Some(members), ours) = (stored.as_object_mut(), ours.and_then(|ours| ours.get(&key))) else { return };
    if let Some(member) = members.get_mut(&key).filter(|_| !rest.is_empty()) {
        forget(member, ours, rest);
    }
    if let (Some(Value::Array(elements)), Some(Value::Array(ours)), []) = (members.get_mut(&key), ours, rest) {
        elements.retain(|element| ours.contains(element));
    }
    let is_made = members.get(&key).is_some_and(|member| rest.is_empty() || *member == json!({}));
    if is_made && ours.is_none() {
        members.remove(&key);
    }
}

/// Told of each difference: its path, our value and the other.
type Differing<'r> = dyn FnMut(&str, Option<&Value>, Option<&Value>) + 'r;

fn difference(path: &str, ours: &Value, theirs: &Value, report: &mut Differing<'_>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let path = format!("{path}.{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => difference(&path, a, b, report),
                    (a, b) => report(&path, a, b),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                difference(&format!("{path}[{index}]"), a, b, report);
            }
        }
        (a, b) if a == b => {}
        (a, b) => report(path, Some(a), Some(b)),
    }
}
