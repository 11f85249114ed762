//! From an object that was built to the place in a file that it was built of.

use std::collections::HashMap;

use crate::json::yaml::{self, Lines, Step};
use crate::json::{Arena, Value};
use crate::manifests::files::TextFile;
use crate::manifests::list::list_items;
use crate::policy::model::Source;

use super::{Output, template};

/// The most documents of a template that are looked through for each object.
const MAX_DOCUMENTS: usize = 1_000;

/// How deep lists of lists are searched.
const MAX_LIST_DEPTH: usize = 8;

/// The file that an object comes from.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Which of the texts.
    pub file: usize,
    /// The field of a kustomization that generates the object.
    pub generator: Option<&'static str>,
    /// Whether the object itself stands in the file, to be changed by kustomize.
    pub is_whole: bool,
}

/// What finds the files that the objects of an output came from.
#[derive(Debug)]
pub enum Provenance {
    /// By [`key`].
    Objects(HashMap<String, Origin>),
    /// By the line from which on objects come from a file.
    Lines(Vec<(usize, Origin)>),
}

/// The place that an object comes from.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// The file.
    pub file: &'a TextFile,
    /// The document in it.
    pub source: Source,
    /// The lines of its fields.
    pub lines: Lines<'a>,
    /// The object as it is written there, or null.
    pub written: Value<'a>,
}

/// The texts that objects come from, parsed when they are needed.
#[derive(Debug)]
pub struct Origins<'a> {
    arena: &'a Arena,
    files: &'a [TextFile],
    parsed: HashMap<usize, Vec<Place<'a>>>,
    /// The same of templates, without their actions.
    templates: HashMap<usize, Vec<Place<'a>>>,
}

impl<'a> Origins<'a> {
    /// Nothing is parsed yet.
    pub fn new(arena: &'a Arena, files: &'a [TextFile]) -> Self {
        Self { arena, files, parsed: HashMap::new(), templates: HashMap::new() }
    }

    /// Where `object`, at `line` of the output, comes from: the object of a file, the document of a template or its kind's
    /// line, or else the kustomization or chart.
    pub fn place(&mut self, object: Value<'a>, line: usize, output: &Output) -> Option<Place<'a>> {
        let Some(origin) = output.origin(object, line) else { return self.line(output.file, 1) };
        if let Some(generator) = origin.generator {
            let text = &self.files.get(origin.file)?.text;
            let first = yaml::documents(self.arena, text).into_iter().next().and_then(Result::ok);
            return self.line(origin.file, first.map_or(1, |first| first.lines.line(&[Step::Key(generator)])));
        }
        if !origin.is_whole {
            if let Some(place) = self.template(object, origin.file) {
                return Some(place);
            }
            let kind = text_at(object, &["kind"]);
            let text = &self.files.get(origin.file)?.text;
            let line = text.lines().position(|line| line.strip_prefix("kind:").is_some_and(|rest| rest.trim() == kind));
            return self.line(origin.file, line.unwrap_or(0) + 1);
        }
        match self.written(object, origin.file) {
            Some(place) => Some(place),
            None => self.line(origin.file, 1),
        }
    }

    fn line(&self, file: usize, line: usize) -> Option<Place<'a>> {
        let file = self.files.get(file)?;
        let source = Source { file: file.name.clone(), document: 0, line };
        Some(Place { file, source, lines: Lines::of_line(line), written: Value::Null })
    }

    /// The document of the template that the object was made of, with the lines of what both have in the same place;
    /// `None` where several may be it, or none can be read.
    fn template(&mut self, object: Value<'a>, file: usize) -> Option<Place<'a>> {
        let (arena, text) = (self.arena, self.files.get(file)?);
        let places = self.templates.entry(file).or_insert_with(|| {
            let readable = arena.alloc_str(&template::without_actions(&text.text));
            places(arena, text, readable)
        });
        if places.len() > MAX_DOCUMENTS {
            return None;
        }
        let mut found = places.iter().filter(|place| template::may_be(place.written, object));
        let place = found.next().filter(|_| found.next().is_none())?;
        let lines = template::shared(arena, place.lines, place.written, object);
        Some(Place { lines, written: Value::Null, ..place.clone() })
    }

    /// The object of the file that has the kind and the name, or a part of the name, or is the only one of its kind.
    fn written(&mut self, object: Value<'a>, file: usize) -> Option<Place<'a>> {
        let (arena, text) = (self.arena, self.files.get(file)?);
        let places = self.parsed.entry(file).or_insert_with(|| places(arena, text, &text.text));
        let group = |value| text_at(value, &["apiVersion"]).rsplit_once('/').map(|(group, _)| group);
        let kind = |value| (text_at(value, &["kind"]), group(value));
        let mut same: Vec<_> = places.iter().filter(|place| kind(place.written) == kind(object)).collect();
        let name = text_at(object, &["metadata", "name"]);
        let written = |place: &Place<'a>| text_at(place.written, &["metadata", "name"]);
        if same.len() > 1 {
            // Prefixes and suffixes leave a part of the name.
            same.retain(|place| name.contains(written(place)));
            same.sort_by_key(|place| std::cmp::Reverse(written(place).len()));
        }
        same.first().map(|place| (*place).clone())
    }
}

impl Output {
    fn origin(&self, object: Value<'_>, line: usize) -> Option<Origin> {
        match &self.origins {
            Provenance::Objects(origins) => origins.get(&key(object)).copied(),
            Provenance::Lines(lines) => {
                let behind = lines.partition_point(|(comment, _)| *comment <= line);
                lines.get(behind.checked_sub(1)?).map(|(_, origin)| *origin)
            }
        }
    }
}

/// The objects in `text`, which is the file's or has its lines.
fn places<'a>(arena: &'a Arena, file: &'a TextFile, text: &'a str) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    for (document, parsed) in yaml::documents(arena, text).into_iter().enumerate() {
        let Ok(parsed) = parsed else { continue };
        let source = Source { file: file.name.clone(), document, line: parsed.line };
        let place = Place { file, source, lines: parsed.lines, written: parsed.value };
        unpack(arena, place, 0, &mut places);
    }
    places
}

fn unpack<'a>(arena: &'a Arena, place: Place<'a>, depth: usize, places: &mut Vec<Place<'a>>) {
    match list_items(place.written).filter(|_| depth < MAX_LIST_DEPTH) {
        None => places.push(place),
        Some(list) => {
            for (index, item) in list.elements.iter().enumerate() {
                let lines = place.lines.at(&[Step::Key("items"), Step::Index(index)]);
                unpack(arena, Place { lines, written: list.typed(arena, *item), ..place.clone() }, depth + 1, places);
            }
        }
    }
}

fn text_at<'a>(value: Value<'a>, path: &[&str]) -> &'a str {
    value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
}

/// What tells an object from the others of a build: two of one name would be an error of kustomize.
pub fn key(object: Value<'_>) -> String {
    let paths: [&[&str]; 4] = [&["apiVersion"], &["kind"], &["metadata", "namespace"], &["metadata", "name"]];
    let text = |path: &&[&str]| object.at(path).and_then(|text| text.as_str()).unwrap_or_default();
    paths.iter().map(text).collect::<Vec<_>>().join("\n")
}
