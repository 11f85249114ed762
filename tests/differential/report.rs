//! Counts, and the differences by cause.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::compare::Difference;
use super::explained::{RULES, Seen, explanation, uses_ordered_overloads};
use super::generate::Case;
use super::session::{Answers, Session};

/// What has been found so far.
pub struct Report {
    /// How many differences of a cause are cut down and shown.
    show: usize,
    started: Instant,
    outcomes: BTreeMap<String, u64>,
    explained: BTreeMap<&'static str, u64>,
    /// Differences by kind and cause: how many, and a few of them.
    causes: BTreeMap<(Difference, String), (u64, Vec<String>)>,
}

impl Report {
    pub fn new(show: usize) -> Self {
        Self {
            show,
            started: Instant::now(),
            outcomes: BTreeMap::new(),
            explained: BTreeMap::new(),
            causes: BTreeMap::new(),
        }
    }

    /// Takes note of a case.
    pub fn add(&mut self, session: &mut Session, case: &Case, answers: &Answers) {
        let outcome = answers.reference.get("stage").and_then(Value::as_str).unwrap_or("value");
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
        let Some(how) = answers.difference() else { return };
        let mut references = session.again(case, 10);
        references.push(answers.reference.clone());
        let restarted = if uses_ordered_overloads(case) { session.restarted(case, 6) } else { Vec::new() };
        let seen = Seen { references: &references, restarted: &restarted, ours: &answers.ours };
        if let Some(rule) = explanation(case, how, &seen) {
            *self.explained.entry(rule.name).or_default() += 1;
            return;
        }
        let alike: u64 = self.causes.iter().filter(|((kind, _), _)| *kind == how).map(|(_, (count, _))| count).sum();
        // Cutting down takes many questions: beyond a number, causes are told by the whole expression.
        let (cut, answers) =
            if alike < 40 * self.show as u64 { session.cut(case, how) } else { (case.clone(), answers.clone()) };
        let (count, examples) = self.causes.entry((how, cause(&cut, how, &answers))).or_default();
        *count += 1;
        if examples.len() < self.show {
            examples.push(format!(
                "  #{} {}\n    reference {}\n    ours      {}",
                case.number,
                cut.line(),
                answers.reference,
                answers.ours
            ));
        }
    }

    /// Prints everything; true if nothing is left unexplained.
    pub fn finish(self) -> bool {
        let mut wording = 0;
        let mut failed = 0;
        for ((how, cause), (count, examples)) in &self.causes {
            if *how == Difference::Wording {
                wording += count;
            } else {
                failed += count;
            }
            println!("\n{how}: {cause}: {count}");
            examples.iter().for_each(|example| println!("{example}"));
        }
        println!();
        for (name, count) in &self.explained {
            let reason = RULES.iter().find(|rule| rule.name == *name).map_or("", |rule| rule.reason);
            println!("explained, {name}: {count} ({reason})");
        }
        let outcomes: Vec<_> = self.outcomes.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let total: u64 = self.outcomes.values().sum();
        println!("reference: {}", outcomes.join(", "));
        println!("wording: {wording} differ");
        println!("{total} expressions in {:.0?}", self.started.elapsed());
        println!("{} passed, {failed} failed", total - failed);
        failed == 0
    }
}

/// What is left of a case that was cut down, without its literals.
fn cause(case: &Case, how: Difference, answers: &Answers) -> String {
    let mut templates = Vec::new();
    case.expression.templates(&mut templates);
    case.variables.iter().for_each(|(_, tree)| tree.templates(&mut templates));
    templates.truncate(3);
    let cause = templates.join(" / ");
    match answers.reference["error"].as_str() {
        Some(text) if how == Difference::Wording => format!("{cause} / {}", text.chars().take(30).collect::<String>()),
        _ => cause,
    }
}
