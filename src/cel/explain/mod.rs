//! Why an expression came out as it did: the part that decided, the element on which it did, and the values of its parts.

mod locate;
mod text;
mod trace;

use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;

use self::locate::{Found, locate};
use self::text::short;
use self::trace::{Elements, Part};
use super::probe::{Scope, Shape, Site, Variables};
use super::{Error, Evaluator, Inputs, Program, Variable};
use crate::cel::value::{List, Value};
use crate::json::Arena;

pub use self::locate::Root;
pub use self::trace::Trace;

/// How deep an explanation goes, in steps from the whole to a part.
const MAX_DEPTH: usize = 16;
/// How many lines an explanation has at most.
const MAX_LINES: usize = 40;

/// What a part of an expression gave, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The part's source text on one line, or the loop's name for an element: `c`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// What it gave, cut off where it is long: `false`, `"latest"`, `error: no such key: tag`; empty for what may not be
    /// read.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Where the value stands: `spec.containers[1].image`, `oldObject.…`, `params.…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The index or key of the loop's element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// What made it so.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explanation>,
    /// How many more there are that are not shown: elements of the same outcome, or parts.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// An expression to explain: it is evaluated once more, with its parts reporting.
#[derive(Clone, Copy)]
pub struct Question<'a, 'q> {
    /// The expression, compiled with probes.
    pub program: &'a Program,
    /// The variables that it may read, compiled with probes.
    pub variables: &'a [Variable],
    /// The values that it sees.
    pub inputs: Inputs<'a>,
    /// The documents in which values are looked for, by name.
    pub roots: &'q [Root<'a>],
}

/// Evaluates an expression within `budget` and says why it came out so; `None` for a program without probes.
pub fn explain<'a>(arena: &'a Arena, question: Question<'a, '_>, budget: u64) -> Option<Explanation> {
    let Question { program, variables, inputs, .. } = question;
    if program.sites().is_empty() {
        return None;
    }
    let trace = Rc::new(Trace::default());
    let mut evaluator = Evaluator::new(arena, inputs, variables, budget, None).with_recorder(trace.clone());
    // What it gives is what the trace ends with.
    let _ = evaluator.evaluate(program);
    explain_trace(&trace, question)
}

/// Says why an expression came out as `trace` has it, which was the recorder of its evaluation.
pub fn explain_trace<'a>(trace: &Trace<'a>, question: Question<'a, '_>) -> Option<Explanation> {
    let Question { program, variables, roots, .. } = question;
    let parts = trace.take();
    let whole = parts.last()?;
    let writer = Writer { program, variables, roots, is_confidential: roots.iter().any(|root| root.is_confidential) };
    let mut explanation = writer.value(whole);
    explanation.parts = writer.reasons(whole, MAX_DEPTH);
    let mut lines = MAX_LINES;
    explanation.shorten(&mut lines);
    Some(explanation)
}

impl Explanation {
    /// Drops what is beyond so many lines.
    fn shorten(&mut self, lines: &mut usize) {
        let mut kept = 0;
        for part in &mut self.parts {
            let Some(left) = lines.checked_sub(1) else { break };
            *lines = left;
            part.shorten(lines);
            kept += 1;
        }
        self.more += self.parts.drain(kept..).len();
    }

    /// The lines of the parts, each with how deep it stands; what it explains has its own line elsewhere.
    pub fn lines(&self) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        self.parts.iter().for_each(|part| part.write(0, &mut lines));
        if self.more > 0 {
            lines.push((0, format!("and {} more", self.more)));
        }
        lines
    }

    fn write(&self, depth: usize, lines: &mut Vec<(usize, String)>) {
        lines.push((depth, self.line()));
        self.parts.iter().for_each(|part| part.write(depth + 1, lines));
        if self.more > 0 {
            lines.push((depth + 1, format!("and {} more", self.more)));
        }
    }

    fn line(&self) -> String {
        let at = |path: &Option<String>| path.as_ref().map(|path| format!(" ({path})")).unwrap_or_default();
        match &self.element {
            Some(element) if element.is_empty() => format!("for {}{}", self.expression, at(&self.path)),
            Some(element) => format!("for {} = {element}{}", self.expression, at(&self.path)),
            None if self.value.is_empty() => format!("{} (not shown: it may hold a secret)", self.expression),
            None => format!("{} is {}{}", self.expression, self.value, at(&self.path)),
        }
    }

    /// Changes each path to one of the object that the user wrote.
    pub fn relocate(&mut self, relocate: &dyn Fn(&str) -> String) {
        if let Some(path) = &mut self.path {
            *path = relocate(path);
        }
        self.parts.iter_mut().for_each(|part| part.relocate(relocate));
    }
}

