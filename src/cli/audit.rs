//! `portcullis audit`: manifests in, findings out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{ArgAction, ValueEnum};

use crate::audit::{self, Filter, Finding, Report};
use crate::engine::{PolicySet, Verdict};
use crate::json::Arena;
use crate::manifests::render::{self, Built};
use crate::manifests::{self, Checkout, Collection, Exclusions, Reason, TextFile, Unreadable};
use crate::policy::{self, model::Source};

use super::load::DefinitionFlags;
use super::output::{self, Output};
use super::{Outcome, PolicyFlags};

/// Judges manifests: files, directories, or the output of kustomize or helm
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every object is judged as if it were being created in a cluster where the policies enforce. A workload is judged by the
pods that it will create, after the mutations that those pods will receive. Before that, objects of built-in kinds get
the defaults that the API server (1.36) sets, such as imagePullPolicy; a finding about one of those points at the line of
what is around it. What a cluster's own admission plugins add (a service account, tolerations…) is not added.

Apply configurations of mutating policies merge into custom resources by the schemas of the CustomResourceDefinitions that
--crds names or that are among the input; without one, field by field, and lists are refused.

Examples:
  portcullis audit .                                     a whole checkout
  kubectl kustomize overlays/prod | portcullis audit -   what is built of it
  helm template media ./chart | portcullis audit -
  portcullis audit --render .                               every kustomization and chart as it is built
  portcullis audit --fail-on warn --format json -o report.json manifests/
  portcullis audit --no-embedded --policies policies/ pod.yaml
  portcullis audit --exclude tests/ --severity critical,high .

In directories, *.yaml, *.yml and *.json are read, hidden ones and node_modules left out, and what a .portcullisignore in
them or above them names, in the syntax of .gitignore. A file that is named itself is always read. On standard input,
documents are called as Helm's comment \"# Source: …\" above them says; lines are those of the whole input.

Objects get the namespace of the outermost kustomizations that take their file, as kustomize sets it; without one, what is
written or else --namespace. What else a kustomization does, the report names; --render has it done: the kustomizations
that no other one refers to and the charts (with their own values) are built and judged, and findings point at the files
that the objects came from. Renderers are never downloaded; they run without plugins and cluster, may fetch nothing, and
what they can't build is an error.

Kustomizations, values and chart templates are recognised and left out; -v counts them by reason, -vv names each. What
can't be read is an error and stands first. Charts, HelmReleases, Argo CD's Applications and ApplicationSets and Flux's
Kustomizations are named with the command that renders them; below the path of a Flux Kustomization its targetNamespace
holds.
An object that no API server would take, because a field has a wrong type or a workload no containers, is an error of one
line in place of a verdict.

Beside policies, rules look at several objects at once: references to ConfigMaps, Secrets, claims and service accounts that
nobody makes, namespaces whose pods everybody reaches, services with metrics that no monitor selects. They only record,
unless a profile says otherwise, and --disable NAME turns one off (docs/policies/audit-rules.md). Objects without a namespace
below the path of an Argo CD Application or ApplicationSet get its destination's.

--policy, --severity and --verdict choose the findings that are shown and that count for --fail-on; the last line says how
many they leave out. What can't be read is shown whatever they say.

JSON: beside summary and findings, \"policies\" has the counts of each policy, \"notJudged\" the kinds that no policy looks
at, \"notRendered\" what has to be rendered first (name, source, command), and \"leftOut\" the documents left out (source,
reason, message). \"exemptions\" has each exemption (name, source, reason, expires, findings, passes) with its state: used,
expired, unneeded where what it selects passes, or unmatched where nothing that it selects was judged. An exempt finding
has \"exemption\", whose \"wouldBe\" is the verdict without it.

A file for --exemptions (docs/exemptions.md); policies and what match gives are names or globs. With containers or images,
only what concerns such a container or image is exempt, and the rest of its pod is not:
  apiVersion: portcullis.dev/v1alpha1
  kind: Exemption
  metadata: {name: old-backup-job}
  spec:
    policies: [pss-baseline-*]
    match: {namespaces: [backup], kinds: [CronJob], names: [nightly-*], labels: {app: dump}, containers: [dump]}
    reason: rewritten in the next release
    expires: 2027-03-31

Exit codes: 0 no finding as strong as --fail-on, 1 findings, or nothing judged with --require-judged, 2 bad usage, an input
without a document, or no findings but input that can't be read or judged.")]
pub struct Args {
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    render: RenderFlags,

