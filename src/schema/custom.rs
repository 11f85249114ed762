//! Custom resources: from a CustomResourceDefinition to the structure of each version that it serves, as expressions see
//! it; `merging` reads the same schemas for how objects merge.
//!
//! Upstream: `buildKubeNative` in `apiextensions-apiserver/pkg/controller/openapi/builder`, which publishes the schema
//! with the metadata of every object added, and `SchemaDeclType`, which reads it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cel::{self, escape};
use crate::json::Value;

use super::kinds::KindName;
use super::structure::Structure;
use super::table;

/// A version of a custom resource.
#[derive(Debug)]
pub struct CustomKind<'d> {
    /// Its kind.
    pub name: KindName,
    /// The resource's name: `widgets`.
    pub plural: String,
    /// `widget`.
    pub singular: String,
    /// Its `openAPIV3Schema`, if it has one.
    pub schema: Option<Value<'d>>,
}

/// The kinds that a CustomResourceDefinition defines.
///
/// # Errors
/// It is something else, or the field that is missing.
pub fn read_definition(object: Value<'_>) -> Result<Vec<CustomKind<'_>>, &'static str> {
    let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str());
    if text(&["kind"]) != Some("CustomResourceDefinition") {
        return Err("it is no CustomResourceDefinition");
    }
    let group = text(&["spec", "group"]).ok_or("spec.group is missing")?;
    let kind = text(&["spec", "names", "kind"]).ok_or("spec.names.kind is missing")?;
    let plural = text(&["spec", "names", "plural"]).ok_or("spec.names.plural is missing")?;
    let singular = text(&["spec", "names", "singular"]).map_or_else(|| kind.to_lowercase(), str::to_owned);
    let versions = object.at(&["spec", "versions"]).and_then(|versions| versions.as_array());
    let served = versions.ok_or("spec.versions is missing")?.iter().filter(|version| flag(**version, "served"));
    let kinds = served.map(|version| {
        let name = version.get("name").and_then(|name| name.as_str()).ok_or("a version has no name")?;
        Ok(CustomKind {
            name: KindName::new(group, name, kind),
            plural: plural.to_owned(),
            singular: singular.clone(),
            schema: version.at(&["schema", "openAPIV3Schema"]).filter(|schema| schema.as_object().is_some()),
        })
    });
    kinds.collect()
}

/// What the objects of a kind with this schema are made of.
pub fn resource_structure(schema: Option<Value<'_>>) -> Structure {
    schema.map_or_else(without_schema, resource)
}

pub(super) fn flag(value: Value<'_>, name: &str) -> bool {
    value.get(name).and_then(|flag| flag.as_bool()).unwrap_or_default()
}

/// Without a schema only the names are known.
fn without_schema() -> Structure {
    let string = || Structure::Scalar(cel::Type::String);
    let object = |fields: [(&str, Structure); 2]| fields.map(|(name, structure)| (name.to_owned(), structure));
    let metadata = object([("name", string()), ("generateName", string())]);
    let mut fields = BTreeMap::from(object([("apiVersion", string()), ("kind", string())]));
    fields.insert("metadata".to_owned(), Structure::Object(Arc::new(BTreeMap::from(metadata))));
    Structure::Object(Arc::new(fields))
}

/// An object with a kind of its own: its schema's fields, and those that every object has.
fn resource(schema: Value<'_>) -> Structure {
    let mut fields = properties(schema);
    for name in ["apiVersion", "kind"] {
        fields.insert(name.to_owned(), Structure::Scalar(cel::Type::String));
    }
    if let Some(metadata) = metadata() {
        fields.insert("metadata".to_owned(), metadata);
    }
    Structure::Object(Arc::new(fields))
}

/// The metadata of built-in objects, which is that of all objects.
fn metadata() -> Option<Structure> {
    let pod = table::find("", "v1", "Pod")?;
    Structure::built_in(table::resolve(pod.type_id).map.as_ref()?.field("metadata")?.type_id)
}

/// What a schema describes; `None` if expressions don't see it. Fields that are kept without a schema for them
/// (`x-kubernetes-preserve-unknown-fields`) are not seen.
fn structure(schema: Value<'_>) -> Option<Structure> {
    if flag(schema, "x-kubernetes-int-or-string") {
        return Some(Structure::Scalar(cel::Type::Dyn));
    }
    let text = |name: &str| schema.get(name).and_then(|value| value.as_str()).unwrap_or_default();
    let scalar = match (text("type"), text("format")) {
        ("array", _) => return Some(Structure::List(Arc::new(structure(schema.get("items")?)?))),
        ("object", _) => return object(schema),
        ("string", "byte") => cel::Type::Bytes,
        ("string", "duration") => cel::Type::Duration,
        ("string", "date" | "date-time") => cel::Type::Timestamp,
        ("string", _) => cel::Type::String,
        ("boolean", _) => cel::Type::Bool,
        ("number", _) => cel::Type::Double,
        ("integer", _) => cel::Type::Int,
        _ => return None,
    };
    Some(Structure::Scalar(scalar))
}

fn object(schema: Value<'_>) -> Option<Structure> {
    if let Some(values) = schema.get("additionalProperties").filter(|values| values.as_object().is_some()) {
        return Some(Structure::Map(Arc::new(structure(values)?)));
    }
    if flag(schema, "x-kubernetes-embedded-resource") {
        return Some(resource(schema));
    }
    Some(Structure::Object(Arc::new(properties(schema))))
}

fn properties(schema: Value<'_>) -> BTreeMap<String, Structure> {
    let properties = schema.get("properties").and_then(|properties| properties.as_object());
    let members = properties.iter().flat_map(|properties| properties.members());
    members.filter_map(|(name, schema)| Some((escape(name)?, structure(*schema)?))).collect()
}
