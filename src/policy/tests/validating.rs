//! ValidatingAdmissionPolicy: fields, defaults, rules.

use super::{VALIDATING, errors, load_documents, load_good, rejects};
use crate::policy::model::{FailurePolicy, Operator, Rules, Scope};

#[test]
fn accepts_every_field() {
    let loaded = load_good(&[VALIDATING]);
    let [policy] = loaded.policies.as_slice() else { panic!("one policy") };
    assert_eq!(policy.name, "replicas.example.com");
    assert_eq!(policy.annotations, [("example.com/severity".to_owned(), "high".to_owned())]);
    assert_eq!((policy.source.file.as_str(), policy.source.document, policy.source.line), ("test.yaml", 0, 1));
    assert_eq!(policy.failure_policy, FailurePolicy::Ignore);
    let kind = policy.param_kind.as_ref().map(|kind| (kind.api_version.as_str(), kind.kind.as_str()));
    assert_eq!(kind, Some(("rules.example.com/v1", "ReplicaLimit")));
    assert_eq!(policy.compile_error, None);

    let constraints = &policy.match_constraints;
    assert!(!constraints.equivalent);
    let requirement = |selector: &Option<crate::policy::model::LabelSelector>| {
        let requirement = selector.as_ref().and_then(|selector| selector.requirements.first().cloned());
        requirement.map(|requirement| (requirement.key, requirement.operator, requirement.values))
    };
    assert_eq!(
        requirement(&constraints.namespace_selector),
        Some(("env".to_owned(), Operator::In, vec!["prod".to_owned()]))
    );
    assert_eq!(
        requirement(&constraints.object_selector),
        Some(("app".to_owned(), Operator::NotIn, vec!["web".to_owned()]))
    );
    let [rule] = constraints.resource_rules.as_slice() else { panic!("one rule") };
    assert_eq!(rule.api_groups, ["apps"]);
    assert_eq!(rule.api_versions, ["v1"]);
    assert_eq!(rule.operations, ["CREATE", "UPDATE"]);
    assert_eq!(rule.resources, ["deployments", "deployments/scale"]);
    assert_eq!(rule.resource_names, ["one"]);
    assert_eq!(rule.scope, Scope::Namespaced);
    assert_eq!(constraints.exclude_resource_rules.len(), 1);

    assert_eq!(policy.match_conditions.first().map(|condition| condition.name.as_str()), Some("not-exempt"));
    assert_eq!(policy.variables.first().map(|variable| variable.name.as_str()), Some("replicas"));
    let Rules::Validate { validations, audit_annotations } = &policy.rules else { panic!("a validating policy") };
    let [validation] = validations.as_slice() else { panic!("one validation") };
    assert_eq!(validation.message.as_deref(), Some("too many replicas"));
    assert_eq!(validation.reason, "Forbidden");
    assert!(matches!(validation.message_expression, Some(Ok(_))));
    assert_eq!(audit_annotations.first().map(|annotation| annotation.key.as_str()), Some("replicas"));
}

#[test]
fn fills_in_upstreams_defaults() {
    let minimal = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: minimal}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  validations:
  - expression: 'true'
";
    let loaded = load_good(&[minimal]);
    let [policy] = loaded.policies.as_slice() else { panic!("one policy") };
    assert_eq!(policy.failure_policy, FailurePolicy::Fail);
    assert!(policy.match_constraints.equivalent);
    assert!(policy.match_constraints.namespace_selector.is_none());
    assert_eq!(policy.match_constraints.resource_rules.first().map(|rule| rule.scope), Some(Scope::All));
    let Rules::Validate { validations, .. } = &policy.rules else { panic!("a validating policy") };
    assert_eq!(validations.first().map(|validation| validation.reason.as_str()), Some("Invalid"));
}

#[test]
fn accepts_what_kubectl_prints_and_every_version() {
    let printed = VALIDATING.replace("metadata:\n", "metadata:\n  uid: a\n  generation: 1\n  managedFields: []\n");
    load_good(&[&format!("{printed}status:\n  observedGeneration: 1\n")]);
    for version in ["v1beta1", "v1alpha1"] {
        load_good(&[&VALIDATING.replace("k8s.io/v1\n", &format!("k8s.io/{version}\n"))]);
    }
}

