//! What an expression looks at of `object`: an upper bound, found on its syntax tree.
//!
//! Two evaluations whose objects differ elsewhere give one result, at one cost. A value is followed through names,
//! lists, maps and the functions that hand on what they get; every other function looks at all of its arguments.

use std::collections::{BTreeMap, BTreeSet};

use super::program::Variable;
use super::syntax::ast::{Comprehension, Expr, Kind, Literal};

/// Separates the steps of a path; a field of such a name isn't followed.
const STEP: char = '\0';
/// The step to the elements of a list; a field of such a name isn't followed.
const ELEMENT: &str = "[]";
/// Beyond so many paths an expression counts as looking at everything.
const MAX_PATHS: usize = 256;
/// Beyond so many steps, or so many values within values, a value counts as looked at altogether.
const MAX_DEPTH: usize = 16;
/// Beyond so many steps of this search an expression counts as looking at everything: folds within folds take twice as
/// many each.
const MAX_STEPS: usize = 20_000;

/// How much of the value at a path is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// Whether it is there, and what it is if it is neither list nor object.
    Presence,
    /// Also how many elements a list has, and what members an object has, with their values.
    Members,
    /// All of it.
    All,
}

/// A step of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'r> {
    /// To a member.
    Field(&'r str),
    /// To any of the elements of a list.
    Element,
}

/// The parts of `object` that an expression looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<String, Depth>);

impl Reads {
    /// Each path with its depth; no step is the whole object.
    pub fn paths(&self) -> impl Iterator<Item = (impl Iterator<Item = Step<'_>>, Depth)> {
        let step = |text| if text == ELEMENT { Step::Element } else { Step::Field(text) };
        self.0.iter().map(move |(path, depth)| (path.split(STEP).skip(1).map(step), *depth))
    }

    /// Adds those of another expression.
    pub fn extend(&mut self, other: &Self) {
        other.0.iter().for_each(|(path, depth)| self.add(path, *depth));
    }

    fn add(&mut self, path: &str, depth: Depth) {
        if self.0.get("") == Some(&Depth::All) {
            return;
        }
        let count = self.0.len();
        match self.0.get_mut(path) {
            Some(known) => *known = depth.max(*known),
            None if count < MAX_PATHS => {
                self.0.insert(path.to_owned(), depth);
            }
            None => self.add_everything(),
        }
    }

    fn add_everything(&mut self) {
        self.0 = BTreeMap::from([(String::new(), Depth::All)]);
    }
}

/// An expression as others see it: what it looks at, and what it hands on without a look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub reads: Reads,
    value: Shape,
}

impl Flow {
    /// Follows `expr`, in which `variables` are known.
    pub fn of(expr: &Expr, variables: &[Variable]) -> Self {
        let mut walk = Walk { variables, locals: Vec::new(), reads: Reads::default(), steps: MAX_STEPS };
        let value = walk.expr(expr);
        if walk.steps == 0 {
            walk.reads.add_everything();
        }
        Self { reads: walk.reads, value }
    }

    /// All that is looked at if the value is, too.
    pub fn reads_with_value(&self) -> Reads {
        let mut walk = Walk { variables: &[], locals: Vec::new(), reads: self.reads.clone(), steps: 0 };
        walk.look_at(&self.value);
        walk.reads
    }
}

/// What a value may be of the object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// The value at one of these paths.
    paths: BTreeSet<String>,
    /// A list of such elements.
    elements: Option<Box<Shape>>,
    /// A map with such members.
    members: Vec<(String, Shape)>,
}

impl Shape {
    fn at(path: String) -> Self {
        Self { paths: BTreeSet::from([path]), ..Self::default() }
    }

    /// What is one or the other.
    fn or(mut self, other: Self) -> Self {
        self.paths.extend(other.paths);
        self.elements = match (self.elements, other.elements) {
            (Some(ours), Some(theirs)) => Some(Box::new(ours.or(*theirs))),
            (ours, theirs) => ours.or(theirs),
        };
        for (name, theirs) in other.members {
            match self.members.iter_mut().find(|(known, _)| *known == name) {
                Some((_, ours)) => *ours = std::mem::take(ours).or(theirs),
                None => self.members.push((name, theirs)),
            }
        }
        self
    }

