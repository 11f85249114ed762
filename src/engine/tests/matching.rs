//! Which requests a policy and its bindings concern. Upstream: `matching/matching_test.go`.

use super::*;

/// Whether a policy with these match constraints is asked about a request.
fn is_matched(constraints: &str, ask: &Ask<'_>) -> bool {
    let spec = format!("  matchConstraints: {{{constraints}}}\n  validations: [{{expression: 'false'}}]");
    !review(&validating(&spec), ask).findings.is_empty()
}

fn rule(rest: &str) -> String {
    let field = |name: &str, default: &str| match rest.contains(name) {
        true => String::new(),
        false => format!("{name}: {default}, "),
    };
    format!(
        "{{{}{}{}{}{rest}}}",
        field("apiGroups", "['']"),
        field("apiVersions", "[v1]"),
        field("operations", "['*']"),
        field("resources", "[pods]")
    )
}

#[test]
fn rules_match_by_group_version_resource_operation_scope_and_name() {
    let pod = Ask::default();
    let status = Ask { sub_resource: "status", ..pod.clone() };
    let deployment = Ask {
        group: "apps",
        kind: "Deployment",
        resource: "deployments",
        operation: Operation::Delete,
        object: "null",
        ..pod.clone()
    };
    let scale = Ask { sub_resource: "scale", ..deployment.clone() };
    let node = Ask { kind: "Node", resource: "nodes", namespace: "", ..pod.clone() };
    let namespace = Ask { kind: "Namespace", resource: "namespaces", name: "media", ..pod.clone() };
    for (given, ask, expected) in [
        ("", &pod, true),
        ("resources: ['*']", &pod, true),
        ("resources: [services]", &pod, false),
        ("resources: [services, pods]", &pod, true),
        ("apiGroups: [apps]", &pod, false),
        ("apiGroups: ['*']", &pod, true),
        ("apiVersions: [v2]", &pod, false),
        ("apiVersions: ['*']", &pod, true),
        ("operations: [UPDATE]", &pod, false),
        ("operations: [UPDATE, CREATE]", &pod, true),
        ("resources: [pods]", &status, false),
        ("resources: ['*']", &status, false),
        ("resources: [pods/status]", &status, true),
        ("resources: ['pods/*']", &status, true),
        ("resources: ['pods/*']", &pod, true),
        ("resources: ['*/status']", &status, true),
        ("resources: ['*/status']", &pod, false),
        ("resources: ['*/*']", &status, true),
        ("resources: [pods/scale]", &status, false),
        ("apiGroups: [apps], resources: ['*/scale']", &scale, true),
        ("apiGroups: [apps], resources: [deployments]", &deployment, true),
        ("scope: Namespaced", &pod, true),
        ("scope: Cluster", &pod, false),
        ("scope: '*'", &pod, true),
        ("resources: [nodes], scope: Cluster", &node, true),
        ("resources: [nodes], scope: Namespaced", &node, false),
        // A request for a Namespace carries a namespace, yet the object is cluster-scoped.
        ("resources: [namespaces], scope: Cluster", &namespace, true),
        ("resources: [namespaces], scope: Namespaced", &namespace, false),
        ("resourceNames: [web, db]", &pod, true),
        ("resourceNames: [db]", &pod, false),
    ] {
        let constraints = format!("resourceRules: [{}]", rule(given));
        assert_eq!(is_matched(&constraints, ask), expected, "{given} {} {}", ask.resource, ask.sub_resource);
    }
}

#[test]
fn exclude_rules_win() {
    for (excluded, expected) in [
        ("operations: [CREATE]", false),
        ("operations: [DELETE]", true),
        ("resourceNames: [web]", false),
        ("resourceNames: [db]", true),
    ] {
        let constraints = format!("resourceRules: [{}], excludeResourceRules: [{}]", rule(""), rule(excluded));
        assert_eq!(is_matched(&constraints, &Ask::default()), expected, "{excluded}");
    }
}

