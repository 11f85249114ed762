//! What the built-in kinds are made of, read from `builtin.txt`: how they merge (list types, list-map keys, atomic
//! structs), what CEL makes of their fields, and the resources that they are served under.
//!
//! That file is written by `tests/schemagen` from upstream's schemas. A line `=group/version/Kind N resource` says that
//! a kind is type N and, if there is a resource, how the API server calls it, with `cluster` after it if its objects
//! live in no namespace; with `~` for `=` the API server knows no way to merge the kind. The other lines are the types, in order from 0, each in one or more forms parted by `|`:
//!
//! - `s`, `n`, `b`, `u`: a string, a number, a boolean, any scalar;
//! - `[a N`, `[s N`, `[m N key…` (without the space before N): an atomic list, a set, a list-map of type N;
//! - `{g N name:M…`, `{a …`: a granular or atomic map or struct. N, which may be absent, is the type of fields without
//!   a name of their own; `name:M=DEFAULT` gives the default of a field that lists are keyed by, as JSON.
//!
//! What CEL makes of a type follows from its form: `n` is an int, `u` is `dyn`. Where it doesn't, `!` and the rest of
//! the line say it: `d`ouble, b`y`tes, `t`imestamp, durations as `l`, `-` for what expressions can't see, or the
//! number of another type that CEL sees in place of this one.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use crate::json::Value;

/// The number of a type in the table.
pub type TypeId = usize;

/// A type: the forms that its values may have.
#[derive(Debug, Default)]
pub struct Type {
    /// Its values may be scalars.
    pub scalar: Option<Scalar>,
    /// Its values may be lists.
    pub list: Option<List>,
    /// Its values may be maps or structs.
    pub map: Option<Map>,
    /// What CEL makes of it.
    pub seen: Seen,
}

/// What CEL makes of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// What its form says.
    #[default]
    Implied,
    /// Nothing: expressions have no access.
    Hidden,
    /// `double`
    Double,
    /// `bytes`
    Bytes,
    /// `google.protobuf.Timestamp`
    Timestamp,
    /// `google.protobuf.Duration`
    Duration,
    /// What it makes of another type.
    Type(TypeId),
}

/// A kind of the table.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its group, empty for the core.
    pub group: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Its own name.
    pub kind: &'static str,
    /// What it is made of.
    pub type_id: TypeId,
    /// How the API server calls its resource, if it serves one.
    pub resource: Option<&'static str>,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
    /// Whether the table says how its objects merge.
    pub merges: bool,
}

/// The form of a type.
#[derive(Clone, Copy, Debug)]
pub enum Form<'t> {
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    List(&'t List),
    /// A map or struct.
    Map(&'t Map),
}

/// What a scalar may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A string.
    String,
    /// A number.
    Numeric,
    /// A boolean.
    Boolean,
    /// Any of them.
    Untyped,
}

/// A list.
#[derive(Debug)]
pub struct List {
    /// How it merges.
    pub kind: ListKind,
    /// The type of its elements.
    pub element: TypeId,
    /// What the elements of a list-map are keyed by.
    pub keys: Vec<Cow<'static, str>>,
}

/// How a list merges (`x-kubernetes-list-type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// It is replaced whole.
    Atomic,
    /// By the values of its elements.
    Set,
    /// By the keys of its elements.
    Map,
}

/// A map or a struct.
#[derive(Debug, Default)]
pub struct Map {
    /// Whether it is replaced whole.
    pub atomic: bool,
    /// Sorted by name.
    pub fields: Vec<Field>,
    /// The type of fields that are not among them; `None` if there may be none.
    pub element: Option<TypeId>,
}

/// A field of a struct.
#[derive(Debug)]
pub struct Field {
    /// Its name in JSON.
    pub name: Cow<'static, str>,
    /// The type of its values.
    pub type_id: TypeId,
    /// Its default, if lists are keyed by it.
    pub default: Option<KeyDefault>,
}

/// The default of a field that lists are keyed by.
#[derive(Clone, Debug, PartialEq)]
pub enum KeyDefault {
    /// Text.
    String(Cow<'static, str>),
    /// A boolean or a number.
    Other(Value<'static>),
}

impl KeyDefault {
    /// The default as a value.
    pub fn value(&self) -> Value<'_> {
        match self {
            Self::String(text) => Value::String(text),
            Self::Other(value) => *value,
        }
    }
}

impl Map {
    /// The named field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| (*field.name).cmp(name)).ok()?;
        self.fields.get(at)
    }

    /// The type of a member.
    pub fn member(&self, name: &str) -> Option<TypeId> {
        self.field(name).map(|field| field.type_id).or(self.element)
    }
}

/// The kind of this name.
pub fn find(group: &str, version: &str, kind: &str) -> Option<Kind> {
    SCHEMA.kinds.get(&(group, version, kind)).copied()
}

/// All kinds, in no particular order.
pub fn kinds() -> impl Iterator<Item = &'static Kind> {
    SCHEMA.kinds.values()
}

/// The type that a kind merges by, and whether it is its own. Of other kinds only the metadata is known.
pub fn merge_type(group: &str, version: &str, kind: &str) -> (TypeId, bool) {
    match find(group, version, kind).filter(|kind| kind.merges) {
        Some(kind) => (kind.type_id, true),
        None => (SCHEMA.custom, false),
    }
}

/// The type of values that nothing is said about; its form is theirs. Upstream: `__untyped_deduced_`.
pub fn deduced() -> Option<TypeId> {
    resolve(SCHEMA.custom).map.as_ref()?.element
}

