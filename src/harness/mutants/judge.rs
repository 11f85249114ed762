//! Runs the cases that reach a change until one notices it.

use std::cell::RefCell;
use std::collections::BTreeSet;

use regex::Regex;

use crate::cel::{CompileError, compile_each};
use crate::engine::{Observer, Outcome, Place, PolicySet};
use crate::json::Arena;
use crate::policy::model::{Policy, Source};
use crate::policy::{Exemptions, FieldPath, LoadError, Manifest, Params, Reason, document_of, expressions};

use super::super::path::normal;
use super::super::run::{Given, compile, params_of, run_case};
use super::super::suite::{Case, Suite};
use super::change::Change;
use super::expressions::{changes, label};
use super::{Fate, Mutant, PolicyMutants, constraints};

/// A suite that is ready to run: its policies compiled, and what each of its cases evaluates.
pub(super) struct Bench<'s> {
    suite: &'s Suite,
    policies: PolicySet,
    cases: Vec<Prepared<'s>>,
}

struct Prepared<'s> {
    case: &'s Case,
    params: Option<Params>,
    /// The expressions that it evaluates, by policy and place.
    reached: BTreeSet<(String, Place)>,
}

/// Notes which expressions are evaluated.
#[derive(Debug, Default)]
struct Reached(RefCell<BTreeSet<(String, Place)>>);

impl Observer for Reached {
    fn evaluated(&self, policy: &str, place: Place, _: Outcome) {
        self.0.borrow_mut().insert((policy.to_owned(), place));
    }
}

impl<'s> Bench<'s> {
    /// Every suite with the cases that `filter` selects.
    ///
    /// # Errors
    /// What is wrong with the suites' policies.
    pub fn all(
        suites: &'s [Suite],
        minor: u32,
        filter: Option<&Regex>,
        definitions: &[Manifest],
    ) -> Result<Vec<Self>, Vec<LoadError>> {
        let bench = |suite: &'s Suite| {
            let policies = compile(suite, definitions, minor)?;
            let prepared = |case: &'s Case| {
                let (params, reached) = (params_of(case, policies.params()), Reached::default());
                run_case(case, &policies, Given { base: &policies, params: params.as_ref(), observer: Some(&reached) });
                Prepared { case, params, reached: reached.0.into_inner() }
            };
            let cases = suite.selected(filter).map(prepared).collect();
            Ok(Self { suite, policies, cases })
        };
        suites.iter().map(bench).collect()
    }

    /// The position of a policy among the suite's.
    fn position(&self, policy: &Policy) -> Option<usize> {
        let identity = |policy: &Policy| (policy.name.clone(), policy.policy_type(), normal(&policy.source.file));
        let wanted = identity(policy);
        let is_same = |other: &Policy| other.name == policy.name && identity(other) == wanted;
        self.policies.policies().iter().position(is_same)
    }

    /// The suite's policies with another one at a position.
    fn with(&self, position: usize, changed: Policy) -> PolicySet {
        let mut policies = self.policies.policies().to_vec();
        if let Some(policy) = policies.get_mut(position) {
            *policy = changed;
        }
        PolicySet::new(policies, Params::default(), Exemptions::default())
    }
}

/// A policy, once for all suites that test it.
struct Target<'b> {
    policy: &'b Policy,
    manifest: Option<&'b Manifest>,
    /// The suites that test it, with its position there.
    benches: Vec<(&'b Bench<'b>, usize)>,
}

/// The changes of one expression, or of what is beside the expressions: what one thread judges at a time.
#[derive(Clone, Copy)]
enum Part {
    Expression(usize),
    Rest,
}

