//! Which names there are, and which of those that objects refer to are missing.
//!
//! A name is missing only where the input is where such things are kept: it holds others of the kind in the namespace,
//! and nothing in it may make the one that is named. A custom resource of the namespace may make whatever is called like
//! it, whatever its name begins, and whatever it mentions: so Secrets of SealedSecrets, ExternalSecrets, Certificates and
//! operators of all sorts count as there. Nothing is missing where a chart that nobody rendered is installed.

use std::collections::{BTreeSet, HashMap};

use crate::admission::resources::built_in;
use crate::json::Value;
use crate::policy::closest;

use super::references::{Reference, Referred, references};
use super::{Seen, Violation, elements, is_of_kubernetes, text};

/// How many bytes of names are kept; with more, nothing counts as missing.
const MAX_BYTES: usize = 64 << 20;
/// What a kept name takes beside its text.
const OVERHEAD: usize = 64;
/// The most names among which one that was meant is looked for.
const MAX_COMPARED: usize = 1_000;
/// The longest name of an object.
const MAX_NAME_LENGTH: usize = 253;

/// The names of the input.
#[derive(Debug)]
pub struct Names {
    there: HashMap<Referred, HashMap<Home, BTreeSet<String>>>,
    /// What custom resources are called and mention.
    mentioned: HashMap<Home, BTreeSet<String>>,
    /// What custom resources are called.
    makers: HashMap<Home, BTreeSet<String>>,
    /// The namespaces into which charts are installed; `None` for one that nobody knows.
    charts: HashMap<Home, ()>,
    is_generated: bool,
    is_incomplete: bool,
    left: usize,
}

/// A namespace; `None` for all, or for one that nobody wrote.
type Home = Option<String>;

impl Default for Names {
    fn default() -> Self {
        Self::of_at_most(MAX_BYTES)
    }
}

impl Names {
    /// One that keeps this many bytes of names.
    pub fn of_at_most(bytes: usize) -> Self {
        Self {
            there: HashMap::new(),
            mentioned: HashMap::new(),
            makers: HashMap::new(),
            charts: HashMap::new(),
            is_generated: false,
            is_incomplete: false,
            left: bytes,
        }
    }

    /// Something makes ConfigMaps and Secrets that are called so, or by names that nobody knows if there are none.
    pub fn generated(&mut self, names: &[String]) {
        self.is_generated |= names.is_empty();
        names.iter().for_each(|name| self.mention(&None, name));
    }

    /// Something makes objects of any kind that are not known.
    pub fn incomplete(&mut self) {
        self.is_incomplete = true;
    }

    pub fn learn(&mut self, seen: &Seen<'_>) {
        let home = seen.home.map(str::to_owned);
        if let Some(referred) = Referred::of(seen) {
            // Controllers copy what is marked so to other namespaces.
            let is_copied = seen.annotations().any(|(key, _)| is_copying(key));
            if is_copied {
                self.mention(&None, seen.name);
            }
            if referred == Referred::Secret && seen.text(&["type"]) == Some("kubernetes.io/tls") {
                self.keep(Referred::Certificate, &home, seen.name);
            }
            self.keep(referred, &home, seen.name);
            return;
        }
        if seen.is("apps", "StatefulSet") {
            for (_, template) in elements(seen.object, &["spec", "volumeClaimTemplates"]) {
                let claim = format!("{}-{}", text(template, &["metadata", "name"]).unwrap_or_default(), seen.name);
                self.make(&home, &claim);
            }
        }
        if seen.is("", "Service") {
            let names = seen.annotations().filter(|(key, _)| key.ends_with("/serving-cert-secret-name"));
            names.for_each(|(_, name)| self.mention(&home, name));
        }
        if seen.is("cert-manager.io", "Certificate")
            && let Some(name) = seen.text(&["spec", "secretName"])
        {
            self.keep(Referred::Certificate, &home, name);
        }
        if built_in(seen.group, seen.kind).is_none() {
            self.learn_charts(seen);
            self.make(&home, seen.name);
            let copies = mentions_copying(seen.object);
            self.learn_texts(&if copies { None } else { home }, seen.object);
        }
    }

    /// What an object names and nobody makes.
    pub fn violations(&self, seen: &Seen<'_>) -> Vec<Violation> {
        if self.is_incomplete || self.left == 0 {
            return Vec::new();
        }
        references(seen)
            .into_iter()
            .filter(|reference| self.is_missing(reference))
            .map(|found| self.violation(&found))
            .collect()
    }

    fn violation(&self, reference: &Reference<'_>) -> Violation {
        let Reference { to, name, home, field } = reference;
        let (kind, others) = (to.kind(), self.others(reference));
        let others: Vec<&str> = others.iter().map(String::as_str).take(MAX_COMPARED).collect();
        let meant =
            closest(name, &others).map_or_else(|| format!("add {kind} {name}"), |meant| format!("write {meant}"));
        let place = home.map_or_else(String::new, |home| format!(" of namespace \"{home}\""));
        let message = format!(
            "{field}: there is no {kind} \"{name}\" among the manifests, which hold others{place}: {meant}, or exempt it \
             if something else makes it"
        );
        Violation { rule: to.rule(), field: field.clone(), message }
    }

    /// What of the kind is where it is looked for.
    fn others(&self, reference: &Reference<'_>) -> &BTreeSet<String> {
        static NONE: BTreeSet<String> = BTreeSet::new();
        let there = self.there.get(&reference.to).and_then(|there| there.get(&reference.home.map(str::to_owned)));
        there.unwrap_or(&NONE)
    }

