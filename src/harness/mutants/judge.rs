//! Runs the cases that reach a change until one notices it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use regex::Regex;

use crate::cel::CompileError;
use crate::engine::{Observer, Outcome, Place, PolicySet};
use crate::json::Arena;
use crate::policy::model::{Policy, Source};
use crate::policy::{Document, Exemptions, LoadError, Manifest, Params, Reason};

use super::super::run::{Given, compile, params_of, run_case};
use super::super::suite::{Case, Suite};
use super::change::Change;
use super::expressions::{Step, expressions};
use super::{Fate, Mutant, PolicyMutants, constraints};

/// Room for expressions evaluated at their limits of depth, in bytes: as much as the main thread has.
const STACK: usize = 8 * 1024 * 1024;

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
            let selected =
                |case: &&Case| filter.is_none_or(|filter| filter.is_match(&format!("{}/{}", suite.name, case.name)));
            let prepared = |case: &'s Case| {
                let (params, reached) = (params_of(case, policies.params()), Reached::default());
                run_case(case, &policies, Given { base: &policies, params: params.as_ref(), observer: Some(&reached) });
                Prepared { case, params, reached: reached.0.into_inner() }
            };
            let cases = suite.cases.iter().filter(selected).map(prepared).collect();
            Ok(Self { suite, policies, cases })
        };
        suites.iter().map(bench).collect()
    }

    /// The position of a policy among the suite's.
    fn position(&self, policy: &Policy) -> Option<usize> {
        let identity = |policy: &Policy| (policy.name.clone(), policy.policy_type(), plain(&policy.source.file));
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

/// A path without steps back: suites name one file by different ways.
fn plain(file: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in file.split('/') {
        match (step, steps.last()) {
            (".", _) => {}
            ("..", Some(last)) if !matches!(*last, "" | "..") => drop(steps.pop()),
            _ => steps.push(step),
        }
    }
    steps.join("/")
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
    let judged = in_parallel(work.len(), |index| {
        let (at, part) = *work.get(index)?;
        Some(targets.get(at)?.judge(part, minor))
    });
    let mut found: Vec<PolicyMutants> = targets.iter().map(Target::unjudged).collect();
    let mut errors = Vec::new();
    for ((at, _), judged) in work.iter().zip(judged) {
        match (judged.flatten(), found.get_mut(*at)) {
            (Some(Ok(mutants)), Some(policy)) => policy.mutants.extend(mutants),
            (Some(Err(refused)), _) => errors.extend(refused),
            _ => {}
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

/// What `run` gives for each index below `count`, found by as many threads as there are processors.
fn in_parallel<T: Send>(count: usize, run: impl Fn(usize) -> T + Sync) -> Vec<Option<T>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let results: Mutex<Vec<(usize, T)>> = Mutex::default();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return;
            }
            let result = run(index);
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((index, result));
        }
    };
    thread::scope(|scope| {
        let helpers = (1..threads).map(|_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work));
        // Where no thread can be started, there are fewer.
        let _helpers: Vec<_> = helpers.collect();
        work();
    });
    let mut ordered: Vec<Option<T>> = (0..count).map(|_| None).collect();
    for (index, result) in results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        if let Some(slot) = ordered.get_mut(index) {
            *slot = Some(result);
        }
    }
    ordered
}

impl Target<'_> {
    fn unjudged(&self) -> PolicyMutants {
        let Policy { name, source, .. } = self.policy;
        PolicyMutants { policy: name.clone(), file: plain(&source.file), mutants: Vec::new() }
    }

    fn judge(&self, part: Part, minor: u32) -> Result<Vec<Mutant>, Vec<LoadError>> {
        let arena = Arena::new();
        let documents = self.manifest.map(|manifest| manifest.objects(&arena, &mut Vec::new())).unwrap_or_default();
        let is_own = |document: &&Document<'_>| {
            document.text(&["kind"]) == self.policy.policy_type().kind()
                && document.text(&["metadata", "name"]) == self.policy.name
        };
        let document = documents.iter().find(is_own);
        let line = |path: &[Step], place: Option<(usize, usize)>| {
            let Some(document) = document else { return self.policy.source.line };
            let path = path.iter().fold(document.path.field("spec"), |path, step| match step {
                Step::Key(name) => path.field(name),
                Step::Index(index) => path.index(*index),
            });
            place.map_or_else(|| document.line(&path), |place| document.line_within(&path, place))
        };
        let Part::Expression(index) = part else {
            return Ok(self.fates(constraints::changes(self.policy, |path| line(path, None)).into_iter(), None));
        };
        let expressions = expressions(self.policy);
        let Some(expression) = expressions.get(index) else { return Ok(Vec::new()) };
        let changes = expression.changes(self.policy, minor, |place| line(&expression.path, Some(place)));
        let refused = |error: CompileError| LoadError {
            at: Source { line: line(&expression.path, None), ..self.policy.source.clone() },
            object: format!("{}/{}", self.policy.policy_type().kind(), self.policy.name),
            reason: Reason::Unusable(format!("{}: {}", expression.label, error.message)),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_the_same_by_every_way_to_it() {
        for (path, expected) in [
            ("policies/a/b/../../c/policy.yaml", "policies/c/policy.yaml"),
            ("./policy.yaml", "policy.yaml"),
            ("../policy.yaml", "../policy.yaml"),
            ("../../a/../policy.yaml", "../../policy.yaml"),
            ("/a/../../policy.yaml", "/../policy.yaml"),
            ("embedded:a/b/policy.yaml", "embedded:a/b/policy.yaml"),
        ] {
            assert_eq!(plain(path), expected);
        }
    }
}
