//! What a policy about pods matches, as rules about workloads.

use crate::engine::{GroupVersionKind, GroupVersionResource, Operation, Request, matches_rules};
use crate::json::Value;
use crate::policy::model::{LabelSelector, MatchResources, NamedRule, Operator, Requirement, Scope};

use super::draft::{Draft, DraftBinding, Named};
use super::shape::Shape;

/// What of pods a policy judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Whether it judges updates, besides creations.
    pub updates: bool,
}

/// What of pods the constraints match; `None` if not their creation.
///
/// # Errors
/// They match pods by what is no part of a template.
pub fn judged(constraints: &MatchResources) -> Result<Option<Judged>, String> {
    let matches =
        |rules: &[NamedRule], operation| matches_rules(rules, constraints.equivalent, &pod_request(operation));
    if !matches(&constraints.resource_rules, Operation::Create) {
        let named = anonymous(&constraints.resource_rules);
        return match matches(&named, Operation::Create) {
            true => Err("its rules select pods by resourceNames, and the pods of workloads have none yet".to_owned()),
            false => Ok(None),
        };
    }
    if matches(&constraints.exclude_resource_rules, Operation::Create) {
        return Ok(None);
    }
    if matches(&anonymous(&constraints.exclude_resource_rules), Operation::Create) {
        return Err("it excludes pods by resourceNames, and the pods of workloads have none yet".to_owned());
    }
    Ok(Some(Judged { updates: matches(&constraints.resource_rules, Operation::Update) }))
}

/// The rules without the names of objects.
fn anonymous(rules: &[NamedRule]) -> Vec<NamedRule> {
    rules.iter().map(|rule| NamedRule { resource_names: Vec::new(), ..rule.clone() }).collect()
}

/// The constraints for the workloads of a shape.
pub fn constraints(of_pods: &MatchResources, shape: &Shape) -> MatchResources {
    MatchResources {
        namespace_selector: of_pods.namespace_selector.clone(),
        object_selector: None,
        resource_rules: rules(shape),
        exclude_resource_rules: Vec::new(),
        equivalent: of_pods.equivalent,
    }
}

fn rules(shape: &Shape) -> Vec<NamedRule> {
    let mut rules: Vec<NamedRule> = Vec::new();
    for workload in &shape.workloads {
        let group = workload.groups.first().copied().unwrap_or_default();
        match rules.iter_mut().find(|rule| rule.api_groups == [group]) {
            Some(rule) => rule.resources.push(workload.resource.to_owned()),
            None => rules.push(NamedRule {
                operations: vec!["CREATE".to_owned(), "UPDATE".to_owned()],
                api_groups: vec![group.to_owned()],
                api_versions: vec!["v1".to_owned()],
                resources: vec![workload.resource.to_owned()],
                scope: Scope::All,
                ..NamedRule::default()
            }),
        }
    }
    rules
}

/// The binding of a policy's sister for a shape; `None` if it doesn't concern pods.
///
/// # Errors
/// It can't be said of workloads.
pub fn binding(binding: &DraftBinding, of: Judged, shape: &Shape) -> Result<Option<DraftBinding>, String> {
    let mut moved = DraftBinding { name: format!("{}-{}", binding.name, shape.suffix), ..binding.clone() };
    let Some(resources) = &mut moved.match_resources else { return Ok(Some(moved)) };
    if resources.object_selector.as_ref().is_some_and(|selector| !selector.requirements.is_empty()) {
        return Err("its objectSelector looks at a pod's labels, which a workload has in its template".to_owned());
    }
    if !resources.resource_rules.is_empty() {
        match judged(resources)? {
            None => return Ok(None),
            Some(judged) if judged != of => {
                return Err("it binds other operations on pods than its policy has".to_owned());
            }
            Some(_) => resources.resource_rules = rules(shape),
        }
    }
    resources.exclude_resource_rules.clear();
    Ok(Some(moved))
}

/// The conditions under which a workload of the shape is judged at all: its template is new, and is there to stay.
pub fn conditions(draft: &Draft, of: Judged, shape: &Shape) -> Vec<Named> {
    let path = shape.path();
    let named = |name: &str, expression: String| Named { name: name.to_owned(), expression };
    let changed = format!(
        "!has(object.metadata.deletionTimestamp) && (request.operation != \"UPDATE\" || object.{path} != oldObject.{path})"
    );
    let mut conditions = vec![named("template-changed", changed)];
    let selector = draft.constraints.object_selector.as_ref().filter(|selector| !selector.requirements.is_empty());
    if let Some(selector) = selector {
        let mut selected = selected(selector, &format!("object.{path}"));
        if of.updates {
            let old = self::selected(selector, &format!("oldObject.{path}"));
            selected = format!("{selected} || (request.operation == \"UPDATE\" && {old})");
        }
        conditions.push(named("selected-by-labels", selected));
    }
    conditions
}

/// Whether a selector selects a template, as an expression.
fn selected(selector: &LabelSelector, template: &str) -> String {
    let requirement = |requirement: &Requirement| {
        let label = format!("{template}.metadata.?labels[?{}]", quoted(&requirement.key));
        let values: Vec<String> = requirement.values.iter().map(|value| quoted(value)).collect();
        let listed = format!("{label}.optMap(value, value in [{}]).orValue(false)", values.join(", "));
        match requirement.operator {
            Operator::In => listed,
            Operator::NotIn => format!("!{listed}"),
            Operator::Exists => format!("{label}.hasValue()"),
            Operator::DoesNotExist => format!("!{label}.hasValue()"),
        }
    };
    let all: Vec<String> = selector.requirements.iter().map(requirement).collect();
    format!("({})", all.join(" && "))
}

/// A string constant. Keys and values of labels have no character that needs an escape.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// A request about a pod, as far as rules look at it.
fn pod_request(operation: Operation) -> Request<'static> {
    let kind = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
    let resource = GroupVersionResource { group: "", version: "v1", resource: "pods" };
    Request {
        uid: "",
        kind,
        resource,
        sub_resource: "",
        request_kind: kind,
        request_resource: resource,
        request_sub_resource: "",
        name: "",
        namespace: "default",
        operation,
        user_info: Value::Null,
        object: Value::Null,
        old_object: Value::Null,
        options: Value::Null,
        dry_run: false,
    }
}
