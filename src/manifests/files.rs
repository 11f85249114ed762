//! Which files an audit reads: arguments in, texts out.
//!
//! Knows names, sizes and directories; knows nothing of what the texts mean.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use ignore::{DirEntry, WalkBuilder};

use crate::json::yaml;
use crate::policy::Manifest;
use crate::regular_file;

use super::sorter::Origin;

/// The files that say which others an audit passes over, in the syntax of `.gitignore`.
pub const IGNORE_FILE: &str = ".portcullisignore";

/// What no audit looks into, unless `--exclude '!node_modules'` says so: packages bring manifests of their own.
const PASSED_OVER: &str = "node_modules/";

/// The largest file that is read, in bytes. The API server takes objects of up to 3 MiB; a file may hold many.
pub const MAX_FILE_SIZE: u64 = 32 << 20;

/// A text that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextFile {
    /// The path as the operator would type it, `-` for standard input.
    pub name: String,
    /// The path, `None` for standard input.
    pub path: Option<PathBuf>,
    /// Its contents.
    pub text: String,
}

impl TextFile {
    /// Where the text comes from.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { name: &self.name, path: self.path.as_deref() }
    }

    /// The path with what the operator calls it.
    pub(super) fn called(&self) -> Option<(&Path, &str)> {
        Some((self.path.as_deref()?, &self.name))
    }
}

/// A file or directory that could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct ReadError {
    /// The path as the operator would type it.
    pub name: String,
    /// Why, and what to do about it.
    pub problem: String,
}

impl ReadError {
    fn new(name: impl fmt::Display, problem: impl fmt::Display) -> Self {
        Self { name: name.to_string(), problem: problem.to_string() }
    }
}

/// What was found in a checkout.
#[derive(Debug, Default)]
pub struct Checkout {
    /// What was read.
    pub files: Vec<TextFile>,
    /// What can't be read.
    pub errors: Vec<ReadError>,
    /// Symbolic links that lead nowhere, or back to where the walk came from.
    pub links: Vec<ReadError>,
}

/// What an audit passes over besides what ignore files name: patterns in the syntax of `.gitignore`, relative to each
/// directory that is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exclusions {
    patterns: Vec<String>,
}

impl Exclusions {
    /// Takes patterns; a later one wins over an earlier one.
    ///
    /// # Errors
    /// One that `.gitignore` couldn't hold.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let exclusions = Self { patterns: patterns.to_vec() };
        exclusions.below(Path::new("")).map(|_| exclusions)
    }

    fn below(&self, root: &Path) -> Result<Gitignore, String> {
        let mut builder = GitignoreBuilder::new(root);
        for pattern in [PASSED_OVER].into_iter().chain(self.patterns.iter().map(String::as_str)) {
            builder.add_line(None, pattern).map_err(|error| error.to_string())?;
        }
        builder.build().map_err(|error| error.to_string())
    }
}

/// Reads what `paths` name, in their order: a file whatever it is called; a directory's `*.yaml`, `*.yml` and
/// `*.json` (and `Kustomization`) at any depth, sorted by name, hidden ones left out; `-`, once, for `stdin`.
/// For whoever reads again and again: what is no regular file can't be read, and nothing is waited for.
///
/// What can't be read is returned beside the rest, so that one bad file doesn't hide the others.
pub fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> (Vec<TextFile>, Vec<ReadError>) {
    let Checkout { files, mut errors, links } = read_with(paths, None, stdin, regular_file::open);
    errors.extend(links);
    (files, errors)
}

/// As [`read`], but of directories without what `exclusions` and ignore files name; and links that lead nowhere are no
/// errors.
pub fn read_checkout(paths: &[PathBuf], exclusions: &Exclusions, stdin: &mut dyn Read) -> Checkout {
    read_with(paths, Some(exclusions), stdin, |path| File::open(path))
}

fn read_with(
    paths: &[PathBuf],
    exclusions: Option<&Exclusions>,
    stdin: &mut dyn Read,
    open: fn(&Path) -> io::Result<File>,
) -> Checkout {
    let mut checkout = Checkout::default();
    for path in paths {
        let found: Vec<_> = if path == Path::new("-") {
            vec![read_text("-", stdin).map_err(Missed::Unread).map(|text| TextFile {
                name: "-".to_owned(),
                path: None,
                text,
            })]
        } else {
            let read = |path: PathBuf| read_file(&path, open).map_err(Missed::Unread);
            find(path, exclusions, is_read).map(|found| found.and_then(read)).collect()
        };
        for found in found {
            match found {
                Ok(file) => checkout.files.push(file),
                Err(Missed::Unread(error)) => checkout.errors.push(error),
                Err(Missed::Link(error)) => checkout.links.push(error),
            }
        }
    }
    checkout
}

