//! Profiles: which policies of the bundle are on, by which of their bindings, and with which actions.
//!
//! ```yaml
//! apiVersion: portcullis.dev/v1alpha1
//! kind: Profile
//! metadata: {name: strict, annotations: {portcullis.dev/description: what it is for}}
//! spec:
//!   extends: baseline                    # a shipped profile, or a file beside this one: ./team.yaml
//!   bindings:                            # what is on beside that; of two entries for a binding the later counts
//!   - policy: pss-baseline-privileged    # every binding that the policy ships with
//!   - policy: require-pinned-images      # one of them, with actions of its own
//!     binding: require-digest
//!     validationActions: [Audit]
//!   - policy: secret-exists              # a rule of the audit
//!   disabled: [gpu-device-access]        # what is off all the same
//! ```

use crate::json::Arena;

use super::audit_rule::{AUDIT_RULES, AuditRule, audit_rule};
use super::binding::{NO_ACTION, WRITE_ACTIONS, actions};
use super::decode::{Fields, Node};
use super::embedded::{Embedded, embedded, profiles};
use super::error::{LoadError, Reason};
use super::manifest::Manifest;
use super::metadata::metadata;
use super::model::{Source, ValidationAction};
use super::problem::{Fault, Problems, closest};
use super::selection::{Choice, RuleChoice, Selection};

const KIND: &str = "Profile";
/// The most profiles that may extend each other in a row.
const MAX_EXTENDS: usize = 8;

/// Where profiles get the files that they name.
pub trait ProfileFiles {
    /// The file at `path`, relative to the one called `from`; empty for a path that is nobody's.
    ///
    /// # Errors
    /// Why it can't be read.
    fn read(&self, from: &str, path: &str) -> Result<Manifest, String>;
}

/// Reads the profile that `name` means, the name of a shipped one or a file's path, and those that it extends.
///
/// What is wrong with an entry costs that entry alone; without a selection, the profile can't be used at all.
///
/// # Errors
/// Everything that is wrong, each with its file and line.
pub fn load_profile(name: &str, files: &dyn ProfileFiles) -> (Option<Selection>, Vec<LoadError>) {
    let mut reader = Reader { files, errors: Vec::new(), depth: 0 };
    let selection = match find(name, "", files) {
        Ok(manifest) => reader.profile(&manifest),
        Err(problem) => {
            let at = Source { file: name.to_owned(), document: 0, line: 1 };
            reader.errors.push(LoadError { at, object: KIND.to_owned(), reason: Reason::Unusable(problem) });
            None
        }
    };
    (selection, reader.errors)
}

/// Whether `name` is a file's path, and not the name of a shipped profile.
pub fn is_profile_file(name: &str) -> bool {
    name.contains('/') || [".yaml", ".yml", ".json"].iter().any(|ending| name.ends_with(ending))
}

/// The shipped profile called `name`.
///
/// # Errors
/// There is none, and what was probably meant.
pub fn shipped_profile(name: &str) -> Result<Manifest, String> {
    let shipped = profiles();
    let known: Vec<_> = shipped.iter().map(|(name, _)| *name).collect();
    let found = shipped.into_iter().find(|(known, _)| *known == name).map(|(_, manifest)| manifest);
    found.ok_or_else(|| {
        let meant = closest(name, &known).map(|meant| format!("; write {meant}")).unwrap_or_default();
        let listed = known.join(", ");
        format!("no profile is called {name}{meant}: there are {listed}, and files such as ./mine.yaml")
    })
}

/// The policy of the bundle called `name`.
///
/// # Errors
/// There is none, and what was probably meant.
pub fn shipped_policy(name: &str) -> Result<Embedded, String> {
    let all = embedded();
    all.iter().find(|entry| entry.name == name).copied().ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|entry| entry.name).collect();
        let meant = closest(name, &known).map(|meant| format!("write {meant}"));
        meant.unwrap_or_else(|| "portcullis policies list shows them".to_owned())
    })
}

/// What a profile chooses among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shipped {
    /// A policy of the bundle.
    Policy(Embedded),
    /// A rule of the audit.
    Rule(&'static AuditRule),
}

