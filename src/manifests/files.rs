//! Which files an audit reads: arguments in, texts out.
//!
//! Knows names, sizes and directories; knows nothing of what the texts mean.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::json::yaml;
use crate::policy::Manifest;

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

/// A file or directory that could not be read.
#[derive(Debug, thiserror::Error)]
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

/// Reads what `paths` name, in their order: a file whatever it is called; a directory's `*.yaml`, `*.yml` and
/// `*.json` at any depth, sorted by name, hidden ones left out; `-`, once, for `stdin`.
///
/// What can't be read is returned beside the rest, so that one bad file doesn't hide the others.
pub fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> (Vec<TextFile>, Vec<ReadError>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    let mut keep = |read: Result<TextFile, ReadError>| match read {
        Ok(file) => files.push(file),
        Err(error) => errors.push(error),
    };
    for path in paths {
        if path == Path::new("-") {
            keep(read_text("-", stdin).map(|text| TextFile { name: "-".to_owned(), path: None, text }));
            continue;
        }
        for found in find(path, is_manifest_name) {
            keep(found.and_then(|path| read_file(&path)));
        }
    }
    (files, errors)
}

/// The manifests of policies, params or definitions that `path` names: as [`read`] reads a file or a directory, but the
/// first thing that can't be read is an error, and so is a directory without a manifest.
///
/// # Errors
/// As said.
pub fn read_manifests(path: &Path) -> Result<Vec<Manifest>, ReadError> {
    let manifests = find(path, is_manifest_name).map(|found| read_manifest(&found?)).collect::<Result<Vec<_>, _>>()?;
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
    read_file(path).map(|file| Manifest::new(file.name, file.text))
}

/// The test suites that a path names: a file, or each `tests.yaml` below a directory, sorted.
///
/// # Errors
/// A directory that can't be read, or has no suite.
pub fn find_suites(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let is_suite = |path: &Path| path.file_name().is_some_and(|name| name == "tests.yaml" || name == "tests.yml");
    let found = find(path, is_suite).collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() {
        return Err(ReadError::new(display_name(path), "no tests.yaml in this directory"));
    }
    Ok(found)
}

/// A path that is no directory (pipes too: `<(kubectl kustomize …)`); of a directory the files at any depth that
/// `is_wanted`, sorted by name, hidden ones left out: of a mounted ConfigMap's `..data` and its files only the latter.
fn find(path: &Path, is_wanted: impl Fn(&Path) -> bool) -> impl Iterator<Item = Result<PathBuf, ReadError>> {
    let walk = WalkDir::new(path).follow_links(true).sort_by_file_name();
    let shown = walk.into_iter().filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry));
    let is_single = !path.is_dir();
    shown.filter_map(move |entry| match entry {
        _ if is_single => Some(Ok(path.to_owned())),
        Ok(entry) if entry.file_type().is_file() && is_wanted(entry.path()) => Some(Ok(entry.into_path())),
        Ok(_) => None,
        Err(error) => Some(Err(walk_error(path, &error))),
    })
}

fn read_file(path: &Path) -> Result<TextFile, ReadError> {
    let name = display_name(path);
    let mut file = File::open(path).map_err(|error| ReadError::new(&name, reason(&error)))?;
    let text = read_text(&name, &mut file)?;
    Ok(TextFile { name, path: Some(path.to_owned()), text })
}

fn read_text(name: &str, from: &mut dyn Read) -> Result<String, ReadError> {
    let mut bytes = Vec::new();
    from.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(|error| ReadError::new(name, error))?;
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

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn is_manifest_name(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ["yaml", "yml", "json"].iter().any(|known| ext.eq_ignore_ascii_case(known)))
}

fn walk_error(root: &Path, error: &walkdir::Error) -> ReadError {
    let name = display_name(error.path().unwrap_or(root));
    if let Some(ancestor) = error.loop_ancestor() {
        return ReadError::new(name, format!("a symbolic link back to {}; remove it", display_name(ancestor)));
    }
    match error.io_error() {
        Some(error) => ReadError::new(name, reason(error)),
        None => ReadError::new(name, error),
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

    #[cfg(unix)]
    #[test]
    fn reports_a_symlink_loop_once_and_reads_the_rest() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        fs::create_dir(dir.path().join("sub"))?;
        fs::write(dir.path().join("sub/a.yaml"), "x: 1")?;
        std::os::unix::fs::symlink(dir.path(), dir.path().join("sub/loop"))?;
        let (files, errors) = read(&[dir.path().to_owned()], &mut io::empty());
        assert_eq!(names(&files), ["a.yaml"]);
        assert_eq!(errors.len(), 1);
        assert!(errors.iter().all(|error| error.problem.contains("symbolic link back to")), "{errors:?}");
        Ok(())
    }
}
