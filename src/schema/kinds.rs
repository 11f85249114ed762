//! From the resources that a rule names to kinds, and from kinds to their structure.
//!
//! Upstream: `meta.DefaultRESTMapper` for the names, `resolver.SchemaResolver` for the structures.

use std::collections::BTreeSet;
use std::fmt;

use crate::json::Value;

use super::custom::{read_definition, resource_structure};
use super::structure::Structure;
use super::table;

/// A kind in a version of its group; ordered as upstream orders what it reports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KindName {
    /// The group, empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl KindName {
    /// The kind of this name.
    pub fn new(group: &str, version: &str, kind: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), kind: kind.to_owned() }
    }
}

impl fmt::Display for KindName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, Kind={}", self.group, self.version, self.kind)
    }
}

/// The kinds whose structure is known: the built-in ones, and custom resources that have been learned.
#[derive(Debug, Default)]
pub struct Kinds {
    custom: Vec<Custom>,
}

/// A version of a custom resource.
#[derive(Debug)]
struct Custom {
    name: KindName,
    plural: String,
    singular: String,
    structure: Structure,
}

impl Kinds {
    /// Learns the kinds that `object` defines if it is a CustomResourceDefinition. What was learned last counts.
    pub fn learn(&mut self, object: Value<'_>) {
        for kind in read_definition(object).unwrap_or_default() {
            self.custom.retain(|known| known.name != kind.name);
            let structure = resource_structure(kind.schema);
            self.custom.push(Custom { name: kind.name, plural: kind.plural, singular: kind.singular, structure });
        }
    }

    /// The kinds that a resource's name stands for. As upstream has it, no group means any group: `events` of `v1` is
    /// the Event of the core and that of `events.k8s.io`.
    pub fn of_resource(&self, group: &str, version: &str, resource: &str) -> BTreeSet<KindName> {
        let resource = resource.to_lowercase();
        let is_meant =
            |its_group: &str, its_version: &str| its_version == version && (group.is_empty() || its_group == group);
        let built_in = table::kinds().filter(|kind| {
            let is_named = |name: &str| name == resource || kind.kind.eq_ignore_ascii_case(&resource);
            is_meant(kind.group, kind.version) && kind.resource.is_some_and(is_named)
        });
        let custom = self.custom.iter().filter(|kind| {
            is_meant(&kind.name.group, &kind.name.version) && (kind.plural == resource || kind.singular == resource)
        });
        let built_in = built_in.map(|kind| KindName::new(kind.group, kind.version, kind.kind));
        built_in.chain(custom.map(|kind| kind.name.clone())).collect()
    }

    /// The structure of a kind's objects, if it is known.
    pub fn structure(&self, name: &KindName) -> Option<Structure> {
        if let Some(kind) = table::find(&name.group, &name.version, &name.kind) {
            return Structure::built_in(kind.type_id);
        }
        self.custom.iter().find(|kind| kind.name == *name).map(|kind| kind.structure.clone())
    }
}
