//! `portcullis audit`: manifests in, findings out.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::audit::{self, Finding, Report};
use crate::engine::Verdict;
use crate::json::Arena;
use crate::manifests::{self, Collection, Reason, TextFile, Unreadable};
use crate::policy::model::Source;

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
  portcullis audit .                                        every manifest of a checkout
  kubectl kustomize overlays/prod | portcullis audit -      what kustomize makes of it
  helm template media ./chart | portcullis audit -
  portcullis audit --fail-on warn --format json -o report.json manifests/
  portcullis audit --no-embedded --policies policies/ pod.yaml

In directories, *.yaml, *.yml and *.json are read, hidden ones left out. Kustomizations, values and chart templates are
recognised and left out; -v says which and why. An object without a namespace gets that of the kustomization that
lists its file, or --namespace. An object that no API server would take, because a field has a wrong type or a workload
no containers, is an error of one line in place of a verdict.

A file for --exemptions (docs/exemptions.md); policies and every list of match take names or globs:
  apiVersion: portcullis.dev/v1alpha1
  kind: Exemption
  metadata: {name: old-backup-job}
  spec:
    policies: [pss-baseline-*]
    match: {namespaces: [backup], kinds: [CronJob], names: [nightly-*]}
    reason: rewritten in the next release
    expires: 2027-03-31

Exit codes: 0 no finding as strong as --fail-on, 1 findings, 2 bad usage, or no findings but input that can't be read or
judged.")]
pub struct Args {
    #[command(flatten)]
    input: Input,

    /// The weakest verdict that makes the command fail
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = FailOn::Deny)]
    fail_on: FailOn,

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

    /// Says which documents are left out, and why
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A policy denies
    Deny,
    /// A policy warns, or could not be evaluated
    Warn,
    /// A policy records a violation
    Audit,
    /// The exit code is 0 whatever is found
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
    let (texts, unreadable) = args.input.read()?;
    let arena = Arena::new();
    let collection = args.input.collect(&arena, &texts);
    collection.manifests.iter().for_each(|manifest| policies.learn(manifest.object));
    let mut report = audit::run(&collection, &policies, &args.input.options());
    report.unreadable.extend(unreadable);
    let is_empty = report.left_out.iter().all(|document| document.reason == Reason::Empty);
    if report.objects.is_empty() && report.unreadable.is_empty() && is_empty {
        // A failed `kubectl kustomize` at the other end of a pipe would otherwise look like a clean bill.
        anyhow::bail!("nothing to judge: the input holds no document");
    }

    let mut out = Output::open(args.output.as_deref())?;
    args.format.render(&report, &mut out)?;
    out.finish()?;

    match report.unreadable.as_slice() {
        _ if args.fail_on.is_reached(&report) => Ok(Outcome::Findings),
        // Nobody should take silence for approval.
        [unreadable, ..] => Err(not_read(unreadable)),
        [] => match report.first_refused() {
            Some((judged, Finding { line, message, .. })) if args.fail_on != FailOn::Never => {
                anyhow::bail!("{}:{line}: {} could not be judged: {message}", judged.source.file, judged.object)
            }
            _ => Ok(Outcome::Clean),
        },
    }
}

/// The failure of a command that could not read all of its input.
pub fn not_read(Unreadable { source, message }: &Unreadable) -> anyhow::Error {
    anyhow::anyhow!("{}:{}: {message}", source.file, source.line)
}

impl Input {
    /// Reads the paths, and says what in them can't be read.
    ///
    /// # Errors
    /// A path that doesn't exist.
    pub fn read(&self) -> anyhow::Result<(Vec<TextFile>, Vec<Unreadable>)> {
        for path in &self.paths {
            if path != Path::new("-") && !path.exists() {
                anyhow::bail!("{}: no such file or directory", path.display());
            }
        }
        let (texts, errors) = manifests::read(&self.paths, &mut io::stdin().lock());
        let unreadable = errors.into_iter().map(|error| Unreadable {
            source: Source { file: error.name, document: 0, line: 1 },
            message: error.problem,
        });
        Ok((texts, unreadable.collect()))
    }

    /// Finds the manifests in the texts; with `-v`, says which documents are none.
    pub fn collect<'a>(&self, arena: &'a Arena, texts: &'a [TextFile]) -> Collection<'a> {
        let collection = manifests::collect(arena, texts, &self.namespace);
        if self.verbose {
            for document in collection.left_out.iter().filter(|document| document.reason != Reason::Empty) {
                output::note(&format!("{} left out: {}", document.source, document.reason));
            }
        }
        collection
    }

    /// Who asks.
    pub fn options(&self) -> audit::Options {
        let mut options =
            audit::Options { user: self.user.clone(), defaulting: !self.no_defaulting, ..audit::Options::default() };
        options.groups.extend(self.groups.iter().cloned());
        options
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
