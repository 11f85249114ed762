//! Sets outcomes side by side, and tells differences with a known reason from all others.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::explained::{REASONS, explain};
use super::outcome::{Denied, Outcome, WEBHOOK};
use super::run::Case;
use super::suite::{Ask, Suite};

/// Which way Portcullis was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `PolicySet::review` in-process.
    Engine,
    /// `portcullis serve`, by the API server.
    Webhook,
}

/// One difference.
pub struct Difference<'a> {
    pub way: Way,
    pub suite: &'a Suite,
    pub ask: &'a Ask,
    /// What differs.
    pub field: &'static str,
    /// Both outcomes whole.
    pub native: &'a Outcome,
    pub ours: &'a Outcome,
}

/// What a comparison found.
#[derive(Default)]
pub struct Report {
    pairs: BTreeMap<&'static str, usize>,
    refused: usize,
    explained: BTreeMap<&'static str, usize>,
    unexplained: Vec<String>,
}

impl Report {
    /// Counts a pair of a suite and a request.
    pub fn count(&mut self, suite: &Suite) {
        *self.pairs.entry(suite.topic).or_default() += 1;
    }

    /// Counts a suite whose policies both refuse.
    pub fn refused(&mut self) {
        self.refused += 1;
    }

    /// Compares what native policies and Portcullis made of one request.
    pub fn compare(&mut self, way: Way, suite: &Suite, case: &Case, ask: &Ask, native: &Outcome, ours: &Outcome) {
        for (field, differs) in fields(way, native, ours) {
            if !differs {
                continue;
            }
            let difference = Difference { way, suite, ask, field, native, ours };
            match explain(&difference) {
                Some(reason) => *self.explained.entry(reason).or_default() += 1,
                None => self.unexplained.push(shown(case, &difference)),
            }
        }
    }

    /// Notes something else that keeps the comparison from being whole.
    pub fn fault(&mut self, text: String) {
        self.unexplained.push(text);
    }

    /// How many pairs were compared.
    pub fn total(&self) -> usize {
        self.pairs.values().sum()
    }

    /// Prints what was compared, and fails if something is unexplained, or a reason explains nothing in a whole run.
    pub fn finish(self, is_whole: bool) {
        let mut text = String::from("pairs by topic:\n");
        for (topic, count) in &self.pairs {
            writeln!(text, "{count:6} {topic}").unwrap();
        }
        writeln!(text, "{:6} in all\n{:6} suites refused by both\nexplained differences:", self.total(), self.refused)
            .unwrap();
        for (reason, count) in &self.explained {
            writeln!(text, "{count:6} {reason}").unwrap();
        }
        println!("{text}");
        let unused: Vec<_> = REASONS.iter().filter(|reason| !self.explained.contains_key(*reason)).collect();
        let shown: Vec<_> = self.unexplained.iter().take(60).map(String::as_str).collect();
        assert!(shown.is_empty(), "{} unexplained differences:\n{}", self.unexplained.len(), shown.join("\n"));
        assert!(!is_whole || unused.is_empty(), "reasons that explain nothing: {unused:?}");
    }
}

fn fields(way: Way, native: &Outcome, ours: &Outcome) -> Vec<(&'static str, bool)> {
    let denied = |of: fn(&Denied) -> Value| {
        let (native, ours) = (native.denied.as_ref(), ours.denied.as_ref());
        native.zip(ours).is_some_and(|(native, ours)| of(native) != of(ours))
    };
    vec![
        ("verdict", native.denied.is_some() != ours.denied.is_some()),
        ("failure", native.failed != ours.failed),
        ("message", denied(|denied| denied.message.as_str().into())),
        ("reason", denied(|denied| denied.reason.as_str().into())),
        ("code", denied(|denied| denied.code.into())),
        ("causes", denied(|denied| denied.causes.clone().into())),
        ("warnings", native.warnings != ours.warnings),
        ("annotations", native.annotations != ours.annotations),
        (
            "object",
            if way == Way::Webhook { native.object != ours.object } else { !covers(&native.object, &ours.object) },
        ),
    ]
}

/// Whether everything in `ours` is in what the API server stored, which has defaults besides. (That nothing is missing
/// shows in the webhook's outcome, which is compared whole.)
pub fn covers(native: &Value, ours: &Value) -> bool {
    match (native, ours) {
        (_, Value::Null) | (Value::Null, _) => true,
        (Value::Object(native), Value::Object(ours)) => {
            ours.iter().all(|(key, ours)| native.get(key).is_some_and(|native| covers(native, ours)))
        }
        (Value::Array(native), Value::Array(ours)) => {
            native.len() >= ours.len() && native.iter().zip(ours).all(|(native, ours)| covers(native, ours))
        }
        (native, ours) => native == ours,
    }
}

/// Annotations as the API server keeps those of a webhook: under its name, a slash in a key become a dot.
pub fn of_webhook(outcome: &Outcome) -> Outcome {
    let mut outcome = outcome.clone();
    let rename = |(key, value): (String, String)| {
        let key = key.strip_prefix("validation.policy.admission.k8s.io/").map(str::to_owned).unwrap_or(key);
        (format!("{WEBHOOK}/{}", key.replace('/', ".")), value)
    };
    outcome.annotations = outcome.annotations.into_iter().map(rename).collect();
    outcome
}

fn shown(case: &Case, difference: &Difference<'_>) -> String {
    let Difference { way, suite, ask, field, native, ours } = difference;
    let text = |outcome: &Outcome| match *field {
        "verdict" | "failure" => format!("{:?} {:?}", outcome.denied, outcome.failed),
        "message" | "reason" | "code" | "causes" => format!("{:?}", outcome.denied),
        "warnings" => format!("{:?}", outcome.warnings),
        "annotations" => format!("{:?}", outcome.annotations),
        _ => outcome.object.to_string(),
    };
    let policies: Vec<String> = suite.policies.iter().map(|policy| policy["spec"].to_string()).collect();
    format!(
        "--- {way:?} {case} ({}): {field}\n  {} {} {}\n  policies {}\n  native {}\n  ours   {}",
        suite.topic,
        ask.method,
        ask.path,
        ask.body,
        policies.join("\n           "),
        text(native),
        text(ours)
    )
}
