//! What of the bundle is on: what a profile says, less what is disabled.

use std::collections::BTreeMap;

use super::audit_rule::AuditRule;
use super::embedded::{Embedded, embedded};
use super::manifest::Manifest;
use super::model::ValidationAction;
use super::profile::Shipped;

/// Which policies of the bundle are on, and by which of their bindings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    profile: String,
    /// By the policy's name.
    on: BTreeMap<&'static str, Vec<Choice>>,
    /// What is off whatever binds it, with who says so.
    off: BTreeMap<&'static str, String>,
    /// The rules of the audit that are on, by their names.
    rules: BTreeMap<&'static str, RuleChoice>,
}

/// A rule of the audit that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChoice {
    /// The rule.
    pub rule: &'static AuditRule,
    /// What its findings do to whoever asks.
    pub actions: Vec<ValidationAction>,
    /// The profile that says so.
    pub profile: String,
}

/// A shipped binding that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Its name.
    pub binding: String,
    /// What takes the place of its own `validationActions`.
    pub actions: Option<Vec<ValidationAction>>,
    /// The profile that says so.
    pub profile: String,
}

impl Selection {
    /// The policies that are on, sorted by name, and the bindings that are.
    pub fn policies(&self) -> Vec<(Embedded, &[Choice])> {
        let chosen = |entry: Embedded| Some((entry, self.on.get(entry.name)?.as_slice()));
        let mut policies: Vec<_> = embedded().into_iter().filter_map(chosen).collect();
        policies.sort_by_key(|(entry, _)| entry.name);
        policies
    }

    /// The manifests of the policies that are on, with all that they ship with.
    pub fn manifests(&self) -> Vec<Manifest> {
        self.policies().iter().map(|(entry, _)| entry.manifest()).collect()
    }

    /// The bindings of a policy that are on; none if the policy is off.
    pub fn choices(&self, policy: &str) -> &[Choice] {
        self.on.get(policy).map_or(&[], Vec::as_slice)
    }

    /// The name of the profile; empty where there is none.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Who turned a policy off, if somebody did; then bindings of others don't bind it either.
    pub fn turned_off(&self, policy: &str) -> Option<&str> {
        self.off.get(policy).map(String::as_str)
    }

    /// Turns a policy off, whatever binds it, or a rule of the audit. `who` says so.
    pub fn turn_off(&mut self, of: Shipped, who: &str) {
        self.on.remove(of.name());
        self.rules.remove(of.name());
        self.off.insert(of.name(), who.to_owned());
    }

    /// The rules of the audit that are on, sorted by name.
    pub fn rules(&self) -> impl Iterator<Item = &RuleChoice> {
        self.rules.values()
    }

    /// Turns a rule of the audit on; of two choices for one the later counts.
    pub(super) fn turn_rule_on(&mut self, choice: RuleChoice) {
        self.off.remove(choice.rule.name);
        self.rules.insert(choice.rule.name, choice);
    }

    /// Turns a binding on; of two choices for one the later counts.
    pub(super) fn turn_on(&mut self, policy: Embedded, choice: Choice) {
        self.off.remove(policy.name);
        let choices = self.on.entry(policy.name).or_default();
        match choices.iter_mut().find(|earlier| earlier.binding == choice.binding) {
            Some(earlier) => *earlier = choice,
            None => choices.push(choice),
        }
    }

    /// Says which profile it is.
    pub(super) fn name(&mut self, profile: &str) {
        profile.clone_into(&mut self.profile);
    }
}
