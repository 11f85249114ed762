//! `portcullis policies`: what is in the bundle and in the given files, and what is wrong with it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::{Subcommand, ValueEnum};
use serde::Serialize;

use crate::manifests::read_manifests;
use crate::policy::model::Policy;
use crate::policy::{self, Embedded, Lint, LoadedPolicies, Manifest};
use crate::style::{BAD, CAUTION, FAINT, GOOD};
use crate::visible;

use super::load::{DefinitionFlags, KubernetesVersion, refuse};
use super::output::Output;
use super::policy_list::List;
use super::{Outcome, PolicyFlags, policy_export, policy_page};

/// Lists, shows and lints policies
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(ListArgs),
    Show(Show),
    Lint(LintArgs),
    Docs(Docs),
    Export(policy_export::Args),
}

/// Lists the policies by category: what is on, with which action, and who says so
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line has the policy, its severity, what its bindings do, who turned them on (a profile, or the file of a binding),
and its title. A policy of the bundle that is off says so; docs/profiles.md tells how to turn it on.

Examples:
  portcullis policies list                                the bundle
  portcullis policies list --profile restricted
  portcullis policies list --no-embedded --policies mine/ --format json")]
struct ListArgs {
    /// How the list is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    policies: PolicyFlags,
}

/// Shows one policy: what it matches, how it is bound, and its documentation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis policies show require-pinned-images
  portcullis policies show require-pinned-images --yaml | kubectl apply -f -")]
struct Show {
    /// The policy's metadata.name
    name: String,

    /// Prints the manifest instead
    #[arg(long)]
    yaml: bool,

    #[command(flatten)]
    policies: PolicyFlags,
}

/// Checks policies: fields, types and cost of expressions, bindings, unused variables
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Expressions are checked against the structure of the kinds that a policy names, as the API server does for
status.typeChecking: a misspelt field of object, oldObject or params is a warning. The structures of Kubernetes' own
kinds are built in. Those of custom resources come from CustomResourceDefinitions, which --crds names or which lie among
the policies; without one the policy is checked as far as possible, and a note says so. Rules with wildcards for group
or version name no kind.

Expressions are also evaluated on a pod of usual size (three containers, an init container, most fields), or on the
workloads that create it. One that costs more than a tenth of what Kubernetes allows is a warning, since larger objects
may reach the limit, where it fails: 1,000,000 for an expression, 10,000,000 for the validations of a binding together
(so for its audit annotations, and for each mutation), 2,500,000 for match conditions.

Examples:
  portcullis policies lint mine/                    files and directories
  portcullis policies lint                          the bundle
  portcullis policies lint --crds crds/ mine/       with custom resources
  kubectl get crds -o yaml | portcullis policies lint --crds /dev/stdin mine/
  portcullis policies lint --kubernetes-version 1.32 mine/

Exit codes: 0 nothing found, 1 findings, 2 input that could not be read.")]
struct LintArgs {
    /// Files and directories to check instead of the bundle
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    definitions: DefinitionFlags,

    /// How the findings are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,

    #[command(flatten)]
    policies: PolicyFlags,
}

/// Writes a page for each embedded policy, and an index
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each page is what policies show prints. Files of other names stay as they are; pages of policies that are no longer
there go.

Examples:
  portcullis policies docs docs/policies
  portcullis policies docs docs/policies --check     in CI

Exit codes: 0 written, or nothing to write; 1 --check found pages that are stale; 2 a file that could not be read or written.")]
struct Docs {
    /// The directory of the pages
    #[arg(value_name = "DIR")]
    directory: PathBuf,

    /// Writes nothing, and names the pages that would change
    #[arg(long)]
    check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: schemas portcullis.dev/policies/v1 and portcullis.dev/lint/v1
    Json,
}

/// Runs the command.
///
/// # Errors
/// Files that can't be read, a policy that isn't there, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Show(args) => show(args),
        Command::Lint(args) => lint(args),
        Command::Docs(args) => docs(args),
        Command::Export(args) => policy_export::run(args),
    }
}

