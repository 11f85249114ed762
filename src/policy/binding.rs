//! Reads ValidatingAdmissionPolicyBinding and MutatingAdmissionPolicyBinding.
//!
//! Upstream: `validateValidatingAdmissionPolicyBindingSpec`, `validateMutatingAdmissionPolicyBindingSpec`.

use super::decode::{Fields, Node};
use super::format;
use super::matching::{self, check};
use super::metadata::metadata;
use super::model::{Binding, ParamRef, Source, ValidationAction};
use super::problem::Fault;
use super::spec::PolicyType;

/// Reads a binding; the first of the pair is the name of its policy.
pub fn binding(node: &Node<'_, '_>, policy_type: PolicyType, source: Source) -> Option<(String, Binding)> {
    node.fields(|fields| {
        fields.ignore(&["apiVersion", "kind"]);
        let metadata = metadata(fields);
        let spec = fields.require("spec", "write spec: {policyName: …}")?;
        spec.fields(|spec| {
            let policy_name = spec.text("policyName", "", "write the name of the policy that this binds");
            if let Some((name, at)) = &policy_name {
                check(at, name, format::dns_subdomain);
            }
            let param_ref = spec.get("paramRef").map(|reference| param_ref(&reference));
            let match_resources =
                spec.get("matchResources").map(|node| matching::match_resources(&node, policy_type.operations()));
            let validation_actions = match policy_type {
                PolicyType::Validating => validation_actions(spec),
                PolicyType::Mutating => Vec::new(),
            };
            let metadata = metadata?;
            let binding = Binding {
                name: metadata.name,
                annotations: metadata.annotations,
                source,
                param_ref: match param_ref {
                    Some(reference) => Some(reference?),
                    None => None,
                },
                match_resources: match match_resources {
                    Some(resources) => Some(resources?),
                    None => None,
                },
                validation_actions,
            };
            Some((policy_name?.0.to_owned(), binding))
        })
    })
}

/// What a list of actions lacks that is absent or empty, and what to write.
pub const NO_ACTION: &str = "at least one validation action is required";
pub const WRITE_ACTIONS: &str = "write for example validationActions: [Deny]";

fn validation_actions(spec: &mut Fields<'_, '_>) -> Vec<ValidationAction> {
    let Some(list) = spec.get("validationActions") else {
        spec.missing("validationActions", NO_ACTION, WRITE_ACTIONS);
        return Vec::new();
    };
    if list.elements().is_empty() {
        spec.missing("validationActions", NO_ACTION, WRITE_ACTIONS);
    }
    actions(&list)
}

/// Reads a list of actions.
pub fn actions(list: &Node<'_, '_>) -> Vec<ValidationAction> {
    let mut actions = Vec::new();
    for element in list.elements() {
        let action = element.word(&[
            ("Audit", ValidationAction::Audit),
            ("Deny", ValidationAction::Deny),
            ("Warn", ValidationAction::Warn),
        ]);
        let Some(action) = action else { continue };
        if actions.contains(&action) {
            element.report(Fault::Duplicate(action.name().to_owned()), "leave it out");
        }
        actions.push(action);
    }
    if actions.contains(&ValidationAction::Deny) && actions.contains(&ValidationAction::Warn) {
        list.invalid(
            &actions.iter().map(|action| action.name()).collect::<Vec<_>>().join(", "),
            "must not contain both Deny and Warn (repeating the same validation failure information in the API \
             response and headers serves no purpose)",
            "leave out Warn",
        );
    }
    actions
}

fn param_ref(node: &Node<'_, '_>) -> Option<ParamRef> {
    const EXCLUSIVE: &str = "name and selector are mutually exclusive";
    node.fields(|fields| {
        let name = fields.get("name").and_then(|field| {
            let name = field.string().filter(|name| !name.is_empty())?;
            check(&field, name, format::path_segment);
            Some(name.to_owned())
        });
        let namespace = fields.get("namespace").and_then(|field| field.string()).filter(|text| !text.is_empty());
        let selector = fields.get("selector");
        let not_found = fields.require("parameterNotFoundAction", "write parameterNotFoundAction: Allow or Deny");
        match (&name, &selector) {
            (Some(_), Some(_)) => fields.forbid("selector", EXCLUSIVE, "leave out one of them"),
            (None, None) => {
                let detail = "one of name or selector must be specified".to_owned();
                node.report(Fault::Required(detail), "write name: …");
            }
            _ => {}
        }
        let selector = match selector {
            Some(selector) => Some(matching::label_selector(&selector)?),
            None => None,
        };
        Some(ParamRef {
            name,
            namespace: namespace.map(str::to_owned),
            selector,
            deny_if_not_found: not_found?.word(&[("Allow", false), ("Deny", true)])?,
        })
    })
}
