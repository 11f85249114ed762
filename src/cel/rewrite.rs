//! Checked expressions whose references are replaced, and that are text again afterwards.
//!
//! What is replaced is known by its meaning, not by its spelling: a variable of a macro that is called `object`, or the
//! word in a string, stays as it is.

mod constant;
mod fold;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use fold::{Simplified, boolean, simplified};

use super::check::check;
use super::check::env::{Global, Reference as Named};
use super::check::issues::Faults;
use super::check::types::Type;
use super::check::{Checked, Meaning};
use super::program::{CompileError, Env};
use super::room::with_room;
use super::syntax::ast::{Comprehension, Expr, Fold, Kind, Literal};
use super::syntax::builder::{Builder, SyntaxError};
use super::syntax::parser::parse;
use super::syntax::unparse::{optional_map, unparse};
use crate::json;

/// What an expression reads: a name of its environment, and the fields selected from that one by one. Elements of
/// lists, and fields whose name is computed, are read from what the reference stands for and are no part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'e> {
    /// `object`, `request`, `variables`…
    pub root: &'static str,
    /// The fields, outermost first.
    pub fields: Vec<&'e str>,
    /// How many of the first fields are selected for sure: before the first `.?`, or all of them.
    pub certain: usize,
    /// Whether it is asked only whether the last field is there: `has(…)`, or a comparison of the name itself with null.
    pub test: bool,
}

