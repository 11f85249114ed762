//! Which parts of a tree report when it is evaluated, and what each has to have given for its branches to be covered.

use std::collections::HashMap;

use crate::cel::check::Checked;
use crate::cel::check::issues::Place;
use crate::cel::check::types::Type;
use crate::cel::probe::{Shape, Site, Variables, Wanted};
use crate::cel::syntax::ast::{Comprehension, Expr, Fold, Kind, Literal};
use crate::cel::syntax::unparse::{optional_map, unparse};

/// The longest text that a site keeps, in characters.
const MAX_TEXT: usize = 240;

/// The parts of one program.
#[derive(Debug)]
pub(super) struct Sites<'s> {
    source: &'s str,
    /// By the id of the node.
    wanted: HashMap<u32, Wanted>,
    pub sites: Vec<Site>,
    /// The boolean that the whole is whatever the inputs are.
    pub fixed: Option<bool>,
}

impl<'s> Sites<'s> {
    /// Finds the branches of `expr`. A boolean at its top is judged as a whole, wherever it stands.
    pub fn new(source: &'s str, checked: &Checked, expr: &Expr) -> Self {
        let mut branches = Branches { checked, wanted: HashMap::new() };
        branches.value(expr);
        Self { source, wanted: branches.wanted, sites: Vec::new(), fixed: fixed_boolean(expr) }
    }

    /// Adds the site of a part; its number.
    pub fn add(&mut self, expr: &Expr, shape: Shape) -> usize {
        let Place { line, column } = Place::of(self.source, start(self.source, expr));
        let text = unparse(expr).unwrap_or_default();
        let text = match text.char_indices().nth(MAX_TEXT) {
            Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
            None => text,
        };
        let wanted = self.wanted.get(&expr.id).copied().unwrap_or_default();
        self.sites.push(Site { line, column, text, wanted, shape });
        self.sites.len() - 1
    }
}

/// How a part comes to its value.
pub(super) fn shape(expr: &Expr) -> Shape {
    match &expr.kind {
        Kind::Call { function, .. } => match function.as_str() {
            "_&&_" => Shape::And,
            "_||_" => Shape::Or,
            "!_" => Shape::Not,
            "_?_:_" => Shape::Conditional,
            "_[_]" | "_[?_]" | "_?._" => Shape::Name,
            _ => Shape::Other,
        },
        Kind::Comprehension(fold) => {
            let variables = || Variables { first: fold.var.clone(), second: fold.var2.clone() };
            match fold.fold {
                Fold::All => Shape::All(variables()),
                Fold::Exists | Fold::ExistsOne => Shape::Exists(variables()),
                Fold::Collect | Fold::Insert if filter(fold).is_some() => Shape::Exists(variables()),
                Fold::Collect | Fold::Insert => Shape::Collect,
                Fold::Bind => Shape::Other,
            }
        }
        Kind::Select { operand, .. } if matches!(&operand.kind, Kind::Ident(name) if name == "variables") => {
            Shape::Variable
        }
        Kind::Select { .. } | Kind::Ident(_) => Shape::Name,
        _ => Shape::Other,
    }
}

/// The first byte of a part: an operator's own offset is that of its sign, a call's that of its parenthesis.
fn start(source: &str, expr: &Expr) -> u32 {
    let own = match &expr.kind {
        Kind::Select { test: true, .. } => before(source, expr.offset, "has"),
        Kind::Call { function, target: None, .. } => before(source, expr.offset, function),
        _ => expr.offset,
    };
    expr.children().into_iter().map(|child| start(source, child)).min().map_or(own, |least| least.min(own))
}

/// Where the name begins that ends at `offset`.
fn before(source: &str, offset: u32, name: &str) -> u32 {
    let text = source.get(..offset as usize).unwrap_or_default().trim_end();
    text.strip_suffix(name).map_or(offset, |before| u32::try_from(before.len()).unwrap_or(offset))
}

/// Which elements a loop that makes something takes.
fn filter(fold: &Comprehension) -> Option<&Expr> {
    match &fold.step.kind {
        Kind::Call { function, args, .. } if function == "_?_:_" => args.first(),
        _ => None,
    }
}

/// Finds the branches of a tree.
struct Branches<'c> {
    checked: &'c Checked,
    wanted: HashMap<u32, Wanted>,
}

