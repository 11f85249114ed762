//! `portcullis test`: policy test suites in, what passed and what they covered out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::ValueEnum;
use regex::Regex;

use crate::harness::mutants::Report;
use crate::harness::{self, Coverage, Files, PolicyCoverage, Suite, SuiteResult};
use crate::manifests::{find_suites, read_manifest};
use crate::policy::{self, EMBEDDED_PREFIX, Embedded, LoadError, Manifest, Shipped};

use super::Outcome;
use super::load::{DefinitionFlags, KubernetesVersion, refuse};
use super::mutants::MutantFlags;
use super::output::{self, Output};
use super::profile::ProfileFlags;

/// Runs policy test suites
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A suite is a tests.yaml beside a policy.yaml:

  apiVersion: portcullis.dev/v1alpha1
  kind: PolicyTest
  metadata: {name: require-pinned-images}
  spec:
    policies: [policy.yaml]                  # relative to this file
    defaults: {namespace: media, operation: CREATE}
    cases:
    - name: rejects latest
      object: {…}                            # or objectFile: path#kind/name
      expect: {verdict: deny, message: latest, field: 'spec.containers[0].image'}
    - name: fills in what is absent
      object: {…}
      expect: {patched: {…}}   # the whole object afterwards, or patchedFile

Cases that differ in a few fields begin with one object, and say what is different:

    defaults:
      object: {…}                            # or objectFile
    cases:
    - name: rejects privilege
      set: {'spec.containers[0].securityContext.privileged': true}
      expect: {verdict: deny}
    - name: accepts a new label
      operation: UPDATE
      oldSet: {'metadata.labels[\"a.b/c\"]': before}
      set: {'metadata.labels[\"a.b/c\"]': after, spec.priority: null}
      expect: {verdict: skip}

set changes the case's object, or where it gives none a copy of that object, one field after the other, up to 16 of
them; oldSet does so with the old object, which UPDATE and DELETE have. Objects and lists on the way are made, an index
that equals the length appends, and null removes.

A case may also have operation, oldObject, userInfo, namespaceObject, namespace, params, dryRun, subresource and defaulting.
Verdicts: allow, deny, warn, audit, exempt (every finding is), skip (no policy matched), error (a policy could
not be evaluated; failurePolicy: Fail or Ignore beside it says what becomes of that).

spec.exemptions names files of exemptions, relative to the suite. They expire by the clock, or by the time that now says,
in a case or in defaults: now: 2027-03-31T12:00:00Z.

Objects of built-in kinds get the API server's defaults before they are judged, and patched gets them before it is
compared: neither has to write them out. defaulting: false, in a case or in defaults, takes objects as they are written.

Without a path the suites of all embedded policies run, on or off; --profile takes those of the policies that it turns
on, --disable leaves one out. A suite tests a policy as it ships, with its own actions.

What `authorizer` answers is given in a case, or for all of them in defaults. The first rule decides whose fields all
equal what is asked; user, verb, path, group, resource, subresource, namespace and name may be left out. Without a match
nothing is allowed; without rules, asking is an error.

      authorizer:
      - {user: ann, verb: create, resource: pods, decision: allow, reason: may}

Expressions that name fields which the matched kinds don't have are warnings, as portcullis policies lint finds them;
they fail no test. Custom resources are known by the CustomResourceDefinitions that --crds names or that lie in the
files of the suite's policies.

--mutants changes the policies, one small thing at a time, and says which changes no case notices: a comparison turned
round, a condition dropped, a constant changed, an operation removed from matchConstraints, failurePolicy flipped. A
change that nobody has to notice is accepted by its name, in the suite:

    acceptedMutants:
    - {name: no-latest/variables.images/constant/2, reason: why no case can notice it}

Examples:
  portcullis test                            the suites of the embedded policies
  portcullis test policies/                  every tests.yaml below a directory
  portcullis test --run 'pinned.*latest' --coverage policies/
  portcullis test --mutants --min-killed 100 policies/
  portcullis test --min-coverage 90 --format junit -o report.xml policies/
  portcullis test --coverage-format lcov --coverage-output coverage.info policies/