#[test]
fn rejects_unknown_fields_with_a_suggestion() {
    rejects(
        VALIDATING,
        &[
            ("  validations:", "  validation:", "spec.validation: unknown field; write validations"),
            ("    message: ", "    mesage: ", "spec.validations[0].mesage: unknown field; write message"),
            ("metadata:\n", "metadata:\n  lables: {}\n", "metadata.lables: unknown field; write labels"),
            (
                "      scope:",
                "      scopes:",
                "spec.matchConstraints.resourceRules[0].scopes: unknown field; write scope",
            ),
            (
                "spec:\n",
                "data: {}\nspec:\n",
                "data: unknown field; known fields: apiVersion, kind, status, metadata, spec",
            ),
        ]
        .map(|(from, to, message)| {
            // Without validations the policy would rightly be told that it misses them.
            if from.contains("validations") {
                (from, "  validation: []\n  validations:", message)
            } else {
                (from, to, message)
            }
        }),
    );
}

#[test]
fn rejects_wrong_metadata() {
    rejects(
        VALIDATING,
        &[
            (
                "  name: replicas.example.com\n",
                "  namespace: a\n  name: a.b\n",
                "metadata.namespace: Forbidden: not allowed",
            ),
            (
                "severity: high",
                "severity: 3",
                "metadata.annotations[example.com/severity]: must be a string, but is a number",
            ),
            (
                "example.com/severity",
                "a/b/c",
                "metadata.annotations[a/b/c]: Invalid value: \"a/b/c\": a valid label key",
            ),
            ("annotations:\n    example.com/severity", "labels:\n    -a", "metadata.labels[-a]: Invalid value: \"-a\""),
            ("severity: high", "severity: high\n  labels: {a: -b}", "metadata.labels.a: Invalid value: \"-b\""),
        ],
    );
}

