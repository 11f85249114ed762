//! What the type checker says of a table of policies equals what Kubernetes' own says, word by word.
//!
//! `answers.jsonl` holds Kubernetes' answers; `tests/e2e` asks for them anew and keeps the file true. It was written by
//!
//! ```text
//! kubectl apply -f tests/typecheck/crds.yaml
//! cargo test --test typecheck -- --ignored --nocapture print_policies | grep '^{' |
//!     target/tools/typecheck -kubeconfig FILE -quantities > tests/typecheck/answers.jsonl
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod table;

use portcullis::policy::Manifest;

use table::Answer;

#[test]
fn says_what_kubernetes_says_of_every_policy() {
    let expected: Vec<Answer> =
        include_str!("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = table::answers(&Manifest::new("policies.yaml", table::POLICIES));
    assert_eq!(found.len(), expected.len());
    let differences: Vec<_> = found
        .into_iter()
        .zip(expected)
        .filter_map(|((name, found), expected)| table::difference(&name, &found, &reduce(expected)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
#[ignore = "prints the table for Kubernetes' type checker"]
#[allow(clippy::print_stdout)]
fn print_policies() {
    print!("{}", table::json_lines(table::POLICIES));
}

/// Reduces upstream's answer to what we report: of expressions that it does not look at by itself, only fields that are
/// not there.
fn reduce(mut answer: Answer) -> Answer {
    for other in &mut answer.others {
        let kinds = other.warning.split("\n\n").map(only_fields).filter(|kind| !kind.is_empty());
        other.warning = kinds.collect::<Vec<_>>().join("\n\n");
        if !other.warning.is_empty() {
            other.warning.push('\n');
        }
    }
    answer.others.retain(|other| !other.warning.is_empty());
    answer
}

/// `text` is `apps/v1, Kind=Deployment: ` and errors of three lines each, the last without its end of line.
fn only_fields(text: &str) -> String {
    let Some((kind, errors)) = text.split_once(": ERROR: ") else { return String::new() };
    let is_field = |error: &&str| error.contains(": undefined field '") || error.contains("support field selection");
    let errors: Vec<_> = errors.trim_end().split("\nERROR: ").filter(is_field).collect();
    if errors.is_empty() { String::new() } else { format!("{kind}: ERROR: {}", errors.join("\nERROR: ")) }
}
