//! Workloads are judged as the pods that they will create.

use super::*;

pub(super) const PRIVILEGED: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: privileged}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  validations:
  - expression: object.spec.containers.all(c, !c.?securityContext.?privileged.orValue(false))
    messageExpression: >-
      object.spec.containers.transformList(i, c, c.?securityContext.?privileged.orValue(false),
        'spec.containers[' + string(i) + '].securityContext.privileged: write false').join('; ')
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: privileged}
spec: {policyName: privileged, validationActions: [Deny]}
---
";

pub(super) const REPAIR: &str = "  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConditions: [{name: tv, expression: \"object.metadata.?labels.?app.orValue('') == 'tv'\"}]
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        object.spec.containers.transformList(i, c, c.?securityContext.?privileged.orValue(false),
          JSONPatch{op: 'remove', path: '/spec/containers/' + string(i) + '/securityContext/privileged'})
";

pub(super) const BAD: &str =
    r#"{"containers": [{"name": "a"}, {"name": "b", "securityContext": {"privileged": true}}]}"#;

/// The request that creates a workload of `kind` whose pod template, at its place, has this spec.
pub(super) fn workload<'t>(kind: &'t str, object: &'t str) -> Ask<'t> {
    let (group, resource) = match kind {
        "Deployment" => ("apps", "deployments"),
        "StatefulSet" => ("apps", "statefulsets"),
        "DaemonSet" => ("apps", "daemonsets"),
        "ReplicaSet" => ("apps", "replicasets"),
        "ReplicationController" => ("", "replicationcontrollers"),
        "Job" => ("batch", "jobs"),
        "CronJob" => ("batch", "cronjobs"),
        _ => ("", "podtemplates"),
    };
    Ask { group, kind, resource, object, ..Ask::default() }
}

