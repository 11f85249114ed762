//! Exemptions as match conditions: what they select natively is what they select here, and what can't be said natively,
//! exemptions of some containers or images of an object, exempts from nothing there.

use std::collections::BTreeMap;

use portcullis::policy::{Exemptions, Manifest, PolicyType};
use serde_json::{Value, json};

use super::case::{Asked, Case, EmbeddedSuite, suites};
use super::cluster::{EXEMPT, Installed, Native};
use super::{Comparison, forms};

/// How many cases of a suite are asked about.
const CASES: usize = 3;
const PREFIX: &str = "exempted";

/// What an exemption selects objects by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Namespace,
    Name,
    Kind,
    Labels,
    /// Their name and their labels.
    Both,
}

const ALL: [By; 5] = [By::Namespace, By::Name, By::Kind, By::Labels, By::Both];

impl By {
    fn selection(self) -> Value {
        match self {
            By::Namespace => json!({"namespaces": ["elsewhere", EXEMPT]}),
            By::Name => json!({"names": ["exempt-*", "nothing"]}),
            By::Kind => {
                json!({"kinds": ["Deployment", "StatefulSet", "CronJob", "PodTemplate", "Secret", "C?usterRole*"]})
            }
            By::Labels => json!({"labels": {"portcullis.dev/e2e-exempt": "y?s"}}),
            By::Both => json!({"names": ["exempt-*"], "labels": {"portcullis.dev/e2e-exempt": "yes"}}),
        }
    }

    /// Makes an object one that is selected, where that is in its author's hands.
    fn mark(self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").filter(|metadata| metadata.is_object()) else { return };
        if self == By::Namespace && !metadata["namespace"].is_null() {
            metadata["namespace"] = json!(EXEMPT);
        }
        if matches!(self, By::Name | By::Both) {
            for field in ["name", "generateName"] {
                if let Some(name) = metadata[field].as_str().map(|name| format!("exempt-{name}")) {
                    metadata[field] = json!(name);
                }
            }
        }
        if matches!(self, By::Labels | By::Both) {
            metadata["labels"]["portcullis.dev/e2e-exempt"] = json!("yes");
        }
    }

    fn marked<'s>(self, case: &Case<'s>) -> Case<'s> {
        let (mut object, mut old_object) = (case.object.clone(), case.old_object.clone());
        self.mark(&mut object);
        self.mark(&mut old_object);
        case.with(object, old_object)
    }
}

/// An exemption from the policy of a suite, or from those that are called like it.
fn exemption(suite: &EmbeddedSuite, name: &str, selection: &Value) -> String {
    let policy =
        if name.len().is_multiple_of(2) { suite.entry.name.to_owned() } else { format!("{}*", &suite.entry.name[..4]) };
    json!({"apiVersion": "portcullis.dev/v1alpha1", "kind": "Exemption", "metadata": {"name": name},
        "spec": {"policies": [policy], "match": selection, "reason": "it has to be", "expires": "2999-12-31"}})
    .to_string()
}

fn whole(suite: &EmbeddedSuite, by: By) -> String {
    exemption(suite, &format!("by-{by:?}").to_lowercase(), &by.selection())
}

/// The suite's policies with an exemption of whole objects and two of parts of all.
fn installed(suite: &EmbeddedSuite, by: By) -> Installed {
    let exemptions = [
        whole(suite, by),
        exemption(suite, "of-containers", &json!({"containers": ["*"]})),
        exemption(suite, "of-images", &json!({"namespaces": ["*"], "images": ["*"]})),
    ];
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("exemptions.yaml");
    std::fs::write(&file, exemptions.join("\n---\n")).unwrap();
    Installed::of(suite, &["--exemptions", &file.display().to_string()]).called(PREFIX)
}

#[test]
fn folded_exemptions_set_aside_what_they_select_here() {
    let suites = suites(PolicyType::Validating);
    let by = |at: usize| ALL[at % ALL.len()];
    let installed: Vec<_> = suites.iter().enumerate().map(|(at, suite)| installed(suite, by(at))).collect();
    let mut native = Native::start(&installed);
    let shipped: Vec<_> = suites.iter().map(|suite| (suite, &suite.rounds[0])).collect();
    native.set_params(shipped.iter().flat_map(|(suite, round)| suite.params(round)).collect());
    let mut comparison = Comparison::default();
    let mut exempt: BTreeMap<By, [usize; 2]> = BTreeMap::new();
    for (at, (suite, round)) in shipped.into_iter().enumerate() {
        let (exemptions, errors) = Exemptions::load(&[Manifest::new("exemptions", whole(suite, by(at)))]);
        assert!(errors.is_empty(), "{errors:?}");
        let violates = |case: &&usize| {
            let case = Case::new(suite, **case);
            // No API server creates a pod with debug containers.
            case.object["spec"]["ephemeralContainers"].is_null() && !case.as_it_is(round).expected.is_empty()
        };
        let mut asked: Vec<(String, Asked)> = Vec::new();
        for (number, case) in round.cases.iter().filter(violates).take(CASES).enumerate() {
            for (name, case) in forms(suite, *case) {
                // Every third stays as nobody exempts it.
                let case = if number % 3 == 2 { case } else { by(at).marked(&case) };
                let judged = case.but_for(round, exemptions.clone()).of_group(PREFIX);
                let is_exempt = judged.expected.is_empty() && !case.as_it_is(round).expected.is_empty();
                exempt.entry(by(at)).or_default()[usize::from(is_exempt)] += 1;
                asked.push((format!("{name}, exempt by {:?}", by(at)), judged));
            }
        }
        comparison.of_verdicts(&native, &asked);
    }
    comparison.finish();
    let shows = |by: &By| exempt.get(by).is_some_and(|counts| counts.iter().all(|count| *count >= 10));
    assert!(ALL.iter().all(shows), "judged and exempt: {exempt:?}");
    let Comparison { compared, of_workloads, .. } = comparison;
    assert!(compared > 100 && of_workloads > 40, "{compared} verdicts, {of_workloads} of workloads");
}