#[test]
fn equivalent_group_versions_match_unless_the_policy_is_exact() {
    let hpa = Ask {
        group: "autoscaling",
        version: "v1",
        kind: "HorizontalPodAutoscaler",
        resource: "horizontalpodautoscalers",
        ..Ask::default()
    };
    let old = Ask {
        group: "extensions",
        version: "v1beta1",
        kind: "Deployment",
        resource: "deployments",
        object: r#"{"metadata": {"name": "web"}}"#,
        ..Ask::default()
    };
    let v2 = "apiGroups: [autoscaling], apiVersions: [v2], resources: [horizontalpodautoscalers]";
    let apps = "apiGroups: [apps], resources: [deployments]";
    let legacy = "apiGroups: [extensions], apiVersions: [v1beta1], resources: [deployments]";
    let new = Ask { group: "apps", version: "v1", ..old.clone() };
    for (given, policy, ask, expected) in [
        (v2, "Equivalent", &hpa, true),
        (v2, "Exact", &hpa, false),
        (apps, "Equivalent", &old, true),
        (apps, "Exact", &old, false),
        // No supported cluster serves the legacy version, so nothing new is equivalent to it.
        (legacy, "Equivalent", &new, false),
    ] {
        let constraints = format!("matchPolicy: {policy}, resourceRules: [{}]", rule(given));
        assert_eq!(is_matched(&constraints, ask), expected, "{given} {policy}");
    }
}

#[test]
fn expressions_see_the_version_that_was_matched() {
    let hpa = Ask {
        group: "autoscaling",
        version: "v1",
        kind: "HorizontalPodAutoscaler",
        resource: "horizontalpodautoscalers",
        ..Ask::default()
    };
    let spec = "  matchConstraints: {resourceRules: [{apiGroups: [autoscaling], apiVersions: [v2], operations: ['*'], \
                resources: [horizontalpodautoscalers]}]}\n  \
                validations: [{expression: \"request.kind.version == 'v2' && request.resource.version == 'v2' \
                && request.requestKind.version == 'v1' && request.requestResource.version == 'v1'\"}]";
    assert_eq!(review(&validating(spec), &hpa).findings, ["p/b Pass Pass "]);
}

