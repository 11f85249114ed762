//! A checked tree to its compiled form.
//!
//! Folds constants exactly where cel-go's planner does, since a folded constant costs nothing. In an instrumented program
//! probes stand around the parts, never within an attribute or around a constant: there they would change what things
//! cost.

use std::collections::HashMap;

use super::node::{
    Attribute, Base, Bind, Body, Call, Constant, ConstantSet, Fold, Insert, Item, Key, MapItem, Matches, Node, Probe,
    Qualifier, Slots, StructItem, StructItems,
};
use super::sites::{Sites, shape};
use crate::cel::check::env::{Global, Reference};
use crate::cel::check::signature::Signature;
use crate::cel::check::types::Type;
use crate::cel::check::{Checked, Meaning};
use crate::cel::cost::CallCost;
use crate::cel::eval::dispatch;
use crate::cel::function::Function;
use crate::cel::library::{find_prepared, re2, sum_of};
use crate::cel::probe::Site;
use crate::cel::program::Env;
use crate::cel::sharing::References;
use crate::cel::syntax::ast::{self, Comprehension, Expr, Kind, Literal};
use crate::json::Arena;

/// Why a well-typed tree has no compiled form: a constant that can't be computed.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct PlanError {
    pub message: String,
    pub offset: u32,
}

/// A compiled form, and what its evaluation needs.
#[derive(Debug)]
pub(in crate::cel) struct Plan {
    pub node: Node,
    /// How many names its folds bind at once.
    pub slots: usize,
    pub references: References,
    /// The parts that report; none in a plain program.
    pub sites: Vec<Site>,
    /// The boolean that it gives whatever the inputs are, where that shows; not looked for in a plain program.
    pub fixed: Option<bool>,
}

/// Compiles a checked tree of `source`.
pub(in crate::cel) fn compile(env: &Env, checked: &Checked, expr: &Expr, source: &str) -> Result<Plan, PlanError> {
    let sites = env.probes.then(|| Sites::new(source, checked, expr));
    let references = References::default();
    let mut compiler = Compiler { env, checked, scopes: Vec::new(), slots: 0, references, sites };
    let node = compiler.node(expr)?;
    let (sites, fixed) = compiler.sites.map(|sites| (sites.sites, sites.fixed)).unwrap_or_default();
    Ok(Plan { node, slots: compiler.slots, references: compiler.references, sites, fixed })
}

struct Compiler<'c> {
    env: &'c Env,
    checked: &'c Checked,
    /// Names in scope with their slots; `None` for accumulators, which the folds keep themselves.
    scopes: Vec<(String, Option<usize>)>,
    slots: usize,
    references: References,
    /// In an instrumented program.
    sites: Option<Sites<'c>>,
}

type Plans<T> = Result<T, PlanError>;

fn plan_error<T>(expr: &Expr, message: impl Into<String>) -> Plans<T> {
    Err(PlanError { message: message.into(), offset: expr.offset })
}

/// Upstream's planner takes every name whose type is `type` for a type's, variables included.
fn undefined_type<T>(expr: &Expr, name: &str) -> Plans<T> {
    plan_error(expr, format!("program instantiation failed: reference to undefined type: {name}"))
}