#[test]
fn rejects_wrong_match_constraints() {
    rejects(
        VALIDATING,
        &[
            (
                "matchPolicy: Exact",
                "matchPolicy: exact",
                "spec.matchConstraints.matchPolicy: Unsupported value: \"exact\"",
            ),
            ("operations: [CREATE, UPDATE]", "operations: []", "resourceRules[0].operations: Required value"),
            ("operations: [CREATE, UPDATE]", "operations: [Create]", "operations[0]: Unsupported value: \"Create\""),
            (
                "operations: [CREATE, UPDATE]",
                "operations: [CREATE, '*']",
                "if '*' is present, must not specify other operations",
            ),
            ("apiGroups: [apps]", "apiGroups: []", "resourceRules[0].apiGroups: Required value"),
            ("apiGroups: [apps]", "apiGroups: ['*', apps]", "if '*' is present, must not specify other API groups"),
            ("apiVersions: [v1]", "apiVersions: [v1, '*']", "if '*' is present, must not specify other API versions"),
            ("apiVersions: [v1]", "apiVersions: ['']", "resourceRules[0].apiVersions[0]: Required value"),
            ("[deployments, deployments/scale]", "[]", "resourceRules[0].resources: Required value"),
            ("[deployments, deployments/scale]", "['']", "resourceRules[0].resources[0]: Required value"),
            (
                "[deployments, deployments/scale]",
                "['*', pods]",
                "must not specify other resources without subresources",
            ),
            (
                "[deployments, deployments/scale]",
                "['*/*', pods]",
                "if '*/*' is present, must not specify other resources",
            ),
            ("[deployments, deployments/scale]", "[a/*, a/b]", "if 'a/*' is present, must not specify a/b"),
            ("[deployments, deployments/scale]", "['*/b', a/b]", "if '*/b' is present, must not specify a/b"),
            (
                "resourceNames: [one]",
                "resourceNames: [a/b]",
                "resourceNames[0]: Invalid value: \"a/b\": may not contain '/'",
            ),
            ("resourceNames: [one]", "resourceNames: [one, one]", "resourceNames[1]: Duplicate value: \"one\""),
            ("scope: Namespaced", "scope: namespaced", "resourceRules[0].scope: Unsupported value: \"namespaced\""),
            (
                "operator: NotIn",
                "operator: In\n        value: a",
                "matchExpressions[0].value: unknown field; write values",
            ),
            (
                "operator: NotIn",
                "operator: Exists",
                "values: Forbidden: may not be specified when `operator` is 'Exists'",
            ),
            (
                "values: [web]",
                "values: []",
                "values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ),
            ("operator: NotIn", "operator: notin", "matchExpressions[0].operator: Unsupported value: \"notin\""),
            ("- key: app", "- key: -a", "matchExpressions[0].key: Invalid value: \"-a\""),
            ("env: prod", "env: -prod", "namespaceSelector.matchLabels.env: Invalid value: \"-prod\""),
            (
                "env: prod",
                "env: true",
                "matchLabels.env: must be a string, but is a boolean; write \"true\", with the quotes",
            ),
        ],
    );
}

#[test]
fn accepts_a_wildcard_before_the_last_resource_as_upstream_does() {
    load_good(&[&VALIDATING.replace("[deployments, deployments/scale]", "[pods, '*']")]);
}

#[test]
fn rejects_wrong_expressions_and_their_company() {
    let long = format!("valueExpression: '\"{}\"'", "a".repeat(5 * 1024));
    rejects(
        VALIDATING,
        &[
            ("failurePolicy: Ignore", "failurePolicy: Fial", "spec.failurePolicy: Unsupported value: \"Fial\""),
            ("kind: ReplicaLimit", "kind: ''", "spec.paramKind.kind: Required value"),
            ("kind: ReplicaLimit", "kind: Replica_Limit", "may have mixed case, but should otherwise match"),
            (
                "rules.example.com/v1",
                "a/b/c",
                "spec.paramKind.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion",
            ),
            (
                "rules.example.com/v1",
                "a/",
                "spec.paramKind.apiVersion: Invalid value: \"a/\": version must be specified",
            ),
            ("rules.example.com/v1", "A/v1", "spec.paramKind.apiVersion: Invalid value: \"A\": a lowercase RFC 1123"),
            ("rules.example.com/v1", "a/1", "spec.paramKind.apiVersion: Invalid value: \"1\": a DNS-1035 label"),
            ("- name: not-exempt", "- name: not exempt", "spec.matchConditions[0].name: Invalid value: \"not exempt\""),
            ("\"!has(object.metadata.labels)\"", "''", "spec.matchConditions[0].expression: Required value"),
            ("message: \" too many replicas \"", "message: \" \"", "message: Invalid value: \" \": must be non-empty"),
            (
                "message: \" too many replicas \"",
                "message: \"a\\nb\"",
                "message: Invalid value: \"a\\nb\": must not contain line breaks",
            ),
            (
                "\"'replicas: ' + string(variables.replicas)\"",
                "\" \"",
                "messageExpression: Invalid value: \" \": must be non-empty",
            ),
            (
                "reason: Forbidden",
                "reason: Forbiden",
                "Unsupported value: \"Forbiden\": supported values: \"Forbidden\", \"Invalid\", \"RequestEntityTooLarge\"; write Forbidden",
            ),
            (
                "- key: replicas",
                "- key: a/b",
                "spec.auditAnnotations[0].key: Invalid value: \"replicas.example.com/a/b\"",
            ),
            (
                "valueExpression: string(variables.replicas)",
                "valueExpression: ''",
                "valueExpression: Required value: valueExpression is not",
            ),
            ("valueExpression: string(variables.replicas)", &long, "must not exceed 5120 bytes in length"),
        ],
    );
}

#[test]
fn rejects_names_that_other_fields_build_on() {
    for (from, to, message) in [
        ("- name: replicas\n", "- name: in\n", "Invalid value: \"in\": must be a valid CEL identifier"),
        ("- name: replicas\n", "- name: ' '\n", "spec.variables[0].name: Required value: name is not specified"),
        (
            "name: replicas.example.com",
            "name: Replicas",
            "metadata.name: Invalid value: \"Replicas\": a lowercase RFC 1123",
        ),
    ] {
        let found = errors(&[&VALIDATING.replace(from, to)]);
        assert!(found.iter().any(|error| error.contains(message)), "{to}: {found:#?}");
    }
}

#[test]
fn rejects_a_policy_that_does_nothing() {
    let start = VALIDATING.find("  validations:").expect("validations");
    let found = errors(&[VALIDATING.get(..start).expect("a prefix")]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found.iter().any(|error| error.contains("spec.validations: Required value: validations or auditAnnotations"))
    );
}

#[test]
fn rejects_a_policy_that_matches_nothing() {
    let found = errors(&["apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\n\
                          metadata: {name: a}\nspec: {matchConstraints: {}, validations: [{expression: 'true'}]}\n"]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found.iter().any(|error| error.contains("spec.matchConstraints.resourceRules: Required value")));
}

#[test]
fn rejects_more_match_conditions_and_audit_annotations_than_upstream() {
    let conditions = |count: usize| {
        let entries: String = (0..count).map(|i| format!("  - {{name: c{i}, expression: 'true'}}\n")).collect();
        VALIDATING.replace("  - name: not-exempt\n    expression: \"!has(object.metadata.labels)\"\n", &entries)
    };
    load_good(&[&conditions(64)]);
    rejects(&conditions(65), &[("Exact", "Exact", "spec.matchConditions: Too many: 65: must have at most 64 items")]);

    let annotations = |count: usize| {
        let entries: String = (0..count).map(|i| format!("  - {{key: k{i}, valueExpression: \"'a'\"}}\n")).collect();
        VALIDATING.replace("  - key: replicas\n    valueExpression: string(variables.replicas)\n", &entries)
    };
    load_good(&[&annotations(20)]);
    rejects(&annotations(21), &[("Exact", "Exact", "must not have more than 20 auditAnnotations")]);
}

#[test]
fn rejects_names_given_twice_within_a_policy() {
    rejects(
        VALIDATING,
        &[
            (
                "  - name: not-exempt\n",
                "  - {name: not-exempt, expression: 'true'}\n  - name: not-exempt\n",
                "spec.matchConditions[1].name: Duplicate value: \"not-exempt\"",
            ),
            (
                "  - key: replicas\n",
                "  - {key: replicas, valueExpression: \"'a'\"}\n  - key: replicas\n",
                "spec.auditAnnotations[1].key: Duplicate value: \"replicas\"",
            ),
        ],
    );
}

#[test]
fn rejects_expressions_that_do_not_compile_at_their_line() {
    let text = VALIDATING.replace(
        "expression: variables.replicas <= params.maxReplicas",
        "expression: >-\n      true &&\n      variables.replica <= 3",
    );
    let found = errors(&[&text]);
    let line = text.lines().position(|line| line.contains("variables.replica ")).expect("the line") + 1;
    let [error] = found.as_slice() else { panic!("one error: {found:#?}") };
    assert!(error.starts_with(&format!("test.yaml:{line}: ")), "{error}");
    assert!(error.contains("spec.validations[0].expression: compilation failed: "), "{error}");
}

#[test]
fn each_place_declares_what_upstream_declares_there() {
    let cases = [
        (
            "\"!has(object.metadata.labels)\"",
            "params.a == request.name && authorizer.group('').resource('pods').check('get').allowed()",
            true,
        ),
        ("\"!has(object.metadata.labels)\"", "variables.replicas == 1", false),
        ("\"'replicas: ' + string(variables.replicas)\"", "string(params.a)", true),
        (
            "\"'replicas: ' + string(variables.replicas)\"",
            "authorizer.group('').resource('pods').check('get').reason()",
            false,
        ),
        ("\"'replicas: ' + string(variables.replicas)\"", "1 + 1", false),
        ("variables.replicas <= params.maxReplicas", "1 + 1", false),
        ("valueExpression: string(variables.replicas)", "valueExpression: 'null'", true),
        ("valueExpression: string(variables.replicas)", "valueExpression: 'true'", false),
        ("expression: object.spec.replicas", "expression: variables.later", false),
    ];
    for (from, to, accepted) in cases {
        let found = errors(&[&VALIDATING.replace(from, to)]);
        assert_eq!(found.is_empty(), accepted, "{to}: {found:#?}");
    }
    let without_params =
        VALIDATING.replace("  paramKind:\n    apiVersion: rules.example.com/v1\n    kind: ReplicaLimit\n", "");
    let found = errors(&[&without_params]);
    assert!(found.iter().any(|error| error.contains("undeclared reference to 'params'")), "{found:#?}");
}

#[test]
fn one_bad_variable_is_reported_once() {
    rejects(
        VALIDATING,
        &[("expression: object.spec.replicas", "expression: objekt.spec", "spec.variables[0].expression: comp")],
    );
}

#[test]
fn a_policy_that_can_still_be_matched_stays_with_its_error() {
    let loaded = load_documents(&[&VALIDATING.replace("reason: Forbidden", "reason: forbidden")]);
    let error = loaded.policies.first().and_then(|policy| policy.compile_error.as_deref());
    assert!(error.is_some_and(|error| error.starts_with("spec.validations[0].reason: Unsupported value")), "{error:?}");
    assert_eq!(loaded.policies.first().map(|policy| policy.failure_policy), Some(FailurePolicy::Ignore));
}

#[test]
fn a_policy_that_can_not_be_matched_or_judged_is_left_out() {
    for (from, to) in [
        ("failurePolicy: Ignore", "failurePolicy: ignore"),
        ("matchPolicy: Exact", "matchPolicy: exact"),
        ("operations: [CREATE, UPDATE]", "operations: [create]"),
        ("  name: replicas.example.com\n", ""),
    ] {
        let loaded = load_documents(&[&VALIDATING.replace(from, to)]);
        assert!(loaded.policies.is_empty(), "{to}");
        assert!(!loaded.errors.is_empty(), "{to}");
    }
}