fn list(args: &ListArgs) -> anyhow::Result<Outcome> {
    let manifests = args.policies.read()?;
    let loaded = manifests.load();
    refuse(&loaded.errors)?;
    let shipped = manifests.off(&loaded);
    let list = List::new(&loaded, &shipped, manifests.bundle.as_ref());
    let mut out = Output::open(None)?;
    match args.format {
        Format::Text => list.render(&mut out)?,
        Format::Json => json(&mut out, &list)?,
    }
    out.finish()?;
    Ok(Outcome::Clean)
}

fn show(args: &Show) -> anyhow::Result<Outcome> {
    let manifests = args.policies.read()?.everything();
    let LoadedPolicies { policies, errors, .. } = policy::load(&manifests, args.policies.kubernetes_version.minor);
    let named: Vec<_> = policies.iter().filter(|policy| policy.name == args.name).collect();
    if named.is_empty() {
        refuse(&errors)?;
        if policy::audit_rule(&args.name).is_some() {
            bail!(
                "{} is a rule of the audit, which is no policy; docs/policies/audit-rules.md tells about it",
                args.name
            );
        }
        bail!("there is no policy named {}; see portcullis policies list", args.name);
    }
    let mut out = Output::open(None)?;
    for policy in named {
        if args.yaml {
            let manifest = manifests.iter().find(|manifest| manifest.file == policy.source.file);
            out.write_all(manifest.map(|manifest| manifest.text.as_bytes()).unwrap_or_default())?;
        } else {
            out.write_all(visible::lines(&shown(policy)).to_string().as_bytes())?;
        }
    }
    out.finish()?;
    Ok(Outcome::Clean)
}

/// The page of a policy, from wherever it comes.
fn shown(policy: &Policy) -> String {
    let shipped = policy::embedded().into_iter().find(|entry| entry.manifest().file == policy.source.file);
    policy_page::page(policy, shipped.as_ref())
}

fn docs(args: &Docs) -> anyhow::Result<Outcome> {
    let shipped = policy::embedded();
    let manifests: Vec<_> = shipped.iter().map(Embedded::manifest).collect();
    let loaded = policy::load(&manifests, KubernetesVersion::default().minor);
    refuse(&loaded.errors)?;
    let stale = policy_page::stale(&args.directory, policy_page::pages(&loaded.policies, &shipped))?;
    if !args.check {
        for page in &stale {
            page.mend()?;
        }
        return Ok(Outcome::Clean);
    }
    let mut out = Output::open(None)?;
    for page in &stale {
        writeln!(out, "{}: {}", visible::line(&page.file.display().to_string()), page.wrong())?;
    }
    out.finish()?;
    Ok(if stale.is_empty() { Outcome::Clean } else { Outcome::Findings })
}

fn lint(args: &LintArgs) -> anyhow::Result<Outcome> {
    let mut manifests: Vec<Manifest> = Vec::new();
    for path in &args.paths {
        manifests.extend(read_manifests(path)?);
    }
    if args.paths.is_empty() {
        manifests = args.policies.read()?.everything();
    }
    let definitions = args.definitions.read()?;
    let found = policy::lint(&manifests, &definitions, args.policies.kubernetes_version.minor);
    let mut out = Output::open(None)?;
    match args.format {
        Format::Text => lint_text(&found, manifests.len(), &mut out)?,
        Format::Json => {
            let findings: Vec<_> = found.iter().map(Finding::new).collect();
            json(&mut out, &LintDocument { schema: "portcullis.dev/lint/v1", findings })?;
        }
    }
    out.finish()?;
    Ok(if found.iter().any(Lint::is_finding) { Outcome::Findings } else { Outcome::Clean })
}