/// How many types there are: the first number that another table may use.
pub fn count() -> usize {
    SCHEMA.types.len()
}

/// The type with this number.
pub fn resolve(id: TypeId) -> &'static Type {
    static NOTHING: Type = Type { scalar: None, list: None, map: None, seen: Seen::Hidden };
    SCHEMA.types.get(id).unwrap_or(&NOTHING)
}

impl Type {
    /// The form that `value` has; for null and for values that the type does not allow, the one that upstream judges
    /// them by. `None` only for a type without any form.
    pub fn form(&self, value: Value<'_>) -> Option<Form<'_>> {
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
    kinds: HashMap<(&'static str, &'static str, &'static str), Kind>,
    types: Vec<Type>,
    custom: TypeId,
}

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| read(include_str!("builtin.txt")));

fn read(text: &'static str) -> Schema {
    let (kinds, types): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with(['=', '~']));
    let named = |kind: Kind| ((kind.group, kind.version, kind.kind), kind);
    let mut kinds: HashMap<_, Kind> = kinds.into_iter().filter_map(read_kind).map(named).collect();
    let mut types: Vec<Type> = types.into_iter().map(read_type).collect();

    // Every object has the metadata of a Pod.
    let pod = kinds.get(&("", "v1", "Pod")).and_then(|kind| types.get(kind.type_id)).and_then(|pod| pod.map.as_ref());
    let common = |name: &'static str| {
        let type_id = pod?.field(name)?.type_id;
        Some(Field { name: Cow::Borrowed(name), type_id, default: None })
    };
    let fields = ["apiVersion", "kind", "metadata"].into_iter().filter_map(common).collect();
    let custom = types.len();
    let element = kinds.remove(&("*", "*", "*")).map(|any| any.type_id);
    types.push(Type { map: Some(Map { atomic: false, fields, element }), ..Type::default() });
    Schema { kinds, types, custom }
}

fn read_kind(line: &'static str) -> Option<Kind> {
    let mut words = line.get(1..)?.split(' ');
    let mut name = words.next()?.split('/');
    let (group, version, kind) = (name.next()?, name.next()?, name.next()?);
    let type_id = words.next()?.parse().ok()?;
    let (resource, scope) = (words.next(), words.next());
    let (namespaced, merges) = (scope != Some("cluster"), line.starts_with('='));
    Some(Kind { group, version, kind, type_id, resource, namespaced, merges })
}

fn read_type(line: &'static str) -> Type {
    let (forms, seen) = line.split_once('!').unwrap_or((line, ""));
    let mut made = Type { seen: read_seen(seen), ..Type::default() };
    for form in forms.split('|') {
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
                made.list = id.map(|element| List { kind, element, keys: words.map(Cow::Borrowed).collect() });
            }
        }
    }
    made
}

fn read_seen(word: &str) -> Seen {
    match word {
        "" => Seen::Implied,
        "d" => Seen::Double,
        "y" => Seen::Bytes,
        "t" => Seen::Timestamp,
        "l" => Seen::Duration,
        other => other.parse().map_or(Seen::Hidden, Seen::Type),
    }
}

fn read_field(word: &'static str) -> Option<Field> {
    let (name, rest) = word.split_once(':')?;
    let (id, default) = rest.split_once('=').map_or((rest, None), |(id, default)| (id, Some(default)));
    let default = default.and_then(|json| match json.strip_prefix('"') {
        Some(string) => string.strip_suffix('"').map(|text| KeyDefault::String(Cow::Borrowed(text))),
        None => json.parse().ok().map(|number| KeyDefault::Other(Value::Int(number))),
    });
    Some(Field { name: Cow::Borrowed(name), type_id: id.parse().ok()?, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod_field(path: &[&str]) -> &'static Type {
        let (id, built_in) = merge_type("", "v1", "Pod");
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
        assert_eq!(list(&["spec", "containers"]), Some((ListKind::Map, vec!["name".into()])));
        assert_eq!(list(&["spec", "containers", "env"]), Some((ListKind::Map, vec!["name".into()])));
        assert_eq!(
            list(&["spec", "containers", "ports"]),
            Some((ListKind::Map, vec!["containerPort".into(), "protocol".into()]))
        );
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
        let default = port.field("protocol").and_then(|field| field.default.as_ref());
        assert_eq!(default.map(KeyDefault::value), Some(Value::String("TCP")));
    }

    #[test]
    fn reads_every_line_of_the_table() {
        let id = |id: &TypeId| *id < SCHEMA.types.len();
        assert!(SCHEMA.kinds.len() > 100 && kinds().all(|kind| id(&kind.type_id)));
        for (number, t) in SCHEMA.types.iter().enumerate() {
            assert!(!matches!(&t.seen, Seen::Type(other) if !id(other)), "type {number}");
            assert!(t.scalar.is_some() || t.list.is_some() || t.map.is_some(), "type {number}");
            assert!(
                t.list.iter().all(|list| id(&list.element) && (list.kind == ListKind::Map) != list.keys.is_empty())
            );
            if let Some(map) = &t.map {
                assert!(
                    map.element.iter().all(id) && map.fields.iter().all(|field| id(&field.type_id)),
                    "type {number}"
                );
                assert!(map.fields.is_sorted_by(|a, b| a.name <= b.name), "type {number}");
            }
        }
    }

    #[test]
    fn knows_the_metadata_of_every_other_kind() {
        let (id, built_in) = merge_type("example.com", "v1", "Pod");
        assert!(!built_in);
        let map = resolve(id).map.as_ref().unwrap();
        assert!(map.field("metadata").is_some() && map.field("spec").is_none() && map.element.is_some());
    }
}
