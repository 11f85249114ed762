//! Which of a policy's expressions and branches the cases have evaluated, and what they gave.
//!
//! A match condition and a validation have to have been true once and false once; a variable, a message and an audit
//! annotation have to have given a value; a mutation has to have changed something. Within each of them, what decides has
//! to have been true and false: each side of `&&`, `||` and `?:`, each predicate of a macro; what loops and patches
//! make has to have been made. A policy has to have been asked about each operation that its rules name.

pub mod cobertura;
pub mod lcov;
mod lines;
mod report;

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::cel::probe::{Site, Wanted};
use crate::engine::{Observer, Operation, Outcome, Place};
use crate::policy::model::{Compiled, Policy};
use crate::policy::{self, EMBEDDED_PREFIX, FieldPath, Manifest, places};

use super::path::normal;

pub use report::{Branch, ExpressionCoverage, PolicyCoverage, Side, percent};

/// How often each outcome was seen.
type Outcomes = BTreeMap<Outcome, u64>;

/// The file and the name of a policy: policies of several suites may be called the same.
type Key = (String, String);

/// Listens to a run.
#[derive(Debug, Default)]
pub struct Coverage {
    seen: RefCell<BTreeMap<Key, Seen>>,
    /// What there was to be seen.
    declared: BTreeMap<Key, Vec<Expression>>,
    /// The files of the policies that run now, by their names.
    files: BTreeMap<String, String>,
}

/// What the cases have shown of one policy.
#[derive(Debug, Default)]
struct Seen {
    expressions: BTreeMap<Place, Outcomes>,
    parts: BTreeMap<(Place, usize), Outcomes>,
    operations: BTreeMap<&'static str, u64>,
}

/// One expression of a policy, or the operations of its rules.
#[derive(Clone, Debug)]
struct Expression {
    what: What,
    /// How people find it: `matchConditions[0] (selected)`.
    label: String,
    /// Line and column in the file, from 1; a column of 0 is not known.
    at: (usize, usize),
    /// The boolean that it is whatever the inputs are: it need not be seen to be the other.
    fixed: Option<bool>,
    /// The parts of it that are branches, with their numbers, and line and column in the file.
    sites: Vec<(usize, Site, (usize, usize))>,
}

#[derive(Clone, Debug)]
enum What {
    /// The operations that the rules name.
    Operations(Vec<&'static str>),
    Expression(Place),
}

impl Observer for Coverage {
    fn evaluated(&self, policy: &str, place: Place, outcome: Outcome) {
        self.note(policy, |seen| *seen.expressions.entry(place).or_default().entry(outcome).or_default() += 1);
    }

    fn concerned(&self, policy: &str, operation: Operation) {
        self.note(policy, |seen| *seen.operations.entry(operation.as_str()).or_default() += 1);
    }

    fn part(&self, policy: &str, place: Place, site: usize, outcome: Outcome) {
        self.note(policy, |seen| *seen.parts.entry((place, site)).or_default().entry(outcome).or_default() += 1);
    }
}

impl Coverage {
    fn note(&self, policy: &str, note: impl FnOnce(&mut Seen)) {
        let Some(file) = self.files.get(policy) else { return };
        note(self.seen.borrow_mut().entry((file.clone(), policy.to_owned())).or_default());
    }

    /// Counts the expressions of a policy, which was loaded from `manifests`, among those that should be exercised. Of its
    /// branches those are counted that report: those of policies that were loaded with probes.
    pub fn declare(&mut self, policy: &Policy, manifests: &[Manifest]) {
        let file = normal(&policy.source.file);
        self.files.insert(policy.name.clone(), file.clone());
        self.declared.entry((file, policy.name.clone())).or_insert_with(|| expressions(policy, manifests));
    }

    /// How well each policy was exercised, sorted by file and name.
    pub fn report(&self) -> Vec<PolicyCoverage> {
        let seen = self.seen.borrow();
        let nothing = Seen::default();
        let policy = |(key, expressions): (&Key, &Vec<Expression>)| {
            let seen = seen.get(key).unwrap_or(&nothing);
            PolicyCoverage {
                policy: key.1.clone(),
                file: path(&key.0),
                expressions: expressions.iter().map(|expression| ExpressionCoverage::new(expression, seen)).collect(),
            }
        };
        self.declared.iter().map(policy).collect()
    }
}

/// Where a policy's file stands in a checkout: the bundle's are where they are in ours.
fn path(file: &str) -> String {
    file.strip_prefix(EMBEDDED_PREFIX).map_or_else(|| file.to_owned(), |within| format!("policies/{within}"))
}

/// The operations that rules name one by one.
fn operations(policy: &Policy) -> Vec<&'static str> {
    let rules = &policy.match_constraints.resource_rules;
    let named = |operation: &&str| rules.iter().flat_map(|rule| &rule.operations).any(|named| named == operation);
    let all = [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect];
    all.map(Operation::as_str).into_iter().filter(named).collect()
}

/// An expression before its places in the file are known.
struct Draft<'p> {
    what: What,
    label: String,
    path: FieldPath,
    program: Option<&'p Compiled>,
}

fn expressions(policy: &Policy, manifests: &[Manifest]) -> Vec<Expression> {
    let drafts = drafts(policy);
    let branches = |draft: &Draft<'_>| -> Vec<(usize, Site)> {
        let Some(Ok(program)) = draft.program else { return Vec::new() };
        let sites = program.sites().iter().enumerate().filter(|(_, site)| site.wanted != Wanted::Nothing);
        sites.map(|(number, site)| (number, site.clone())).collect()
    };
    let sites: Vec<_> = drafts.iter().map(branches).collect();
    let mut wanted = Vec::new();
    for (draft, sites) in drafts.iter().zip(&sites) {
        wanted.push((draft.path.clone(), (1, 1)));
        wanted.extend(sites.iter().map(|(_, site)| (draft.path.clone(), (site.line, site.column))));
    }
    let mut found = places(manifests, policy, &wanted).into_iter();
    let mut next = || found.next().unwrap_or((policy.source.line, 0));
    let expression = |(draft, sites): (Draft<'_>, Vec<(usize, Site)>)| Expression {
        what: draft.what,
        label: draft.label,
        fixed: draft.program.and_then(|program| program.as_ref().ok()?.fixed()),
        at: next(),
        sites: sites.into_iter().map(|(number, site)| (number, site, next())).collect(),
    };
    drafts.into_iter().zip(sites).map(expression).collect()
}

fn drafts(policy: &Policy) -> Vec<Draft<'_>> {
    let spec = FieldPath::default().field("spec");
    let mut all = Vec::new();
    let operations = operations(policy);
    if !operations.is_empty() {
        let path = spec.field("matchConstraints").field("resourceRules").index(0).field("operations");
        let label = "matchConstraints (operations)".to_owned();
        all.push(Draft { what: What::Operations(operations), label, path, program: None });
    }
    all.extend(policy::expressions(policy).into_iter().map(|expression| Draft {
        what: What::Expression(expression.place),
        label: label(&expression),
        path: expression.field_ref,
        program: Some(expression.program),
    }));
    all
}

fn label(expression: &policy::Expression<'_>) -> String {
    let (list, at) = expression.place.entry();
    match (expression.place, expression.name) {
        (Place::MessageExpression(_), _) => format!("{list}[{at}].messageExpression"),
        (_, Some(name)) => format!("{list}[{at}] ({name})"),
        (_, None) => format!("{list}[{at}]"),
    }
}

#[cfg(test)]
mod tests;
