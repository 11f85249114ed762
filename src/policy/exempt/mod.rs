//! Exemptions: which findings are set aside, why, and until when.
//!
//! ```yaml
//! apiVersion: portcullis.dev/v1alpha1
//! kind: Exemption
//! metadata: {name: old-backup-job}
//! spec:
//!   policies: [pss-baseline-*]           # names or globs
//!   match:                               # every list that is given has to match
//!     namespaces: [backup]
//!     kinds: [CronJob]
//!     names: [nightly-*]
//!     labels: {app: backup}
//!     containers: [dump]                 # with these two, only what concerns such a container or image is exempt
//!     images: ["registry.example/backup:*"]
//!   reason: rewritten in the next release
//!   expires: 2027-03-31                  # through that day (UTC), or an RFC 3339 time
//! ```

mod read;
mod selection;

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use crate::json::Arena;

use super::decode::Node;
use super::error::{LoadError, Reason};
use super::glob::Glob;
use super::manifest::Manifest;
use super::model::Source;
use super::problem::Problems;

use read::{exemption, is_exemption};
use selection::{Match, any};
pub use selection::{Part, Subject};

/// Every finding looks at those that may be about its policy.
const MAX_EXEMPTIONS: usize = 10_000;
const JOIN: &str = "one exemption may list several policies, namespaces and names, or globs of them";

/// One exemption.
#[derive(Clone, Debug)]
pub struct Exemption {
    /// `metadata.name`.
    pub name: String,
    /// Where it was read from.
    pub source: Source,
    /// `spec.reason`.
    pub reason: String,
    /// When it ends.
    pub expires: SystemTime,
    /// `spec.expires`, as it is written.
    pub expires_text: String,
    policies: Vec<Glob>,
    matches: Match,
}

/// Exemptions, sorted by name.
#[derive(Clone, Debug, Default)]
pub struct Exemptions {
    all: Vec<Exemption>,
    by_policy: ByPolicy,
}

/// Where exemptions stand among all, by what they say of policies; a finding looks at those of its policy only.
#[derive(Clone, Debug, Default)]
struct ByPolicy {
    named: HashMap<String, Vec<usize>>,
    /// Those with a pattern, which has to be tried.
    patterns: Vec<usize>,
}

impl Exemption {
    /// Whether it no longer exempts from anything.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.expires <= now
    }

    /// Whether it is about some containers and images of an object only, and not about what concerns the whole of it.
    pub fn is_partial(&self) -> bool {
        self.matches.is_partial()
    }

    /// Whether one that is partial is about `part`.
    pub fn covers(&self, part: Part<'_>) -> bool {
        self.is_partial() && self.matches.selects_part(part)
    }
}

impl Exemptions {
    /// Loads exemptions, 10,000 at most; whatever else the manifests contain is an error.
    pub fn load(manifests: &[Manifest]) -> (Self, Vec<LoadError>) {
        Self::default().with(manifests)
    }

    /// These and those that the manifests contain, 10,000 at most in all. One of a name that is taken is an error.
    pub fn with(&self, manifests: &[Manifest]) -> (Self, Vec<LoadError>) {
        let known = self.all.iter().map(|exemption| (exemption.name.clone(), exemption.clone()));
        let mut all: BTreeMap<String, Exemption> = known.collect();
        let mut errors = Vec::new();
        for manifest in manifests {
            let arena = Arena::new();
            for document in manifest.objects(&arena, &mut errors) {
                if let Err(reason) = is_exemption(&document) {
                    errors.push(document.error(reason));
                    continue;
                }
                let problems = Problems::default();
                let node = Node::new(document.value, document.path.clone(), &problems);
                let exemption = exemption(&node, document.at.clone());
                let problems = document.report(problems, &mut errors);
                let Some(exemption) = exemption.filter(|_| problems.is_empty()) else { continue };
                match all.get(&exemption.name) {
                    Some(earlier) => errors.push(document.error(Reason::Duplicate {
                        name: exemption.name,
                        first: earlier.source.clone(),
                        advice: "give it another name, or remove one of them",
                    })),
                    None if all.len() == MAX_EXEMPTIONS => {
                        errors.push(document.error(Reason::TooMany { limit: MAX_EXEMPTIONS, advice: JOIN }));
                        break;
                    }
                    None => drop(all.insert(exemption.name.clone(), exemption)),
                }
            }
        }
        let all: Vec<Exemption> = all.into_values().collect();
        (Self { by_policy: ByPolicy::new(&all), all }, errors)
    }

    /// Every exemption from `policy` that selects `subject`, expired ones too, sorted by name. Those that are partial
    /// select what has a container or an image that they are about; `parts` lists the object's, and is asked only then.
    pub fn selecting<'e, 's>(
        &'e self,
        policy: &str,
        subject: &Subject<'_>,
        parts: impl Fn() -> Vec<Part<'s>>,
    ) -> Vec<&'e Exemption> {
        let known = OnceCell::new();
        let has_part = |exemption: &Exemption| {
            let parts: &Vec<Part<'s>> = known.get_or_init(&parts);
            parts.iter().any(|part| exemption.covers(*part))
        };
        let candidates = self.by_policy.of(policy).filter_map(|index| self.all.get(index));
        let selects = |exemption: &&Exemption| {
            any(&exemption.policies, policy)
                && exemption.matches.selects(subject)
                && (!exemption.is_partial() || has_part(exemption))
        };
        candidates.filter(selects).collect()
    }

    /// All exemptions, sorted by name.
    pub fn all(&self) -> &[Exemption] {
        &self.all
    }
}

impl ByPolicy {
    fn new(all: &[Exemption]) -> Self {
        let mut by_policy = Self::default();
        for (index, exemption) in all.iter().enumerate() {
            if exemption.policies.iter().any(|glob| glob.literal().is_none()) {
                by_policy.patterns.push(index);
                continue;
            }
            let names: BTreeSet<_> = exemption.policies.iter().filter_map(Glob::literal).collect();
            for name in names {
                by_policy.named.entry(name.to_owned()).or_default().push(index);
            }
        }
        by_policy
    }

    /// Those that may be about `policy`, in the order in which they stand.
    fn of(&self, policy: &str) -> impl Iterator<Item = usize> {
        let mut indices = self.patterns.clone();
        indices.extend(self.named.get(policy).into_iter().flatten());
        indices.sort_unstable();
        indices.into_iter()
    }
}