impl Compiler<'_> {
    fn node(&mut self, expr: &Expr) -> Plans<Node> {
        let node = self.bare(expr)?;
        Ok(self.probed(expr, node, None))
    }

    /// A node that may become part of an attribute, and is no attribute that reports then.
    fn operand(&mut self, expr: &Expr) -> Plans<Node> {
        match self.bare(expr)? {
            attribute @ Node::Attribute(_) => Ok(attribute),
            node => Ok(self.probed(expr, node, None)),
        }
    }

    /// A node that a loop evaluates for each element.
    fn for_each(&mut self, expr: &Expr, slots: Slots) -> Plans<Node> {
        let node = self.bare(expr)?;
        Ok(self.probed(expr, node, Some(slots)))
    }

    /// The node with a probe around it in an instrumented program; constants have nothing to report.
    fn probed(&mut self, expr: &Expr, node: Node, element: Option<Slots>) -> Node {
        match &mut self.sites {
            Some(sites) if !matches!(node, Node::Constant(_)) => {
                let site = sites.add(expr, shape(expr));
                Node::Probe(Box::new(Probe { site, element, inner: node }))
            }
            _ => node,
        }
    }

    fn bare(&mut self, expr: &Expr) -> Plans<Node> {
        match &expr.kind {
            Kind::Literal(literal) => Ok(Node::Constant(constant(literal))),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, test } => self.select(expr, operand, field, *test),
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(expr, entries),
            Kind::Struct { fields, .. } => self.message(expr, fields),
            Kind::Comprehension(fold) => self.comprehension(expr, fold),
        }
    }

    fn ident(&mut self, expr: &Expr, name: &str) -> Plans<Node> {
        let variable = !matches!(self.checked.meaning(expr), Some(Meaning::Name(Reference::TypeName(_))));
        if variable && matches!(self.checked.type_of(expr), Type::Type(_)) {
            return undefined_type(expr, name);
        }
        if let Some((_, slot)) = self.scopes.iter().rev().find(|(local, _)| local == name) {
            return match slot {
                Some(slot) => Ok(attribute(Base::Local(*slot))),
                None => plan_error(expr, format!("'{name}' cannot be used here")),
            };
        }
        self.named(expr)
    }

    fn named(&mut self, expr: &Expr) -> Plans<Node> {
        match self.checked.meaning(expr) {
            Some(Meaning::Name(Reference::Global(global))) => {
                self.references.global(*global);
                Ok(attribute(Base::Global(*global)))
            }
            // Upstream declares these types, and does not know them as values.
            Some(Meaning::Name(Reference::TypeName(name))) if is_object(name) || &**name == "JSONPatch" => {
                undefined_type(expr, name)
            }
            Some(Meaning::Name(Reference::TypeName(name))) => Ok(Node::Constant(Constant::Type(name.clone()))),
            _ => plan_error(expr, "unresolved reference"),
        }
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, test: bool) -> Plans<Node> {
        if let Some(Meaning::Name(_)) = self.checked.meaning(expr) {
            return self.named(expr);
        }
        let is_object = matches!(self.checked.type_of(operand), Type::Struct(name) if is_object(name));
        let operand = self.operand(operand)?;
        if let Node::Attribute(of) = &operand
            && matches!(of.base, Base::Global(Global::Variables))
            && of.qualifiers.is_empty()
            && let Some(at) = self.env.variables.iter().rposition(|(name, _)| name == field)
        {
            // The look-up in the map of variables is resolved now; what is left costs as the selection would.
            self.references.variable(at);
            return Ok(Node::Attribute(Box::new(Attribute {
                base: Base::Variable(at),
                qualifiers: Box::new([]),
                test,
            })));
        }
        let key = if is_object { Key::Member(field.into()) } else { Key::Field(field.into()) };
        Ok(qualified(operand, key, false, test))
    }

    fn call(&mut self, expr: &Expr, name: &str, target: Option<&Expr>, args: &[Expr]) -> Plans<Node> {
        match (name, args) {
            ("_?._", [operand, field]) => {
                let Kind::Literal(Literal::String(field)) = &field.kind else {
                    return plan_error(field, "unsupported optional field selection");
                };
                let is_object = matches!(self.checked.type_of(operand), Type::Struct(name) if is_object(name));
                let key = if is_object { Key::Member } else { Key::Field }(field.as_str().into());
                return Ok(qualified(self.operand(operand)?, key, true, false));
            }
            ("_[_]" | "_[?_]", [operand, index]) => {
                let operand = self.operand(operand)?;
                let key = match self.operand(index)? {
                    Node::Constant(Constant::String(field)) => Key::Field(field),
                    Node::Constant(
                        constant @ (Constant::Int(_) | Constant::Uint(_) | Constant::Double(_) | Constant::Bool(_)),
                    ) => Key::Constant(constant),
                    Node::Constant(constant) => return no_qualifier(index, &constant),
                    node => Key::Node(node),
                };
                return Ok(qualified(operand, key, name == "_[?_]", false));
            }
            ("_?:_" | "_?_:_", [condition, yes, no]) => {
                let parts = (self.node(condition)?, self.node(yes)?, self.node(no)?);
                return Ok(attribute(Base::Conditional(Box::new(parts))));
            }
            ("_&&_", terms) => return Ok(Node::And(self.nodes(terms)?)),
            ("_||_", terms) => return Ok(Node::Or(self.nodes(terms)?)),
            ("!_", [operand]) => return Ok(Node::Not(Box::new(self.node(operand)?))),
            ("_==_" | "_!=_", [a, b]) => {
                let operands = Box::new((self.node(a)?, self.node(b)?));
                return Ok(Node::Equal { operands, negated: name == "_!=_" });
            }
            _ => {}
        }
        let Some(Meaning::Function { function, overload, namespaced }) = self.checked.meaning(expr) else {
            return plan_error(expr, format!("unresolved function '{name}'"));
        };
        let mut nodes = Vec::with_capacity(args.len() + 1);
        if let Some(target) = target.filter(|_| !namespaced) {
            nodes.push(self.node(target)?);
        }
        for arg in args {
            nodes.push(self.node(arg)?);
        }
        self.plan_call(expr, function, *overload, nodes)
    }

    fn plan_call(
        &self,
        expr: &Expr,
        function: &'static Function,
        overload: Option<&str>,
        args: Vec<Node>,
    ) -> Plans<Node> {
        let cost = CallCost::of(function.name, overload);
        if is_conversion(function.name)
            && let [Node::Constant(arg)] = args.as_slice()
        {
            return fold_conversion(expr, function, arg);
        }
        if overload == Some("in_list")
            && let [_, Node::Constant(Constant::List(elements))] = args.as_slice()
        {
            if elements.is_empty() {
                return Ok(Node::Constant(Constant::Bool(false)));
            }
            if let Some(set) = ConstantSet::of(elements) {
                return match args.into_iter().next() {
                    Some(element) => Ok(Node::InSet(Box::new((element, set)))),
                    None => plan_error(expr, "membership without element"),
                };
            }
        }
        if matches!(function.name, "or" | "orValue") {
            let unwrap = function.name == "orValue";
            let operands: Result<[Node; 2], _> = args.try_into();
            return match operands {
                Ok([a, b]) => Ok(Node::OptionalOr { operands: Box::new((a, b)), unwrap }),
                Err(_) => plan_error(expr, "or takes one alternative"),
            };
        }
        if function.name == "matches"
            && let [_, Node::Constant(Constant::String(pattern))] = args.as_slice()
        {
            let regex = re2::compile(pattern).map_err(|message| PlanError { message, offset: expr.offset })?;
            let pattern_length = crate::cel::cost::characters(pattern);
            return match args.into_iter().next() {
                Some(text) => Ok(Node::Matches(Box::new(Matches { text, regex, pattern_length, cost }))),
                None => plan_error(expr, "matches without text"),
            };
        }
        if matches!(function.name, "find" | "findAll")
            && let [_, Node::Constant(Constant::String(pattern)), ..] = args.as_slice()
        {
            re2::compile(pattern).map_err(|message| PlanError { message, offset: expr.offset })?;
        }
        let constant_pattern = matches!(args.get(1), Some(Node::Constant(Constant::String(_))));
        let find = if constant_pattern { find_prepared(function.name) } else { None };
        let prepared = find.is_some();
        let eval = find.or_else(|| overload.and_then(sum_of)).unwrap_or(function.eval);
        let sequential = prepared || is_sequential(function, overload, args.len());
        let guard = if prepared { Box::default() } else { guard(function, overload) };
        Ok(Node::Call(Box::new(Call { function, eval, guard, sequential, prepared, cost, args: args.into() })))
    }

    fn nodes(&mut self, exprs: &[Expr]) -> Plans<Box<[Node]>> {
        exprs.iter().map(|expr| self.node(expr)).collect()
    }

    fn list(&mut self, elements: &[ast::Element]) -> Plans<Node> {
        let mut items = Vec::with_capacity(elements.len());
        for element in elements {
            items.push(Item { value: self.node(&element.value)?, optional: element.optional });
        }
        let constants: Option<Box<[Constant]>> =
            items.iter().map(|item| if item.optional { None } else { as_constant(&item.value) }).collect();
        Ok(match constants {
            Some(constants) => Node::Constant(Constant::List(constants)),
            None => Node::List(items.into()),
        })
    }

    fn map(&mut self, expr: &Expr, entries: &[ast::Entry]) -> Plans<Node> {
        let mut items = Vec::with_capacity(entries.len());
        for entry in entries {
            let (key, value) = (self.node(&entry.key)?, self.node(&entry.value)?);
            items.push(MapItem { key, value, optional: entry.optional });
        }
        let constants: Option<Box<[_]>> = items
            .iter()
            .map(|item| if item.optional { None } else { as_constant(&item.key).zip(as_constant(&item.value)) })
            .collect();
        let Some(constants) = constants else { return Ok(Node::Map(items.into())) };
        let constant = Constant::Map(constants);
        match constant.value(&Arena::new()) {
            Ok(_) => Ok(Node::Constant(constant)),
            // Upstream keeps the error as the constant's value; evaluating the map gives it.
            Err(crate::cel::function::Error::Evaluation(_)) => Ok(Node::Map(items.into())),
            Err(error) => plan_error(expr, error.to_string()),
        }
    }

    fn message(&mut self, expr: &Expr, fields: &[ast::Field]) -> Plans<Node> {
        let Some(Meaning::Name(Reference::TypeName(type_name))) = self.checked.meaning(expr).cloned() else {
            return plan_error(expr, "unknown type");
        };
        let mut items = Vec::with_capacity(fields.len());
        let mut slots = HashMap::with_capacity(fields.len());
        for (at, field) in fields.iter().enumerate() {
            let slot = *slots.entry(field.name.as_str()).or_insert(at);
            let value = self.node(&field.value)?;
            items.push(StructItem { name: field.name.as_str().into(), slot, value, optional: field.optional });
        }
        Ok(Node::Struct(Box::new(StructItems { type_name, fields: items.into() })))
    }

    fn comprehension(&mut self, expr: &Expr, fold: &Comprehension) -> Plans<Node> {
        let depth = self.scopes.len();
        // Slots are numbered by nesting, so that loops side by side share theirs.
        let slot = self.scopes.iter().filter_map(|(_, slot)| *slot).max().map_or(0, |slot| slot + 1);
        if fold.fold == ast::Fold::Bind {
            if matches!(self.checked.type_of(&fold.step), Type::Type(_)) {
                return undefined_type(&fold.step, &fold.accumulator);
            }
            let value = self.node(&fold.init)?;
            self.slots = self.slots.max(slot + 1);
            self.scopes.push((fold.accumulator.clone(), Some(slot)));
            let body = self.node(&fold.result)?;
            self.scopes.truncate(depth);
            return Ok(Node::Bind(Box::new(Bind { slot, value, body })));
        }
        let range = self.node(&fold.range)?;
        let two = fold.var2.is_some();
        self.slots = self.slots.max(slot + 2);
        self.scopes.push((fold.accumulator.clone(), None));
        self.scopes.push((fold.var.clone(), Some(slot)));
        if let Some(var2) = &fold.var2 {
            self.scopes.push((var2.clone(), Some(slot + 1)));
        }
        let body = self.body(expr, fold, Slots { first: slot, two })?;
        self.scopes.truncate(depth);
        Ok(Node::Fold(Box::new(Fold { range, slot, two, body })))
    }

    /// Takes the macro's own arguments back out of the step that it expanded to.
    fn body(&mut self, expr: &Expr, fold: &Comprehension, slots: Slots) -> Plans<Body> {
        let (function, args) = call_parts(expr, &fold.step)?;
        match (fold.fold, function, args) {
            (ast::Fold::All, _, [_, predicate]) => Ok(Body::All(self.for_each(predicate, slots)?)),
            (ast::Fold::Exists, _, [_, predicate]) => Ok(Body::Exists(self.for_each(predicate, slots)?)),
            (ast::Fold::ExistsOne, _, [predicate, ..]) => Ok(Body::ExistsOne(self.for_each(predicate, slots)?)),
            (ast::Fold::Collect | ast::Fold::Insert, "_?_:_", [filter, step, _]) => {
                let filter = Some(self.for_each(filter, slots)?);
                self.accumulation(expr, fold.fold, filter, step)
            }
            (ast::Fold::Collect | ast::Fold::Insert, ..) => self.accumulation(expr, fold.fold, None, &fold.step),
            _ => plan_error(expr, "unknown comprehension"),
        }
    }

    fn accumulation(&mut self, expr: &Expr, fold: ast::Fold, filter: Option<Node>, step: &Expr) -> Plans<Body> {
        match (fold, call_parts(expr, step)?.1) {
            (ast::Fold::Collect, [_, Expr { kind: Kind::List(elements), .. }]) if elements.len() == 1 => {
                match elements.first() {
                    Some(element) => Ok(Body::Collect { filter, value: self.node(&element.value)? }),
                    None => plan_error(expr, "empty accumulation"),
                }
            }
            (ast::Fold::Insert, [_, key, value]) => {
                let insert = Insert::Pair { key: self.node(key)?, value: self.node(value)? };
                Ok(Body::Insert { filter, insert })
            }
            (ast::Fold::Insert, [_, entries]) => {
                Ok(Body::Insert { filter, insert: Insert::Entries(self.node(entries)?) })
            }
            _ => plan_error(expr, "unknown comprehension"),
        }
    }
}

