//! What failing, erring and passing validations come to. Upstream: `validating/validator_test.go`, `admission_test.go`.

use std::cell::RefCell;

use super::*;

const DENIED: &str = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ";

#[test]
fn denies_with_upstreams_words_reason_and_code() {
    for (validation, message, reason, code) in [
        ("{expression: 'object.spec.replicas < 3'}", "failed expression: object.spec.replicas < 3", "Invalid", 422),
        ("{expression: 'false', message: ' too many '}", "too many", "Invalid", 422),
        ("{expression: 'false', message: m, reason: Forbidden}", "m", "Forbidden", 403),
        ("{expression: 'false', message: m, reason: RequestEntityTooLarge}", "m", "RequestEntityTooLarge", 413),
        (
            "{expression: 'false', message: m, messageExpression: \"'has ' + string(object.spec.replicas)\"}",
            "has 3",
            "Invalid",
            422,
        ),
        // A message expression that fails, or gives nothing or several lines, leaves the message.
        ("{expression: 'false', message: m, messageExpression: 'string(object.missing)'}", "m", "Invalid", 422),
        ("{expression: 'false', message: m, messageExpression: \"' '\"}", "m", "Invalid", 422),
        ("{expression: 'false', message: m, messageExpression: \"'a\\\\nb'\"}", "m", "Invalid", 422),
        (
            "{expression: 'false', messageExpression: 'string(object.missing)'}",
            "failed expression: false",
            "Invalid",
            422,
        ),
        (
            "{expression: 'object.missing == 1'}",
            "expression 'object.missing == 1' resulted in error: no such key: missing",
            "Invalid",
            422,
        ),
    ] {
        let seen = review(&validating(&format!("  validations: [{validation}]")), &Ask::default());
        assert_eq!(seen.denied, Some((format!("{DENIED}{message}"), reason.to_owned(), code)), "{validation}");
    }
}

#[test]
fn ignores_message_expressions_that_are_too_long() {
    let set = |text: &str| {
        validating(&format!("  validations: [{{expression: 'false', message: m, messageExpression: \"'{text}'\"}}]"))
    };
    let longest = "x".repeat(5 * 1024);
    assert_eq!(review(&set(&longest), &Ask::default()).message(), format!("{DENIED}{longest}"));
    assert_eq!(review(&set(&format!("{longest}x")), &Ask::default()).message(), format!("{DENIED}m"));
}

#[test]
fn a_failure_policy_of_ignore_lets_errors_pass_but_not_violations() {
    let error = "  failurePolicy: Ignore\n  validations: [{expression: 'object.missing == 1'}]";
    let seen = review(&validating(error), &Ask::default());
    assert_eq!(seen.denied, None);
    assert_eq!(
        seen.findings,
        ["p/b Error Error expression 'object.missing == 1' resulted in error: no such key: missing"]
    );
    let violation = "  failurePolicy: Ignore\n  validations: [{expression: 'false', message: m}]";
    assert_eq!(review(&validating(violation), &Ask::default()).message(), format!("{DENIED}m"));
}

#[test]
fn evaluates_all_validations_and_lists_every_cause() {
    let spec = "  validations: [{expression: 'false', message: one}, {expression: 'true'}, \
                {expression: 'false', message: two, reason: Forbidden}]";
    let seen = review(&validating(spec), &Ask::default());
    assert_eq!(seen.denied, Some((format!("{DENIED}one"), "Invalid".to_owned(), 422)));
    assert_eq!(seen.causes, [format!("{DENIED}one"), format!("{DENIED}two")]);
    assert_eq!(seen.findings, ["p/b Deny Deny one", "p/b Deny Deny two"]);
}

#[test]
fn a_satisfied_policy_is_a_pass() {
    let seen = review(&validating("  validations: [{expression: 'true'}]"), &Ask::default());
    assert_eq!(seen.denied, None);
    assert_eq!(seen.findings, ["p/b Pass Pass "]);
}

