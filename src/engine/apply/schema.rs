//! How the built-in kinds merge: list types, list-map keys, atomic structs, read from `builtin.txt`.
//!
//! That file is written by `tests/schemagen` from upstream's schema. A line `=group/version/Kind N` says that a kind
//! is type N; the other lines are the types, in order from 0, each in one or more forms parted by `|`:
//!
//! - `s`, `n`, `b`, `u`: a string, a number, a boolean, any scalar;
//! - `[a N`, `[s N`, `[m N key…` (without the space before N): an atomic list, a set, a list-map of type N;
//! - `{g N name:M…`, `{a …`: a granular or atomic map or struct. N, which may be absent, is the type of fields without
//!   a name of their own; `name:M=DEFAULT` gives the default of a field that lists are keyed by, as JSON.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::engine::request::GroupVersionKind;
use crate::json::Value;

/// The number of a type.
pub(super) type TypeId = usize;

/// A type: the forms that its values may have.
#[derive(Debug, Default)]
pub(super) struct Type {
    pub scalar: Option<Scalar>,
    pub list: Option<List>,
    pub map: Option<Map>,
}

/// A form of a type.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Scalar(Scalar),
    List(&'static List),
    Map(&'static Map),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    String,
    Numeric,
    Boolean,
    Untyped,
}

#[derive(Debug)]
pub(super) struct List {
    pub kind: ListKind,
    pub element: TypeId,
    /// What the elements of a list-map are keyed by.
    pub keys: Vec<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListKind {
    Atomic,
    Set,
    Map,
}

#[derive(Debug, Default)]
pub(super) struct Map {
    pub atomic: bool,
    /// Sorted by name.
    pub fields: Vec<Field>,
    /// The type of fields that are not among them; `None` if there may be none.
    pub element: Option<TypeId>,
}

#[derive(Debug)]
pub(super) struct Field {
    pub name: &'static str,
    pub type_id: TypeId,
    pub default: Option<Value<'static>>,
}

impl Map {
    /// The named field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| field.name.cmp(name)).ok()?;
        self.fields.get(at)
    }

    /// The type of a member.
    pub fn member(&self, name: &str) -> Option<TypeId> {
        self.field(name).map(|field| field.type_id).or(self.element)
    }
}

/// The type of a kind, and whether it is built in. Of other kinds only the metadata is known.
pub(super) fn kind(kind: GroupVersionKind<'_>) -> (TypeId, bool) {
    let name = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
    match SCHEMA.kinds.get(name.as_str()) {
        Some(id) => (*id, true),
        None => (SCHEMA.custom, false),
    }
}

/// The type with this number.
pub(super) fn resolve(id: TypeId) -> &'static Type {
    static NOTHING: Type = Type { scalar: None, list: None, map: None };
    SCHEMA.types.get(id).unwrap_or(&NOTHING)
}

impl Type {
    /// The form that `value` has; for null and for values that the type does not allow, the one that upstream judges
    /// them by. `None` only for a type without any form.
    pub fn form(&'static self, value: Value<'_>) -> Option<Form> {
        let map = self.map.as_ref().map(Form::Map);
        let list = self.list.as_ref().map(Form::List);
        let scalar = self.scalar.map(Form::Scalar);
        let own = match value {
            Value::Null => None,
            Value::Object(_) => map,
            Value::Array(_) => list,
            _ => scalar,
        };
        own.or(map).or(scalar).or(list)
    }
}

struct Schema {
    kinds: HashMap<&'static str, TypeId>,
    types: Vec<Type>,
    custom: TypeId,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| read(include_str!("builtin.txt")));

fn read(text: &'static str) -> Schema {
    let (kinds, types): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('='));
    let mut kinds: HashMap<_, TypeId> = kinds
        .into_iter()
        .filter_map(|line| line.strip_prefix('=')?.split_once(' '))
        .filter_map(|(kind, id)| Some((kind, id.parse().ok()?)))
        .collect();
    let mut types: Vec<Type> = types.into_iter().map(read_type).collect();

    // Every object has the metadata of a Pod.
    let pod = kinds.get("/v1/Pod").and_then(|id| types.get(*id)).and_then(|pod| pod.map.as_ref());
    let common = |name: &'static str| {
        let type_id = pod?.field(name)?.type_id;
        Some(Field { name, type_id, default: None })
    };
    let fields = ["apiVersion", "kind", "metadata"].into_iter().filter_map(common).collect();
    let custom = types.len();
    types.push(Type { map: Some(Map { atomic: false, fields, element: kinds.remove("*/*/*") }), ..Type::default() });
    Schema { kinds, types, custom }
}

