//! Keeps a collection of objects as the API server has it: lists it once, then follows its changes, and starts again
//! when the thread is lost.
//!
//! Upstream: `client-go/tools/cache/reflector.go`. Objects are read one by one, so that one which can't be read costs
//! itself alone.

use std::collections::BTreeMap;
use std::time::Duration;

use http_body_util::BodyExt;
use kube::client::Body;

use crate::json::{self, Arena, Limits, Value};

use super::api::{Api, Failure, MAX_ANSWER_BYTES, escaped};
use super::backoff::{Backoff, between_zero_and};
use super::slices;
use super::status::Status;

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// `/api/v1/namespaces`, for example.
    pub path: String,
    /// The `apiVersion` of its objects, which lists leave out.
    pub api_version: String,
    /// Their `kind`, which lists leave out.
    pub kind: String,
    /// The only object that is wanted.
    pub name: Option<String>,
    /// The label that wanted objects have, with its value: `key=value`.
    pub label: Option<String>,
}

/// An object's namespace and name.
pub type Key = (String, String);

/// What is kept of each object, with its size.
type Kept<T> = BTreeMap<Key, (T, usize)>;

/// How many bytes what is kept of the objects of one watch may have.
const MAX_KEPT_BYTES: usize = 64 * 1024 * 1024;
/// How many objects are asked for at once, if they are not too large.
const PAGE: usize = 250;
/// After so long the API server ends a watch, and a new one begins: an interrupted connection isn't missed for longer.
const WATCH_SECONDS: u64 = 60;
/// A watch that says nothing for longer than it was to last is dead.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS * 3 / 2);
/// The resource version is no longer there: everything has to be listed anew.
const GONE: u16 = 410;

/// Gets everything that is kept.
pub type Publish<'w, T> = dyn Fn(&mut dyn Iterator<Item = (&Key, &T)>) + Send + Sync + 'w;

/// A watch in progress.
pub struct Watch<'w, T> {
    /// The client.
    pub api: &'w Api,
    /// What is watched.
    pub collection: &'w Collection,
    /// Told how it goes.
    pub status: &'w Status,
    /// Makes of an object what is kept of it, `None` if that is nothing, or says why it can't be used.
    pub keep: &'w (dyn Fn(Value<'_>) -> Result<Option<T>, String> + Send + Sync),
    /// How many bytes count for what is kept of an object whose text has so many.
    pub size: &'w (dyn Fn(&T, usize) -> usize + Send + Sync),
    /// Told of everything that is kept after each change.
    pub publish: &'w Publish<'w, T>,
    /// Told of each failure, and whether everything was listed before.
    pub failed: &'w (dyn Fn(&Failure, bool) + Send + Sync),
}