fn lint_text(found: &[Lint], files: usize, out: &mut dyn Write) -> anyhow::Result<()> {
    for lint in found {
        let text = lint.to_string();
        let text = visible::lines(&text);
        match lint {
            Lint::Error(_) => writeln!(out, "{BAD}error{BAD:#}    {text}")?,
            Lint::Warning { .. } => writeln!(out, "{CAUTION}warning{CAUTION:#}  {text}")?,
            Lint::Note { .. } => writeln!(out, "{FAINT}note     {text}{FAINT:#}")?,
        }
    }
    let errors = found.iter().filter(|lint| matches!(lint, Lint::Error(_))).count();
    let warnings = found.iter().filter(|lint| matches!(lint, Lint::Warning { .. })).count();
    let style = if errors > 0 { BAD } else { GOOD };
    let (errors, warnings, files) = (count(errors, "error"), count(warnings, "warning"), count(files, "file"));
    Ok(writeln!(out, "{style}{errors}, {warnings}{style:#} in {files}")?)
}

/// A number with its noun.
fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn json(out: &mut dyn Write, document: &impl Serialize) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", visible::json(&serde_json::to_string_pretty(document)?))?)
}

#[derive(Serialize)]
struct LintDocument {
    schema: &'static str,
    findings: Vec<Finding>,
}

/// A finding of lint.
#[derive(Serialize)]
struct Finding {
    level: &'static str,
    file: String,
    document: usize,
    line: usize,
    /// Absent where the message says it, or there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    message: String,
}

impl Finding {
    fn new(lint: &Lint) -> Self {
        let at = lint.at();
        let full = |object: &str, field: &str, message: &str| format!("{object}: {field}: {}", message.trim_end());
        let (level, field, message) = match lint {
            Lint::Error(error) => ("error", "", format!("{}: {}", error.object, error.reason)),
            Lint::Warning { object, field, message, .. } => ("warning", field.as_str(), full(object, field, message)),
            Lint::Note { object, field, message, .. } => ("note", field.as_str(), full(object, field, message)),
        };
        let field = Some(field.to_owned()).filter(|field| !field.is_empty());
        Self { level, file: at.file.clone(), document: at.document, line: at.line, field, message }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINOR: u32 = 36;

    fn text(render: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> String {
        let mut out = anstream::StripStream::new(Vec::new());
        render(&mut out).expect("a vector takes everything");
        String::from_utf8(out.into_inner()).expect("UTF-8")
    }

    fn load_bundle() -> LoadedPolicies {
        let manifests: Vec<_> = policy::embedded().iter().map(Embedded::manifest).collect();
        policy::load(&manifests, MINOR)
    }

    #[test]
    fn showing_a_policy_of_the_bundle_is_its_page() {
        let loaded = load_bundle();
        let named =
            loaded.policies.iter().find(|policy| policy.name == "require-pinned-images").expect("in the bundle");
        let shown = shown(named);
        assert!(shown.starts_with("# require-pinned-images\n"), "{shown}");
        assert!(shown.contains("| judges | CREATE, UPDATE of pods, pods/ephemeralcontainers (core/v1) |\n"), "{shown}");
        assert!(shown.contains("**Protects from**") && shown.contains("## The shipped params\n"), "{shown}");
    }

    #[test]
    fn lint_marks_errors_and_warnings_and_counts_them() {
        let wrong = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: a}\n\
                     spec:\n  matchConstraints:\n    resourceRules: [{apiGroups: [''], apiVersions: [v1], resources: \
                     [pods], operations: [CREATE]}]\n  validations:\n  - expresion: 'true'\n    expression: 'true'\n";
        let found = policy::lint(&[Manifest::new("a.yaml", wrong)], &[], MINOR);
        let shown = text(|out| lint_text(&found, 1, out));
        assert!(shown.contains("error    a.yaml:8: (document 0) ValidatingAdmissionPolicy/a: spec.validations[0].expresion: unknown field; write expression\n"), "{shown}");
        assert!(
            shown.contains("warning  a.yaml:1: (document 0) ValidatingAdmissionPolicy/a: no binding names"),
            "{shown}"
        );
        assert!(shown.ends_with("1 error, 1 warning in 1 file\n"), "{shown}");
    }
}
