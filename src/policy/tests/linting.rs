//! Lint: errors with warnings about what loads but is probably not meant.

use super::{MINOR, MUTATING, MUTATING_BINDING, VALIDATING, VALIDATING_BINDING};
use crate::policy::{Lint, Manifest, lint};

fn lints(documents: &[&str], minor: u32) -> Vec<String> {
    findings(documents.join("---\n"), minor).iter().map(ToString::to_string).collect()
}

fn findings(text: String, minor: u32) -> Vec<Lint> {
    let mut found = lint(&[Manifest::new("test.yaml", text)], &[], minor);
    found.retain(Lint::is_finding);
    found
}

#[test]
fn finds_nothing_where_nothing_is_wrong() {
    assert_eq!(lints(&[VALIDATING, VALIDATING_BINDING, MUTATING, MUTATING_BINDING], MINOR), [] as [&str; 0]);
}

#[test]
fn warns_of_what_is_probably_not_meant() {
    let unused = VALIDATING.replace("  variables:\n", "  variables:\n  - {name: replica, expression: '1'}\n");
    let beta = |text: &str| text.replace("k8s.io/v1\n", "k8s.io/v1beta1\n");
    let (validating_beta, mutating_beta) = (beta(VALIDATING), beta(MUTATING));
    let plain = VALIDATING_BINDING
        .replace("  paramRef:\n    name: limit\n    namespace: rules\n    parameterNotFoundAction: Deny\n", "");
    let paramless = VALIDATING
        .replace("  paramKind:\n    apiVersion: rules.example.com/v1\n    kind: ReplicaLimit\n", "")
        .replace("params.maxReplicas", "3");
    let cases: [(Vec<&str>, &str); 6] = [
        (vec![VALIDATING], "ValidatingAdmissionPolicy/replicas.example.com: no binding names the policy"),
        (vec![&unused, VALIDATING_BINDING], "spec.variables[0].name: no expression uses variables.replica; remove it"),
        (vec![&validating_beta, VALIDATING_BINDING], "apiVersion: v1beta1 is deprecated since Kubernetes 1.30"),
        (vec![&mutating_beta, MUTATING_BINDING], "apiVersion: v1beta1 is deprecated since Kubernetes 1.36"),
        (vec![VALIDATING, &plain], "spec.paramKind: no binding has a paramRef, so params is always null"),
        (
            vec![&paramless, VALIDATING_BINDING],
            "spec.paramRef: has no effect, since replicas.example.com has no paramKind",
        ),
    ];
    for (documents, message) in cases {
        let found = lints(&documents, MINOR);
        let [finding] = found.as_slice() else { panic!("{message}: one finding: {found:#?}") };
        assert!(finding.contains(message), "{finding}");
    }
}

#[test]
fn a_version_is_deprecated_only_once_there_is_a_better_one() {
    let beta = |text: &str| text.replace("k8s.io/v1\n", "k8s.io/v1beta1\n");
    assert_eq!(lints(&[&beta(MUTATING), &beta(MUTATING_BINDING)], 35), [] as [&str; 0]);
}

