//! Finds what can be changed in an expression.

use super::super::check::Checked;
use super::super::check::types::Type;
use super::super::rewrite::passes_on;
use super::super::syntax::ast::{Comprehension, Expr, Fold, Kind, Literal};
use super::super::syntax::unparse::{optional_map, unparse};
use super::equivalent::{is_default, is_equivalent_default, is_prose};
use super::{MAX_MUTANTS, Operator};

/// What a string constant gets added: no path and no pattern has it, and a list of words has one word more.
const ADDED: &str = "~x";

/// How many characters of an expression a change quotes.
const QUOTED: usize = 70;

/// How many nodes the changes to an expression may hold together: some 100 MB.
const MAX_COPIED: usize = 1_000_000;

/// A node to be replaced.
pub(super) struct Edit {
    pub id: u32,
    pub offset: u32,
    pub operator: Operator,
    pub change: String,
    pub kind: Kind,
}

/// Walks over a tree and notes what can be changed.
pub(super) struct Finder<'e> {
    checked: &'e Checked,
    minor: u32,
    pub edits: Vec<Edit>,
    /// How many nodes the edits hold together: dropping each operand of a long chain copies the chain as often.
    pub copied: usize,
    /// The nodes around the current one, outermost first.
    around: Vec<&'e Expr>,
}