pub(super) fn with_template(kind: &str, template: &str) -> String {
    let metadata = r#""metadata": {"name": "web"}"#;
    match kind {
        "CronJob" => format!(r#"{{{metadata}, "spec": {{"jobTemplate": {{"spec": {{"template": {template}}}}}}}}}"#),
        "PodTemplate" => format!(r#"{{{metadata}, "template": {template}}}"#),
        _ => format!(r#"{{{metadata}, "spec": {{"template": {template}}}}}"#),
    }
}

#[test]
fn fields_are_those_of_the_object_that_the_user_wrote() {
    let set = policies(PRIVILEGED);
    for (kind, prefix) in [
        ("Deployment", "spec.template."),
        ("StatefulSet", "spec.template."),
        ("DaemonSet", "spec.template."),
        ("ReplicaSet", "spec.template."),
        ("ReplicationController", "spec.template."),
        ("Job", "spec.template."),
        ("CronJob", "spec.jobTemplate.spec.template."),
        ("PodTemplate", "template."),
    ] {
        let object = with_template(kind, &format!(r#"{{"spec": {BAD}}}"#));
        let field = format!("{prefix}spec.containers[1].securityContext.privileged");
        let seen = review(&set, &workload(kind, &object));
        assert_eq!(
            seen.findings,
            [format!("privileged/privileged Deny Deny [{field}] {field}: write false")],
            "{kind}"
        );
        assert_eq!(
            seen.message(),
            format!(
                "ValidatingAdmissionPolicy 'privileged' with binding 'privileged' denied request: {field}: write false"
            )
        );
    }
}

#[test]
fn only_writing_the_workload_itself_creates_pods() {
    let set = policies(PRIVILEGED);
    let object = with_template("Deployment", &format!(r#"{{"spec": {BAD}}}"#));
    let deployment = workload("Deployment", &object);
    let harmless = object.replace("true", "false");
    let deleting = object.replace(r#""name": "web""#, r#""name": "web", "deletionTimestamp": "2027-01-01T00:00:00Z""#);
    for (ask, expected) in [
        (deployment.clone(), true),
        (Ask { operation: Operation::Update, old_object: &harmless, ..deployment.clone() }, true),
        (Ask { operation: Operation::Delete, object: "null", old_object: &object, ..deployment.clone() }, false),
        (
            Ask { sub_resource: "status", operation: Operation::Update, old_object: &harmless, ..deployment.clone() },
            false,
        ),
        (Ask { operation: Operation::Update, object: &deleting, old_object: &harmless, ..deployment.clone() }, false),
        (Ask { group: "example.com", ..deployment.clone() }, false),
        (Ask { object: r#"{"spec": {}}"#, ..deployment.clone() }, false),
        (Ask { object: r#"{"spec": {"template": {"spec": []}}}"#, ..deployment }, false),
    ] {
        assert_eq!(review(&set, &ask).denied.is_some(), expected, "{} {:?} {}", ask.group, ask.operation, ask.object);
    }
}

#[test]
fn the_pod_is_what_the_controller_creates() {
    let template = r#"{"metadata": {"labels": {"app": "tv"}, "annotations": {"a": "1"}}, "spec": {"containers": []}}"#;
    let claims = r#""volumeClaimTemplates": [{"metadata": {"name": "config"}}]"#;
    for (kind, expression) in [
        ("Deployment", "object.kind == 'Pod' && object.apiVersion == 'v1'"),
        ("Deployment", "object.metadata.labels == {'app': 'tv'} && object.metadata.annotations == {'a': '1'}"),
        ("Deployment", "object.metadata.generateName == 'web-' && !has(object.metadata.name) && !has(request.name)"),
        ("Deployment", "object.metadata.namespace == 'media' && request.namespace == 'media'"),
        (
            "Deployment",
            "object.metadata.ownerReferences[0].kind == 'ReplicaSet' && object.metadata.ownerReferences[0].controller",
        ),
        (
            "Deployment",
            "request.operation == 'CREATE' && request.kind.kind == 'Pod' && request.resource.resource == 'pods'",
        ),
        ("Deployment", "request.userInfo.username == 'system:serviceaccount:kube-system:replicaset-controller'"),
        ("Deployment", "oldObject == null"),
        ("CronJob", "object.metadata.ownerReferences[0].kind == 'Job'"),
        ("Job", "object.metadata.labels['batch.kubernetes.io/job-name'] == 'web'"),
        ("PodTemplate", "request.userInfo.username == 'alice' && !has(object.metadata.ownerReferences)"),
        (
            "StatefulSet",
            "object.metadata.name == 'web-0' && object.metadata.labels['apps.kubernetes.io/pod-index'] == '0'",
        ),
        ("StatefulSet", "object.spec.volumes[0].persistentVolumeClaim.claimName == 'config-web-0'"),
    ] {
        let object = with_template(kind, template)
            .replace(r#""spec": {"template""#, &format!(r#""spec": {{{claims}, "template""#));
        let pods = "  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}\n";
        let set = validating(&format!("{pods}  validations: [{{expression: \"{expression}\"}}]"));
        assert_eq!(review(&set, &workload(kind, &object)).findings, ["p/b Pass Pass "], "{kind} {expression}");
    }
}

#[test]
fn fields_of_metadata_and_claims_are_found_too() {
    let object = r#"{"metadata": {"name": "web"}, "spec": {"template": {"metadata": {"labels": {"app": "x"}},
        "spec": {"containers": [], "volumes": [{"name": "own"}]}},
        "volumeClaimTemplates": [{"metadata": {"name": "config"}}]}}"#;
    for (message, expected) in [
        ("metadata.labels['app']: no", "spec.template.metadata.labels['app']: no"),
        ("metadata.annotations: no", "spec.template.metadata.annotations: no"),
        ("metadata.name: no", "metadata.name: no"),
        ("spec.volumes[0].name: no", "spec.template.spec.volumes[0].name: no"),
        ("spec.volumes[1].persistentVolumeClaim: no", "spec.volumeClaimTemplates[0].persistentVolumeClaim: no"),
        ("spec.hostPID: no; spec.hostIPC: no", "spec.template.spec.hostPID: no; spec.template.spec.hostIPC: no"),
        ("no field", "no field"),
    ] {
        let pods = "  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}\n";
        let set = validating(&format!("{pods}  validations: [{{expression: 'false', message: \"{message}\"}}]"));
        let seen = review(&set, &workload("StatefulSet", object));
        assert_eq!(
            seen.message(),
            format!("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {expected}")
        );
    }
}

#[test]
fn a_workload_whose_pods_are_repaired_is_accepted_with_a_warning() {
    let set = policies(&format!("{PRIVILEGED}{}", mutating("gpu", REPAIR)));
    let repaired =
        with_template("Deployment", &format!(r#"{{"metadata": {{"labels": {{"app": "tv"}}}}, "spec": {BAD}}}"#));
    let seen = review(&set, &workload("Deployment", &repaired));
    let field = "spec.template.spec.containers[1].securityContext.privileged";
    let message = format!(
        "{field}: write false (accepted, because MutatingAdmissionPolicy 'gpu' will repair its pods when they are created)"
    );
    assert_eq!(seen.denied, None);
    // The workload itself stays as it is.
    assert_eq!(seen.mutated, None);
    assert_eq!(
        seen.findings,
        [
            "gpu/gpu Pass Pass ".to_owned(),
            format!("privileged/privileged Warn Warn [{field}] {message}"),
            "privileged/privileged Pass Pass ".to_owned()
        ]
    );
    assert_eq!(seen.warnings, [format!("ValidatingAdmissionPolicy 'privileged' with binding 'privileged': {message}")]);

    let other = with_template("Deployment", &format!(r#"{{"spec": {BAD}}}"#));
    assert!(review(&set, &workload("Deployment", &other)).denied.is_some());
}

#[test]
fn what_would_only_be_warned_of_and_is_repaired_is_on_record() {
    let warned = PRIVILEGED.replace("validationActions: [Deny]", "validationActions: [Warn, Audit]");
    assert_ne!(warned, PRIVILEGED);
    let set = policies(&format!("{warned}{}", mutating("gpu", REPAIR)));
    let repaired =
        with_template("Deployment", &format!(r#"{{"metadata": {{"labels": {{"app": "tv"}}}}, "spec": {BAD}}}"#));
    let seen = review(&set, &workload("Deployment", &repaired));
    let field = "spec.template.spec.containers[1].securityContext.privileged";
    assert!(
        seen.findings
            .iter()
            .any(|finding| finding.starts_with(&format!("privileged/privileged Audit Audit [{field}]"))),
        "{:?}",
        seen.findings
    );
    assert_eq!(seen.warnings, [] as [&str; 0]);
}

#[test]
fn indexes_are_those_before_mutation() {
    let drop_first = "  failurePolicy: Fail\n  reinvocationPolicy: Never\n  mutations: [{patchType: JSONPatch, \
                      jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/spec/containers/0\"}]'}}]";
    let set = policies(&format!("{PRIVILEGED}{}", mutating("drop", drop_first)));
    let object = with_template("Deployment", &format!(r#"{{"spec": {BAD}}}"#));
    let seen = review(&set, &workload("Deployment", &object));
    assert_eq!(
        seen.findings,
        [
            "drop/drop Pass Pass ",
            "privileged/privileged Deny Deny [spec.template.spec.containers[1].securityContext.privileged] \
          spec.template.spec.containers[1].securityContext.privileged: write false"
        ]
    );
}

#[test]
fn a_pod_that_cannot_be_mutated_denies_its_workload() {
    let broken = REPAIR.replace("'/securityContext/privileged'", "'/missing'");
    let set = policies(&mutating("gpu", &broken));
    let object =
        with_template("Deployment", &format!(r#"{{"metadata": {{"labels": {{"app": "tv"}}}}, "spec": {BAD}}}"#));
    let seen = review(&set, &workload("Deployment", &object));
    assert!(seen.message().starts_with("policy 'gpu' with binding 'gpu' denied request: JSON Patch: "), "{seen:?}");
    // As for any pod, mutation isn't the business of `/validate` alone; it is of the workload's.
    let seen = review(&set, &Ask { phase: Phase::Mutate, ..workload("Deployment", &object) });
    assert_eq!(seen.denied, None);
}

#[test]
fn a_workloads_pods_have_the_requests_that_follow_from_their_limits() {
    let set = policies(
        &PRIVILEGED.replace("!c.?securityContext.?privileged.orValue(false)", "has(c.resources.requests.memory)"),
    );
    let limited = r#"{"containers": [{"name": "a", "resources": {"limits": {"memory": "1Gi"}}}]}"#;
    let object = format!(r#"{{"metadata": {{"name": "tv"}}, "spec": {{"template": {{"spec": {limited}}}}}}}"#);
    for (defaulting, allowed) in [(true, true), (false, false)] {
        let seen = review(&set, &Ask { defaulting, ..workload("Deployment", &object) });
        assert_eq!(seen.denied.is_none(), allowed, "{seen:?}");
    }
}

#[test]
fn a_daemons_pods_have_the_tolerations_of_their_controller() {
    let exists = |key: &str, effect: &str| {
        format!("{{'key': 'node.kubernetes.io/{key}', 'operator': 'Exists', 'effect': '{effect}'}}")
    };
    let standard = [
        exists("not-ready", "NoExecute"),
        exists("unreachable", "NoExecute"),
        exists("disk-pressure", "NoSchedule"),
        exists("memory-pressure", "NoSchedule"),
        exists("pid-pressure", "NoSchedule"),
        exists("unschedulable", "NoSchedule"),
    ];
    let network = exists("network-unavailable", "NoSchedule");
    let (first, others) = (standard[0].clone(), standard[1..].join(", "));
    let all = standard.join(", ");
    let pods = "  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}\n";
    for (kind, spec, tolerations) in [
        ("DaemonSet", r#""containers": []"#, format!("[{all}]")),
        ("DaemonSet", r#""hostNetwork": true"#, format!("[{all}, {network}]")),
        (
            "DaemonSet",
            r#""tolerations": [{"key": "a", "value": "b"}]"#,
            format!("[{{'key': 'a', 'value': 'b'}}, {all}]"),
        ),
        // The one that is there already stays where it is, without its limit.
        (
            "DaemonSet",
            r#""tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                "tolerationSeconds": 5}, {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]"#,
            format!("[{first}, {{'key': 'node.kubernetes.io/not-ready', 'effect': 'NoExecute'}}, {others}]"),
        ),
        ("Deployment", r#""tolerations": [{"key": "a"}]"#, "[{'key': 'a'}]".to_owned()),
    ] {
        let set =
            validating(&format!("{pods}  validations: [{{expression: \"object.spec.tolerations == {tolerations}\"}}]"));
        let object = with_template(kind, &format!(r#"{{"spec": {{{spec}}}}}"#));
        assert_eq!(review(&set, &workload(kind, &object)).findings, ["p/b Pass Pass "], "{kind} {spec}");
    }
}

#[test]
fn tolerations_of_the_controller_have_no_place_in_the_workload() {
    let object = with_template("DaemonSet", r#"{"spec": {"tolerations": [{"key": "a"}]}}"#);
    for (field, place) in [
        ("spec.tolerations[0].key", "spec.template.spec.tolerations[0].key"),
        ("spec.tolerations[1].key", "spec.tolerations[1].key"),
    ] {
        let pods = "  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}\n";
        let set = validating(&format!("{pods}  validations: [{{expression: 'false', message: \"{field}: no\"}}]"));
        let message = format!("ValidatingAdmissionPolicy 'p' with binding 'b' denied request: {place}: no");
        assert_eq!(review(&set, &workload("DaemonSet", &object)).message(), message);
    }
}
