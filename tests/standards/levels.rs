//! What each of our policies says of a pod, and what its check upstream says.

use std::collections::{BTreeMap, BTreeSet};

use portcullis::admission::acceptable::{incomplete, undecodable};
use portcullis::admission::offline::{Attributes, KnownNamespaces, request};
use portcullis::engine::{Context, Evaluation, Operation, PolicySet};
use portcullis::json::{Arena, Object, Value as Ours};
use serde_json::{Value, json};

use crate::accepted::is_refused;
use crate::findings::read;
use crate::pods::{Case, Way};

/// The checks upstream, and the policy that does the same.
pub const CONTROLS: [(&str, &str); 19] = [
    ("privileged", "pss-baseline-privileged"),
    ("hostNamespaces", "pss-baseline-host-namespaces"),
    ("hostPathVolumes", "pss-baseline-host-path-volumes"),
    ("hostPorts", "pss-baseline-host-ports"),
    ("hostProbesAndHostLifecycle", "pss-baseline-host-probes"),
    ("capabilities_baseline", "pss-baseline-capabilities"),
    ("seLinuxOptions", "pss-baseline-selinux"),
    ("procMount", "pss-baseline-proc-mount"),
    ("seccompProfile_baseline", "pss-baseline-seccomp"),
    ("sysctls", "pss-baseline-sysctls"),
    ("appArmorProfile", "pss-baseline-apparmor"),
    ("windowsHostProcess", "pss-baseline-windows-host-process"),
    ("restrictedVolumes", "pss-restricted-volume-types"),
    ("allowPrivilegeEscalation", "pss-restricted-privilege-escalation"),
    ("runAsNonRoot", "pss-restricted-run-as-non-root"),
    ("runAsUser", "pss-restricted-run-as-user"),
    ("seccompProfile_restricted", "pss-restricted-seccomp"),
    ("capabilities_restricted", "pss-restricted-capabilities"),
    ("procMount_restricted", "pss-restricted-proc-mount"),
];

/// Those that look at no container: what a running pod has of it can't change when it gets a debug container.
const OF_PODS_ALONE: [&str; 4] = ["hostNamespaces", "hostPathVolumes", "sysctls", "restrictedVolumes"];

/// What is missing for each check to have its policy, and each policy its check.
pub fn unpaired(checks: &Value, policies: &PolicySet) -> Vec<String> {
    let mut missing = Vec::new();
    let names: BTreeSet<_> = policies.policies().iter().map(|policy| policy.name.as_str()).collect();
    for (check, level) in checks.as_object().expect("checks") {
        match CONTROLS.iter().find(|(known, _)| known == check) {
            None => missing.push(format!("nothing is known of the check {check}")),
            Some((_, policy)) if !names.contains(policy) => missing.push(format!("there is no policy {policy}")),
            Some((_, policy)) if !policy.starts_with(&format!("pss-{}-", level.as_str().unwrap_or_default())) => {
                missing.push(format!("{policy} is of another level than {check}"));
            }
            Some(_) => {}
        }
    }
    let known = |name: &&str| CONTROLS.iter().any(|(_, policy)| policy == name);
    missing.extend(names.iter().filter(|name| !known(name)).map(|name| format!("{name} has no check upstream")));
    missing
}

/// What ours say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These policies forbid it.
    Forbidden(BTreeSet<String>),
    /// No policy is asked, since the API server can't read it.
    Refused(String),
    /// A policy could not be evaluated.
    Failed(String),
}

/// Our policies' answer.
pub fn ours(policies: &PolicySet, case: &Case) -> Answer {
    let arena = Arena::new();
    let (object, old_object, resource, subresource, operation) = asked(case);
    let (object, old_object) = (read(&arena, &object), read(&arena, &old_object));
    let attributes = Attributes {
        resource,
        subresource,
        namespace: "media",
        operation,
        user_info: Ours::Null,
        dry_run: false,
        defaulting: true,
    };
    if let Some(refusal) = undecodable(object).or_else(|| incomplete(object)) {
        return Answer::Refused(refusal.message);
    }
    let mut namespaces = KnownNamespaces::default();
    namespaces.insert("media", Ours::Object(Object::default()));
    let request = request(&arena, object, old_object, attributes);
    let decision = policies.review(&request, &Context { namespaces: &namespaces, ..Context::new(&arena) });
    let mut forbidden = BTreeSet::new();
    for finding in &decision.findings {
        match finding.evaluation {
            Evaluation::Admit => {}
            Evaluation::Deny => drop(forbidden.insert(finding.policy.to_owned())),
            Evaluation::Error => return Answer::Failed(format!("{}: {}", finding.policy, finding.message)),
        }
    }
    Answer::Forbidden(forbidden)
}