Coverage counts what policies decide by: each match condition and validation has to have been true once and false once,
and so has each side of &&, || and ?: in them and each predicate of a macro; what macros and patches make has to have
been made, and each operation of matchConstraints asked about. What is constant by its form is not counted.

Exit codes: 0 all passed, 1 a case failed, coverage is too low or too few mutants were noticed, 2 bad usage, or a suite or policy with mistakes.")]
pub struct Args {
    /// Suites, or directories to search for tests.yaml; the embedded suites where absent
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Runs the cases whose suite/case name matches
    #[arg(long, value_name = "REGEX")]
    run: Option<Regex>,

    /// Says which expressions and branches no case has exercised
    #[arg(long)]
    coverage: bool,

    /// Fails below this coverage, in percent; implies --coverage
    #[arg(long, value_name = "N", value_parser = parse_percent)]
    min_coverage: Option<f64>,

    #[command(flatten)]
    mutants: MutantFlags,

    /// Writes the coverage of branches, by file and line, to a file, too; implies --coverage
    #[arg(long, value_name = "FILE", requires = "coverage_format")]
    coverage_output: Option<PathBuf>,

    /// How that file is written
    #[arg(long, value_enum, value_name = "FORMAT", requires = "coverage_output")]
    coverage_format: Option<CoverageFormat>,

    /// Says of every case what decided its findings; of those that fail it is said without it
    #[arg(long)]
    explain: bool,

    /// How the results are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    format: Format,

    /// Writes the results to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Adds the suites in a directory or file, as PATH does (repeatable)
    #[arg(long = "policies", value_name = "DIR")]
    policies: Vec<PathBuf>,

    /// Leaves the embedded suites out
    #[arg(long)]
    no_embedded: bool,

    #[command(flatten)]
    profile: ProfileFlags,

    /// Takes objects as they are written, as defaulting: false in every case does
    #[arg(long)]
    no_defaulting: bool,

    #[command(flatten)]
    definitions: DefinitionFlags,

    /// The Kubernetes version whose CEL libraries and rules apply
    #[arg(long, value_name = "1.N", default_value_t)]
    kubernetes_version: KubernetesVersion,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: failures, then the counts on the last line
    Text,
    /// For programs: schema portcullis.dev/test/v1
    Json,
    /// For CI systems
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CoverageFormat {
    /// LCOV's trace file
    Lcov,
    /// Cobertura's XML
    Cobertura,
}

/// Runs the command.
///
/// # Errors
/// Suites or policies with mistakes, paths that can't be read, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut suites = args.suites()?;
    if args.no_defaulting {
        suites.iter_mut().flat_map(|suite| &mut suite.cases).for_each(|case| case.request.defaulting = false);
    }
    let definitions = args.definitions.read()?;
    let mut coverage = Coverage::default();
    let mut results = Vec::new();
    let mut mistakes: Vec<LoadError> = Vec::new();
    let wanted = args.coverage || args.min_coverage.is_some() || args.coverage_output.is_some();
    let options = harness::Options {
        minor: args.kubernetes_version.minor,
        filter: args.run.as_ref(),
        definitions: &definitions,
        branches: wanted,
        explain: args.explain,
    };
    for suite in &suites {
        match harness::run(suite, options, &mut coverage) {
            Ok(result) => results.push(result),
            Err(errors) => mistakes.extend(errors),
        }
    }
    refuse(&mistakes)?;
    if results.iter().all(|suite| suite.cases.is_empty()) {
        anyhow::bail!("no case matches; portcullis test without --run shows the suites");
    }
    let coverage = coverage.report();

    let failed = results.iter().any(|suite| suite.counts().1 > 0);
    let minor = args.kubernetes_version.minor;
    let mutants =
        args.mutants.judge(failed, || harness::mutants::run(&suites, minor, args.run.as_ref(), &definitions))?;

