//! The same by the command that users run: some pods as files, and what the audit's report says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};

use crate::levels::{Answer, differences};
use crate::pods::{Case, Way, case};
use crate::program::Program;

/// How many pods are given to the command.
const PODS: u64 = 600;

/// Whether the command says of every pod what upstream does.
pub fn compare(seed: u64, upstream: &mut Program) -> bool {
    // Others than those of the library's comparison.
    let cases: Vec<_> = (0..PODS).map(|number| Case { way: Way::Pod, ..case(!seed, number) }).collect();
    let questions: Vec<_> = cases.iter().map(|case| json!({ "pod": case.pod }).to_string()).collect();
    let (theirs, report) = upstream.answers(&questions, || report(&cases));
    let mut alike = 0;
    for (case, theirs) in cases.iter().zip(&theirs) {
        match differences(case, &report[&name(case)], theirs).unexplained.as_slice() {
            [] => alike += 1,
            differences => println!("the command: {}: {}", differences.join(", "), case.pod),
        }
    }
    println!("{alike} of {PODS} pods are judged alike by the command");
    alike == PODS
}

/// The audit's answer on each pod, by its name.
fn report(cases: &[Case]) -> BTreeMap<String, Answer> {
    let dir = tempfile::tempdir().expect("a directory");
    for case in cases {
        std::fs::write(dir.path().join(format!("{}.yaml", case.number)), case.pod.to_string()).expect("a file");
    }
    let root = env!("CARGO_MANIFEST_DIR");
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .arg("audit")
        .arg(dir.path())
        .args(["--no-embedded", "--policies", &format!("{root}/policies/pod-security")])
        .args(["--format", "json", "--fail-on", "never"])
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    assert_eq!(report["summary"]["objects"], PODS, "each pod is in the report");
    // Those with no finding are not told one by one.
    let nothing = |case: &Case| (name(case), Answer::Forbidden(BTreeSet::new()));
    let mut answers: BTreeMap<_, _> = cases.iter().map(nothing).collect();
    for finding in report["findings"].as_array().expect("findings") {
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let answer = answers.get_mut(finding["object"]["name"].as_str().unwrap_or_default()).expect("one of the pods");
        match (text("policy"), text("verdict").as_str(), &mut *answer) {
            (policy, "error", _) if policy.is_empty() => *answer = Answer::Refused(text("message")),
            (policy, "error", _) => *answer = Answer::Failed(format!("{policy}: {}", text("message"))),
            (policy, _, Answer::Forbidden(forbidden)) => drop(forbidden.insert(policy)),
            _ => {}
        }
    }
    answers
}

fn name(case: &Case) -> String {
    case.pod["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}