#[test]
fn match_conditions_narrow_what_a_policy_concerns() {
    const FAILS: &str = "{name: e, expression: 'object.missing == 1'}";
    const ERROR: &str = "expression 'object.missing == 1' resulted in error: no such key: missing";
    let other = "{name: f, expression: 'object.absent == 1'}";
    let both = format!("[{ERROR}, expression 'object.absent == 1' resulted in error: no such key: absent]");
    for (conditions, policy, expected) in [
        ("{name: t, expression: 'true'}".to_owned(), "Fail", vec!["p/b Deny Deny m".to_owned()]),
        ("{name: f, expression: 'false'}".to_owned(), "Fail", vec![]),
        // One false condition decides, whatever the others do.
        (format!("{FAILS}, {{name: f, expression: 'false'}}"), "Fail", vec![]),
        (format!("{{name: f, expression: 'false'}}, {FAILS}"), "Fail", vec![]),
        (format!("{FAILS}, {{name: t, expression: 'true'}}"), "Fail", vec![format!("p/b Deny Deny {ERROR}")]),
        (format!("{FAILS}, {other}"), "Fail", vec![format!("p/b Deny Deny {both}")]),
        (FAILS.to_owned(), "Ignore", vec![]),
    ] {
        let spec = format!(
            "  failurePolicy: {policy}\n  matchConditions: [{conditions}]\n  validations: [{{expression: 'false', message: m}}]"
        );
        assert_eq!(review(&validating(&spec), &Ask::default()).findings, expected, "{conditions} {policy}");
    }
}

#[test]
fn match_conditions_do_not_see_the_namespace() {
    let spec = "  matchConditions: [{name: c, expression: 'namespaceObject == null'}]\n  \
                validations: [{expression: 'namespaceObject != null'}]";
    assert_eq!(review(&validating(spec), &Ask::default()).findings, ["p/b Pass Pass "]);
}

#[test]
fn each_action_acts_and_the_mode_caps_it() {
    const WARNING: &str = "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': m";
    for (actions, mode, denied, warned, audited, finding) in [
        ("[Deny]", Mode::Enforce, true, false, false, "Deny Deny"),
        ("[Warn]", Mode::Enforce, false, true, false, "Warn Warn"),
        ("[Audit]", Mode::Enforce, false, false, true, "Audit Audit"),
        ("[Warn, Audit]", Mode::Enforce, false, true, true, "Warn Warn"),
        ("[Deny, Audit]", Mode::Enforce, true, false, true, "Deny Deny"),
        ("[Deny]", Mode::Warn, false, true, false, "Deny Warn"),
        ("[Deny, Audit]", Mode::Warn, false, true, true, "Deny Warn"),
        ("[Audit]", Mode::Warn, false, false, true, "Audit Audit"),
        ("[Deny]", Mode::Audit, false, false, true, "Deny Audit"),
        ("[Warn]", Mode::Audit, false, true, false, "Warn Warn"),
        ("[Warn, Audit]", Mode::Audit, false, true, true, "Warn Warn"),
    ] {
        let binding = format!("  validationActions: {actions}\n");
        let set = validating_bound("  validations: [{expression: 'false', message: m}]", &binding);
        let seen = review(&set, &Ask { mode, ..Ask::default() });
        assert_eq!(seen.denied.is_some(), denied, "{actions} {mode:?}");
        assert_eq!(seen.warnings, if warned { vec![WARNING] } else { vec![] }, "{actions} {mode:?}");
        assert_eq!(seen.annotations.len(), usize::from(audited), "{actions} {mode:?}");
        assert_eq!(seen.findings, [format!("p/b {finding} m")], "{actions} {mode:?}");
    }
}

#[test]
fn failures_are_audited_as_upstreams_json() {
    let set = validating_bound(
        "  validations: [{expression: 'true'}, {expression: 'false', message: 'a<b & \"c\"'}]",
        "  validationActions: [Warn, Audit]\n",
    );
    let expected = "[{\"message\":\"a\\u003cb \\u0026 \\\"c\\\"\",\"policy\":\"p\",\"binding\":\"b\",\
                    \"expressionIndex\":1,\"validationActions\":[\"Warn\",\"Audit\"]}]";
    assert_eq!(
        review(&set, &Ask::default()).annotations,
        [("validation.policy.admission.k8s.io/validation_failure".to_owned(), expected.to_owned())]
    );
}