    let mut out = Output::open(args.output.as_deref())?;
    args.format.render(&results, wanted.then_some(coverage.as_slice()), mutants.as_ref(), &mut out)?;
    out.finish()?;
    if let (Some(path), Some(format)) = (&args.coverage_output, args.coverage_format) {
        let mut out = Output::open(Some(path))?;
        format.render(&coverage, &mut out)?;
        out.finish()?;
    }

    let reached = harness::percent(&coverage);
    let too_low = args.min_coverage.filter(|minimum| reached < *minimum);
    if let Some(minimum) = too_low {
        output::complain(&format!("coverage is {reached:.1} %, and has to be {minimum} %"));
    }
    let unnoticed = mutants.as_ref().is_some_and(|report| args.mutants.complain(report));
    Ok(if failed || too_low.is_some() || unnoticed { Outcome::Findings } else { Outcome::Clean })
}

impl Args {
    fn suites(&self) -> anyhow::Result<Vec<Suite>> {
        let mut suites = Vec::new();
        let mut mistakes = Vec::new();
        let mut keep = |loaded: Result<Vec<Suite>, Vec<LoadError>>| match loaded {
            Ok(loaded) => suites.extend(loaded),
            Err(errors) => mistakes.extend(errors),
        };
        if self.paths.is_empty() && !self.no_embedded {
            let selection = self.profile.profile.is_some().then(|| self.profile.select()).transpose()?;
            let is_on = |entry: &Embedded| match &selection {
                Some(selection) => !selection.choices(entry.name).is_empty(),
                None => !self.profile.disabled.contains(&Shipped::Policy(*entry)),
            };
            for entry in policy::embedded().into_iter().filter(|entry| !entry.tests.is_empty() && is_on(entry)) {
                let name = format!("{EMBEDDED_PREFIX}{}/{}/tests.yaml", entry.category, entry.name);
                keep(harness::load(&Manifest::new(name, entry.tests), &Bundled(entry)));
            }
        }
        for path in self.paths.iter().chain(&self.policies) {
            for file in find_suites(path)? {
                let directory = file.parent().unwrap_or(Path::new("")).to_owned();
                keep(harness::load(&read_manifest(&file)?, &Beside(directory)));
            }
        }
        refuse(&mistakes)?;
        if suites.is_empty() {
            anyhow::bail!("no suites: name a tests.yaml, or a directory that holds one");
        }
        Ok(suites)
    }
}

/// The files beside a suite.
struct Beside(PathBuf);

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Manifest, String> {
        read_manifest(&self.0.join(path)).map_err(|error| error.problem)
    }
}

/// The policies of the bundle, as seen from the folder of one of them.
struct Bundled(Embedded);

impl Files for Bundled {
    fn read(&self, path: &str) -> Result<Manifest, String> {
        let mut folders = vec![self.0.category, self.0.name];
        for component in path.split('/') {
            match component {
                "." | "" => {}
                ".." => drop(folders.pop()),
                name => folders.push(name),
            }
        }
        let wanted = |entry: &Embedded| folders == [entry.category, entry.name, "policy.yaml"];
        let found = policy::embedded().into_iter().find(wanted);
        found.map(|entry| entry.manifest()).ok_or_else(|| "not in the bundle, which holds policy.yaml files".to_owned())
    }
}

impl Format {
    fn render(
        self,
        suites: &[SuiteResult],
        coverage: Option<&[PolicyCoverage]>,
        mutants: Option<&Report>,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        match self {
            Format::Text => {
                harness::text::render(suites, coverage, out)?;
                mutants.map_or(Ok(()), |report| harness::mutants::text::render(report, out))
            }
            Format::Json => harness::json::render(suites, coverage, mutants, out),
            Format::Junit => harness::junit::render(suites, mutants, out),
        }
    }
}

impl CoverageFormat {
    fn render(self, coverage: &[PolicyCoverage], out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            CoverageFormat::Lcov => harness::lcov::render(coverage, out),
            CoverageFormat::Cobertura => harness::cobertura::render(coverage, SystemTime::now(), out),
        }
    }
}

pub(super) fn parse_percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("write a number from 0 to 100".to_owned()),
    }
}
