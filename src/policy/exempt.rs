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
//!     images: ["registry.example/backup:*"]
//!   reason: rewritten in the next release
//!   expires: 2027-03-31                  # through that day (UTC), or an RFC 3339 time
//! ```

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::json::Arena;

use super::decode::{Fields, Node};
use super::error::{LoadError, Reason};
use super::glob::Glob;
use super::manifest::{Document, Manifest};
use super::metadata::metadata;
use super::model::Source;
use super::problem::{Fault, Problems};

const API_VERSION: &str = "portcullis.dev/v1alpha1";
const KIND: &str = "Exemption";

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

/// `spec.match`; an empty list matches everything.
#[derive(Clone, Debug)]
struct Match {
    namespaces: Vec<Glob>,
    kinds: Vec<Glob>,
    names: Vec<Glob>,
    images: Vec<Glob>,
}

/// The object that a finding is about.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'s> {
    /// Its namespace; empty for a cluster-scoped object.
    pub namespace: &'s str,
    /// Its kind, as the user wrote it.
    pub kind: &'s str,
    /// Its name; `generateName` where the name is yet to be generated.
    pub name: &'s str,
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
}

impl Exemptions {
    /// Loads exemptions, 10,000 at most; whatever else the manifests contain is an error.
    pub fn load(manifests: &[Manifest]) -> (Self, Vec<LoadError>) {
        let mut all: BTreeMap<String, Exemption> = BTreeMap::new();
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

    /// Every exemption from `policy` for `subject`, expired ones too. `images` lists the images of all of the object's
    /// containers and volumes; it is asked only if an exemption depends on them, and all of them have to match, so that
    /// an exempt image doesn't hide another one beside it.
    pub fn covering<'e, 's>(
        &'e self,
        policy: &str,
        subject: Subject<'_>,
        images: impl Fn() -> Vec<&'s str>,
    ) -> Vec<&'e Exemption> {
        let known = OnceCell::new();
        let covers = |exemption: &&Exemption| {
            let wanted = &exemption.matches;
            any(&exemption.policies, policy)
                && any(&wanted.namespaces, subject.namespace)
                && any(&wanted.kinds, subject.kind)
                && any(&wanted.names, subject.name)
                && (wanted.images.is_empty() || {
                    let images = known.get_or_init(&images);
                    !images.is_empty() && images.iter().all(|image| any(&wanted.images, image))
                })
        };
        self.by_policy.of(policy).filter_map(|index| self.all.get(index)).filter(covers).collect()
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

fn any(globs: &[Glob], text: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| glob.matches(text))
}

fn is_exemption(document: &Document<'_>) -> Result<(), Reason> {
    let (api_version, kind) = (document.text(&["apiVersion"]), document.text(&["kind"]));
    match kind {
        KIND if api_version == API_VERSION => Ok(()),
        KIND => Err(Reason::Version {
            found: api_version.to_owned(),
            kind: kind.to_owned(),
            write: "apiVersion: portcullis.dev/v1alpha1",
        }),
        "" => Err(Reason::NotAnObject { missing: "kind" }),
        _ => Err(Reason::Misplaced {
            kind: kind.to_owned(),
            advice: "exemption files hold kind: Exemption only; policies go to --policies, params to --params",
        }),
    }
}

fn exemption(node: &Node<'_, '_>, source: Source) -> Option<Exemption> {
    node.fields(|fields| {
        fields.ignore(&["apiVersion", "kind"]);
        let metadata = metadata(fields);
        let spec = fields.require("spec", "write spec: {policies: […], match: {…}, reason: …, expires: …}")?;
        spec.fields(|spec| {
            let policies = spec.require("policies", "list the policies' names, or globs such as pss-baseline-*");
            let policies = policies.map(|list| list.strings()).unwrap_or_default();
            if policies.is_empty() {
                spec.missing("policies", "", "list at least one policy");
            }
            let matches = spec.require("match", "write match: {namespaces: […], kinds: […], names: […]}");
            let matches = matches.and_then(|node| match_lists(&node));
            let reason = spec.text("reason", "", "write why, for whoever finds this when it expires");
            let expires_text =
                spec.get("expires").and_then(|text| text.value().as_str()).unwrap_or_default().to_owned();
            let expires = expires(spec);
            Some(Exemption {
                name: metadata?.name,
                source,
                reason: reason?.0.trim().to_owned(),
                expires: expires?,
                expires_text,
                policies: policies.iter().map(|glob| Glob::new(glob)).collect(),
                matches: matches?,
            })
        })
    })
}

fn match_lists(node: &Node<'_, '_>) -> Option<Match> {
    node.fields(|fields| {
        let mut globs = |name| -> Vec<Glob> {
            let list = fields.get(name).map(|list| list.strings()).unwrap_or_default();
            list.iter().map(|glob| Glob::new(glob)).collect()
        };
        let matches = Match {
            namespaces: globs("namespaces"),
            kinds: globs("kinds"),
            names: globs("names"),
            images: globs("images"),
        };
        if [&matches.namespaces, &matches.kinds, &matches.names, &matches.images].iter().all(|list| list.is_empty()) {
            let detail = "at least one of namespaces, kinds, names and images".to_owned();
            node.report(Fault::Required(detail), "to exempt everything write namespaces: [\"*\"]");
        }
        Some(matches)
    })
}

fn expires(spec: &mut Fields<'_, '_>) -> Option<SystemTime> {
    let (text, node) = spec.text("expires", "", "write the last day, for example expires: 2027-03-31")?;
    let end_of_day = |date: Date| Some(date.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', 't', ' ']) => end_of_day(date),
        _ => text.parse::<Timestamp>().ok(),
    };
    if time.is_none() {
        node.invalid(
            text,
            "must be a date or an RFC 3339 time",
            "write for example 2027-03-31 or 2027-03-31T12:00:00Z",
        );
    }
    time.map(SystemTime::from)
}