impl Shipped {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Policy(policy) => policy.name,
            Self::Rule(rule) => rule.name,
        }
    }
}

/// The policy of the bundle, or the rule of the audit, called `name`.
///
/// # Errors
/// There is none, and what was probably meant.
pub fn shipped(name: &str) -> Result<Shipped, String> {
    if let Some(rule) = audit_rule(name) {
        return Ok(Shipped::Rule(rule));
    }
    let rules: Vec<_> = AUDIT_RULES.iter().map(|rule| rule.name).collect();
    let meant = |advice| closest(name, &rules).map_or(advice, |meant| format!("write {meant}"));
    shipped_policy(name).map(Shipped::Policy).map_err(meant)
}

fn find(name: &str, from: &str, files: &dyn ProfileFiles) -> Result<Manifest, String> {
    if is_profile_file(name) { files.read(from, name) } else { shipped_profile(name) }
}

struct Reader<'f> {
    files: &'f dyn ProfileFiles,
    errors: Vec<LoadError>,
    depth: usize,
}

impl Reader<'_> {
    /// What a profile's manifest selects; `None` if it can't be used.
    fn profile(&mut self, manifest: &Manifest) -> Option<Selection> {
        let (arena, errors) = (Arena::new(), self.errors.len());
        let documents = manifest.objects(&arena, &mut self.errors);
        if self.errors.len() > errors {
            return None;
        }
        let [document] = documents.as_slice() else {
            let at = documents.get(1).map_or_else(|| start(manifest), |second| second.at.clone());
            let problem = format!("a profile's file holds one object, not {}", documents.len());
            self.errors.push(LoadError { at, object: KIND.to_owned(), reason: Reason::Unusable(problem) });
            return None;
        };
        let advice = "a profile's file holds kind: Profile; policies and bindings go to --policies";
        if let Err(reason) = document.is_of_our_kind(KIND, advice) {
            self.errors.push(document.error(reason));
            return None;
        }
        let problems = Problems::default();
        let node = Node::new(document.value, document.path.clone(), &problems);
        let selection = node.fields(|fields| self.fields(fields, manifest));
        document.report(problems, &mut self.errors);
        selection
    }

    fn fields(&mut self, fields: &mut Fields<'_, '_>, manifest: &Manifest) -> Option<Selection> {
        fields.ignore(&["apiVersion", "kind"]);
        let name = metadata(fields).map(|metadata| metadata.name);
        let spec = fields.require("spec", "write spec: {extends: baseline, bindings: […]}")?;
        spec.fields(|spec| {
            let extends = spec.get("extends");
            let bindings = spec.get("bindings");
            if extends.is_none() && bindings.is_none() {
                spec.missing("bindings", "nothing would be on", "write extends: baseline, or bindings: [{policy: …}]");
            }
            let mut selection = match &extends {
                Some(extends) => self.extended(extends, manifest)?,
                None => Selection::default(),
            };
            let name = name.unwrap_or_default();
            selection.name(&name);
            let entries = bindings.map(|bindings| bindings.list(|entry| Entry::read(&entry))).unwrap_or_default();
            for (at, entry) in entries.iter().enumerate() {
                if let Some(node) = entry.again(&entries[..at]) {
                    node.report(Fault::Duplicate(entry.of.name().to_owned()), "leave one of them out");
                }
                entry.turn_on(&mut selection, &name);
            }
            for of in spec.get("disabled").map(|list| list.list(|name| named(&name))).unwrap_or_default() {
                if entries.iter().any(|entry| entry.of == of) {
                    let detail = format!("{} is among the bindings, too", of.name());
                    spec.forbid("disabled", &detail, "leave it out in one of the two lists");
                }
                selection.turn_off(of, &format!("profile {name}"));
            }
            Some(selection)
        })
    }

    /// What the profile that `node` names selects.
    fn extended(&mut self, node: &Node<'_, '_>, from: &Manifest) -> Option<Selection> {
        let name = node.string()?;
        if self.depth == MAX_EXTENDS {
            let detail = format!("more than {MAX_EXTENDS} profiles extend each other");
            node.invalid(name, detail, "see whether one extends itself");
            return None;
        }
        let manifest = find(name, &from.file, self.files).inspect_err(|why| node.invalid(name, why, "")).ok()?;
        self.depth += 1;
        let selection = self.profile(&manifest);
        self.depth -= 1;
        selection
    }
}

