//! The cluster's namespaces, kept by a watch; one that isn't known yet is asked for.
//!
//! Upstream: `webhook/predicates/namespace/matcher.go`, which asks the same way when its cache lags behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::engine::Namespaces;
use crate::json::{self, Arena, Limits, Object, Value};
use crate::policy::Tree;

use super::api::{Failure, escaped};
use super::bridge::Bridge;
use super::status::{Status, Statuses};
use super::watch::{Collection, Watch};

type ByName = HashMap<String, Arc<Tree>>;

/// The watch of namespaces.
#[derive(Debug)]
pub struct NamespaceWatch {
    bridge: Arc<Bridge>,
    known: Arc<ArcSwap<ByName>>,
}

/// The namespaces that one request sees.
#[derive(Debug)]
pub struct KnownNamespaces {
    bridge: Arc<Bridge>,
    known: Arc<ByName>,
    deadline: Instant,
}

/// What the watch is called in metrics and readiness.
const WATCHED: &str = "namespaces";

impl NamespaceWatch {
    /// Starts to watch.
    pub fn start(bridge: &Arc<Bridge>, statuses: &Statuses) -> Self {
        let known = Arc::new(ArcSwap::from_pointee(ByName::new()));
        let (status, api, sink) = (statuses.begin(WATCHED), bridge.api(), Arc::clone(&known));
        bridge.spawn(async move {
            let collection = Collection {
                path: "/api/v1/namespaces".to_owned(),
                api_version: "v1".to_owned(),
                kind: "Namespace".to_owned(),
                name: None,
                label: None,
            };
            let status: &Status = &status;
            let watch = Watch {
                api: &api,
                collection: &collection,
                status,
                keep: &|namespace| Ok(Some(Arc::new(Tree::from(without_managed_fields(&Arena::new(), namespace))))),
                size: &|_, text| text,
                publish: &|namespaces| {
                    let copy = namespaces.map(|((_, name), namespace)| (name.clone(), Arc::clone(namespace)));
                    sink.store(Arc::new(copy.collect()));
                },
                failed: &|_, _| {},
            };
            loop {
                // There is no API server without namespaces, so what refuses them is on its way up or down.
                watch.run().await;
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        });
        Self { bridge: Arc::clone(bridge), known }
    }

    /// The namespaces for a request that has to be answered by `deadline`.
    pub fn known(&self, deadline: Instant) -> KnownNamespaces {
        KnownNamespaces { bridge: Arc::clone(&self.bridge), known: self.known.load_full(), deadline }
    }
}

impl Namespaces for KnownNamespaces {
    fn namespace<'a>(&'a self, arena: &'a Arena, name: &str) -> Result<Option<Value<'a>>, String> {
        if let Some(known) = self.known.get(name) {
            return Ok(Some(known.view(arena)));
        }
        let (api, path) = (self.bridge.api(), format!("/api/v1/namespaces/{}", escaped(name)));
        match self.bridge.ask(self.deadline, async move { api.get(&path).await }) {
            Some(Ok(namespace)) => json::parse(arena, arena.alloc_slice_copy(&namespace), &Limits::default())
                .map(Some)
                .map_err(|error| format!("namespace {name:?} can't be read: {error}")),
            // The API server asks about requests in namespaces that exist, so this one has just gone.
            Some(Err(Failure::Refused { code: 404, .. })) => Ok(None),
            Some(Err(failure)) => Err(format!("namespace {name:?} can't be had: {failure}")),
            None => Err(format!("namespace {name:?} can't be had: the request's timeout has passed")),
        }
    }
}

/// The largest part of many objects, which no policy sees.
fn without_managed_fields<'a>(arena: &'a Arena, object: Value<'a>) -> Value<'a> {
    let (Some(fields), Some(metadata)) = (object.as_object(), object.get("metadata").and_then(|m| m.as_object()))
    else {
        return object;
    };
    let kept: Vec<_> = metadata.members().iter().copied().filter(|(key, _)| *key != "managedFields").collect();
    let metadata = Value::Object(Object::new(arena, &kept));
    let members: Vec<_> = fields
        .members()
        .iter()
        .map(|(key, value)| (*key, if *key == "metadata" { metadata } else { *value }))
        .collect();
    Value::Object(Object::new(arena, &members))
}
