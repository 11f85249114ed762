//! What CEL makes of the structure of a kind, found out field by field.
//!
//! Upstream: `SchemaDeclType` in `k8s.io/apiserver/pkg/cel/common/schemas.go` and `MaybeAssignTypeName` in
//! `pkg/cel/types.go`: the type of an object is named after its kind and the path to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cel::{self, Declarations, escape};

use super::table::{self, Scalar, Seen, TypeId};

/// A value's structure as far as expressions see it.
#[derive(Clone, Debug)]
pub enum Structure {
    /// A value without parts.
    Scalar(cel::Type),
    /// A list of such elements.
    List(Arc<Structure>),
    /// A map from strings to such values.
    Map(Arc<Structure>),
    /// An object with these fields, by their names in expressions.
    Object(Arc<BTreeMap<String, Structure>>),
    /// An object of the table of built-in types.
    BuiltIn(TypeId),
}

impl Structure {
    /// The structure of a type of the table; `None` if expressions don't see it.
    pub fn built_in(id: TypeId) -> Option<Self> {
        let found = table::resolve(id);
        let scalar = |of| Some(Structure::Scalar(of));
        match found.seen {
            Seen::Implied => {}
            Seen::Hidden => return None,
            Seen::Double => return scalar(cel::Type::Double),
            Seen::Bytes => return scalar(cel::Type::Bytes),
            Seen::Timestamp => return scalar(cel::Type::Timestamp),
            Seen::Duration => return scalar(cel::Type::Duration),
            // The table's types don't lead in circles; one step is all that it takes.
            Seen::Type(other) if table::resolve(other).seen == Seen::Implied => return Self::built_in(other),
            Seen::Type(_) => return None,
        }
        match (found.scalar, &found.list, &found.map) {
            (Some(Scalar::String), ..) => scalar(cel::Type::String),
            (Some(Scalar::Numeric), ..) => scalar(cel::Type::Int),
            (Some(Scalar::Boolean), ..) => scalar(cel::Type::Bool),
            (Some(Scalar::Untyped), ..) => scalar(cel::Type::Dyn),
            (_, Some(list), _) => Some(Structure::List(Arc::new(Self::built_in(list.element)?))),
            (_, _, Some(map)) => match map.element.filter(|_| map.fields.is_empty()) {
                Some(element) => Some(Structure::Map(Arc::new(Self::built_in(element)?))),
                None => Some(Structure::BuiltIn(id)),
            },
            (None, None, None) => None,
        }
    }

    /// The structure of a field, by its name in expressions.
    fn field(&self, name: &str) -> Option<Structure> {
        match self {
            Structure::Object(fields) => fields.get(name).cloned(),
            Structure::BuiltIn(id) => {
                let map = table::resolve(*id).map.as_ref()?;
                let escaped = || map.fields.iter().find(|field| escape(&field.name).as_deref() == Some(name));
                let is_plain = |field: &&table::Field| escape(&field.name).as_deref() == Some(name);
                let field = map.field(name).filter(is_plain).or_else(escaped)?;
                Structure::built_in(field.type_id)
            }
            _ => None,
        }
    }

    /// The type of a value at the place called `name`.
    fn cel_type(&self, name: String) -> cel::Type {
        match self {
            Structure::Scalar(of) => of.clone(),
            Structure::List(element) => cel::Type::list(element.cel_type(name + "." + ELEMENT_OF_LIST)),
            Structure::Map(value) => cel::Type::map(cel::Type::String, value.cel_type(name + "." + VALUE_OF_MAP)),
            Structure::Object(_) | Structure::BuiltIn(_) => cel::Type::Struct(name.into()),
        }
    }
}

/// What a type of the table is made of below its lists.
fn element(id: TypeId) -> TypeId {
    let mut at = id;
    while let Some(list) = &table::resolve(at).list
        && table::resolve(at).map.is_none()
    {
        at = list.element;
    }
    at
}

/// Upstream's names for what has none, as parts of the path to an object.
const ELEMENT_OF_LIST: &str = "@idx";
const VALUE_OF_MAP: &str = "@elem";

/// The kinds of what one evaluation sees.
#[derive(Debug)]
pub struct Objects {
    object: Option<Named>,
    params: Option<Named>,
}

/// A structure and the name that paths to its parts begin with.
#[derive(Debug)]
struct Named {
    name: String,
    structure: Structure,
}

impl Objects {
    /// What is known of the object's and of the params' kind, each with the kind's name.
    pub fn new(object: Option<(&str, Structure)>, params: Option<(&str, Structure)>) -> Self {
        let named = |(name, structure): (&str, Structure)| Named { name: name.to_owned(), structure };
        let object = object.map(named);
        let mut params = params.map(named);
        // Types are told apart by name, and upstream takes one kind in both places for two types.
        if let (Some(object), Some(params)) = (&object, &mut params)
            && object.name == params.name
        {
            params.name.push('2');
        }
        Self { object, params }
    }
}

impl Declarations for Objects {
    fn object(&self) -> cel::Type {
        self.object.as_ref().map_or(cel::Type::Dyn, |named| named.structure.cel_type(named.name.clone()))
    }

    fn params(&self) -> cel::Type {
        self.params.as_ref().map_or(cel::Type::Dyn, |named| named.structure.cel_type(named.name.clone()))
    }

    fn field(&self, type_name: &str, field: &str) -> Option<cel::Type> {
        let below = |named: &Named| {
            let path = type_name.strip_prefix(named.name.as_str())?;
            let mut at = named.structure.clone();
            for step in path.split('.').skip(1) {
                at = match (&at, step) {
                    (Structure::List(element), ELEMENT_OF_LIST) => (**element).clone(),
                    (Structure::Map(value), VALUE_OF_MAP) => (**value).clone(),
                    (at, step) => at.field(step)?,
                };
            }
            (path.is_empty() || path.starts_with('.')).then_some(at)
        };
        let of = self.object.as_ref().and_then(below).or_else(|| self.params.as_ref().and_then(below))?;
        Some(of.field(field)?.cel_type(format!("{type_name}.{field}")))
    }

    /// Only of built-in objects all fields are known: a custom resource may keep others, and says so only in parts.
    fn takes(&self, path: &str, field: &str) -> bool {
        let Some(Named { structure: Structure::BuiltIn(id), .. }) = &self.object else { return true };
        let mut at = *id;
        for step in path.split('.').filter(|step| !step.is_empty()).chain([field]) {
            at = element(at);
            let found = table::resolve(at);
            match &found.map {
                // What may be a scalar as well has no structure to go by.
                Some(map) if found.scalar.is_none() => match map.member(step) {
                    Some(next) => at = next,
                    None => return false,
                },
                _ => return true,
            }
        }
        true
    }
}
