//! A piece of the input: what one thread reads and judges on its own.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::json::Arena;
use crate::json::yaml::{documents_behind, json_document};
use crate::manifests::classify::is_helm_template;
use crate::manifests::files::ReadError;
use crate::manifests::known::Known;
use crate::manifests::kustomize::Kustomizations;
use crate::manifests::learning::{concern_of_others, may_concern_others};
use crate::manifests::list::List;
use crate::manifests::manifest::{LeftOut, Manifest, Unreadable};
use crate::manifests::sorter::{Found, Origin, Sorter};
use crate::policy::model::Source;

use super::Inputs;
use super::json::ListHead;

/// Some files, or a part of one.
#[derive(Debug)]
pub struct Piece {
    /// How much there is to read.
    pub bytes: u64,
    content: Content,
    /// The file that it is a part of.
    cut: Option<Arc<Cut>>,
}

/// The file that a piece was cut of.
#[derive(Debug)]
pub(super) struct Cut {
    pub name: String,
    pub path: Option<PathBuf>,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Whole files, by their numbers.
    Files(Range<usize>),
    /// What can't be read.
    Unread(ReadError),
    /// A chart's template.
    Template,
    /// Documents of YAML, whose first line and number are these.
    Yaml { text: String, line: u32, separated: bool, numbers: Numbers },
    /// Values of JSON, the first of this number; or items of a list, which has it.
    Json { bytes: Vec<u8>, slices: Vec<Slice>, number: usize, list: Option<Arc<ListHead>> },
    /// A document that can't be read.
    Broken { line: u32, message: String, numbers: Numbers },
}

/// One value of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub begin: usize,
    pub end: usize,
    /// The line that it begins in.
    pub line: u32,
}

/// What is in a text, or why there is none.
#[derive(Debug, Default)]
pub struct Sorted<'a> {
    /// The objects to judge.
    pub manifests: Vec<Manifest<'a>>,
    /// The documents that are none.
    pub left_out: Vec<LeftOut>,
    /// The documents that can't be read.
    pub broken: Vec<Unreadable>,
    /// The objects that go into more namespaces than they are judged in.
    pub crowded: Vec<Unreadable>,
    /// The files that can't be read.
    pub unread: Vec<Unreadable>,
}

impl Piece {
    pub(super) fn files(files: Range<usize>, bytes: u64) -> Self {
        Self { bytes, content: Content::Files(files), cut: None }
    }

    pub(super) fn unread(error: ReadError) -> Self {
        Self { bytes: 0, content: Content::Unread(error), cut: None }
    }

    pub(super) fn cut(cut: &Arc<Cut>, bytes: usize, content: Content) -> Self {
        Self { bytes: bytes as u64, content, cut: Some(Arc::clone(cut)) }
    }

