//! The changes to what a policy matches, and to what it does when it fails.

use crate::policy::FieldPath;
use crate::policy::model::{FailurePolicy, LabelSelector, MatchResources, NamedRule, Policy};

use super::change::{Change, To};

/// The changes to `matchConstraints` and `failurePolicy`. `line` finds the line of a field of the policy.
pub(super) fn changes(policy: &Policy, line: impl Fn(&FieldPath) -> usize) -> Vec<Change> {
    let mut changes = Vec::new();
    let constraints = &policy.match_constraints;
    let spec = FieldPath::default().field("spec");
    let field_ref = spec.field("matchConstraints");
    let mut add = |name: String, path: FieldPath, text: String, changed: MatchResources| {
        let name = format!("matchConstraints.{name}");
        changes.push(Change { name, line: line(&path), text, to: To::Constraints(changed) });
    };
    for (field, rules, set) in LISTS {
        for (at, rule) in rules(constraints).iter().enumerate() {
            let mut changed = constraints.clone();
            let others: Vec<_> = set(&mut changed).drain(..).enumerate().filter(|(other, _)| *other != at).collect();
            *set(&mut changed) = others.into_iter().map(|(_, rule)| rule).collect();
            // Without any rule a policy would match everything.
            if !rules(&changed).is_empty() || field == "excludeResourceRules" {
                add(
                    format!("{field}[{at}]"),
                    field_ref.field(field).index(at),
                    "the rule is removed".to_owned(),
                    changed,
                );
            }
            for (part, values, of) in PARTS {
                for (index, value) in values(rule).iter().enumerate().filter(|_| values(rule).len() > 1) {
                    let mut changed = constraints.clone();
                    if let Some(rule) = set(&mut changed).get_mut(at) {
                        of(rule).remove(index);
                    }
                    let path = field_ref.field(field).index(at).field(part).index(index);
                    let text = format!("{value:?} is removed from {part}");
                    add(format!("{field}[{at}].{part}.{value}"), path, text, changed);
                }
            }
        }
    }
    for (field, selector, set) in SELECTORS {
        let requirements = selector(constraints).as_ref().map_or(&[][..], |selector| &selector.requirements);
        for (at, requirement) in requirements.iter().enumerate() {
            let mut changed = constraints.clone();
            if let Some(selector) = set(&mut changed) {
                selector.requirements.remove(at);
            }
            let text = format!("the requirement on {} is removed", requirement.key);
            add(format!("{field}.{}", requirement.key), field_ref.field(field), text, changed);
        }
    }
    let (to, text) = match policy.failure_policy {
        FailurePolicy::Fail => (FailurePolicy::Ignore, "Fail becomes Ignore"),
        FailurePolicy::Ignore => (FailurePolicy::Fail, "Ignore becomes Fail"),
    };
    changes.push(Change {
        name: "failurePolicy".to_owned(),
        line: line(&spec.field("failurePolicy")),
        text: text.to_owned(),
        to: To::FailurePolicy(to),
    });
    changes
}

/// A field of match constraints: its name, how it is read, how it is changed.
type Part<T, F> = (&'static str, fn(&T) -> &F, fn(&mut T) -> &mut F);

const LISTS: [Part<MatchResources, Vec<NamedRule>>; 2] = [
    ("resourceRules", |of| &of.resource_rules, |of| &mut of.resource_rules),
    ("excludeResourceRules", |of| &of.exclude_resource_rules, |of| &mut of.exclude_resource_rules),
];

const PARTS: [Part<NamedRule, Vec<String>>; 5] = [
    ("operations", |of| &of.operations, |of| &mut of.operations),
    ("apiGroups", |of| &of.api_groups, |of| &mut of.api_groups),
    ("apiVersions", |of| &of.api_versions, |of| &mut of.api_versions),
    ("resources", |of| &of.resources, |of| &mut of.resources),
    ("resourceNames", |of| &of.resource_names, |of| &mut of.resource_names),
];

const SELECTORS: [Part<MatchResources, Option<LabelSelector>>; 2] = [
    ("namespaceSelector", |of| &of.namespace_selector, |of| &mut of.namespace_selector),
    ("objectSelector", |of| &of.object_selector, |of| &mut of.object_selector),
];