    /// The weakest verdict that makes the command fail
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Deny)]
    fail_on: FailOn,

    /// Fails if no policy looks at any object
    #[arg(long)]
    require_judged: bool,

    /// Takes the findings of this policy only (repeatable)
    #[arg(long = "policy", value_name = "NAME")]
    policy_names: Vec<String>,

    /// Takes findings of this severity only (repeatable, or separated by commas)
    #[arg(long = "severity", value_enum, value_name = "SEVERITY", value_delimiter = ',')]
    severities: Vec<Severity>,

    /// Takes findings of this verdict only (repeatable, or separated by commas)
    #[arg(long = "verdict", value_enum, value_name = "VERDICT", value_delimiter = ',')]
    verdicts: Vec<FoundVerdict>,

    /// How the report is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,

    /// Writes the report to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    policies: PolicyFlags,

    #[command(flatten)]
    definitions: DefinitionFlags,
}

/// What is built before it is judged; shared with `mutate`.
#[derive(Clone, Debug, clap::Args)]
pub struct RenderFlags {
    /// Builds kustomizations and charts with the kustomize (or kubectl) and helm on PATH, and takes what comes out
    #[arg(long)]
    render: bool,

    /// How long each of them may take to build
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    render_timeout: u64,
}

/// What is judged, and as whom; shared with `mutate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Input {
    /// Files and directories; - is standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// The namespace of namespaced objects that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,

    /// Who creates the objects: request.userInfo.username
    #[arg(long = "as", value_name = "USER", default_value = "portcullis:audit")]
    user: String,

    /// A group of that user, besides system:authenticated (repeatable)
    #[arg(long = "as-group", value_name = "GROUP")]
    groups: Vec<String>,

    /// Takes objects as they are written, without the defaults that the API server sets
    #[arg(long)]
    no_defaulting: bool,

    /// Passes over files and directories below each PATH, by a pattern as in .gitignore (repeatable)
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,

    /// Counts what is left out by reason; twice (-vv): names each document
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Severity {
    Critical,
    High,
    Medium,
    Low,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FoundVerdict {
    Deny,
    Warn,
    Audit,
    /// The policy could not be evaluated
    Error,
    /// An exemption covers it
    Exempt,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A policy denies
    Deny,
    /// A policy warns, or could not be evaluated
    Warn,
    /// A policy records a violation
    Audit,
    /// No finding fails the command
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: grouped by object, with a summary
    Text,
    /// For programs: schema portcullis.dev/audit/v1
    Json,
}

/// Runs the command.
///
/// # Errors
/// Bad policies, input that can't be read, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut policies = args.policies.load(&args.definitions)?;
    let filter = args.filter(&policies)?;
    let (mut texts, unreadable) = args.input.read()?;
    let built = args.render.build(&mut texts, &args.input)?;
    let arena = Arena::new();
    let collection = args.input.collect(&arena, &texts, built.as_ref(), &unreadable)?;
    collection.manifests.iter().for_each(|manifest| policies.learn(manifest.object));
    let options = audit::Options { rules: args.policies.rules()?, ..args.input.options() };
    let mut report = audit::run(&collection, &policies, &options);
    report.unreadable.extend(unreadable);
    report.keep(&filter);

    let mut out = Output::open(args.output.as_deref())?;
    args.format.render(&report, &mut out)?;
    out.finish()?;

    match report.unreadable.as_slice() {
        _ if args.fail_on.is_reached(&report) => Ok(Outcome::Findings),
        // Nobody should take silence for approval.
        [unreadable, ..] => Err(not_read(unreadable)),
        [] => match report.first_refused() {
            Some((judged, Finding { line, message, .. })) if args.fail_on != FailOn::Never => {
                bail!("{}:{line}: {} could not be judged: {message}", judged.source.file, judged.object)
            }
            _ if args.require_judged && !report.is_judged() => {
                output::complain("nothing was judged: no policy looks at any object of the input (--require-judged)");
                Ok(Outcome::Findings)
            }
            _ => Ok(Outcome::Clean),
        },
    }
}

impl Args {
    /// What the flags let pass.
    fn filter(&self, policies: &PolicySet) -> anyhow::Result<Filter> {
        for name in &self.policy_names {
            // A misspelt name would hide every finding.
            let is_rule = !self.policies.no_embedded && policy::audit_rule(name).is_some();
            if !is_rule && !policies.policies().iter().any(|policy| policy.name == *name) {
                let problem = match policy::shipped_policy(name) {
                    Ok(_) if !self.policies.no_embedded => "the policy is off; choose a profile that turns it on",
                    _ => "there is no such policy",
                };
                bail!("--policy {name}: {problem}; portcullis policies list shows them");
            }
        }
        let severity = |severity: &Severity| match severity {
            Severity::Critical => "critical".to_owned(),
            Severity::High => "high".to_owned(),
            Severity::Medium => "medium".to_owned(),
            Severity::Low => "low".to_owned(),
        };
        let verdict = |verdict: &FoundVerdict| match verdict {
            FoundVerdict::Deny => Verdict::Deny,
            FoundVerdict::Warn => Verdict::Warn,
            FoundVerdict::Audit => Verdict::Audit,
            FoundVerdict::Error => Verdict::Error,
            FoundVerdict::Exempt => Verdict::Exempt,
        };
        Ok(Filter {
            policies: self.policy_names.clone(),
            severities: self.severities.iter().map(severity).collect(),
            verdicts: self.verdicts.iter().map(verdict).collect(),
        })
    }
}

