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

/// A validating policy, bound, with these match constraints in flow style.
fn constrained(constraints: &str) -> String {
    bound(constraints, "")
}

/// The same with further fields of the binding's spec.
fn bound(constraints: &str, binding: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n  \
         matchConstraints: {{{constraints}}}\n  validations: [{{expression: 'true'}}]\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
         metadata: {{name: p}}\nspec: {{policyName: p, validationActions: [Deny]{binding}}}\n"
    )
}

#[test]
fn warns_of_rules_that_can_never_match() {
    let policy = |groups: &str, versions: &str, operations: &str, resources: &str| {
        constrained(&format!(
            "resourceRules: [{{apiGroups: [{groups}], apiVersions: [{versions}], operations: [{operations}], \
             resources: [{resources}]}}]"
        ))
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
        (
            "admissionregistration.k8s.io",
            "v1",
            "CREATE",
            "validatingwebhookconfigurations, validatingadmissionpolicies",
            "resources[1]",
            "policies are never asked about validatingadmissionpolicies",
        ),
        ("authentication.k8s.io", "v1", "CREATE", "tokenreviews", "resources[0]", "never asked about tokenreviews"),
        ("''", "v1", "CREATE, CREATE", "pods", "operations[1]", "\"CREATE\" stands there twice"),
        ("'', apps, ''", "v1", "CREATE", "pods", "apiGroups[2]", "\"\" stands there twice"),
        ("''", "v1, v1", "CREATE", "pods", "apiVersions[1]", "\"v1\" stands there twice"),
        ("''", "v1", "CREATE", "pods, nodes, pods", "resources[2]", "\"pods\" stands there twice"),
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

#[test]
fn warns_of_what_contradicts_itself() {
    let pods = "resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE, DELETE], resources: [pods, pods/x]}]";
    let nodes = pods.replace("pods, pods/x", "nodes, nodes/status");
    let selector = |name: &str, selector: &str| format!("{name}: {{{selector}}}, {pods}");
    let excluded = |rule: &str| format!("excludeResourceRules: [{rule}], {pods}");
    let all = "apiGroups: ['*'], apiVersions: ['*'], operations: ['*']";
    let cases = [
        (
            selector("objectSelector", "matchLabels: {a: x}, matchExpressions: [{key: a, operator: DoesNotExist}]"),
            Some(("objectSelector", "can never be satisfied: label a has to be there and must not be")),
        ),
        (
            selector(
                "objectSelector",
                "matchLabels: {a: x}, matchExpressions: [{key: a, operator: In, values: [v, w]}]",
            ),
            Some(("objectSelector", "label a would need several values at once")),
        ),
        (
            selector(
                "namespaceSelector",
                "matchExpressions: [{key: a, operator: In, values: [x, v]}, {key: a, operator: NotIn, values: [x]}, \
                 {key: a, operator: NotIn, values: [v, w]}]",
            ),
            Some(("namespaceSelector", "label a may have none of the values that it has to have one of")),
        ),
        (
            selector(
                "namespaceSelector",
                "matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]",
            ),
            Some(("namespaceSelector", "has to be there and must not be")),
        ),
        (
            selector(
                "objectSelector",
                "matchLabels: {a: x}, matchExpressions: [{key: a, operator: In, values: [x, v]}, {key: a, operator: \
                 NotIn, values: [v]}, {key: b, operator: DoesNotExist}, {key: a, operator: Exists}]",
            ),
            None,
        ),
        (
            selector(
                "objectSelector",
                "matchExpressions: [{key: a, operator: NotIn, values: [x]}, {key: a, operator: DoesNotExist}]",
            ),
            None,
        ),
        // What is deleted has labels, too.
        (format!("objectSelector: {{matchLabels: {{a: x}}}}, {}", pods.replace("CREATE, ", "")), None),
        (
            format!(
                "objectSelector: {{matchLabels: {{a: x}}}}, {}",
                pods.replace("CREATE, DELETE", "CONNECT").replace("pods, pods/x", "pods/exec")
            ),
            Some(("objectSelector", "what is sent to CONNECT has no labels")),
        ),
        (
            format!("namespaceSelector: {{matchLabels: {{a: x}}}}, {nodes}"),
            Some(("namespaceSelector", "has no effect, since the rules name only resources that live in no namespace")),
        ),
        (format!("namespaceSelector: {{matchLabels: {{a: x}}}}, {}", nodes.replace("nodes,", "namespaces,")), None),
        (format!("namespaceSelector: {{}}, {nodes}"), None),
        (format!("namespaceSelector: {{matchLabels: {{a: x}}}}, {}", nodes.replace("nodes,", "pods,")), None),
        (
            "namespaceSelector: {matchLabels: {a: x}}, resourceRules: [{apiGroups: [pets.io], apiVersions: [v1], \
             operations: [CREATE], resources: [cats], scope: Cluster}]"
                .to_owned(),
            Some(("namespaceSelector", "has no effect")),
        ),
        (
            excluded(&format!("{{{all}, resources: ['*/*']}}")),
            Some(("resourceRules[0]", "can never match, since excludeResourceRules[0] leaves all of it out")),
        ),
        (excluded(&format!("{{{all}, resources: ['pods/*']}}")), Some(("resourceRules[0]", "leaves all of it out"))),
        (excluded(&format!("{{{all}, resources: ['*']}}")), None),
        (excluded(&format!("{{{all}, resources: ['*/*'], resourceNames: [a]}}")), None),
        (excluded(&format!("{{{all}, resources: ['*/*'], scope: Cluster}}")), None),
        (
            excluded(&format!("{{{}, resources: ['*/*']}}", all.replace("operations: ['*']", "operations: [CREATE]"))),
            None,
        ),
    ];
    for (constraints, expected) in cases {
        let found = lints(&[&constrained(&constraints)], MINOR);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{constraints}: {found:#?}");
        if let (Some((field, message)), [finding]) = (expected, found.as_slice()) {
            let field = format!("spec.matchConstraints.{field}: ");
            assert!(finding.contains(&field) && finding.contains(message), "{constraints}: {finding}");
        }
    }
}

#[test]
fn warns_of_bindings_that_contradict_their_policy() {
    let rule = |operations: &str, resources: &str| {
        format!(
            "resourceRules: [{{apiGroups: ['*'], apiVersions: ['*'], operations: [{operations}], resources: [{resources}]}}]"
        )
    };
    let labels =
        |value: &str| format!("namespaceSelector: {{matchLabels: {{env: {value}}}}}, {}", rule("CREATE", "pods"));
    let cases = [
        (rule("CREATE", "pods"), rule("CREATE", "deployments"), Some(("resourceRules[0]", "none of its resources"))),
        (rule("CREATE", "pods"), rule("UPDATE", "pods"), Some(("resourceRules[0]", "resources and operations"))),
        (rule("CREATE", "pods"), rule("CREATE", "pods/exec"), Some(("resourceRules[0]", "can never match"))),
        (rule("CREATE", "pods"), rule("'*'", "'*'"), None),
        (rule("'*'", "'pods/*'"), rule("UPDATE", "'*/ephemeralcontainers'"), None),
        (
            labels("prod"),
            labels("dev"),
            Some(("namespaceSelector", "together with the policy's: label env would need several")),
        ),
        (labels("prod"), labels("prod"), None),
    ];
    for (policy, binding, expected) in cases {
        let found = lints(&[&bound(&policy, &format!(", matchResources: {{{binding}}}"))], MINOR);
        assert_eq!(found.len(), usize::from(expected.is_some()), "{policy} {binding}: {found:#?}");
        if let (Some((field, message)), [finding]) = (expected, found.as_slice()) {
            let field = format!("Binding/p: spec.matchResources.{field}: ");
            assert!(finding.contains(&field) && finding.contains(message), "{finding}");
        }
    }
}

#[test]
fn a_rule_full_of_mistakes_gets_only_so_many_words() {
    let rule = |resources: usize| {
        let resources: Vec<_> = (0..resources).map(|index| format!("Mistake{index}")).collect();
        constrained(&format!(
            "resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [{}]}}]",
            resources.join(", ")
        ))
    };
    assert_eq!(findings(rule(19), MINOR).len(), 19);
    for some in [20, 21, 1_000] {
        assert_eq!(findings(rule(some), MINOR).len(), 20, "{some}");
    }
    let found = lint(&[Manifest::new("test.yaml", rule(1_001))], &[], MINOR);
    assert!(!found.iter().any(Lint::is_finding), "{found:#?}");
    let says = "resourceRules[0]: lists more than 1000 words";
    assert!(found.iter().any(|note| note.to_string().contains(says)), "{found:#?}");
}