/// The request: object, old object, resource, subresource, operation.
pub fn asked(case: &Case) -> (Value, Value, &'static str, &'static str, Operation) {
    let created = |object, resource| (object, Value::Null, resource, "", Operation::Create);
    match case.way {
        Way::Pod => created(case.pod.clone(), "pods"),
        Way::Debug => {
            let mut before = case.pod.clone();
            before["spec"]["ephemeralContainers"].take();
            (case.pod.clone(), before, "pods", "ephemeralcontainers", Operation::Update)
        }
        Way::Template(version, kind, resource) => {
            let metadata = json!({"name": "web", "namespace": "media"});
            let template = json!({"metadata": case.pod["metadata"], "spec": case.pod["spec"]});
            let spec = match kind {
                "PodTemplate" => {
                    let object =
                        json!({"apiVersion": version, "kind": kind, "metadata": metadata, "template": template});
                    return created(object, resource);
                }
                "CronJob" => json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}),
                "ReplicationController" => json!({"selector": {"app": "web"}, "template": template}),
                _ => json!({"selector": {"matchLabels": {"app": "web"}}, "template": template}),
            };
            created(json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}), resource)
        }
    }
}

/// The differences between an answer of ours and upstream's, each in words that don't name the pod.
pub fn differences(case: &Case, ours: &Answer, upstream: &Value) -> Differences {
    let mut differences = Differences::default();
    if let Some(error) = upstream["error"].as_str() {
        match ours {
            Answer::Refused(_) => differences.refused = true,
            _ => differences.unexplained.push(format!("upstream can't read it: {error}")),
        }
        return differences;
    }
    let forbidden = match ours {
        Answer::Forbidden(forbidden) => forbidden,
        Answer::Refused(message) => {
            differences.unexplained.push(format!("we refuse it: {message}"));
            return differences;
        }
        Answer::Failed(message) => {
            differences.unexplained.push(message.clone());
            return differences;
        }
    };
    let forbids = |check: &str| upstream["forbidden"].as_array().is_some_and(|all| all.iter().any(|id| id == check));
    let judged = |check: &str| case.way != Way::Debug || !OF_PODS_ALONE.contains(&check);
    for (check, policy) in CONTROLS.iter().filter(|(check, _)| judged(check)) {
        match (forbidden.contains(*policy), forbids(check)) {
            (true, false) => differences.unexplained.push(format!("{policy} forbids what {check} allows")),
            (false, true) => differences.unexplained.push(format!("{policy} allows what {check} forbids")),
            _ => {}
        }
    }
    // The whole level, for the pods that are judged as a whole.
    if case.way != Way::Debug && differences.unexplained.is_empty() {
        let is_baseline = |policy: &String| policy.starts_with("pss-baseline-");
        for (level, allowed) in [("baseline", !forbidden.iter().any(is_baseline)), ("restricted", forbidden.is_empty())]
        {
            if upstream[level].as_bool() == Some(allowed) {
                continue;
            }
            if level == "restricted" && is_refused(&case.pod) {
                differences.refused = true;
            } else {
                differences
                    .unexplained
                    .push(format!("the level {level}: {allowed} here, upstream {}", upstream[level]));
            }
        }
    }
    differences
}

/// What is different.
#[derive(Debug, Default)]
pub struct Differences {
    pub unexplained: Vec<String>,
    /// The answers differ, or would, but the API server refuses such a pod.
    pub refused: bool,
}

/// How often each check forbade, and each level allowed: a comparison of which one side is never seen compares nothing.
#[derive(Debug, Default)]
pub struct Seen {
    counts: BTreeMap<String, (u64, u64)>,
}

impl Seen {
    /// Takes note of an answer of upstream's.
    pub fn add(&mut self, upstream: &Value) {
        let mut note = |what: &str, forbids: bool| {
            let (allowed, forbidden) = self.counts.entry(what.to_owned()).or_default();
            *(if forbids { forbidden } else { allowed }) += 1;
        };
        for level in ["baseline", "restricted"] {
            note(level, upstream[level] == false);
        }
        for (check, _) in CONTROLS {
            note(check, upstream["forbidden"].as_array().is_some_and(|all| all.iter().any(|id| id == check)));
        }
    }

    /// A line for each, and whether all were seen allowing and forbidding.
    pub fn lines(&self) -> (Vec<String>, bool) {
        let line = |(what, (allowed, forbidden)): (&String, &(u64, u64))| {
            format!("{what:>28}: {allowed} allowed, {forbidden} forbidden")
        };
        let both = self.counts.values().all(|(allowed, forbidden)| *allowed > 0 && *forbidden > 0);
        (self.counts.iter().map(line).collect(), both)
    }
}
