//! What `policies list` shows: each policy, whether it is on, what its bindings do, and who says so.

use std::io::Write;

use serde::Serialize;

use crate::policy::model::{Binding, Policy};
use crate::policy::{AUDIT_RULES, AuditRule, EMBEDDED_PREFIX, LoadedPolicies, PolicyType, RuleChoice, Selection};
use crate::style::{BAD, CAUTION, FAINT, STRONG};
use crate::visible;

/// What a rule of the audit is listed as, whose category is the audit.
const RULE: &str = "AuditRule";
const AUDIT: &str = "audit";

/// The policies that are on and those of the bundle that are off, sorted by category and name.
#[derive(Serialize)]
pub struct List<'p> {
    schema: &'static str,
    /// The profile that chooses among the bundle.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'p str>,
    policies: Vec<Row<'p>>,
}

/// A policy in the list.
#[derive(Serialize)]
struct Row<'p> {
    name: &'p str,
    kind: &'static str,
    category: &'p str,
    severity: &'p str,
    title: &'p str,
    answers: &'p str,
    source: &'p str,
    /// Whether a binding puts it in force.
    on: bool,
    /// Why a policy of the bundle is off.
    #[serde(skip_serializing_if = "Option::is_none")]
    off: Option<String>,
    bindings: Vec<BindingRow<'p>>,
}

#[derive(Serialize)]
struct BindingRow<'p> {
    name: &'p str,
    actions: Vec<&'static str>,
    source: &'p str,
    /// The profile that turned a shipped binding on.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'p str>,
}

impl<'p> List<'p> {
    /// Lists the `loaded` policies and those of the bundle that are `off`.
    pub fn new(loaded: &'p LoadedPolicies, off: &'p [LoadedPolicies], selection: Option<&'p Selection>) -> Self {
        let on = loaded.policies.iter().map(|policy| Row::new(policy, selection));
        let off = off.iter().flat_map(|loaded| &loaded.policies).map(|policy| Row::off(policy, selection));
        let rules = AUDIT_RULES.iter().filter_map(|rule| Some(Row::rule(rule, selection?)));
        let mut policies: Vec<_> = on.chain(off).chain(rules).collect();
        policies.sort_by_key(|row| (row.category, row.name));
        Self { schema: "portcullis.dev/policies/v1", profile: selection.map(Selection::profile), policies }
    }

    /// Writes the list for people.
    pub fn render(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let width = |text: fn(&Row<'_>) -> usize| self.policies.iter().map(text).max().unwrap_or_default();
        let name = width(|row| row.name.len());
        let actions = width(|row| row.actions().len());
        let from = width(|row| visible::line(&row.from()).to_string().chars().count());
        let mut category = None;
        for row in &self.policies {
            if category != Some(row.category) {
                let space = if category.is_some() { "\n" } else { "" };
                let name = if row.category.is_empty() { "other" } else { row.category };
                writeln!(out, "{space}{STRONG}{}{STRONG:#}", visible::line(name))?;
                category = Some(row.category);
            }
            let severity = match row.severity {
                _ if row.off.is_some() => FAINT,
                "critical" | "high" => BAD,
                "medium" => CAUTION,
                _ => FAINT,
            };
            writeln!(
                out,
                "  {:name$}  {severity}{:8}{severity:#}  {:actions$}  {:from$}  {FAINT}{}{FAINT:#}",
                visible::line(row.name),
                visible::line(row.severity),
                row.actions(),
                visible::line(&row.from()),
                visible::line(row.title)
            )?;
        }
        let of_kind = |kind: &str| self.policies.iter().filter(|row| row.kind == kind).count();
        let (mutating, rules) = (of_kind(PolicyType::Mutating.kind()), of_kind(RULE));
        let all = self.policies.len() - rules;
        write!(out, "\n{all} policies: {} validating, {mutating} mutating", all - mutating)?;
        if let Some(profile) = self.profile {
            let off = self.policies.iter().filter(|row| row.off.is_some() && row.kind != RULE).count();
            write!(out, "; {off} of them off, by profile {}", visible::line(profile))?;
        }
        if rules > 0 {
            write!(out, "; {rules} rules of the audit")?;
        }
        Ok(writeln!(out)?)
    }
}

impl<'p> Row<'p> {
    fn new(policy: &'p Policy, selection: Option<&'p Selection>) -> Self {
        let choices = selection.map_or(&[][..], |selection| selection.choices(&policy.name));
        let binding = |binding: &'p Binding| {
            let shipped = binding.source.file.starts_with(EMBEDDED_PREFIX);
            let choice = choices.iter().find(|choice| shipped && choice.binding == binding.name);
            BindingRow {
                name: &binding.name,
                actions: binding.validation_actions.iter().map(|action| action.name()).collect(),
                source: &binding.source.file,
                profile: choice.map(|choice| choice.profile.as_str()),
            }
        };
        Self {
            name: &policy.name,
            kind: policy.policy_type().kind(),
            category: annotation(policy, "category"),
            severity: annotation(policy, "severity"),
            title: annotation(policy, "title"),
            answers: annotation(policy, "answers"),
            source: &policy.source.file,
            on: !policy.bindings.is_empty(),
            off: None,
            bindings: policy.bindings.iter().map(binding).collect(),
        }
    }