impl<T: Send + Sync> Watch<'_, T> {
    /// Watches until the collection itself is gone; returns what the API server said then.
    pub async fn run(&self) -> Failure {
        let mut backoff = Backoff::default();
        loop {
            let failure = match self.list().await {
                Ok((mut kept, version)) => self.follow(&mut kept, version, &mut backoff).await,
                Err(failure @ Failure::Refused { code: 404, .. }) => {
                    self.failed(&failure);
                    return failure;
                }
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                self.failed(&failure);
                tokio::time::sleep(backoff.next()).await;
            }
        }
    }

    fn failed(&self, failure: &Failure) {
        self.status.failed(&failure.to_string());
        let synced = self.status.get().synced;
        (self.failed)(failure, synced);
        tracing::warn!(path = self.collection.path, error = %failure, synced, "a watch of the cluster is interrupted");
    }

    /// Everything there is, and its version.
    async fn list(&self) -> Result<(Kept<T>, String), Failure> {
        let mut limit = PAGE;
        'anew: loop {
            let (mut kept, mut next, mut bytes) = (Kept::new(), String::new(), 0);
            loop {
                let page = match self.api.get(&self.url(&format!("limit={limit}&continue={}", escaped(&next)))).await {
                    Err(Failure::TooLarge) if limit > 1 => {
                        limit = (limit / 4).max(1);
                        continue 'anew;
                    }
                    page => page?,
                };
                self.status.contact();
                let page = Page::read(&page)?;
                for item in page.items {
                    bytes += self.insert(&mut kept, item);
                    within(bytes)?;
                }
                if page.next.is_empty() {
                    self.published(&kept);
                    return Ok((kept, page.version));
                }
                next = page.next;
            }
        }
    }

    /// Follows changes from `version` on until everything has to be listed anew, at once or after a failure.
    async fn follow(&self, kept: &mut Kept<T>, mut version: String, backoff: &mut Backoff) -> Option<Failure> {
        loop {
            // Replicas that started together shall not go on together.
            let seconds = WATCH_SECONDS - between_zero_and(Duration::from_secs(WATCH_SECONDS / 4)).as_secs();
            let query = format!(
                "watch=1&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={}",
                escaped(&version)
            );
            let ended = match self.api.stream(&self.url(&query)).await {
                Ok(body) => {
                    self.status.contact();
                    backoff.reset();
                    self.read_events(body, kept, &mut version).await
                }
                Err(failure) => Err(failure),
            };
            match ended {
                Ok(()) => {}
                Err(Failure::Refused { code: GONE, .. }) => return None,
                Err(failure @ Failure::Connection(_)) => {
                    self.failed(&failure);
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(failure) => return Some(failure),
            }
        }
    }

    async fn read_events(&self, mut body: Body, kept: &mut Kept<T>, version: &mut String) -> Result<(), Failure> {
        let mut buffer: Vec<u8> = Vec::new();
        loop {
            let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
                Err(_) => return Err(Failure::Connection(format!("nothing was heard for {SILENCE:?}"))),
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(Failure::Connection(error.to_string())),
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            buffer.extend_from_slice(&data);
            let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else {
                if buffer.len() > MAX_ANSWER_BYTES {
                    return Err(Failure::TooLarge);
                }
                continue;
            };
            let mut changed = false;
            for line in buffer.get(..end).unwrap_or_default().split(|byte| *byte == b'\n') {
                changed |= self.event(line, kept, version)?;
            }
            buffer.drain(..=end);
            self.status.contact();
            within(kept.values().map(|(_, bytes)| bytes).sum())?;
            if changed {
                self.published(kept);
            }
        }
    }

    /// Applies one event; returns whether it changed anything.
    fn event(&self, line: &[u8], kept: &mut Kept<T>, version: &mut String) -> Result<bool, Failure> {
        if line.trim_ascii().is_empty() {
            return Ok(false);
        }
        let unusable = || Failure::Unusable("an event that is no JSON object".to_owned());
        let event = slices::members(line).ok_or_else(unusable)?;
        let object = event.get("object").copied().ok_or_else(unusable)?;
        let arena = Arena::new();
        let parsed = json::parse(&arena, object, &Limits::default());
        if let Some(newer) = parsed.as_ref().ok().and_then(|object| text(*object, &["metadata", "resourceVersion"])) {
            *version = newer.to_owned();
        }
        match event.get("type").copied() {
            Some(b"\"ADDED\"" | b"\"MODIFIED\"") => {
                self.insert(kept, object);
                Ok(true)
            }
            Some(b"\"DELETED\"") => match parsed.ok().and_then(key) {
                Some(key) => Ok(kept.remove(&key).is_some()),
                // Without its name it can't be told which one: only a new list can.
                None => Err(Failure::Refused { code: GONE, message: "a deleted object without a name".to_owned() }),
            },
            Some(b"\"ERROR\"") => {
                let status = parsed.unwrap_or(Value::Null);
                let code = match status.get("code") {
                    Some(Value::Int(code)) => u16::try_from(code).ok(),
                    _ => None,
                };
                let message = text(status, &["message"]).unwrap_or("the watch ended with an error").to_owned();
                Err(Failure::Refused { code: code.unwrap_or(500), message })
            }
            // A bookmark only brings the version.
            _ => Ok(false),
        }
    }

    /// Keeps what is wanted of an object; returns its size. An object that can't be read is counted, and what was kept of
    /// it before stays.
    fn insert(&self, kept: &mut Kept<T>, object: &[u8]) -> usize {
        let arena = Arena::new();
        let parsed = json::parse(&arena, object, &Limits::default()).map_err(|error| error.to_string());
        let usable = parsed.and_then(|object| {
            let object = self.with_type(&arena, object).ok_or("it is no object")?;
            let key = key(object).ok_or("it has no name")?;
            let value = (self.keep)(object).map_err(|why| format!("{}: {why}", key.1))?;
            Ok((key, value))
        });
        match usable {
            Ok((key, Some(value))) => {
                let size = (self.size)(&value, object.len());
                kept.insert(key, (value, size));
                size
            }
            Ok((key, None)) => {
                kept.remove(&key);
                0
            }
            Err(error) => {
                self.status.malformed();
                tracing::error!(path = self.collection.path, error, "an object of the cluster can't be read");
                0
            }
        }
    }

    /// The object with the `apiVersion` and `kind` that lists leave out.
    fn with_type<'a>(&'a self, arena: &'a Arena, object: Value<'a>) -> Option<Value<'a>> {
        let members = object.as_object()?.members();
        let mut typed = vec![
            ("apiVersion", Value::String(&self.collection.api_version)),
            ("kind", Value::String(&self.collection.kind)),
        ];
        typed.extend(members.iter().filter(|(key, _)| !matches!(*key, "apiVersion" | "kind")));
        Some(Value::Object(json::Object::new(arena, &typed)))
    }

    fn published(&self, kept: &Kept<T>) {
        (self.publish)(&mut kept.iter().map(|(key, (value, _))| (key, value)));
        self.status.keeps(kept.len());
    }

    fn url(&self, query: &str) -> String {
        let mut url = format!("{}?{query}", self.collection.path);
        if let Some(name) = &self.collection.name {
            url.push_str(&format!("&fieldSelector={}", escaped(&format!("metadata.name={name}"))));
        }
        if let Some(label) = &self.collection.label {
            url.push_str(&format!("&labelSelector={}", escaped(label)));
        }
        url
    }
}

