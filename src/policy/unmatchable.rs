//! What a rule names that no request is about, so that the policy silently does nothing there.
//!
//! Nothing is known of resources beyond the built-in ones, so only what holds for every resource is said of those.

use std::collections::BTreeSet;

use crate::schema::{self, Kind};

use super::matching::is_excluded;
use super::model::{NamedRule, Scope};
use super::problem::{FieldPath, closest};

/// How many fields of one rule are worth a word each, and how many are looked at.
pub const MAX_FOUND: usize = 20;
pub const MAX_LOOKED_AT: usize = 1_000;

/// The first fields of the rule that can match nothing, with what to write instead; `None` where a list is too long to
/// be looked at.
pub fn unmatchable(rule: &NamedRule) -> Option<Vec<(FieldPath, String)>> {
    let is_written = |list: &[String]| list.len() <= MAX_LOOKED_AT;
    if ![&rule.api_groups[..], &rule.api_versions, &rule.resources, &rule.operations].into_iter().all(is_written) {
        return None;
    }
    let mut found = mistakes(rule);
    found.extend(repeated(rule));
    found.truncate(MAX_FOUND);
    Some(found)
}

/// What a list names twice; of `resourceNames` that is an error already.
fn repeated(rule: &NamedRule) -> Vec<(FieldPath, String)> {
    let lists = [
        ("operations", &rule.operations),
        ("apiGroups", &rule.api_groups),
        ("apiVersions", &rule.api_versions),
        ("resources", &rule.resources),
    ];
    let in_list = |(name, list): (&'static str, &Vec<String>)| {
        let mut seen = BTreeSet::new();
        let again = list.iter().enumerate().filter(|(_, word)| !seen.insert(*word));
        again.map(|(index, word)| (element(name, index), format!("{word:?} stands there twice; remove it"))).collect()
    };
    lists.into_iter().flat_map(|list| -> Vec<_> { in_list(list) }).collect()
}

fn mistakes(rule: &NamedRule) -> Vec<(FieldPath, String)> {
    let mut found = Vec::new();
    for (index, group) in rule.api_groups.iter().enumerate() {
        found.extend(wrong_group(group).map(|message| (element("apiGroups", index), message)));
    }
    for (index, version) in rule.api_versions.iter().enumerate() {
        if let Some((group, version)) = version.rsplit_once('/') {
            let message = format!("is a group with a version; write {version}, and {group} in apiGroups");
            found.push((element("apiVersions", index), message));
        }
    }
    // One mistake is told once: what else would be said follows from it.
    if !found.is_empty() {
        return found;
    }
    for (index, resource) in rule.resources.iter().enumerate() {
        found.extend(wrong_resource(rule, resource).map(|message| (element("resources", index), message)));
    }
    if !found.is_empty() {
        return found;
    }
    let is_never_asked = |resource: &str| rule.api_groups.iter().all(|group| is_excluded(group, base(resource)));
    for (index, resource) in rule.resources.iter().enumerate().filter(|(_, resource)| is_never_asked(resource)) {
        let message = format!("policies are never asked about {}; leave it out", base(resource));
        found.push((element("resources", index), message));
    }
    if !found.is_empty() {
        return found;
    }
    let named: Vec<_> = rule.resources.iter().map(|resource| built_in(rule, base(resource))).collect();
    if named.iter().any(Vec::is_empty) {
        return found;
    }
    let named: Vec<&Kind> = named.into_iter().flatten().collect();
    let has_version = |kind: &&&Kind| rule.api_versions.iter().any(|version| version == "*" || version == kind.version);
    if !named.iter().any(|kind| has_version(&kind)) {
        let served: BTreeSet<_> = named.iter().map(|kind| kind.version).collect();
        let served: Vec<_> = served.into_iter().collect();
        let message = format!("Kubernetes serves the resources in none of these; write {}", served.join(" or "));
        found.push((FieldPath::default().field("apiVersions"), message));
    }
    let scope = |namespaced: bool| named.iter().all(|kind| kind.namespaced == namespaced);
    let contradiction = match rule.scope {
        Scope::Namespaced if scope(false) => Some("the resources live in no namespace; write Cluster, or leave it out"),
        Scope::Cluster if scope(true) => Some("the resources live in namespaces; write Namespaced, or leave it out"),
        _ => None,
    };
    found.extend(contradiction.map(|message| (FieldPath::default().field("scope"), message.to_owned())));
    found.extend(wrong_operations(rule).map(|message| (FieldPath::default().field("operations"), message)));
    found
}

