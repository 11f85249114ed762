//! Rules about several objects at once: what one names and nobody makes, what none protects, what none watches.
//!
//! There are two passes. [`Across::learn`] takes every object, in any order, and keeps names, and what monitors select by;
//! then [`Across::violations`] looks at one object after the other. So nothing of an object is kept but its name, and a
//! violation has its lines at hand.
//!
//! A checkout is rarely all that a cluster gets. Each rule says when it keeps silent because something else may make
//! what it misses.

mod isolation;
mod monitors;
mod names;
mod references;

use crate::admission::resources::split_api_version;
use crate::json::Value;
use crate::manifests::{Change, LeftOut, Manifest, Reason, Unbuilt};

use isolation::Isolation;
use monitors::Monitors;
use names::Names;

/// What is known of all objects.
#[derive(Debug, Default)]
pub struct Across {
    names: Names,
    isolation: Isolation,
    monitors: Monitors,
}

/// Something that a rule objects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule's name.
    pub rule: &'static str,
    /// The field in the object.
    pub field: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// An object as these rules look at it.
#[derive(Clone, Copy, Debug)]
struct Seen<'m> {
    group: &'m str,
    kind: &'m str,
    name: &'m str,
    /// Its namespace; `None` for one that lives in none, or whose namespace nobody wrote.
    home: Option<&'m str>,
    object: Value<'m>,
}

impl Across {
    /// Knows no objects yet, but what these kustomizations may add to them.
    pub fn new(unbuilt: &[Unbuilt]) -> Self {
        let mut across = Self::default();
        unbuilt.iter().for_each(|unbuilt| across.learn_unbuilt(unbuilt));
        across
    }

    /// Learns from objects, and from documents that were left out.
    pub fn learn(&mut self, manifests: &[Manifest<'_>], left_out: &[LeftOut]) {
        manifests.iter().for_each(|manifest| self.learn_object(manifest));
        left_out.iter().for_each(|document| self.learn_left_out(document));
    }

    fn learn_object(&mut self, manifest: &Manifest<'_>) {
        let seen = Seen::new(manifest);
        self.names.learn(&seen);
        self.isolation.learn(&seen);
        self.monitors.learn(&seen);
    }

    fn learn_unbuilt(&mut self, unbuilt: &Unbuilt) {
        for change in &unbuilt.changes {
            match change {
                Change::Generators => self.names.generated(&unbuilt.generated),
                Change::Remote | Change::HelmCharts | Change::Transformers => self.names.incomplete(),
                _ => {}
            }
        }
    }

    fn learn_left_out(&mut self, document: &LeftOut) {
        if matches!(document.reason, Reason::HelmChart | Reason::HelmTemplate) {
            self.names.incomplete();
        }
    }

    /// What the rules object to in one of the objects.
    pub fn violations(&self, manifest: &Manifest<'_>) -> Vec<Violation> {
        let seen = Seen::new(manifest);
        let mut violations = self.names.violations(&seen);
        violations.extend(self.isolation.violation(&seen));
        violations.extend(self.monitors.violation(&seen));
        violations
    }
}

impl<'m> Seen<'m> {
    fn new(manifest: &'m Manifest<'_>) -> Self {
        let written = manifest.written.at(&["metadata", "namespace"]).and_then(|namespace| namespace.as_str());
        // What nobody puts anywhere is taken to be in `default`, and may be applied to any namespace.
        let is_guess = written.is_none_or(str::is_empty) && manifest.id.namespace == "default";
        Self {
            group: split_api_version(&manifest.id.api_version).0,
            kind: &manifest.id.kind,
            name: &manifest.id.name,
            home: Some(&*manifest.id.namespace).filter(|namespace| !namespace.is_empty() && !is_guess),
            object: manifest.object,
        }
    }

    fn is(&self, group: &str, kind: &str) -> bool {
        self.group == group && self.kind == kind
    }

    fn text(&self, path: &[&str]) -> Option<&'m str> {
        text(self.object, path)
    }

    /// Each annotation.
    fn annotations(&self) -> impl Iterator<Item = (&'m str, &'m str)> + use<'m> {
        let annotations = self.object.at(&["metadata", "annotations"]).and_then(|annotations| annotations.as_object());
        let members = annotations.map(|annotations| annotations.members()).unwrap_or_default();
        members.iter().filter_map(|(key, value)| Some((*key, value.as_str()?)))
    }
}

fn text<'v>(value: Value<'v>, path: &[&str]) -> Option<&'v str> {
    value.at(path).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

fn elements<'v>(value: Value<'v>, path: &[&str]) -> impl Iterator<Item = (usize, Value<'v>)> + use<'v> {
    let elements = value.at(path).and_then(|value| value.as_array()).unwrap_or_default();
    elements.iter().copied().enumerate()
}

/// Whether Kubernetes itself looks after what is in a namespace.
fn is_of_kubernetes(namespace: &str) -> bool {
    namespace.starts_with("kube-")
}

#[cfg(test)]
mod tests;
