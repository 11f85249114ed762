//! The table of policies beside this file, and what is said of each.

use portcullis::json::{Arena, to_json};
use portcullis::policy::{Manifest, TypeChecking, load, type_check};
use portcullis::schema::Kinds;
use serde::{Deserialize, Serialize};

/// The version whose type checker the answers come from.
pub const MINOR: u32 = 36;

/// The definitions of the custom resources that the policies match.
pub const DEFINITIONS: &str = include_str!("crds.yaml");
/// The policies.
pub const POLICIES: &str = include_str!("policies.yaml");

/// What a type checker says of a policy: a line of `answers.jsonl`, which `tests/schemagen/typecheck` writes.
#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Answer {
    /// `status.typeChecking.expressionWarnings`.
    pub warnings: Vec<Warning>,
    /// The same of expressions that upstream does not look at.
    pub others: Vec<Warning>,
}

#[derive(Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Warning {
    #[serde(rename = "fieldRef")]
    pub field_ref: String,
    pub warning: String,
}

/// The policies of a manifest, in its order, and what we say of them.
pub fn answers(manifest: &Manifest) -> Vec<(String, Answer)> {
    let kinds = kinds();
    let loaded = load(std::slice::from_ref(manifest), MINOR);
    assert!(loaded.errors.is_empty(), "{:#?}", loaded.errors);
    let mut policies = loaded.policies;
    policies.sort_by_key(|policy| policy.source.document);
    let answer = |policy| {
        let TypeChecking { warnings, .. } = type_check(policy, &kinds, MINOR);
        let warnings = warnings.into_iter().map(|warning| {
            // Upstream tells types by a number that is left out of its answers.
            let text = warning.warning.replace("ConfigMap2", "ConfigMap");
            Warning { field_ref: warning.field_ref.to_string(), warning: text }
        });
        let (warnings, others) = warnings.partition(|warning| warning.field_ref.starts_with("spec.validations"));
        Answer { warnings, others }
    };
    policies.iter().map(|policy| (policy.name.clone(), answer(policy))).collect()
}

/// The objects of a manifest as JSON, one a line.
pub fn json_lines(text: &'static str) -> String {
    let arena = Arena::new();
    let manifest = Manifest::new("manifest.yaml", text);
    let objects = manifest.objects(&arena, &mut Vec::new());
    objects.iter().map(|document| to_json(document.value) + "\n").collect()
}

/// The built-in kinds and those of the table.
fn kinds() -> Kinds {
    let arena = Arena::new();
    let mut kinds = Kinds::default();
    for document in Manifest::new("crds.yaml", DEFINITIONS).objects(&arena, &mut Vec::new()) {
        kinds.learn(document.value);
    }
    kinds
}

/// How what we say differs from what is expected.
pub fn difference(name: &str, found: &Answer, expected: &Answer) -> Option<String> {
    if found == expected {
        return None;
    }
    let only = |these: &Answer, those: &Answer| {
        let (these, those) = ([&these.warnings, &these.others], [&those.warnings, &those.others]);
        let missing = these.into_iter().zip(those).flat_map(|(these, those)| {
            let is_missing = |warning: &&Warning| !those.contains(warning);
            these.iter().filter(is_missing).map(|warning| format!("  {}: {}", warning.field_ref, warning.warning))
        });
        missing.collect::<String>()
    };
    Some(format!("{name}: only here:\n{}only there:\n{}", only(found, expected), only(expected, found)))
}
