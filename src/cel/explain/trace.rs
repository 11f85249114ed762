//! What the parts of an evaluation gave, as a tree.
//!
//! A loop keeps a few elements of each outcome, so that what is kept goes by the size of the expression and not by that
//! of the object.

use std::cell::RefCell;

use crate::cel::Error;
use crate::cel::probe::{Element, Recorder, Scope};
use crate::cel::value::Value;

/// How many elements of one outcome a loop keeps.
pub(super) const MAX_ELEMENTS: usize = 3;
/// How many parts are kept in all, but for those that hold others; what ends later is dropped.
pub(super) const MAX_PARTS: usize = 20_000;

/// A part and what it gave.
#[derive(Clone, Debug)]
pub(super) struct Part<'a> {
    pub scope: Scope,
    pub site: usize,
    /// What the loop around it was at.
    pub element: Option<At<'a>>,
    pub outcome: Result<Value<'a>, Error>,
    /// What was evaluated for it, in that order.
    pub parts: Vec<Part<'a>>,
    /// For how many elements it was evaluated, and how many of them gave true and false.
    pub elements: Elements,
}

/// How often a loop's predicate was evaluated.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Elements {
    pub all: usize,
    pub were_true: usize,
    pub were_false: usize,
    pub failed: usize,
}

/// An element of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// How many elements came before it.
    pub ordinal: usize,
    pub element: Element<'a>,
}

/// Keeps what the parts of one evaluation give.
#[derive(Debug, Default)]
pub struct Trace<'a>(RefCell<Open<'a>>);

#[derive(Debug, Default)]
struct Open<'a> {
    /// Parts that have begun, innermost last.
    begun: Vec<Part<'a>>,
    /// What has ended and is part of nothing.
    ended: Vec<Part<'a>>,
    kept: usize,
}

impl<'a> Trace<'a> {
    /// Takes the outermost parts, the last of them the expression itself.
    pub(super) fn take(&self) -> Vec<Part<'a>> {
        std::mem::take(&mut self.0.borrow_mut().ended)
    }
}

impl<'a> Recorder<'a> for Trace<'a> {
    fn begins(&self, scope: Scope, site: usize, element: Option<Element<'a>>) {
        let mut open = self.0.borrow_mut();
        let element = element.map(|element| {
            let ordinal = open.begun.last().map_or(0, |around| around.elements.all);
            At { ordinal, element }
        });
        let (parts, elements) = (Vec::new(), Elements::default());
        open.begun.push(Part { scope, site, element, outcome: Ok(Value::Null), parts, elements });
    }

    fn ends(&self, _: Scope, _: usize, outcome: &Result<Value<'a>, Error>) {
        let open = &mut *self.0.borrow_mut();
        let Some(mut part) = open.begun.pop() else { return };
        part.outcome = outcome.clone();
        // What holds others that are kept is kept.
        let fits = open.kept < MAX_PARTS || !part.parts.is_empty();
        let is_kept = match (&part.element, open.begun.last_mut()) {
            (_, None) => true,
            (None, Some(_)) => fits,
            (Some(_), Some(around)) => around.elements.count(outcome) <= MAX_ELEMENTS && fits,
        };
        if is_kept {
            open.kept += 1;
            match open.begun.last_mut() {
                Some(around) => around.parts.push(part),
                None => open.ended.push(part),
            }
        } else {
            open.kept = open.kept.saturating_sub(part.size());
        }
    }
}

impl Part<'_> {
    /// How many parts were kept for it.
    pub(super) fn size(&self) -> usize {
        self.parts.iter().map(|part| 1 + part.size()).sum()
    }
}

impl Elements {
    /// Counts an element; how many of its outcome there have been.
    fn count(&mut self, outcome: &Result<Value<'_>, Error>) -> usize {
        self.all += 1;
        let of_its_outcome = match outcome {
            Ok(Value::Bool(true)) => &mut self.were_true,
            Ok(_) => &mut self.were_false,
            Err(_) => &mut self.failed,
        };
        *of_its_outcome += 1;
        *of_its_outcome
    }
}
