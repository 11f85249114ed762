//! How custom resources merge: from the schemas of their definitions to types like those of the table of built-in kinds.
//!
//! Upstream: `ToSchemaFromOpenAPI` in `kube-openapi/pkg/schemaconv`, of what `buildKubeNative` in
//! `apiextensions-apiserver/pkg/controller/openapi/builder` publishes for version 3 of OpenAPI.

use std::borrow::Cow;
use std::sync::Arc;

use crate::json::Value;

use super::custom::{flag, read_definition};
use super::kinds::KindName;
use super::table::{self, Field, KeyDefault, List, ListKind, Map, Scalar, Type, TypeId};

/// Where it is known from how the objects of a kind merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The kind is built in.
    BuiltIn,
    /// From a CustomResourceDefinition.
    Defined,
    /// It isn't: only the metadata is.
    Not,
}

/// The custom resources whose definitions are known. Copies share what they know.
#[derive(Clone, Debug, Default)]
pub struct Definitions {
    /// Sorted by kind.
    kinds: Vec<(KindName, Arc<Types>)>,
}

/// What one CustomResourceDefinition says of how its kinds merge.
#[derive(Clone, Debug)]
pub struct Definition {
    kinds: Vec<(KindName, Arc<Types>)>,
}

/// The types of one kind besides those of the table, whose numbers they follow.
#[derive(Debug, Default)]
pub struct Types {
    added: Vec<Type>,
    /// The type of the kind's objects.
    root: TypeId,
}

impl Definitions {
    /// Learns the kinds that `object` defines if it is a CustomResourceDefinition. What was learned last counts.
    pub fn learn(&mut self, object: Value<'_>) {
        if let Ok(definition) = Definition::read(object) {
            self.add(&definition);
        }
    }

    /// Adds a definition, in place of what was known of its kinds.
    pub fn add(&mut self, definition: &Definition) {
        for (kind, types) in &definition.kinds {
            match self.kinds.binary_search_by(|(known, _)| known.cmp(kind)) {
                Ok(at) => {
                    if let Some((_, known)) = self.kinds.get_mut(at) {
                        *known = Arc::clone(types);
                    }
                }
                Err(at) => self.kinds.insert(at, (kind.clone(), Arc::clone(types))),
            }
        }
    }

    /// How a kind's objects merge: types, which of them is that of the objects, and where it is known from.
    pub fn merge_type(&self, group: &str, version: &str, kind: &str) -> (&Types, TypeId, Known) {
        static NONE_ADDED: Types = Types { added: Vec::new(), root: 0 };
        let (type_id, is_built_in) = table::merge_type(group, version, kind);
        if is_built_in {
            return (&NONE_ADDED, type_id, Known::BuiltIn);
        }
        let name = |name: &'_ KindName| {
            (name.group.as_str(), name.version.as_str(), name.kind.as_str()).cmp(&(group, version, kind))
        };
        let found = self.kinds.binary_search_by(|(known, _)| name(known)).ok().and_then(|at| self.kinds.get(at));
        match found {
            Some((_, types)) => (types, types.root, Known::Defined),
            None => (&NONE_ADDED, type_id, Known::Not),
        }
    }
}

impl Definition {
    /// Reads a CustomResourceDefinition.
    ///
    /// # Errors
    /// It is something else, or the field that is missing.
    pub fn read(object: Value<'_>) -> Result<Self, &'static str> {
        let kinds = read_definition(object)?.into_iter();
        Ok(Self { kinds: kinds.map(|kind| (kind.name, Arc::new(Types::of(kind.schema)))).collect() })
    }

    /// About how much memory it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let name = |kind: &KindName| kind.group.len() + kind.version.len() + kind.kind.len() + 3 * ALLOCATION;
        let types = |types: &Types| size_of::<Types>() + types.added.iter().map(bytes).sum::<usize>();
        self.kinds.iter().map(|kind| size_of_val(kind) + name(&kind.0) + types(&kind.1)).sum()
    }
}

impl Types {
    /// The types of a custom resource with this schema. Without one only the names are known.
    fn of(schema: Option<Value<'_>>) -> Self {
        let mut types = Self { added: Vec::new(), root: table::merge_type("", "", "").0 };
        if let Some(schema) = schema {
            let mut map = types.map(schema, flag(schema, PRESERVE));
            add_common(&mut map);
            types.root = types.add(Type { map: Some(map), ..Type::default() });
            types.added.shrink_to_fit();
        }
        types
    }

    /// The type with this number, be it the table's or an added one.
    pub fn resolve(&self, id: TypeId) -> &Type {
        let added = id.checked_sub(table::count()).and_then(|at| self.added.get(at));
        added.unwrap_or_else(|| table::resolve(id))
    }

    fn add(&mut self, added: Type) -> TypeId {
        self.added.push(added);
        table::count() + self.added.len() - 1
    }

