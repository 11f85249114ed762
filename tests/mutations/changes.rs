//! What differs between a pod and the pod after a mutation, field by field, with list items known by their keys.

use std::fmt;

use serde_json::Value;

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The field: `spec.containers[].image`. Init containers are `containers`, too.
    pub field: String,
    /// The keys of the list items on the way to it.
    pub items: Vec<String>,
    /// What it is.
    pub what: What,
}

/// What a difference is.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A scalar, an empty object or list, or an item of a list that was not there before.
    Added(Value),
    /// A field or list item that is gone, as a whole.
    Removed(Value),
    /// Another value.
    Replaced(Value, Value),
    /// The same items in another order.
    Reordered,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): ", self.field, self.items.join(", "))?;
        match &self.what {
            What::Added(value) => write!(f, "{value} added"),
            What::Removed(value) => write!(f, "{value} removed"),
            What::Replaced(before, after) => write!(f, "{before} became {after}"),
            What::Reordered => write!(f, "in another order"),
        }
    }
}

/// The differences between two objects.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut comparison = Comparison { field: Vec::new(), items: Vec::new(), found: Vec::new() };
    comparison.values(Some(before), Some(after));
    comparison.found
}

struct Comparison {
    field: Vec<String>,
    items: Vec<String>,
    found: Vec<Change>,
}

impl Comparison {
    fn values(&mut self, before: Option<&Value>, after: Option<&Value>) {
        match (before, after) {
            (None | Some(Value::Null), None | Some(Value::Null)) => {}
            (Some(before), Some(after)) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => {
                for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
                    self.field.push(key.clone());
                    self.values(before.get(key), after.get(key));
                    self.field.pop();
                }
            }
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(before, after),
            (None, Some(Value::Object(members))) if !members.is_empty() => {
                for (key, member) in members {
                    self.field.push(key.clone());
                    self.values(None, Some(member));
                    self.field.pop();
                }
            }
            // An empty list is none.
            (Some(Value::Array(elements)), None) if !elements.is_empty() => self.lists(elements, &[]),
            (None, Some(Value::Array(elements))) if !elements.is_empty() => self.lists(&[], elements),
            (Some(before), None) => self.report(What::Removed(before.clone())),
            (None, Some(after)) => self.report(What::Added(after.clone())),
            (Some(before), Some(after)) => self.report(What::Replaced(before.clone(), after.clone())),
        }
    }

    fn lists(&mut self, before: &[Value], after: &[Value]) {
        let field = self.field.last().cloned().unwrap_or_default();
        let (old, new) = (keys(&field, before), keys(&field, after));
        if let Some(last) = self.field.last_mut() {
            last.push_str("[]");
        }
        let of = |keys: &[String], values: &'_ [Value], key: &String| {
            keys.iter().position(|other| other == key).map(|at| values[at].clone())
        };
        for key in old.iter().chain(new.iter().filter(|key| !old.contains(key))) {
            self.items.push(key.clone());
            match (of(&old, before, key), of(&new, after, key)) {
                (None, Some(item)) => self.report(What::Added(item)),
                (Some(item), None) => self.report(What::Removed(item)),
                (before, after) => self.values(before.as_ref(), after.as_ref()),
            }
            self.items.pop();
        }
        let kept = |keys: &[String], others: &[String]| -> Vec<String> {
            keys.iter().filter(|key| others.contains(key)).cloned().collect()
        };
        if kept(&old, &new) != kept(&new, &old) {
            self.report(What::Reordered);
        }
        if let Some(last) = self.field.last_mut() {
            last.truncate(last.len() - 2);
        }
    }

    fn report(&mut self, what: What) {
        let field = self.field.join(".").replace("spec.initContainers[]", "spec.containers[]");
        self.found.push(Change { field, items: self.items.clone(), what });
    }
}

/// What tells the items of a list from each other: as upstream merges them, and otherwise their whole text. The same key
/// again has its number.
fn keys(field: &str, items: &[Value]) -> Vec<String> {
    let by: &[&str] = match field {
        "containers" | "initContainers" | "volumes" | "env" | "resourceClaims" | "claims" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ports" => &["containerPort", "protocol"],
        _ => &[],
    };
    let mut keys: Vec<String> = Vec::new();
    for item in items {
        let key = if by.is_empty() {
            item.to_string()
        } else {
            let parts =
                by.iter().map(|field| item[*field].as_str().map_or_else(|| item[*field].to_string(), str::to_owned));
            parts.collect::<Vec<_>>().join("/")
        };
        let again = keys.iter().filter(|other| **other == key || other.starts_with(&format!("{key}#"))).count();
        keys.push(if again == 0 { key } else { format!("{key}#{again}") });
    }
    keys
}