/// A comparison with its opposite, and with what it is when it takes in its limit, or leaves it out.
type Comparison = (&'static str, &'static str, Option<&'static str>);

const COMPARISONS: [Comparison; 6] = [
    ("_==_", "_!=_", None),
    ("_!=_", "_==_", None),
    ("_<_", "_>=_", Some("_<=_")),
    ("_<=_", "_>_", Some("_<_")),
    ("_>_", "_<=_", Some("_>=_")),
    ("_>=_", "_<_", Some("_>_")),
];

impl<'e> Finder<'e> {
    pub fn new(checked: &'e Checked, minor: u32) -> Self {
        Self { checked, minor, edits: Vec::new(), copied: 0, around: Vec::new() }
    }

    /// Whether there are more changes than anybody should wait for.
    pub fn is_too_much(&self) -> bool {
        self.edits.len() > MAX_MUTANTS || self.copied > MAX_COPIED
    }

    /// Notes the changes to a whole expression.
    pub fn whole(&mut self, expr: &'e Expr, decides: bool) {
        if decides && !is_constant(expr) {
            self.note(expr, Operator::Whole, "the whole becomes true".to_owned(), truth());
        }
        self.visit(expr, true, false);
    }

    /// `said`: whether strings in it become part of the expression's value. `negated`: whether it is the operand of a
    /// `!`, so that its opposite is what stands there without that.
    fn visit(&mut self, expr: &'e Expr, said: bool, negated: bool) {
        self.around.push(expr);
        match &expr.kind {
            Kind::Literal(literal) => self.constant(expr, literal, said),
            Kind::Ident(_) => self.test(expr, negated),
            Kind::Select { operand, test, .. } => {
                self.test(expr, negated);
                self.visit(operand, said && !test, false);
            }
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args, said, negated),
            Kind::List(elements) => {
                for (at, element) in elements.iter().enumerate() {
                    let is_removed = elements.len() > 1;
                    if is_removed {
                        let mut rest = elements.clone();
                        rest.remove(at);
                        let change = format!("{} is removed from the list", quoted(&element.value));
                        self.note_at(expr, &element.value, Operator::Element, change, Kind::List(rest));
                    }
                    // To remove a constant is to change it.
                    if !is_removed || !matches!(element.value.kind, Kind::Literal(_)) {
                        self.visit(&element.value, said, false);
                    }
                }
            }
            Kind::Map(entries) => {
                for (at, entry) in entries.iter().enumerate() {
                    if entries.len() > 1 {
                        let mut rest = entries.clone();
                        rest.remove(at);
                        let change = format!("{} is removed from the map", quoted(&entry.key));
                        self.note_at(expr, &entry.key, Operator::Element, change, Kind::Map(rest));
                    }
                    self.visit(&entry.key, false, false);
                    self.visit(&entry.value, said, false);
                }
            }
            Kind::Struct { type_name, fields } => {
                for (at, field) in fields.iter().enumerate() {
                    if fields.len() > 1 {
                        let mut rest = fields.clone();
                        rest.remove(at);
                        let kind = Kind::Struct { type_name: type_name.clone(), fields: rest };
                        let change = format!("the field {} is removed", field.name);
                        self.note_at(expr, &field.value, Operator::Element, change, kind);
                    }
                    self.visit(&field.value, said, false);
                }
            }
            Kind::Comprehension(fold) => self.fold(expr, fold, said),
        }
        self.around.pop();
    }

    fn call(
        &mut self,
        expr: &'e Expr,
        function: &'e str,
        target: Option<&'e Expr>,
        args: &'e [Expr],
        said: bool,
        negated: bool,
    ) {
        match (function, target, args) {
            ("_?_:_", None, args) if let Some((target, _, _, body)) = optional_map(args) => {
                self.visit(target, said, false);
                self.visit(body, said, false);
                return;
            }
            ("_?_:_", None, [condition, yes, no]) => {
                if !is_constant(condition) {
                    for (taken, word) in [(yes, "true"), (no, "false")] {
                        let change = format!("{} counts as {word}", quoted(condition));
                        self.note_at(expr, condition, Operator::Condition, change, taken.kind.clone());
                    }
                }
            }
            ("_&&_", None, terms) => self.terms(expr, function, terms, Operator::Conjunct),
            ("_||_", None, terms) => self.terms(expr, function, terms, Operator::Disjunct),
            ("!_", None, [operand]) => {
                if !matches!(&operand.kind, Kind::Call { function, target: None, .. } if comparison(function).is_some())
                {
                    let change = format!("{} becomes {}", quoted(expr), quoted(operand));
                    self.note(expr, Operator::Comparison, change, operand.kind.clone());
                }
                self.visit(operand, false, true);
                return;
            }
            ("_+_", None, [left, right]) if self.is_list(expr) => {
                for (dropped, rest) in [(left, right), (right, left)] {
                    // The operands of a longer sum are dropped one by one.
                    if !matches!(&dropped.kind, Kind::Call { function, .. } if function == "_+_") && !is_empty(dropped)
                    {
                        let change = format!("{} is dropped from the sum", quoted(dropped));
                        self.note_at(expr, dropped, Operator::List, change, rest.kind.clone());
                    }
                }
            }
            // A field's name is no constant that an author chose.
            ("_?._", None, [operand, _]) => return self.visit(operand, said, false),
            ("@in", None, [left, right]) if is_constant(left) && is_constant(right) => return,
            (_, None, [left, right]) if let Some(comparison) = comparison(function) => {
                if is_constant(left) && is_constant(right) {
                    return;
                }
                self.comparison(expr, comparison, left, right);
            }
            _ => self.test(expr, negated),
        }
        if let Some(target) = target {
            self.visit(target, said && passes_on(function, None), false);
        }
        let is_separator = function == "join";
        for (at, arg) in args.iter().enumerate() {
            self.visit(arg, said && (is_separator || passes_on(function, Some(at))), false);
        }
    }

    /// A comparison turned round, or with its limit moved where no constant does that.
    fn comparison(&mut self, expr: &Expr, (_, opposite, beside): Comparison, left: &Expr, right: &Expr) {
        let has_number = [left, right].iter().any(|side| matches!(side.kind, Kind::Literal(Literal::Int(_))));
        for function in [Some(opposite), beside.filter(|_| !has_number)].into_iter().flatten() {
            let kind =
                Kind::Call { function: function.to_owned(), target: None, args: vec![left.clone(), right.clone()] };
            let change = format!("{} becomes {}", quoted(expr), quoted_kind(&kind));
            self.note(expr, Operator::Comparison, change, kind);
        }
    }

    /// The opposite of something that is true or false and no operator.
    fn test(&mut self, expr: &Expr, negated: bool) {
        if !negated && *self.checked.type_of(expr) == Type::Bool {
            let negation = negation(expr);
            let change = format!("{} becomes {}", quoted(expr), quoted_kind(&negation));
            self.note(expr, Operator::Comparison, change, negation);
        }
    }

    fn terms(&mut self, expr: &Expr, function: &str, terms: &[Expr], operator: Operator) {
        for (at, term) in terms.iter().enumerate().filter(|(_, term)| !is_constant(term)) {
            let mut rest = terms.to_vec();
            rest.remove(at);
            let kind = match rest.as_slice() {
                [only] if *self.checked.type_of(only) == Type::Bool => only.kind.clone(),
                [_] => {
                    // Left alone, a term of unknown type would no longer be a bool.
                    rest.push(made(Kind::Literal(Literal::Bool(operator == Operator::Conjunct))));
                    Kind::Call { function: function.to_owned(), target: None, args: rest }
                }
                _ => Kind::Call { function: function.to_owned(), target: None, args: rest },
            };
            let sign = if operator == Operator::Conjunct { "&&" } else { "||" };
            let change = format!("{} is dropped from the {sign}", quoted(term));
            self.note_at(expr, term, operator, change, kind);
        }
    }

    fn constant(&mut self, expr: &'e Expr, literal: &Literal, said: bool) {
        let changed: Vec<Literal> = match literal {
            Literal::Bool(value) => vec![Literal::Bool(!value)],
            Literal::Int(value) => {
                // A limit is moved to both sides.
                let below = if self.is_limit() { value.checked_sub(1) } else { None };
                value.checked_add(1).into_iter().chain(below).map(Literal::Int).collect()
            }
            Literal::Uint(value) => value.checked_add(1).into_iter().map(Literal::Uint).collect(),
            Literal::Double(value) => vec![Literal::Double(value + 1.0)],
            Literal::String(text) if said && is_prose(text) => Vec::new(),
            // Nothing, where nothing is: any other default would be as good as one that nobody has heard of.
            Literal::String(text) if text.is_empty() && is_default(&self.around) => Vec::new(),
            // A separator with something behind it often separates as before.
            Literal::String(text) if !text.contains(char::is_alphanumeric) => vec![Literal::String(ADDED.to_owned())],
            Literal::String(text) => vec![Literal::String(format!("{text}{ADDED}"))],
            Literal::Null | Literal::Bytes(_) => Vec::new(),
        };
        for changed in changed {
            let kind = Kind::Literal(changed);
            if !is_equivalent_default(&self.around, &kind, self.minor) {
                let change = format!("{} becomes {}", quoted(expr), quoted_kind(&kind));
                self.note(expr, Operator::Constant, change, kind);
            }
        }
    }

    /// Whether the current node is compared by size.
    fn is_limit(&self) -> bool {
        let Some([.., parent, _]) = self.around.get(..) else { return false };
        matches!(&parent.kind, Kind::Call { function, .. } if matches!(function.as_str(), "_<_" | "_<=_" | "_>_" | "_>=_"))
    }

    fn fold(&mut self, expr: &'e Expr, fold: &'e Comprehension, said: bool) {
        let Kind::Call { function, args, target: None } = &fold.step.kind else { return self.sort(fold, said) };
        let makes_values = matches!(fold.fold, Fold::Collect | Fold::Insert);
        self.visit(&fold.range, said && makes_values, false);
        match (fold.fold, args.as_slice()) {
            (Fold::All | Fold::Exists, [so_far, predicate]) => {
                self.quantifier(expr, fold, so_far, predicate);
                self.visit(predicate, false, false);
            }
            (Fold::ExistsOne, [predicate, so_far, ..]) => {
                self.quantifier(expr, fold, so_far, predicate);
                self.visit(predicate, false, false);
            }
            (Fold::Collect | Fold::Insert, args) => {
                let step = match args {
                    [condition, step, _] if function == "_?_:_" => {
                        if !is_constant(condition) {
                            let change = format!("{} is dropped: every element is taken", quoted(condition));
                            self.note(condition, Operator::Condition, change, truth());
                        }
                        self.visit(condition, false, false);
                        step
                    }
                    _ => &fold.step,
                };
                self.produced(step, said);
            }
            _ => {}
        }
    }

    /// What a step of a fold adds to the list or the map.
    fn produced(&mut self, step: &'e Expr, said: bool) {
        let Kind::Call { args, .. } = &step.kind else { return };
        let Some(added) = args.last() else { return };
        match &added.kind {
            // The list of one that is appended is the macro's own.
            Kind::List(elements) => elements.iter().for_each(|element| self.visit(&element.value, said, false)),
            _ => self.visit(added, said, false),
        }
    }

    /// `sortBy`: what is sorted, and the key.
    fn sort(&mut self, fold: &'e Comprehension, said: bool) {
        self.visit(&fold.init, said, false);
        let Kind::Call { args, .. } = &fold.result.kind else { return };
        if let Some(Expr { kind: Kind::Comprehension(keys), .. }) = args.first() {
            self.produced(&keys.step, false);
        }
    }

    fn quantifier(&mut self, expr: &Expr, fold: &Comprehension, so_far: &Expr, predicate: &Expr) {
        if matches!(&fold.range.kind, Kind::List(elements) if elements.len() < 2) {
            return;
        }
        let (to, name) = match fold.fold {
            Fold::Exists => (Fold::All, "exists becomes all"),
            Fold::All => (Fold::Exists, "all becomes exists"),
            _ => (Fold::Exists, "exists_one becomes exists"),
        };
        // Only what is written of a macro has to be right: the rest is made anew.
        let step =
            Kind::Call { function: "_||_".to_owned(), target: None, args: vec![so_far.clone(), predicate.clone()] };
        let turned = Comprehension { fold: to, step: made(step), ..fold.clone() };
        let change = format!("{name}: {}", quoted(expr));
        self.note(expr, Operator::Quantifier, change, Kind::Comprehension(Box::new(turned)));
    }

    fn is_list(&self, expr: &Expr) -> bool {
        matches!(self.checked.type_of(expr), Type::List(_))
    }

    fn note(&mut self, expr: &Expr, operator: Operator, change: String, kind: Kind) {
        self.note_at(expr, expr, operator, change, kind);
    }

    /// Notes that `kind` takes the place of `expr`, because of what stands at `at`.
    fn note_at(&mut self, expr: &Expr, at: &Expr, operator: Operator, change: String, kind: Kind) {
        if self.is_too_much() {
            return;
        }
        self.copied += nodes(&kind);
        self.edits.push(Edit { id: expr.id, offset: at.offset, operator, change, kind });
    }
}

