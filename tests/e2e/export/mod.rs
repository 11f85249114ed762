//! `policies export` in the API server itself: each case of each embedded suite gets there what it gets here, as it is
//! and, where it is about a pod, as every kind of workload that creates the pod.
//!
//! The exported bindings warn in place of what they would do: so every violation is seen, not only the one that a refusal
//! names. Each suite's policies judge what is asked by a group of its own, so that none speaks of another's cases.

mod case;
mod cluster;
mod statics;
mod wrap;

use std::collections::{BTreeMap, BTreeSet};

use case::{Asked, Case, Violation, suites};
use cluster::Native;
use wrap::wrapped;

/// Why a case has no verdict to compare, and which.
type Left = BTreeMap<String, Vec<String>>;

#[test]
fn exported_policies_give_the_verdicts_of_every_suite() {
    let suites = suites();
    let mut native = Native::start(&suites);
    let (mut compared, mut of_workloads) = (0, 0);
    let (mut left, mut wrong): (Left, Vec<String>) = (Left::new(), Vec::new());
    let rounds = suites.iter().map(|suite| suite.rounds.len()).max().unwrap_or_default();
    for round in 0..rounds {
        let now: Vec<_> = suites.iter().filter_map(|suite| Some((suite, suite.rounds.get(round)?))).collect();
        native.set_params(now.iter().flat_map(|(suite, round)| suite.params(round)).collect());
        let mut asked: Vec<(String, Asked)> = Vec::new();
        for (suite, round) in &now {
            for at in &round.cases {
                let case = Case::new(suite, *at);
                let name = format!("{}/{}", suite.name(), case.name());
                asked.push((name.clone(), case.as_it_is(round)));
                asked.extend(
                    wrapped(&case, *at)
                        .into_iter()
                        .map(|(kind, case)| (format!("{name} as {kind}"), case.as_it_is(round))),
                );
            }
        }
        let answers = native.ask(&asked);
        for ((name, asked), answer) in asked.iter().zip(answers) {
            let found = match answer {
                Ok(found) => found,
                Err(why) => {
                    let (kind, detail) = why.split_once(": ").unwrap_or((&why, ""));
                    left.entry(kind.to_owned()).or_default().push(format!("{name} {detail}"));
                    continue;
                }
            };
            compared += 1;
            of_workloads += usize::from(name.contains(" as "));
            let found: BTreeSet<Violation> =
                found.into_iter().filter(|of| asked.is_of_suite(of)).map(Violation::of_pod_policy).collect();
            let is_said = |of: &Violation| found.iter().any(|said| of.is_said_by(said));
            if found.len() != asked.expected.len() || !asked.expected.iter().all(is_said) {
                wrong.push(format!("{name}:\n  here:   {:?}\n  native: {found:?}", asked.expected));
            }
        }
    }
    println!("{compared} verdicts are the same, {of_workloads} of them of workloads; not compared:");
    for (why, names) in &left {
        println!("  {} cases: {why}", names.len());
        names.iter().for_each(|name| println!("    {name}"));
    }
    assert!(wrong.is_empty(), "{} of {compared} verdicts differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared > 1000 && of_workloads > 500, "{compared} verdicts, {of_workloads} of workloads");
}
