//! Reads what a policy or a binding matches: rules, selectors, match policy; defaults and rules as upstream's.
//!
//! Upstream: `validateMatchResources`, `validateNamedRuleWithOperations` and `ValidateLabelSelector`.

use std::collections::BTreeSet;

use super::decode::{Fields, Node};
use super::format;
use super::model::{LabelSelector, MatchResources, NamedRule, Operator, Requirement, Scope};
use super::problem::Fault;

/// Which operations a rule may name: a mutating policy can't act on DELETE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operations {
    /// Those of a validating policy or its binding.
    All,
    /// Those of a mutating policy or its binding.
    Mutable,
}

/// Reads `matchConstraints` or `matchResources`.
pub fn match_resources(node: &Node<'_, '_>, operations: Operations) -> Option<MatchResources> {
    node.fields(|fields| {
        let mut rules = |name| {
            let list = fields.get(name);
            list.map(|list| list.list(|rule| named_rule(&rule, operations))).unwrap_or_default()
        };
        let resource_rules = rules("resourceRules");
        let exclude_resource_rules = rules("excludeResourceRules");
        Some(MatchResources {
            namespace_selector: fields.get("namespaceSelector").and_then(|selector| label_selector(&selector)),
            object_selector: fields.get("objectSelector").and_then(|selector| label_selector(&selector)),
            resource_rules,
            exclude_resource_rules,
            equivalent: match fields.get("matchPolicy") {
                Some(word) => word.word(&[("Equivalent", true), ("Exact", false)])?,
                None => true,
            },
        })
    })
}

/// Whether policies are never asked about the resource: those that only ask a question of the API server, and the
/// policies themselves, lest a policy lock itself in. Upstream: `isExcludedFromAllHooks`, `isExcludedFromAPIHooks`.
pub fn is_excluded(group: &str, resource: &str) -> bool {
    match group {
        "authentication.k8s.io" => matches!(resource, "selfsubjectreviews" | "tokenreviews"),
        "authorization.k8s.io" => matches!(
            resource,
            "localsubjectaccessreviews"
                | "selfsubjectaccessreviews"
                | "selfsubjectrulesreviews"
                | "subjectaccessreviews"
        ),
        "admissionregistration.k8s.io" => matches!(
            resource,
            "validatingadmissionpolicies"
                | "validatingadmissionpolicybindings"
                | "mutatingadmissionpolicies"
                | "mutatingadmissionpolicybindings"
        ),
        _ => false,
    }
}

/// Reads a label selector.
pub fn label_selector(node: &Node<'_, '_>) -> Option<LabelSelector> {
    node.fields(|fields| {
        let mut requirements = Vec::new();
        for (key, value) in fields.get("matchLabels").map(|labels| labels.entries()).unwrap_or_default() {
            let text = value.string()?;
            check(&value, key, format::qualified_name);
            check(&value, text, format::label_value);
            requirements.push(Requirement {
                key: key.to_owned(),
                operator: Operator::In,
                values: vec![text.to_owned()],
            });
        }
        if let Some(expressions) = fields.get("matchExpressions") {
            requirements.extend(expressions.list(|expression| requirement(&expression)));
        }
        Some(LabelSelector { requirements })
    })
}

/// Complains about `text` at `node` if it hasn't the form.
pub fn check(node: &Node<'_, '_>, text: &str, form: fn(&str) -> Option<&'static str>) {
    if let Some(wrong) = form(text) {
        node.invalid(text, wrong, "");
    }
}

fn requirement(node: &Node<'_, '_>) -> Option<Requirement> {
    node.fields(|fields| {
        let key = fields.get("key").and_then(|field| {
            let key = field.string()?;
            check(&field, key, format::qualified_name);
            Some(key)
        });
        let operator = fields.require("operator", "write operator: In, NotIn, Exists or DoesNotExist");
        let values: Vec<_> = fields.get("values").map(|list| list.elements()).unwrap_or_default();
        let texts = values.iter().filter_map(|value| {
            let text = value.string()?;
            check(value, text, format::label_value);
            Some(text.to_owned())
        });
        let texts: Vec<_> = texts.collect();
        if key.is_none() {
            fields.missing("key", "", "write the label's key");
        }
        let operator = operator?.word(&[
            ("In", Operator::In),
            ("NotIn", Operator::NotIn),
            ("Exists", Operator::Exists),
            ("DoesNotExist", Operator::DoesNotExist),
        ])?;
        match (operator, values.is_empty()) {
            (Operator::In | Operator::NotIn, true) => fields.missing(
                "values",
                "must be specified when `operator` is 'In' or 'NotIn'",
                "list the values, or use Exists or DoesNotExist",
            ),
            (Operator::Exists | Operator::DoesNotExist, false) => fields.forbid(
                "values",
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                "leave values out, or use In or NotIn",
            ),
            _ => {}
        }
        Some(Requirement { key: key?.to_owned(), operator, values: texts })
    })
}

