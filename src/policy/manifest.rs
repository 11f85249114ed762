//! A manifest's text, and the documents in it.

use std::borrow::Cow;

use crate::json::pointer::{Path, Segment};
use crate::json::{Arena, Object, Value, yaml};

use super::error::{LoadError, Reason};
use super::model::Source;
use super::problem::{Fault, FieldPath, Problem, Problems};

/// The version of our own kinds: exemptions, profiles.
const OUR_API_VERSION: &str = "portcullis.dev/v1alpha1";

/// How many errors get help that takes a look at everything: the line within an expression, the name that was probably
/// meant.
/// Whoever has more of them begins with the first, and a file full of mistakes must not take minutes to refuse.
pub(super) const HELPED_ERRORS: usize = 50;

/// API groups of which every `…List` is a list: policies in it must not pass for a param.
const LIST_GROUPS: [&str; 2] = ["admissionregistration.k8s.io", "portcullis.dev"];

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
    pub fn objects<'a>(&'a self, arena: &'a Arena, errors: &mut Vec<LoadError>) -> Vec<Document<'a>> {
        let mut objects = Vec::new();
        for (index, document) in yaml::documents(arena, &self.text).into_iter().enumerate() {
            let at = |line| Source { file: self.file.clone(), document: index, line };
            match document {
                Ok(document) if document.value.is_null() => {}
                Ok(yaml::Document { value, line, lines }) => {
                    let document = Document { value, path: FieldPath::default(), at: at(line), lines, manifest: self };
                    document.take_apart(arena, &mut objects);
                }
                Err(error) => errors.push(LoadError {
                    at: at(error.line),
                    object: String::new(),
                    reason: Reason::Syntax(format!("{} (column {})", error.message, error.column)),
                }),
            }
        }
        objects
    }
}

/// An item with the `apiVersion` and `kind` that the API server leaves out in the items of a list of one kind.
fn typed<'a>(arena: &'a Arena, item: Value<'a>, api_version: &'a str, kind: &'a str) -> Value<'a> {
    match item {
        Value::Object(object) if !kind.is_empty() && object.get("kind").is_none() => {
            let mut members = vec![("apiVersion", Value::String(api_version)), ("kind", Value::String(kind))];
            // An item that says its version keeps it.
            members.extend_from_slice(object.members());
            Value::Object(Object::new(arena, &members))
        }
        other => other,
    }
}

/// One object of a manifest.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The object.
    pub value: Value<'a>,
    /// Where it stands in its document: the root, or an item of a list.
    pub path: FieldPath,
    /// Where it was read from.
    pub at: Source,
    lines: yaml::Lines<'a>,
    manifest: &'a Manifest,
}