    fn depth(&self) -> usize {
        let within = self.elements.as_deref().into_iter().chain(self.members.iter().map(|(_, member)| member));
        1 + within.map(Shape::depth).max().unwrap_or_default()
    }
}

struct Walk<'x> {
    variables: &'x [Variable],
    locals: Vec<(&'x str, Shape)>,
    reads: Reads,
    /// How many more there may be.
    steps: usize,
}

impl<'x> Walk<'x> {
    fn expr(&mut self, expr: &'x Expr) -> Shape {
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 {
            return Shape::default();
        }
        match &expr.kind {
            Kind::Literal(_) => Shape::default(),
            Kind::Ident(name) => self.name(name),
            Kind::Select { operand, field, test } => match &operand.kind {
                Kind::Ident(name) if name == "variables" && self.local(name).is_none() => self.variable(field),
                _ => {
                    let operand = self.expr(operand);
                    let member = self.member(&operand, field);
                    if *test { Shape::default() } else { member }
                }
            },
            Kind::Call { function, target, args } => self.call(function, target.as_deref(), args),
            Kind::List(elements) => {
                let all = elements.iter().fold(Shape::default(), |all, element| all.or(self.expr(&element.value)));
                self.within_bounds(Shape { elements: Some(Box::new(all)), ..Shape::default() })
            }
            Kind::Map(entries) => {
                let mut members = Shape::default();
                for entry in entries {
                    self.consume(&entry.key);
                    let value = self.expr(&entry.value);
                    match literal(&entry.key) {
                        Some(name) => {
                            members = members.or(Shape { members: vec![(name.to_owned(), value)], ..Shape::default() });
                        }
                        None => self.look_at(&value),
                    }
                }
                self.within_bounds(members)
            }
            Kind::Struct { fields, .. } => {
                fields.iter().for_each(|field| self.consume(&field.value));
                Shape::default()
            }
            Kind::Comprehension(fold) => self.fold(fold),
        }
    }

    /// Follows an expression whose value is looked at.
    fn consume(&mut self, expr: &'x Expr) {
        let value = self.expr(expr);
        self.look_at(&value);
    }

    fn local(&self, name: &str) -> Option<&Shape> {
        self.locals.iter().rev().find(|(known, _)| *known == name).map(|(_, shape)| shape)
    }

    fn name(&mut self, name: &str) -> Shape {
        if let Some(shape) = self.local(name) {
            return shape.clone();
        }
        match name.trim_start_matches('.') {
            "object" => Shape::at(String::new()),
            // Nobody says which.
            "variables" => {
                self.reads.add("", Depth::All);
                Shape::default()
            }
            _ => Shape::default(),
        }
    }

    fn variable(&mut self, name: &str) -> Shape {
        let known = self.variables.iter().find(|(known, _)| known == name);
        let Some((_, Ok(program))) = known else { return Shape::default() };
        self.reads.extend(&program.flow().reads);
        program.flow().value.clone()
    }

    /// The member of that name.
    fn member(&mut self, of: &Shape, name: &str) -> Shape {
        if name.contains(STEP) || name == ELEMENT {
            self.look_at(of);
            return Shape::default();
        }
        let mut member = of.members.iter().find(|(known, _)| known == name).map(|(_, m)| m.clone()).unwrap_or_default();
        member.paths.extend(of.paths.iter().map(|path| format!("{path}{STEP}{name}")));
        self.presence(&member);
        self.within_bounds(member)
    }

    /// Any element of a list.
    fn element(&mut self, of: &Shape) -> Shape {
        self.count(of);
        // Of a map these are keys.
        let mut element = of.elements.as_deref().cloned().unwrap_or_default();
        element.paths.extend(of.paths.iter().map(|path| format!("{path}{STEP}{ELEMENT}")));
        self.presence(&element);
        self.within_bounds(element)
    }