#[test]
fn namespace_selectors_look_at_the_namespace() {
    let selector = |expression: &str| {
        format!(
            "namespaceSelector: {{matchExpressions: [{expression}]}}, resourceRules: [{}]",
            rule("resources: ['*']")
        )
    };
    let media: &[(&str, &str)] = &[("media", r#"{"metadata": {"name": "media", "labels": {"team": "tv"}}}"#)];
    let pod = Ask { namespaces: media, ..Ask::default() };
    let unknown = Ask { namespace: "new", ..pod.clone() };
    let node = Ask { kind: "Node", resource: "nodes", namespace: "", ..pod.clone() };
    let created = Ask {
        kind: "Namespace",
        resource: "namespaces",
        name: "media",
        object: r#"{"metadata": {"name": "media", "labels": {"team": "radio"}}}"#,
        ..pod.clone()
    };
    let deleted = Ask { operation: Operation::Delete, object: "null", ..created.clone() };
    let tv = "{key: team, operator: In, values: [tv]}";
    let not_tv = "{key: team, operator: NotIn, values: [tv]}";
    let named = "{key: kubernetes.io/metadata.name, operator: In, values: [new]}";
    for (expression, ask, expected) in [
        (tv, &pod, true),
        (not_tv, &pod, false),
        (tv, &unknown, false),
        // A namespace that nobody knows has its name as a label.
        (named, &unknown, true),
        (not_tv, &unknown, true),
        (tv, &node, true),
        // A Namespace that is written is judged by its new labels, one that is deleted by those it has.
        (tv, &created, false),
        (not_tv, &created, true),
        (tv, &deleted, true),
    ] {
        assert_eq!(
            is_matched(&selector(expression), ask),
            expected,
            "{expression} {} {:?}",
            ask.resource,
            ask.operation
        );
    }
}

#[test]
fn object_selectors_look_at_the_new_and_the_old_object() {
    let constraints =
        format!("objectSelector: {{matchLabels: {{app: web}}}}, resourceRules: [{}]", rule("resources: ['*/*']"));
    const WEB: &str = r#"{"metadata": {"labels": {"app": "web"}}}"#;
    const DB: &str = r#"{"metadata": {"labels": {"app": "db"}}}"#;
    for (object, old_object, operation, expected) in [
        (WEB, "null", Operation::Create, true),
        (DB, "null", Operation::Create, false),
        (DB, WEB, Operation::Update, true),
        (WEB, DB, Operation::Update, true),
        (DB, DB, Operation::Update, false),
        ("null", WEB, Operation::Delete, true),
        ("{}", "null", Operation::Create, false),
        (WEB, "null", Operation::Connect, false),
    ] {
        let ask = Ask { object, old_object, operation, ..Ask::default() };
        assert_eq!(is_matched(&constraints, &ask), expected, "{object} {old_object} {operation:?}");
    }
}

#[test]
fn a_binding_narrows_what_its_policy_matches() {
    for (resources, expected) in [
        (format!("resourceRules: [{}]", rule("")), true),
        (format!("resourceRules: [{}]", rule("resources: [services]")), false),
        ("objectSelector: {matchLabels: {app: web}}".to_owned(), true),
        ("objectSelector: {matchLabels: {app: db}}".to_owned(), false),
        (format!("excludeResourceRules: [{}]", rule("")), false),
    ] {
        let binding = format!("  validationActions: [Deny]\n  matchResources: {{{resources}}}\n");
        let set = validating_bound("  validations: [{expression: 'false'}]", &binding);
        assert_eq!(review(&set, &Ask::default()).denied.is_some(), expected, "{resources}");
    }
}

#[test]
fn policies_are_never_asked_about_policies_and_reviews() {
    for (group, kind, resource) in [
        ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
        ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
        ("authentication.k8s.io", "TokenReview", "tokenreviews"),
        ("authorization.k8s.io", "SubjectAccessReview", "subjectaccessreviews"),
    ] {
        let ask = Ask { group, kind, resource, namespace: "", ..Ask::default() };
        assert!(review(&validating("  validations: [{expression: 'false'}]"), &ask).findings.is_empty(), "{resource}");
    }
    let ask = Ask {
        group: "admissionregistration.k8s.io",
        kind: "ValidatingWebhookConfiguration",
        resource: "validatingwebhookconfigurations",
        namespace: "",
        ..Ask::default()
    };
    assert!(review(&validating("  validations: [{expression: 'false'}]"), &ask).denied.is_some());
}

#[test]
fn expressions_see_the_request_and_the_namespace() {
    let media: &[(&str, &str)] = &[(
        "media",
        r#"{"metadata": {"name": "media", "labels": {"team": "tv"}, "managedFields": []}, "status": {"phase": "Active"}}"#,
    )];
    for expression in [
        "request.operation == 'CREATE'",
        "request.name == 'web' && request.namespace == 'media'",
        "request.kind.kind == 'Pod' && request.resource.resource == 'pods'",
        "request.userInfo.username == 'alice' && 'system:authenticated' in request.userInfo.groups",
        "!request.dryRun",
        "!has(request.subResource)",
        "namespaceObject.metadata.labels['team'] == 'tv'",
        "namespaceObject.status.phase == 'Active'",
        "oldObject == null",
    ] {
        let set = validating(&format!("  validations: [{{expression: \"{expression}\"}}]"));
        let seen = review(&set, &Ask { namespaces: media, ..Ask::default() });
        assert_eq!(seen.findings, ["p/b Pass Pass "], "{expression}");
    }
    let cluster = Ask { namespace: "", ..Ask::default() };
    let set = validating("  validations: [{expression: 'namespaceObject == null && !has(request.namespace)'}]");
    assert_eq!(review(&set, &cluster).findings, ["p/b Pass Pass "]);
}