/// What stands in an expression in place of a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Replacement<'r> {
    /// The reference itself.
    Same,
    /// The same with other fields in place of the first ones. As many as are given have to be there.
    Fields(usize, &'r [&'r str]),
    /// A value that is known already.
    Value(json::Value<'r>),
    /// A value that the expression computes from a source text, of the environment's names only.
    Source(&'r str),
    /// The last of so many of the first fields is not there: where it is selected for sure, nothing can stand for that.
    Absent(usize),
}

/// Says what becomes of an expression's parts.
pub trait Rewrite {
    /// What stands in place of a reference.
    ///
    /// # Errors
    /// Why nothing can.
    fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String>;

    /// What stands in place of a string constant that becomes part of the expression's value, as the beginning of a
    /// message does; `None` for itself. Constants that are only looked at, as in comparisons, are not asked for.
    fn text(&mut self, text: &str) -> Option<String> {
        let _ = text;
        None
    }
}

/// The source text of an expression after `rewrite` replaced its parts.
///
/// # Errors
/// The expression doesn't compile, a part can't be replaced, or what came out is too large.
pub fn rewrite(source: &str, env: &Env, rewrite: &mut (dyn Rewrite + Send)) -> Result<String, CompileError> {
    with_room(source, || rewrite_here(source, env, rewrite), |failure| CompileError::at(source, 0, failure))
}

/// The source text of an expression as it is written when it was a tree: macros as such, one blank between operands.
///
/// # Errors
/// The expression doesn't compile.
pub fn normalize(source: &str, env: &Env) -> Result<String, CompileError> {
    struct Nothing;
    impl Rewrite for Nothing {
        fn reference(&mut self, _: &Reference<'_>) -> Result<Replacement<'_>, String> {
            Ok(Replacement::Same)
        }
    }
    rewrite(source, env, &mut Nothing)
}

fn rewrite_here(source: &str, env: &Env, rewrite: &mut dyn Rewrite) -> Result<String, CompileError> {
    let at = |error: SyntaxError| CompileError::at(source, error.offset, error.message);
    let parsed = parse(source, env.minor).map_err(at)?;
    let first = |faults: Faults| {
        let (offset, message) = faults.first().map_or((0, ""), |fault| (fault.offset, fault.message.as_str()));
        CompileError::at(source, offset, message.to_owned())
    };
    let checked = check(env, &parsed.expr, parsed.next_id).map_err(first)?;
    let builder = Builder::new(env.minor);
    let mut rewriter = Rewriter { checked: &checked, minor: env.minor, builder, rewrite, frame: HashSet::new() };
    let rewritten = rewriter.expr(&parsed.expr, true).map_err(at)?.expr;
    // What is written has to be what is meant, whatever made the tree.
    unparse(&rewritten)
        .filter(|text| parse(text, env.minor).is_ok_and(|again| again.expr == rewritten))
        .ok_or_else(|| CompileError::at(source, 0, "the rewritten expression can't be written".to_owned()))
}

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

/// A rewritten node.
struct Rewritten {
    expr: Expr,
    /// Whether a part of it was replaced by what is known, so that more of it may be known.
    known: bool,
}

struct Rewriter<'e> {
    checked: &'e Checked,
    minor: u32,
    builder: Builder,
    rewrite: &'e mut dyn Rewrite,
    /// The nodes that a macro is made of: it can't be written again without them, so they aren't simplified.
    frame: HashSet<u32>,
}

impl Rewriter<'_> {
    /// `said`: whether strings in it become part of the expression's value.
    fn expr(&mut self, expr: &Expr, said: bool) -> Result<Rewritten> {
        if let Some(chain) = self.chain(expr) {
            return self.reference(expr, &chain);
        }
        if let Some(compared) = self.compared_with_null(expr) {
            return compared;
        }
        self.note_frame(expr);
        if let Kind::Call { function, target: None, args } = &expr.kind
            && !self.frame.contains(&expr.id)
        {
            match (function.as_str(), args.as_slice()) {
                ("_?_:_", [condition, yes, no]) => return self.choice(expr, [condition, yes, no], said),
                ("_||_" | "_&&_", terms) => return self.logical(expr, function, terms),
                _ => {}
            }
        }
        let mut known = false;
        let kind = match &expr.kind {
            Kind::Literal(Literal::String(text)) if said => {
                let text = self.rewrite.text(text).unwrap_or_else(|| text.clone());
                Kind::Literal(Literal::String(text))
            }
            Kind::Literal(_) | Kind::Ident(_) => expr.kind.clone(),
            Kind::Select { operand, field, test } => Kind::Select {
                operand: Box::new(self.part(operand, said && !test, &mut known)?),
                field: field.clone(),
                test: *test,
            },
            Kind::Call { function, target, args } => {
                let target = match target {
                    Some(target) => {
                        let part = self.part(target, said && passes_on(function, None), &mut known)?;
                        Some(Box::new(part))
                    }
                    None => None,
                };
                // What is added to a text doesn't begin it, and what is added to a list is an element like the others.
                let is_text = function == "_+_" && !matches!(self.checked.type_of(expr), Type::List(_));
                let passes = |at| said && passes_on(function, Some(at)) && (at == 0 || !is_text);
                let part = |(at, arg)| self.part(arg, passes(at), &mut known);
                let args = args.iter().enumerate().map(part).collect::<Result<Vec<_>>>()?;
                Kind::Call { function: function.clone(), target, args }
            }
            Kind::List(elements) => {
                let mut elements = elements.clone();
                for element in &mut elements {
                    element.value = self.part(&element.value, said, &mut known)?;
                }
                Kind::List(elements)
            }
            Kind::Map(entries) => {
                let mut entries = entries.clone();
                for entry in &mut entries {
                    entry.key = self.part(&entry.key, false, &mut known)?;
                    entry.value = self.part(&entry.value, said, &mut known)?;
                }
                Kind::Map(entries)
            }
            Kind::Struct { type_name, fields } => {
                let mut fields = fields.clone();
                for field in &mut fields {
                    field.value = self.part(&field.value, said, &mut known)?;
                }
                Kind::Struct { type_name: type_name.clone(), fields }
            }
            Kind::Comprehension(fold) => Kind::Comprehension(Box::new(self.comprehension(fold, said)?)),
        };
        self.finish(expr, kind, known)
    }

    /// A conditional, or the branch of it that is taken for sure: what the other one reads doesn't matter.
    fn choice(&mut self, expr: &Expr, [condition, yes, no]: [&Expr; 3], said: bool) -> Result<Rewritten> {
        let condition = self.expr(condition, false)?;
        if let (true, Some(value)) = (condition.known, boolean(&condition.expr)) {
            let taken = self.expr(if value { yes } else { no }, said)?;
            return Ok(Rewritten { known: true, ..taken });
        }
        let mut known = condition.known;
        let args = vec![condition.expr, self.part(yes, said, &mut known)?, self.part(no, said, &mut known)?];
        self.finish(expr, Kind::Call { function: "_?_:_".to_owned(), target: None, args }, known)
    }

    /// A chain of terms, or the one that decides it: what the others read doesn't matter.
    fn logical(&mut self, expr: &Expr, function: &str, terms: &[Expr]) -> Result<Rewritten> {
        let rewritten: Vec<_> = terms.iter().map(|term| self.expr(term, false)).collect();
        let decides = |term: &&Rewritten| term.known && boolean(&term.expr) == Some(function == "_||_");
        let mut known = rewritten.iter().flatten().any(|term| decides(&term));
        if known {
            let literal = self.builder.node(expr.offset, Kind::Literal(Literal::Bool(function == "_||_")))?;
            return Ok(Rewritten { expr: literal, known });
        }
        let mut args = Vec::with_capacity(terms.len());
        for term in rewritten {
            let term = term?;
            known |= term.known;
            args.push(term.expr);
        }
        self.finish(expr, Kind::Call { function: function.to_owned(), target: None, args }, known)
    }

    /// The node in place of `expr`, simplified if a part of it is known.
    fn finish(&mut self, expr: &Expr, kind: Kind, known: bool) -> Result<Rewritten> {
        let is_bool = *self.checked.type_of(expr) == Type::Bool;
        let simplify = known && !self.frame.contains(&expr.id);
        let Simplified { kind, known } = if simplify { simplified(kind, is_bool) } else { Simplified::same(kind) };
        Ok(Rewritten { expr: self.builder.node(expr.offset, kind)?, known })
    }

    fn note_frame(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Comprehension(fold) => {
                self.frame.insert(fold.step.id);
                if let Kind::Call { function, args, .. } = &fold.step.kind
                    && function == "_?_:_"
                {
                    self.frame.extend(args.get(1).map(|step| step.id));
                }
            }
            Kind::Call { function, args, .. } if function == "_?_:_" && optional_map(args).is_some() => {
                self.frame.insert(expr.id);
                self.frame.extend(args.first().map(|present| present.id));
            }
            _ => {}
        }
    }

    fn part(&mut self, expr: &Expr, said: bool, known: &mut bool) -> Result<Expr> {
        let part = self.expr(expr, said)?;
        *known |= part.known;
        Ok(part.expr)
    }

    fn comprehension(&mut self, fold: &Comprehension, said: bool) -> Result<Comprehension> {
        let makes_values = matches!(fold.fold, Fold::Collect | Fold::Insert | Fold::Bind);
        let said = said && makes_values;
        let mut ignored = false;
        let mut part = |expr: &Expr, said| self.part(expr, said, &mut ignored);
        Ok(Comprehension {
            range: part(&fold.range, said)?,
            init: part(&fold.init, said)?,
            condition: part(&fold.condition, false)?,
            step: part(&fold.step, said)?,
            result: part(&fold.result, said)?,
            ..fold.clone()
        })
    }

    /// The reference that an expression is, if it is one.
    fn chain<'x>(&self, expr: &'x Expr) -> Option<Chain<'x>> {
        if let Some(Meaning::Name(Named::Global(global))) = self.checked.meaning(expr) {
            return Some(Chain { root: root_name(*global)?, base: expr, steps: Vec::new(), test: false });
        }
        let (operand, step, test) = match &expr.kind {
            Kind::Select { operand, field, test } => (&**operand, Step { field, optional: false }, *test),
            Kind::Call { function, target: None, args } => {
                let [operand, field] = args.as_slice() else { return None };
                let Kind::Literal(Literal::String(field)) = &field.kind else { return None };
                let optional = match function.as_str() {
                    "_[_]" => false,
                    "_?._" | "_[?_]" => true,
                    _ => return None,
                };
                (operand, Step { field, optional }, false)
            }
            _ => return None,
        };
        let mut chain = self.chain(operand)?;
        chain.steps.push(step);
        chain.test = test;
        Some(chain)
    }

    /// A comparison of a name with null, rewritten, if that is what an expression is.
    fn compared_with_null(&mut self, expr: &Expr) -> Option<Result<Rewritten>> {
        let Kind::Call { function, target: None, args } = &expr.kind else { return None };
        let ("_==_" | "_!=_", [left, right]) = (function.as_str(), args.as_slice()) else { return None };
        let is_null = |expr: &Expr| matches!(expr.kind, Kind::Literal(Literal::Null));
        let name =
            [left, right].into_iter().find(|operand| !is_null(operand)).filter(|_| is_null(left) || is_null(right))?;
        let chain = self.chain(name).filter(|chain| chain.steps.is_empty())?;
        let reference = Reference { root: chain.root, fields: Vec::new(), certain: 0, test: true };
        let value = match self.rewrite.reference(&reference) {
            Ok(Replacement::Absent(_)) => function == "_==_",
            Ok(Replacement::Value(value)) => value.is_null() == (function == "_==_"),
            Ok(_) => return Some(self.copy(expr).map(|expr| Rewritten { expr, known: false })),
            Err(message) => return Some(Err(SyntaxError { message, offset: expr.offset })),
        };
        let literal = self.builder.node(expr.offset, Kind::Literal(Literal::Bool(value)));
        Some(literal.map(|expr| Rewritten { expr, known: true }))
    }

    fn reference(&mut self, expr: &Expr, chain: &Chain<'_>) -> Result<Rewritten> {
        let fields: Vec<&str> = chain.steps.iter().map(|step| step.field).collect();
        let certain = chain.steps.iter().position(|step| step.optional).unwrap_or(fields.len());
        let reference = Reference { root: chain.root, fields, certain, test: chain.test };
        let fault = |message: String| SyntaxError { message, offset: expr.offset };
        let is_optional = certain < reference.fields.len();
        let minor = self.minor;
        let kind = match self.rewrite.reference(&reference).map_err(fault)? {
            Replacement::Same => return Ok(Rewritten { expr: self.copy(expr)?, known: false }),
            Replacement::Fields(taken, fields) => {
                let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
                return Ok(Rewritten { expr: self.moved(chain, taken, fields)?, known: false });
            }
            Replacement::Absent(depth) if chain.test && (certain < depth || depth == chain.steps.len()) => {
                Kind::Literal(Literal::Bool(false))
            }
            Replacement::Absent(depth) if certain < depth => constant::optional(&mut self.builder, "none", Vec::new())?,
            Replacement::Absent(_) => return Err(fault(format!("{reference} is not there"))),
            Replacement::Value(_) | Replacement::Source(_) if chain.test => Kind::Literal(Literal::Bool(true)),
            Replacement::Value(value) => {
                let value = constant::literal(&mut self.builder, expr.offset, value)?;
                optional_of(&mut self.builder, value, is_optional)?
            }
            Replacement::Source(source) => {
                let value = parse(source, minor)?.expr;
                optional_of(&mut self.builder, value, is_optional)?
            }
        };
        Ok(Rewritten { expr: self.builder.node(expr.offset, kind)?, known: true })
    }

    /// The chain with `fields` in place of its first `taken` steps.
    fn moved(&mut self, chain: &Chain<'_>, taken: usize, fields: Vec<String>) -> Result<Expr> {
        let (replaced, rest) = chain.steps.split_at(taken.min(chain.steps.len()));
        let new = fields.iter().enumerate().map(|(at, field)| {
            let step = replaced.get(at).or(replaced.last());
            Step { field, optional: step.is_some_and(|step| step.optional) }
        });
        let steps: Vec<Step<'_>> = new.chain(rest.iter().copied()).collect();
        let offset = chain.base.offset;
        let mut expr = self.copy(chain.base)?;
        let last = steps.len();
        for (at, step) in steps.iter().enumerate() {
            let field = step.field.to_owned();
            let kind = if step.optional || !super::is_identifier(&field) {
                let function = match (step.optional, super::is_identifier(&field)) {
                    (true, true) => "_?._",
                    (true, false) => "_[?_]",
                    (false, _) => "_[_]",
                };
                let field = self.builder.node(offset, Kind::Literal(Literal::String(field)))?;
                Kind::Call { function: function.to_owned(), target: None, args: vec![expr, field] }
            } else {
                Kind::Select { operand: Box::new(expr), field, test: chain.test && at + 1 == last }
            };
            expr = self.builder.node(offset, kind)?;
        }
        Ok(expr)
    }

    fn copy(&mut self, expr: &Expr) -> Result<Expr> {
        super::syntax::macros::copy(&mut self.builder, expr)
    }
}