    fn is_missing(&self, reference: &Reference<'_>) -> bool {
        let Reference { to, name, home, .. } = *reference;
        let is_always_there = match to {
            Referred::ConfigMap => {
                ["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"].contains(&name)
            }
            Referred::ServiceAccount => name == "default",
            Referred::Secret | Referred::Certificate | Referred::Claim => false,
        };
        let is_generated = self.is_generated && !matches!(to, Referred::Claim | Referred::ServiceAccount);
        let is_elsewhere = home.is_some_and(is_of_kubernetes) || !is_name(name) || self.others(reference).is_empty();
        if is_always_there || is_generated || is_elsewhere || self.has_chart(home) {
            return false;
        }
        // What is none of the certificates may still be one of the Secrets.
        let kinds = if to == Referred::Certificate { &[to, Referred::Secret][..] } else { &[to] };
        let is_there = kinds.iter().filter_map(|kind| self.there.get(kind));
        let is_there = is_there.into_iter().any(|there| reaches(there, home, |names| names.contains(name)));
        let among = |of: &HashMap<Home, BTreeSet<String>>, name: &str| reaches(of, home, |names| names.contains(name));
        let begins_it = |(at, _): (usize, &str)| among(&self.makers, &name[..at]);
        !is_there && !among(&self.mentioned, name) && !name.match_indices('-').any(begins_it)
    }

    fn has_chart(&self, home: Option<&str>) -> bool {
        reaches(&self.charts, home, |()| true)
    }

    /// Where charts are installed, by Argo CD, Flux and k3s.
    fn learn_charts(&mut self, seen: &Seen<'_>) {
        let target = match (seen.group, seen.kind) {
            ("argoproj.io", "Application") => of_chart(seen.object.get("spec")),
            ("argoproj.io", "ApplicationSet") => of_chart(seen.object.at(&["spec", "template", "spec"])),
            ("helm.toolkit.fluxcd.io", "HelmRelease") | ("helm.cattle.io", "HelmChart") => {
                Some(seen.text(&["spec", "targetNamespace"]).or(seen.home).map(str::to_owned))
            }
            _ => None,
        };
        if let Some(home) = target
            && !self.charts.contains_key(&home)
            && self.takes(home.as_deref().unwrap_or_default())
        {
            self.charts.insert(home, ());
        }
    }

    /// Every text of a value that may be a name, down to the bottom, which documents limit.
    fn learn_texts(&mut self, home: &Home, value: Value<'_>) {
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            match value {
                Value::String(text) => self.mention(home, text),
                Value::Array(elements) => waiting.extend(elements),
                Value::Object(object) => waiting.extend(object.members().iter().map(|(_, value)| *value)),
                _ => {}
            }
        }
    }

    fn keep(&mut self, referred: Referred, home: &Home, name: &str) {
        let is_new = self.there.get(&referred).is_none_or(|there| !holds(there, home, name));
        if is_new && self.takes(name) {
            self.there.entry(referred).or_default().entry(home.clone()).or_default().insert(name.to_owned());
        }
    }

    fn mention(&mut self, home: &Home, name: &str) {
        if is_name(name) && !holds(&self.mentioned, home, name) && self.takes(name) {
            self.mentioned.entry(home.clone()).or_default().insert(name.to_owned());
        }
    }

    fn make(&mut self, home: &Home, name: &str) {
        if !holds(&self.makers, home, name) && self.takes(name) {
            self.makers.entry(home.clone()).or_default().insert(name.to_owned());
        }
    }

    /// Whether there is room for a name, which takes it.
    fn takes(&mut self, name: &str) -> bool {
        self.left = self.left.saturating_sub(name.len() + OVERHEAD);
        self.left > 0
    }
}

fn holds(of: &HashMap<Home, BTreeSet<String>>, home: &Home, name: &str) -> bool {
    of.get(home).is_some_and(|names| names.contains(name))
}

/// Whether something is where somebody at `home` may look for it: there, or where it may be anywhere.
fn reaches<V>(of: &HashMap<Home, V>, home: Option<&str>, is_it: impl Fn(&V) -> bool) -> bool {
    match home {
        Some(home) => [Some(home.to_owned()), None].iter().any(|at| of.get(at).is_some_and(&is_it)),
        None => of.values().any(is_it),
    }
}

/// Where the chart of an Application is installed, if it has one: `None` inside where that is not known.
fn of_chart(spec: Option<Value<'_>>) -> Option<Home> {
    let spec = spec?;
    let has_chart = |source: Value<'_>| text(source, &["chart"]).is_some() || source.get("helm").is_some();
    let is_chart =
        spec.get("source").is_some_and(has_chart) || elements(spec, &["sources"]).any(|(_, source)| has_chart(source));
    let namespace = text(spec, &["destination", "namespace"]).filter(|namespace| is_name(namespace));
    is_chart.then(|| namespace.map(str::to_owned))
}

/// Whether an annotation has a controller copy an object to other namespaces.
fn is_copying(key: &str) -> bool {
    ["reflector.", "replicator."].iter().any(|controller| key.contains(controller))
}

fn mentions_copying(value: Value<'_>) -> bool {
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Array(elements) => waiting.extend(elements),
            Value::Object(object) => {
                if object.members().iter().any(|(key, _)| is_copying(key)) {
                    return true;
                }
                waiting.extend(object.members().iter().map(|(_, value)| *value));
            }
            _ => {}
        }
    }
    false
}

/// Whether a text can be an object's name, and no placeholder for one.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    !text.is_empty() && text.len() <= MAX_NAME_LENGTH && text.bytes().all(is_part)
}
