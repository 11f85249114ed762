//! The rules that the audit has beside policies: about several objects at once, which admission never sees together.
//!
//! What they look at is the audit's own; here are their names, so that profiles and `--disable` choose among them as among
//! policies.

/// A rule of the audit.
#[derive(Debug, PartialEq, Eq)]
pub struct AuditRule {
    /// What profiles, exemptions and reports call it; no policy of the bundle has such a name.
    pub name: &'static str,
    /// As policies have one.
    pub severity: &'static str,
    /// What it finds, in a line.
    pub title: &'static str,
}

/// The rules, sorted by name.
pub static AUDIT_RULES: [AuditRule; 6] = [
    AuditRule { name: "claim-exists", severity: "medium", title: "A pod mounts a claim that nobody makes" },
    AuditRule { name: "config-map-exists", severity: "medium", title: "A pod reads a ConfigMap that nobody makes" },
    AuditRule {
        name: "namespace-default-deny",
        severity: "medium",
        title: "Every pod of the cluster reaches those of the namespace",
    },
    AuditRule {
        name: "secret-exists",
        severity: "medium",
        title: "A pod or an Ingress reads a Secret that nobody makes",
    },
    AuditRule {
        name: "service-account-exists",
        severity: "medium",
        title: "A pod or a binding names a service account that nobody makes",
    },
    AuditRule { name: "service-monitored", severity: "low", title: "No monitor selects a Service that has metrics" },
];

/// The rule called `name`.
pub fn audit_rule(name: &str) -> Option<&'static AuditRule> {
    AUDIT_RULES.iter().find(|rule| rule.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::embedded;

    #[test]
    fn no_policy_is_called_like_a_rule_and_rules_are_sorted() {
        assert!(embedded().iter().all(|entry| audit_rule(entry.name).is_none()));
        assert!(AUDIT_RULES.is_sorted_by_key(|rule| rule.name));
    }
}
