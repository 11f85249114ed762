//! Exemptions in the cluster: the ConfigMaps of the process's own namespace with a label, each key of which holds what a
//! file of exemptions would.
//!
//! They count beside those that came with the policies. A text that can't be used leaves what its key said before in
//! force; a key or a ConfigMap that goes takes its exemptions with it.

use std::collections::BTreeMap;
use std::slice;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::json::Value;
use crate::policy::{Exemptions, Manifest};

use super::api::{Api, escaped};
use super::bridge::Bridge;
use super::status::{Status, Statuses};
use super::watch::{Collection, Watch};

/// The watch of exemptions.
#[derive(Debug)]
pub struct ExemptionWatch {
    status: Arc<Status>,
    shared: Arc<Shared>,
}

/// What the watch and requests share.
#[derive(Debug, Default)]
struct Shared {
    /// What requests see.
    merged: ArcSwap<Exemptions>,
    parts: Mutex<Parts>,
}

/// What is merged.
#[derive(Debug, Default)]
struct Parts {
    /// What came with the policies.
    shipped: Exemptions,
    /// What the watch has found, by where it stands.
    texts: Vec<(String, Arc<str>)>,
    /// The last of the texts of each place that had nothing wrong with it.
    good: BTreeMap<String, Arc<str>>,
}

/// The texts of a ConfigMap by their keys.
type Texts = Vec<(String, Arc<str>)>;

/// The label of the ConfigMaps.
const LABEL: &str = "portcullis.dev/exemptions=true";
/// What the watch is called in metrics and readiness.
const WATCHED: &str = "exemptions";
/// How soon they are looked for again where the API server doesn't serve ConfigMaps, as one that is starting.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl ExemptionWatch {
    /// Starts to watch.
    pub fn start(bridge: &Arc<Bridge>, statuses: &Statuses) -> Self {
        let (status, shared) = (statuses.begin(WATCHED), Arc::<Shared>::default());
        let collection = Collection {
            path: format!("/api/v1/namespaces/{}/configmaps", escaped(bridge.namespace())),
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: None,
            label: Some(LABEL.to_owned()),
        };
        let (api, sink, told) = (bridge.api(), Arc::clone(&shared), Arc::clone(&status));
        bridge.spawn(async move { watch(&api, &collection, &sink, &told).await });
        Self { status, shared }
    }

    /// Counts those of the cluster beside `shipped` from now on.
    pub fn follow(&self, shipped: &Exemptions) {
        self.shared.change(&self.status, |parts| parts.shipped = shipped.clone());
    }

    /// The exemptions as they are known at present.
    pub fn current(&self) -> Arc<Exemptions> {
        self.shared.merged.load_full()
    }
}

