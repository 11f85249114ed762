//! Asks the engine about a manifest, as if its object were being created.

use std::time::SystemTime;

use crate::admission::acceptable::{Refusal, incomplete, undecodable};
use crate::admission::offline::{Attributes, request};
use crate::engine::{Context, Decision, Offender, Operation, PolicySet, Request, Verdict};
use crate::json::{Arena, Object, Value};
use crate::manifests::{Known, Manifest};

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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: "portcullis:audit".to_owned(),
            groups: vec!["system:authenticated".to_owned()],
            now: SystemTime::now(),
            defaulting: true,
            explain: false,
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
    known: &Known,
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
            exemption: finding.exemption.map(|exemption| Exempted {
                name: exemption.by.name.clone(),
                would_be: exemption.instead_of,
                reason: exemption.by.reason.clone(),
                expires: exemption.by.expires_text.clone(),
                source: exemption.by.source.clone(),
            }),
        }));
    }
}