/// One page of a list.
struct Page<'t> {
    version: String,
    next: String,
    items: Vec<&'t [u8]>,
}

impl<'t> Page<'t> {
    fn read(list: &'t [u8]) -> Result<Self, Failure> {
        let unusable = |what: &str| Failure::Unusable(format!("a list without {what}"));
        let list = slices::members(list).ok_or_else(|| unusable("members"))?;
        let items = match list.get("items").copied() {
            Some(b"null") => Vec::new(),
            items => items.and_then(slices::elements).ok_or_else(|| unusable("items"))?,
        };
        let arena = Arena::new();
        let metadata = list.get("metadata").and_then(|text| json::parse(&arena, text, &Limits::default()).ok());
        let metadata = metadata.ok_or_else(|| unusable("metadata"))?;
        let part = |name| text(metadata, &[name]).unwrap_or_default().to_owned();
        Ok(Self { version: part("resourceVersion"), next: part("continue"), items })
    }
}

fn key(object: Value<'_>) -> Option<Key> {
    let name = text(object, &["metadata", "name"])?;
    Some((text(object, &["metadata", "namespace"]).unwrap_or_default().to_owned(), name.to_owned()))
}

fn text<'a>(value: Value<'a>, path: &[&str]) -> Option<&'a str> {
    value.at(path).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

fn within(bytes: usize) -> Result<(), Failure> {
    match bytes <= MAX_KEPT_BYTES {
        true => Ok(()),
        false => Err(Failure::Unusable(format!("the objects have more than {MAX_KEPT_BYTES} bytes together"))),
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
