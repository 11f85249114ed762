//! Kustomizations and charts, built by the programs that the machine has for it, so that an audit sees what would be
//! deployed. Nothing is written into the tree, nothing is fetched, and nothing of the tree is executed.

mod helm;
mod kustomize;
mod origin;
mod template;
mod tool;

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::policy::model::Source;
use crate::regular_file;

use super::files::{TextFile, display_name, read_file};
use super::kustomize::{Kustomizations, real};
use super::manifest::Unreadable;

pub use origin::Origins;
use origin::Provenance;

/// How many bytes all builds of an audit may print together. One may print as much as a file may hold.
pub const MAX_OUTPUT: u64 = 256 << 20;

/// How things are built.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long one build may take.
    pub time: Duration,
    /// The namespace that charts are installed into.
    pub namespace: String,
    /// Where the programs are looked for, in the form of `PATH`.
    pub path: OsString,
    /// How many bytes all builds may print together: see [`MAX_OUTPUT`].
    pub output: u64,
}

/// What was built.
#[derive(Debug, Default)]
pub struct Built {
    /// One for each outermost kustomization and each chart, in the order of their files.
    pub outputs: Vec<Output>,
    /// The builds that failed, and why.
    pub failures: Vec<Unreadable>,
    covered: HashSet<PathBuf>,
    charts: Vec<PathBuf>,
}

/// What one kustomization or chart was built to.
#[derive(Debug)]
pub struct Output {
    /// Its file, as the operator would type it.
    pub name: String,
    /// The manifests.
    pub text: String,
    /// Which of the texts its file is.
    file: usize,
    origins: Provenance,
}

impl Built {
    /// Whether the file went into something that was built, and is judged as that.
    pub fn covers(&self, file: &TextFile) -> bool {
        let Some(path) = file.path.as_deref().and_then(real) else { return false };
        self.covered.contains(&path) || self.charts.iter().any(|chart| path.starts_with(chart))
    }
}

/// Builds the outermost kustomizations and the charts among `files`. Files that something was built of but that aren't
/// among them are read and added: findings may point at them.
///
/// # Errors
/// The directory for temporary files can't be written. What goes wrong with one build is among the failures.
pub fn build(files: &mut Vec<TextFile>, options: &Options) -> std::io::Result<Built> {
    let mut builder = Builder {
        workshop: tool::Workshop::new(options.time, options.path.clone())?,
        known: Known::of(files),
        built: Built::default(),
        remaining: options.output,
    };
    let kustomizations = Kustomizations::around(files.iter().filter_map(TextFile::called));
    builder.kustomizations(&kustomizations, files);
    builder.charts(files, options);
    // Those that were added are no input of their own.
    let Builder { known, mut built, .. } = builder;
    built.covered.extend(known.added);
    Ok(built)
}

struct Builder {
    workshop: tool::Workshop,
    known: Known,
    built: Built,
    remaining: u64,
}

impl Builder {
    fn kustomizations(&mut self, found: &Kustomizations, files: &mut Vec<TextFile>) {
        for kustomization in found.circular() {
            let message = "kustomizations that refer to each other in a circle can't be built".to_owned();
            self.fail(found.name(&kustomization.path), message);
        }
        for outermost in found.outermost() {
            let name = found.name(&outermost.path);
            let closure = found.closure(outermost);
            let remote = closure.iter().find_map(|part| part.remote.first());
            let result = match remote {
                Some(remote) => Err(format!(
                    "not built: {} would be fetched; judge its output: kustomize build DIR | portcullis audit -",
                    tool::printable(remote)
                )),
                None => kustomize::build(&self.workshop, outermost.directory(), self.remaining),
            };
            match result {
                Ok(text) => {
                    let name_path = Path::new(&name);
                    let Some(file) = self.known.index(files, &outermost.path, name_path) else { continue };
                    self.remaining = self.remaining.saturating_sub(text.len() as u64);
                    let index = |path: &Path, shown: &Path| self.known.index(files, path, shown);
                    let origins = kustomize::origins(&self.workshop, outermost.directory(), name_path, index);
                    let parts = closure
                        .iter()
                        .flat_map(|part| part.resources.iter().chain(&part.patches).chain(std::iter::once(&part.path)));
                    self.built.covered.extend(parts.cloned());
                    self.built.outputs.push(Output { name, text, file, origins });
                }
                Err(message) => self.fail(name, message),
            }
        }
    }

    fn charts(&mut self, files: &mut Vec<TextFile>, options: &Options) {
        for (file, chart) in helm::charts(files) {
            let name = files.get(file).map(|file| file.name.clone()).unwrap_or_default();
            match helm::build(&self.workshop, &chart, &options.namespace, self.remaining) {
                Ok(text) => {
                    self.remaining = self.remaining.saturating_sub(text.len() as u64);
                    let origins = helm::origins(&text, &chart, Path::new(&name), |path, shown| {
                        self.known.index(files, path, shown)
                    });
                    self.built.charts.push(chart);
                    self.built.outputs.push(Output { name, text, file, origins });
                }
                Err(message) => self.fail(name, message),
            }
        }
    }

    fn fail(&mut self, file: String, message: String) {
        self.built.failures.push(Unreadable { source: Source { file, document: 0, line: 1 }, message });
    }
}

/// Which of the texts is which file.
struct Known {
    by_path: HashMap<PathBuf, usize>,
    added: Vec<PathBuf>,
}

impl Known {
    fn of(files: &[TextFile]) -> Self {
        let paths = files.iter().enumerate().filter_map(|(at, file)| Some((real(file.path.as_deref()?)?, at)));
        Self { by_path: paths.collect(), added: Vec::new() }
    }

    /// The text of the file `path`, read if it isn't known; the operator would call it `shown`.
    fn index(&mut self, files: &mut Vec<TextFile>, path: &Path, shown: &Path) -> Option<usize> {
        let path = real(path)?;
        if let Some(known) = self.by_path.get(&path) {
            return Some(*known);
        }
        let read = read_file(&path, regular_file::open).ok()?;
        files.push(TextFile { name: display_name(shown), ..read });
        self.added.push(path.clone());
        self.by_path.insert(path, files.len() - 1);
        Some(files.len() - 1)
    }
}

#[cfg(test)]
mod tests;
