//! What an audit found, as owned data: the input of every renderer.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::engine::{Explanation, Verdict};
use crate::manifests::{ObjectId, Reason, Unbuilt, Unreadable};
use crate::policy;
use crate::policy::model::Source;

/// What an audit came to, but for its findings: those are written as they are found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The counts.
    pub summary: Summary,
    /// The counts of each policy, by its name.
    pub policies: BTreeMap<String, Counts>,
    /// How many objects of each kind no policy looked at, by kind and `apiVersion`.
    pub not_judged: BTreeMap<(String, String), usize>,
    /// How many documents are no manifests, by the reason; empty ones too.
    pub left_out: BTreeMap<Reason, usize>,
    /// Whether a policy looked at any object.
    pub is_judged: bool,
    /// The kustomizations that were not built, though they change more than namespaces.
    pub unbuilt: Vec<Unbuilt>,
    /// Every exemption, sorted by name. A filter changes none of them.
    pub exemptions: Vec<Exemption>,
    /// What can't be read, the first of it.
    pub first_unreadable: Option<Unreadable>,
    /// The first object that policies could not be asked about, because the API server would refuse it before, and why.
    pub first_refused: Option<String>,
}

/// How many kinds are told apart among those that no policy looks at.
const MAX_KINDS: usize = 10_000;

/// One object with what was found about it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The object.
    pub object: ObjectId,
    /// Its document.
    pub source: Source,
    /// Whether a policy looked at it.
    pub is_judged: bool,
    /// The kustomization or chart that it was built of.
    pub built_by: Option<String>,
    /// What it doesn't satisfy, or what could not be evaluated.
    pub findings: Vec<Finding>,
}

/// A finding that is not a pass.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The policy's name; empty when the API server would refuse the object before it asks any.
    pub policy: String,
    /// The binding's name; empty when the policy itself could not be used.
    pub binding: String,
    /// The strongest of the binding's actions.
    pub verdict: Verdict,
    /// Upstream's reason.
    pub reason: String,
    /// The field in the object, or empty.
    pub field: String,
    /// The line of that field, or of the object.
    pub line: usize,
    /// The message.
    pub message: String,
    /// The mutating policy that repairs it when the pods are created.
    pub repaired_by: Option<String>,
    /// The policy's severity, or empty.
    pub severity: String,
    /// What exempts from it.
    pub exemption: Option<Exempted>,
    /// What decided, where that was asked for.
    pub explanation: Option<Explanation>,
}

/// Why a finding is set aside, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exempted {
    /// The exemption's name.
    pub name: String,
    /// The verdict without it.
    pub would_be: Verdict,
    /// The exemption's reason.
    pub reason: String,
    /// Its end, as it is written.
    pub expires: String,
    /// Where it stands.
    pub source: Source,
}

/// An exemption, and what it did in this audit.
#[derive(Clone, Debug)]
pub struct Exemption {
    /// `metadata.name`.
    pub name: String,
    /// Where it stands.
    pub source: Source,
    /// `spec.reason`.
    pub reason: String,
    /// Its end, as it is written.
    pub expires: String,
    /// Whether that is past.
    pub has_expired: bool,
    /// How many findings it is written for, whether or not it has expired or another one covers them too.
    pub findings: usize,
    /// How often a policy that it is from had nothing to object to in what it selects.
    pub passes: usize,
}

/// What became of an exemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExemptionState {
    /// It is in force and covers a finding.
    Used,
    /// Its time is over.
    Expired,
    /// It is in force, and what it selects passes without it.
    Unneeded,
    /// It is in force, and nothing that it selects was judged by a policy that it is from.
    Unmatched,
}

/// Which findings of a report count; an empty list takes every one.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Names of policies.
    pub policies: Vec<String>,
    /// Severities.
    pub severities: Vec<String>,
    /// Verdicts.
    pub verdicts: Vec<Verdict>,
}

/// How many findings have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bindings satisfied.
    pub pass: usize,
    /// See [`Verdict::Deny`].
    pub deny: usize,
    /// See [`Verdict::Warn`].
    pub warn: usize,
    /// See [`Verdict::Audit`].
    pub audit: usize,
    /// See [`Verdict::Error`].
    pub error: usize,
    /// See [`Verdict::Exempt`].
    pub exempt: usize,
}

