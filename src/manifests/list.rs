//! Lists of objects, as `kubectl get` prints them.

use crate::admission::resources::{built_in, split_api_version};
use crate::json::{Arena, Object, Value};

/// The items of a list object, and what they are where they don't say so themselves.
pub(super) struct List<'a> {
    pub(super) elements: &'a [Value<'a>],
    pub(super) api_version: &'a str,
    pub(super) item_kind: &'a str,
}

/// What `value` lists, if it is a list.
pub(super) fn list_items(value: Value<'_>) -> Option<List<'_>> {
    let item_kind = value.get("kind")?.as_str()?.strip_suffix("List")?;
    let api_version = value.get("apiVersion")?.as_str()?;
    let elements = match value.get("items") {
        // Only what is known to be a list can be one without items.
        None | Some(Value::Null) if is_known_list(api_version, item_kind) => &[],
        items => items?.as_array()?,
    };
    Some(List { elements, api_version, item_kind })
}

fn is_known_list(api_version: &str, item_kind: &str) -> bool {
    let (group, _) = split_api_version(api_version);
    (group.is_empty() && item_kind.is_empty()) || built_in(group, item_kind).is_some()
}

impl<'a> List<'a> {
    /// The item with `apiVersion` and `kind`, which the API server omits in the items of a typed list.
    pub(super) fn typed(&self, arena: &'a Arena, item: Value<'a>) -> Value<'a> {
        match item {
            Value::Object(object) if !self.item_kind.is_empty() && object.get("kind").is_none() => {
                let mut members =
                    vec![("apiVersion", Value::String(self.api_version)), ("kind", Value::String(self.item_kind))];
                members.extend(object.members().iter().filter(|(key, _)| *key != "apiVersion"));
                Value::Object(Object::new(arena, &members))
            }
            other => other,
        }
    }
}
