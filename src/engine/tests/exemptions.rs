//! What exemptions make of findings. The clock of these tests stands in January 2027.

use super::workloads::{PRIVILEGED, with_template, workload};
use super::*;
use crate::policy::{Embedded, embedded};

/// Refuses everything, in prose.
const REFUSES_ALL: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}
  validations: [{expression: 'false', message: m}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: b}
spec: {policyName: p, validationActions: [Deny]}
";

/// Refuses what an annotation says, in the words that it says.
const SAYS: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: ['*'], operations: ['*'], resources: ['pods']}]}
  validations:
  - expression: \"!has(object.metadata.annotations.says)\"
    messageExpression: string(object.metadata.annotations.says)
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: b}
spec: {policyName: p, validationActions: [Deny]}
";

fn exemption(name: &str, matches: &str, expires: &str) -> String {
    format!(
        "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\nspec: {{policies: ['*'], \
         match: {{{matches}}}, reason: r, expires: {expires}}}\n---\n"
    )
}

fn lasting(name: &str, matches: &str) -> String {
    exemption(name, matches, "2099-01-01")
}

/// A pod of two containers and an image that is a volume, of which a policy says something.
fn pod_that(says: &str) -> String {
    format!(
        r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web","annotations":{{"says":"{says}"}}}},"spec":{{
        "containers":[{{"name":"vpn","image":"known:1"}},{{"name":"web","image":"other:1"}}],
        "initContainers":[{{"name":"vpn-init","image":"known:1"}}],
        "volumes":[{{"name":"a","emptyDir":{{}}}},{{"name":"b","image":{{"reference":"known:2"}}}}]}}}}"#
    )
}

#[test]
fn exemptions_turn_failures_into_exempt_findings_until_they_expire() {
    for (names, expires, expected) in [
        ("web", "2099-01-01", "p/b Exempt Exempt m"),
        ("db", "2099-01-01", "p/b Deny Deny m"),
        ("web", "2026-12-31", "p/b Deny Deny m"),
    ] {
        let exemption = exemption("e", &format!("names: [{names}]"), expires);
        let seen = review(&policies_with_exemptions(REFUSES_ALL, &exemption), &Ask::default());
        assert_eq!(seen.findings, [expected]);
        assert_eq!(seen.denied.is_none(), expected.contains("Exempt"));
    }
}

