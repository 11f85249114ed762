//! The types that the grammar speaks of, and how a template's letters are filled in.

use std::fmt;

/// A type of the grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// `int`, `quantity`, `dyn`…
    Named(String),
    /// `list<T>`
    List(Box<Type>),
    /// `map<K, V>`
    Map(Box<Type>, Box<Type>),
    /// `optional<T>`
    Optional(Box<Type>),
    /// A letter of a template.
    Letter(char),
}

/// What a template's letters stand for.
pub type Letters = Vec<(char, Type)>;

impl Type {
    pub fn named(name: &str) -> Self {
        Type::Named(name.to_owned())
    }

    pub fn list(of: Type) -> Self {
        Type::List(Box::new(of))
    }

    pub fn map(key: Type, value: Type) -> Self {
        Type::Map(Box::new(key), Box::new(value))
    }

    pub fn is(&self, name: &str) -> bool {
        matches!(self, Type::Named(own) if own == name)
    }

    /// Parses `map<string, list<A>>`.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let Some((outer, inner)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
            return match (text.chars().next(), text.len()) {
                (Some(letter @ 'A'..='Z'), 1) => Type::Letter(letter),
                _ => Type::named(text),
            };
        };
        match outer {
            "list" => Type::list(Type::parse(inner)),
            "optional" => Type::Optional(Box::new(Type::parse(inner))),
            _ => {
                let (key, value) = inner.split_once(',').expect("a map has two types");
                Type::map(Type::parse(key), Type::parse(value))
            }
        }
    }

    /// Whether this type of a template can be `other`, given the letters so far.
    pub fn unify(&self, other: &Type, letters: &mut Letters) -> bool {
        match (self, other) {
            (Type::Letter(letter), other) => match letters.iter().find(|(known, _)| known == letter) {
                Some((_, bound)) => bound == other,
                None => {
                    let fits = *letter != 'K' || KEYS.iter().any(|key| other.is(key));
                    letters.push((*letter, other.clone()));
                    fits
                }
            },
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a.unify(b, letters),
            (Type::Map(ak, av), Type::Map(bk, bv)) => ak.unify(bk, letters) && av.unify(bv, letters),
            (a, b) => a == b,
        }
    }

    /// The type with every letter filled in.
    pub fn filled(&self, letters: &Letters) -> Type {
        let boxed = |of: &Type| Box::new(of.filled(letters));
        match self {
            Type::Letter(letter) => letters
                .iter()
                .find(|(known, _)| known == letter)
                .map_or_else(|| Type::named("int"), |(_, bound)| bound.clone()),
            Type::List(of) => Type::List(boxed(of)),
            Type::Optional(of) => Type::Optional(boxed(of)),
            Type::Map(key, value) => Type::Map(boxed(key), boxed(value)),
            Type::Named(_) => self.clone(),
        }
    }

    /// The letters in it.
    pub fn letters(&self, into: &mut Vec<char>) {
        match self {
            Type::Letter(letter) if !into.contains(letter) => into.push(*letter),
            Type::List(of) | Type::Optional(of) => of.letters(into),
            Type::Map(key, value) => {
                key.letters(into);
                value.letters(into);
            }
            _ => {}
        }
    }
}

/// The types that a map's keys may have.
pub const KEYS: [&str; 4] = ["string", "int", "uint", "bool"];

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Named(name) => f.write_str(name),
            Type::List(of) => write!(f, "list<{of}>"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Type::Optional(of) => write!(f, "optional<{of}>"),
            Type::Letter(letter) => write!(f, "{letter}"),
        }
    }
}