#[test]
fn the_audit_annotation_lists_at_most_fifty_failures() {
    for (failing, listed) in [(50, 50), (51, 50)] {
        let validations = "{expression: 'false', message: m}, ".repeat(failing);
        let set = validating_bound(&format!("  validations: [{validations}]"), "  validationActions: [Audit]\n");
        let seen = review(&set, &Ask::default());
        let counts: Vec<_> = seen.annotations.iter().map(|(_, json)| json.matches("expressionIndex").count()).collect();
        assert_eq!(counts, [listed], "{failing}");
    }
}

#[test]
fn a_policy_that_does_not_compile_fails_by_its_failure_policy() {
    for (policy, denied) in [("Fail", true), ("Ignore", false)] {
        let manifest = format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n\
             {EVERYTHING}  failurePolicy: {policy}\n  validations: [{{expression: 'object.'}}]\n---\n\
             apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
             metadata: {{name: b}}\nspec: {{policyName: p, validationActions: [Deny]}}\n"
        );
        let loaded = load(&[Manifest::new("test.yaml", manifest)], 36);
        assert_eq!(loaded.errors.len(), 1);
        let set = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
        let seen = review(&set, &Ask::default());
        assert_eq!(seen.denied.is_some(), denied, "{policy}");
        assert_eq!(seen.findings.len(), 1, "{policy}");
    }
}

#[test]
fn audit_annotations_are_published_joined_and_cut() {
    let spec = "  validations: [{expression: 'true'}]\n  auditAnnotations: [{key: name, valueExpression: 'string(object.metadata.name)'}, \
                {key: none, valueExpression: 'null'}, {key: blank, valueExpression: \"' '\"}, \
                {key: param, valueExpression: \"params == null ? 'none' : string(params.data.v)\"}]\n  paramKind: {apiVersion: v1, kind: ConfigMap}";
    let params = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: media, labels: {p: x}}\ndata: {v: a}\n\
                  ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two, namespace: media, labels: {p: x}}\ndata: {v: b}\n";
    let binding =
        "  validationActions: [Deny]\n  paramRef: {selector: {matchLabels: {p: x}}, parameterNotFoundAction: Deny}\n";
    let seen = review(&validating_bound(spec, &format!("{binding}{params}")), &Ask::default());
    assert_eq!(seen.annotations, [("p/name".to_owned(), "web".to_owned()), ("p/param".to_owned(), "a, b".to_owned())]);

    let long = "  validations: [{expression: 'true'}]\n  auditAnnotations: [{key: long, valueExpression: 'string(object.metadata.name)'}]";
    let name = "é".repeat(6 * 1024);
    let object = format!(r#"{{"metadata": {{"name": "{name}"}}}}"#);
    let seen = review(&validating(long), &Ask { object: &object, ..Ask::default() });
    assert_eq!(seen.annotations.first().map(|(_, value)| value.len()), Some(10 * 1024));
}

#[test]
fn an_audit_annotation_that_fails_denies_whatever_the_actions_are() {
    let spec = "  validations: [{expression: 'true'}]\n  auditAnnotations: [{key: k, valueExpression: 'string(object.missing)'}]";
    let seen = review(&validating_bound(spec, "  validationActions: [Audit]\n"), &Ask::default());
    assert_eq!(
        seen.message(),
        format!("{DENIED}expression 'string(object.missing)' resulted in error: no such key: missing")
    );
}