#[test]
fn an_exempt_container_or_image_hides_nothing_else() {
    for (matches, says, denied, exempt) in [
        ("containers: [vpn]", "spec.containers[0].x: no", "", "spec.containers[0].x: no"),
        ("containers: [vpn]", "spec.containers[0]: no", "", "spec.containers[0]: no"),
        ("containers: [vpn]", "spec.containers[1].x: no", "spec.containers[1].x: no", ""),
        (
            "containers: [vpn]",
            "spec.containers[0].x: no; and never; spec.containers[1].x: no; spec.hostPID: no; spec.containers[0].y: no",
            "spec.containers[1].x: no; spec.hostPID: no",
            "spec.containers[0].x: no; and never; spec.containers[0].y: no",
        ),
        ("containers: [vpn*]", "spec.initContainers[0].x: no", "", "spec.initContainers[0].x: no"),
        ("containers: [vpn]", "spec.initContainers[0].x: no", "spec.initContainers[0].x: no", ""),
        ("containers: ['*']", "spec.volumes[1].image: no", "spec.volumes[1].image: no", ""),
        ("images: ['known:*']", "spec.volumes[1].image: no", "", "spec.volumes[1].image: no"),
        ("images: ['*']", "spec.volumes[0].emptyDir: no", "spec.volumes[0].emptyDir: no", ""),
        (
            "images: ['known:*']",
            "spec.containers[0].x: no; spec.containers[1].x: no",
            "spec.containers[1].x: no",
            "spec.containers[0].x: no",
        ),
        ("images: ['known:*'], containers: [web]", "spec.containers[1].x: no", "spec.containers[1].x: no", ""),
        // Two fields before one colon concern two containers.
        (
            "containers: [vpn]",
            "spec.containers[0].x, spec.containers[1].x: no",
            "spec.containers[0].x, spec.containers[1].x: no",
            "",
        ),
        (
            "containers: [vpn, web]",
            "spec.containers[0].x, spec.containers[1].x: no",
            "",
            "spec.containers[0].x, spec.containers[1].x: no",
        ),
        // What is about no container in particular, and what only looks like it.
        ("containers: ['*'], images: ['*']", "no", "no", ""),
        ("containers: ['*']", "spec.hostPID: no", "spec.hostPID: no", ""),
        ("containers: ['*']", "spec.containers: no", "spec.containers: no", ""),
        ("containers: ['*']", "spec.containers[7].x: no", "spec.containers[7].x: no", ""),
        ("containers: ['*']", "spec['containers'][0].x: no", "spec['containers'][0].x: no", ""),
        ("containers: ['*']", "metadata.annotations['a/vpn']: no", "metadata.annotations['a/vpn']: no", ""),
        ("containers: ['*']", "container spec.containers[0]: no", "container spec.containers[0]: no", ""),
        (
            "names: [web]",
            "spec.containers[1].x: no; spec.hostPID: no",
            "",
            "spec.containers[1].x: no; spec.hostPID: no",
        ),
    ] {
        let set = policies_with_exemptions(SAYS, &lasting("e", matches));
        let object = pod_that(says);
        let seen = review(&set, &Ask { object: &object, ..Ask::default() });
        let finding = |verdict: &str, message: &str| {
            let field = message.split([':', ',']).next().filter(|field| field.contains('.') && !field.contains(' '));
            let field = field.map(|field| format!("[{field}] ")).unwrap_or_default();
            (!message.is_empty()).then(|| format!("p/b {verdict} {verdict} {field}{message}"))
        };
        let expected: Vec<_> = finding("Deny", denied).into_iter().chain(finding("Exempt", exempt)).collect();
        assert_eq!(seen.findings, expected, "{matches}, {says}");
        let denial = match denied {
            "" => String::new(),
            denied => format!("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {denied}"),
        };
        assert_eq!(seen.message(), denial, "{matches}, {says}");
    }
}

#[test]
fn several_exemptions_share_a_finding_and_each_is_told_what_it_covers() {
    let exemptions = [
        lasting("a-vpn", "containers: [vpn]"),
        lasting("b-known", "images: ['known:*']"),
        exemption("c-ended", "containers: [web]", "2026-12-31"),
        lasting("d-idle", "containers: [vpn-init]"),
        lasting("e-absent", "containers: [db]"),
        lasting("f-elsewhere", "namespaces: [other]"),
    ];
    let set = policies_with_exemptions(SAYS, &exemptions.concat());
    let object =
        pod_that("spec.containers[0].x: no; spec.volumes[1].image: no; spec.containers[1].x: no; spec.hostPID: no");
    let seen = review(&set, &Ask { object: &object, ..Ask::default() });
    let expected = [
        "p/b Deny Deny [spec.containers[1].x] spec.containers[1].x: no; spec.hostPID: no",
        "p/b Exempt Exempt [spec.containers[0].x] spec.containers[0].x: no",
        "p/b Exempt Exempt [spec.volumes[1].image] spec.volumes[1].image: no",
    ];
    assert_eq!(seen.findings, expected);
    assert_eq!(seen.covered_by, ["c-ended 1, d-idle 0", "a-vpn 1, b-known 1", "b-known 1"]);

    // Where the object passes, none of those that select it is needed.
    let object = object.replace("says", "does not say");
    let seen = review(&set, &Ask { object: &object, ..Ask::default() });
    assert_eq!(seen.findings, ["p/b Pass Pass "]);
    assert_eq!(seen.covered_by, ["a-vpn 0, b-known 0, c-ended 0, d-idle 0"]);
}

