//! Bindings: fields, rules, and how they find their policies.

use super::{MUTATING, MUTATING_BINDING, VALIDATING, VALIDATING_BINDING, errors, load_documents, load_good, rejects};
use crate::policy::model::ValidationAction;

#[test]
fn accepts_every_field() {
    let loaded = load_good(&[VALIDATING_BINDING, VALIDATING]);
    let binding = loaded.policies.first().and_then(|policy| policy.bindings.first()).expect("a binding");
    assert_eq!(binding.name, "replicas-binding.example.com");
    assert_eq!(binding.validation_actions, [ValidationAction::Deny, ValidationAction::Audit]);
    let reference = binding.param_ref.as_ref().expect("a paramRef");
    assert_eq!(reference.name.as_deref(), Some("limit"));
    assert_eq!(reference.namespace.as_deref(), Some("rules"));
    assert!(reference.deny_if_not_found);
    assert!(binding.match_resources.as_ref().is_some_and(|resources| resources.resource_rules.is_empty()));
}

#[test]
fn bindings_stand_in_the_order_of_their_names() {
    let other = VALIDATING_BINDING.replace("replicas-binding", "a-binding");
    let loaded = load_good(&[VALIDATING, VALIDATING_BINDING, &other]);
    let names =
        loaded.policies.first().map(|policy| policy.bindings.iter().map(|b| b.name.as_str()).collect::<Vec<_>>());
    assert_eq!(names, Some(vec!["a-binding.example.com", "replicas-binding.example.com"]));
}

#[test]
fn rejects_wrong_fields() {
    rejects(
        VALIDATING_BINDING,
        &[
            ("policyName: replicas.example.com", "policyName: ''", "spec.policyName: Required value"),
            ("policyName: replicas.example.com", "policyName: A", "spec.policyName: Invalid value: \"A\""),
            (
                "[Deny, Audit]",
                "[]",
                "spec.validationActions: Required value: at least one validation action is required",
            ),
            ("  validationActions: [Deny, Audit]\n", "", "spec.validationActions: Required value"),
            (
                "[Deny, Audit]",
                "[Deny, Warn]",
                "spec.validationActions: Invalid value: \"Deny, Warn\": must not contain both Deny and Warn",
            ),
            ("[Deny, Audit]", "[Deny, Deny]", "spec.validationActions[1]: Duplicate value: \"Deny\""),
            (
                "[Deny, Audit]",
                "[deny]",
                "spec.validationActions[0]: Unsupported value: \"deny\": supported values: \"Audit\", \"Deny\", \"Warn\"",
            ),
            ("    name: limit\n", "", "spec.paramRef: Required value: one of name or selector must be specified"),
            (
                "    name: limit\n",
                "    name: limit\n    selector: {}\n",
                "spec.paramRef.selector: Forbidden: name and selector are mutually exclusive",
            ),
            ("name: limit", "name: ..", "spec.paramRef.name: Invalid value: \"..\": may not be '..'"),
            ("    parameterNotFoundAction: Deny\n", "", "spec.paramRef.parameterNotFoundAction: Required value"),
            (
                "Action: Deny\n",
                "Action: Ignore\n",
                "parameterNotFoundAction: Unsupported value: \"Ignore\": supported values: \"Allow\", \"Deny\"",
            ),
            (
                "    namespaceSelector: {}",
                "    namespaceSelectors: {}",
                "spec.matchResources.namespaceSelectors: unknown field; write namespaceSelector",
            ),
        ],
    );
    rejects(
        MUTATING_BINDING,
        &[
            ("spec:\n", "spec:\n  validationActions: [Deny]\n", "spec.validationActions: unknown field"),
            (
                "spec:\n",
                "spec:\n  matchResources: {resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: [a], operations: [DELETE]}]}\n",
                "operations[0]: Unsupported value: \"DELETE\"",
            ),
        ],
    );
}

#[test]
fn rejects_a_binding_without_policy() {
    let cases = [
        (VALIDATING_BINDING.to_owned(), "there is no ValidatingAdmissionPolicy named \"replicas.example.com\""),
        (
            VALIDATING_BINDING.replace("policyName: replicas", "policyName: replica"),
            "there is no ValidatingAdmissionPolicy named \"replica.example.com\"; write policyName: replicas.example.com",
        ),
        (
            VALIDATING_BINDING.replace("policyName: replicas", "policyName: sidecar"),
            "; that is a MutatingAdmissionPolicy: write kind: MutatingAdmissionPolicyBinding",
        ),
    ];
    for (index, (binding, message)) in cases.iter().enumerate() {
        let documents = if index == 0 { vec![binding.as_str()] } else { vec![VALIDATING, MUTATING, binding] };
        let found = errors(&documents);
        let [error] = found.as_slice() else { panic!("one error: {found:#?}") };
        assert!(error.contains(message), "{error}");
        let place = format!(
            "(document {}) ValidatingAdmissionPolicyBinding/replicas-binding.example.com: ",
            documents.len() - 1
        );
        assert!(error.contains(&place), "{error}");
    }
}

#[test]
fn the_binding_of_a_policy_that_could_not_be_kept_is_no_second_error() {
    let found = errors(&[&VALIDATING.replace("failurePolicy: Ignore", "failurePolicy: ignore"), VALIDATING_BINDING]);
    assert_eq!(found.len(), 1, "{found:#?}");
}

#[test]
fn a_wrong_binding_leaves_the_others() {
    let wrong = VALIDATING_BINDING.replace("replicas-binding", "wrong").replace("[Deny, Audit]", "[deny]");
    let loaded = load_documents(&[VALIDATING, &wrong, VALIDATING_BINDING]);
    assert_eq!(loaded.errors.len(), 1);
    assert_eq!(loaded.policies.first().map(|policy| policy.bindings.len()), Some(1));
}
