//! Where a field stands in a YAML (or JSON) text, looked up on demand: a second reading costs less than a table of
//! positions that most documents never need.

use saphyr_parser::{Event, Parser};

use super::split::split;
use super::{Step, scalar};
use crate::json::Arena;

/// The line, from 1, of the key or element that `path` leads to in document `document` (from 0, as
/// [`super::documents`] counts) of `text`, or of the nearest one above it that the text has.
///
/// `None` if the text is not YAML up to there or has no such document. A path that goes through an alias or a merge
/// key ends there.
pub fn locate(text: &str, document: usize, path: &[Step<'_>]) -> Option<usize> {
    let mut before = 0;
    for part in split(text) {
        if before < document && part.is_one_document() {
            before += 1;
            continue;
        }
        match locate_in_part(part.text, document - before, path) {
            Ok(line) => return line.map(|line| line + part.line - 1),
            Err(documents) => before += documents,
        }
        if before > document {
            return None;
        }
    }
    None
}

/// The line, or how many documents, broken ones included, the part has if that is not enough.
fn locate_in_part(text: &str, document: usize, path: &[Step<'_>]) -> Result<Option<usize>, usize> {
    let arena = Arena::new();
    let mut events = Parser::new_from_str(text);
    let mut current = 0;
    let mut open: Vec<Level> = Vec::new();
    let mut best = None;
    while let Some(event) = events.next_event() {
        let Ok((event, span)) = event else { return if current == document { Ok(best) } else { Err(current + 1) } };
        let line = span.start.line();
        match &event {
            Event::DocumentEnd if current == document => return Ok(best),
            Event::DocumentEnd => current += 1,
            _ if current < document => {}
            Event::Scalar(..) | Event::Alias(_) | Event::SequenceStart(..) | Event::MappingStart(..) => {
                let reached = match open.last_mut() {
                    None => Some((0, line)),
                    Some(level) => level.child(&arena, &event, line, path),
                };
                if let Some((depth, line)) = reached {
                    best = Some(line);
                    if depth == path.len() {
                        return Ok(best);
                    }
                }
                let depth = reached.map(|(depth, _)| depth);
                match event {
                    Event::SequenceStart(..) => open.push(Level { mapping: false, depth, children: 0, hit: None }),
                    Event::MappingStart(..) => open.push(Level { mapping: true, depth, children: 0, hit: None }),
                    _ => {}
                }
            }
            // What the path leads through has ended: nothing nearer can follow.
            Event::SequenceEnd | Event::MappingEnd if open.pop().is_some_and(|level| level.depth.is_some()) => {
                return Ok(best);
            }
            _ => {}
        }
    }
    Err(current)
}

/// A list or mapping that is open.
struct Level {
    mapping: bool,
    /// How many segments lead here; `None` away from the path.
    depth: Option<usize>,
    /// Nodes seen directly below: elements, or keys and values.
    children: usize,
    /// The line of the key that the path names, while its value comes next.
    hit: Option<usize>,
}

impl Level {
    /// Whether the next node below is the one that the path leads to: how many segments lead to it, and its line.
    fn child(&mut self, arena: &Arena, event: &Event<'_>, line: usize, path: &[Step<'_>]) -> Option<(usize, usize)> {
        let position = self.children;
        self.children += 1;
        let depth = self.depth?;
        let segment = path.get(depth)?;
        if !self.mapping {
            return (*segment == Step::Index(position)).then_some((depth + 1, line));
        }
        if position % 2 == 1 {
            return self.hit.take().map(|line| (depth + 1, line));
        }
        if let Event::Scalar(text, style, _, tag) = event {
            let plain = *style == saphyr_parser::ScalarStyle::Plain;
            let key = scalar::resolve(text, plain, tag.as_deref()).and_then(|scalar| scalar::key(arena, scalar));
            let named = matches!((segment, key), (Step::Key(name), Ok(key)) if *name == key);
            self.hit = named.then_some(line);
        }
        None
    }
}