/// What became of the changes to every policy.
///
/// # Errors
/// The expressions that are too large.
pub(super) fn judge(benches: &[Bench<'_>], minor: u32) -> Result<Vec<PolicyMutants>, Vec<LoadError>> {
    let mut targets: Vec<Target<'_>> = Vec::new();
    for bench in benches {
        for (position, policy) in bench.policies.policies().iter().enumerate() {
            let known = targets.iter_mut().find(|target| bench.position(target.policy) == Some(position));
            match known {
                Some(target) => target.benches.push((bench, position)),
                None => {
                    let manifest = bench.suite.policies.iter().find(|manifest| manifest.file == policy.source.file);
                    targets.push(Target { policy, manifest, benches: vec![(bench, position)] });
                }
            }
        }
    }
    let parts = |(at, target): (usize, &Target<'_>)| {
        let parts = (0..expressions(target.policy).len()).map(Part::Expression).chain([Part::Rest]);
        parts.map(move |part| (at, part)).collect::<Vec<_>>()
    };
    let work: Vec<(usize, Part)> = targets.iter().enumerate().flat_map(parts).collect();
    let judged = compile_each(usize::MAX, &work, |(at, part)| Some(targets.get(*at)?.judge(*part, minor)));
    let mut found: Vec<PolicyMutants> = targets.iter().map(Target::unjudged).collect();
    let mut errors = Vec::new();
    for ((at, _), judged) in work.iter().zip(judged) {
        match (judged, found.get_mut(*at)) {
            (Some(Ok(mutants)), Some(policy)) => policy.mutants.extend(mutants),
            (Some(Err(refused)), _) => errors.extend(refused),
            _ => {}
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

impl Target<'_> {
    fn unjudged(&self) -> PolicyMutants {
        let Policy { name, source, .. } = self.policy;
        PolicyMutants { policy: name.clone(), file: normal(&source.file), mutants: Vec::new() }
    }

    fn judge(&self, part: Part, minor: u32) -> Result<Vec<Mutant>, Vec<LoadError>> {
        let arena = Arena::new();
        let documents = self.manifest.map(|manifest| manifest.objects(&arena, &mut Vec::new())).unwrap_or_default();
        let document = document_of(&documents, self.policy);
        let line = |field: &FieldPath, place: Option<(usize, usize)>| {
            let Some(document) = document else { return self.policy.source.line };
            let path = document.path.below(field);
            place.map_or_else(|| document.line(&path), |place| document.line_within(&path, place))
        };
        let Part::Expression(index) = part else {
            return Ok(self.fates(constraints::changes(self.policy, |field| line(field, None)).into_iter(), None));
        };
        let expressions = expressions(self.policy);
        let Some(expression) = expressions.get(index) else { return Ok(Vec::new()) };
        let changes = changes(expression, self.policy, minor, |place| line(&expression.field_ref, Some(place)));
        let refused = |error: CompileError| LoadError {
            at: Source { line: line(&expression.field_ref, None), ..self.policy.source.clone() },
            object: format!("{}/{}", self.policy.policy_type().kind(), self.policy.name),
            reason: Reason::Unusable(format!("{}: {}", label(expression), error.message)),
        };
        let changes = changes.map_err(|error| vec![refused(error)])?;
        Ok(self.fates(changes, Some(expression.place)))
    }

    /// What became of the changes to the expression at `place`, or to what is beside the expressions.
    fn fates(&self, changes: impl Iterator<Item = Change>, place: Option<Place>) -> Vec<Mutant> {
        let key = place.map(|place| (self.policy.name.clone(), place));
        let reaches = |prepared: &Prepared<'_>| key.as_ref().is_none_or(|key| prepared.reached.contains(key));
        let mut cases: Vec<(&Bench<'_>, &Prepared<'_>)> = Vec::new();
        for (bench, _) in &self.benches {
            cases.extend(bench.cases.iter().filter(|prepared| reaches(prepared)).map(|prepared| (*bench, prepared)));
        }
        let mut mutants = Vec::new();
        for change in changes {
            let changed = change.applied(self.policy);
            let sets: Vec<_> =
                self.benches.iter().map(|(bench, position)| (*bench, bench.with(*position, changed.clone()))).collect();
            let notices = |(bench, prepared): &(&Bench<'_>, &Prepared<'_>)| {
                let Some((_, set)) = sets.iter().find(|(of, _)| std::ptr::eq(*of, *bench)) else { return false };
                let given = Given { base: &bench.policies, params: prepared.params.as_ref(), observer: None };
                !run_case(prepared.case, set, given).is_empty()
            };
            let fate = match cases.iter().position(notices) {
                None => Fate::Survived { reached_by: cases.len() },
                Some(at) => {
                    // Who notices one change of an expression is likely to notice the next.
                    let noticed = cases.remove(at);
                    cases.insert(0, noticed);
                    Fate::Killed { by: format!("{}/{}", noticed.0.suite.name, noticed.1.case.name) }
                }
            };
            let name = format!("{}/{}", self.policy.name, change.name);
            mutants.push(Mutant { name, line: change.line, change: change.text, fate });
        }
        mutants
    }
}