/// The counts that a report ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Objects.
    pub objects: usize,
    /// Objects with a finding.
    pub with_findings: usize,
    /// Objects that no policy looked at.
    pub not_judged: usize,
    /// Findings by verdict, without what can't be read.
    pub findings: Counts,
    /// Files and documents that can't be read.
    pub unreadable: usize,
    /// What has to be rendered first.
    pub unrendered: usize,
    /// Documents left out, empty ones not counted.
    pub left_out: usize,
    /// Findings that a filter has taken away.
    pub hidden: usize,
}

impl Exempted {
    /// By an exemption, from what would have this verdict.
    pub fn new(by: &policy::Exemption, would_be: Verdict) -> Self {
        Self {
            name: by.name.clone(),
            would_be,
            reason: by.reason.clone(),
            expires: by.expires_text.clone(),
            source: by.source.clone(),
        }
    }
}

impl Exemption {
    /// One that has covered nothing yet.
    pub fn new(exemption: &policy::Exemption, now: SystemTime) -> Self {
        Self {
            name: exemption.name.clone(),
            source: exemption.source.clone(),
            reason: exemption.reason.clone(),
            expires: exemption.expires_text.clone(),
            has_expired: exemption.has_expired(now),
            findings: 0,
            passes: 0,
        }
    }

    /// What became of it.
    pub fn state(&self) -> ExemptionState {
        match (self.findings, self.passes) {
            _ if self.has_expired => ExemptionState::Expired,
            (0, 0) => ExemptionState::Unmatched,
            (0, _) => ExemptionState::Unneeded,
            _ => ExemptionState::Used,
        }
    }
}

impl ExemptionState {
    /// As reports spell it.
    pub fn name(self) -> &'static str {
        match self {
            ExemptionState::Used => "used",
            ExemptionState::Expired => "expired",
            ExemptionState::Unneeded => "unneeded",
            ExemptionState::Unmatched => "unmatched",
        }
    }
}

impl Counts {
    /// One finding.
    fn of(verdict: Verdict) -> Self {
        let is = |other| usize::from(verdict == other);
        Self {
            pass: is(Verdict::Pass),
            deny: is(Verdict::Deny),
            warn: is(Verdict::Warn),
            audit: is(Verdict::Audit),
            error: is(Verdict::Error),
            exempt: is(Verdict::Exempt),
        }
    }

    fn add(&mut self, other: &Counts) {
        self.pass += other.pass;
        self.deny += other.deny;
        self.warn += other.warn;
        self.audit += other.audit;
        self.error += other.error;
        self.exempt += other.exempt;
    }

    /// Whether everything passed.
    pub fn is_clean(&self) -> bool {
        self.deny + self.warn + self.audit + self.error + self.exempt == 0
    }
}

impl Summary {
    fn add(&mut self, other: &Summary) {
        self.objects += other.objects;
        self.with_findings += other.with_findings;
        self.not_judged += other.not_judged;
        self.findings.add(&other.findings);
        self.unreadable += other.unreadable;
        self.unrendered += other.unrendered;
        self.left_out += other.left_out;
        self.hidden += other.hidden;
    }
}

impl Judged {
    /// Whether no policy looked at it; an object that could not be judged is an error, not passed over.
    fn is_passed_over(&self) -> bool {
        !self.is_judged && self.findings.is_empty()
    }

    /// Takes away what `filter` doesn't let pass; returns how many findings that are.
    pub fn keep(&mut self, filter: &Filter) -> usize {
        let before = self.findings.len();
        self.findings.retain(|finding| {
            filter.lets_policy_pass(&finding.policy)
                && lets_pass(&filter.severities, |severity| *severity == finding.severity)
                && lets_pass(&filter.verdicts, |verdict| *verdict == finding.verdict)
        });
        before - self.findings.len()
    }

