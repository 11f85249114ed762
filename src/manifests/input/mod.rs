//! The input of an audit of any size: which files there are, read in pieces, as often as it takes.
//!
//! What can be read once only, standard input and pipes, is put into a temporary file if it is large. Nothing of a file
//! is held here; what is, is its name.

mod cutter;
mod json;
mod piece;
mod window;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::files::{Exclusions, Missed, ReadError, TextFile, display_name, find_manifests, read_file, text_of};
use super::kustomize::Kustomizations;
use super::progress::Progress;

use cutter::Cutter;
use json::Shape;
pub use piece::{Piece, Sorted};

/// Files up to this size, in bytes, are read as a whole; larger ones document by document.
pub const WHOLE: u64 = 1 << 20;

/// How much text a piece has, in bytes, unless a document has more.
pub const PIECE: usize = 128 << 10;

/// The largest document that is read, in bytes: as much as a file may have for other commands.
pub const MAX_DOCUMENT: usize = super::MAX_FILE_SIZE as usize;

/// How much is taken from standard input or a pipe, in bytes: it fills a disk.
pub const MAX_SPOOL: u64 = 64 << 30;

/// The files of an input, in order.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What paths begin with, up to the last slash: files of one directory share it.
    directories: Vec<OsString>,
    files: Vec<Listed>,
    /// What could not be listed or put aside, by the number of the file that follows.
    errors: BTreeMap<usize, Vec<ReadError>>,
    /// Symbolic links that lead nowhere, or back to where the walk came from.
    pub links: Vec<ReadError>,
    /// What was read already, by the number of its file.
    spooled: BTreeMap<usize, Spooled>,
    /// How large files are made, by their number.
    shapes: BTreeMap<usize, OnceLock<Shape>>,
    bytes: u64,
}

/// A file's name; there may be millions.
#[derive(Debug)]
struct Listed {
    directory: u32,
    /// In bytes, as far as it matters.
    size: u32,
    name: Box<std::ffi::OsStr>,
}

/// What can be read only once, read.
#[derive(Debug)]
struct Spooled {
    /// `None` for standard input.
    path: Option<PathBuf>,
    contents: Contents,
}

#[derive(Debug)]
enum Contents {
    Memory(Vec<u8>),
    Disk(File),
}

impl Inputs {
    /// Lists what `paths` name, as [`read_checkout`](super::read_checkout) does, and reads `stdin` if it is among them.
    pub fn list(paths: &[PathBuf], exclusions: &Exclusions, stdin: &mut dyn Read, progress: &Progress) -> Self {
        let mut inputs = Self::default();
        for path in paths {
            if path == Path::new("-") {
                inputs.spool(None, stdin, MAX_SPOOL, progress);
                continue;
            }
            for found in find_manifests(path, exclusions) {
                match found {
                    Ok(path) => inputs.add(path, progress),
                    Err(Missed::Unread(error)) => inputs.fail(error),
                    Err(Missed::Link(error)) => inputs.links.push(error),
                }
            }
        }
        inputs
    }

