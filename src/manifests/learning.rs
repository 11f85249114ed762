//! The first pass: what has to be known of the whole input, collected without parsing what can't matter.

use std::sync::LazyLock;

use regex::Regex;

use crate::json::{Arena, Value};
use crate::policy::{Tree, model::Source};

use super::input::{Inputs, Piece};
use super::known::{ChartSources, Definitions, Known};
use super::kustomize::Kustomizations;
use super::manifest::{Unreadable, text_at};
use super::sorter::Found;
use super::{argocd, flux};

/// How much is kept, in bytes, roughly: some 100,000 namespaces.
const MAX_KEPT: usize = 64 << 20;

/// Names of the kinds that concern others, and escapes that may spell a letter of them.
static CONCERNS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let kinds = "Namespace|CustomResourceDefinition|kustomize\\.toolkit|source\\.toolkit|argoproj\\.io";
    let escapes = r"\\(?:u00[4-7]|U000000[4-7]|x[4-7]|\r?\n)";
    Regex::new(&format!("{kinds}|{escapes}")).ok()
});

/// Whether an object in `text` may be one that others' verdicts depend on.
pub(super) fn may_concern_others(text: &str) -> bool {
    concern_of_others(text, 0).is_some()
}

/// Where from `from` on something stands that makes an object one of those.
pub(super) fn concern_of_others(text: &str, from: usize) -> Option<usize> {
    match &*CONCERNS {
        Some(concerns) => concerns.find_at(text, from).map(|found| found.start()),
        None => (from < text.len()).then_some(from),
    }
}

/// An object that others' verdicts depend on.
#[derive(Debug)]
pub struct Learned {
    object: Tree,
    path: Option<std::path::PathBuf>,
    source: Source,
    bytes: usize,
}

/// What has been learned so far.
#[derive(Debug)]
pub struct Learning {
    definitions: Definitions,
    kept: Vec<Learned>,
    bytes: usize,
    limit: usize,
    overflow: Option<Unreadable>,
}

impl Default for Learning {
    fn default() -> Self {
        Self { definitions: Definitions::default(), kept: Vec::new(), bytes: 0, limit: MAX_KEPT, overflow: None }
    }
}

impl Learning {
    /// Adds what was found in a piece, which comes in input order; shows `define` the definitions of kinds.
    pub fn add(&mut self, learned: Vec<Learned>, mut define: impl FnMut(Value<'_>)) {
        for learned in learned {
            let arena = Arena::new();
            let object = learned.object.view(&arena);
            self.definitions.learn(object, learned.path.as_deref());
            define(object);
            let is_kept = is_namespace(object) || is_chart_source(object);
            if !is_kept || self.overflow.is_some() {
                continue;
            }
            self.bytes += learned.bytes;
            if self.bytes > self.limit {
                let message = format!(
                    "the Namespaces and chart sources before this one take {} MiB; what is behind them is judged without \
                     them: audit it in parts",
                    self.limit >> 20
                );
                self.overflow = Some(Unreadable { source: learned.source, message });
                continue;
            }
            self.kept.push(learned);
        }
    }

    /// What is known at the end of the pass, with the kustomizations around the input.
    pub fn finish(self, kustomizations: Kustomizations, default_namespace: &str) -> Known {
        let mut known = Known::new(kustomizations, self.definitions, default_namespace);
        for learned in self.kept {
            let arena = Arena::new();
            let value = learned.object.view(&arena);
            let found = Found {
                value,
                written: value,
                built_by: None,
                source: learned.source,
                path: learned.path.as_deref(),
                lines: Default::default(),
            };
            // The last pass says which are too many.
            for manifest in known.manifests(&arena, &found, &mut Vec::new()) {
                known.remember(&manifest);
            }
        }
        known.set_overflow(self.overflow);
        known
    }
}

impl Piece {
    /// The objects of the piece that others' verdicts depend on.
    pub fn learned(&self, inputs: &Inputs, kustomizations: &Kustomizations, arena: &mut Arena) -> Vec<Learned> {
        let mut learned = Vec::new();
        self.learn(inputs, kustomizations, arena, |found| {
            if concerns_others(found.value) {
                learned.push(Learned {
                    object: found.value.into(),
                    path: found.path.map(ToOwned::to_owned),
                    source: found.source.clone(),
                    bytes: weight(found.value),
                });
            }
        });
        learned
    }
}

fn concerns_others(object: Value<'_>) -> bool {
    let is_definition = text_at(object, &["kind"]) == "CustomResourceDefinition";
    is_definition
        || is_namespace(object)
        || flux::is_kustomization(object)
        || argocd::is_application(object)
        || is_chart_source(object)
}

fn is_namespace(object: Value<'_>) -> bool {
    text_at(object, &["apiVersion"]) == "v1" && text_at(object, &["kind"]) == "Namespace"
}

fn is_chart_source(object: Value<'_>) -> bool {
    ChartSources::concern(text_at(object, &["apiVersion"]))
}

/// How much memory an object takes, in bytes, roughly.
fn weight(value: Value<'_>) -> usize {
    const NODE: usize = 48;
    match value {
        Value::String(text) => NODE + text.len(),
        Value::Array(elements) => NODE + elements.iter().map(|element| weight(*element)).sum::<usize>(),
        Value::Object(object) => {
            NODE + object.members().iter().map(|(key, member)| NODE + key.len() + weight(*member)).sum::<usize>()
        }
        _ => NODE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Object;

    #[test]
    fn keeps_so_much_and_says_what_it_does_without() {
        let arena = Arena::new();
        let metadata = |name| Value::Object(Object::new(&arena, &[("name", Value::String(name))]));
        let namespace = |name| Learned {
            object: Value::Object(Object::new(
                &arena,
                &[
                    ("apiVersion", Value::String("v1")),
                    ("kind", Value::String("Namespace")),
                    ("metadata", metadata(name)),
                ],
            ))
            .into(),
            path: None,
            source: Source { file: format!("{name}.yaml"), document: 0, line: 1 },
            bytes: 100,
        };
        for (limit, overflow) in [(200, None), (199, Some("b.yaml"))] {
            let mut learning = Learning { limit, ..Learning::default() };
            learning.add(vec![namespace("a"), namespace("b")], |_| {});
            let known = learning.finish(Kustomizations::default(), "default");
            let problems: Vec<_> = known.problems().map(|problem| problem.source.file).collect();
            assert_eq!(problems, overflow.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn sees_what_may_concern_others_however_it_is_spelt() {
        for (text, expected) in [
            ("kind: Namespace", true),
            ("kind: \"Name\\x73pace\"", true),
            ("{\"kind\": \"Name\\u0073pace\"}", true),
            ("kind: \"Name\\\n  space\"", true),
            ("kind: CustomResourceDefinitionList", true),
            ("apiVersion: argoproj.io/v1alpha1", true),
            ("namespace: media", false),
            ("a: \"\\u003e \\n \\x21\"", false),
        ] {
            assert_eq!(may_concern_others(text), expected, "{text}");
        }
    }
}
