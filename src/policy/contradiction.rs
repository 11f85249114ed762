//! Selectors and rules that contradict each other, so that no request satisfies all of them and the policy silently does
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::schema;

use super::model::{LabelSelector, MatchResources, NamedRule, Operator, Requirement, Scope};
use super::problem::FieldPath;
use super::unmatchable::{MAX_LOOKED_AT, base};

/// The fields of `resources` that no request can satisfy together, or that have no effect, with what to write instead.
pub fn contradictions(resources: &MatchResources) -> Vec<(FieldPath, String)> {
    let mut found = Vec::new();
    let field = |name: &str| FieldPath::default().field(name);
    for (name, selector) in
        [("namespaceSelector", &resources.namespace_selector), ("objectSelector", &resources.object_selector)]
    {
        let impossible = selector.iter().find_map(|selector| impossible(selector.requirements.iter()));
        found.extend(impossible.map(|why| (field(name), format!("can never be satisfied: {why}"))));
    }
    let rules = &resources.resource_rules;
    if is_given(&resources.namespace_selector) && !rules.is_empty() && rules.iter().all(is_outside_namespaces) {
        let message = "has no effect, since the rules name only resources that live in no namespace; remove it";
        found.push((field("namespaceSelector"), message.to_owned()));
    }
    let only_connects = |rule: &NamedRule| rule.operations.iter().all(|operation| operation == "CONNECT");
    if is_given(&resources.object_selector) && !rules.is_empty() && rules.iter().all(only_connects) {
        let message = "selects nothing, since what is sent to CONNECT has no labels; remove it";
        found.push((field("objectSelector"), message.to_owned()));
    }
    if rules.iter().chain(&resources.exclude_resource_rules).map(words).sum::<usize>() <= MAX_LOOKED_AT {
        for (index, rule) in rules.iter().enumerate() {
            let excluding = resources.exclude_resource_rules.iter().position(|exclusion| covers(exclusion, rule));
            let message = |by| format!("can never match, since excludeResourceRules[{by}] leaves all of it out");
            found.extend(excluding.map(|by| (field("resourceRules").index(index), message(by))));
        }
    }
    found
}

/// Where a binding's `resources` and its policy's `constraints`, each for itself in order, contradict each other.
pub fn contradicts(resources: &MatchResources, constraints: &MatchResources) -> Vec<(FieldPath, String)> {
    let mut found = Vec::new();
    let field = |name: &str| FieldPath::default().field(name);
    for (name, own, theirs) in [
        ("namespaceSelector", &resources.namespace_selector, &constraints.namespace_selector),
        ("objectSelector", &resources.object_selector, &constraints.object_selector),
    ] {
        let (Some(own), Some(theirs)) = (own, theirs) else { continue };
        if [own, theirs].iter().any(|selector| impossible(selector.requirements.iter()).is_some()) {
            continue;
        }
        let both = impossible(own.requirements.iter().chain(&theirs.requirements));
        found
            .extend(both.map(|why| (field(name), format!("can never be satisfied together with the policy's: {why}"))));
    }
    let (own, theirs) = (&resources.resource_rules, &constraints.resource_rules);
    let is_small = own.iter().chain(theirs).map(words).sum::<usize>() <= MAX_LOOKED_AT;
    if is_small && !own.is_empty() && !theirs.is_empty() {
        let meets = |rule: &NamedRule| theirs.iter().any(|other| can_meet(rule, other));
        for (index, _) in own.iter().enumerate().filter(|(_, rule)| !meets(rule)) {
            let message =
                "can never match, since the policy's rules have none of its resources and operations".to_owned();
            found.push((field("resourceRules").index(index), message));
        }
    }
    found
}

fn is_given(selector: &Option<LabelSelector>) -> bool {
    selector.as_ref().is_some_and(|selector| !selector.requirements.is_empty())
}

/// Why no labels satisfy all requirements.
fn impossible<'r>(requirements: impl Iterator<Item = &'r Requirement>) -> Option<String> {
    let mut by_key: BTreeMap<&str, Demands<'r>> = BTreeMap::new();
    for requirement in requirements {
        by_key.entry(&requirement.key).or_default().add(requirement);
    }
    by_key.into_iter().find_map(|(key, demands)| Some(format!("label {key} {}", demands.contradiction()?)))
}