impl<'a> Document<'a> {
    /// The string at `path`, or an empty one.
    pub fn text(&self, path: &[&str]) -> &'a str {
        self.value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
    }

    /// The line of the field at `path`, which begins at the document's root, or of the nearest field around it.
    pub fn line(&self, path: &FieldPath) -> usize {
        let steps: Vec<_> = path.0.iter().map(locate_step).collect();
        self.lines.line(&steps)
    }

    /// Whether this is an object of one of our own kinds; `advice` says where others belong.
    ///
    /// # Errors
    /// What it is instead.
    pub fn is_of_our_kind(&self, kind: &str, advice: &'static str) -> Result<(), Reason> {
        let (api_version, found) = (self.text(&["apiVersion"]), self.text(&["kind"]));
        match found {
            "" => Err(Reason::NotAnObject { missing: "kind" }),
            _ if found != kind => Err(Reason::Misplaced { kind: found.to_owned(), advice }),
            _ if api_version != OUR_API_VERSION => Err(Reason::Version {
                found: api_version.to_owned(),
                kind: found.to_owned(),
                write: "apiVersion: portcullis.dev/v1alpha1",
            }),
            _ => Ok(()),
        }
    }

    /// The error that this object is wrong for `reason`.
    pub fn error(&self, reason: Reason) -> LoadError {
        LoadError { at: self.at.clone(), object: self.object(), reason }
    }

    /// Its kind and name, as far as they can be read.
    pub(super) fn object(&self) -> String {
        let (kind, name) = (self.text(&["kind"]), self.text(&["metadata", "name"]));
        if name.is_empty() { kind.to_owned() } else { format!("{kind}/{name}") }
    }

    /// Turns the problems of this object's fields into errors at the fields' lines; returns the problems.
    pub fn report(&self, problems: Problems, errors: &mut Vec<LoadError>) -> Vec<Problem> {
        let problems = problems.into_inner();
        for problem in &problems {
            let mut error = self.error(Reason::Field(problem.clone()));
            error.at.line = match problem.fault {
                Fault::Expression { line, column, .. } if errors.len() < HELPED_ERRORS => {
                    self.line_within(&problem.path, (line, column))
                }
                _ => self.line(&problem.path),
            };
            errors.push(error);
        }
        problems
    }

    /// The object, or the objects in it if it is a list, also within lists, as kubectl takes them. An object with a name
    /// of its own is no list, whatever its kind is called, unless its kind is known to be one.
    fn take_apart(self, arena: &'a Arena, objects: &mut Vec<Document<'a>>) {
        let mut pending = vec![self];
        while let Some(document) = pending.pop() {
            match document.items(arena) {
                // The first item is looked at first.
                Some(items) => pending.extend(items.into_iter().rev()),
                None => objects.push(document),
            }
        }
    }

    fn items(&self, arena: &'a Arena) -> Option<Vec<Document<'a>>> {
        let (api_version, kind) = (self.text(&["apiVersion"]), self.text(&["kind"]));
        let item_kind = kind.strip_suffix("List")?;
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let is_known = LIST_GROUPS.contains(&group) || (group.is_empty() && item_kind.is_empty());
        if !is_known && !self.text(&["metadata", "name"]).is_empty() {
            return None;
        }
        let items = self.value.get("items")?.as_array()?;
        let item = |(index, value): (usize, &Value<'a>)| {
            let path = self.path.field("items").index(index);
            let at = Source { line: self.line(&path), ..self.at.clone() };
            let value = typed(arena, *value, api_version, item_kind);
            Document { value, path, at, lines: self.lines, manifest: self.manifest }
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The line of a place, given as line and column from 1, in the expression at `path`.
    pub fn line_within(&self, path: &FieldPath, at: (usize, usize)) -> usize {
        self.place_within(path, at).0
    }

    /// The line and column of a place, given as line and column from 1, in the expression at `path`; the column is 0
    /// where the text is written so that it can't be told.
    pub fn place_within(&self, path: &FieldPath, (line, column): (usize, usize)) -> (usize, usize) {
        let start = self.line(path);
        let within = || {
            let below = Path(path.0.get(self.path.0.len()..)?.to_vec());
            let expression = below.find(self.value)?.as_str()?;
            place_in_scalar(&self.manifest.text, start, expression, offset(expression, line, column)?)
        };
        within().unwrap_or((start, 0))
    }
}

fn locate_step<'s>(segment: &'s Segment<'_>) -> yaml::Step<'s> {
    match segment {
        Segment::Key(name) => yaml::Step::Key(name),
        Segment::Index(index) => yaml::Step::Index(*index),
    }
}

/// The byte offset of a line and column (both from 1, the column in characters) in `text`.
fn offset(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let in_line: usize = text.get(before..)?.chars().take(column.checked_sub(1)?).map(char::len_utf8).sum();
    Some(before + in_line)
}

/// The line and column of the byte at `offset` of a scalar that begins at line `start` of a YAML text, however it is
/// written: each line of the text is looked up in the scalar, which folding and indentation leave in order.
fn place_in_scalar(text: &str, start: usize, scalar: &str, offset: usize) -> Option<(usize, usize)> {
    let mut lines = text.lines().enumerate().skip(start.checked_sub(1)?);
    let (first, header) = lines.next()?;
    let characters = |text: &str, end: usize| text.get(..end).map_or(0, |before| before.chars().count());
    // Quotes, or a flow mapping, end behind it on the same line.
    let is_block = header.trim_end().ends_with(['|', '>', '-', '+']);
    if let Some(at) = header.rfind(scalar).filter(|_| !is_block && !scalar.is_empty()) {
        return Some((first + 1, characters(header, at) + characters(scalar, offset) + 1));
    }
    // What follows the key on its own line begins the scalar, unless that is the sign of a block.
    let tail = |(at, _): (usize, char)| header.get(at..).map(str::trim_end).filter(|tail| !tail.is_empty());
    let begun = header.char_indices().filter_map(tail).find(|tail| scalar.starts_with(tail));
    let mut end = begun.map_or(0, str::len);
    if offset < end {
        return Some((first + 1, characters(header, header.trim_end().len() - end) + characters(scalar, offset) + 1));
    }
    for (index, line) in lines {
        let indent = characters(line, line.len() - line.trim_start().len());
        let line = line.trim();
        let at = end + scalar.get(end..)?.find(line)?;
        end = at + line.len();
        // An error at the very end of the expression belongs to its last line.
        if offset < end || end >= scalar.trim_end().len() {
            // What stands between two lines belongs to the first character of the second.
            let within = scalar.get(at..offset.clamp(at, end)).map_or(0, |before| before.chars().count());
            return Some((index + 1, indent + within + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_place_in_a_scalar_however_it_is_written() {
        let cases = [
            ("- expression: a + b\n", "a + b", "b", (1, 19)),
            ("- expression: 'a + b'\n", "a + b", "b", (1, 20)),
            ("- {name: é, expression: \"a + b\"}\n", "a + b", "b", (1, 30)),
            ("- expression: |\n    a +\n    b\n", "a +\nb\n", "b", (3, 5)),
            ("- expression: |-\n\n    a +\n      b\n", "\na +\n  b", "b", (4, 7)),
            ("- expression: >-\n    a +\n    b +\n    c\n", "a + b + c", "c", (4, 5)),
            ("- expression: >\n    a\n\n    + b\n", "a\n+ b\n", "b", (4, 7)),
            ("- expression: a\n    + b\n", "a + b", "b", (2, 7)),
            ("- expression: a\n    + b\n", "a + b", "a", (1, 15)),
        ];
        for (text, scalar, sought, place) in cases {
            let at = scalar.find(sought).expect("the place is in the scalar");
            assert_eq!(place_in_scalar(text, 1, scalar, at), Some(place), "{text}");
        }
    }

    #[test]
    fn gives_up_on_scalars_whose_text_differs() {
        assert_eq!(place_in_scalar("- expression: \"a\\x2b b\"\n", 1, "a+ b", 3), None);
        assert_eq!(place_in_scalar("", 5, "a", 0), None);
    }

    #[test]
    fn converts_lines_and_columns_to_offsets() {
        assert_eq!(offset("a\nbé c", 2, 4), Some(6));
        assert_eq!(offset("a", 1, 1), Some(0));
        assert_eq!(offset("a", 9, 9), Some(1));
        assert_eq!(offset("a", 0, 1), None);
    }
}
