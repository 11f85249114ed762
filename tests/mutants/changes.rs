//! Changes to the text of a policy, made with regular expressions alone.

use std::sync::LazyLock;

use portcullis::policy::Embedded;
use regex::Regex;

use crate::random::Random;

/// A policy's text with one change.
pub struct Changed {
    /// The position of the policy in the bundle.
    pub policy: usize,
    /// The whole `policy.yaml`.
    pub text: String,
    /// The line before and after.
    pub description: String,
}

/// What is looked for, and what may stand there instead; an empty list means that something is computed.
const RULES: &[(&str, &[&str])] = &[
    (r" == ", &[" != "]),
    (r" != ", &[" == "]),
    (r" < ", &[" <= ", " > "]),
    (r" > ", &[" >= ", " < "]),
    (r" <= ", &[" < ", " >= "]),
    (r" >= ", &[" > ", " <= "]),
    (r" && ", &[" || "]),
    (r"&& ", &["|| "]),
    (r"\|\| ", &["&& "]),
    (r"\.all\(", &[".exists("]),
    (r"\.exists\(", &[".all("]),
    (r"\btrue\b", &["false"]),
    (r"\bfalse\b", &["true"]),
    (r"![a-z(]", &[]),
    (r"\bhas\(", &["!has("]),
    (r"\b[0-9]{1,6}\b", &[]),
    (r"\bstartsWith\b", &["endsWith", "contains"]),
    (r"\bendsWith\b", &["startsWith"]),
    (r"\bcontains\b", &["startsWith"]),
    (r"\binitContainers\b", &["containers", "ephemeralContainers"]),
    (r"\bephemeralContainers\b", &["containers", "initContainers"]),
    (r"\bCREATE\b, |, \bUPDATE\b|, \bpods/ephemeralcontainers\b", &[""]),
    (r"\bFail\b", &["Ignore"]),
    (r"\bIgnore\b", &["Fail"]),
    (r#""[A-Za-z][A-Za-z0-9_./-]*""#, &[]),
    (r#""[A-Za-z][A-Za-z0-9_./-]*", "#, &[""]),
    (r#", "[A-Za-z][A-Za-z0-9_./-]*""#, &[""]),
    (r"\bobject\.", &["oldObject."]),
];

static PATTERNS: LazyLock<Vec<(Regex, &[&str])>> =
    LazyLock::new(|| RULES.iter().map(|(pattern, to)| (Regex::new(pattern).expect("a pattern"), *to)).collect());

/// A policy of the bundle, changed at one place of its rules; `None` where the place that was drawn has nothing to change.
pub fn changed(random: &mut Random, policies: &[Embedded]) -> Option<Changed> {
    let policy = random.below(policies.len());
    let text = policies[policy].policy;
    let lines = rules(text);
    let (pattern, to) = random.of(&PATTERNS);
    let places: Vec<_> =
        pattern.find_iter(text).filter(|found| lines.iter().any(|line| line.contains(&found.start()))).collect();
    if places.is_empty() {
        return None;
    }
    let place = places[random.below(places.len())];
    let found = place.as_str();
    let replaced = match to {
        [] => computed(random, found),
        words => (*random.of(words)).to_owned(),
    };
    let changed = format!("{}{replaced}{}", &text[..place.start()], &text[place.end()..]);
    let at = 1 + text[..place.start()].matches('\n').count();
    let of = |text: &str| text.lines().nth(at - 1).unwrap_or_default().trim().to_owned();
    let Embedded { category, name, .. } = policies[policy];
    let description = format!("{category}/{name}/policy.yaml:{at}\n  - {}\n  + {}", of(text), of(&changed));
    Some(Changed { policy, text: changed, description })
}

/// Another number, a word that is nearly the same, a `!` less.
fn computed(random: &mut Random, found: &str) -> String {
    if let Some(rest) = found.strip_prefix('!') {
        return rest.to_owned();
    }
    if let Ok(number) = found.parse::<u64>() {
        return if number > 0 && random.chance(50) { number - 1 } else { number + 1 }.to_string();
    }
    let word = found.trim_matches('"');
    let word = match random.below(3) {
        0 => format!("{word}x"),
        1 => word[..word.len() - 1].to_owned(),
        _ => word.to_uppercase(),
    };
    format!("\"{word}\"")
}

/// The bytes of the lines that say what the policy does: from its `failurePolicy` to the end of its document, without
/// comments, names and fixed texts.
fn rules(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut rules = Vec::new();
    let (mut start, mut is_inside) = (0, false);
    for line in text.split_inclusive('\n') {
        let range = start..start + line.len();
        start = range.end;
        if line.starts_with("---") {
            break;
        }
        is_inside |= line.starts_with("spec:");
        let trimmed = line.trim_start().trim_start_matches("- ");
        let is_fixed = ["#", "name:", "message:", "reason:", "paramKind:", "apiVersions:"]
            .iter()
            .any(|word| trimmed.starts_with(word));
        if is_inside && !is_fixed {
            rules.push(range);
        }
    }
    rules
}
