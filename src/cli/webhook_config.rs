//! `portcullis webhook-config`: the webhook configurations that the loaded policies need, as YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::engine::workload_resources;
use crate::policy::model::{NamedRule, Policy, Rules, Scope};
use crate::visible;

use super::load::DefinitionFlags;
use super::output::Output;
use super::{Outcome, PolicyFlags};

/// Prints the webhook configurations that the loaded policies need
///
/// The rules are those of the policies that have a binding; rules about pods also ask for the workloads that create
/// pods. kube-system and the webhook's own namespace are left out, and an unreachable webhook lets requests pass.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis webhook-config --ca-file ca.crt | kubectl apply -f -
  portcullis webhook-config --cert-manager portcullis-system/portcullis
  portcullis webhook-config --ca-file ca.crt --url https://192.0.2.7:8443")]
pub struct Args {
    #[command(flatten)]
    policies: PolicyFlags,

    /// The metadata.name of both configurations
    #[arg(long, default_value = "portcullis")]
    name: String,

    /// The CA that the serving certificate comes from (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "cert_manager")]
    ca_file: Option<PathBuf>,

    /// The cert-manager Certificate whose CA cert-manager is to inject
    #[arg(long, value_name = "NAMESPACE/NAME")]
    cert_manager: Option<String>,

    /// The Service in front of the webhook
    #[arg(long, default_value = "portcullis")]
    service_name: String,

    /// The Service's namespace, which is left out of admission
    #[arg(long, default_value = "portcullis-system")]
    service_namespace: String,

    /// The Service's port
    #[arg(long, default_value_t = 443, value_parser = clap::value_parser!(u16).range(1..))]
    service_port: u16,

    /// Calls the webhook at this address, not through a Service; /validate and /mutate are appended
    #[arg(long, value_name = "URL", conflicts_with_all = ["service_name", "service_port"])]
    url: Option<String>,

    /// What happens to requests when the webhook can't be reached
    #[arg(long, value_enum, default_value_t = FailurePolicy::Ignore)]
    failure_policy: FailurePolicy,

    /// How long the API server waits for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=30))]
    timeout: u8,

    /// A further namespace to leave out (repeatable)
    #[arg(long = "exclude-namespace", value_name = "NAME")]
    exclude_namespaces: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailurePolicy {
    Ignore,
    Fail,
}

/// Runs the command.
///
/// # Errors
/// A policy file has an error (a configuration without that policy's rules would hide it), the CA can't be read, or
/// the URL isn't HTTPS.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    if let Some(url) = &args.url
        && !url.starts_with("https://")
    {
        bail!("--url {url}: the API server only calls webhooks over https://");
    }
    let ca = match &args.ca_file {
        None => None,
        Some(file) => {
            let pem = std::fs::read(file).with_context(|| format!("{}: can't read the CA", file.display()))?;
            if !pem.trim_ascii_start().starts_with(b"-----BEGIN CERTIFICATE-----") {
                bail!("{}: not a PEM certificate", file.display());
            }
            Some(STANDARD.encode(pem))
        }
    };
    let policies = args.policies.load(&DefinitionFlags::default())?;
    let mut documents = Vec::new();
    for webhook in [Webhook::VALIDATING, Webhook::MUTATING] {
        let rules = needed_rules(policies.policies(), &webhook);
        if !rules.is_empty() {
            documents.push(document(args, &webhook, ca.as_deref(), &rules));
        }
    }
    if documents.is_empty() {
        bail!("no loaded policy has a binding, so there is nothing to call a webhook for");
    }
    let mut out = Output::open(None)?;
    out.write_all(documents.join("---\n").as_bytes())?;
    out.finish()?;
    Ok(Outcome::Clean)
}

/// What differs between the two configurations.
struct Webhook {
    kind: &'static str,
    name: &'static str,
    path: &'static str,
    mutates: bool,
}

impl Webhook {
    const VALIDATING: Webhook = Webhook {
        kind: "ValidatingWebhookConfiguration",
        name: "validate.portcullis.dev",
        path: "/validate",
        mutates: false,
    };
    const MUTATING: Webhook =
        Webhook { kind: "MutatingWebhookConfiguration", name: "mutate.portcullis.dev", path: "/mutate", mutates: true };
}