async fn watch(api: &Api, collection: &Collection, shared: &Shared, status: &Status) {
    let told = AtomicBool::new(false);
    let watch = Watch {
        api,
        collection,
        status,
        keep: &|object| Ok(Some(texts(object))),
        size: &|_: &Texts, text| text,
        publish: &|objects| {
            told.store(false, Ordering::Relaxed);
            let texts = objects.flat_map(|((namespace, name), texts)| {
                let place = move |key: &str| format!("ConfigMap {namespace}/{name}, {key}");
                texts.iter().map(move |(key, text)| (place(key), Arc::clone(text)))
            });
            let texts = texts.collect();
            shared.change(status, |parts| parts.texts = texts);
        },
        failed: &|failure, synced| {
            if !synced && failure.is_lasting() {
                // Without exemptions more is refused, and nothing less.
                status.forgo();
                if !told.swap(true, Ordering::Relaxed) {
                    tracing::error!(error = %failure, "the exemptions of the cluster can't be had: none of them is in force");
                }
            }
        },
    };
    loop {
        // It ends where the API server doesn't serve ConfigMaps.
        watch.run().await;
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The texts of a ConfigMap.
fn texts(object: Value<'_>) -> Texts {
    let data = object.get("data").and_then(|data| data.as_object()).unwrap_or_default();
    let text = |(key, text): &(&str, Value<'_>)| Some(((*key).to_owned(), Arc::from(text.as_str()?)));
    data.members().iter().filter_map(text).collect()
}

impl Shared {
    fn change(&self, status: &Status, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let (merged, mistakes) = parts.merge();
        self.merged.store(Arc::new(merged));
        for mistake in status.finds(mistakes) {
            tracing::error!(error = mistake, "an exemption of the cluster can't be used");
        }
    }
}

impl Parts {
    /// All exemptions, and what is wrong with those of the cluster.
    fn merge(&mut self) -> (Exemptions, Vec<String>) {
        let (mut manifests, mut mistakes, mut good) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (place, text) in &self.texts {
            let manifest = Manifest::new(place.as_str(), &**text);
            let (_, errors) = Exemptions::load(slice::from_ref(&manifest));
            let before = self.good.get(place);
            if errors.is_empty() {
                good.insert(place.clone(), Arc::clone(text));
                manifests.push(manifest);
            } else if let Some(before) = before {
                mistakes.extend(errors.iter().map(|error| format!("{error} (what was there before stays in force)")));
                good.insert(place.clone(), Arc::clone(before));
                manifests.push(Manifest::new(place.as_str(), &**before));
            } else {
                // What is right in it is used, as it is in a file.
                manifests.push(manifest);
            }
        }
        self.good = good;
        let (merged, errors) = self.shipped.with(&manifests);
        mistakes.extend(errors.iter().map(ToString::to_string));
        (merged, mistakes)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::cluster::testing::{NEVER, bridge};

    const PATH: &str = "/api/v1/namespaces/default/configmaps?";

    fn exemption(name: &str) -> String {
        format!(
            "{{apiVersion: portcullis.dev/v1alpha1, kind: Exemption, metadata: {{name: {name}}}, \
             spec: {{policies: [p], match: {{names: [some]}}, reason: r, expires: 2200-01-01}}}}\n---\n"
        )
    }

    fn config_map(name: &str, data: &[(&str, &str)]) -> String {
        let data: serde_json::Map<_, _> = data.iter().map(|(key, text)| ((*key).to_owned(), (*text).into())).collect();
        serde_json::json!({"metadata": {"namespace": "default", "name": name, "resourceVersion": "2"}, "data": data})
            .to_string()
    }

    /// The names of the exemptions in force and the mistakes once `answer` has been heard to its end.
    fn heard(list: &[String], events: &[(&str, String)], until: impl Fn(&[String], &[String]) -> bool) -> Vec<String> {
        let list = format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":[{}]}}"#, list.join(","));
        let event = |(kind, object): &(&str, String)| format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n");
        let events = Mutex::new(Some(events.iter().map(event).collect::<String>()));
        let events = Arc::new(events);
        let bridge = Arc::new(bridge(move |path| {
            assert!(
                path.starts_with(PATH) && path.ends_with("&labelSelector=portcullis.dev%2Fexemptions%3Dtrue"),
                "{path}"
            );
            match path.contains("watch=1") {
                false => (200, list.clone()),
                true => events
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take()
                    .map_or((NEVER, String::new()), |text| (200, text)),
            }
        }));
        let statuses = Statuses::default();
        let watch = ExemptionWatch::start(&bridge, &statuses);
        let (shipped, _) = Exemptions::load(&[Manifest::new("e.yaml", exemption("shipped"))]);
        watch.follow(&shipped);
        let started = Instant::now();
        loop {
            let names: Vec<_> = watch.current().all().iter().map(|exemption| exemption.name.clone()).collect();
            let mistakes = watch.status.get().mistakes;
            if until(&names, &mistakes) {
                return mistakes;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{names:?} {mistakes:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn every_key_counts_beside_those_of_files_for_as_long_as_it_is_there() {
        let two = config_map("a", &[("x.yaml", &exemption("x")), ("y.yaml", &exemption("why"))]);
        let list = [two, config_map("b", &[("z", &exemption("z"))]), config_map("empty", &[])];
        let none = |mistakes: &[String]| mistakes.is_empty();
        heard(&list, &[], |names, mistakes| names == ["shipped", "why", "x", "z"] && none(mistakes));
        let events = [
            ("MODIFIED", config_map("a", &[("y.yaml", &exemption("why-not"))])),
            ("DELETED", config_map("b", &[])),
            ("ADDED", config_map("c", &[("c", &exemption("c"))])),
        ];
        heard(&list, &events, |names, mistakes| names == ["c", "shipped", "why-not"] && none(mistakes));
    }

    #[test]
    fn a_text_with_a_mistake_leaves_what_was_there_before_in_force() {
        let list = [config_map("a", &[("x", &exemption("x"))])];
        let broken = exemption("x").replace("reason: r, ", "") + &exemption("new");
        let mistakes = heard(&list, &[("MODIFIED", config_map("a", &[("x", &broken)]))], |names, mistakes| {
            names == ["shipped", "x"] && !mistakes.is_empty()
        });
        let [mistake] = &*mistakes else { panic!("one: {mistakes:?}") };
        assert!(mistake.starts_with("ConfigMap default/a, x:1: "), "{mistake}");
        assert!(mistake.contains("spec.reason: Required value"), "{mistake}");
        assert!(mistake.ends_with("(what was there before stays in force)"), "{mistake}");
        // What was never good has what is right in it used.
        heard(&[config_map("a", &[("x", &broken)])], &[], |names, mistakes| {
            names == ["new", "shipped"] && matches!(mistakes, [mistake] if mistake.contains("spec.reason"))
        });
        let events = [("MODIFIED", config_map("a", &[("x", &broken)])), ("DELETED", config_map("a", &[]))];
        heard(&list, &events, |names, mistakes| names == ["shipped"] && mistakes.is_empty());
    }

    #[test]
    fn a_name_that_is_taken_stays_with_who_had_it() {
        let list = [config_map("a", &[("x", &exemption("shipped"))]), config_map("b", &[("y", &exemption("why"))])];
        let mistakes = heard(&list, &[], |names, mistakes| names == ["shipped", "why"] && !mistakes.is_empty());
        assert!(matches!(&*mistakes, [mistake] if mistake.contains("Duplicate value: \"shipped\"")), "{mistakes:?}");
    }

    #[test]
    fn without_the_right_to_read_them_those_of_files_count_alone() {
        let bridge = Arc::new(bridge(|_| (403, r#"{"message":"may not"}"#.to_owned())));
        let statuses = Statuses::default();
        let watch = ExemptionWatch::start(&bridge, &statuses);
        watch.follow(&Exemptions::load(&[Manifest::new("e.yaml", exemption("shipped"))]).0);
        let started = Instant::now();
        while !watch.status.get().forgone {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(watch.current().all().len(), 1);
    }
}