    /// Adds what a schema describes. What is below a place that keeps unknown fields keeps them, too.
    fn schema(&mut self, schema: Value<'_>, preserves: bool) -> TypeId {
        let preserves = preserves || flag(schema, PRESERVE);
        let scalar = |scalar| Type { scalar: Some(scalar), ..Type::default() };
        let made = match (text(schema, "type"), text(schema, "format")) {
            ("object", _) => Type { map: Some(self.map(schema, preserves)), ..Type::default() },
            ("array", _) => Type { list: Some(self.list(schema, preserves)), ..Type::default() },
            ("integer" | "number", _) => scalar(Scalar::Numeric),
            ("boolean", _) => scalar(Scalar::Boolean),
            ("string", "" | "byte") => scalar(Scalar::String),
            ("string", _) => scalar(Scalar::Untyped),
            // Without a type, as `x-kubernetes-int-or-string` is, a schema says nothing of it.
            _ => {
                let (list, map) = (Some(self.list(schema, preserves)), Some(self.map(schema, preserves)));
                Type { list, map, ..scalar(Scalar::Untyped) }
            }
        };
        self.add(made)
    }

    fn map(&mut self, schema: Value<'_>, preserves: bool) -> Map {
        let properties = schema.get("properties").and_then(|properties| properties.as_object()).unwrap_or_default();
        let mut map = Map { atomic: text(schema, "x-kubernetes-map-type") == "atomic", ..Map::default() };
        for (name, property) in properties.members() {
            let type_id = self.schema(*property, preserves);
            let default = property.get("default").and_then(key_default);
            map.fields.push(Field { name: Cow::Owned((*name).to_owned()), type_id, default });
        }
        map.fields.sort_by(|a, b| a.name.cmp(&b.name));
        if flag(schema, "x-kubernetes-embedded-resource") {
            add_common(&mut map);
        }
        map.element = match schema.get("additionalProperties") {
            Some(Value::Bool(true)) => table::deduced(),
            Some(Value::Bool(false)) => None,
            Some(values) => Some(self.schema(values, preserves)),
            None if preserves || map.fields.is_empty() => table::deduced(),
            None => None,
        };
        map
    }

    fn list(&mut self, schema: Value<'_>, preserves: bool) -> List {
        let keys = schema.get("x-kubernetes-list-map-keys").and_then(|keys| keys.as_array()).unwrap_or_default();
        let keys: Vec<_> = keys.iter().filter_map(|key| Some(Cow::Owned(key.as_str()?.to_owned()))).collect();
        let kind = match text(schema, "x-kubernetes-list-type") {
            "set" => ListKind::Set,
            "map" => ListKind::Map,
            _ => ListKind::Atomic,
        };
        let element = match schema.get("items") {
            Some(items) => self.schema(items, preserves),
            None => untyped(),
        };
        List { kind, element, keys }
    }
}

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";

/// About how much memory a type takes, allocations rounded up.
fn bytes(of: &Type) -> usize {
    let default = |field: &Field| match &field.default {
        Some(KeyDefault::String(text)) => text.len(),
        _ => 0,
    };
    let field = |field: &Field| size_of::<Field>() + ALLOCATION + field.name.len() + default(field);
    let fields = of.map.iter().flat_map(|map| &map.fields).map(field).sum::<usize>();
    let keys = of.list.iter().flat_map(|list| &list.keys).map(|key| size_of::<String>() + ALLOCATION + key.len());
    size_of::<Type>() + fields + keys.sum::<usize>()
}

/// What the allocator needs besides what is asked for.
const ALLOCATION: usize = 16;

/// Gives a map the fields that every object has, in place of what its schema says of them.
fn add_common(map: &mut Map) {
    let (common, _) = table::merge_type("", "", "");
    let common = table::resolve(common).map.iter().flat_map(|common| &common.fields);
    for field in common {
        map.fields.retain(|own| own.name != field.name);
        map.fields.push(Field { name: field.name.clone(), type_id: field.type_id, default: None });
    }
    map.fields.sort_by(|a, b| a.name.cmp(&b.name));
}

/// Values of any form that are replaced whole: what lists hold that nothing is said about.
fn untyped() -> TypeId {
    let deduced = table::deduced().unwrap_or_default();
    table::resolve(deduced).list.as_ref().map_or(deduced, |list| list.element)
}

fn key_default(value: Value<'_>) -> Option<KeyDefault> {
    match value {
        Value::String(text) => Some(KeyDefault::String(Cow::Owned(text.to_owned()))),
        Value::Bool(value) => Some(KeyDefault::Other(Value::Bool(value))),
        Value::Int(value) => Some(KeyDefault::Other(Value::Int(value))),
        Value::Float(value) => Some(KeyDefault::Other(Value::Float(value))),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text<'a>(schema: Value<'a>, name: &str) -> &'a str {
    schema.get(name).and_then(|value| value.as_str()).unwrap_or_default()
}