fn named_rule(node: &Node<'_, '_>, operations: Operations) -> Option<NamedRule> {
    node.fields(|fields| {
        Some(NamedRule {
            resource_names: resource_names(fields),
            operations: operation_words(fields, operations),
            api_groups: words(fields, "apiGroups", "API groups", "for the core group write apiGroups: [\"\"]"),
            api_versions: api_versions(fields),
            resources: resources(fields),
            scope: match fields.get("scope") {
                Some(word) => {
                    word.word(&[("*", Scope::All), ("Cluster", Scope::Cluster), ("Namespaced", Scope::Namespaced)])?
                }
                None => Scope::All,
            },
        })
    })
}

fn resource_names(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for element in fields.get("resourceNames").map(|list| list.elements()).unwrap_or_default() {
        let Some(name) = element.string() else { continue };
        check(&element, name, format::path_segment);
        if !seen.insert(name) {
            element.report(Fault::Duplicate(name.to_owned()), "");
        }
        names.push(name.to_owned());
    }
    names
}

fn operation_words(fields: &mut Fields<'_, '_>, operations: Operations) -> Vec<String> {
    const DELETE: (&str, &str) = ("DELETE", "DELETE");
    let mut supported = vec![("*", "*"), ("CONNECT", "CONNECT"), ("CREATE", "CREATE"), DELETE, ("UPDATE", "UPDATE")];
    if operations == Operations::Mutable {
        supported.retain(|word| *word != DELETE);
    }
    let Some(list) = non_empty(fields, "operations", "write for example operations: [CREATE, UPDATE]") else {
        return Vec::new();
    };
    let words: Vec<String> = list.list(|element| element.word(&supported).map(str::to_owned));
    sole_wildcard(&list, &words, "operations");
    words
}

fn api_versions(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let versions = words(fields, "apiVersions", "API versions", "write for example apiVersions: [\"v1\"] or [\"*\"]");
    if let Some(at) = versions.iter().position(String::is_empty)
        && let Some(element) = fields.get("apiVersions").and_then(|list| list.elements().into_iter().nth(at))
    {
        element.report(Fault::Required(String::new()), "write a version such as v1, or \"*\"");
    }
    versions
}

/// A list of strings in which `*` has to stand alone.
fn words(fields: &mut Fields<'_, '_>, name: &'static str, what: &str, advice: &str) -> Vec<String> {
    let Some(list) = non_empty(fields, name, advice) else { return Vec::new() };
    let words = list.strings();
    sole_wildcard(&list, &words, what);
    words
}

fn sole_wildcard(list: &Node<'_, '_>, words: &[String], what: &str) {
    if words.len() > 1 && words.iter().any(|word| word == "*") {
        list.invalid(
            &words.join(", "),
            format!("if '*' is present, must not specify other {what}"),
            "write \"*\" alone, or leave it out",
        );
    }
}

fn non_empty<'a, 'p>(fields: &mut Fields<'a, 'p>, name: &'static str, advice: &str) -> Option<Node<'a, 'p>> {
    let list = fields.require(name, advice)?;
    if list.value().as_array().is_some_and(<[_]>::is_empty) {
        fields.missing(name, "", advice);
        return None;
    }
    Some(list)
}

/// Upstream's `validateResources`, its peculiarity included: only the last entry without a subresource decides
/// whether `*` stands beside other resources.
fn resources(fields: &mut Fields<'_, '_>) -> Vec<String> {
    let Some(list) = non_empty(fields, "resources", "write for example resources: [pods]") else { return Vec::new() };
    let mut resources: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut other_resource = false;
    for element in list.elements() {
        let Some(text) = element.string() else { continue };
        match text.split_once('/') {
            _ if text.is_empty() => {
                element.report(Fault::Required(String::new()), "write a resource such as pods, or \"*\"");
            }
            None => other_resource = text != "*",
            Some((resource, sub)) => {
                for covering in [format!("{resource}/*"), format!("*/{sub}")] {
                    if seen.contains(&covering) {
                        element.invalid(
                            text,
                            format!("if '{covering}' is present, must not specify {text}"),
                            "leave it out",
                        );
                    }
                }
            }
        }
        resources.push(text.to_owned());
        seen.insert(text.to_owned());
    }
    let has = |text: &str| seen.contains(text);
    if resources.len() > 1 && has("*/*") {
        list.invalid(
            &resources.join(", "),
            "if '*/*' is present, must not specify other resources",
            "write \"*/*\" alone, or leave it out",
        );
    }
    if has("*") && other_resource {
        list.invalid(
            &resources.join(", "),
            "if '*' is present, must not specify other resources without subresources",
            "leave out \"*\" or the others",
        );
    }
    resources
}