#[test]
fn what_cannot_be_evaluated_concerns_the_whole_object() {
    let fails = SAYS.replace("\"!has(object.metadata.annotations.says)\"", "object.spec.missing == 1");
    let object = pod_that("x");
    for (matches, verdict) in [("containers: ['*']", "Deny"), ("names: [web]", "Exempt")] {
        let seen = review(
            &policies_with_exemptions(&fails, &lasting("e", matches)),
            &Ask { object: &object, ..Ask::default() },
        );
        let [finding] = &*seen.findings else { panic!("one: {:?}", seen.findings) };
        assert!(
            finding.starts_with(&format!("p/b {verdict} {verdict} ")) && finding.contains("no such key"),
            "{finding}"
        );
        assert_eq!(seen.covered_by, [if verdict == "Deny" { "" } else { "e 1" }]);
    }
}

#[test]
fn labels_of_a_workload_or_of_its_pods_select_it() {
    let set = policies_with_exemptions(PRIVILEGED, &lasting("e", "labels: {app: vpn}"));
    let spec = r#"{"containers": [{"name": "b", "securityContext": {"privileged": true}}]}"#;
    for (own, pods, verdict) in [("vpn", "x", "Exempt"), ("x", "vpn", "Exempt"), ("x", "x", "Deny")] {
        let template = format!(r#"{{"metadata": {{"labels": {{"app": "{pods}"}}}}, "spec": {spec}}}"#);
        let object = with_template("Deployment", &template);
        let object = object.replace(r#""name": "web""#, &format!(r#""name": "web", "labels": {{"app": "{own}"}}"#));
        let seen = review(&set, &workload("Deployment", &object));
        let [finding] = &*seen.findings else { panic!("one: {:?}", seen.findings) };
        assert!(finding.contains(verdict), "{own} {pods}: {finding}");
    }
}

#[test]
fn a_container_is_known_by_its_name_where_mutation_moves_it() {
    const SIDECAR: &str = "  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: 'add', path: '/spec/containers/0',
          value: Object.spec.containers{name: 'sidecar', image: 'x', securityContext: Object.spec.containers.securityContext{privileged: true}}}]
";
    let exemption = lasting("e", "containers: [vpn]");
    let set = policies_with_exemptions(&(mutating("sidecar", SIDECAR) + PRIVILEGED), &exemption);
    let spec = r#"{"containers": [{"name": "vpn", "image": "v", "securityContext": {"privileged": true}}]}"#;
    let workload_of = with_template("Deployment", &format!(r#"{{"spec": {spec}}}"#));
    let pod = format!(r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"web"}},"spec":{spec}}}"#);
    // The sidecar has no place in the template: its index is that of the pod.
    for (ask, denied, exempt) in [
        (workload("Deployment", &workload_of), "spec.template.spec.containers[0]", "spec.template.spec.containers[0]"),
        (Ask { object: &pod, ..Ask::default() }, "spec.containers[0]", "spec.containers[1]"),
    ] {
        let seen = review(&set, &ask);
        let judged: Vec<_> = seen.findings.iter().filter(|finding| !finding.contains("Pass")).collect();
        let finding = |verdict: &str, container: &str| {
            let field = format!("{container}.securityContext.privileged");
            format!("privileged/privileged {verdict} {verdict} [{field}] {field}: write false")
        };
        assert_eq!(judged, [&finding("Deny", denied), &finding("Exempt", exempt)], "{}", ask.kind);
        assert!(seen.message().ends_with(&format!("{denied}.securityContext.privileged: write false")));
    }
}