#[test]
fn says_what_an_older_cluster_would_refuse_and_which_admits_it() {
    let sorted = VALIDATING.replace("  variables:\n", "  variables:\n  - {name: newer, expression: '[2, 1].sort()'}\n");
    let sorted = sorted.replace("params.maxReplicas", "params.maxReplicas + variables.newer[0]");
    // Kubernetes 1.34 knows it, and takes it in no new policy.
    let newer = Some("needs Kubernetes 1.35");
    for (minor, expected) in [(33, newer), (34, newer), (35, None)] {
        let found = lints(&[&sorted, VALIDATING_BINDING], minor);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{found:#?}");
        assert!(found.iter().all(|finding| expected.is_some_and(|message| finding.contains(message))), "{found:#?}");
    }
    for (minor, expected) in [
        (31, "v1 needs Kubernetes 1.36; Kubernetes 1.31 has no mutating policies"),
        (32, "v1 needs Kubernetes 1.36; write admissionregistration.k8s.io/v1alpha1"),
        (35, "v1 needs Kubernetes 1.36; write admissionregistration.k8s.io/v1beta1"),
    ] {
        let found = lints(&[MUTATING, MUTATING_BINDING], minor);
        assert!(found.iter().any(|finding| finding.contains(expected)), "{minor}: {found:#?}");
    }
}

#[test]
fn findings_stand_in_the_order_of_lines() {
    let broken = VALIDATING.replace("reason: Forbidden", "reason: no").replace("k8s.io/v1\n", "k8s.io/v1beta1\n");
    let found = findings(broken, MINOR);
    let [version, binding, reason] = found.as_slice() else { panic!("three findings: {found:#?}") };
    assert!(matches!(version, Lint::Warning { field, .. } if field == "apiVersion"));
    assert!(matches!(binding, Lint::Warning { field, .. } if field.is_empty()));
    assert!(matches!(reason, Lint::Error(_)));
    assert!(version.at().line <= binding.at().line && binding.at().line < reason.at().line);
}

#[test]
fn warns_of_rules_that_can_never_match() {
    let rule = "apiGroups: [GROUPS], apiVersions: [VERSIONS], operations: [OPERATIONS], resources: [RESOURCES]";
    let policy = |groups: &str, versions: &str, operations: &str, resources: &str| {
        let rule = rule.replace("GROUPS", groups).replace("VERSIONS", versions);
        let rule = rule.replace("OPERATIONS", operations).replace("RESOURCES", resources);
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n  \
             matchConstraints: {{resourceRules: [{{{rule}}}]}}\n  validations: [{{expression: 'true'}}]\n---\n\
             apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
             metadata: {{name: p}}\nspec: {{policyName: p, validationActions: [Deny]}}\n"
        )
    };
    for (groups, versions, operations, resources, field, message) in [
        ("''", "v1", "CREATE", "ConfigMap", "resources[0]", "write configmaps"),
        ("''", "v1", "CREATE", "pods, pod", "resources[1]", "write pods"),
        ("'*'", "'*'", "CREATE", "Deployment/scale", "resources[0]", "write deployments/scale"),
        ("''", "v1", "CREATE", "deployments", "resources[0]", "write apiGroups: [apps]"),
        ("apps", "v1", "CREATE", "pods", "resources[0]", "write apiGroups: [\"\"]"),
        ("apps", "v1", "CREATE", "deploymnets", "resources[0]", "write deployments"),
        ("example.com", "v1", "CREATE", "Widget", "resources[0]", "plurals in lower case"),
        ("core", "v1", "CREATE", "pods", "apiGroups[0]", "write \"\""),
        ("apps/v1", "v1", "CREATE", "deployments", "apiGroups[0]", "write apps, and v1 in apiVersions"),
        ("app", "v1", "CREATE", "deployments", "apiGroups[0]", "write apps"),
        ("apps", "apps/v1", "CREATE", "deployments", "apiVersions[0]", "write v1, and apps in apiGroups"),
        ("apps", "v2", "CREATE", "deployments", "apiVersions", "write v1"),
        ("''", "v1", "CREATE", "pods], scope: Cluster, resourceNames: [a", "scope", "write Namespaced"),
        ("''", "v1", "CREATE", "nodes], scope: Namespaced, resourceNames: [a", "scope", "write Cluster"),
        ("''", "v1", "CREATE", "pods/exec", "operations", "write CONNECT"),
        ("''", "v1", "CONNECT", "pods", "operations", "write CREATE, UPDATE or DELETE"),
    ] {
        let found = lints(&[&policy(groups, versions, operations, resources)], MINOR);
        let [finding] = found.as_slice() else { panic!("{resources}: one finding: {found:#?}") };
        let field = format!("spec.matchConstraints.resourceRules[0].{field}: ");
        assert!(finding.contains(&field) && finding.contains(message), "{finding}");
    }
    for (groups, versions, operations, resources) in [
        ("'', apps", "v1", "CREATE", "pods, deployments"),
        ("apps", "v1beta1, v1", "UPDATE", "deployments/scale"),
        ("'*'", "'*'", "'*'", "'*'"),
        ("example.com", "v1", "CREATE", "widget"),
        ("''", "v1", "CONNECT", "pods/exec, services/proxy"),
    ] {
        assert_eq!(lints(&[&policy(groups, versions, operations, resources)], MINOR), [] as [&str; 0]);
    }
}

#[test]
fn a_binding_with_a_mistake_is_not_missing_too() {
    for (from, to) in [
        ("[Deny, Audit]", "[Dney, Audit]"),
        ("policyName: replicas.example.com", "policyName: replica.example.com"),
        ("k8s.io/v1\n", "k8s.io/v9\n"),
    ] {
        let binding = VALIDATING_BINDING.replace(from, to);
        assert_ne!(binding, VALIDATING_BINDING, "{from}");
        let found = lints(&[VALIDATING, &binding], MINOR);
        assert!(found.iter().all(|finding| !finding.contains("no binding names")), "{to}: {found:#?}");
        assert!(!found.is_empty(), "{to}");
    }
}

#[test]
fn reads_policies_in_lists() {
    let list = |kind: &str, items: &str| {
        format!("{{apiVersion: admissionregistration.k8s.io/v1, kind: {kind}, items: [{items}]}}\n")
    };
    let item = |name: &str| {
        format!(
            "{{metadata: {{name: {name}}}, spec: {{matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: \
             [v1], operations: [CREATE], resources: [pods]}}]}}, validations: [{{expression: 'true'}}]}}}}"
        )
    };
    let text = list("ValidatingAdmissionPolicyList", &format!("{}, {}", item("a"), item("b")));
    let found = lints(&[&text], MINOR);
    let [a, b] = found.as_slice() else { panic!("two policies without a binding: {found:#?}") };
    assert!(a.contains("policyName: a") && b.contains("policyName: b"), "{found:#?}");
    let binding = "{metadata: {name: a}, spec: {policyName: a, validationActions: [Deny]}}";
    let bindings = list("ValidatingAdmissionPolicyBindingList", binding);
    assert_eq!(lints(&[&text, &bindings], MINOR).len(), 1, "one is bound");
    let named = "{apiVersion: example.com/v1, kind: AllowList, metadata: {name: x}, items: [a]}\n";
    assert_eq!(lints(&[named], MINOR), [] as [&str; 0], "a param with items is no list");
}