fn comparison(function: &str) -> Option<Comparison> {
    COMPARISONS.iter().find(|(name, ..)| *name == function).copied()
}

/// Whether nothing in it is read from anywhere.
fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        Kind::Literal(_) => true,
        Kind::List(elements) => elements.iter().all(|element| is_constant(&element.value)),
        _ => false,
    }
}

fn is_empty(expr: &Expr) -> bool {
    matches!(&expr.kind, Kind::List(elements) if elements.is_empty())
}

/// How many nodes there are in a node of this kind.
fn nodes(kind: &Kind) -> usize {
    let (mut count, mut pending) = (1, kind.children());
    while let Some(expr) = pending.pop() {
        count += 1;
        pending.extend(expr.children());
    }
    count
}

fn truth() -> Kind {
    Kind::Literal(Literal::Bool(true))
}

fn negation(expr: &Expr) -> Kind {
    Kind::Call { function: "!_".to_owned(), target: None, args: vec![expr.clone()] }
}

/// A node of a tree that is written and parsed again before anybody asks for its number.
fn made(kind: Kind) -> Expr {
    Expr { id: u32::MAX, offset: 0, height: 1, kind }
}

fn quoted_kind(kind: &Kind) -> String {
    quoted(&made(kind.clone()))
}

/// The beginning of an expression's text.
fn quoted(expr: &Expr) -> String {
    let text = unparse(expr).unwrap_or_default();
    let mut characters = text.chars();
    let beginning: String = characters.by_ref().take(QUOTED).collect();
    if characters.next().is_some() { format!("{beginning}…") } else { beginning }
}