/// The manifests of policies, params or definitions that `path` names: as [`read`] reads a file or a directory, but the
/// first thing that can't be read is an error, and so is a directory without a manifest.
///
/// # Errors
/// As said.
pub fn read_manifests(path: &Path) -> Result<Vec<Manifest>, ReadError> {
    let manifests = find(path, None, is_manifest_name)
        .map(|found| read_manifest(&found.map_err(ReadError::from)?))
        .collect::<Result<Vec<_>, _>>()?;
    if manifests.is_empty() {
        return Err(ReadError::new(display_name(path), "no *.yaml, *.yml or *.json in this directory"));
    }
    Ok(manifests)
}

/// The manifest in one file.
///
/// # Errors
/// The file can't be read.
pub fn read_manifest(path: &Path) -> Result<Manifest, ReadError> {
    read_file(path, |path| File::open(path)).map(|file| Manifest::new(file.name, file.text))
}

/// The test suites that a path names: a file, or each `tests.yaml` below a directory, sorted.
///
/// # Errors
/// A directory that can't be read, or has no suite.
pub fn find_suites(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let is_suite = |path: &Path| path.file_name().is_some_and(|name| name == "tests.yaml" || name == "tests.yml");
    let found = find(path, None, is_suite).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(ReadError::new(display_name(path), "no tests.yaml in this directory"));
    }
    Ok(found)
}

/// The files of a checkout, as [`read_checkout`] reads them.
pub(super) fn find_manifests(
    path: &Path,
    exclusions: &Exclusions,
) -> impl Iterator<Item = Result<PathBuf, Missed>> + use<> {
    find(path, Some(exclusions), is_read)
}

fn is_read(path: &Path) -> bool {
    is_manifest_name(path) || path.ends_with("Kustomization")
}

/// What a walk could not take along.
pub(super) enum Missed {
    /// It can't be read.
    Unread(ReadError),
    /// A symbolic link that leads nowhere, or back.
    Link(ReadError),
}

impl From<Missed> for ReadError {
    fn from(missed: Missed) -> Self {
        match missed {
            Missed::Unread(error) | Missed::Link(error) => error,
        }
    }
}

/// A path that is no directory (pipes too: `<(kubectl kustomize …)`); of a directory the files at any depth that
/// `is_wanted`, sorted by name, hidden ones left out: of a mounted ConfigMap's `..data` and its files only the latter.
/// A directory is entered through links once. With `exclusions`, ignore files count too.
fn find<F: Fn(&Path) -> bool>(
    path: &Path,
    exclusions: Option<&Exclusions>,
    is_wanted: F,
) -> impl Iterator<Item = Result<PathBuf, Missed>> + use<F> {
    let mut walk = WalkBuilder::new(path);
    walk.standard_filters(false).hidden(true).follow_links(true).sort_by_file_name(Ord::cmp);
    let mut excluded = Gitignore::empty();
    if let Some(exclusions) = exclusions {
        walk.parents(true).add_custom_ignore_filename(IGNORE_FILE);
        // Their patterns have been taken apart before.
        excluded = exclusions.below(path).unwrap_or(excluded);
    }
    let linked = Mutex::new(HashSet::new());
    walk.filter_entry(move |entry| {
        let is_directory = entry.file_type().is_some_and(|kind| kind.is_dir());
        let is_excluded = || excluded.matched(entry.path(), is_directory).is_ignore();
        entry.depth() == 0
            || (!is_excluded() && (!entry.path_is_symlink() || !is_directory || is_first(entry, &linked)))
    });
    let is_single = !path.is_dir();
    let root = path.to_owned();
    walk.build().flat_map(move |entry| match entry {
        _ if is_single => vec![Ok(root.clone())],
        Ok(entry) => {
            let problem = entry.error().map(|error| Err(walk_error(&root, error)));
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            let file = (is_file && is_wanted(entry.path())).then(|| Ok(entry.into_path()));
            problem.into_iter().chain(file).collect()
        }
        Err(error) => vec![Err(walk_error(&root, &error))],
    })
}

/// Whether the directory has not been entered through a link before: links to each other's directories would otherwise
/// make many ways to each file.
fn is_first(entry: &DirEntry, linked: &Mutex<HashSet<PathBuf>>) -> bool {
    let directory = fs::canonicalize(entry.path()).unwrap_or_else(|_| entry.path().to_owned());
    linked.lock().unwrap_or_else(PoisonError::into_inner).insert(directory)
}

/// The text of the file that `open` opens.
pub(super) fn read_file(path: &Path, open: fn(&Path) -> io::Result<File>) -> Result<TextFile, ReadError> {
    let name = display_name(path);
    let mut file = open(path).map_err(|error| ReadError::new(&name, reason(&error)))?;
    let text = read_text(&name, &mut file)?;
    Ok(TextFile { name, path: Some(path.to_owned()), text })
}