struct Writer<'a, 'q> {
    program: &'a Program,
    variables: &'a [Variable],
    roots: &'q [Root<'a>],
    /// Whether a value may be made of something confidential.
    is_confidential: bool,
}

impl<'a> Writer<'a, '_> {
    fn site(&self, part: &Part<'a>) -> Option<&'a Site> {
        let program: &Program = match part.scope {
            Scope::Expression => self.program,
            Scope::Variable(at) => self.variables.get(at)?.1.as_ref().ok().map(Arc::as_ref)?,
        };
        program.sites().get(part.site)
    }

    fn shape(&self, part: &Part<'a>) -> Shape {
        self.site(part).map_or(Shape::Other, |site| site.shape.clone())
    }

    /// What a part gave, without what made it so.
    fn value(&self, part: &Part<'a>) -> Explanation {
        let expression = self.site(part).map(|site| site.text.clone()).unwrap_or_default();
        let found = part.outcome.as_ref().ok().and_then(|value| match value {
            Value::Optional(Some(inner)) => locate(self.roots, inner),
            value => locate(self.roots, value),
        });
        let value = match &part.outcome {
            Ok(value) => self.text(value, found.as_ref()),
            Err(_) if self.is_confidential => "an error".to_owned(),
            Err(error) => format!("an error: {}", root_cause(error)),
        };
        // A name says where it stands by itself.
        let path =
            found.map(|found| found.text()).filter(|path| *path != expression && *path != without_root(&expression));
        Explanation { expression, value, path, ..Explanation::default() }
    }

    /// A value in few words; none where it may hold something that nobody may read.
    fn text(&self, value: &Value<'a>, found: Option<&Found<'a>>) -> String {
        let is_shown = !self.is_confidential
            || match (value, found) {
                (Value::Bool(_) | Value::Null, _) => true,
                (_, Some(found)) => !found.is_confidential() && matches!(value, Value::String(_)),
                _ => false,
            };
        if is_shown { short(value) } else { String::new() }
    }

    /// What made a part give what it gave.
    fn reasons(&self, part: &Part<'a>, depth: usize) -> Vec<Explanation> {
        let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
        if part.outcome.is_err() {
            return self.failure(part, depth);
        }
        match (self.shape(part), &part.outcome) {
            (Shape::And, Ok(Value::Bool(value))) => self.terms(part, *value, false, depth),
            (Shape::Or, Ok(Value::Bool(value))) => self.terms(part, *value, true, depth),
            (Shape::Not, _) => part.parts.iter().flat_map(|part| self.decided(part, depth)).collect(),
            (Shape::Conditional, _) => part.parts.iter().flat_map(|part| self.decided(part, depth)).collect(),
            (Shape::All(names), Ok(Value::Bool(value))) => self.elements(part, &names, *value, depth),
            (Shape::Exists(names), Ok(Value::Bool(value))) => self.elements(part, &names, *value, depth),
            // What was filtered: the elements that passed.
            (Shape::Exists(names), _) => self.elements(part, &names, true, depth),
            (Shape::Variable, _) => {
                let inner = part.parts.iter().filter(|inner| inner.scope != part.scope);
                inner.filter(|inner| self.is_looked_into(inner)).flat_map(|inner| self.reasons(inner, depth)).collect()
            }
            (Shape::Collect, _) => part
                .parts
                .iter()
                .filter(|inner| inner.element.is_none())
                .take(1)
                .map(|inner| self.leaf(inner, depth))
                .collect(),
            (Shape::Name, _) => Vec::new(),
            _ => part.parts.iter().map(|inner| self.leaf(inner, depth)).collect(),
        }
    }

    /// Whether more is to be said of a variable than its value: what decides, and what was chosen of a list.
    fn is_looked_into(&self, whole: &Part<'a>) -> bool {
        matches!(whole.outcome, Ok(Value::Bool(_)) | Err(_))
            || matches!(self.shape(whole), Shape::Exists(_) | Shape::Collect | Shape::Conditional)
    }

    /// A part as the reasons of the whole that it decided: what is made of others gives way to them.
    fn decided(&self, part: &Part<'a>, depth: usize) -> Vec<Explanation> {
        match self.shape(part) {
            Shape::And | Shape::Or | Shape::Not | Shape::Conditional if !part.parts.is_empty() => {
                self.reasons(part, depth)
            }
            _ => vec![self.leaf(part, depth)],
        }
    }

    fn leaf(&self, part: &Part<'a>, depth: usize) -> Explanation {
        Explanation { parts: self.reasons(part, depth), ..self.value(part) }
    }

    /// The terms of `&&` (decided by false) or `||` (decided by true) that made it `value`.
    fn terms(&self, part: &Part<'a>, value: bool, deciding: bool, depth: usize) -> Vec<Explanation> {
        let made = |term: &&Part<'a>| value != deciding || matches!(&term.outcome, Ok(Value::Bool(b)) if *b == value);
        part.parts.iter().filter(made).flat_map(|term| self.decided(term, depth)).collect()
    }

    /// The elements on which the predicate of a loop gave `value`.
    fn elements(&self, part: &Part<'a>, names: &Variables, value: bool, depth: usize) -> Vec<Explanation> {
        let (range, rest): (Vec<_>, Vec<_>) = part.parts.iter().partition(|inner| inner.element.is_none());
        let predicates: Vec<_> =
            rest.into_iter().filter(|inner| matches!(&inner.outcome, Ok(Value::Bool(b)) if *b == value)).collect();
        let range = range.first();
        if predicates.is_empty() {
            // Nothing to name: an empty list, or none that passed.
            return range.map(|range| self.leaf(range, depth)).into_iter().collect();
        }
        let shown = predicates.len();
        let mut explained: Vec<_> = predicates
            .into_iter()
            .map(|predicate| Explanation {
                parts: self.decided(predicate, depth),
                ..self.element(predicate, range.copied(), names)
            })
            .collect();
        let Elements { were_true, were_false, .. } = part.elements;
        if let Some(last) = explained.last_mut() {
            last.more = (if value { were_true } else { were_false }).saturating_sub(shown);
        }
        explained
    }

    /// Which element a predicate was evaluated for.
    fn element(&self, predicate: &Part<'a>, range: Option<&Part<'a>>, names: &Variables) -> Explanation {
        let Some(at) = predicate.element else { return Explanation::default() };
        let range = range.and_then(|range| range.outcome.as_ref().ok());
        let is_list = matches!(range, None | Some(Value::List(_)));
        let (key, element, name) = match (at.element.second, &names.second) {
            (Some(second), Some(name)) => (Some(at.element.first), second, name),
            _ if is_list => (None, at.element.first, &names.first),
            _ => (Some(at.element.first), at.element.first, &names.first),
        };
        let of_range = || match range? {
            Value::List(List::Json(_)) => Some(locate(self.roots, range?)?.element(at.ordinal)),
            _ => None,
        };
        let found = locate(self.roots, &element).or_else(of_range);
        let position = match key {
            Some(key) if !is_list => self.text(&key, None),
            _ => format!("[{}]", at.ordinal),
        };
        // A scalar is short enough to be shown beside its place.
        let scalar = match element {
            Value::List(_) | Value::Map(_) | Value::Struct(_) => String::new(),
            value => self.text(&value, found.as_ref()),
        };
        let element = match scalar.as_str() {
            "" => position,
            scalar if is_list => format!("{position} {scalar}"),
            _ => position,
        };
        let path = found.map(|found| found.text());
        Explanation { expression: name.clone(), element: Some(element), path, ..Explanation::default() }
    }

    /// Where an error comes from: the innermost part that failed, with what stands beside it.
    fn failure(&self, part: &Part<'a>, depth: usize) -> Vec<Explanation> {
        let names = match self.shape(part) {
            Shape::All(names) | Shape::Exists(names) => Some(names),
            _ => None,
        };
        let Some(failed) = part.parts.iter().find(|inner| inner.outcome.is_err()) else {
            return part.parts.iter().map(|inner| self.leaf(inner, depth)).collect();
        };
        let deeper = Explanation { parts: self.failure_below(failed, depth), ..self.value(failed) };
        match (failed.element, names) {
            (Some(_), Some(names)) => {
                let range = part.parts.iter().find(|inner| inner.element.is_none());
                vec![Explanation { parts: vec![deeper], ..self.element(failed, range, &names) }]
            }
            _ => vec![deeper],
        }
    }

    fn failure_below(&self, part: &Part<'a>, depth: usize) -> Vec<Explanation> {
        depth.checked_sub(1).map(|depth| self.failure(part, depth)).unwrap_or_default()
    }
}

/// What an error says first hand: a variable's is wrapped in what reads it.
fn root_cause(error: &Error) -> String {
    let text = error.to_string();
    let cause = text.rsplit_once(" fails to evaluate: ").map(|(_, cause)| cause.to_owned());
    short_text(cause.unwrap_or(text))
}

fn short_text(text: String) -> String {
    match text.char_indices().nth(text::MAX_VALUE) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn without_root(expression: &str) -> &str {
    expression.strip_prefix("object.").unwrap_or(expression)
}

#[cfg(test)]
mod tests;