/// An entry of `spec.bindings`.
struct Entry<'a, 'p> {
    of: Shipped,
    /// The bindings that it turns on.
    bindings: Vec<String>,
    /// Whether it names one of them.
    names_binding: bool,
    actions: Option<Vec<ValidationAction>>,
    node: Node<'a, 'p>,
}

impl<'a, 'p> Entry<'a, 'p> {
    fn read(node: &Node<'a, 'p>) -> Option<Self> {
        node.fields(|fields| {
            let (name, at) = fields.text("policy", "", "write the name of a shipped policy")?;
            let binding = fields.get("binding");
            let list = fields.get("validationActions");
            let policy = match known(&at, name)? {
                Shipped::Policy(policy) => policy,
                of @ Shipped::Rule(_) => {
                    if binding.is_some() {
                        fields.forbid("binding", "rules of the audit have none", "leave it out");
                    }
                    if list.as_ref().is_some_and(|list| list.elements().is_empty()) {
                        fields.missing("validationActions", NO_ACTION, WRITE_ACTIONS);
                        return None;
                    }
                    let actions = list.as_ref().map(actions);
                    return Some(Self { of, bindings: Vec::new(), names_binding: false, actions, node: node.clone() });
                }
            };
            let shipped = policy.bindings();
            let mut bindings: Vec<String> = shipped.iter().map(|binding| binding.name.clone()).collect();
            if let Some(node) = &binding {
                let wanted = node.string()?;
                if !bindings.iter().any(|name| name == wanted) {
                    let known: Vec<_> = bindings.iter().map(String::as_str).collect();
                    let advice = closest(wanted, &known).map_or_else(
                        || format!("{name} ships with {}", known.join(", ")),
                        |meant| format!("write {meant}"),
                    );
                    node.invalid(wanted, format!("{name} has no such binding"), advice);
                    return None;
                }
                bindings.retain(|name| name == wanted);
            }
            let actions = match &list {
                None => None,
                Some(_) if shipped.iter().all(|binding| binding.mutates) => {
                    fields.forbid("validationActions", "the policy mutates", "leave it out");
                    None
                }
                Some(list) if list.elements().is_empty() => {
                    fields.missing("validationActions", NO_ACTION, WRITE_ACTIONS);
                    return None;
                }
                Some(list) => Some(actions(list)),
            };
            let names_binding = binding.is_some();
            Some(Self { of: Shipped::Policy(policy), bindings, names_binding, actions, node: node.clone() })
        })
    }

    fn turn_on(&self, selection: &mut Selection, profile: &str) {
        match self.of {
            Shipped::Policy(policy) => {
                for binding in &self.bindings {
                    let (binding, actions) = (binding.clone(), self.actions.clone());
                    selection.turn_on(policy, Choice { binding, actions, profile: profile.to_owned() });
                }
            }
            Shipped::Rule(rule) => {
                let actions = self.actions.clone().unwrap_or_else(|| vec![ValidationAction::Audit]);
                selection.turn_rule_on(RuleChoice { rule, actions, profile: profile.to_owned() });
            }
        }
    }

    /// The entry's node, if one of those before it is about the same.
    fn again(&self, before: &[Self]) -> Option<&Node<'a, 'p>> {
        let is_same = |other: &Self| {
            other.of == self.of && other.names_binding == self.names_binding && other.bindings == self.bindings
        };
        before.iter().any(is_same).then_some(&self.node)
    }
}

fn named(node: &Node<'_, '_>) -> Option<Shipped> {
    known(node, node.string()?)
}

fn known(node: &Node<'_, '_>, name: &str) -> Option<Shipped> {
    shipped(name).inspect_err(|advice| node.invalid(name, "no shipped policy has this name", advice)).ok()
}

fn start(manifest: &Manifest) -> Source {
    Source { file: manifest.file.clone(), document: 0, line: 1 }
}
