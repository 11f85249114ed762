//! The type checker: a type for every node, a meaning for every name, the overloads that each call may take.
//!
//! Upstream: `cel-go/checker/checker.go`.

pub(in crate::cel) mod env;
mod format_literal;
pub(in crate::cel) mod issues;
pub(in crate::cel) mod schema;
pub(in crate::cel) mod signature;
pub(in crate::cel) mod types;
pub(in crate::cel) mod validate;

use std::sync::Arc;

use self::env::{Declared, Functions, Reference};
use self::issues::{Fault, Faults};
use self::types::{Substitution, Type, most_general};
use crate::cel::function::Function;
use crate::cel::program::Env;
use crate::cel::syntax::ast::{Comprehension, Element, Entry, Expr, Field, Kind, Literal};

/// What the checker found out, by node id.
#[derive(Debug)]
pub(in crate::cel) struct Checked {
    types: Vec<Type>,
    references: Vec<Option<Meaning>>,
}

/// What a node refers to.
#[derive(Clone, Debug)]
pub(in crate::cel) enum Meaning {
    /// A variable or a type; for a selection, its dotted name as a whole.
    Name(Reference),
    /// A function, with the overload if only one is possible. `namespaced` calls have no receiver: what looks like
    /// one is part of the function's name.
    Function { function: &'static Function, overload: Option<&'static str>, namespaced: bool },
}

impl Checked {
    pub fn type_of(&self, expr: &Expr) -> &Type {
        self.types.get(expr.id as usize).unwrap_or(&Type::Error)
    }

    pub fn meaning(&self, expr: &Expr) -> Option<&Meaning> {
        self.references.get(expr.id as usize).and_then(Option::as_ref)
    }
}

/// Checks a tree whose ids are below `next_id`.
///
/// # Errors
/// Why the tree is not well typed.
pub(in crate::cel) fn check(env: &Env, expr: &Expr, next_id: u32) -> Result<Checked, Faults> {
    let mut checker = Checker {
        env,
        functions: Functions::of(env.minor),
        substitution: Substitution::default(),
        scopes: Vec::new(),
        types: vec![Type::Error; next_id as usize],
        references: vec![None; next_id as usize],
        faults: Faults::default(),
    };
    checker.check(expr);
    if checker.faults.count() > 0 {
        return Err(checker.faults);
    }
    let Checker { types, references, substitution, .. } = checker;
    Ok(Checked { types: types.iter().map(|of| substitution.apply(of, true)).collect(), references })
}

struct Checker<'e> {
    env: &'e Env,
    functions: Arc<Functions>,
    substitution: Substitution,
    /// The names that comprehensions bind, innermost last.
    scopes: Vec<(String, Type)>,
    types: Vec<Type>,
    references: Vec<Option<Meaning>>,
    faults: Faults,
}