    /// Why policies could not be asked about it, because the API server would refuse it before.
    pub fn refused(&self) -> Option<String> {
        let Finding { line, message, .. } = self.findings.iter().find(|finding| finding.policy.is_empty())?;
        Some(format!("{}:{line}: {} could not be judged: {message}", self.source.file, self.object))
    }
}

fn lets_pass<T>(wanted: &[T], is: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

impl Filter {
    /// Whether findings of this policy count.
    pub fn lets_policy_pass(&self, name: &str) -> bool {
        lets_pass(&self.policies, |policy| policy == name)
    }
}

impl Report {
    /// One in which nothing was judged yet.
    pub fn new(exemptions: &policy::Exemptions, now: SystemTime) -> Self {
        let exemptions = exemptions.all().iter().map(|exemption| Exemption::new(exemption, now)).collect();
        Self { exemptions, ..Self::default() }
    }

    /// Counts an object.
    pub fn judged(&mut self, judged: &Judged) {
        self.is_judged |= judged.is_judged;
        self.summary.objects += 1;
        self.summary.with_findings += usize::from(!judged.findings.is_empty());
        if judged.is_passed_over() {
            let ObjectId { kind, api_version, .. } = &judged.object;
            self.summary.not_judged += 1;
            self.passed_over((kind.clone(), api_version.clone()), 1);
        }
        for finding in &judged.findings {
            let one = Counts::of(finding.verdict);
            self.summary.findings.add(&one);
            if !finding.policy.is_empty() {
                self.count_for(&finding.policy, &one);
            }
        }
    }

    /// Counts an object that satisfies a policy's bindings.
    pub fn passed(&mut self, policy: &str) {
        let one = Counts::of(Verdict::Pass);
        self.summary.findings.add(&one);
        self.count_for(policy, &one);
    }

    /// Counts what an exemption is written for: so many findings, or none in what passes.
    pub fn exempted(&mut self, name: &str, findings: usize) {
        let at = self.exemptions.binary_search_by(|known| known.name.as_str().cmp(name));
        if let Some(known) = at.ok().and_then(|at| self.exemptions.get_mut(at)) {
            known.findings += findings;
            known.passes += usize::from(findings == 0);
        }
    }

    /// Counts a document that is no manifest.
    pub fn leave_out(&mut self, reason: Reason) {
        *self.left_out.entry(reason).or_default() += 1;
        self.summary.left_out += usize::from(reason != Reason::Empty);
    }

    /// Adds what another thread has counted.
    pub fn add(&mut self, other: Report) {
        self.is_judged |= other.is_judged;
        self.summary.add(&other.summary);
        for (policy, counts) in other.policies {
            self.count_for(&policy, &counts);
        }
        for (kind, objects) in other.not_judged {
            self.passed_over(kind, objects);
        }
        for (reason, documents) in other.left_out {
            *self.left_out.entry(reason).or_default() += documents;
        }
        for (known, other) in self.exemptions.iter_mut().zip(other.exemptions) {
            known.findings += other.findings;
            known.passes += other.passes;
        }
    }

    /// Whether a finding is at least as strong as `verdict`.
    pub fn reaches(&self, verdict: Verdict) -> bool {
        let Counts { pass: _, deny, warn, audit, error, exempt } = self.summary.findings;
        let found = [
            (deny, Verdict::Deny),
            (warn, Verdict::Warn),
            (audit, Verdict::Audit),
            (error, Verdict::Error),
            (exempt, Verdict::Exempt),
        ];
        found.iter().any(|(count, found)| *count > 0 && *found >= verdict)
    }

    fn count_for(&mut self, policy: &str, counts: &Counts) {
        match self.policies.get_mut(policy) {
            Some(known) => known.add(counts),
            None => drop(self.policies.insert(policy.to_owned(), *counts)),
        }
    }

    fn passed_over(&mut self, kind: (String, String), objects: usize) {
        let is_known = self.not_judged.len() < MAX_KINDS || self.not_judged.contains_key(&kind);
        let kind = if is_known { kind } else { ("(other kinds)".to_owned(), String::new()) };
        *self.not_judged.entry(kind).or_default() += objects;
    }
}

#[cfg(test)]
pub(super) mod samples;
#[cfg(test)]
mod tests;
