//! From events to a value: aliases, merge keys, duplicates and limits.

use std::collections::HashMap;

use super::cursor::{Located, Mark};
use super::fault::Fault;
use super::lines::{Below, Lines};
use super::parser::{Event, Properties};
use super::scalar::{self, Scalar};
use super::{Document, MAX_ALIAS_WEIGHT};
use crate::json::{Arena, Member, Object, Value};

/// A finished value and what it costs those who refer to it.
#[derive(Clone, Copy)]
struct Node<'a> {
    value: Value<'a>,
    lines: Lines<'a>,
    /// Nodes and bytes below and in it, aliases expanded.
    weight: u64,
    /// How many levels of lists and mappings it has.
    height: usize,
    /// How many nodes upstream decodes for it.
    decoded: u64,
    /// What it is as a key.
    key: Option<Scalar<'a>>,
    aliased: bool,
}

/// A list or mapping that is still open.
struct Open<'a> {
    anchor: Option<&'a str>,
    at: Mark,
    weight: u64,
    height: usize,
    decoded_before: u64,
    shape: Shape<'a>,
}

enum Shape<'a> {
    Sequence { elements: Vec<Value<'a>>, lines: Vec<Lines<'a>> },
    Mapping(Box<Mapping<'a>>),
}

#[derive(Default)]
struct Mapping<'a> {
    members: Vec<Member<'a>>,
    /// Where each member's key stands, and what is in its value.
    lines: Vec<(&'a str, Lines<'a>)>,
    /// Where each key stands.
    marks: Vec<Mark>,
    /// The key whose value comes next.
    key: Option<(Key<'a>, Mark)>,
    merge: Option<Merge<'a>>,
}

/// The value of a merge key.
struct Merge<'a> {
    source: Node<'a>,
    at: Mark,
    /// How many members were there before it.
    after: usize,
}

#[derive(Clone, Copy)]
enum Key<'a> {
    Name(&'a str),
    Merge,
}

/// Puts one document together.
pub(super) struct Builder<'a> {
    arena: &'a Arena,
    max_depth: usize,
    open: Vec<Open<'a>>,
    /// `None` while a node is not complete.
    anchors: HashMap<&'a str, Option<Node<'a>>>,
    repeated_weight: u64,
    /// How many nodes upstream has decoded, and how many of them because of aliases.
    decoded: u64,
    decoded_by_alias: u64,
    root: Option<Node<'a>>,
}

impl<'a> Builder<'a> {
    pub fn new(arena: &'a Arena, max_depth: usize) -> Self {
        Self {
            arena,
            max_depth,
            open: Vec::new(),
            anchors: HashMap::new(),
            repeated_weight: 0,
            // The document is one.
            decoded: 1,
            decoded_by_alias: 0,
            root: None,
        }
    }