#[test]
fn the_audit_log_is_told_what_was_set_aside_and_what_it_would_have_been() {
    for (actions, would_be) in [("[Deny]", "deny"), ("[Warn, Audit]", "warn"), ("[Audit]", "audit")] {
        let set = policies_with_exemptions(&SAYS.replace("[Deny]", actions), &lasting("e", "containers: [vpn]"));
        let object = pod_that("spec.containers[0].x: no; spec.containers[1].x: never");
        let seen = review(&set, &Ask { object: &object, ..Ask::default() });
        let annotation =
            |key: &str| seen.annotations.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let expected = format!(
            r#"[{{"message":"spec.containers[0].x: no","policy":"p","binding":"b","exemption":"e","wouldBe":"{would_be}"}}]"#
        );
        assert_eq!(annotation("exempted"), Some(&*expected));
        let recorded = annotation("validation.policy.admission.k8s.io/validation_failure");
        assert_eq!(
            recorded.is_some_and(|text| text.contains("[1].x: never") && !text.contains("[0]")),
            actions.contains("Audit")
        );
        assert_eq!(seen.warnings.len(), usize::from(actions.contains("Warn")), "{:?}", seen.warnings);
        assert!(seen.warnings.iter().all(|warning| warning.ends_with("'b': spec.containers[1].x: never")));
    }
}

/// A container that breaks every rule about containers.
fn bad_container(name: &str) -> String {
    format!(
        r#"{{"name": "{name}", "image": "evil.example/x:latest", "imagePullPolicy": "Never",
        "ports": [{{"containerPort": 80, "hostPort": 80}}], "env": [{{"name": "API_KEY", "value": "0123456789abcdef"}}],
        "livenessProbe": {{"httpGet": {{"port": 80, "host": "10.0.0.1"}}}},
        "securityContext": {{"privileged": true, "allowPrivilegeEscalation": true, "runAsUser": 0, "runAsNonRoot": false,
            "capabilities": {{"add": ["SYS_ADMIN"]}}, "procMount": "Unmasked", "seccompProfile": {{"type": "Unconfined"}},
            "appArmorProfile": {{"type": "Unconfined"}}, "seLinuxOptions": {{"type": "spc_t"}},
            "windowsOptions": {{"hostProcess": true}}}}}}"#
    )
}

#[test]
fn shipped_policies_name_every_container_so_that_an_exempt_one_hides_no_other() {
    let shipped: Vec<_> = embedded().iter().map(Embedded::manifest).collect();
    let set = |exemptions: &str| {
        let loaded = load(&shipped, 36);
        assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
        let (exemptions, errors) = Exemptions::load(&[Manifest::new("exemptions.yaml", exemptions)]);
        assert!(errors.is_empty(), "{errors:?}");
        PolicySet::new(loaded.policies, loaded.params, exemptions)
    };
    let object = format!(
        r#"{{"apiVersion": "v1", "kind": "Pod", "metadata": {{"name": "web", "namespace": "media"}},
        "spec": {{"containers": [{}, {}]}}}}"#,
        bad_container("a"),
        bad_container("b")
    );
    let ask = Ask { object: &object, phase: Phase::Validate, ..Ask::default() };
    let about = |finding: &str, container: usize| finding.matches(&format!("spec.containers[{container}].")).count();
    let messages = |seen: &Seen, verdict: fn(&str) -> bool| -> Vec<String> {
        let wanted = seen.findings.iter().filter(|finding| verdict(finding));
        wanted.filter_map(|finding| Some(finding.split_once("] ")?.1.to_owned())).collect()
    };
    let all = messages(&review(&set(""), &ask), |_| true);
    let both: Vec<_> = all.iter().filter(|message| about(message, 0) + about(message, 1) > 0).collect();
    assert!(both.len() > 12, "{both:#?}");
    for message in &both {
        assert_eq!(about(message, 0), about(message, 1), "{message}");
    }
    let seen = review(&set(&lasting("e", "containers: [a]")), &ask);
    let (exempt, rest) = (
        messages(&seen, |finding| finding.contains(" Exempt ")),
        messages(&seen, |finding| !finding.contains(" Exempt ")),
    );
    let count =
        |messages: &[String], container| messages.iter().map(|message| about(message, container)).sum::<usize>();
    assert_eq!((count(&exempt, 0), count(&exempt, 1)), (count(&all, 0), 0), "{exempt:#?}");
    assert_eq!((count(&rest, 0), count(&rest, 1)), (0, count(&all, 1)), "{rest:#?}");
}