impl Branches<'_> {
    fn want(&mut self, expr: &Expr, wanted: Wanted) {
        if !is_fixed(expr) {
            self.wanted.entry(expr.id).or_insert(wanted);
        }
    }

    /// Something that decides: it has to be true once and false once. What is made of others is so if they are.
    fn decision(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Call { function, .. } if matches!(function.as_str(), "_&&_" | "_||_" | "_?_:_") => {
                self.value(expr);
            }
            Kind::Call { function, args, .. } if function == "!_" => args.iter().for_each(|arg| self.decision(arg)),
            _ => {
                self.want(expr, Wanted::BothSides);
                self.value(expr);
            }
        }
    }

    /// A part whose value counts: the decisions in it.
    fn value(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Literal(_) | Kind::Ident(_) => {}
            Kind::Call { function, args, .. } if matches!(function.as_str(), "_&&_" | "_||_") => {
                let deciding = function == "_||_";
                for arg in args {
                    match fixed_boolean(arg) {
                        // Nothing after it is ever looked at.
                        Some(value) if value == deciding => break,
                        Some(_) => {}
                        None => self.decision(arg),
                    }
                }
            }
            Kind::Call { function, args, .. } if function == "_?_:_" => self.conditional(args),
            // What is made of decisions is one.
            Kind::Call { function, args, .. } if function == "!_" => args.iter().for_each(|arg| self.value(arg)),
            Kind::Call { target, args, .. } => {
                target.as_deref().into_iter().chain(args).for_each(|arg| self.value(arg))
            }
            Kind::Select { operand, .. } => self.value(operand),
            Kind::List(elements) => {
                for element in elements {
                    self.part(&element.value, element.optional);
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    self.value(&entry.key);
                    self.part(&entry.value, entry.optional);
                }
            }
            Kind::Struct { type_name, fields } => {
                if type_name == "JSONPatch" {
                    self.wanted.insert(expr.id, Wanted::Reached);
                }
                for field in fields {
                    self.part(&field.value, field.optional);
                }
            }
            Kind::Comprehension(fold) => self.comprehension(fold),
        }
    }

    fn part(&mut self, expr: &Expr, optional: bool) {
        // `?a: c ? optional.of(b) : optional.none()` has its sides already.
        if optional && !is_conditional(expr) {
            self.want(expr, Wanted::Presence);
        }
        self.value(expr);
    }

    fn conditional(&mut self, args: &[Expr]) {
        let [condition, yes, no] = args else { return };
        if let Some((target, _, _, body)) = optional_map(args) {
            // The value is a copy of the target, and is there where the condition is true.
            self.want(condition, Wanted::BothSides);
            self.value(target);
            self.value(body);
            return;
        }
        match fixed_boolean(condition) {
            Some(true) => self.side(yes),
            Some(false) => self.side(no),
            None => {
                self.decision(condition);
                self.side(yes);
                self.side(no);
            }
        }
    }

    /// A side of a conditional. Where it is a boolean it decides what the whole does.
    fn side(&mut self, expr: &Expr) {
        if *self.checked.type_of(expr) == Type::Bool { self.decision(expr) } else { self.value(expr) }
    }

    fn comprehension(&mut self, fold: &Comprehension) {
        if fold.fold == Fold::Bind {
            self.value(&fold.init);
            self.value(&fold.result);
            return;
        }
        self.value(&fold.range);
        let Kind::Call { args, .. } = &fold.step.kind else { return };
        match (fold.fold, args.as_slice()) {
            (Fold::All | Fold::Exists, [_, predicate]) | (Fold::ExistsOne, [predicate, ..]) => self.decision(predicate),
            _ => {
                let step = match (filter(fold), args.get(1)) {
                    (Some(filter), Some(step)) => {
                        self.decision(filter);
                        step
                    }
                    _ => &fold.step,
                };
                self.step(fold, step);
            }
        }
    }

    /// What a loop adds for an element; a filter that is seen true has it evaluated.
    fn step(&mut self, fold: &Comprehension, step: &Expr) {
        let Kind::Call { args, .. } = &step.kind else { return };
        for arg in args.iter().skip(1) {
            let value = match &arg.kind {
                Kind::List(elements) if fold.fold == Fold::Collect => elements.first().map(|element| &element.value),
                _ => Some(arg),
            };
            let Some(value) = value else { continue };
            let is_variable = matches!(&value.kind, Kind::Ident(name) if *name == fold.var);
            if filter(fold).is_none() && !is_variable {
                self.want(value, Wanted::Reached);
            }
            self.value(value);
        }
    }
}

fn is_conditional(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::Call { function, .. } if function == "_?_:_")
}

/// Whether an expression has one value whatever the inputs are: no name stands in it.
fn is_fixed(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Ident(_) => false,
        Kind::Comprehension(_) => false,
        _ => expr.children().into_iter().all(is_fixed),
    }
}

/// The boolean that an expression is whatever the inputs are, where its operators alone show it.
fn fixed_boolean(expr: &Expr) -> Option<bool> {
    match &expr.kind {
        Kind::Literal(Literal::Bool(value)) => Some(*value),
        Kind::Call { function, args, .. } => match (function.as_str(), args.as_slice()) {
            ("!_", [operand]) => fixed_boolean(operand).map(|value| !value),
            ("_&&_" | "_||_", terms) => {
                let deciding = function == "_||_";
                let mut values = terms.iter().map(fixed_boolean);
                if values.clone().any(|value| value == Some(deciding)) {
                    return Some(deciding);
                }
                values.all(|value| value == Some(!deciding)).then_some(!deciding)
            }
            ("_?_:_", [condition, yes, no]) => match fixed_boolean(condition) {
                Some(true) => fixed_boolean(yes),
                Some(false) => fixed_boolean(no),
                None => fixed_boolean(yes).filter(|value| fixed_boolean(no) == Some(*value)),
            },
            _ => None,
        },
        _ => None,
    }
}
