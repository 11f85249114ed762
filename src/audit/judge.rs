//! Asks the engine about a manifest, as if its object were being created.

use std::time::SystemTime;

use crate::admission::acceptable::{Refusal, incomplete, undecodable};
use crate::admission::offline::{Attributes, request};
use crate::engine::{Context, Decision, Offender, Operation, PolicySet, Request, Verdict, workloads};
use crate::json::{Arena, Object, Value};
use crate::manifests::{Known, Manifest};
use crate::policy::{self, AuditRule};

use super::across::{Across, Violation};
use super::locate::line;
use super::report::{Exempted, Filter, Finding, Judged, Report};

/// Who creates the objects, and when.
#[derive(Clone, Debug)]
pub struct Options {
    /// `userInfo.username`.
    pub user: String,
    /// `userInfo.groups`.
    pub groups: Vec<String>,
    /// The time that exemptions expire by.
    pub now: SystemTime,
    /// Whether objects get the API server's defaults before they are judged.
    pub defaulting: bool,
    /// Whether findings say what decided; the policies have to be loaded with probes.
    pub explain: bool,
    /// The rules about several objects that are on.
    pub rules: Vec<Rule>,
}

/// A rule about several objects that is on.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The rule.
    pub rule: &'static AuditRule,
    /// What its findings amount to.
    pub verdict: Verdict,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: "portcullis:audit".to_owned(),
            groups: vec!["system:authenticated".to_owned()],
            now: SystemTime::now(),
            defaulting: true,
            explain: false,
            rules: Vec::new(),
        }
    }
}

impl Options {
    /// The context of reviews of an input's manifests.
    pub fn context<'a>(&self, arena: &'a Arena, known: &'a Known) -> Context<'a> {
        let namespaces = &known.namespaces;
        Context { namespaces, now: self.now, defaulting: self.defaulting, explain: self.explain, ..Context::new(arena) }
    }
}

/// The decision on one manifest, both phases enforced.
pub fn review<'a>(
    arena: &'a Arena,
    manifest: &'a Manifest<'a>,
    known: &'a Known,
    policies: &'a PolicySet,
    options: &Options,
) -> Decision<'a> {
    let request = create_request(arena, manifest, options);
    let context = options.context(arena, known);
    policies.review(&request, &context)
}

/// The decision on a manifest, or why the API server would ask no validating policy about it.
fn accepted<'a>(
    arena: &'a Arena,
    manifest: &'a Manifest<'a>,
    known: &'a Known,
    policies: &'a PolicySet,
    options: &Options,
) -> Result<Decision<'a>, Refusal> {
    if let Some(refusal) = undecodable(manifest.object) {
        return Err(refusal);
    }
    let decision = review(arena, manifest, known, policies, options);
    let stored = decision.mutated.as_ref().map_or(manifest.object, |mutated| mutated.object);
    incomplete(stored).map_or(Ok(decision), Err)
}

/// The finding that an object could not be judged; it is no policy's.
fn refused(refusal: Refusal, line: impl FnOnce(&str) -> usize) -> Finding {
    Finding {
        policy: String::new(),
        binding: String::new(),
        verdict: Verdict::Error,
        reason: refusal.reason.to_owned(),
        line: line(&refusal.field),
        field: refusal.field,
        message: refusal.message,
        repaired_by: None,
        severity: String::new(),
        exemption: None,
        explanation: None,
    }
}

/// The request that creating the manifest's object would be.
pub fn create_request<'a>(arena: &'a Arena, manifest: &'a Manifest<'a>, options: &Options) -> Request<'a> {
    let text = |text: &str| Value::String(arena.alloc_str(text));
    let groups: Vec<_> = options.groups.iter().map(|group| text(group)).collect();
    let groups = Value::Array(arena.alloc_slice_copy(&groups));
    let user_info = Object::new(arena, &[("username", text(&options.user)), ("groups", groups)]);
    let attributes = Attributes {
        resource: &manifest.resource.name,
        subresource: "",
        namespace: &manifest.id.namespace,
        operation: Operation::Create,
        user_info: Value::Object(user_info),
        dry_run: false,
        defaulting: options.defaulting,
    };
    request(arena, manifest.object, Value::Null, attributes)
}

