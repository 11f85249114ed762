//! The small language in which overloads are declared: `list<A>.(A) -> bool`.

use super::types::{Substitution, Type};

/// A parsed signature; the receiver of a member function is its first argument.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct Signature {
    pub member: bool,
    pub args: Vec<Type>,
    pub result: Type,
}

impl Signature {
    /// Parses a signature. Signatures are part of the program, so a malformed one is found by the test that parses
    /// all of them; here it gives `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, result) = text.split_once("->")?;
        let head = head.trim().strip_suffix(')')?;
        let open = head.find('(')?;
        let (receiver, args) = (head.get(..open)?.trim(), head.get(open + 1..)?);
        let receiver = receiver.strip_suffix('.');
        let mut types = Vec::new();
        if let Some(receiver) = receiver {
            types.push(parse_type(receiver)?);
        }
        for arg in split_commas(args) {
            types.push(parse_type(arg)?);
        }
        Some(Self { member: receiver.is_some(), args: types, result: parse_type(result)? })
    }

    /// The same signature with a fresh type variable for each letter.
    pub fn instantiate(&self, substitution: &mut Substitution) -> (Vec<Type>, Type) {
        let mut letters: Vec<(char, Type)> = Vec::new();
        let args = self.args.iter().map(|arg| instantiate(arg, &mut letters, substitution)).collect();
        (args, instantiate(&self.result, &mut letters, substitution))
    }

    /// Whether any type of the signature has a letter.
    pub fn is_generic(&self) -> bool {
        self.args.iter().any(has_letter) || has_letter(&self.result)
    }
}

fn has_letter(of: &Type) -> bool {
    match of {
        Type::Letter(_) => true,
        Type::List(of) | Type::Optional(of) | Type::Type(Some(of)) => has_letter(of),
        Type::Map(pair) => has_letter(&pair.0) || has_letter(&pair.1),
        _ => false,
    }
}

fn instantiate(of: &Type, letters: &mut Vec<(char, Type)>, substitution: &mut Substitution) -> Type {
    match of {
        Type::Letter(letter) => match letters.iter().find(|(known, _)| known == letter) {
            Some((_, variable)) => variable.clone(),
            None => {
                let variable = substitution.fresh();
                letters.push((*letter, variable.clone()));
                variable
            }
        },
        Type::List(of) => Type::list(instantiate(of, letters, substitution)),
        Type::Optional(of) => Type::optional(instantiate(of, letters, substitution)),
        Type::Map(pair) => {
            let key = instantiate(&pair.0, letters, substitution);
            Type::map(key, instantiate(&pair.1, letters, substitution))
        }
        Type::Type(Some(of)) => Type::Type(Some(instantiate(of, letters, substitution).into())),
        _ => of.clone(),
    }
}

/// Parses one type name.
pub(in crate::cel) fn parse_type(text: &str) -> Option<Type> {
    let text = text.trim();
    if let Some((outer, inner)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        let args: Vec<Type> = split_commas(inner).into_iter().map(parse_type).collect::<Option<_>>()?;
        return match (outer, args.as_slice()) {
            ("list", [element]) => Some(Type::list(element.clone())),
            ("optional", [value]) => Some(Type::optional(value.clone())),
            ("type", [of]) => Some(Type::Type(Some(of.clone().into()))),
            ("map", [key, value]) => Some(Type::map(key.clone(), value.clone())),
            _ => None,
        };
    }
    Some(match text {
        "dyn" => Type::Dyn,
        "null" => Type::Null,
        "bool" => Type::Bool,
        "int" => Type::Int,
        "uint" => Type::Uint,
        "double" => Type::Double,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "duration" => Type::Duration,
        "timestamp" => Type::Timestamp,
        "type" => Type::Type(None),
        _ if text.contains('.') || text == "Object" || text == "JSONPatch" => Type::Struct(text.into()),
        _ => match (text.chars().next(), text.len()) {
            (Some(letter @ 'A'..='Z'), 1) => Type::Letter(letter),
            _ => return None,
        },
    })
}

/// Splits at commas outside of angle brackets.
fn split_commas(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    let last = text.get(start..).unwrap_or("");
    if !last.trim().is_empty() {
        parts.push(last);
    }
    parts
}