/// The failure of a command that could not read all of its input.
pub fn not_read(Unreadable { source, message }: &Unreadable) -> anyhow::Error {
    anyhow!("{}:{}: {message}", source.file, source.line)
}

impl Input {
    /// Reads the paths, and says what in them can't be read; with `-v`, which links lead nowhere.
    ///
    /// # Errors
    /// A path that doesn't exist, a pattern that isn't one.
    pub fn read(&self) -> anyhow::Result<(Vec<TextFile>, Vec<Unreadable>)> {
        for path in &self.paths {
            if path != Path::new("-") && !path.exists() {
                bail!("{}: no such file or directory", path.display());
            }
        }
        let exclusions = Exclusions::new(&self.exclude).map_err(|error| anyhow!("--exclude: {error}"))?;
        let Checkout { files, errors, links } =
            manifests::read_checkout(&self.paths, &exclusions, &mut io::stdin().lock());
        for link in links.iter().filter(|_| self.verbose > 0) {
            output::note(&format!("{link}: not followed"));
        }
        let unreadable = errors.into_iter().map(|error| Unreadable {
            source: Source { file: error.name, document: 0, line: 1 },
            message: error.problem,
        });
        Ok((files, unreadable.collect()))
    }

    /// Finds the manifests in the texts and in what was built of them; with `-v`, counts which documents are none, with `-vv` names them.
    ///
    /// # Errors
    /// There is no document, and nothing that can't be read either: a failed `kubectl kustomize` at the other end of a
    /// pipe would otherwise look like a clean bill.
    pub fn collect<'a>(
        &self,
        arena: &'a Arena,
        texts: &'a [TextFile],
        built: Option<&'a Built>,
        unreadable: &[Unreadable],
    ) -> anyhow::Result<Collection<'a>> {
        let collection = manifests::collect_built(arena, texts, built, &self.namespace);
        let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
        for document in collection.left_out.iter().filter(|document| document.reason != Reason::Empty) {
            *reasons.entry(document.reason).or_default() += 1;
            if self.verbose > 1 {
                output::note(&format!("{} left out: {}", document.source, document.reason));
            }
        }
        for (reason, count) in reasons.iter().filter(|_| self.verbose > 0) {
            output::note(&format!("{count} left out: {reason}"));
        }
        let is_empty = collection.manifests.is_empty() && reasons.is_empty();
        if is_empty && collection.unreadable.is_empty() && unreadable.is_empty() {
            bail!("nothing to judge: the input holds no document");
        }
        Ok(collection)
    }

    /// Who asks.
    pub fn options(&self) -> audit::Options {
        let mut options =
            audit::Options { user: self.user.clone(), defaulting: !self.no_defaulting, ..audit::Options::default() };
        options.groups.extend(self.groups.iter().cloned());
        options
    }
}

impl RenderFlags {
    /// Builds the kustomizations and charts among the texts, if that is asked for.
    ///
    /// # Errors
    /// There is no place for temporary files; what goes wrong with one build is told with its manifests.
    pub fn build(&self, texts: &mut Vec<TextFile>, input: &Input) -> anyhow::Result<Option<Built>> {
        if !self.render {
            return Ok(None);
        }
        let options = render::Options {
            time: Duration::from_secs(self.render_timeout),
            namespace: input.namespace.clone(),
            path: std::env::var_os("PATH").unwrap_or_default(),
            output: render::MAX_OUTPUT,
        };
        render::build(texts, &options).map(Some).context("--render needs a directory for temporary files (TMPDIR)")
    }
}

impl FailOn {
    fn is_reached(self, report: &Report) -> bool {
        match self {
            FailOn::Deny => report.reaches(Verdict::Deny),
            FailOn::Warn => report.reaches(Verdict::Warn),
            FailOn::Audit => report.reaches(Verdict::Audit),
            FailOn::Never => false,
        }
    }
}

impl Format {
    fn render(self, report: &Report, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Text => audit::text::render(report, out),
            Format::Json => audit::json::render(report, out),
        }
    }
}