impl Checker<'_> {
    fn check(&mut self, expr: &Expr) -> Type {
        let of = match &expr.kind {
            Kind::Literal(literal) => literal_type(literal),
            Kind::Ident(name) => self.ident(expr, name),
            Kind::Select { operand, field, test } => self.select(expr, operand, field, *test),
            Kind::Call { function, target, args } => self.call(expr, function, target.as_deref(), args),
            Kind::List(elements) => self.list(elements),
            Kind::Map(entries) => self.map(entries),
            Kind::Struct { type_name, fields } => self.message(expr, type_name, fields),
            Kind::Comprehension(fold) => self.comprehension(fold),
        };
        if let Some(slot) = self.types.get_mut(expr.id as usize) {
            *slot = of.clone();
        }
        of
    }

    /// Notes an error. What is left without a type by it has the type that goes with everything, so that the check can
    /// go on and one mistake is reported once.
    fn error(&mut self, offset: u32, message: String) -> Type {
        self.faults.push(Fault { message, offset });
        Type::Error
    }

    fn undeclared(&mut self, expr: &Expr, name: &str) -> Type {
        self.error(expr.offset, format!("undeclared reference to '{name}' (in container '')"))
    }

    fn refer(&mut self, expr: &Expr, meaning: Meaning) {
        if let Some(slot) = self.references.get_mut(expr.id as usize) {
            *slot = Some(meaning);
        }
    }

    fn local(&self, name: &str) -> Option<&Type> {
        self.scopes.iter().rev().find(|(local, _)| local == name).map(|(_, of)| of)
    }

    fn ident(&mut self, expr: &Expr, name: &str) -> Type {
        if let Some(of) = self.local(name) {
            return of.clone();
        }
        let Some((of, reference)) = env::resolve(self.env, name) else { return self.undeclared(expr, name) };
        self.refer(expr, Meaning::Name(reference));
        of
    }

    fn select(&mut self, expr: &Expr, operand: &Expr, field: &str, test: bool) -> Type {
        // A dotted name of the environment comes before a macro's variable that it begins with, as upstream.
        if !test
            && let Some(name) = dotted_name(expr)
            && let Some((of, reference)) = env::resolve(self.env, &name)
        {
            self.refer(expr, Meaning::Name(reference));
            return of;
        }
        let of = self.field(expr, operand, field, false);
        if test { Type::Bool } else { self.substitution.apply(&of, false) }
    }

    fn field(&mut self, expr: &Expr, operand: &Expr, field: &str, optional: bool) -> Type {
        let of = self.check(operand);
        let operand_type = self.substitution.apply(&of, false);
        let (target, was_optional) = match operand_type {
            Type::Optional(of) => ((*of).clone(), true),
            other => (other, false),
        };
        let result = match &target {
            Type::Map(pair) => pair.1.clone(),
            Type::Struct(name) => match env::field_type(self.env, name, field) {
                Some(of) => of,
                // Upstream takes a `JSONPatch` to have any field, of no type: has() needs none.
                None if **name == *"JSONPatch" && matches!(expr.kind, Kind::Select { test: true, .. }) => Type::Dyn,
                // Upstream knows only the names of Kubernetes' own types, not what they are made of.
                None if env::is_opaque(name) => {
                    self.error(expr.offset, format!("unexpected failed resolution of '{name}'"))
                }
                None => self.error(expr.offset, format!("undefined field '{field}'")),
            },
            Type::Variable(_) => {
                self.substitution.unify(&[(&Type::Dyn, &target)]);
                Type::Dyn
            }
            _ if target.is_dyn_or_error() => Type::Dyn,
            _ => {
                self.error(expr.offset, format!("type '{target}' does not support field selection"));
                Type::Dyn
            }
        };
        if was_optional || optional { Type::optional(result) } else { result }
    }

    fn call(&mut self, expr: &Expr, name: &str, target: Option<&Expr>, args: &[Expr]) -> Type {
        if let ("_?._", [operand, field]) = (name, args) {
            return self.optional_select(expr, operand, field);
        }
        let mut types = Vec::with_capacity(args.len() + 1);
        for arg in args {
            types.push(self.check(arg));
        }
        let functions = Arc::clone(&self.functions);
        let Some(target) = target else {
            let Some(declared) = functions.get(name) else { return self.undeclared(expr, name) };
            if matches!(name, "_&&_" | "_||_") {
                return self.logical(expr, declared, args, &types);
            }
            return self.overload(expr, declared, false, &types, false);
        };
        if let Some(prefix) = dotted_name(target)
            && let Some(declared) = functions.get(&format!("{prefix}.{name}"))
            // Only mutations know `JSONPatch` and the library that goes with it.
            && (self.env.patch_types || prefix != "jsonpatch")
        {
            return self.overload(expr, declared, false, &types, true);
        }
        types.insert(0, self.check(target));
        let Some(declared) = functions.get(name) else { return self.undeclared(expr, name) };
        self.overload(expr, declared, true, &types, false)
    }

    fn optional_select(&mut self, expr: &Expr, operand: &Expr, field: &Expr) -> Type {
        let Kind::Literal(Literal::String(name)) = &field.kind else {
            return self.error(field.offset, "unsupported optional field selection".to_owned());
        };
        let of = self.field(expr, operand, name, true);
        self.substitution.apply(&of, false)
    }

    fn logical(&mut self, expr: &Expr, declared: &Declared, args: &[Expr], types: &[Type]) -> Type {
        let before = self.faults.count();
        for (arg, of) in args.iter().zip(types) {
            if !self.substitution.unify(&[(of, &Type::Bool)]) {
                let found = self.substitution.apply(of, true);
                self.error(arg.offset, format!("expected type 'bool' but found '{found}'"));
            }
        }
        if self.faults.count() > before {
            return Type::Error;
        }
        let overload = declared.overloads.first().map(|(overload, _)| overload.id);
        self.refer(expr, Meaning::Function { function: declared.function, overload, namespaced: false });
        Type::Bool
    }

    /// The overloads that the argument types allow decide the type of the result.
    fn overload(&mut self, expr: &Expr, on: &Declared, member: bool, types: &[Type], namespaced: bool) -> Type {
        let mut result: Option<Type> = None;
        let mut ids = Vec::new();
        for (overload, signature) in &on.overloads {
            if signature.member != member || signature.args.len() != types.len() {
                continue;
            }
            let instance = signature.is_generic().then(|| signature.instantiate(&mut self.substitution));
            let (params, of) = match &instance {
                Some((params, of)) => (params, of),
                None => (&signature.args, &signature.result),
            };
            let pairs: Vec<_> = types.iter().zip(params).collect();
            if !self.substitution.unify(&pairs) {
                continue;
            }
            ids.push(overload.id);
            let of = self.substitution.apply(of, false);
            result = Some(match result {
                None => of,
                Some(first) if first == Type::Dyn || first == of => first,
                Some(_) => Type::Dyn,
            });
        }
        let Some(result) = result else {
            let types: Vec<_> = types.iter().map(|of| self.substitution.apply(of, true).to_string()).collect();
            let applied = match types.split_first() {
                Some((target, args)) if member => format!("{target}.({})", args.join(", ")),
                _ => format!("({})", types.join(", ")),
            };
            let message = format!("found no matching overload for '{}' applied to '{applied}'", on.function.name);
            return self.error(expr.offset, message);
        };
        let overload = match ids.as_slice() {
            [only] => Some(*only),
            _ => None,
        };
        self.refer(expr, Meaning::Function { function: on.function, overload, namespaced });
        result
    }

    fn list(&mut self, elements: &[Element]) -> Type {
        let mut joined = None;
        for element in elements {
            let of = self.element(&element.value, element.optional);
            joined = Some(self.join(joined, of));
        }
        Type::list(joined.unwrap_or_else(|| self.substitution.fresh()))
    }

    fn map(&mut self, entries: &[Entry]) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            let key = self.check(&entry.key);
            keys = Some(self.join(keys, key));
            let value = self.element(&entry.value, entry.optional);
            values = Some(self.join(values, value));
        }
        let key = keys.unwrap_or_else(|| self.substitution.fresh());
        Type::map(key, values.unwrap_or_else(|| self.substitution.fresh()))
    }

    /// The type that an element contributes: of an optional element, what the optional holds.
    fn element(&mut self, expr: &Expr, optional: bool) -> Type {
        // Upstream looks at the type itself: of a name whose type is found out elsewhere, it knows none here.
        match self.check(expr) {
            of if !optional => of,
            Type::Optional(of) => (*of).clone(),
            Type::Dyn => Type::Dyn,
            other => {
                self.error(expr.offset, format!("expected type 'optional_type({other})' but found '{other}'"));
                other
            }
        }
    }

    fn join(&mut self, previous: Option<Type>, current: Type) -> Type {
        let Some(previous) = previous else { return current };
        // Mixed elements make the literal dynamic here; whether they may be mixed is for `validate` to say.
        let joined = self.substitution.unify(&[(&previous, &current)]);
        if joined { most_general(&previous, &current).clone() } else { Type::Dyn }
    }

    fn message(&mut self, expr: &Expr, type_name: &str, fields: &[Field]) -> Type {
        let name = type_name.strip_prefix('.').unwrap_or(type_name);
        let Some(of) = env::type_named(self.env, name) else { return self.undeclared(expr, type_name) };
        let of = match of {
            Type::Struct(_) => of,
            _ => self.error(expr.offset, format!("'{name}' is not a message type")),
        };
        for field in fields {
            let value = self.element(&field.value, field.optional);
            let Some(declared) = env::field_type(self.env, name, &field.name) else {
                self.error(field.offset, format!("undefined field '{}'", field.name));
                continue;
            };
            if !self.substitution.unify(&[(&declared, &value)]) {
                let value = self.substitution.apply(&value, true);
                let message =
                    format!("expected type of field '{}' is '{declared}' but provided type is '{value}'", field.name);
                self.error(field.offset, message);
            }
        }
        self.refer(expr, Meaning::Name(Reference::TypeName(name.into())));
        of
    }

    fn comprehension(&mut self, fold: &Comprehension) -> Type {
        let range = self.check(&fold.range);
        let accumulator = self.check(&fold.init);
        let range = self.substitution.apply(&range, false);
        let two = fold.var2.is_some();
        let (first, second) = match &range {
            Type::List(element) if two => (Type::Int, (**element).clone()),
            Type::List(element) => ((**element).clone(), Type::Dyn),
            Type::Map(pair) => pair.as_ref().clone(),
            Type::Dyn | Type::Error => (Type::Dyn, Type::Dyn),
            Type::Variable(_) => {
                self.substitution.unify(&[(&Type::Dyn, &range)]);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let message = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.error(fold.range.offset, message);
                (Type::Error, Type::Error)
            }
        };
        let depth = self.scopes.len();
        self.scopes.push((fold.accumulator.clone(), accumulator.clone()));
        self.scopes.push((fold.var.clone(), first));
        if let Some(var2) = &fold.var2 {
            self.scopes.push((var2.clone(), second));
        }
        let condition = self.check(&fold.condition);
        self.assert(&fold.condition, &Type::Bool, &condition);
        let step = self.check(&fold.step);
        self.assert(&fold.step, &accumulator, &step);
        self.scopes.truncate(depth + 1);
        let result = self.check(&fold.result);
        self.scopes.truncate(depth);
        self.substitution.apply(&result, false)
    }

    fn assert(&mut self, expr: &Expr, expected: &Type, found: &Type) {
        if !self.substitution.unify(&[(expected, found)]) {
            let (expected, found) = (self.substitution.apply(expected, true), self.substitution.apply(found, true));
            self.error(expr.offset, format!("expected type '{expected}' but found '{found}'"));
        }
    }
}

fn literal_type(literal: &Literal) -> Type {
    match literal {
        Literal::Null => Type::Null,
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Uint(_) => Type::Uint,
        Literal::Double(_) => Type::Double,
        Literal::String(_) => Type::String,
        Literal::Bytes(_) => Type::Bytes,
    }
}

/// `a.b.c` as text, if the node is only names and selections.
fn dotted_name(expr: &Expr) -> Option<String> {
    match &expr.kind {
        Kind::Ident(name) => Some(name.clone()),
        Kind::Select { operand, field, test: false } => Some(format!("{}.{field}", dotted_name(operand)?)),
        _ => None,
    }
}