    /// The first pass: shows the objects that the others' verdicts may depend on. Only documents that may be of such a kind
    /// are parsed; what can't be read is for the last pass to tell.
    pub(in crate::manifests) fn learn(
        &self,
        inputs: &Inputs,
        kustomizations: &Kustomizations,
        arena: &mut Arena,
        mut each: impl FnMut(&Found<'_>),
    ) {
        arena.reset();
        let mut sorter = Sorter::new(arena, kustomizations);
        match &self.content {
            Content::Files(files) => {
                for file in files.clone().filter_map(|number| inputs.read(number).ok()) {
                    let mut sorter = Sorter::new(arena, kustomizations);
                    let is_template = file.path.as_deref().is_some_and(is_helm_template);
                    if !is_template && may_concern_others(&file.text) {
                        if file.text.trim_start().starts_with('{') {
                            sorter.file(file.origin(), &file.text);
                        } else {
                            learn_yaml(&file.text, file.origin(), arena, &mut sorter);
                        }
                    }
                    sorter.found.iter().for_each(&mut each);
                }
            }
            Content::Yaml { text, .. } => {
                learn_yaml(text, self.origin(), arena, &mut sorter);
                sorter.found.iter().for_each(each);
            }
            Content::Json { bytes, slices, list, .. } => {
                for slice in slices {
                    let text = std::str::from_utf8(slice.of(bytes)).unwrap_or_default();
                    if may_concern_others(text) {
                        slice.sort(text, list.as_deref(), 0, self.origin(), arena, &mut sorter);
                    }
                }
                sorter.found.iter().for_each(each);
            }
            Content::Unread(_) | Content::Template | Content::Broken { .. } => {}
        }
    }

    /// A later pass: shows what is in the piece, text by text, each of which `arena` is emptied for.
    pub fn sort(self, inputs: &Inputs, known: &Known, arena: &mut Arena, mut each: impl FnMut(Sorted<'_>)) {
        let kustomizations = &known.kustomizations;
        if let Content::Files(files) = &self.content {
            for number in files.clone() {
                arena.reset();
                match inputs.read(number) {
                    Ok(file) => {
                        let mut sorter = Sorter::new(arena, kustomizations);
                        sorter.file(file.origin(), &file.text);
                        each(Sorted::of(sorter, known, arena));
                    }
                    Err(error) => each(Sorted::unread(&error)),
                }
            }
            return;
        }
        arena.reset();
        let mut sorter = Sorter::new(arena, kustomizations);
        let origin = self.origin();
        match &self.content {
            Content::Unread(error) => return each(Sorted::unread(error)),
            Content::Files(_) => {}
            Content::Template => sorter.helm_template(origin),
            Content::Yaml { text, line, separated, numbers } => {
                let documents = documents_behind(arena, text, *line, *separated);
                let number = numbers.take(documents.len());
                sorter.documents(documents, text, *line as usize, number, origin);
            }
            Content::Json { bytes, slices, number, list } => {
                for (at, slice) in slices.iter().enumerate() {
                    let number = if list.is_some() { *number } else { number + at };
                    match std::str::from_utf8(slice.of(bytes)) {
                        Ok(text) => slice.sort(text, list.as_deref(), number, origin, arena, &mut sorter),
                        Err(_) => sorter.unreadable.push(Unreadable {
                            source: Source {
                                file: origin.name.to_owned(),
                                document: number,
                                line: slice.line as usize,
                            },
                            message: "not UTF-8; save the file as UTF-8".to_owned(),
                        }),
                    }
                }
            }
            Content::Broken { line, message, numbers } => sorter.unreadable.push(Unreadable {
                source: Source { file: origin.name.to_owned(), document: numbers.take(1), line: *line as usize },
                message: message.clone(),
            }),
        }
        each(Sorted::of(sorter, known, arena));
    }

    fn origin(&self) -> Origin<'_> {
        match &self.cut {
            Some(cut) => Origin { name: &cut.name, path: cut.path.as_deref() },
            None => Origin { name: "", path: None },
        }
    }
}

/// Sorts the documents of YAML that may concern others.
fn learn_yaml<'a>(text: &'a str, origin: Origin<'a>, arena: &'a Arena, sorter: &mut Sorter<'a, '_>) {
    let mut from = 0;
    while let Some(found) = concern_of_others(text, from) {
        let begin = text.get(..found).and_then(|before| before.rfind("\n---")).map_or(0, |at| at + 1);
        let end = text.get(found..).and_then(|behind| behind.find("\n---")).map_or(text.len(), |at| found + at + 1);
        let document = text.get(begin..end).unwrap_or_default();
        sorter.documents(documents_behind(arena, document, 1, false), document, 1, 0, origin);
        from = end;
    }
}

impl Slice {
    fn of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.begin..self.end).unwrap_or_default()
    }

    /// Sorts the value `text`, which may be an item of a list.
    fn sort<'a>(
        &self,
        text: &'a str,
        list: Option<&'a ListHead>,
        number: usize,
        origin: Origin<'a>,
        arena: &'a Arena,
        sorter: &mut Sorter<'a, '_>,
    ) {
        let document = json_document(arena, text, self.line);
        match list {
            None => sorter.document(document, text, number, origin),
            Some(ListHead { api_version, item_kind, line }) => {
                let list = List { elements: &[], api_version, item_kind };
                sorter.item(document, &list, number, *line, origin);
            }
        }
    }
}

impl<'a> Sorted<'a> {
    fn of(sorter: Sorter<'a, '_>, known: &Known, arena: &'a Arena) -> Self {
        let Sorter { found, left_out, unreadable: broken, .. } = sorter;
        let mut crowded = Vec::new();
        let manifests = found.iter().flat_map(|found| known.manifests(arena, found, &mut crowded)).collect();
        Self { manifests, left_out, broken, crowded, unread: Vec::new() }
    }

    fn unread(error: &ReadError) -> Self {
        let source = Source { file: error.name.clone(), document: 0, line: 1 };
        let unread = Unreadable { source, message: error.problem.clone() };
        Self { unread: vec![unread], ..Self::default() }
    }
}

/// How the pieces of a file learn which numbers their documents have, though they are read at the same time: each tells the
/// next one once it has parsed its own.
#[derive(Debug)]
pub(super) struct Numbers {
    before: Before,
    behind: SyncSender<usize>,
}

#[derive(Debug)]
enum Before {
    Known(usize),
    Told(Receiver<usize>),
}

/// The numbers of the pieces to come.
#[derive(Debug)]
pub(super) struct Numbering {
    before: Before,
}

impl Numbering {
    /// The first document has this number.
    pub fn from(number: usize) -> Self {
        Self { before: Before::Known(number) }
    }

    /// Those of the next piece.
    pub fn next(&mut self) -> Numbers {
        let (behind, told) = sync_channel(1);
        Numbers { before: std::mem::replace(&mut self.before, Before::Told(told)), behind }
    }
}

impl Numbers {
    /// The number of the first of `count` documents. Waits for the piece before, which whoever takes pieces in order has
    /// taken already.
    fn take(&self, count: usize) -> usize {
        let first = match &self.before {
            Before::Known(number) => *number,
            // One that was given up tells nothing, and nobody will look at the number.
            Before::Told(told) => told.recv().unwrap_or_default(),
        };
        // The last piece tells nobody.
        let _ = self.behind.try_send(first + count);
        first
    }
}
