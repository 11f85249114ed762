//! YAML documents as values, the way Kubernetes reads YAML: through the rules of YAML 1.1 into JSON.
//!
//! The events come from `saphyr-parser`; the tree, the types of scalars (see [`scalar`]), merge keys, aliases and
//! limits are ours. An aliased node is shared, not copied, so what is limited is the size that readers would see.

mod locate;
mod print;
mod scalar;
mod split;

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Tag};

use super::arena::Arena;
use super::parse::Limits;
use super::value::{Member, Object, Value};
use split::{Part, split};

pub use locate::locate;
pub use print::to_yaml;

/// How much aliases may add to a file: the nodes and bytes that they repeat, roughly in bytes.
pub const MAX_ALIAS_WEIGHT: u64 = 16 << 20;

/// One document of a YAML text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Document<'a> {
    /// The document; null if it is empty.
    pub value: Value<'a>,
    /// The line of its first node, from 1.
    pub line: usize,
}

/// Why a document is no YAML that Kubernetes takes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Error {
    /// What is wrong, in one line.
    pub message: String,
    /// Where, from 1.
    pub line: usize,
    /// Where in the line, in characters from 1.
    pub column: usize,
}

/// A step into a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'s> {
    /// To the value of a key.
    Key(&'s str),
    /// To an element.
    Index(usize),
}

/// The documents of `text`, in order; a bad one doesn't keep the others from being read.
///
/// As `kubectl` does, the text is first cut at lines that begin with `---`.
pub fn documents<'a>(arena: &'a Arena, text: &'a str) -> Vec<Result<Document<'a>, Error>> {
    let limits = Limits::default();
    split(text).flat_map(|part| part_documents(arena, part, &limits)).collect()
}

/// The documents of one part: one, unless `...` ends it early or there are only comments.
fn part_documents<'a>(arena: &'a Arena, part: Part<'a>, limits: &Limits) -> Vec<Result<Document<'a>, Error>> {
    let mut events = Parser::new_from_str(part.text);
    let mut builder = Builder {
        arena,
        max_depth: limits.max_depth,
        open: Vec::new(),
        anchors: HashMap::new(),
        alias_weight: 0,
        root: None,
        documents: Vec::new(),
    };
    let mut result = Ok(());
    while let (Ok(()), Some(event)) = (&result, events.next_event()) {
        result = match event {
            Ok((event, span)) => builder.event(event, span.start),
            Err(error) => Err(fault(*error.marker(), Fault::Syntax(error.info().to_owned()))),
        };
    }
    let offset = part.line - 1;
    let whole = builder.documents.into_iter().map(|document| Document { line: document.line + offset, ..document });
    let broken = result.err().map(|error| Error { line: error.line + offset, ..error });
    whole.map(Ok).chain(broken.map(Err)).collect()
}

/// What can be wrong with a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    Syntax(String),
    #[error("the key {0:?} appears twice in one mapping")]
    DuplicateKey(String),
    #[error("a key must be a string, a number or a boolean, not {0}")]
    Key(&'static str),
    #[error("the merge key '<<' needs a mapping or a list of mappings")]
    Merge,
    #[error("cannot read {text:?} as {tag}")]
    Tag { tag: String, text: String },
    #[error("{0} has no place in JSON; write a finite number, or a string in quotes")]
    NotFinite(String),
    #[error("the alias refers to a node that is not complete in this document")]
    Alias,
    #[error("aliases repeat more than {MAX_ALIAS_WEIGHT} bytes")]
    Expansion,
    #[error("more than {0} lists and mappings are nested in each other")]
    TooDeep(usize),
}

/// A finished value and what it costs those who refer to it.
#[derive(Clone, Copy)]
struct Node<'a> {
    value: Value<'a>,
    /// Nodes and bytes below and in it, aliases expanded.
    weight: u64,
    /// How many levels of lists and mappings it has.
    height: usize,
}

/// A list or mapping that is still open.
struct Open<'a> {
    anchor: usize,
    at: Marker,
    weight: u64,
    height: usize,
    shape: Shape<'a>,
}

