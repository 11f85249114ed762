//! What `audit` and `mutate` judge, and as whom.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::ArgAction;

use crate::audit;
use crate::json::Arena;
use crate::manifests::render::{self, Built};
use crate::manifests::{
    self, Checkout, Collection, Exclusions, Inputs, LeftOut, Progress, ReadError, Reason, TextFile, Unreadable,
};
use crate::policy::model::Source;

use super::output;

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
        let exclusions = self.exclusions()?;
        let Checkout { files, errors, links } =
            manifests::read_checkout(&self.paths, &exclusions, &mut io::stdin().lock());
        self.tell_links(&links);
        let unreadable = errors.into_iter().map(|error| Unreadable {
            source: Source { file: error.name, document: 0, line: 1 },
            message: error.problem,
        });
        Ok((files, unreadable.collect()))
    }

    /// Lists what the paths name, to be read in pieces; with `-v`, says which links lead nowhere.
    ///
    /// # Errors
    /// A path that doesn't exist, a pattern that isn't one.
    pub fn list(&self, progress: &Progress) -> anyhow::Result<Inputs> {
        let inputs = Inputs::list(&self.paths, &self.exclusions()?, &mut io::stdin().lock(), progress);
        self.tell_links(&inputs.links);
        Ok(inputs)
    }

    fn exclusions(&self) -> anyhow::Result<Exclusions> {
        for path in &self.paths {
            if path != Path::new("-") && !path.exists() {
                bail!("{}: no such file or directory", path.display());
            }
        }
        Exclusions::new(&self.exclude).map_err(|error| anyhow!("--exclude: {error}"))
    }

    fn tell_links(&self, links: &[ReadError]) {
        for link in links.iter().filter(|_| self.verbose > 0) {
            output::note(&format!("{link}: not followed"));
        }
    }

    /// Finds the manifests in the texts and in what was built of them; with `-v`, counts which documents are none, with `-vv`
    /// names them.
    ///
    /// # Errors
    /// See [`Self::refuse_nothing`].
    pub fn collect<'a>(
        &self,
        arena: &'a Arena,
        texts: &'a [TextFile],
        built: Option<&'a Built>,
        unreadable: &[Unreadable],
    ) -> anyhow::Result<Collection<'a>> {
        let collection = manifests::collect_built(arena, texts, built, &self.namespace);
        let mut reasons: BTreeMap<Reason, usize> = BTreeMap::new();
        for document in &collection.left_out {
            *reasons.entry(document.reason).or_default() += 1;
            self.tell_left_out(document);
        }
        self.count_left_out(&reasons);
        let found = collection.manifests.len() + collection.unreadable.len() + unreadable.len();
        self.refuse_nothing(found, &reasons)?;
        Ok(collection)
    }

    /// With `-vv`, names a document that is no manifest.
    pub fn tell_left_out(&self, document: &LeftOut) {
        if self.verbose > 1 && document.reason != Reason::Empty {
            output::note(&format!("{} left out: {}", document.source, document.reason));
        }
    }

    /// With `-v`, says how many documents were left out, by the reason.
    pub fn count_left_out(&self, reasons: &BTreeMap<Reason, usize>) {
        let told = reasons.iter().filter(|(reason, _)| self.verbose > 0 && **reason != Reason::Empty);
        told.for_each(|(reason, count)| output::note(&format!("{count} left out: {reason}")));
    }

    /// Refuses an input in which nothing was `found`, neither objects nor what can't be read, and no document left out.
    ///
    /// # Errors
    /// It is one: a failed `kubectl kustomize` at the other end of a pipe would otherwise look like a clean bill.
    pub fn refuse_nothing(&self, found: usize, reasons: &BTreeMap<Reason, usize>) -> anyhow::Result<()> {
        if found == 0 && reasons.keys().all(|reason| *reason == Reason::Empty) {
            bail!("nothing to judge: the input holds no document");
        }
        Ok(())
    }

    /// The namespace of namespaced objects that name none.
    pub fn namespace(&self) -> &str {
        &self.namespace
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
    /// Whether anything is built.
    pub fn is_on(&self) -> bool {
        self.render
    }

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