/// A rule of a webhook configuration (`RuleWithOperations`).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    group: String,
    version: String,
    resources: Vec<String>,
    operations: Vec<String>,
    scope: &'static str,
}

/// The fewest rules that ask for everything that the policies of `webhook`'s type match.
fn needed_rules(policies: &[Policy], webhook: &Webhook) -> Vec<Rule> {
    type Resource = (String, String, String, &'static str);
    let mut operations: BTreeMap<Resource, BTreeSet<String>> = BTreeMap::new();
    let mut ask = |group: &str, version: &str, resource: &str, scope, asked: &[String]| {
        let resource = (group.to_owned(), version.to_owned(), resource.to_owned(), scope);
        operations.entry(resource).or_default().extend(asked.iter().cloned());
    };
    let used = policies.iter().filter(|policy| {
        matches!(policy.rules, Rules::Mutate { .. }) == webhook.mutates && !policy.bindings.is_empty()
    });
    for rule in used.flat_map(|policy| &policy.match_constraints.resource_rules) {
        for group in &rule.api_groups {
            for version in &rule.api_versions {
                for resource in &rule.resources {
                    ask(group, version, resource, scope(rule.scope), &rule.operations);
                }
            }
        }
        // Mutating policies act on pods alone, so that what Git declares stays as declared.
        let workload_operations = workload_operations(rule);
        if !webhook.mutates && !workload_operations.is_empty() {
            for (group, resource) in workload_resources() {
                ask(group, "v1", resource, "Namespaced", &workload_operations);
            }
        }
    }
    for asked in operations.values_mut() {
        if asked.contains("*") {
            *asked = BTreeSet::from(["*".to_owned()]);
        }
    }
    merge(operations)
}

/// Puts resources that differ in nothing else into one rule.
fn merge(operations: BTreeMap<(String, String, String, &'static str), BTreeSet<String>>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for ((group, version, resource, scope), operations) in operations {
        let operations: Vec<String> = operations.into_iter().collect();
        let same = rules.iter_mut().find(|rule| {
            (&rule.group, &rule.version, rule.scope, &rule.operations) == (&group, &version, scope, &operations)
        });
        match same {
            Some(rule) => rule.resources.push(resource),
            None => rules.push(Rule { group, version, resources: vec![resource], operations, scope }),
        }
    }
    rules
}

/// The operations on workloads that a rule about pods implies; none if the rule isn't about pods.
fn workload_operations(rule: &NamedRule) -> Vec<String> {
    let has = |list: &[String], wanted: &str| list.iter().any(|item| item == wanted || item == "*");
    if !has(&rule.api_groups, "") || !has(&rule.api_versions, "v1") || !has(&rule.resources, "pods") {
        return Vec::new();
    }
    // A workload that is created or changed creates pods.
    if has(&rule.operations, "CREATE") { vec!["CREATE".to_owned(), "UPDATE".to_owned()] } else { Vec::new() }
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::All => "*",
        Scope::Cluster => "Cluster",
        Scope::Namespaced => "Namespaced",
    }
}