    fn call(&mut self, function: &str, target: Option<&'x Expr>, args: &'x [Expr]) -> Shape {
        match (function, target, args) {
            ("_?._" | "_[_]" | "_[?_]", None, [operand, key]) => {
                let operand = self.expr(operand);
                match literal(key) {
                    Some(name) => self.member(&operand, name),
                    None if is_index(key) => self.element(&operand),
                    None => {
                        self.consume(key);
                        self.look_at(&operand);
                        Shape::default()
                    }
                }
            }
            ("_?_:_", None, [condition, yes, no]) => {
                self.consume(condition);
                self.expr(yes).or(self.expr(no))
            }
            ("_+_", None, [a, b]) => {
                let both = self.expr(a).or(self.expr(b));
                // What joining lists costs goes by their lengths.
                self.count(&both);
                self.within_bounds(both)
            }
            ("dyn" | "optional.of", None, [value]) | ("of", Some(_), [value]) => self.expr(value),
            ("or" | "orValue", Some(value), [other]) => self.expr(value).or(self.expr(other)),
            ("value", Some(value), []) => self.expr(value),
            ("hasValue", Some(value), []) => {
                self.expr(value);
                Shape::default()
            }
            ("size", Some(list), []) | ("size", None, [list]) => {
                let list = self.expr(list);
                self.count(&list);
                Shape::default()
            }
            // Whether it is null is seen by its presence.
            ("_==_" | "_!=_", None, [value, null] | [null, value])
                if matches!(null.kind, Kind::Literal(Literal::Null)) =>
            {
                self.expr(value);
                Shape::default()
            }
            _ => {
                target.into_iter().chain(args).for_each(|operand| self.consume(operand));
                Shape::default()
            }
        }
    }

    fn fold(&mut self, fold: &'x Comprehension) -> Shape {
        let range = self.expr(&fold.range);
        let element = self.element(&range);
        // Keys of a map that an expression made are known to it; its values may be met as the second variable.
        let values = range.members.into_iter().fold(Shape::default(), |all, (_, member)| all.or(member));
        let bound = self.locals.len();
        let mut result = self.expr(&fold.init);
        // What is added with each turn comes from the element and from what is there; so it soon stays the same.
        loop {
            self.locals.push((fold.accumulator.as_str(), result.clone()));
            match &fold.var2 {
                Some(second) => {
                    self.locals.push((fold.var.as_str(), Shape::default()));
                    self.locals.push((second.as_str(), element.clone().or(values.clone())));
                }
                None => self.locals.push((fold.var.as_str(), element.clone())),
            }
            self.consume(&fold.condition);
            let next = result.clone().or(self.expr(&fold.step));
            self.locals.truncate(bound);
            if next == result || self.steps == 0 {
                break;
            }
            result = self.within_bounds(next);
        }
        self.locals.push((fold.accumulator.as_str(), result));
        let result = self.expr(&fold.result);
        self.locals.truncate(bound);
        result
    }

    fn presence(&mut self, shape: &Shape) {
        shape.paths.iter().for_each(|path| self.reads.add(path, Depth::Presence));
    }

    fn count(&mut self, shape: &Shape) {
        shape.paths.iter().for_each(|path| self.reads.add(path, Depth::Members));
    }

    fn look_at(&mut self, shape: &Shape) {
        shape.paths.iter().for_each(|path| self.reads.add(path, Depth::All));
        let within = shape.elements.as_deref().into_iter().chain(shape.members.iter().map(|(_, member)| member));
        within.for_each(|within| self.look_at(within));
    }

    /// The shape, or one that says nothing where it grew too large: then all of it counts as looked at.
    fn within_bounds(&mut self, shape: Shape) -> Shape {
        let is_long = |path: &String| path.matches(STEP).count() > MAX_DEPTH;
        if shape.paths.len() <= MAX_DEPTH && !shape.paths.iter().any(is_long) && shape.depth() <= MAX_DEPTH {
            return shape;
        }
        self.look_at(&shape);
        Shape::default()
    }
}

fn literal(key: &Expr) -> Option<&str> {
    match &key.kind {
        Kind::Literal(Literal::String(name)) => Some(name),
        _ => None,
    }
}