fn read_type(line: &'static str) -> Type {
    let mut made = Type::default();
    for form in line.split('|') {
        let mut words = form.split(' ');
        let head = words.next().unwrap_or_default();
        let id = head.get(2..).and_then(|id| id.parse().ok());
        match head.get(..2).unwrap_or(head) {
            "s" => made.scalar = Some(Scalar::String),
            "n" => made.scalar = Some(Scalar::Numeric),
            "b" => made.scalar = Some(Scalar::Boolean),
            "u" => made.scalar = Some(Scalar::Untyped),
            "{g" | "{a" => {
                let fields = words.filter_map(read_field).collect();
                made.map = Some(Map { atomic: head.starts_with("{a"), fields, element: id });
            }
            list => {
                let kind = match list {
                    "[s" => ListKind::Set,
                    "[m" => ListKind::Map,
                    _ => ListKind::Atomic,
                };
                made.list = id.map(|element| List { kind, element, keys: words.collect() });
            }
        }
    }
    made
}

fn read_field(word: &'static str) -> Option<Field> {
    let (name, rest) = word.split_once(':')?;
    let (id, default) = rest.split_once('=').map_or((rest, None), |(id, default)| (id, Some(default)));
    let default = default.and_then(|json| match json.strip_prefix('"') {
        Some(string) => string.strip_suffix('"').map(Value::String),
        None => json.parse().ok().map(Value::Int),
    });
    Some(Field { name, type_id: id.parse().ok()?, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod_field(path: &[&str]) -> &'static Type {
        let (id, built_in) = kind(GroupVersionKind { group: "", version: "v1", kind: "Pod" });
        assert!(built_in);
        path.iter().fold(resolve(id), |t, name| match (&t.map, &t.list) {
            (Some(map), _) => resolve(map.member(name).unwrap()),
            (_, Some(list)) => resolve(resolve(list.element).map.as_ref().unwrap().member(name).unwrap()),
            _ => panic!("{name}: the type has no members"),
        })
    }

    #[test]
    fn knows_how_pods_merge() {
        let list = |path: &[&str]| pod_field(path).list.as_ref().map(|l| (l.kind, l.keys.clone()));
        assert_eq!(list(&["spec", "containers"]), Some((ListKind::Map, vec!["name"])));
        assert_eq!(list(&["spec", "containers", "env"]), Some((ListKind::Map, vec!["name"])));
        assert_eq!(list(&["spec", "containers", "ports"]), Some((ListKind::Map, vec!["containerPort", "protocol"])));
        assert_eq!(list(&["spec", "containers", "args"]), Some((ListKind::Atomic, vec![])));
        assert_eq!(list(&["spec", "tolerations"]), Some((ListKind::Atomic, vec![])));
        assert_eq!(list(&["metadata", "finalizers"]), Some((ListKind::Set, vec![])));
        assert!(pod_field(&["spec", "nodeSelector"]).map.as_ref().is_some_and(|map| map.atomic));
        assert!(pod_field(&["spec", "securityContext"]).map.as_ref().is_some_and(|map| !map.atomic));
        assert_eq!(pod_field(&["spec", "hostNetwork"]).scalar, Some(Scalar::Boolean));
    }

    #[test]
    fn knows_the_default_of_a_port_s_protocol() {
        let ports = pod_field(&["spec", "containers", "ports"]).list.as_ref().unwrap();
        let port = resolve(ports.element).map.as_ref().unwrap();
        assert_eq!(port.field("protocol").and_then(|field| field.default), Some(Value::String("TCP")));
    }

    #[test]
    fn reads_every_line_of_the_table() {
        let id = |id: &TypeId| *id < SCHEMA.types.len();
        assert!(SCHEMA.kinds.len() > 100 && SCHEMA.kinds.values().all(id));
        for (number, t) in SCHEMA.types.iter().enumerate() {
            assert!(t.scalar.is_some() || t.list.is_some() || t.map.is_some(), "type {number}");
            assert!(
                t.list.iter().all(|list| id(&list.element) && (list.kind == ListKind::Map) != list.keys.is_empty())
            );
            if let Some(map) = &t.map {
                assert!(
                    map.element.iter().all(id) && map.fields.iter().all(|field| id(&field.type_id)),
                    "type {number}"
                );
                assert!(map.fields.is_sorted_by_key(|field| field.name), "type {number}");
            }
        }
    }

    #[test]
    fn knows_the_metadata_of_every_other_kind() {
        let (id, built_in) = kind(GroupVersionKind { group: "example.com", version: "v1", kind: "Pod" });
        assert!(!built_in);
        let map = resolve(id).map.as_ref().unwrap();
        assert!(map.field("metadata").is_some() && map.field("spec").is_none() && map.element.is_some());
    }
}