fn optional_of(builder: &mut Builder, value: Expr, is_optional: bool) -> Result<Kind> {
    if is_optional { constant::optional(builder, "of", vec![value]) } else { Ok(value.kind) }
}

/// A reference in the tree.
struct Chain<'x> {
    root: &'static str,
    base: &'x Expr,
    steps: Vec<Step<'x>>,
    test: bool,
}

#[derive(Clone, Copy)]
struct Step<'x> {
    field: &'x str,
    optional: bool,
}

/// The name of a variable of the request; nothing is asked of further bindings.
fn root_name(global: Global) -> Option<&'static str> {
    Some(match global {
        Global::Object => "object",
        Global::OldObject => "oldObject",
        Global::Request => "request",
        Global::Params => "params",
        Global::NamespaceObject => "namespaceObject",
        Global::Authorizer => "authorizer",
        Global::RequestResourceAuthorizer => "authorizer.requestResource",
        Global::Variables => "variables",
        Global::Extra(_) => return None,
    })
}

/// Whether what a call makes consists of its receiver (`None`) or the argument at a position, so that a string in there
/// is seen in the call's value.
pub(super) fn passes_on(function: &str, argument: Option<usize>) -> bool {
    match (function, argument) {
        ("_+_" | "optional.of", Some(_)) => true,
        ("_?_:_", Some(at)) => at > 0,
        ("orValue" | "or" | "of" | "format", _) => true,
        ("_[_]" | "_[?_]" | "_?._", Some(at)) => at == 0,
        ("cel.@mapInsert", Some(_)) => true,
        ("join" | "sort" | "distinct" | "value" | "reverse" | "flatten" | "first" | "last", None) => true,
        ("string" | "dyn", Some(_)) => true,
        _ => false,
    }
}

impl std::fmt::Display for Reference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.root)?;
        for (at, field) in self.fields.iter().enumerate() {
            write!(f, "{}{field}", if at < self.certain { "." } else { ".?" })?;
        }
        Ok(())
    }
}