fn element(list: &str, index: usize) -> FieldPath {
    FieldPath::default().field(list).index(index)
}

pub fn base(resource: &str) -> &str {
    resource.split('/').next().unwrap_or_default()
}

/// The served built-in kinds of a resource in the rule's groups; none if a wildcard stands for any.
fn built_in(rule: &NamedRule, resource: &str) -> Vec<&'static Kind> {
    let in_group = |kind: &&Kind| rule.api_groups.iter().any(|group| group == kind.group);
    schema::kinds().filter(|kind| kind.resource == Some(resource)).filter(in_group).collect()
}

fn wrong_group(group: &str) -> Option<String> {
    let is_served = |name: &str| schema::kinds().any(|kind| kind.resource.is_some() && kind.group == name);
    if group == "*" || is_served(group) {
        return None;
    }
    if let Some((group, version)) = group.split_once('/') {
        return Some(format!("is a group with a version; write {group}, and {version} in apiVersions"));
    }
    if matches!(group, "core" | "v1") {
        return Some("the core group has no name; write \"\"".to_owned());
    }
    // The groups of custom resources have a dot, and none has a capital letter.
    if group.contains('.') && !group.contains(|c: char| c.is_ascii_uppercase() || c == '*') {
        return None;
    }
    let served: BTreeSet<_> = schema::kinds().filter(|kind| kind.resource.is_some()).map(|kind| kind.group).collect();
    let served: Vec<_> = served.into_iter().filter(|group| !group.is_empty()).collect();
    let meant = closest(group, &served).map(|meant| format!("; write {meant}")).unwrap_or_default();
    Some(format!("there is no API group {group:?}{meant}"))
}

fn wrong_resource(rule: &NamedRule, resource: &str) -> Option<String> {
    let name = base(resource);
    if name == "*" || !built_in(rule, name).is_empty() {
        return None;
    }
    let below = resource.get(name.len()..).unwrap_or_default();
    let in_groups = |kind: &&Kind| rule.api_groups.iter().any(|group| group == "*" || group == kind.group);
    let served = || schema::kinds().filter(|kind| kind.resource.is_some());
    // Of the same kind in several groups, the one that the rule is about.
    let is_named = |kind: &&Kind| {
        kind.kind.eq_ignore_ascii_case(name)
            || kind.resource.is_some_and(|plural| plural != name && plural.eq_ignore_ascii_case(name))
    };
    if let Some(plural) = served().filter(is_named).find(in_groups).and_then(|kind| kind.resource) {
        return Some(format!("rules name resources by their plural in lower case; write {plural}{below}"));
    }
    if name.contains(|c: char| c.is_ascii_uppercase()) {
        return Some(format!("resources are plurals in lower case, {name:?} is none"));
    }
    let known_group = |group: &String| served().any(|kind| kind.group == group);
    if !rule.api_groups.iter().all(known_group) {
        return None;
    }
    let elsewhere: BTreeSet<_> = served().filter(|kind| kind.resource == Some(name)).map(|kind| kind.group).collect();
    if let Some(group) = elsewhere.first() {
        let group = if group.is_empty() { "\"\"" } else { group };
        return Some(format!("{name} are of another group; write apiGroups: [{group}]"));
    }
    let known: BTreeSet<_> = served().filter(in_groups).filter_map(|kind| kind.resource).collect();
    let known: Vec<_> = known.into_iter().collect();
    let meant = closest(name, &known).map(|meant| format!("; write {meant}{below}")).unwrap_or_default();
    Some(format!("Kubernetes has no resource {name} in these groups{meant}"))
}

/// Subresources that are connected to, never created, updated or deleted.
const CONNECTED: [&str; 6] =
    ["nodes/proxy", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy"];

fn wrong_operations(rule: &NamedRule) -> Option<String> {
    let names = |operation: &str| rule.operations.iter().any(|found| found == "*" || found == operation);
    let is_connected = |resource: &String| CONNECTED.contains(&resource.as_str());
    if rule.resources.iter().all(is_connected) && !names("CONNECT") {
        return Some(format!("{} can only be connected to; write CONNECT", rule.resources.join(", ")));
    }
    let only_connects = rule.operations.iter().all(|operation| operation == "CONNECT");
    let is_whole = |resource: &String| !resource.contains('/') && resource != "*";
    (only_connects && rule.resources.iter().all(is_whole))
        .then(|| "only subresources such as pods/exec can be connected to; write CREATE, UPDATE or DELETE".to_owned())
}
