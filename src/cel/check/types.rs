//! Types and how they relate: assignability, unification of type parameters, the most general of two.
//!
//! Upstream: `cel-go/checker/types.go` and `mapping.go`.

use std::fmt;
use std::sync::Arc;

/// A type of the checker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Any type, found out at run time.
    Dyn,
    /// Stands for what an error was reported about, so that it is reported once.
    Error,
    /// `null_type`
    Null,
    /// `bool`
    Bool,
    /// `int`
    Int,
    /// `uint`
    Uint,
    /// `double`
    Double,
    /// `string`
    String,
    /// `bytes`
    Bytes,
    /// `google.protobuf.Duration`
    Duration,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `list(T)`
    List(Arc<Type>),
    /// `map(K, V)`
    Map(Arc<(Type, Type)>),
    /// `optional_type(T)`
    Optional(Arc<Type>),
    /// A type with fields or methods of its own, by name.
    Struct(Arc<str>),
    /// `type(T)`; `None` where it may be any type.
    Type(Option<Arc<Type>>),
    /// A parameter of a signature, by its letter, before it is instantiated.
    Letter(char),
    /// A type variable of one check.
    Variable(u32),
}

impl Type {
    /// `list(element)`
    pub fn list(element: Type) -> Self {
        Type::List(Arc::new(element))
    }

    /// `map(key, value)`
    pub fn map(key: Type, value: Type) -> Self {
        Type::Map(Arc::new((key, value)))
    }

    /// `optional_type(value)`
    pub fn optional(value: Type) -> Self {
        Type::Optional(Arc::new(value))
    }

    /// Whether fields of any name may be selected, or nothing is known for an earlier error.
    pub(in crate::cel) fn is_dyn_or_error(&self) -> bool {
        matches!(self, Type::Dyn | Type::Error)
    }

    fn is_nullable(&self) -> bool {
        matches!(self, Type::Null | Type::Optional(_) | Type::Struct(_) | Type::Duration | Type::Timestamp)
    }

    /// The type that `variables.<name>` has for a variable of this type: Kubernetes keeps only what its own
    /// declarations can express. Upstream: `convertCelTypeToDeclType` in `plugin/cel/composition.go`.
    pub(in crate::cel) fn as_variable(&self) -> Type {
        match self {
            Type::List(element) => Type::list(element.as_variable()),
            Type::Map(pair) => Type::map(pair.0.as_variable(), pair.1.as_variable()),
            Type::Bool | Type::Bytes | Type::Double | Type::Duration | Type::Int | Type::Null => self.clone(),
            Type::String | Type::Timestamp | Type::Uint => self.clone(),
            _ => Type::Dyn,
        }
    }
}

