//! Tables of policy, object and decision, in upstream's vocabulary.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod again;
mod decisions;
mod exemptions;
mod matching;
mod mutations;
mod updates;
mod workloads;

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use crate::json::{self, Arena, Limits, Value};
use crate::policy::{Exemptions, Manifest, load};

use super::*;

/// Loads policies, bindings and params from YAML.
fn policies(manifest: &str) -> PolicySet {
    policies_with_exemptions(manifest, "")
}

fn policies_with_exemptions(manifest: &str, exemptions: &str) -> PolicySet {
    let loaded = load(&[Manifest::new("test.yaml", manifest)], 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    let (exemptions, errors) = Exemptions::load(&[Manifest::new("exemptions.yaml", exemptions)]);
    assert!(errors.is_empty(), "{errors:?}");
    PolicySet::new(loaded.policies, loaded.params, exemptions)
}

/// A validating policy named `p`, bound by `b` with Deny, for all requests unless `spec` says otherwise.
fn validating(spec: &str) -> PolicySet {
    validating_bound(spec, "  validationActions: [Deny]\n")
}

fn validating_bound(spec: &str, binding: &str) -> PolicySet {
    let constraints = if spec.contains("matchConstraints") { "" } else { EVERYTHING };
    policies(&format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n\
         {constraints}{spec}\n---\napiVersion: admissionregistration.k8s.io/v1\n\
         kind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec:\n  policyName: p\n{binding}"
    ))
}

const EVERYTHING: &str = "  matchConstraints: {resourceRules: [{apiGroups: ['*'], apiVersions: ['*'], \
                          operations: ['*'], resources: ['*/*']}]}\n";

/// A mutating policy with its binding, for pods at CREATE and UPDATE.
fn mutating(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {{name: {name}}}\nspec:\n\
         \x20 matchConstraints: {{resourceRules: [{{apiGroups: ['', example.com], apiVersions: [v1], operations: [CREATE, UPDATE], \
         resources: [pods, widgets]}}]}}\n{spec}\n---\napiVersion: admissionregistration.k8s.io/v1\n\
         kind: MutatingAdmissionPolicyBinding\nmetadata: {{name: {name}}}\nspec: {{policyName: {name}}}\n---\n"
    )
}

/// A request in the words of a test: a pod named `web` is created in `media` unless changed.
#[derive(Clone, Debug)]
struct Ask<'t> {
    group: &'t str,
    version: &'t str,
    kind: &'t str,
    resource: &'t str,
    sub_resource: &'t str,
    name: &'t str,
    namespace: &'t str,
    operation: Operation,
    object: &'t str,
    old_object: &'t str,
    phase: Phase,
    mode: Mode,
    namespaces: &'t [(&'t str, &'t str)],
    deadline: Option<Instant>,
    defaulting: bool,
}

impl Default for Ask<'_> {
    fn default() -> Self {
        Self {
            group: "",
            version: "v1",
            kind: "Pod",
            resource: "pods",
            sub_resource: "",
            name: "web",
            namespace: "media",
            operation: Operation::Create,
            object: r#"{"metadata": {"name": "web", "labels": {"app": "web"}}, "spec": {"replicas": 3}}"#,
            old_object: "null",
            phase: Phase::Both,
            mode: Mode::Enforce,
            namespaces: &[],
            deadline: None,
            defaulting: true,
        }
    }
}

/// What a review said, independent of its arena.
#[derive(Debug, Default)]
struct Seen {
    /// The message of the denial, its reason and its code.
    denied: Option<(String, String, u16)>,
    causes: Vec<String>,
    warnings: Vec<String>,
    annotations: Vec<(String, String)>,
    /// `policy/binding verdict effective [field] message`
    findings: Vec<String>,
    /// For each finding the exemptions that are written for it, with their numbers of offenders: `e 1, f 0`
    covered_by: Vec<String>,
    /// The object after mutation as JSON, and the policies that changed it.
    mutated: Option<(String, Vec<String>)>,
    would_mutate: Option<(String, Vec<String>)>,
}

impl Seen {
    fn message(&self) -> &str {
        self.denied.as_ref().map(|(message, ..)| message.as_str()).unwrap_or_default()
    }
}

#[derive(Debug)]
struct Known<'t>(HashMap<&'t str, &'t str>);

impl Namespaces for Known<'_> {
    fn namespace<'a>(&'a self, arena: &'a Arena, name: &str) -> Result<Option<Value<'a>>, String> {
        Ok(self.0.get(name).map(|text| parse(arena, text)))
    }
}

fn parse<'a>(arena: &'a Arena, text: &'a str) -> Value<'a> {
    json::parse(arena, text.as_bytes(), &Limits::default()).expect(text)
}

/// Reviews what `ask` asks.
fn review(set: &PolicySet, ask: &Ask<'_>) -> Seen {
    review_observed(set, ask, None)
}

fn review_observed(set: &PolicySet, ask: &Ask<'_>, observer: Option<&dyn Observer>) -> Seen {
    let arena = Arena::new();
    let namespaces = Known(ask.namespaces.iter().copied().collect());
    let kind = GroupVersionKind { group: ask.group, version: ask.version, kind: ask.kind };
    let resource = GroupVersionResource { group: ask.group, version: ask.version, resource: ask.resource };
    let request = Request {
        uid: "1",
        kind,
        resource,
        sub_resource: ask.sub_resource,
        request_kind: kind,
        request_resource: resource,
        request_sub_resource: ask.sub_resource,
        name: ask.name,
        namespace: ask.namespace,
        operation: ask.operation,
        user_info: parse(&arena, r#"{"username": "alice", "groups": ["system:authenticated"]}"#),
        object: parse(&arena, ask.object),
        old_object: parse(&arena, ask.old_object),
        options: Value::Null,
        dry_run: false,
    };
    let context = Context {
        phase: ask.phase,
        mode: ask.mode,
        namespaces: &namespaces,
        deadline: ask.deadline,
        defaulting: ask.defaulting,
        now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        observer,
        ..Context::new(&arena)
    };
    seen(set.review(&request, &context))
}

fn seen(decision: Decision<'_>) -> Seen {
    let mutated = |mutated: Option<Mutated<'_>>| {
        mutated.map(|m| (json::to_json(m.object), m.policies.iter().map(|&p| p.to_owned()).collect()))
    };
    let findings = decision.findings.iter().map(|f| {
        let place = if f.field().is_empty() { String::new() } else { format!("[{}] ", f.field()) };
        format!("{}/{} {:?} {:?} {place}{}", f.policy, f.binding, f.verdict, f.effective, f.message)
    });
    let covered_by = decision.findings.iter().map(|finding| {
        let covers = finding.covered_by.iter().map(|(exemption, offenders)| format!("{} {offenders}", exemption.name));
        covers.collect::<Vec<_>>().join(", ")
    });
    Seen {
        covered_by: covered_by.collect(),
        causes: decision.denied.as_ref().map(|d| d.causes.clone()).unwrap_or_default(),
        findings: findings.collect(),
        denied: decision.denied.map(|d| (d.message, d.reason.to_owned(), d.code)),
        warnings: decision.warnings,
        annotations: decision.audit_annotations,
        mutated: mutated(decision.mutated),
        would_mutate: mutated(decision.would_mutate),
    }
}