    /// The document, once its events are over.
    pub fn finish(self) -> Option<Document<'a>> {
        self.root.map(|Node { value, lines, .. }| Document { value, line: lines.line as usize, lines })
    }

    pub fn event(&mut self, event: Event<'a>, at: Mark) -> Result<(), Located> {
        match event {
            Event::Scalar { text, plain, properties } => self.scalar(text, plain, properties, at),
            Event::Alias(name) => self.alias(name, at),
            Event::SequenceStart(properties) => {
                // Of a merge's list only the elements are decoded.
                let merged = matches!(self.mapping(), Some(Mapping { key: Some((Key::Merge, _)), .. }));
                let shape = Shape::Sequence { elements: Vec::new(), lines: Vec::new() };
                self.start(properties.anchor, at, shape, !merged)
            }
            Event::MappingStart(properties) => self.start(properties.anchor, at, Shape::Mapping(Box::default()), true),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => Ok(()),
        }
    }

    /// The mapping that is open innermost.
    fn mapping(&mut self) -> Option<&mut Mapping<'a>> {
        match self.open.last_mut() {
            Some(Open { shape: Shape::Mapping(mapping), .. }) => Some(mapping),
            _ => None,
        }
    }

    /// The mapping whose next node is a key.
    fn keyless(&mut self) -> Option<&mut Mapping<'a>> {
        self.mapping().filter(|mapping| mapping.key.is_none())
    }

    fn scalar(&mut self, text: &'a str, plain: bool, properties: Properties<'a>, at: Mark) -> Result<(), Located> {
        let Properties { anchor, tag } = properties;
        let resolved = scalar::resolve(self.arena, text, plain, tag).map_err(|fault| (fault, at))?;
        let node = Node {
            value: Value::Null,
            lines: Lines { line: at.line, ..Lines::default() },
            weight: 16 + text.len() as u64,
            height: 0,
            decoded: 1,
            key: Some(resolved),
            aliased: false,
        };
        let Some(mapping) = self.keyless() else {
            self.count(1, 0, at)?;
            let value = resolved.into_value().map_err(|fault| (fault, at))?;
            return self.complete(Node { value, ..node }, anchor);
        };
        if scalar::is_merge_key(text, plain, tag) {
            if mapping.merge.is_some() {
                return Err((Fault::SecondMerge, at));
            }
            mapping.key = Some((Key::Merge, at));
        } else {
            self.count(1, 0, at)?;
            self.key(resolved, at)?;
        }
        if let Some(anchor) = anchor {
            // What has no value in JSON can still be a key.
            let value = resolved.into_value().unwrap_or(Value::Null);
            self.anchors.insert(anchor, Some(Node { value, ..node }));
        }
        Ok(())
    }

    fn key(&mut self, scalar: Scalar<'a>, at: Mark) -> Result<(), Located> {
        let name = scalar::key(self.arena, scalar).map_err(|fault| (fault, at))?;
        if let Some(mapping) = self.mapping() {
            mapping.key = Some((Key::Name(name), at));
        }
        Ok(())
    }

    fn alias(&mut self, name: &'a str, at: Mark) -> Result<(), Located> {
        let Some(node) = self.anchors.get(name).copied().flatten() else {
            return Err((Fault::Alias, at));
        };
        self.count(1 + node.decoded, node.decoded, at)?;
        self.repeat(node.weight, at)?;
        if self.keyless().is_some() {
            let key = node.key.ok_or((Fault::Key("a list or mapping"), at))?;
            return self.key(key, at);
        }
        if self.open.len() + node.height > self.max_depth {
            return Err((Fault::TooDeep(self.max_depth), at));
        }
        let value = match node.key {
            Some(scalar) => scalar.into_value().map_err(|fault| (fault, at))?,
            None => node.value,
        };
        let lines = Lines { line: at.line, ..node.lines };
        self.complete(Node { value, lines, aliased: true, decoded: node.decoded + 1, ..node }, None)
    }

    /// Counts what is there once more.
    fn repeat(&mut self, weight: u64, at: Mark) -> Result<(), Located> {
        self.repeated_weight = self.repeated_weight.saturating_add(weight);
        if self.repeated_weight > MAX_ALIAS_WEIGHT { Err((Fault::Expansion, at)) } else { Ok(()) }
    }

    /// Counts decoded nodes, and refuses what upstream refuses because aliases repeat too much.
    fn count(&mut self, decoded: u64, by_alias: u64, at: Mark) -> Result<(), Located> {
        self.decoded = self.decoded.saturating_add(decoded);
        self.decoded_by_alias = self.decoded_by_alias.saturating_add(by_alias);
        let share = self.decoded_by_alias as f64 / self.decoded as f64;
        let excessive = self.decoded_by_alias > 100 && self.decoded > 1000 && share > allowed_alias_share(self.decoded);
        if excessive { Err((Fault::MostlyAliases, at)) } else { Ok(()) }
    }

    fn start(&mut self, anchor: Option<&'a str>, at: Mark, shape: Shape<'a>, counts: bool) -> Result<(), Located> {
        if self.open.len() >= self.max_depth {
            return Err((Fault::TooDeep(self.max_depth), at));
        }
        if self.keyless().is_some() {
            return Err((Fault::Key("a list or mapping"), at));
        }
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, None);
        }
        let decoded_before = self.decoded;
        self.count(u64::from(counts), 0, at)?;
        self.open.push(Open { anchor, at, weight: 16, height: 0, decoded_before, shape });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Located> {
        let Some(Open { anchor, at, weight, height, decoded_before, shape }) = self.open.pop() else { return Ok(()) };
        let (value, lines) = match shape {
            Shape::Sequence { elements, lines } => {
                let lines = Lines::sequence(self.arena, at.line, &lines);
                (Value::Array(self.arena.alloc_slice_copy(&elements)), lines)
            }
            Shape::Mapping(mut mapping) => {
                // A merge within a merge copies its members once for each level.
                if let Some(Merge { source, at, .. }) = mapping.merge.as_ref().filter(|merge| !merge.source.aliased) {
                    self.repeat(source.weight, *at)?;
                }
                mapping.merge()?;
                let Mapping { mut members, mut lines, marks, .. } = *mapping;
                let object = Object::from_unique(self.arena, &mut members);
                let object = object.map_err(|key| duplicate(key, &lines, &marks, at))?;
                (Value::Object(object), Lines::mapping(self.arena, at.line, &mut lines))
            }
        };
        let decoded = self.decoded - decoded_before;
        let node = Node { value, lines, weight, height: height + 1, decoded, key: None, aliased: false };
        self.complete(node, anchor)
    }

    /// Hands a finished node to its anchor and its parent.
    fn complete(&mut self, node: Node<'a>, anchor: Option<&'a str>) -> Result<(), Located> {
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Some(node));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.weight = parent.weight.saturating_add(node.weight);
        parent.height = parent.height.max(node.height);
        match &mut parent.shape {
            Shape::Sequence { elements, lines } => {
                elements.push(node.value);
                lines.push(node.lines);
            }
            Shape::Mapping(mapping) => match mapping.key.take() {
                Some((Key::Name(name), mark)) => {
                    mapping.members.push((name, node.value));
                    mapping.lines.push((name, Lines { line: mark.line, ..node.lines }));
                    mapping.marks.push(mark);
                }
                Some((Key::Merge, at)) => {
                    mapping.merge = Some(Merge { source: node, at, after: mapping.members.len() });
                }
                None => {}
            },
        }
        Ok(())
    }
}