fn is_index(key: &Expr) -> bool {
    matches!(key.kind, Kind::Literal(Literal::Int(_)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cel::{Env, Expect, Program};

    /// What an expression looks at: `?` ends a path whose presence counts, `*` one whose members do, `.` all of it.
    fn reads(source: &str, variables: &[(&str, &str)]) -> String {
        let mut env = Env { minor: 36, params: true, authorizer: true, patch_types: true, ..Env::default() };
        for (name, source) in variables {
            let program = Program::compile(source, &env, Expect::Any).expect(source);
            env.variables.push(((*name).to_owned(), Ok(Arc::new(program))));
        }
        let reads = Program::compile(source, &env, Expect::Any).expect(source).reads();
        let text = |(path, depth): (_, Depth)| {
            let steps: Vec<&str> = Iterator::map(path, |step| match step {
                Step::Field(name) => name,
                Step::Element => ELEMENT,
            })
            .collect();
            let end = match depth {
                Depth::Presence => "?",
                Depth::Members => "*",
                Depth::All => ".",
            };
            steps.join("/") + end
        };
        reads.paths().map(text).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn values_are_followed_to_where_they_are_looked_at() {
        for (source, expected) in [
            ("1 + 1", ""),
            ("params.a == oldObject.b", ""),
            ("object", "."),
            ("object.a.b == 1", "a? a/b."),
            ("has(object.a.b)", "a? a/b?"),
            ("object.?a.?b.orValue('x') == 'y'", "a? a/b."),
            ("object.?a.?b.hasValue()", "a? a/b?"),
            ("object['a']['b'] == 1", "a? a/b."),
            ("object.a[0].b == 1", "a* a/[]? a/[]/b."),
            ("object.a[request.name] == 1", "a."),
            ("object.a == null", "a?"),
            ("size(object.a) == 1", "a*"),
            ("object.a.all(x, x.b > 1)", "a* a/[]? a/[]/b."),
            ("object.a.exists(k, v, v.b > 1)", "a* a/[]? a/[]/b."),
            ("object.a.filter(x, has(x.b)).map(x, x.c)[0] == 1", "a* a/[]? a/[]/b? a/[]/c."),
            ("(object.a + object.b).exists(x, x.c)", "a* a/[]? a/[]/c. b* b/[]? b/[]/c."),
            ("[object.a, object.b].all(x, x.c == 1)", "a? a/c. b? b/c."),
            ("{'x': object.a, 'y': object.b}.x.c == 1", "a? a/c. b?"),
            ("object.a.map(x, {'i': x, 'n': dyn(1)}).all(e, e.i.b == e.n)", "a* a/[]? a/[]/b."),
            (
                "object.a.transformList(i, x, {'at': dyn(string(i)), 'spec': x}).all(e, has(e.spec.b))",
                "a* a/[]? a/[]/b?",
            ),
            ("(object.a ? object.b : object.c).d == 1", "a. b? b/d. c? c/d."),
            ("object.?a.optMap(x, x.b).orValue(1) == 1", "a? a/b."),
            ("string(object.a)", "a."),
            ("'k' in object.a", "a."),
            ("object.a", "a."),
            ("JSONPatch{op: 'add', path: '/a', value: object.b}", "b."),
            ("object['[]'] == 1", "."),
        ] {
            assert_eq!(reads(source, &[]), expected, "{source}");
        }
    }

    #[test]
    fn variables_are_followed_too() {
        let variables = [("all", "object.a + object.?b.orValue([])"), ("one", "variables.all.filter(x, x.n == 'one')")];
        for (source, expected) in [
            ("variables.one.exists(x, x.c)", "a* a/[]? a/[]/c. a/[]/n. b* b/[]? b/[]/c. b/[]/n."),
            ("variables.all == []", "a. b."),
            ("[1].exists(variables, variables == 1)", ""),
        ] {
            assert_eq!(reads(source, &variables), expected, "{source}");
        }
    }

    #[test]
    fn an_expression_that_takes_long_to_follow_looks_at_everything() {
        let many: Vec<String> = (0..=MAX_PATHS).map(|at| format!("object.a{at} == 1")).collect();
        assert_eq!(reads(&many.join(" && "), &[]), ".");
        // Each fold is followed twice as often as the one around it.
        let nested = (0..16).fold("object.a".to_owned(), |list, at| format!("[1].map(x{at}, {list})"));
        let started = std::time::Instant::now();
        assert!(reads(&format!("{nested} == []"), &[]).contains('.'));
        assert!(started.elapsed().as_secs() < 30);
    }
}