    fn add(&mut self, path: PathBuf, progress: &Progress) {
        let size = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => metadata.len(),
            Ok(_) => match File::open(&path) {
                Ok(mut pipe) => return self.spool(Some(path), &mut pipe, MAX_SPOOL, progress),
                Err(_) => 0,
            },
            // Whoever reads it will say why.
            Err(_) => 0,
        };
        self.push(&path, size);
    }

    fn push(&mut self, path: &Path, size: u64) {
        let (directory, name) = split(path);
        if self.directories.last() != Some(&directory) {
            self.directories.push(directory);
        }
        if size > WHOLE {
            self.shapes.insert(self.files.len(), OnceLock::new());
        }
        self.bytes += size;
        self.files.push(Listed {
            directory: u32::try_from(self.directories.len() - 1).unwrap_or(u32::MAX),
            size: u32::try_from(size).unwrap_or(u32::MAX),
            name: name.into_boxed_os_str(),
        });
    }

    /// Puts aside what can be read only once, up to `limit` bytes.
    fn spool(&mut self, path: Option<PathBuf>, from: &mut dyn Read, limit: u64, progress: &Progress) {
        let name = path.as_deref().map_or_else(|| "-".to_owned(), display_name);
        match put_aside(from, limit, progress) {
            Ok((contents, size)) => {
                self.push(path.as_deref().unwrap_or(Path::new("-")), size);
                self.spooled.insert(self.files.len() - 1, Spooled { path, contents });
            }
            Err(problem) => self.fail(ReadError { name, problem }),
        }
    }

    fn fail(&mut self, error: ReadError) {
        self.errors.entry(self.files.len()).or_default().push(error);
    }

    /// How much there is to read, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The kustomizations around the files.
    pub fn kustomizations(&self) -> Kustomizations {
        let paths = (0..self.files.len()).filter_map(|number| self.path(number));
        Kustomizations::around(paths.map(|path| {
            let name = display_name(&path);
            (path, name)
        }))
    }

    /// Everything there is to read, in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece> {
        let mut next = 0;
        let mut cutter: Option<Cutter> = None;
        let mut errors =
            self.errors.iter().flat_map(|(number, errors)| errors.iter().map(move |error| (*number, error)));
        let mut error = errors.next();
        std::iter::from_fn(move || {
            loop {
                if let Some(piece) = cutter.as_mut().and_then(Iterator::next) {
                    return Some(piece);
                }
                cutter = None;
                if let Some((_, failed)) = error.filter(|(number, _)| *number <= next) {
                    error = errors.next();
                    return Some(Piece::unread(failed.clone()));
                }
                let before = error.map_or(self.files.len(), |(number, _)| number);
                match self.cutter(next) {
                    Some(Ok(large)) => cutter = Some(large),
                    Some(Err(error)) => {
                        next += 1;
                        return Some(Piece::unread(error));
                    }
                    None => {
                        let begin = next;
                        let mut bytes = 0;
                        while next < before && (next == begin || (bytes < PIECE as u64 && self.is_whole(next))) {
                            bytes += self.size(next);
                            next += 1;
                        }
                        return (begin < next).then(|| Piece::files(begin..next, bytes));
                    }
                }
                next += 1;
            }
        })
    }

    /// What cuts a file that is not read as a whole.
    fn cutter(&self, number: usize) -> Option<Result<Cutter, ReadError>> {
        let path = self.path(number);
        let name = self.name(number);
        let shape = self.shapes.get(&number)?;
        let open = || match self.spooled.get(&number).map(|spooled| &spooled.contents) {
            Some(Contents::Disk(file)) => {
                // One reader after the other: they share the place in the file.
                let mut file = file.try_clone()?;
                file.rewind()?;
                Ok(file)
            }
            _ => File::open(path.as_deref().unwrap_or(Path::new(&name))),
        };
        let cutter = || -> io::Result<Option<Cutter>> {
            let shape = match shape.get() {
                Some(shape) => shape,
                None => {
                    let found = Shape::of(&mut open()?)?;
                    shape.get_or_init(|| found)
                }
            };
            Cutter::new(open()?, name.clone(), path.clone(), shape)
        };
        cutter().map_err(|error| ReadError { name: name.clone(), problem: error.to_string() }).transpose()
    }

    /// Whether the file is read as a whole.
    fn is_whole(&self, number: usize) -> bool {
        !self.shapes.contains_key(&number)
    }

    /// The text of a file that is read as a whole.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn read(&self, number: usize) -> Result<TextFile, ReadError> {
        let name = self.name(number);
        match self.spooled.get(&number) {
            Some(Spooled { path, contents: Contents::Memory(bytes) }) => {
                Ok(TextFile { text: text_of(&name, bytes.clone())?, name, path: path.clone() })
            }
            Some(Spooled { path, contents: Contents::Disk(file) }) => {
                let read = || -> io::Result<Vec<u8>> {
                    let mut file = file.try_clone()?;
                    file.rewind()?;
                    let mut bytes = Vec::new();
                    file.take(super::MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
                    Ok(bytes)
                };
                let bytes = read().map_err(|error| ReadError { name: name.clone(), problem: error.to_string() })?;
                Ok(TextFile { text: text_of(&name, bytes)?, name, path: path.clone() })
            }
            None => {
                let path = self.path(number).unwrap_or_default();
                read_file(&path, |path| File::open(path))
            }
        }
    }

    fn size(&self, number: usize) -> u64 {
        self.files.get(number).map_or(0, |file| file.size.into())
    }

    /// The file's path, `None` for standard input.
    fn path(&self, number: usize) -> Option<PathBuf> {
        if let Some(spooled) = self.spooled.get(&number) {
            return spooled.path.clone();
        }
        let file = self.files.get(number)?;
        let mut path = self.directories.get(file.directory as usize)?.clone();
        path.push(&file.name);
        Some(path.into())
    }

    fn name(&self, number: usize) -> String {
        self.path(number).map_or_else(|| "-".to_owned(), |path| display_name(&path))
    }
}

/// Reads everything: into memory as far as it would be read as a whole, or else into a temporary file.
fn put_aside(from: &mut dyn Read, limit: u64, progress: &Progress) -> Result<(Contents, u64), String> {
    let unread = |error: io::Error| error.to_string();
    let mut bytes = Vec::new();
    from.take(WHOLE + 1).read_to_end(&mut bytes).map_err(unread)?;
    let mut size = bytes.len() as u64;
    progress.add_bytes(size);
    if size <= WHOLE {
        return Ok((Contents::Memory(bytes), size));
    }
    let unwritten = |error: io::Error| format!("can't be put into a temporary file (TMPDIR): {error}");
    let mut file = tempfile::tempfile().map_err(unwritten)?;
    loop {
        file.write_all(&bytes).map_err(unwritten)?;
        if size > limit {
            return Err(format!("larger than {} GiB; write it to a file, and give its name", limit >> 30));
        }
        bytes.clear();
        let read = from.take(WHOLE).read_to_end(&mut bytes).map_err(unread)? as u64;
        if read == 0 {
            return Ok((Contents::Disk(file), size));
        }
        progress.add_bytes(read);
        size += read;
    }
}

/// The path up to its last slash, and what follows.
fn split(path: &Path) -> (OsString, OsString) {
    match path.to_str().and_then(|text| text.rfind('/').map(|at| text.split_at(at + 1))) {
        Some((directory, name)) => (directory.into(), name.into()),
        None => (OsString::new(), path.into()),
    }
}

#[cfg(test)]
mod tests;