fn document(args: &Args, webhook: &Webhook, ca: Option<&str>, rules: &[Rule]) -> String {
    let mut text = String::new();
    let mut line = |indent: usize, content: std::fmt::Arguments<'_>| {
        // Writing to a string doesn't fail.
        let _ = writeln!(text, "{:indent$}{content}", "");
    };
    line(0, format_args!("apiVersion: admissionregistration.k8s.io/v1"));
    line(0, format_args!("kind: {}", webhook.kind));
    line(0, format_args!("metadata:"));
    line(2, format_args!("name: {}", quoted(&args.name)));
    line(2, format_args!("labels:"));
    line(4, format_args!("app.kubernetes.io/name: portcullis"));
    if let Some(certificate) = &args.cert_manager {
        line(2, format_args!("annotations:"));
        line(4, format_args!("cert-manager.io/inject-ca-from: {}", quoted(certificate)));
    }
    line(0, format_args!("webhooks:"));
    line(0, format_args!("- name: {}", webhook.name));
    line(2, format_args!("admissionReviewVersions: [v1]"));
    line(2, format_args!("clientConfig:"));
    match &args.url {
        Some(url) => {
            line(4, format_args!("url: {}", quoted(&format!("{}{}", url.trim_end_matches('/'), webhook.path))))
        }
        None => {
            line(4, format_args!("service:"));
            line(6, format_args!("name: {}", quoted(&args.service_name)));
            line(6, format_args!("namespace: {}", quoted(&args.service_namespace)));
            line(6, format_args!("port: {}", args.service_port));
            line(6, format_args!("path: {}", webhook.path));
        }
    }
    if let Some(ca) = ca {
        line(4, format_args!("caBundle: {ca}"));
    }
    let failure_policy = match args.failure_policy {
        FailurePolicy::Ignore => "Ignore",
        FailurePolicy::Fail => "Fail",
    };
    line(2, format_args!("failurePolicy: {failure_policy}"));
    line(2, format_args!("matchPolicy: Equivalent"));
    if webhook.mutates {
        line(2, format_args!("reinvocationPolicy: IfNeeded"));
    }
    line(2, format_args!("sideEffects: None"));
    line(2, format_args!("timeoutSeconds: {}", args.timeout));
    let mut excluded = BTreeSet::from(["kube-system", args.service_namespace.as_str()]);
    excluded.extend(args.exclude_namespaces.iter().map(String::as_str));
    line(2, format_args!("namespaceSelector:"));
    line(4, format_args!("matchExpressions:"));
    line(4, format_args!("- key: kubernetes.io/metadata.name"));
    line(6, format_args!("operator: NotIn"));
    line(6, format_args!("values: {}", list(excluded)));
    line(2, format_args!("rules:"));
    for rule in rules {
        line(2, format_args!("- apiGroups: {}", list([rule.group.as_str()])));
        line(4, format_args!("apiVersions: {}", list([rule.version.as_str()])));
        line(4, format_args!("resources: {}", list(rule.resources.iter().map(String::as_str))));
        line(4, format_args!("operations: {}", list(rule.operations.iter().map(String::as_str))));
        line(4, format_args!("scope: {}", quoted(rule.scope)));
    }
    text
}

/// A text as YAML, in the quotes and with the escapes of JSON, which YAML shares.
fn quoted(text: &str) -> String {
    visible::json(&serde_json::Value::from(text).to_string()).into_owned()
}

fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = items.into_iter().map(quoted).collect();
    format!("[{}]", items.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(items: &[&str]) -> Vec<String> {
        items.iter().map(|item| (*item).to_owned()).collect()
    }

    fn rule(group: &str, resources: &[&str], operations: &[&str]) -> NamedRule {
        NamedRule {
            api_groups: strings(&[group]),
            api_versions: strings(&["v1"]),
            resources: strings(resources),
            operations: strings(operations),
            ..NamedRule::default()
        }
    }

    #[test]
    fn a_rule_about_new_pods_implies_the_workloads_that_create_them() {
        assert_eq!(workload_operations(&rule("", &["pods"], &["CREATE"])), ["CREATE", "UPDATE"]);
        assert_eq!(workload_operations(&rule("*", &["*"], &["*"])), ["CREATE", "UPDATE"]);
    }

    #[test]
    fn other_rules_imply_no_workloads() {
        for other in [
            rule("", &["pods/exec"], &["CONNECT"]),
            rule("", &["pods"], &["DELETE"]),
            rule("", &["services"], &["CREATE"]),
            rule("apps", &["pods"], &["CREATE"]),
        ] {
            assert!(workload_operations(&other).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn resources_that_differ_in_nothing_else_share_a_rule() {
        let key = |group: &str, resource: &str| (group.to_owned(), "v1".to_owned(), resource.to_owned(), "*");
        let ops = |ops: &[&str]| ops.iter().map(|op| (*op).to_owned()).collect::<BTreeSet<_>>();
        let rules = merge(BTreeMap::from([
            (key("", "pods"), ops(&["CREATE"])),
            (key("", "services"), ops(&["CREATE"])),
            (key("", "secrets"), ops(&["UPDATE"])),
            (key("apps", "deployments"), ops(&["CREATE"])),
        ]));
        let shape: Vec<_> = rules.iter().map(|rule| (rule.group.as_str(), rule.resources.clone())).collect();
        assert_eq!(
            shape,
            [("", strings(&["pods", "services"])), ("", strings(&["secrets"])), ("apps", strings(&["deployments"]))]
        );
    }
}
