//! `portcullis audit`: manifests in, findings out.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::bail;
use clap::ValueEnum;

use crate::audit::{self, Audit, Filter, Json, Renderer, Report, Text};
use crate::engine::{PolicySet, Verdict};
use crate::json::Arena;
use crate::manifests::{self, LeftOut, Progress};
use crate::policy;

use super::input::{Input, RenderFlags, not_read};
use super::load::DefinitionFlags;
use super::output::{self, Output};
use super::progress::{Above, Bar};
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

Input of any size is read in passes, document by document (of a list in JSON, item by item), on all processors: the first
finds what others depend on (namespaces, definitions, kustomizations), the next one, unless all rules about several objects
are off, what those look for, and the last one judges. Standard input is put into a temporary file (TMPDIR) where it is
larger than 1 MiB. One document may have 32 MiB. Of an input larger than 32 MiB
findings are written as they are found; what can't be read and the counts follow them. --render holds everything in memory.

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

    /// How many objects are judged at the same time [default: one for each processor]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,

    /// Writes the report to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    policies: PolicyFlags,

    #[command(flatten)]
    definitions: DefinitionFlags,
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

/// From this size of the input on, in bytes, findings are written as they come.
const LIVE_FROM: u64 = 32 << 20;

/// Runs the command.
///
/// # Errors
/// Bad policies, input that can't be read, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut policies = args.policies.load_with_probes(&args.definitions, args.input.explains())?;
    let filter = args.filter(&policies)?;
    let progress = Arc::new(Progress::default());
    let bar = Bar::start(&progress);
    let rules = args.policies.rules()?;
    let options = audit::Options { explain: args.input.explains(), rules, ..args.input.options() };
    let threads = args.threads();
    let renderer = args.format.renderer();
    let mut live = None;
    let mut left_out = |document: &LeftOut| bar.away(|| args.input.tell_left_out(document));
    let audit =
        |policies| Audit { policies, options: &options, filter: &filter, renderer, threads, progress: &progress };
    let mut findings = if args.render.is_on() {
        let (mut texts, unread) = args.input.read()?;
        let built = args.render.build(&mut texts, &args.input)?;
        let arena = Arena::new();
        let collection = manifests::collect_built(&arena, &texts, built.as_ref(), args.input.namespace());
        collection.manifests.iter().for_each(|manifest| policies.learn(manifest.object));
        audit(&policies).run_collection(&collection, &unread, &mut left_out)?
    } else {
        let inputs = args.input.list(&progress)?;
        let known = audit::learn(&inputs, args.input.namespace(), threads, &progress, |object| policies.learn(object));
        if inputs.bytes() > LIVE_FROM {
            live = Some(Output::open(args.output.as_deref())?);
        }
        let mut above = live.as_mut().map(|out| Above { out, bar: &bar });
        let out = above.as_mut().map(|out| out as &mut dyn Write);
        audit(&policies).run(&inputs, &known, out, &mut left_out)?
    };
    drop(bar);
    let report = &findings.report;
    args.input.count_left_out(&report.left_out);
    args.input.refuse_nothing(report.summary.objects + report.summary.unreadable, &report.left_out)?;

    let mut out = match live {
        Some(out) => out,
        None => Output::open(args.output.as_deref())?,
    };
    findings.write(renderer, &mut out)?;
    out.finish()?;
    args.outcome(&findings.report)
}

impl Args {
    fn outcome(&self, report: &Report) -> anyhow::Result<Outcome> {
        match (&report.first_unreadable, &report.first_refused) {
            _ if self.fail_on.is_reached(report) => Ok(Outcome::Findings),
            // Nobody should take silence for approval.
            (Some(unreadable), _) => Err(not_read(unreadable)),
            (None, Some(refused)) if self.fail_on != FailOn::Never => bail!("{refused}"),
            _ if self.require_judged && !report.is_judged => {
                output::complain("nothing was judged: no policy looks at any object of the input (--require-judged)");
                Ok(Outcome::Findings)
            }
            _ => Ok(Outcome::Clean),
        }
    }

    /// How many threads judge.
    fn threads(&self) -> usize {
        let available = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        self.jobs.map_or_else(available, usize::from)
    }

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
    fn renderer(self) -> &'static dyn Renderer {
        match self {
            Format::Text => &Text,
            Format::Json => &Json,
        }
    }
}
