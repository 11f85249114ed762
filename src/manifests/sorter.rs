//! From texts to what is in them: documents taken apart, lists unpacked, what is no manifest set aside.

use std::path::Path;

use crate::json::yaml::{self, Document, Lines, Step};
use crate::json::{Arena, Value};
use crate::policy::model::Source;

use super::classify::{self, Reason};
use super::kustomize::Kustomizations;
use super::list::{List, list_items};
use super::manifest::{LeftOut, Unreadable};
use super::templates::{self, Parts};

/// How deep lists of lists are unpacked.
pub const MAX_LIST_DEPTH: usize = 8;

/// The file that a text comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The path as the operator would type it, `-` for standard input.
    pub name: &'a str,
    /// The path, `None` for standard input.
    pub path: Option<&'a Path>,
}

/// An object that was found, before its namespace is known.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The object.
    pub value: Value<'a>,
    /// See [`Manifest::written`](super::Manifest::written).
    pub written: Value<'a>,
    /// See [`Manifest::built_by`](super::Manifest::built_by).
    pub built_by: Option<&'a str>,
    /// Where it stands.
    pub source: Source,
    /// The file that it stands in.
    pub path: Option<&'a Path>,
    /// The lines of its fields.
    pub lines: Lines<'a>,
}

/// Sorts the documents of texts; what it found is in input order.
#[derive(Debug)]
pub struct Sorter<'a, 'k> {
    arena: &'a Arena,
    kustomizations: &'k Kustomizations,
    /// The objects.
    pub found: Vec<Found<'a>>,
    /// The documents that are none.
    pub left_out: Vec<LeftOut>,
    /// The documents that can't be read.
    pub unreadable: Vec<Unreadable>,
}

type Parsed<'a> = Result<Document<'a>, yaml::Error>;

impl<'a, 'k> Sorter<'a, 'k> {
    /// Nothing is found yet.
    pub fn new(arena: &'a Arena, kustomizations: &'k Kustomizations) -> Self {
        Self { arena, kustomizations, found: Vec::new(), left_out: Vec::new(), unreadable: Vec::new() }
    }

    /// Sorts the documents of a whole file.
    pub fn file(&mut self, origin: Origin<'a>, text: &'a str) {
        if origin.path.is_some_and(classify::is_helm_template) {
            self.helm_template(origin);
            return;
        }
        self.documents(yaml::documents(self.arena, text), text, 1, 0, origin);
    }

    /// Leaves a file out as a chart's template.
    pub fn helm_template(&mut self, origin: Origin<'a>) {
        let source = Source { file: origin.name.to_owned(), document: 0, line: 1 };
        self.left_out.push(LeftOut { source, reason: Reason::HelmTemplate });
    }

    /// Sorts the documents that were read from `text`, whose first line is called `line`; `number` is that of the first.
    pub fn documents(
        &mut self,
        documents: Vec<Parsed<'a>>,
        text: &'a str,
        line: usize,
        number: usize,
        origin: Origin<'a>,
    ) {
        let mut parts = Parts::of(text, line);
        for (number, parsed) in (number..).zip(documents) {
            let part = match &parsed {
                Ok(parsed) => parts.around(parsed.line),
                Err(error) => parts.broken(error.line),
            };
            self.document(parsed, part, number, origin);
        }
    }

    /// Sorts a document that was read from `part`.
    pub fn document(&mut self, parsed: Parsed<'a>, part: &'a str, number: usize, origin: Origin<'a>) {
        let Origin { name, path } = origin;
        let line = match &parsed {
            Ok(parsed) => parsed.line,
            Err(error) => error.line,
        };
        // Only Helm knows which file a document of its output was made from.
        let helm = path.map_or_else(|| templates::helm_source(part), |_| None);
        let source = Source { file: helm.unwrap_or(name).to_owned(), document: number, line };
        let is_patch = path.is_some_and(|path| self.kustomizations.is_patch(path));
        match parsed {
            Ok(parsed) if is_patch && !parsed.value.is_null() => {
                self.left_out.push(LeftOut { source, reason: Reason::KustomizePatch });
            }
            Ok(parsed) => self.value(parsed.value, parsed.lines, source, path, 0),
            // Templates lie about outside charts too; what a pipe brings is meant to be judged.
            Err(_) if path.is_some() && templates::holds_action(part) => {
                self.left_out.push(LeftOut { source, reason: Reason::HelmTemplate });
            }
            Err(error) => self.broken(source, &error),
        }
    }

    /// Sorts an item that was read by itself of a list, the document of this number, which begins in `line`.
    pub fn item(&mut self, parsed: Parsed<'a>, list: &List<'a>, number: usize, line: usize, origin: Origin<'a>) {
        let source = Source { file: origin.name.to_owned(), document: number, line };
        match parsed {
            Ok(_) if origin.path.is_some_and(|path| self.kustomizations.is_patch(path)) => {
                self.left_out.push(LeftOut { source, reason: Reason::KustomizePatch });
            }
            Ok(parsed) => self.value(list.typed(self.arena, parsed.value), parsed.lines, source, origin.path, 1),
            Err(error) => self.broken(Source { line: error.line, ..source }, &error),
        }
    }

    fn broken(&mut self, source: Source, error: &yaml::Error) {
        let message = format!("not valid YAML: {}", error.message);
        self.unreadable.push(Unreadable { source, message });
    }

    /// Sorts a value, `depth` lists deep in its document.
    fn value(&mut self, value: Value<'a>, lines: Lines<'a>, source: Source, path: Option<&'a Path>, depth: usize) {
        if let Some(list) = list_items(value) {
            if depth == MAX_LIST_DEPTH {
                let message = format!("more than {MAX_LIST_DEPTH} lists of objects are nested in each other");
                self.unreadable.push(Unreadable { source, message });
                return;
            }
            for (index, item) in list.elements.iter().enumerate() {
                let lines = lines.at(&[Step::Key("items"), Step::Index(index)]);
                self.value(list.typed(self.arena, *item), lines, source.clone(), path, depth + 1);
            }
            return;
        }
        match classify::left_out(value, path) {
            Some(reason) => self.left_out.push(LeftOut { source, reason }),
            None => self.found.push(Found { value, written: value, built_by: None, source, path, lines }),
        }
    }
}
