//! A manifest's text, and the documents in it.

use std::borrow::Cow;

use crate::json::{Arena, Value, yaml};

use super::error::{LoadError, Reason};
use super::model::Source;
use super::problem::{FieldPath, Problem, Problems, Step};

/// A YAML (or JSON) text with one document or more, and the name to report it by.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The file's path, `embedded:<path>`, or `-` for standard input.
    pub file: String,
    /// The whole text.
    pub text: Cow<'static, str>,
}

impl Manifest {
    /// A manifest that was read at run time.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: Cow::Owned(text.into()) }
    }

    /// The objects in the manifest, lists taken apart; what isn't YAML goes to `errors`.
    pub(super) fn objects<'a>(&'a self, arena: &'a Arena, errors: &mut Vec<LoadError>) -> Vec<Document<'a>> {
        let mut objects = Vec::new();
        for (index, document) in yaml::documents(arena, &self.text).into_iter().enumerate() {
            match document {
                Ok(document) if document.value.is_null() => {}
                Ok(document) => {
                    let at = Source { file: self.file.clone(), document: index, line: document.line };
                    self.take_apart(document.value, FieldPath::default(), at, &mut objects);
                }
                Err(error) => errors.push(LoadError {
                    at: Source { file: self.file.clone(), document: index, line: error.line },
                    object: String::new(),
                    reason: Reason::Syntax(error.message),
                }),
            }
        }
        objects
    }

    /// Lists of objects may hold lists only once: `kubectl` never prints more.
    fn take_apart<'a>(&self, value: Value<'a>, path: FieldPath, at: Source, objects: &mut Vec<Document<'a>>) {
        let is_list = value.get("kind").and_then(|kind| kind.as_str()).is_some_and(|kind| kind.ends_with("List"));
        let items = value.get("items").and_then(|items| items.as_array());
        match items {
            Some(items) if is_list && path.steps().is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    let path = FieldPath::default().field("items").index(index);
                    let line = self.line(at.document, &path).unwrap_or(at.line);
                    self.take_apart(*item, path, Source { line, ..at.clone() }, objects);
                }
            }
            _ => objects.push(Document { value, path, at }),
        }
    }

    /// The line of the field at `path`, or of the nearest field around it.
    pub(super) fn line(&self, document: usize, path: &FieldPath) -> Option<usize> {
        let mut steps: Vec<_> = path.steps().iter().map(locate_step).collect();
        loop {
            if let Some(line) = yaml::locate(&self.text, document, &steps) {
                return Some(line);
            }
            steps.pop()?;
        }
    }
}

fn locate_step(step: &Step) -> yaml::Step<'_> {
    match step {
        Step::Field(name) | Step::Key(name) => yaml::Step::Key(name),
        Step::Index(index) => yaml::Step::Index(*index),
    }
}

/// One object of a manifest.
#[derive(Debug)]
pub(super) struct Document<'a> {
    /// The object.
    pub value: Value<'a>,
    /// Where it stands in its document: the root, or an item of a list.
    pub path: FieldPath,
    /// Where it was read from.
    pub at: Source,
}

impl<'a> Document<'a> {
    /// The string at `path`, or an empty one.
    pub fn text(&self, path: &[&str]) -> &'a str {
        self.value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
    }

    /// The error that this object is wrong for `reason`.
    pub fn error(&self, reason: Reason) -> LoadError {
        let (kind, name) = (self.text(&["kind"]), self.text(&["metadata", "name"]));
        let object = if name.is_empty() { kind.to_owned() } else { format!("{kind}/{name}") };
        LoadError { at: self.at.clone(), object, reason }
    }

    /// Turns the problems of this object's fields into errors at the fields' lines; returns the problems.
    pub fn report(&self, manifest: &Manifest, problems: Problems, errors: &mut Vec<LoadError>) -> Vec<Problem> {
        let problems = problems.into_inner();
        for problem in &problems {
            let mut error = self.error(Reason::Field(problem.clone()));
            if let Some(line) = manifest.line(self.at.document, &problem.path) {
                error.at.line = line;
            }
            errors.push(error);
        }
        problems
    }
}
