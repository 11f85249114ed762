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

use table::Answer;

#[test]
fn says_what_kubernetes_says_of_every_policy() {
    let expected: Vec<Answer> =
        include_str!("answers.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = table::of_table();
    assert_eq!(found.len(), expected.len());
    let differences: Vec<_> = found
        .into_iter()
        .zip(expected)
        .filter_map(|((name, found), expected)| table::difference(&name, &found, &table::reduce(expected)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
#[ignore = "prints the table for Kubernetes' type checker"]
#[allow(clippy::print_stdout)]
fn print_policies() {
    print!("{}", table::table_lines());
}