fn read_text(name: &str, from: &mut dyn Read) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(|error| ReadError::new(name, error))?;
    text_of(name, bytes)
}

/// The text that the bytes of a file are.
pub(super) fn text_of(name: &str, bytes: Vec<u8>) -> Result<String, ReadError> {
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(ReadError::new(name, format!("larger than {} MiB; split it", MAX_FILE_SIZE >> 20)));
    }
    yaml::decode(bytes).map_err(|error| ReadError::new(name, error))
}

/// The path as the operator would type it: without a leading `./`, with `/`.
pub fn display_name(path: &Path) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

fn is_manifest_name(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ["yaml", "yml", "json"].iter().any(|known| ext.eq_ignore_ascii_case(known)))
}

fn walk_error(root: &Path, error: &ignore::Error) -> Missed {
    let path = path_of(error).unwrap_or(root);
    let name = display_name(path);
    if let Some(ancestor) = loop_ancestor(error) {
        return Missed::Link(ReadError::new(name, format!("a symbolic link back to {}", display_name(ancestor))));
    }
    let Some(cause) = error.io_error() else { return Missed::Unread(ReadError::new(name, error)) };
    let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
    if is_link && cause.kind() == io::ErrorKind::NotFound {
        return Missed::Link(ReadError::new(name, "a symbolic link to what isn't there"));
    }
    Missed::Unread(ReadError::new(name, reason(cause)))
}

fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } | ignore::Error::Loop { child: path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_of),
        _ => None,
    }
}