enum Shape<'a> {
    Sequence(Vec<Value<'a>>),
    Mapping {
        members: Vec<Member<'a>>,
        /// Where each key stands.
        keys: Vec<(&'a str, Marker)>,
        /// The key whose value comes next.
        key: Option<Key<'a>>,
        /// The values of merge keys.
        merged: Vec<(Value<'a>, Marker)>,
    },
}

#[derive(Clone, Copy)]
enum Key<'a> {
    Name(&'a str),
    Merge,
}

struct Builder<'a> {
    arena: &'a Arena,
    max_depth: usize,
    open: Vec<Open<'a>>,
    anchors: HashMap<usize, Node<'a>>,
    alias_weight: u64,
    root: Option<(Value<'a>, Marker)>,
    documents: Vec<Document<'a>>,
}

impl<'a> Builder<'a> {
    fn event(&mut self, event: Event<'a>, at: Marker) -> Result<(), Error> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                self.root = None;
            }
            Event::DocumentEnd => {
                if let Some((value, at)) = self.root.take() {
                    self.documents.push(Document { value, line: at.line() });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let text = match text {
                    std::borrow::Cow::Borrowed(text) => text,
                    std::borrow::Cow::Owned(text) => &*self.arena.alloc_str(&text),
                };
                self.scalar(text, style == ScalarStyle::Plain, anchor, tag.as_deref(), at)?;
            }
            Event::Alias(anchor) => self.alias(anchor, at)?,
            Event::SequenceStart(anchor, _) => self.start(anchor, at, Shape::Sequence(Vec::new()))?,
            Event::MappingStart(anchor, _) => {
                let shape = Shape::Mapping { members: Vec::new(), keys: Vec::new(), key: None, merged: Vec::new() };
                self.start(anchor, at, shape)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
        }
        Ok(())
    }

    fn scalar(
        &mut self,
        text: &'a str,
        plain: bool,
        anchor: usize,
        tag: Option<&Tag>,
        at: Marker,
    ) -> Result<(), Error> {
        let resolved = scalar::resolve(text, plain, tag).map_err(|kind| fault(at, kind))?;
        if let Some(Shape::Mapping { keys, key: slot @ None, .. }) = self.open.last_mut().map(|open| &mut open.shape) {
            if plain && tag.is_none() && text == "<<" {
                *slot = Some(Key::Merge);
                return Ok(());
            }
            let name = scalar::key(self.arena, resolved).map_err(|kind| fault(at, kind))?;
            keys.push((name, at));
            *slot = Some(Key::Name(name));
            return Ok(());
        }
        let value = resolved.into_value().map_err(|kind| fault(at, kind))?;
        self.complete(Node { value, weight: 16 + text.len() as u64, height: 0 }, anchor, at)
    }

    fn alias(&mut self, anchor: usize, at: Marker) -> Result<(), Error> {
        let Some(node) = self.anchors.get(&anchor).copied() else {
            return Err(fault(at, Fault::Alias));
        };
        if self.open.len() + node.height > self.max_depth {
            return Err(fault(at, Fault::TooDeep(self.max_depth)));
        }
        self.alias_weight = self.alias_weight.saturating_add(node.weight);
        if self.alias_weight > MAX_ALIAS_WEIGHT {
            return Err(fault(at, Fault::Expansion));
        }
        if let Some(Shape::Mapping { keys, key: slot @ None, .. }) = self.open.last_mut().map(|open| &mut open.shape) {
            let Value::String(name) = node.value else {
                return Err(fault(at, Fault::Key("an alias to something else")));
            };
            keys.push((name, at));
            *slot = Some(Key::Name(name));
            return Ok(());
        }
        self.complete(node, 0, at)
    }

    fn start(&mut self, anchor: usize, at: Marker, shape: Shape<'a>) -> Result<(), Error> {
        if self.open.len() >= self.max_depth {
            return Err(fault(at, Fault::TooDeep(self.max_depth)));
        }
        if let Some(Open { shape: Shape::Mapping { key: None, .. }, .. }) = self.open.last() {
            return Err(fault(at, Fault::Key("a list or mapping")));
        }
        self.open.push(Open { anchor, at, weight: 16, height: 0, shape });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let Some(Open { anchor, at, weight, height, shape }) = self.open.pop() else { return Ok(()) };
        let value = match shape {
            Shape::Sequence(elements) => Value::Array(self.arena.alloc_slice_copy(&elements)),
            Shape::Mapping { mut members, keys, merged, .. } => {
                merge(&mut members, &merged)?;
                Value::Object(Object::from_unique(self.arena, &mut members).map_err(|key| duplicate(key, &keys, at))?)
            }
        };
        self.complete(Node { value, weight, height: height + 1 }, anchor, at)
    }

    /// Hands a finished node to its anchor and its parent.
    fn complete(&mut self, node: Node<'a>, anchor: usize, at: Marker) -> Result<(), Error> {
        if anchor != 0 {
            self.anchors.insert(anchor, node);
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some((node.value, at));
            return Ok(());
        };
        parent.weight = parent.weight.saturating_add(node.weight);
        parent.height = parent.height.max(node.height);
        match &mut parent.shape {
            Shape::Sequence(elements) => elements.push(node.value),
            Shape::Mapping { members, key, merged, .. } => match key.take() {
                Some(Key::Name(name)) => members.push((name, node.value)),
                Some(Key::Merge) => merged.push((node.value, at)),
                None => return Err(fault(at, Fault::Key("a list or mapping"))),
            },
        }
        Ok(())
    }
}

/// Adds what merge keys bring: a key that the mapping has itself wins, and so does an earlier merge over a later one.
fn merge<'a>(members: &mut Vec<Member<'a>>, merged: &[(Value<'a>, Marker)]) -> Result<(), Error> {
    if merged.is_empty() {
        return Ok(());
    }
    let mut present: HashSet<&str> = members.iter().map(|(key, _)| *key).collect();
    for (value, at) in merged {
        let sources = match value {
            Value::Array(elements) => elements,
            one => std::slice::from_ref(one),
        };
        for source in sources {
            let Value::Object(object) = source else { return Err(fault(*at, Fault::Merge)) };
            members.extend(object.members().iter().filter(|(key, _)| present.insert(key)));
        }
    }
    Ok(())
}

fn duplicate(key: &str, keys: &[(&str, Marker)], mapping: Marker) -> Error {
    let at = keys.iter().filter(|(name, _)| *name == key).nth(1).map_or(mapping, |(_, at)| *at);
    fault(at, Fault::DuplicateKey(key.to_owned()))
}

fn fault(at: Marker, fault: Fault) -> Error {
    Error { line: at.line(), column: at.col() + 1, message: fault.to_string() }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
