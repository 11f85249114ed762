//! Both evaluators, and questions to them.

use std::path::PathBuf;

use portcullis::cli::eval::Environment;
use portcullis::json::{Arena, to_json};
use serde_json::Value;

use super::compare::{Difference, difference};
use super::generate::Case;
use super::program::{Program, built};
use super::tree::Tree;

/// Where a ready reference is named.
const VARIABLE: &str = "PORTCULLIS_ORACLE";

/// The version that both sides speak.
const MINOR: u32 = 36;

/// What both evaluators answered.
#[derive(Clone, Debug)]
pub struct Answers {
    pub reference: Value,
    pub ours: Value,
}

impl Answers {
    /// How they differ.
    pub fn difference(&self) -> Option<Difference> {
        difference(&self.reference, &self.ours)
    }
}

/// Two processes of the reference, as it declares the types of mutations for all questions or for none.
pub struct Session {
    binary: PathBuf,
    plain: Program,
    patch: Program,
}

impl Session {
    /// Starts the reference evaluators.
    pub fn start() -> Self {
        let binary = built("oracle", VARIABLE);
        let version = format!("1.{MINOR}");
        let flags = ["--kubernetes-version", version.as_str()];
        Self {
            plain: Program::start(&binary, &flags),
            patch: Program::start(&binary, &["--mutation", flags[0], flags[1]]),
            binary,
        }
    }

    /// The answers to all cases, in their order.
    pub fn ask(&mut self, cases: &[Case]) -> Vec<Answers> {
        let lines = |patch: bool| cases.iter().filter(|case| case.patch == patch).map(Case::line).collect::<Vec<_>>();
        let (plain, patch) = (lines(false), lines(true));
        let (plain, our_plain) =
            self.plain.answers(&plain, || plain.iter().map(|line| ours(line, false)).collect::<Vec<_>>());
        let (patch, our_patch) =
            self.patch.answers(&patch, || patch.iter().map(|line| ours(line, true)).collect::<Vec<_>>());
        let mut plain = plain.into_iter().zip(our_plain);
        let mut patch = patch.into_iter().zip(our_patch);
        cases
            .iter()
            .filter_map(|case| if case.patch { patch.next() } else { plain.next() })
            .map(|(reference, ours)| Answers { reference, ours })
            .collect()
    }

    /// The reference's answers to one question asked several times.
    pub fn again(&mut self, case: &Case, times: usize) -> Vec<Value> {
        let lines = vec![case.line(); times];
        let oracle = if case.patch { &mut self.patch } else { &mut self.plain };
        oracle.answers(&lines, || ()).0
    }

    /// The answers of as many fresh processes of the reference.
    pub fn restarted(&self, case: &Case, processes: usize) -> Vec<Value> {
        let version = format!("1.{MINOR}");
        let mut flags = vec!["--kubernetes-version", version.as_str()];
        if case.patch {
            flags.push("--mutation");
        }
        let line = [case.line()];
        (0..processes).flat_map(|_| Program::start(&self.binary, &flags).answers(&line, || ()).0).collect()
    }

    /// The smallest case found that differs in the same way.
    pub fn cut(&mut self, case: &Case, how: Difference) -> (Case, Answers) {
        let mut smallest = case.clone();
        let mut answers = self.ask(std::slice::from_ref(case)).remove(0);
        loop {
            let smaller = smaller(&smallest);
            let found =
                self.ask(&smaller).into_iter().zip(smaller).find(|(answers, _)| answers.difference() == Some(how));
            let Some((found, case)) = found else { break };
            (smallest, answers) = (case, found);
        }
        let bare = without_unused_inputs(&smallest);
        let found = self.ask(std::slice::from_ref(&bare)).remove(0);
        if found.difference() == Some(how) { (bare, found) } else { (smallest, answers) }
    }
}

/// Cases with a little less in them, the smallest first.
fn smaller(case: &Case) -> Vec<Case> {
    const MOST: usize = 120;
    let mut smaller = Vec::new();
    if case.spoilt.is_some() {
        smaller.push(Case { spoilt: None, ..case.clone() });
    }
    for at in 0..case.variables.len() {
        let mut fewer = case.clone();
        fewer.variables.remove(at);
        smaller.push(fewer);
    }
    let with = |expression: Tree| Case { expression, ..case.clone() };
    smaller.extend(case.expression.cuts().into_iter().take(MOST).map(with));
    for (at, (_, tree)) in case.variables.iter().enumerate() {
        smaller.extend(tree.cuts().into_iter().take(MOST).map(|cut| {
            let mut less = case.clone();
            less.variables[at].1 = cut;
            less
        }));
    }
    smaller
}

/// The case with only those members of its inputs whose names occur in a source text.
fn without_unused_inputs(case: &Case) -> Case {
    let mut text = case.source();
    case.variables.iter().for_each(|(_, tree)| text.push_str(&tree.source()));
    let mut bare = case.clone();
    bare.inputs.retain(|name, _| name == "bindings" || text.contains(name.as_str()));
    for input in bare.inputs.values_mut() {
        if let Some(members) = input.as_object_mut() {
            members.retain(|name, _| text.contains(name.as_str()));
        }
        if let Some(spec) = input.get_mut("spec").and_then(Value::as_object_mut) {
            spec.retain(|name, _| text.contains(name.as_str()));
        }
    }
    bare
}

/// Our answer to a line.
fn ours(line: &str, patch_types: bool) -> Value {
    let arena = Arena::new();
    let environment = Environment { minor: MINOR, patch_types, explain: false };
    match environment.answer_line(&arena, line.as_bytes()) {
        Ok(answer) => serde_json::from_str(&to_json(answer)).expect("an answer is JSON"),
        Err(error) => panic!("{line}: {error:#}"),
    }
}
