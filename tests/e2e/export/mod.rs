//! `policies export` in the API server itself: each case of each embedded suite gets there what it gets here, as it is
//! and, where it is about a pod, as every kind of workload that creates the pod.
//!
//! The exported bindings warn in place of what they would do: so every violation is seen, not only the one that a refusal
//! names. Each suite's policies judge what is asked by a group of its own, so that none speaks of another's cases.

mod case;
mod cluster;
mod exempted;
mod inlined;
mod mutated;
mod statics;
mod wrap;

use std::collections::{BTreeMap, BTreeSet};

use portcullis::policy::PolicyType;

use case::{Asked, Case, EmbeddedSuite, Round, Violation, suites};
use cluster::{Installed, Native};
use wrap::wrapped;

/// What was found here and there.
#[derive(Default)]
struct Comparison {
    compared: usize,
    of_workloads: usize,
    /// Why a case has no verdict to compare, and which.
    left: BTreeMap<String, Vec<String>>,
    wrong: Vec<String>,
}

impl Comparison {
    fn of_verdicts(&mut self, native: &Native, asked: &[(String, Asked)]) {
        for ((name, asked), answer) in asked.iter().zip(native.ask(asked)) {
            let found = match answer {
                Ok(found) => found,
                Err(why) => {
                    self.leave(name, &why);
                    continue;
                }
            };
            self.compared += 1;
            self.of_workloads += usize::from(name.contains(" as "));
            let found: BTreeSet<Violation> =
                found.into_iter().filter(|of| asked.is_of_suite(of)).map(Violation::of_pod_policy).collect();
            let is_said = |of: &Violation| found.iter().any(|said| of.is_said_by(said));
            if found.len() != asked.expected.len() || !asked.expected.iter().all(is_said) {
                self.wrong.push(format!("{name}:\n  here:   {:?}\n  native: {found:?}", asked.expected));
            }
        }
    }

    fn leave(&mut self, name: &str, why: &str) {
        let (kind, detail) = why.split_once(": ").unwrap_or((why, ""));
        self.left.entry(kind.to_owned()).or_default().push(format!("{name} {detail}"));
    }

    /// Tells what was left, and fails if anything differs.
    fn finish(&self) {
        let Self { compared, of_workloads, left, wrong } = self;
        println!("{compared} answers are the same, {of_workloads} of them of workloads; not compared:");
        for (why, names) in left {
            println!("  {} cases: {why}", names.len());
            names.iter().for_each(|name| println!("    {name}"));
        }
        assert!(wrong.is_empty(), "{} of {compared} answers differ:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// A case with its name, and the same about every kind of workload that creates its pod.
fn forms<'s>(suite: &'s EmbeddedSuite, at: usize) -> Vec<(String, Case<'s>)> {
    let case = Case::new(suite, at);
    let name = format!("{}/{}", suite.name(), case.name());
    let workloads = wrapped(&case, at).into_iter().map(|(kind, case)| (format!("{name} as {kind}"), case));
    let mut forms: Vec<_> = workloads.collect();
    forms.insert(0, (name, case));
    forms
}

#[test]
fn exported_policies_give_the_verdicts_of_every_suite() {
    let suites = suites(PolicyType::Validating);
    let installed: Vec<_> = suites.iter().map(|suite| Installed::of(suite, &[])).collect();
    let mut native = Native::start(&installed);
    let mut comparison = Comparison::default();
    let rounds = suites.iter().map(|suite| suite.rounds.len()).max().unwrap_or_default();
    for round in 0..rounds {
        let now: Vec<_> = suites.iter().filter_map(|suite| Some((suite, suite.rounds.get(round)?))).collect();
        native.set_params(now.iter().flat_map(|(suite, round)| suite.params(round)).collect());
        let of_round = |(suite, round): &(&EmbeddedSuite, &Round)| -> Vec<_> {
            let forms = round.cases.iter().flat_map(|at| forms(suite, *at));
            forms.map(|(name, case)| (name, case.as_it_is(round))).collect()
        };
        let asked: Vec<(String, Asked)> = now.iter().flat_map(of_round).collect();
        comparison.of_verdicts(&native, &asked);
    }
    comparison.finish();
    let Comparison { compared, of_workloads, .. } = comparison;
    assert!(compared > 1000 && of_workloads > 500, "{compared} verdicts, {of_workloads} of workloads");
}