impl Type {
    /// The name of the type without its parameters, as values of it carry it.
    pub(in crate::cel) fn runtime_name(&self) -> String {
        match self {
            Type::List(_) => "list".to_owned(),
            Type::Map(_) => "map".to_owned(),
            Type::Optional(_) => "optional_type".to_owned(),
            Type::Null => "null_type".to_owned(),
            Type::Duration => "google.protobuf.Duration".to_owned(),
            Type::Timestamp => "google.protobuf.Timestamp".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn => f.write_str("dyn"),
            Type::Error => f.write_str("!error!"),
            Type::Null => f.write_str("null"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Duration => f.write_str("duration"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::List(element) => write!(f, "list({element})"),
            Type::Map(pair) => write!(f, "map({}, {})", pair.0, pair.1),
            Type::Optional(value) => write!(f, "optional_type({value})"),
            Type::Struct(name) => f.write_str(name),
            Type::Type(None) => f.write_str("type"),
            Type::Type(Some(of)) => write!(f, "type({of})"),
            Type::Letter(letter) => write!(f, "{letter}"),
            Type::Variable(id) => write!(f, "_var{id}"),
        }
    }
}

/// What is known of the type variables of one check. Attempts that fail leave no trace.
#[derive(Debug, Default)]
pub(in crate::cel) struct Substitution {
    bound: Vec<Option<Type>>,
    /// Bindings changed since the beginning of the current attempt, with what they were.
    journal: Vec<(u32, Option<Type>)>,
}

impl Substitution {
    /// A type variable that nothing is known of.
    pub fn fresh(&mut self) -> Type {
        self.bound.push(None);
        Type::Variable(self.bound.len() as u32 - 1)
    }

    fn find(&self, variable: u32) -> Option<&Type> {
        self.bound.get(variable as usize).and_then(Option::as_ref)
    }

    fn bind(&mut self, variable: u32, to: Type) {
        if let Some(slot) = self.bound.get_mut(variable as usize) {
            self.journal.push((variable, slot.replace(to)));
        }
    }

    /// Whether every pair of types unifies; if not, nothing is bound.
    pub fn unify(&mut self, pairs: &[(&Type, &Type)]) -> bool {
        self.journal.clear();
        if pairs.iter().all(|(a, b)| self.assignable(a, b)) {
            return true;
        }
        while let Some((variable, before)) = self.journal.pop() {
            if let Some(slot) = self.bound.get_mut(variable as usize) {
                *slot = before;
            }
        }
        false
    }

    fn assignable(&mut self, a: &Type, b: &Type) -> bool {
        if let Type::Variable(variable) = b {
            let (valid, bound) = self.substitutes(a, b, *variable);
            if valid || bound {
                return valid;
            }
        }
        if let Type::Variable(variable) = a {
            return self.substitutes(b, a, *variable).0;
        }
        match (a, b) {
            (a, b) if a.is_dyn_or_error() || b.is_dyn_or_error() => true,
            (Type::Null, other) | (other, Type::Null) => other.is_nullable(),
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => self.assignable(a, b),
            (Type::Map(a), Type::Map(b)) => self.assignable(&a.0, &b.0) && self.assignable(&a.1, &b.1),
            (Type::Type(_), Type::Type(_)) => true,
            (a, b) => a == b,
        }
    }

    /// Whether `variable` can stand for `a`, and whether it stood for something before.
    fn substitutes(&mut self, a: &Type, b: &Type, variable: u32) -> (bool, bool) {
        if a == b {
            return (true, true);
        }
        if let Some(current) = self.find(variable).cloned() {
            if *a == current {
                return (true, true);
            }
            if !self.assignable(a, &current) {
                return (false, true);
            }
            let general = most_general(a, &current).clone();
            if self.is_free_of(b, &general) {
                self.bind(variable, general);
            }
            return (true, true);
        }
        if self.is_free_of(b, a) {
            self.bind(variable, a.clone());
            return (true, false);
        }
        (false, false)
    }

    /// The occurs check: whether `variable` does not occur in `within`.
    fn is_free_of(&self, variable: &Type, within: &Type) -> bool {
        if variable == within {
            return false;
        }
        match within {
            Type::Variable(other) => self.find(*other).is_none_or(|bound| self.is_free_of(variable, bound)),
            Type::List(of) | Type::Optional(of) | Type::Type(Some(of)) => self.is_free_of(variable, of),
            Type::Map(pair) => self.is_free_of(variable, &pair.0) && self.is_free_of(variable, &pair.1),
            _ => true,
        }
    }

    /// `of` with every bound variable replaced; with `finally`, unbound ones become `dyn`.
    pub fn apply(&self, of: &Type, finally: bool) -> Type {
        match of {
            Type::Variable(variable) => match self.find(*variable) {
                Some(bound) => self.apply(bound, finally),
                None if finally => Type::Dyn,
                None => of.clone(),
            },
            Type::List(element) => Type::list(self.apply(element, finally)),
            Type::Optional(value) => Type::optional(self.apply(value, finally)),
            Type::Map(pair) => Type::map(self.apply(&pair.0, finally), self.apply(&pair.1, finally)),
            Type::Type(Some(of)) => Type::Type(Some(Arc::new(self.apply(of, finally)))),
            _ => of.clone(),
        }
    }
}

/// The more general of two types that unify.
pub(in crate::cel) fn most_general<'t>(a: &'t Type, b: &'t Type) -> &'t Type {
    if is_equal_or_less_specific(a, b) { a } else { b }
}

fn is_equal_or_less_specific(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Dyn | Type::Variable(_), _) => true,
        (_, Type::Dyn | Type::Variable(_)) => false,
        (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => is_equal_or_less_specific(a, b),
        (Type::Map(a), Type::Map(b)) => is_equal_or_less_specific(&a.0, &b.0) && is_equal_or_less_specific(&a.1, &b.1),
        (Type::Type(_), Type::Type(_)) => true,
        (a, b) => a == b,
    }
}