fn loop_ancestor(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::Loop { ancestor, .. } => Some(ancestor),
        ignore::Error::WithPath { err, .. } | ignore::Error::WithDepth { err, .. } => loop_ancestor(err),
        _ => None,
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(files: &[TextFile]) -> Vec<&str> {
        files.iter().map(|file| file.name.rsplit('/').next().unwrap_or_default()).collect()
    }

    #[test]
    fn reads_a_directory_in_order_without_hidden_files() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        for name in ["b.yaml", "a.yml", "sub/c.JSON", ".hidden.yaml", ".git/config.yaml", "notes.txt", "d.yaml.bak"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, "x: 1")?;
        }
        let (files, errors) = read(&[dir.path().to_owned()], &mut io::empty());
        assert_eq!(names(&files), ["a.yml", "b.yaml", "c.JSON"]);
        assert!(errors.is_empty(), "{errors:?}");
        Ok(())
    }

    #[test]
    fn reads_a_named_file_whatever_it_is_called() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join(".manifest");
        fs::write(&path, "x: 1")?;
        let (files, _) = read(&[path], &mut io::empty());
        assert_eq!(names(&files), [".manifest"]);
        Ok(())
    }

    #[test]
    fn waits_for_no_pipe_where_files_are_read_again() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let fifo = dir.path().join("policies.yaml");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status()?.success());
        let (files, errors) = read(&[fifo], &mut io::empty());
        assert!(files.is_empty());
        assert!(errors.iter().all(|error| error.problem == "not a regular file") && errors.len() == 1, "{errors:?}");
        Ok(())
    }

    #[test]
    fn reads_standard_input() {
        let (files, _) = read(&[PathBuf::from("-")], &mut "kind: Pod".as_bytes());
        assert_eq!(files, [TextFile { name: "-".to_owned(), path: None, text: "kind: Pod".to_owned() }]);
    }

    #[test]
    fn reports_what_it_cannot_read_and_goes_on() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let bad = dir.path().join("bad.yaml");
        let good = dir.path().join("good.yaml");
        fs::write(&bad, b"name: \xff")?;
        fs::write(&good, "x: 1")?;
        let (files, errors) = read(&[dir.path().join("absent"), bad, good], &mut io::empty());
        assert_eq!(names(&files), ["good.yaml"]);
        let problems: Vec<_> = errors.iter().map(|error| error.problem.as_str()).collect();
        assert_eq!(problems, ["no such file or directory", "not UTF-8 (byte 6); save the file as UTF-8"]);
        Ok(())
    }

    #[test]
    fn rejects_a_text_beyond_the_size_limit() {
        let limit = usize::try_from(MAX_FILE_SIZE).unwrap_or(usize::MAX);
        assert!(read_text("-", &mut io::repeat(b'a').take(MAX_FILE_SIZE)).is_ok_and(|text| text.len() == limit));
        let error = read_text("-", &mut io::repeat(b'a')).map(|text| text.len());
        assert!(error.is_err_and(|error| error.to_string() == "-: larger than 32 MiB; split it"));
    }

    /// A directory with these files.
    fn directory(files: &[(&str, &str)]) -> io::Result<tempfile::TempDir> {
        let dir = tempfile::tempdir()?;
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(path, text)?;
        }
        Ok(dir)
    }

    fn checkout(dir: &Path, exclude: &[&str]) -> Checkout {
        let patterns: Vec<_> = exclude.iter().map(ToString::to_string).collect();
        let exclusions = Exclusions::new(&patterns).expect("good patterns");
        read_checkout(&[dir.to_owned()], &exclusions, &mut io::empty())
    }

    #[test]
    fn passes_over_what_exclusions_and_ignore_files_name() -> io::Result<()> {
        let dir = directory(&[
            ("a.yaml", ""),
            ("node_modules/x/b.yaml", ""),
            ("tests/c.yaml", ""),
            ("sub/tests/d.yaml", ""),
            ("sub/e.yaml", ""),
            ("sub/keep.yaml", ""),
            ("sub/.portcullisignore", "# not ours\n*.yaml\n!keep.yaml\n"),
        ])?;
        for (exclude, expected) in [
            (&[][..], &["a.yaml", "keep.yaml", "c.yaml"][..]),
            (&["/tests/"], &["a.yaml", "keep.yaml"]),
            (&["tests", "*.yaml", "!a.yaml"], &["a.yaml"]),
            (&["!node_modules/"], &["a.yaml", "b.yaml", "keep.yaml", "c.yaml"]),
        ] {
            let found = checkout(dir.path(), exclude);
            assert_eq!(names(&found.files), expected, "{exclude:?}");
            assert!(found.errors.is_empty(), "{:?}", found.errors);
        }
        // What is named is read, and policies have no ignore files.
        let named = read_checkout(&[dir.path().join("sub/e.yaml")], &Exclusions::default(), &mut io::empty());
        assert_eq!(names(&named.files), ["e.yaml"]);
        assert_eq!(read(&[dir.path().to_owned()], &mut io::empty()).0.len(), 6);
        Ok(())
    }

    #[test]
    fn an_ignore_file_above_the_directory_counts() -> io::Result<()> {
        let dir = directory(&[(IGNORE_FILE, "/sub/a.yaml\n"), ("sub/a.yaml", ""), ("sub/b.yaml", "")])?;
        assert_eq!(names(&checkout(&dir.path().join("sub"), &[]).files), ["b.yaml"]);
        Ok(())
    }

    #[test]
    fn rejects_patterns_that_gitignore_does_not_know() -> io::Result<()> {
        assert!(Exclusions::new(&["[z-a]".to_owned()]).is_err());
        let dir = directory(&[(IGNORE_FILE, "[z-a]\n"), ("a.yaml", "")])?;
        let found = checkout(dir.path(), &[]);
        assert_eq!((found.files.len(), found.errors.len()), (1, 1), "{:?}", found.errors);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_nowhere_or_back_are_no_errors_of_a_checkout() -> io::Result<()> {
        use std::os::unix::fs::symlink;
        let dir = directory(&[("sub/a.yaml", "x: 1")])?;
        symlink(dir.path(), dir.path().join("sub/loop"))?;
        symlink(dir.path().join("absent"), dir.path().join("sub/nowhere.yaml"))?;
        let found = checkout(dir.path(), &[]);
        assert_eq!(names(&found.files), ["a.yaml"]);
        assert!(found.errors.is_empty(), "{:?}", found.errors);
        let problems: Vec<_> = found.links.iter().map(|link| link.problem.as_str()).collect();
        assert!(problems.iter().any(|problem| problem.contains("a symbolic link back to")), "{problems:?}");
        assert!(problems.contains(&"a symbolic link to what isn't there"), "{problems:?}");
        // A policy that is gone is another matter.
        assert_eq!(read(&[dir.path().to_owned()], &mut io::empty()).1.len(), 2);
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn directories_that_link_to_each_other_are_entered_once_by_links() -> io::Result<()> {
        const DIRECTORIES: usize = 12;
        let dir = tempfile::tempdir()?;
        let of = |number: usize| dir.path().join(format!("d{number}"));
        for number in 0..DIRECTORIES {
            fs::create_dir(of(number))?;
            fs::write(of(number).join("a.yaml"), "x: 1")?;
        }
        for from in 0..DIRECTORIES {
            for to in (0..DIRECTORIES).filter(|to| *to != from) {
                std::os::unix::fs::symlink(of(to), of(from).join(format!("l{to}")))?;
            }
        }
        let found = checkout(dir.path(), &[]);
        assert!((DIRECTORIES..=2 * DIRECTORIES).contains(&found.files.len()), "{}", found.files.len());
        Ok(())
    }
}
