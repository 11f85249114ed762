//! Who isn't asked again would have said the same again.

use super::mutations::custom;
use super::workloads::{BAD, PRIVILEGED, REPAIR, with_template, workload};
use super::*;
use crate::policy::{Embedded, embedded, load};

/// Pods with more or less for the shipped policies to do.
const PODS: [&str; 6] = [
    r#"{"containers": [{"name": "a", "image": "nginx"}]}"#,
    r#"{"containers": [{"name": "a", "image": "linuxserver/sonarr:1.2.3", "resources": {"limits": {"memory": "1Gi"}}},
        {"name": "b", "image": "alpine@sha256:abc", "securityContext": {"privileged": true}}],
        "volumes": [{"name": "host", "hostPath": {"path": "/dev/dri"}}]}"#,
    r#"{"containers": [{"name": "a", "image": "prom/prometheus:v3", "ports": [{"containerPort": 80, "hostPort": 80}],
        "securityContext": {"capabilities": {"add": ["NET_ADMIN"]}, "allowPrivilegeEscalation": true}}],
        "initContainers": [{"name": "i", "image": "busybox", "resources": {}}], "hostNetwork": true,
        "serviceAccountName": "default", "automountServiceAccountToken": true}"#,
    r#"{"containers": [{"name": "jellyfin", "image": "jellyfin/jellyfin:10.9", "securityContext": {"privileged": true},
        "volumeMounts": [{"name": "dri", "mountPath": "/dev/dri"}]}],
        "volumes": [{"name": "dri", "hostPath": {"path": "/dev/dri"}}]}"#,
    r#"{"containers": [{"name": "a", "image": "a:1", "securityContext": {"runAsNonRoot": true, "runAsUser": 1000,
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": true},
        "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}}}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}, "automountServiceAccountToken": false}"#,
    r#"{"containers": [{"name": "a", "image": "a:1"}], "os": {"name": "windows"},
        "securityContext": {"windowsOptions": {"hostProcess": true}}}"#,
];

#[test]
fn decisions_are_those_of_asking_everybody_again() {
    let manifests: Vec<_> = embedded().iter().map(Embedded::manifest).collect();
    let set = || {
        let loaded = load(&manifests, 36);
        PolicySet::new(loaded.policies, loaded.params, Exemptions::default())
    };
    let (sparing, asking) = (set(), set().asking_everybody_again());
    let mut repaired = 0;
    for pod in PODS {
        let template = format!(r#"{{"metadata": {{"labels": {{"app": "jellyfin"}}}}, "spec": {pod}}}"#);
        let (deployment, job) = (with_template("Deployment", &template), with_template("Job", &template));
        let update = Ask { operation: Operation::Update, ..workload("Deployment", &deployment) };
        let asks = PODS.iter().map(|old| format!(r#"{{"metadata": {{"labels": {{"app": "x"}}}}, "spec": {old}}}"#));
        let old: Vec<String> = asks.map(|template| with_template("Deployment", &template)).collect();
        let updates = old.iter().map(|old_object| Ask { old_object, ..update });
        let created = Ask { object: &template, ..Ask::default() };
        for ask in [created, workload("Deployment", &deployment), workload("Job", &job)].into_iter().chain(updates) {
            for (phase, mode) in [
                (Phase::Mutate, Mode::Enforce),
                (Phase::Validate, Mode::Enforce),
                (Phase::Validate, Mode::Audit),
                (Phase::Both, Mode::Warn),
            ] {
                let ask = Ask { phase, mode, ..ask };
                let seen = review(&sparing, &ask);
                repaired += usize::from(format!("{seen:?}").contains("will repair"));
                assert_eq!(format!("{seen:?}"), format!("{:?}", review(&asking, &ask)), "{ask:?}");
            }
        }
    }
    assert!(repaired > 20, "{repaired}");
}

/// Counts evaluations by policy.
#[derive(Debug, Default)]
struct Count(std::cell::RefCell<Vec<String>>);

impl Observer for Count {
    fn evaluated(&self, policy: &str, place: Place, _: Outcome) {
        if matches!(place, Place::Mutation(_) | Place::Validation(_)) {
            self.0.borrow_mut().push(policy.to_owned());
        }
    }
}

impl Count {
    fn of(&self, policy: &str) -> usize {
        self.0.borrow().iter().filter(|evaluated| *evaluated == policy).count()
    }
}

#[test]
fn a_mutation_runs_again_only_if_what_it_looks_at_changed() {
    let policy = |name: &str, reads: &str, patch: &str| {
        let spec = format!(
            "  failurePolicy: Fail\n  reinvocationPolicy: IfNeeded\n  mutations: [{{patchType: JSONPatch, jsonPatch: \
             {{expression: '{reads} ? [{patch}] : []'}}}}]"
        );
        mutating(name, &spec)
    };
    let set = policies(
        &[
            policy("a-replicas", "object.spec.replicas == 4", r#"JSONPatch{op: "remove", path: "/spec"}"#),
            policy(
                "b-label",
                r#"object.?metadata.?labels.?app.orValue("") == "db""#,
                r#"JSONPatch{op: "remove", path: "/spec"}"#,
            ),
            policy("c-adds", "!has(object.spec.size)", r#"JSONPatch{op: "add", path: "/spec/size", value: 1}"#),
            policy("d-all", "object.spec == {}", r#"JSONPatch{op: "remove", path: "/spec"}"#),
            policy("e-later", "false && has(object.spec.size)", r#"JSONPatch{op: "remove", path: "/spec"}"#),
        ]
        .concat(),
    );
    let count = Count::default();
    let seen = review_observed(&set, &custom(), Some(&count));
    assert!(seen.mutated.is_some_and(|(object, _)| object.contains(r#""size":1"#)));
    let counted = ["a-replicas", "b-label", "c-adds", "d-all", "e-later"].map(|policy| count.of(policy));
    // What ran after the change has seen it.
    assert_eq!(counted, [1, 1, 2, 1, 1]);
}

#[test]
fn the_declared_pod_is_judged_by_those_alone_who_see_what_was_repaired() {
    let expression = "object.spec.containers.all(c, !c.?securityContext.?privileged.orValue(false))";
    let images =
        PRIVILEGED.replace("name: privileged", "name: images").replace("policyName: privileged", "policyName: images");
    let images = images.replace(expression, r#"object.spec.containers.all(c, c.name != "x")"#);
    let images = images.replace("c.?securityContext.?privileged.orValue(false),", "c.name == 'x',");
    let set = policies(&format!("{PRIVILEGED}{images}{}", mutating("repair", REPAIR)));
    let object =
        with_template("Deployment", &format!(r#"{{"metadata": {{"labels": {{"app": "tv"}}}}, "spec": {BAD}}}"#));
    let count = Count::default();
    let seen = review_observed(&set, &workload("Deployment", &object), Some(&count));
    assert!(format!("{seen:?}").contains("repair its pods"), "{seen:?}");
    assert_eq!(["privileged", "images"].map(|policy| count.of(policy)), [3, 1]);
}