impl<'a> Mapping<'a> {
    /// Adds what the merge key brings. Readers agree that a key written behind it wins, and that of a list the first
    /// mapping wins; of a key written before it upstream's reader keeps the merged value, and others the written one.
    fn merge(&mut self) -> Result<(), Located> {
        let Some(Merge { source, at, after }) = self.merge.take() else { return Ok(()) };
        let mut present: HashMap<&str, usize> = HashMap::with_capacity(self.members.len());
        for (place, (key, _)) in self.members.iter().enumerate() {
            present.entry(key).or_insert(place);
        }
        let one = [(source.value, source.lines)];
        let many: Vec<_>;
        let sources = match (source.value, source.lines.below) {
            (Value::Array(elements), Below::Elements(lines)) if !source.aliased => {
                many = elements.iter().copied().zip(lines.iter().copied()).collect();
                many.as_slice()
            }
            _ => one.as_slice(),
        };
        for (value, lines) in sources {
            let (Value::Object(object), Below::Members(lines)) = (value, lines.below) else {
                return Err((Fault::Merge, at));
            };
            let lines: HashMap<&str, Lines<'a>> = lines.iter().copied().collect();
            for (key, value) in object.members() {
                match present.get(key) {
                    Some(place) if *place < after => return Err((Fault::MergeOverrides((*key).to_owned()), at)),
                    Some(_) => {}
                    None => {
                        present.insert(key, usize::MAX);
                        self.members.push((key, *value));
                        self.lines.push((key, lines.get(key).copied().unwrap_or_default()));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Which share of what it decodes upstream lets come from aliases: nearly all of a small document, a tenth of a large one.
fn allowed_alias_share(decoded: u64) -> f64 {
    const SMALL: f64 = 400_000.0;
    const LARGE: f64 = 4_000_000.0;
    0.99 - 0.89 * ((decoded as f64 - SMALL) / (LARGE - SMALL)).clamp(0.0, 1.0)
}

fn duplicate(key: &str, keys: &[(&str, Lines<'_>)], marks: &[Mark], mapping: Mark) -> Located {
    let places = keys.iter().zip(marks).filter(|((name, _), _)| *name == key);
    let second = places.map(|(_, mark)| *mark).nth(1);
    (Fault::DuplicateKey(key.to_owned()), second.unwrap_or(mapping))
}