#[test]
fn params_are_found_by_name_by_label_and_by_namespace() {
    let spec = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'params == null || params.data.ok == \"yes\"', \
                messageExpression: \"string(params.metadata.name)\"}]";
    let params = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: good, namespace: media, labels: {set: x}}\ndata: {ok: 'yes'}\n\
                  ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: media, labels: {set: x}}\ndata: {ok: 'no'}\n\
                  ---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad, namespace: other}\ndata: {ok: 'no'}\n";
    const MISSING: &str =
        "failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction";
    const CLUSTER: &str = "failed to configure binding: cannot use namespaced paramRef in policy binding that matches \
                           cluster-scoped resources";
    for (reference, namespace, expected) in [
        ("", "media", vec!["p/b Pass Pass ".to_owned()]),
        ("{name: good, parameterNotFoundAction: Deny}", "media", vec!["p/b Pass Pass ".to_owned()]),
        ("{name: bad, parameterNotFoundAction: Deny}", "media", vec!["p/b Deny Deny bad".to_owned()]),
        ("{name: bad, namespace: other, parameterNotFoundAction: Deny}", "media", vec!["p/b Deny Deny bad".to_owned()]),
        ("{name: good, parameterNotFoundAction: Deny}", "other", vec![format!("p/b Deny Deny {MISSING}")]),
        ("{name: good, parameterNotFoundAction: Allow}", "other", vec![]),
        ("{name: good, parameterNotFoundAction: Allow}", "", vec![format!("p/b Deny Deny {CLUSTER}")]),
        (
            "{selector: {matchLabels: {set: x}}, parameterNotFoundAction: Deny}",
            "media",
            vec!["p/b Deny Deny bad".to_owned(), "p/b Pass Pass ".to_owned()],
        ),
    ] {
        let reference = if reference.is_empty() { String::new() } else { format!("  paramRef: {reference}\n") };
        let set = validating_bound(spec, &format!("  validationActions: [Deny]\n{reference}{params}"));
        assert_eq!(review(&set, &Ask { namespace, ..Ask::default() }).findings, expected, "{reference} {namespace}");
    }
}

#[test]
fn a_deadline_fails_the_policies_that_it_leaves_unevaluated() {
    let past = Ask { deadline: Some(Instant::now()), ..Ask::default() };
    let seen = review(&validating("  validations: [{expression: 'true'}]"), &past);
    assert_eq!(
        seen.message(),
        format!("{DENIED}the request's timeout had passed before this policy could be evaluated")
    );
    let ignoring = "  failurePolicy: Ignore\n  validations: [{expression: 'false'}]";
    assert_eq!(review(&validating(ignoring), &past).denied, None);
}

#[test]
fn a_budget_that_runs_out_fails_the_whole_policy() {
    // Each expression stays below its own limit; a dozen of them don't fit the budget.
    let expensive = "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, \
                     [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a + b + c + d + e > 0)))))";
    let validations = format!("{{expression: '{expensive}'}}, ").repeat(20);
    let seen = review(&validating(&format!("  validations: [{validations}]")), &Ask::default());
    assert_eq!(
        seen.findings,
        ["p/b Deny Deny validation failed due to running out of cost budget, no further validation rules will be run"]
    );
}

#[derive(Debug, Default)]
pub(super) struct Heard(pub(super) RefCell<Vec<(Place, Outcome)>>);

impl Observer for Heard {
    fn evaluated(&self, policy: &str, place: Place, outcome: Outcome) {
        assert_eq!(policy, "p");
        self.0.borrow_mut().push((place, outcome));
    }
}

#[test]
fn an_observer_hears_of_every_expression() {
    let spec = "  matchConditions: [{name: c, expression: 'true'}]\n  variables: [{name: used, expression: '1'}, {name: unused, expression: '2'}]\n  \
                validations: [{expression: 'variables.used == 1'}, {expression: 'false', messageExpression: \"'m'\"}]\n  \
                auditAnnotations: [{key: k, valueExpression: 'null'}]";
    let heard = Heard::default();
    review_observed(&validating(spec), &Ask::default(), Some(&heard));
    assert_eq!(
        heard.0.into_inner(),
        [
            (Place::MatchCondition(0), Outcome::True),
            (Place::Validation(0), Outcome::True),
            (Place::Validation(1), Outcome::False),
            (Place::MessageExpression(1), Outcome::Value),
            (Place::Variable(0), Outcome::Value),
            (Place::AuditAnnotation(0), Outcome::Value),
        ]
    );
}
