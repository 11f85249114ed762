//! The cluster's CustomResourceDefinitions, watched while a policy merges apply configurations into objects that they
//! may define; of those, only what merging has to know is kept.
//!
//! A definition in the cluster replaces the one of the same kind that came with the policies: the API server merges by
//! it. Where definitions can't be read, policies work without, as they do for kinds that nobody has defined; that is
//! said in the log, in readiness and in metrics.
//!
//! Upstream: `policy/mutating/patch/typeconverter.go`, which asks the API server for what it publishes of them, and
//! `apiextensions-apiserver/pkg/controller/openapiv3`, which publishes it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use crate::json::Value;
use crate::policy::model::{PatchType, Policy, Rules};
use crate::schema::{self, Definition, Definitions};

use super::api::Api;
use super::bridge::Bridge;
use super::status::{Status, Statuses};
use super::watch::{Collection, Watch};

/// The watch of definitions, if one is needed.
#[derive(Debug)]
pub struct DefinitionWatch {
    bridge: Arc<Bridge>,
    statuses: Arc<Statuses>,
    shared: Arc<Shared>,
    running: Mutex<Option<JoinHandle<()>>>,
}

/// The API groups whose definitions are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Groups {
    All,
    These(BTreeSet<String>),
}

/// What the watch and requests share.
#[derive(Debug, Default)]
struct Shared {
    /// What requests see.
    merged: ArcSwap<Definitions>,
    parts: Mutex<Parts>,
}

/// What is merged.
#[derive(Debug, Default)]
struct Parts {
    /// What came with the policies.
    shipped: Definitions,
    /// What is watched; `None` if nothing is needed.
    wanted: Option<Groups>,
    /// What the watch has found.
    watched: Vec<Arc<Definition>>,
}

/// What the watch is called in metrics and readiness.
const WATCHED: &str = "customresourcedefinitions";
/// How soon definitions are looked for again where there are none to be had, as in an API server that is starting.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl DefinitionWatch {
    /// No watch.
    pub fn new(bridge: Arc<Bridge>, statuses: Arc<Statuses>) -> Self {
        Self { bridge, statuses, shared: Arc::default(), running: Mutex::default() }
    }

    /// Watches what `policies` need, beside the definitions that came with them, and ends what is no longer needed. What
    /// is known stays in use until the API server has said more.
    pub fn follow(&self, policies: &[Policy], shipped: &Definitions) {
        let wanted = Groups::needed_by(policies);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = false;
        self.shared.change(|parts| {
            changed = parts.wanted != wanted;
            parts.shipped = shipped.clone();
            parts.wanted = wanted.clone();
            if wanted.is_none() {
                parts.watched = Vec::new();
            }
        });
        if !changed {
            return;
        }
        if let Some(task) = running.take() {
            task.abort();
            self.statuses.end(WATCHED);
        }
        *running = wanted.map(|groups| {
            let (api, shared, status) = (self.bridge.api(), Arc::clone(&self.shared), self.statuses.begin(WATCHED));
            self.bridge.spawn(async move { groups.watch(&api, &shared, &status).await })
        });
    }

    /// The definitions as they are known at present.
    pub fn current(&self) -> Arc<Definitions> {
        self.shared.merged.load_full()
    }
}

impl Drop for DefinitionWatch {
    fn drop(&mut self) {
        if let Some(task) = self.running.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

impl Groups {
    /// The groups that are not built in and whose objects `policies` may merge apply configurations into.
    fn needed_by(policies: &[Policy]) -> Option<Self> {
        let mut needed = BTreeSet::new();
        for policy in policies.iter().filter(|policy| merges(policy) && !policy.bindings.is_empty()) {
            let rules = &policy.match_constraints.resource_rules;
            let groups: BTreeSet<&String> = rules.iter().flat_map(|rule| &rule.api_groups).collect();
            if rules.is_empty() || groups.iter().any(|group| *group == "*") {
                return Some(Self::All);
            }
            let custom = groups.into_iter().filter(|group| !schema::kinds().any(|kind| kind.group == group.as_str()));
            needed.extend(custom.cloned());
        }
        (!needed.is_empty()).then_some(Self::These(needed))
    }

    fn contain(&self, group: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(groups) => groups.contains(group),
        }
    }

    /// Watches for as long as policies need it.
    async fn watch(&self, api: &Api, shared: &Shared, status: &Status) {
        let collection = Collection {
            path: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions".to_owned(),
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            name: None,
            label: None,
        };
        let told = AtomicBool::new(false);
        let watch = Watch {
            api,
            collection: &collection,
            status,
            keep: &|definition| self.keep(definition),
            size: &|definition, _| definition.bytes(),
            publish: &|definitions| {
                told.store(false, Ordering::Relaxed);
                shared.set(self, definitions.map(|(_, definition)| Arc::clone(definition)).collect());
            },
            failed: &|failure, synced| {
                if !synced && failure.is_lasting() {
                    status.forgo();
                    if !told.swap(true, Ordering::Relaxed) {
                        tracing::error!(
                            error = %failure,
                            "the definitions of custom resources can't be had: apply configurations merge into custom \
                             resources without their schemas, and those that write lists fail"
                        );
                    }
                }
            },
        };
        loop {
            // It ends where the API server doesn't serve definitions.
            watch.run().await;
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What is kept of a definition. One that isn't established yet, or whose names are taken, defines nothing.
    fn keep(&self, definition: Value<'_>) -> Result<Option<Arc<Definition>>, String> {
        let group = definition.at(&["spec", "group"]).and_then(|group| group.as_str());
        if group.is_some_and(|group| !self.contain(group)) || !is_established(definition) {
            return Ok(None);
        }
        Definition::read(definition).map(|definition| Some(Arc::new(definition))).map_err(str::to_owned)
    }
}

fn merges(policy: &Policy) -> bool {
    match &policy.rules {
        Rules::Validate { .. } => false,
        Rules::Mutate { mutations, .. } => {
            mutations.iter().any(|mutation| mutation.patch_type == PatchType::ApplyConfiguration)
        }
    }
}

fn is_established(definition: Value<'_>) -> bool {
    let conditions = definition.at(&["status", "conditions"]).and_then(|conditions| conditions.as_array());
    let says = |condition: &Value<'_>, field, text| condition.get(field).and_then(|value| value.as_str()) == Some(text);
    conditions.into_iter().flatten().any(|of| says(of, "type", "Established") && says(of, "status", "True"))
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let mut merged = parts.shipped.clone();
        parts.watched.iter().for_each(|definition| merged.add(definition));
        self.merged.store(Arc::new(merged));
    }

    fn set(&self, groups: &Groups, watched: Vec<Arc<Definition>>) {
        self.change(|parts| {
            // A watch that is being ended may still have a last word.
            if parts.wanted.as_ref() == Some(groups) {
                parts.watched = watched;
            }
        });
    }
}

#[cfg(test)]
#[path = "definitions_tests.rs"]
mod tests;