/// Judges a manifest, and counts what `filter` lets pass; `arena` holds what is needed for it.
pub fn judge(
    arena: &Arena,
    manifest: &Manifest<'_>,
    (known, across): (&Known, Option<&Across>),
    policies: &PolicySet,
    (options, filter): (&Options, &Filter),
    report: &mut Report,
) -> Judged {
    let mut judged = Judged {
        object: manifest.id.clone(),
        source: manifest.source.clone(),
        is_judged: false,
        built_by: manifest.built_by.map(str::to_owned),
        findings: Vec::new(),
    };
    judged.source.line = line(manifest, "");
    match accepted(arena, manifest, known, policies, options) {
        Ok(decision) => take(decision, manifest, filter, &mut judged, report),
        Err(refusal) => judged.findings.push(refused(refusal, |field| line(manifest, field))),
    }
    let violations = across.map(|across| across.violations(manifest)).unwrap_or_default();
    let found = violations.into_iter().filter_map(|found| across_finding(manifest, found, policies, options, report));
    judged.findings.extend(found);
    report.summary.hidden += judged.keep(filter);
    report.judged(&judged);
    judged
}

fn take(decision: Decision<'_>, manifest: &Manifest<'_>, filter: &Filter, judged: &mut Judged, report: &mut Report) {
    judged.is_judged = !decision.findings.is_empty();
    for finding in decision.findings {
        for (exemption, offenders) in &finding.covered_by {
            report.exempted(&exemption.name, *offenders);
        }
        if finding.verdict == Verdict::Pass {
            if filter.lets_policy_pass(finding.policy) {
                report.passed(finding.policy);
            }
            continue;
        }
        // Each of the things that a validation objects to has a line of its own.
        let whole = [Offender { field: String::new(), message: finding.message.clone() }];
        let offenders = if finding.offenders.is_empty() { &whole[..] } else { &finding.offenders };
        judged.findings.extend(offenders.iter().map(|offender| Finding {
            policy: finding.policy.to_owned(),
            binding: finding.binding.to_owned(),
            verdict: finding.verdict,
            reason: finding.reason.to_owned(),
            line: line(manifest, &offender.field),
            field: offender.field.clone(),
            message: offender.message.clone(),
            explanation: finding.explanation.clone(),
            repaired_by: finding.repaired_by.map(str::to_owned),
            severity: finding.severity.to_owned(),
            exemption: finding.exemption.map(|exemption| Exempted::new(exemption.by, exemption.instead_of)),
        }));
    }
}

const LABELS: [&str; 2] = ["metadata", "labels"];

/// The finding of a rule about several objects, if the rule is on; exemptions set it aside as they do those of policies.
fn across_finding(
    manifest: &Manifest<'_>,
    Violation { rule, field, message }: Violation,
    policies: &PolicySet,
    options: &Options,
    report: &mut Report,
) -> Option<Finding> {
    let Rule { rule, verdict } = options.rules.iter().find(|on| on.rule.name == rule).copied()?;
    let template = workloads().iter().find(|workload| workload.kind == manifest.id.kind).map(|of| of.template);
    let subject = policy::Subject {
        namespace: &manifest.id.namespace,
        kind: &manifest.id.kind,
        name: manifest.id.name.trim_end_matches('*'),
        labels: [manifest.object.at(&LABELS), template.and_then(|template| manifest.object.at(template)?.at(&LABELS))],
    };
    // A reference is the whole object's: who exempts a container says nothing of it.
    let selecting = policies.exemptions().selecting(rule.name, &subject, Vec::new);
    selecting.iter().for_each(|exemption| report.exempted(&exemption.name, 1));
    let exempt = selecting.into_iter().find(|exemption| !exemption.has_expired(options.now));
    Some(Finding {
        explanation: None,
        policy: rule.name.to_owned(),
        binding: rule.name.to_owned(),
        verdict: if exempt.is_some() { Verdict::Exempt } else { verdict },
        reason: "Invalid".to_owned(),
        line: line(manifest, &field),
        field,
        message,
        repaired_by: None,
        severity: rule.severity.to_owned(),
        exemption: exempt.map(|by| Exempted::new(by, verdict)),
    })
}
