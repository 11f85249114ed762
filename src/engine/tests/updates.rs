//! Updates of workloads: a pod template that stays is not judged again, one that changes is judged as an update of its
//! pod.

use super::workloads::{PRIVILEGED, REPAIR, with_template, workload};
use super::*;

const KINDS: [&str; 8] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob", "PodTemplate"];

/// A template that violates `PRIVILEGED`.
const TEMPLATE: &str = r#"{"metadata": {"labels": {"app": "tv"}}, "spec": {"containers":
    [{"name": "a", "image": "busybox", "securityContext": {"privileged": true}}]}}"#;

/// A changed template, and whether its containers are others.
const CHANGES: [(&str, &str, bool); 6] = [
    ("busybox", "busybox:1.36.1", true),
    (r#"{"name": "a""#, r#"{"name": "b"}, {"name": "a""#, true),
    (r#""app": "tv""#, r#""app": "tv", "team": "x""#, false),
    (r#"{"labels""#, r#"{"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}, "labels""#, false),
    (r#"{"labels""#, r#"{"finalizers": ["example.com/a"], "labels""#, false),
    (r#""spec": {"#, r#""spec": {"hostNetwork": true, "#, false),
];

/// Only a change of the containers of a pod is judged.
const CONTAINERS_CHANGED: &str = "  matchConditions:
  - name: containers-changed
    expression: request.operation != 'UPDATE' || object.spec.containers != oldObject.spec.containers
  validations:";

/// Both operations, in place of CREATE alone.
fn at_updates(policy: &str) -> String {
    policy.replace("operations: [CREATE]", "operations: [CREATE, UPDATE]")
}

fn conditional() -> String {
    at_updates(PRIVILEGED).replacen("  validations:", CONTAINERS_CHANGED, 1)
}

/// The request that updates `old` to `new`.
fn update<'t>(kind: &'t str, old: &'t str, new: &'t str) -> Ask<'t> {
    Ask { operation: Operation::Update, old_object: old, ..workload(kind, new) }
}

/// A policy on pods that asks `expression` of them.
fn pods_have(operations: &str, expression: &str) -> PolicySet {
    validating(&format!(
        "  matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [{operations}], \
         resources: [pods]}}]}}\n  validations: [{{expression: \"{expression}\"}}]"
    ))
}

#[test]
fn a_template_that_stays_is_never_newly_refused() {
    let broken = "  validations: [{expression: object.spec.missing == 1}]";
    let no_params = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: 'true'}]";
    let everything_to_object_to = [
        PRIVILEGED.to_owned(),
        at_updates(PRIVILEGED),
        conditional(),
        at_updates(PRIVILEGED).replace("[Deny]", "[Warn, Audit]"),
        at_updates(PRIVILEGED)
            .replace("  validations:", "  matchConditions: [{name: always, expression: 'true'}]\n  validations:"),
        at_updates(PRIVILEGED).replacen(
            "  validations:",
            "  auditAnnotations: [{key: a, valueExpression: \"'b'\"}]\n  validations:",
            1,
        ),
        mutating("fails", &REPAIR.replace("'/securityContext/privileged'", "'/missing'")),
    ];
    let pods = "  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}]}\n";
    let mut sets: Vec<PolicySet> = everything_to_object_to.iter().map(|manifest| policies(manifest)).collect();
    sets.push(validating(&format!("{pods}{broken}")));
    let missing =
        "  validationActions: [Deny]\n  paramRef: {name: none, namespace: none, parameterNotFoundAction: Deny}\n";
    sets.push(validating_bound(&format!("{pods}{no_params}"), missing));
    for kind in KINDS {
        let one = with_template(kind, TEMPLATE);
        for (from, to) in [
            ("", ""),
            (r#""name": "web""#, r#""name": "web", "labels": {"team": "x"}"#),
            (r#""name": "web""#, r#""name": "web", "annotations": {"deployment.kubernetes.io/revision": "2"}"#),
            (r#""name": "web""#, r#""name": "web", "finalizers": ["example.com/a"], "uid": "1""#),
            (r#"{"metadata""#, r#"{"status": {"replicas": 3}, "metadata""#),
            (r#""spec": {"#, r#""spec": {"replicas": 0, "#),
            (r#""spec": {"#, r#""spec": {"suspend": true, "paused": true, "#),
        ] {
            // A PodTemplate has no spec of its own.
            if kind == "PodTemplate" && from.contains("spec") {
                continue;
            }
            let other = one.replacen(from, to, 1);
            for (old, new) in [(&one, &other), (&other, &one)] {
                for (at, set) in sets.iter().enumerate() {
                    for mode in [Mode::Enforce, Mode::Warn, Mode::Audit] {
                        let seen = review(set, &Ask { mode, ..update(kind, old, new) });
                        let nothing = seen.denied.is_none()
                            && seen.warnings.is_empty()
                            && seen.annotations.is_empty()
                            && seen.findings.is_empty();
                        assert!(nothing, "{at} {kind} {mode:?} {old} to {new}: {seen:?}");
                    }
                }
            }
        }
        // Nothing of that is for want of something to object to.
        for (at, set) in sets.iter().enumerate() {
            assert!(!review(set, &workload(kind, &one)).findings.is_empty(), "{at} {kind}");
        }
    }
}

#[test]
fn a_changed_template_is_judged() {
    for policy in [PRIVILEGED.to_owned(), at_updates(PRIVILEGED)] {
        let set = policies(&policy);
        for kind in KINDS {
            let old = with_template(kind, TEMPLATE);
            for (from, to, _) in CHANGES {
                let new = with_template(kind, &TEMPLATE.replacen(from, to, 1));
                assert!(review(&set, &update(kind, &old, &new)).denied.is_some(), "{kind} {old} to {new}");
                let repaired = new.replace("true}", "false}");
                assert_eq!(review(&set, &update(kind, &old, &repaired)).denied, None, "{kind} {old} to {repaired}");
                assert!(review(&set, &update(kind, &repaired, &old)).denied.is_some(), "{kind} {repaired} to {old}");
            }
        }
    }
}

#[test]
fn a_policys_own_conditions_decide_of_a_changed_template() {
    let set = policies(&conditional());
    for kind in KINDS {
        let old = with_template(kind, TEMPLATE);
        for (from, to, containers) in CHANGES {
            let new = with_template(kind, &TEMPLATE.replacen(from, to, 1));
            let seen = review(&set, &update(kind, &old, &new));
            assert_eq!(seen.denied.is_some(), containers, "{kind} {old} to {new}: {seen:?}");
            assert_eq!(seen.findings.is_empty(), !containers, "{kind} {old} to {new}: {seen:?}");
        }
    }
}

#[test]
fn policies_that_judge_updates_see_the_old_templates_pod() {
    let with = |kind: &str, image: &str| {
        let claims = r#""spec": {"volumeClaimTemplates": [{"metadata": {"name": "config"}}], "template""#;
        with_template(kind, &TEMPLATE.replace("busybox", image)).replace(r#""spec": {"template""#, claims)
    };
    for (kind, expression) in [
        ("Deployment", "request.operation == 'UPDATE' && object.spec.containers[0].image == 'new'"),
        ("Deployment", "oldObject.kind == 'Pod' && oldObject.spec.containers[0].image == 'old'"),
        ("Deployment", "oldObject.metadata == object.metadata && oldObject.metadata.labels == {'app': 'tv'}"),
        ("Deployment", "oldObject.spec.enableServiceLinks == true"),
        ("Deployment", "request.userInfo.username == 'system:serviceaccount:kube-system:replicaset-controller'"),
        ("Deployment", "request.kind.kind == 'Pod' && request.resource.resource == 'pods'"),
        ("StatefulSet", "oldObject.spec.volumes == object.spec.volumes && oldObject.metadata.name == 'web-0'"),
        ("DaemonSet", "oldObject.spec.tolerations == object.spec.tolerations && size(oldObject.spec.tolerations) == 6"),
        ("Job", "oldObject.metadata.labels['batch.kubernetes.io/job-name'] == 'web'"),
        ("CronJob", "oldObject.metadata.ownerReferences[0].kind == 'Job'"),
        ("PodTemplate", "oldObject.spec.containers[0].image == 'old'"),
    ] {
        let set = pods_have("CREATE, UPDATE", expression);
        let seen = review(&set, &update(kind, &with(kind, "old"), &with(kind, "new")));
        assert_eq!(seen.findings, ["p/b Pass Pass "], "{kind} {expression}");
    }
}

#[test]
fn a_policy_judges_what_it_would_when_the_pod_is_created() {
    let (old, new) = (with_template("Job", TEMPLATE), with_template("Job", &TEMPLATE.replace("busybox", "new")));
    for (operations, expression, findings) in [
        // The controller will create a pod, whatever was done to the workload.
        ("CREATE", "request.operation == 'CREATE' && oldObject == null", 1),
        ("UPDATE", "false", 0),
        ("DELETE", "false", 0),
    ] {
        let seen = review(&pods_have(operations, expression), &update("Job", &old, &new));
        assert_eq!(seen.findings, vec!["p/b Pass Pass "; findings], "{operations}");
    }
    // There was no template before, so there is nothing that is updated.
    let set = pods_have("CREATE, UPDATE", "request.operation == 'CREATE' && oldObject == null");
    for old in ["null", r#"{"spec": {}}"#, r#"{"spec": {"template": {"spec": []}}}"#] {
        assert_eq!(review(&set, &update("Job", old, &new)).findings, ["p/b Pass Pass "], "{old}");
    }
}

#[test]
fn an_object_selector_looks_at_the_pod_that_will_be_created() {
    let set = policies(
        &at_updates(PRIVILEGED)
            .replace("matchConstraints: {", "matchConstraints: {objectSelector: {matchLabels: {app: tv}}, "),
    );
    let (selected, other) = (TEMPLATE.to_owned(), TEMPLATE.replace("tv", "other"));
    for (old, new, refused) in [(&selected, &other, false), (&other, &selected, true)] {
        let (old, new) = (with_template("Deployment", old), with_template("Deployment", new));
        assert_eq!(review(&set, &update("Deployment", &old, &new)).denied.is_some(), refused, "{old} to {new}");
    }
}

#[test]
fn templates_are_the_same_if_they_are_but_for_defaults() {
    let set = policies(PRIVILEGED);
    for kind in KINDS {
        let old = with_template(kind, TEMPLATE);
        for (from, to) in [
            (r#""spec": {"#, r#""spec": {"dnsPolicy": "ClusterFirst", "hostPID": false, "#),
            (r#""image": "busybox""#, r#""image": "busybox", "imagePullPolicy": "Always", "resources": {}"#),
            (r#"{"labels""#, r#"{"creationTimestamp": null, "labels""#),
        ] {
            let new = with_template(kind, &TEMPLATE.replacen(from, to, 1));
            for (old, new) in [(&old, &new), (&new, &old)] {
                assert_eq!(review(&set, &update(kind, old, new)).denied, None, "{kind} {old} to {new}");
            }
        }
        let new = with_template(kind, &TEMPLATE.replace(r#""spec": {"#, r#""spec": {"dnsPolicy": "ClusterFirst", "#));
        let as_written = Ask { defaulting: false, ..update(kind, &old, &new) };
        assert!(review(&set, &as_written).denied.is_some(), "{kind}");
    }
}

#[test]
fn the_old_pod_is_mutated_as_the_new_one() {
    let set = policies(&format!("{}{}", conditional(), mutating("gpu", REPAIR)));
    let old = with_template("Deployment", TEMPLATE);
    for (from, to, findings) in [
        // The containers stay, before and after the repair: nothing is judged, and nothing said of the repair.
        (r#""app": "tv""#, r#""app": "tv", "team": "x""#, vec!["gpu/gpu Pass Pass "]),
        (
            "busybox",
            "busybox:1.36.1",
            vec![
                "gpu/gpu Pass Pass ",
                "privileged/privileged Warn Warn [spec.template.spec.containers[0].securityContext.privileged] \
                 spec.template.spec.containers[0].securityContext.privileged: write false (accepted, because \
                 MutatingAdmissionPolicy 'gpu' will repair its pods when they are created)",
                "privileged/privileged Pass Pass ",
            ],
        ),
    ] {
        let new = with_template("Deployment", &TEMPLATE.replacen(from, to, 1));
        let seen = review(&set, &update("Deployment", &old, &new));
        assert_eq!(seen.denied, None);
        assert_eq!(seen.findings, findings);
    }
    // Who is no longer repaired has other containers than before.
    let new = with_template("Deployment", &TEMPLATE.replace("tv", "other"));
    assert!(review(&set, &update("Deployment", &old, &new)).denied.is_some());
}

#[test]
fn a_mutating_policy_of_creations_alone_is_one_of_updated_workloads_too() {
    let repair = mutating("gpu", REPAIR).replace("operations: [CREATE, UPDATE]", "operations: [CREATE]");
    let set = policies(&format!("{}{repair}", at_updates(PRIVILEGED)));
    let (old, new) = (with_template("Job", TEMPLATE), with_template("Job", &TEMPLATE.replace("busybox", "new")));
    assert_eq!(review(&set, &update("Job", &old, &new)).denied, None);
}

#[test]
fn policies_on_the_workloads_themselves_judge_every_update() {
    let rules =
        "apiGroups: [apps], apiVersions: [v1], operations: [UPDATE], resources: [deployments, deployments/scale]";
    let set = validating(&format!(
        "  matchConstraints: {{resourceRules: [{{{rules}}}]}}\n  validations: [{{expression: object.spec.replicas > 0}}]"
    ));
    let old = with_template("Deployment", TEMPLATE);
    let scaled = old.replacen(r#""spec": {"#, r#""spec": {"replicas": 0, "#, 1);
    let update = update("Deployment", &old, &scaled);
    assert!(review(&set, &update).denied.is_some());
    let scale = r#"{"kind": "Scale", "spec": {"replicas": 0}}"#;
    let update = Ask { sub_resource: "scale", kind: "Scale", object: scale, old_object: scale, ..update };
    assert!(review(&set, &update).denied.is_some());
    assert_eq!(review(&policies(PRIVILEGED), &update).denied, None);
}

#[test]
fn a_pods_own_update_is_judged_as_ever() {
    let set = policies(&at_updates(PRIVILEGED));
    let pod = r#"{"metadata": {"name": "web"}, "spec": {"containers": [{"name": "a", "securityContext": {"privileged": true}}]}}"#;
    let update = Ask { operation: Operation::Update, object: pod, old_object: pod, ..Ask::default() };
    assert!(review(&set, &update).denied.is_some());
}

#[test]
fn an_observer_hears_of_the_new_pod_alone() {
    let set = policies(&mutating("p", REPAIR));
    let heard = decisions::Heard::default();
    let (old, new) = (with_template("Job", TEMPLATE), with_template("Job", &TEMPLATE.replace("busybox", "new")));
    review_observed(&set, &update("Job", &old, &new), Some(&heard));
    let places: Vec<Place> = heard.0.borrow().iter().map(|(place, _)| *place).collect();
    assert_eq!(places, [Place::MatchCondition(0), Place::Mutation(0)]);
}