    /// A policy of the bundle that is off.
    fn off(policy: &'p Policy, selection: Option<&'p Selection>) -> Self {
        let off = selection.map(|selection| off_by(&policy.name, selection)).unwrap_or_default();
        Self { on: false, off: Some(off), bindings: Vec::new(), ..Self::new(policy, None) }
    }

    /// A rule of the audit.
    fn rule(rule: &'static AuditRule, selection: &'p Selection) -> Self {
        let choice = selection.rules().find(|choice| choice.rule == rule);
        let binding = |choice: &'p RuleChoice| BindingRow {
            name: rule.name,
            actions: choice.actions.iter().map(|action| action.name()).collect(),
            source: AUDIT,
            profile: Some(&choice.profile),
        };
        Self {
            name: rule.name,
            kind: RULE,
            category: AUDIT,
            severity: rule.severity,
            title: rule.title,
            answers: "",
            source: AUDIT,
            on: choice.is_some(),
            off: choice.is_none().then(|| off_by(rule.name, selection)),
            bindings: choice.map(binding).into_iter().collect(),
        }
    }

    /// What the policy's bindings do, in few words.
    fn actions(&self) -> String {
        if self.off.is_some() {
            return "off".to_owned();
        }
        if self.bindings.is_empty() {
            return "unbound".to_owned();
        }
        if self.kind == PolicyType::Mutating.kind() {
            return "Mutate".to_owned();
        }
        let mut actions: Vec<&str> = self.bindings.iter().flat_map(|binding| &binding.actions).copied().collect();
        actions.sort_unstable();
        actions.dedup();
        actions.join(", ")
    }

    /// Who turned the policy's bindings on, or the policy off.
    fn from(&self) -> String {
        if let Some(off) = &self.off {
            return off.clone();
        }
        let mut from: Vec<&str> =
            self.bindings.iter().map(|binding| binding.profile.unwrap_or(binding.source)).collect();
        from.sort_unstable();
        from.dedup();
        from.join(", ")
    }
}

/// Who turned something off, or that nobody turned it on.
fn off_by(name: &str, selection: &Selection) -> String {
    match selection.turned_off(name) {
        Some(who) => format!("by {who}"),
        None => format!("not in profile {}", selection.profile()),
    }
}

/// The value of one of our annotations, or nothing.
pub fn annotation<'p>(policy: &'p Policy, name: &str) -> &'p str {
    let key = |key: &str| key.strip_prefix("portcullis.dev/") == Some(name);
    policy.annotations.iter().find(|(found, _)| key(found)).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{self, Embedded};

    #[test]
    fn the_list_names_each_policy_below_its_category_and_counts_them() {
        let manifests: Vec<_> = policy::embedded().iter().map(Embedded::manifest).collect();
        let loaded = policy::load(&manifests, 36);
        let list = List::new(&loaded, &[], None);
        let mut out = anstream::StripStream::new(Vec::new());
        list.render(&mut out).expect("a vector takes everything");
        let text = String::from_utf8(out.into_inner()).expect("UTF-8");
        let line = |name: &str| text.lines().position(|line| line.trim_start().starts_with(name));
        let (category, policy) = (line("images"), line("require-pinned-images"));
        assert!(category.is_some() && category < policy, "{text}");
        assert!(text.contains(&format!("\n{} policies: ", loaded.policies.len())), "{text}");
        assert!(list.policies.iter().all(|row| !row.title.is_empty() && !row.severity.is_empty()), "{text}");
    }
}