/// What is demanded of one label.
#[derive(Default)]
struct Demands<'r> {
    exists: bool,
    is_absent: bool,
    allowed: Option<BTreeSet<&'r str>>,
    excluded: BTreeSet<&'r str>,
}

impl<'r> Demands<'r> {
    fn add(&mut self, requirement: &'r Requirement) {
        let values = requirement.values.iter().map(String::as_str);
        match requirement.operator {
            Operator::Exists => self.exists = true,
            Operator::DoesNotExist => self.is_absent = true,
            Operator::NotIn => self.excluded.extend(values),
            Operator::In => {
                self.exists = true;
                let values: BTreeSet<_> = values.collect();
                match &mut self.allowed {
                    Some(allowed) => allowed.retain(|value| values.contains(value)),
                    None => self.allowed = Some(values),
                }
            }
        }
    }

    fn contradiction(self) -> Option<&'static str> {
        if self.exists && self.is_absent {
            return Some("has to be there and must not be");
        }
        let allowed = self.allowed?;
        if allowed.is_empty() {
            return Some("would need several values at once; a label has one");
        }
        allowed.is_subset(&self.excluded).then_some("may have none of the values that it has to have one of")
    }
}

/// Whether the rule is about objects that no namespace's labels decide on. Those of a Namespace decide on itself.
fn is_outside_namespaces(rule: &NamedRule) -> bool {
    let is_outside = |resource: &String| {
        let name = base(resource);
        let mut kinds = schema::kinds()
            .filter(|kind| kind.resource == Some(name) && rule.api_groups.iter().any(|group| group == kind.group))
            .peekable();
        let is_known = kinds.peek().is_some();
        let is_cluster_scoped =
            if is_known { kinds.all(|kind| !kind.namespaced) } else { rule.scope == Scope::Cluster };
        !matches!(name, "*" | "namespaces") && is_cluster_scoped
    };
    rule.resources.iter().all(is_outside)
}

fn words(rule: &NamedRule) -> usize {
    [&rule.resource_names, &rule.operations, &rule.api_groups, &rule.api_versions, &rule.resources]
        .iter()
        .map(|list| list.len())
        .sum()
}

/// Whether `wide` matches every request that `narrow` does.
fn covers(wide: &NamedRule, narrow: &NamedRule) -> bool {
    let has_all = |wide: &[String], narrow: &[String]| {
        wide.iter().any(|word| word == "*") || narrow.iter().all(|word| wide.contains(word))
    };
    let names = wide.resource_names.is_empty()
        || (!narrow.resource_names.is_empty() && has_all(&wide.resource_names, &narrow.resource_names));
    let covers_resource = |resource: &String| wide.resources.iter().any(|pattern| resource_covers(pattern, resource));
    names
        && has_all(&wide.operations, &narrow.operations)
        && has_all(&wide.api_groups, &narrow.api_groups)
        && has_all(&wide.api_versions, &narrow.api_versions)
        && narrow.resources.iter().all(covers_resource)
        && (wide.scope == Scope::All || wide.scope == narrow.scope)
}

fn resource_covers(wide: &str, narrow: &str) -> bool {
    let ((wide, wide_sub), (narrow, narrow_sub)) = (split(wide), split(narrow));
    (wide == "*" || wide == narrow) && (wide_sub == "*" || wide_sub == narrow_sub)
}

/// Whether a request may match both. Groups and versions say nothing, because rules match equivalent ones, too.
fn can_meet(one: &NamedRule, other: &NamedRule) -> bool {
    let shares = |one: &[String], other: &[String]| {
        one.iter().chain(other).any(|word| word == "*") || one.iter().any(|word| other.contains(word))
    };
    let names = one.resource_names.is_empty()
        || other.resource_names.is_empty()
        || one.resource_names.iter().any(|name| other.resource_names.contains(name));
    let meets = |one: &String, other: &String| {
        let ((one, one_sub), (other, other_sub)) = (split(one), split(other));
        (one == other || one == "*" || other == "*") && (one_sub == other_sub || one_sub == "*" || other_sub == "*")
    };
    names
        && shares(&one.operations, &other.operations)
        && one.resources.iter().any(|resource| other.resources.iter().any(|other| meets(resource, other)))
}

fn split(resource: &str) -> (&str, &str) {
    resource.split_once('/').unwrap_or((resource, ""))
}
