//! What mutating policies change, in which order, and when again. Upstream: `mutating/dispatcher_test.go`,
//! `mutating/patch/json_patch_test.go`.

use super::*;

fn json_patch(expression: &str) -> String {
    format!(
        "  failurePolicy: Fail\n  reinvocationPolicy: Never\n  mutations: [{{patchType: JSONPatch, jsonPatch: {{expression: '{expression}'}}}}]"
    )
}

fn object_after(seen: &Seen) -> &str {
    seen.mutated.as_ref().map(|(object, _)| object.as_str()).unwrap_or_default()
}

#[test]
fn patches_are_applied_and_the_policies_named() {
    let set = policies(&mutating("p", &json_patch(r#"[JSONPatch{op: "replace", path: "/spec/replicas", value: 5}]"#)));
    let seen = review(&set, &custom());
    assert_eq!(
        seen.mutated,
        Some((
            r#"{"metadata":{"name":"web","labels":{"app":"web"}},"spec":{"replicas":5}}"#.to_owned(),
            vec!["p".to_owned()]
        ))
    );
    assert_eq!(seen.denied, None);
}

#[test]
fn values_of_every_type_can_be_patched_in() {
    for (value, expected) in [
        ("1", "1"),
        ("1.0", "1"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("null", "null"),
        (r#""x""#, r#""x""#),
        (r#"{"a": [1, 2]}"#, r#"{"a":[1,2]}"#),
        (r#"Object.spec{replicas: 2}"#, r#"{"replicas":2}"#),
        (r#"duration("90s")"#, r#""90s""#),
        ("object.metadata.labels", r#"{"app":"web"}"#),
    ] {
        let patch = format!(r#"[JSONPatch{{op: "add", path: "/x", value: {value}}}]"#);
        let seen = review(&policies(&mutating("p", &json_patch(&patch))), &custom());
        assert!(object_after(&seen).ends_with(&format!(r#""x":{expected}}}"#)), "{value}: {seen:?}");
    }
}

#[test]
fn a_failed_test_leaves_the_object_alone() {
    let patch = r#"[JSONPatch{op: "test", path: "/spec/replicas", value: 4}, JSONPatch{op: "remove", path: "/spec"}]"#;
    let seen = review(&policies(&mutating("p", &json_patch(patch))), &custom());
    assert_eq!((seen.mutated, seen.denied), (None, None));
}

#[test]
fn a_patch_that_changes_nothing_is_no_mutation() {
    let nothing = r#"false ? [JSONPatch{op: "remove", path: "/spec"}] : []"#;
    for patch in [nothing, r#"[JSONPatch{op: "replace", path: "/spec/replicas", value: 3}]"#] {
        assert_eq!(review(&policies(&mutating("p", &json_patch(patch))), &custom()).mutated, None, "{patch}");
    }
}

#[test]
fn errors_deny_with_upstreams_words_unless_the_policy_ignores_them() {
    let patch = r#"[JSONPatch{op: "add", path: "/x", value: object.missing}]"#;
    let seen = review(&policies(&mutating("p", &json_patch(patch))), &custom());
    let message = format!("expression '{patch}' resulted in error: no such key: missing");
    assert_eq!(
        seen.denied,
        Some((format!("policy 'p' with binding 'p' denied request: {message}"), "Invalid".to_owned(), 403))
    );
    let ignoring = json_patch(patch).replace("failurePolicy: Fail", "failurePolicy: Ignore");
    let seen = review(&policies(&mutating("p", &ignoring)), &custom());
    assert_eq!(seen.denied, None);
    assert_eq!(seen.findings, [format!("p/p Error Error {message}")]);
}

#[test]
fn a_patch_that_does_not_apply_is_an_error() {
    let patch = r#"[JSONPatch{op: "remove", path: "/missing"}]"#;
    let seen = review(&policies(&mutating("p", &json_patch(patch))), &custom());
    assert!(seen.message().starts_with("policy 'p' with binding 'p' denied request: JSON Patch: "), "{seen:?}");
    assert_eq!(seen.mutated, None);
}

#[test]
fn later_policies_see_what_earlier_ones_made() {
    let first = json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#);
    let second = json_patch(r#"has(object.a) ? [JSONPatch{op: "add", path: "/b", value: object.a + 1}] : []"#);
    let set = policies(&format!("{}{}", mutating("a-first", &first), mutating("b-second", &second)));
    let seen = review(&set, &custom());
    assert!(object_after(&seen).ends_with(r#""a":1,"b":2}"#), "{seen:?}");
    assert_eq!(seen.mutated.map(|(_, policies)| policies), Some(vec!["a-first".to_owned(), "b-second".to_owned()]));
}

#[test]
fn policies_that_ask_for_it_run_again_after_a_change() {
    let first = json_patch(r#"has(object.b) ? [JSONPatch{op: "add", path: "/a", value: 1}] : []"#);
    let second = json_patch(r#"[JSONPatch{op: "add", path: "/b", value: 1}]"#);
    for (policy, expected) in [("Never", false), ("IfNeeded", true)] {
        let first = first.replace("reinvocationPolicy: Never", &format!("reinvocationPolicy: {policy}"));
        let set = policies(&format!("{}{}", mutating("a-first", &first), mutating("b-second", &second)));
        assert_eq!(object_after(&review(&set, &custom())).contains(r#""a":1"#), expected, "{policy}");
    }
}

#[test]
fn a_policy_runs_again_at_most_once() {
    let append = json_patch(r#"[JSONPatch{op: "add", path: "/n", value: has(object.n) ? int(object.n) + 1 : 1}]"#)
        .replace("reinvocationPolicy: Never", "reinvocationPolicy: IfNeeded");
    let seen = review(&policies(&mutating("p", &append)), &custom());
    assert!(object_after(&seen).ends_with(r#""n":2}"#), "{seen:?}");
}

#[test]
fn match_conditions_leave_objects_out() {
    let spec = json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#);
    for (condition, expected) in [("true", true), ("false", false)] {
        let spec = format!("  matchConditions: [{{name: c, expression: '{condition}'}}]\n{spec}");
        assert_eq!(review(&policies(&mutating("p", &spec)), &custom()).mutated.is_some(), expected);
    }
}

#[test]
fn apply_configurations_are_merged() {
    let spec = "  failurePolicy: Fail\n  reinvocationPolicy: Never\n  mutations: [{patchType: ApplyConfiguration, \
                applyConfiguration: {expression: 'Object{metadata: Object.metadata{labels: {\"new\": \"1\"}}}'}}]";
    let seen = review(&policies(&mutating("p", spec)), &Ask::default());
    assert!(object_after(&seen).contains(r#""app":"web""#), "{seen:?}");
    assert!(object_after(&seen).contains(r#""new":"1""#), "{seen:?}");
}

#[test]
fn misnamed_object_types_are_errors() {
    let spec = "  failurePolicy: Fail\n  reinvocationPolicy: Never\n  mutations: [{patchType: ApplyConfiguration, \
                applyConfiguration: {expression: 'Object{spec: Object.metadata{}}'}}]";
    let seen = review(&policies(&mutating("p", spec)), &Ask::default());
    assert_eq!(
        seen.message(),
        "policy 'p' with binding 'p' denied request: type mismatch: unexpected type name \"Object.metadata\", \
         expected \"Object.spec\", which matches field name path from root Object type"
    );
}

#[test]
fn a_deadline_leaves_the_object_alone_and_fails_by_the_failure_policy() {
    let set = policies(&mutating("p", &json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#)));
    let seen = review(&set, &Ask { deadline: Some(Instant::now()), phase: Phase::Mutate, ..custom() });
    assert_eq!(
        seen.message(),
        "policy 'p' with binding 'p' denied request: operation interrupted: the request's timeout has passed"
    );
    assert_eq!(seen.mutated, None);
}

#[test]
fn only_enforcing_mutates() {
    let set = policies(&mutating("p", &json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#)));
    for mode in [Mode::Audit, Mode::Warn] {
        let seen = review(&set, &Ask { mode, ..custom() });
        assert_eq!(seen.mutated, None, "{mode:?}");
        assert!(seen.would_mutate.is_some_and(|(object, _)| object.contains(r#""a":1"#)), "{mode:?}");
    }
}

#[test]
fn errors_of_mutation_are_capped_by_the_mode() {
    let set = policies(&mutating("p", &json_patch(r#"[JSONPatch{op: "remove", path: "/missing"}]"#)));
    let warned = review(&set, &Ask { mode: Mode::Warn, ..custom() });
    assert_eq!((warned.denied.is_none(), warned.warnings.len()), (true, 1), "{warned:?}");
    let audited = review(&set, &Ask { mode: Mode::Audit, ..custom() });
    assert_eq!((audited.denied.is_none(), audited.warnings.len()), (true, 0), "{audited:?}");
    assert!(audited.findings.iter().any(|finding| finding.starts_with("p/p Deny Audit JSON Patch: ")), "{audited:?}");
}

#[test]
fn each_phase_runs_its_own_policies() {
    let mutation = mutating("m", &json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#));
    let set = policies(&format!(
        "{mutation}apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: v}}\nspec:\n\
         {EVERYTHING}  validations: [{{expression: 'has(object.a)', message: m}}]\n---\n\
         apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\n\
         spec: {{policyName: v, validationActions: [Deny]}}\n"
    ));
    for (phase, mode, mutates, denies) in [
        (Phase::Mutate, Mode::Enforce, true, false),
        (Phase::Validate, Mode::Enforce, false, true),
        (Phase::Both, Mode::Enforce, true, false),
        // Nothing was mutated before, but the findings are those of an enforced cluster.
        (Phase::Validate, Mode::Audit, false, false),
    ] {
        let seen = review(&set, &Ask { phase, mode, ..custom() });
        assert_eq!(seen.mutated.is_some(), mutates, "{phase:?} {mode:?}");
        assert_eq!(seen.findings.iter().any(|finding| finding.starts_with("v/b Deny")), denies, "{phase:?} {mode:?}");
        assert_eq!(seen.would_mutate, None, "{phase:?} {mode:?}");
    }
}

#[test]
fn nothing_is_mutated_on_delete() {
    let spec = json_patch(r#"[JSONPatch{op: "add", path: "/a", value: 1}]"#);
    let spec = format!("{spec}\n  matchConditions: [{{name: fails, expression: 'object.spec.nope == 1'}}]");
    let set = policies(&mutating("p", &spec).replace("[CREATE, UPDATE]", "['*']"));
    let ask = Ask { operation: Operation::Delete, object: "null", old_object: Ask::default().object, ..custom() };
    let seen = review(&set, &ask);
    assert_eq!((seen.mutated, seen.denied), (None, None));
}

const SEES_PULL_POLICY: &str = r#"object.spec.?containers[0].?imagePullPolicy.hasValue() ? [JSONPatch{op: "add", path: "/apiVersion", value: "v1"}] : []"#;

#[test]
fn what_a_policy_adds_has_its_defaults_when_the_next_one_runs() {
    let add = r#"[JSONPatch{op: "add", path: "/spec/containers", value: [{"name": "a", "image": "app"}]}]"#;
    let first = mutating("a-first", &json_patch(add));
    let set = policies(&format!("{first}{}", mutating("b-second", &json_patch(SEES_PULL_POLICY))));
    for (defaulting, seen_by_second) in [(true, true), (false, false)] {
        let seen = review(&set, &Ask { object: r#"{"spec":{}}"#, defaulting, ..Ask::default() });
        let seen_by_second = if seen_by_second { r#","apiVersion":"v1""# } else { "" };
        // The answer holds what the policies changed: the API server sets the defaults of the result itself.
        let expected = format!(r#"{{"spec":{{"containers":[{{"name":"a","image":"app"}}]}}{seen_by_second}}}"#);
        assert_eq!(object_after(&seen), expected);
    }
}

#[test]
fn a_change_that_defaulting_takes_back_is_none() {
    let set = policies(&mutating("p", &json_patch(r#"[JSONPatch{op: "remove", path: "/spec/dnsPolicy"}]"#)));
    let arena = Arena::new();
    let kind = GroupVersionKind { group: "", version: "v1", kind: "Pod" };
    let object = json::to_json(crate::defaulting::default(&arena, kind, parse(&arena, r#"{"spec":{}}"#)));
    assert_eq!(review(&set, &Ask { object: &object, ..Ask::default() }).mutated, None);
}

/// A request about a custom resource, whose fields may be called anything.
pub(super) fn custom() -> Ask<'static> {
    Ask { group: "example.com", kind: "Widget", resource: "widgets", ..Ask::default() }
}

#[test]
fn a_patched_object_that_cannot_be_decoded_fails_the_request() {
    let spec = json_patch(r#"[JSONPatch{op: "add", path: "/spec/nope", value: 1}]"#);
    for spec in [spec.clone(), spec.replace("failurePolicy: Fail", "failurePolicy: Ignore")] {
        let later = json_patch(r#"[JSONPatch{op: "remove", path: "/missing"}]"#);
        let set = policies(&format!("{}{}", mutating("a", &spec), mutating("b", &later)));
        let seen = review(&set, &Ask { phase: Phase::Mutate, object: r#"{"spec": {}}"#, ..Ask::default() });
        let message = r#"Internal error occurred: strict decoding error: unknown field "spec.nope""#;
        assert_eq!(seen.denied, Some((message.to_owned(), "InternalError".to_owned(), 500)), "{spec}");
        assert_eq!(seen.causes, [message], "{spec}");
    }
}
