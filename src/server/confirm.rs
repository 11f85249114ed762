//! Whether what is gone from the files is meant.
//!
//! A policy, a binding or another object that was in force and that no file declares any more stays in force, and is
//! reported as an error, until its file confirms that it is meant to be gone. A second look, one reload interval or one
//! SIGHUP after the first, has to find the same; the swap of a mounted ConfigMap's `..data` is atomic and counts at once.
//!
//! | the file that declared it | is it meant? |
//! | --- | --- |
//! | is there, can be parsed, and declares something else | once two looks found the same text |
//! | was deleted from a directory in which others declare something | once two looks found it absent |
//! | is empty, or holds comments only | never, unless empty is allowed (`--allow-empty`) |
//! | was the last of its directory, or its objects the last policies of all | never, unless empty is allowed |
//! | is what a flag names, and is absent | never |
//! | is a folder, a FIFO or a dangling link, or can't be read | never |
//!
//! A policy of the bundle that a profile's file turns on is declared by that file, and so are those that it has from
//! profiles which it extends.
//!
//! Whatever changes in the file is judged anew. Exemptions are no part of this: they open the gate, so they end when
//! they are gone.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reload::{Declared, InputFile, Role};

/// What was found in a file's place, to be compared with what the next look finds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Found {
    /// A text.
    Text(Arc<str>),
    /// Nothing.
    Nothing,
}

/// Why what is gone stays in force.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The file has no objects any more.
    #[error("the file holds no documents any more; write it whole, or allow empty policies with --allow-empty")]
    Emptied,
    /// The file that a flag names is absent, or can't be looked at.
    #[error("the file is gone")]
    Missing,
    /// Something else is in the file's place.
    #[error("what is in its place is no regular file")]
    NotAFile,
    /// Nothing else would be left.
    #[error("nothing would be left; if that is meant, allow it with --allow-empty")]
    NothingLeft,
    /// The next look may find the same.
    #[error("waiting for the next look to find the same")]
    Unconfirmed(Found),
}

/// A look at the files, as far as it decides about what is gone from them.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// What was read.
    pub files: &'a [InputFile],
    /// What it declares.
    pub declared: &'a [Declared],
    /// Whether policies may be none.
    pub allow_empty: bool,
}

/// Where a file was when it was last in force, and what became of it since.
#[derive(Clone, Copy, Debug)]
pub struct Past<'a> {
    /// The file.
    pub file: &'a str,
    /// The path that a flag named.
    pub root: &'a str,
    /// The version of the volume it was in.
    pub volume: Option<&'a Path>,
    /// What the previous look found, if something was gone then, too.
    pub found: Option<&'a Found>,
}

impl Look<'_> {
    /// Whether objects that `past` declared, and nothing declares any more, are meant to be gone.
    ///
    /// # Errors
    /// Why that isn't known.
    pub fn confirms(&self, past: Past<'_>) -> Result<(), Doubt> {
        let found = match self.files.iter().find(|input| input.file == past.file) {
            Some(input) => {
                let text = input.text.as_ref().map_err(|_| Doubt::NotAFile)?;
                if !self.allow_empty && !self.declared.iter().any(|declared| declared.file == past.file) {
                    return Err(Doubt::Emptied);
                }
                match input.role {
                    Role::Profile => Found::Text(self.profiles().into()),
                    _ => Found::Text(Arc::clone(text)),
                }
            }
            None => {
                match place(past.file) {
                    Place::Nothing if past.file != past.root => {}
                    Place::Nothing | Place::Unknown => return Err(Doubt::Missing),
                    Place::Folder | Place::Other => return Err(Doubt::NotAFile),
                }
                let is_beside = |input: &&InputFile| input.root == past.root && input.text.is_ok();
                let mut beside = self.files.iter().filter(is_beside);
                let is_left = beside.any(|input| self.declared.iter().any(|declared| declared.file == input.file));
                if !self.allow_empty && !is_left {
                    return Err(Doubt::NothingLeft);
                }
                Found::Nothing
            }
        };
        let is_swapped = past.volume.is_some_and(|was| volume(past.file).is_some_and(|is| is != was));
        if is_swapped || past.found == Some(&found) { Ok(()) } else { Err(Doubt::Unconfirmed(found)) }
    }
}

impl Look<'_> {
    /// The texts of the profile and of those that it extends, which say together what is on.
    fn profiles(&self) -> String {
        let profiles = self.files.iter().filter(|input| input.role == Role::Profile);
        profiles.filter_map(|input| input.text.as_deref().ok()).collect()
    }
}

/// What is where a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Nothing at all.
    Nothing,
    /// A directory.
    Folder,
    /// A regular file, a FIFO, a socket, a device, or a link that leads nowhere.
    Other,
    /// The system doesn't say.
    Unknown,
}

/// What is where `file` was.
pub fn place(file: &str) -> Place {
    match std::fs::symlink_metadata(file) {
        Ok(found) if found.is_dir() => Place::Folder,
        Ok(_) => Place::Other,
        Err(error) if error.kind() == ErrorKind::NotFound => Place::Nothing,
        Err(_) => Place::Unknown,
    }
}

/// The version of the mounted ConfigMap or Secret that `file` belongs to: where `..data` leads.
pub fn volume(file: &str) -> Option<PathBuf> {
    Path::new(file).ancestors().skip(1).find_map(|directory| std::fs::read_link(directory.join("..data")).ok())
}