fn call_parts<'x>(expr: &Expr, step: &'x Expr) -> Plans<(&'x str, &'x [Expr])> {
    match &step.kind {
        Kind::Call { function, args, .. } => Ok((function, args)),
        _ => plan_error(expr, "unknown comprehension"),
    }
}

fn attribute(base: Base) -> Node {
    Node::Attribute(Box::new(Attribute { base, qualifiers: Box::new([]), test: false }))
}

/// `operand` with one more qualifier: attributes grow, anything else becomes the base of one.
fn qualified(operand: Node, key: Key, optional: bool, test: bool) -> Node {
    let qualifier = Qualifier { key, optional };
    let (base, mut qualifiers) = match operand {
        Node::Attribute(attribute) if !attribute.test => (attribute.base, attribute.qualifiers.into_vec()),
        other => (Base::Node(Box::new(other)), Vec::new()),
    };
    qualifiers.push(qualifier);
    Node::Attribute(Box::new(Attribute { base, qualifiers: qualifiers.into(), test }))
}

fn constant(literal: &Literal) -> Constant {
    match literal {
        Literal::Null => Constant::Null,
        Literal::Bool(b) => Constant::Bool(*b),
        Literal::Int(i) => Constant::Int(*i),
        Literal::Uint(u) => Constant::Uint(*u),
        Literal::Double(d) => Constant::Double(*d),
        Literal::String(s) => Constant::String(s.as_str().into()),
        Literal::Bytes(b) => Constant::Bytes(b.as_slice().into()),
    }
}

