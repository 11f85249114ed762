//! Whether a policy or a binding concerns a request.
//!
//! Upstream: `policy/matching/matching.go` and `webhook/predicates/{rules,namespace,object}`.

use crate::json::Value;
use crate::policy::model::{LabelSelector, MatchResources, NamedRule, Scope};

use super::equivalent::equivalents;
use super::request::{GroupVersionKind, GroupVersionResource, Operation, Request};
use super::subject::{Matched, Subject};

/// How `constraints` match the subject, or `None` where they don't.
///
/// # Errors
/// They would if the namespace does, and it can't be had.
pub fn matches<'a>(constraints: &MatchResources, subject: &Subject<'a>) -> Result<Option<Matched<'a>>, &'a str> {
    let request = &subject.request;
    // Rules first: they decide most requests and cost least. All parts have to hold, so the order can't be seen.
    let matched = match constraints.resource_rules.is_empty() {
        true => Matched { kind: request.kind, resource: request.resource },
        false => match match_rules(&constraints.resource_rules, constraints.equivalent, request) {
            Some(matched) => matched,
            None => return Ok(None),
        },
    };
    if match_rules(&constraints.exclude_resource_rules, constraints.equivalent, request).is_some() {
        return Ok(None);
    }
    // The namespace comes last: only who matches otherwise needs to know it.
    let selected = selects_object(constraints.object_selector.as_ref(), request)
        && selects_namespace(constraints.namespace_selector.as_ref(), subject)?;
    Ok(selected.then_some(matched))
}

/// Whether rules match a request, whatever else there is about it.
pub fn matches_rules(rules: &[NamedRule], equivalent: bool, request: &Request<'_>) -> bool {
    match_rules(rules, equivalent, request).is_some()
}

fn match_rules<'a>(rules: &[NamedRule], equivalent: bool, request: &Request<'a>) -> Option<Matched<'a>> {
    if rules.is_empty() {
        return None;
    }
    // The object is in the version of `request.kind`, whichever version a rule named.
    let original = Matched { kind: request.kind, resource: request.resource };
    if rules.iter().any(|rule| match_rule(rule, request.request_resource, request)) {
        return Some(original);
    }
    if !equivalent {
        return None;
    }
    if request.resource != request.request_resource
        && rules.iter().any(|rule| match_rule(rule, request.resource, request))
    {
        return Some(original);
    }
    rules.iter().find_map(|rule| {
        let resource = equivalents(request.request_resource).find(|resource| match_rule(rule, *resource, request))?;
        let kind = GroupVersionKind { group: resource.group, version: resource.version, kind: request.kind.kind };
        Some(Matched { kind, resource })
    })
}

fn match_rule(rule: &NamedRule, resource: GroupVersionResource<'_>, request: &Request<'_>) -> bool {
    match_scope(rule.scope, resource, request)
        && exact_or_wildcard(&rule.operations, request.operation.as_str())
        && exact_or_wildcard(&rule.api_groups, resource.group)
        && exact_or_wildcard(&rule.api_versions, resource.version)
        && rule.resources.iter().any(|pattern| match_resource(pattern, resource.resource, request.sub_resource))
        && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|name| name == request.name))
}

fn match_scope(scope: Scope, resource: GroupVersionResource<'_>, request: &Request<'_>) -> bool {
    // The request for a Namespace is "in" that namespace, yet a Namespace is cluster-scoped.
    let is_namespace = (resource.group, resource.version, resource.resource) == ("", "v1", "namespaces");
    match scope {
        Scope::All => true,
        Scope::Namespaced => !is_namespace && !request.namespace.is_empty(),
        Scope::Cluster => is_namespace || request.namespace.is_empty(),
    }
}

fn exact_or_wildcard(items: &[String], requested: &str) -> bool {
    items.iter().any(|item| item == "*" || item == requested)
}

fn match_resource(pattern: &str, resource: &str, sub_resource: &str) -> bool {
    let (wanted, wanted_sub) = pattern.split_once('/').unwrap_or((pattern, ""));
    (wanted == "*" || wanted == resource) && (wanted_sub == "*" || wanted_sub == sub_resource)
}

fn selects_namespace<'a>(selector: Option<&LabelSelector>, subject: &Subject<'a>) -> Result<bool, &'a str> {
    let request = &subject.request;
    // A cluster-scoped object is never left out by namespace, save a Namespace itself.
    if request.namespace.is_empty() && request.request_resource.resource != "namespaces" {
        return Ok(true);
    }
    match selector {
        Some(selector) if !selector.requirements.is_empty() => Ok(selects(selector, subject.namespace_labels()?)),
        _ => Ok(true),
    }
}

fn selects_object(selector: Option<&LabelSelector>, request: &Request<'_>) -> bool {
    let Some(selector) = selector.filter(|selector| !selector.requirements.is_empty()) else {
        return true;
    };
    // The options of a CONNECT have no metadata, so nothing selects them.
    if request.operation == Operation::Connect {
        return false;
    }
    [request.object, request.old_object]
        .into_iter()
        .any(|object| matches!(object, Value::Object(_)) && selects(selector, selected_by(object)))
}

/// What of an object decides which policies concern it: its labels. Everything else is the request's.
pub fn selected_by(object: Value<'_>) -> Value<'_> {
    object.at(&["metadata", "labels"]).unwrap_or(Value::Null)
}

fn selects(selector: &LabelSelector, labels: Value<'_>) -> bool {
    selector.matches(|key| labels.get(key).and_then(|label| label.as_str()))
}
