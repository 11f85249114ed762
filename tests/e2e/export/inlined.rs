//! Params as constants: policies that were exported with a suite's params give its verdicts without them.

use std::collections::BTreeSet;

use portcullis::policy::PolicyType;
use serde_json::Value;

use super::case::{Asked, EmbeddedSuite, Round, suites};
use super::cluster::{Installed, Native};
use super::{Comparison, forms};

/// How many sets of params of a suite are exported, and how many cases with each are asked about.
const ROUNDS: usize = 2;
const CASES: usize = 4;

/// A round of a suite whose policies take params.
pub struct WithParams<'s> {
    pub suite: &'s EmbeddedSuite,
    pub round: &'s Round,
    /// The number of the round.
    pub at: usize,
    /// What sets its policies apart.
    pub prefix: String,
    /// The suite's policies with the round's params inlined.
    pub installed: Installed,
}

impl<'s> WithParams<'s> {
    /// None where there are no params, or none that can be inlined: such policies are left out, which the export says.
    fn new(suite: &'s EmbeddedSuite, round: &'s Round, at: usize, prefix: String) -> Option<Self> {
        let params: Vec<String> = suite.params(round).iter().map(ToString::to_string).collect();
        if params.is_empty() {
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("params.yaml");
        std::fs::write(&file, params.join("\n---\n")).unwrap();
        let installed = Installed::of(suite, &["--params", "inline", "--params", &file.display().to_string()]);
        let takes_params = |object: &Value| object["kind"] == "ConfigMap" || !object["spec"]["paramRef"].is_null();
        assert!(!installed.objects.iter().any(takes_params));
        let is_left_out = installed.objects.is_empty();
        let installed = installed.called(&prefix);
        (!is_left_out).then_some(Self { suite, round, at, prefix, installed })
    }
}

/// Some of the rounds of each suite whose policies take params.
pub fn with_params(suites: &[EmbeddedSuite]) -> Vec<WithParams<'_>> {
    let mut chosen = Vec::new();
    for (number, suite) in suites.iter().enumerate() {
        let each = suite.rounds.len().div_ceil(ROUNDS);
        for (at, round) in suite.rounds.iter().enumerate().step_by(each) {
            let prefix = format!("inlined{number}x{at}");
            chosen.extend(WithParams::new(suite, round, at, prefix));
        }
    }
    chosen
}

#[test]
fn inlined_params_give_the_verdicts_of_every_suite_with_params() {
    let suites = suites(PolicyType::Validating);
    let chosen = with_params(&suites);
    let mut native = Native::start(chosen.iter().map(|chosen| &chosen.installed));
    native.set_params(Vec::new());
    let mut comparison = Comparison::default();
    for WithParams { suite, round, prefix, .. } in &chosen {
        let forms = round.cases.iter().take(CASES).flat_map(|case| forms(suite, *case));
        let asked = forms.map(|(name, case)| (name, case.as_it_is(round).of_group(prefix)));
        comparison.of_verdicts(&native, &asked.collect::<Vec<(String, Asked)>>());
    }
    comparison.finish();
    let suites: BTreeSet<_> = chosen.iter().map(|chosen| chosen.suite.name()).collect();
    let Comparison { compared, of_workloads, .. } = comparison;
    assert!(suites.len() > 20 && compared > 100 && of_workloads > 25, "{compared} verdicts of {suites:?}");
}
