//! Where a value stands in the documents that an expression sees: a value that comes from one is the same in memory.

use crate::cel::value::{List, Map, Value};
use crate::json::pointer::{Path, Segment};
use crate::json::{self};

/// How many values are looked at to find one.
const MAX_VISITS: usize = 200_000;

/// A document and what stands in it that nobody may read.
#[derive(Clone, Copy, Debug)]
pub struct Root<'a> {
    /// What its paths begin with; empty for the object itself.
    pub name: &'static str,
    /// The document.
    pub value: json::Value<'a>,
    /// Whether it is confidential: nothing that is made of it is shown, nor what stands below [`CONFIDENTIAL`].
    pub is_confidential: bool,
}

/// What holds the secrets of a Secret; its annotations may hold them as they were applied last.
pub const CONFIDENTIAL: [&[&str]; 3] = [&["data"], &["stringData"], &["metadata", "annotations"]];

/// A place in one of the documents.
#[derive(Clone, Debug)]
pub(super) struct Found<'a> {
    root: Root<'a>,
    path: Path<'a>,
}

impl<'a> Found<'a> {
    /// The place as people read it.
    pub fn text(&self) -> String {
        let path = self.path.to_string();
        match (self.root.name, path.as_str()) {
            ("", "") => "object".to_owned(),
            (name, "") => name.to_owned(),
            ("", path) => path.to_owned(),
            (name, path) if path.starts_with('[') => format!("{name}{path}"),
            (name, path) => format!("{name}.{path}"),
        }
    }

    /// An element of the list that stands here.
    pub fn element(mut self, index: usize) -> Self {
        self.path.0.push(Segment::Index(index));
        self
    }

    /// Whether nobody may read what stands here: a secret, or something that holds one.
    pub fn is_confidential(&self) -> bool {
        let is_key = |(segment, key): (&Segment<'_>, &&str)| matches!(segment, Segment::Key(name) if name == key);
        self.root.is_confidential && CONFIDENTIAL.iter().any(|secret| self.path.0.iter().zip(secret.iter()).all(is_key))
    }
}

/// Where `value` stands, if it is a text, a list or a map that comes from one of the documents as it is.
pub(super) fn locate<'a>(roots: &[Root<'a>], value: &Value<'a>) -> Option<Found<'a>> {
    let wanted = match value {
        Value::String(text) if !text.is_empty() => json::Value::String(text),
        Value::List(List::Json(elements)) if !elements.is_empty() => json::Value::Array(elements),
        Value::Map(Map::Json(object)) if !object.is_empty() => json::Value::Object(*object),
        _ => return None,
    };
    let mut visits = 0;
    roots.iter().find_map(|root| {
        let mut path = Vec::new();
        find(root.value, &wanted, &mut path, &mut visits).then_some(Found { root: *root, path: Path(path) })
    })
}

fn find<'a>(here: json::Value<'a>, wanted: &json::Value<'a>, path: &mut Vec<Segment<'a>>, visits: &mut usize) -> bool {
    *visits += 1;
    if *visits > MAX_VISITS {
        return false;
    }
    if here.is_shared_with(wanted) {
        return true;
    }
    let mut look = |segment: Segment<'a>, child: json::Value<'a>| {
        path.push(segment);
        let is_found = find(child, wanted, path, visits);
        if !is_found {
            path.pop();
        }
        is_found
    };
    match here {
        json::Value::Array(elements) => {
            elements.iter().enumerate().any(|(index, element)| look(Segment::Index(index), *element))
        }
        json::Value::Object(object) => object.members().iter().any(|(key, value)| look(Segment::key(key), *value)),
        _ => false,
    }
}