fn as_constant(node: &Node) -> Option<Constant> {
    match node {
        Node::Constant(constant) => Some(constant.clone()),
        _ => None,
    }
}

fn is_object(type_name: &str) -> bool {
    type_name == "Object" || type_name.starts_with("Object.")
}

/// Whether upstream looks at the arguments one by one: all calls of three and more, those whose overload is found only
/// with the values, and some more.
fn is_sequential(function: &Function, overload: Option<&str>, args: usize) -> bool {
    let found_late = overload.is_none() && function.overloads.len() > 1 && !is_one_for_all(function.name);
    args > 2 || found_late || function.name == "format"
}

/// Whether upstream has one implementation for all overloads.
fn is_one_for_all(function: &str) -> bool {
    function.starts_with(['_', '-', '!', '@']) || matches!(function, "size" | "matches" | "sort" | "type" | "dyn")
}

/// The parameters to compare values with, where other overloads would take what the chosen one doesn't: operators, and
/// functions that upstream implements once for all overloads, are not guarded.
fn guard(function: &Function, overload: Option<&str>) -> Box<[Type]> {
    // Upstream switches the guards of `flatten` off.
    if function.overloads.len() < 2 || is_one_for_all(function.name) || function.name == "flatten" {
        return Box::new([]);
    }
    let chosen = function.overloads.iter().find(|declared| Some(declared.id) == overload);
    chosen.and_then(|chosen| Signature::parse(chosen.signature)).map_or_else(Default::default, |s| s.args.into())
}

fn is_conversion(function: &str) -> bool {
    matches!(
        function,
        "bool" | "bytes" | "double" | "duration" | "dyn" | "int" | "string" | "timestamp" | "type" | "uint"
    )
}

/// The error of an index that is a constant of no type that keys have.
fn no_qualifier<T>(index: &Expr, constant: &Constant) -> Plans<T> {
    let arena = Arena::new();
    let of = constant.value(&arena).map_or("*types.Err", |value| dispatch::go_type(&value));
    plan_error(index, format!("program instantiation failed: invalid qualifier type: {of}"))
}

fn fold_conversion(expr: &Expr, function: &Function, arg: &Constant) -> Plans<Node> {
    let arena = Arena::new();
    let folded = arg
        .value(&arena)
        .and_then(|arg| (function.eval)(&arena, &[arg]).map_err(|error| dispatch::named(error, function, &[arg])));
    match folded {
        Ok(value) => match Constant::from_value(&value) {
            Some(constant) => Ok(Node::Constant(constant)),
            None => plan_error(expr, "constant conversion without constant result"),
        },
        Err(error) => plan_error(expr, error.to_string()),
    }
}
