//! What is found in texts: objects to judge, documents that are none, and what can't be read.

use crate::admission::resources::Resource;
use crate::json::Value;
use crate::json::pointer::{self, Segment};
use crate::json::yaml::Lines;
use crate::policy::model::Source;

use super::classify::Reason;

/// One object to judge.
#[derive(Clone, Debug)]
pub struct Manifest<'a> {
    /// The object as it would reach admission: with its namespace.
    pub object: Value<'a>,
    /// The object as it was written.
    pub written: Value<'a>,
    /// What the object is called.
    pub id: ObjectId,
    /// The resource that its kind is served under.
    pub resource: Resource,
    /// Where it was read from.
    pub source: Source,
    /// The lines of its fields.
    pub lines: Lines<'a>,
    /// The kustomization or chart that the object was built of; `written`, `source` and `lines` are then those
    /// of the file that it came from.
    pub built_by: Option<&'a str>,
}

impl Manifest<'_> {
    /// The way in what is written to what `path` leads to in the object: where that was built, elements of lists are told
    /// by their names, and an element that isn't written ends the way.
    pub fn written_path<'p>(&self, path: pointer::Path<'p>) -> pointer::Path<'p> {
        if self.built_by.is_none() {
            return path;
        }
        let (mut built, mut written) = (Some(self.object), Some(self.written));
        let mut way = Vec::new();
        for segment in path.0 {
            let index = match &segment {
                Segment::Key(key) => {
                    built = built.and_then(|value| value.get(key));
                    written = written.and_then(|value| value.get(key));
                    way.push(segment);
                    continue;
                }
                Segment::Index(index) => *index,
            };
            built = elements(built).get(index).copied();
            let name = |value: &Value<'_>| value.get("name").and_then(|name| name.as_str().map(str::to_owned));
            let called = built.as_ref().and_then(name);
            let same = |value: &Value<'_>| if called.is_some() { name(value) == called } else { built == Some(*value) };
            let Some(at) = elements(written).iter().position(same) else { break };
            written = elements(written).get(at).copied();
            way.push(Segment::Index(at));
        }
        pointer::Path(way)
    }
}

/// What names an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectId {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `Deployment`.
    pub kind: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// `metadata.name`, or `metadata.generateName` with a `*`.
    pub name: String,
}

/// A file or a document that may hold manifests, but can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where.
    pub source: Source,
    /// What is wrong.
    pub message: String,
}

/// A document that is no manifest.
#[derive(Clone, Debug)]
pub struct LeftOut {
    /// The document.
    pub source: Source,
    /// Why.
    pub reason: Reason,
}

impl std::fmt::Display for ObjectId {
    /// `Deployment media/jellyfin`, `Namespace media`; `Pod media/?` for one without a name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.kind)?;
        match (self.namespace.as_str(), self.name.as_str()) {
            ("", "") => Ok(()),
            ("", name) => write!(f, " {name}"),
            (namespace, "") => write!(f, " {namespace}/?"),
            (namespace, name) => write!(f, " {namespace}/{name}"),
        }
    }
}

fn elements<'a>(value: Option<Value<'a>>) -> &'a [Value<'a>] {
    value.and_then(|value| value.as_array()).unwrap_or_default()
}

/// The text that `path` leads to, or none.
pub(super) fn text_at<'a>(value: Value<'a>, path: &[&str]) -> &'a str {
    value.at(path).and_then(|value| value.as_str()).unwrap_or_default()
}
