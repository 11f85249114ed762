//! The objects in the cluster that the loaded policies' `paramRef`s refer to, each reference kept by a watch of its own:
//! what no policy refers to is neither read nor has to be readable.
//!
//! A param in the cluster replaces the one of the same kind, namespace and name that came with the policies.
//!
//! Upstream: the informers of `policy/generic/policy_source.go`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use crate::json::{self, Arena, Limits};
use crate::policy::model::{ParamKind, Policy};
use crate::policy::{KindState, Param, Params};

use super::api::{Api, Failure, escaped};
use super::backoff::Backoff;
use super::bridge::Bridge;
use super::status::{Status, Statuses};
use super::watch::{Collection, Watch};

/// The watches of params.
#[derive(Debug)]
pub struct ParamWatches {
    bridge: Arc<Bridge>,
    statuses: Arc<Statuses>,
    shared: Arc<Shared>,
    running: Mutex<BTreeMap<Reference, JoinHandle<()>>>,
}

/// What policies refer to: one object, or all of a namespace or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    kind: ParamKind,
    /// `None` for the request's own namespace: then it can be any.
    namespace: Option<String>,
    /// `None` where a selector chooses.
    name: Option<String>,
}

/// What watches and requests share.
#[derive(Debug, Default)]
struct Shared {
    /// What requests see.
    merged: ArcSwap<Params>,
    parts: Mutex<Parts>,
}

/// What is merged.
#[derive(Debug, Default)]
struct Parts {
    /// What came with the policies.
    shipped: Params,
    watched: BTreeMap<Reference, Part>,
}

/// What a watch has found.
#[derive(Clone, Debug)]
struct Part {
    state: KindState,
    objects: Vec<Param>,
}

impl ParamWatches {
    /// No watches.
    pub fn new(bridge: Arc<Bridge>, statuses: Arc<Statuses>) -> Self {
        Self { bridge, statuses, shared: Arc::default(), running: Mutex::default() }
    }

    /// Watches what `policies` refer to, beside what came with them, and ends watches that are no longer needed.
    pub fn follow(&self, policies: &[Policy], shipped: &Params) {
        let wanted = references(policies);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|reference, task| {
            let stays = wanted.contains(reference);
            if !stays {
                task.abort();
                self.statuses.end(&reference.to_string());
            }
            stays
        });
        self.shared.change(|parts| {
            parts.shipped = shipped.clone();
            parts.watched.retain(|reference, _| wanted.contains(reference));
            for reference in &wanted {
                let begun = Part { state: KindState::NotSynced(String::new()), objects: Vec::new() };
                parts.watched.entry(reference.clone()).or_insert(begun);
            }
        });
        for reference in wanted {
            if !running.contains_key(&reference) {
                let (api, shared) = (self.bridge.api(), Arc::clone(&self.shared));
                let status = self.statuses.begin(&reference.to_string());
                let watched = reference.clone();
                let task = self.bridge.spawn(async move { watched.watch(&api, &shared, &status).await });
                running.insert(reference, task);
            }
        }
    }

    /// The params as they are known at present.
    pub fn current(&self) -> Arc<Params> {
        self.shared.merged.load_full()
    }
}

impl Drop for ParamWatches {
    fn drop(&mut self) {
        for task in self.running.lock().unwrap_or_else(PoisonError::into_inner).values() {
            task.abort();
        }
    }
}

/// What the bindings of `policies` refer to. A reference that another covers is left out.
fn references(policies: &[Policy]) -> BTreeSet<Reference> {
    let all: BTreeSet<Reference> = policies
        .iter()
        .filter_map(|policy| Some((policy, policy.param_kind.as_ref()?)))
        .flat_map(|(policy, kind)| {
            policy.bindings.iter().filter_map(move |binding| Some((kind, binding.param_ref.as_ref()?)))
        })
        .map(|(kind, reference)| Reference {
            kind: kind.clone(),
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
        })
        .collect();
    all.iter().filter(|one| !all.iter().any(|other| other != *one && other.covers(one))).cloned().collect()
}

impl Shared {
    fn change(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        self.merged.store(Arc::new(parts.merge()));
    }
}

impl Parts {
    fn merge(&self) -> Params {
        let mut params = self.shipped.clone();
        let mut kinds: BTreeMap<&ParamKind, KindState> = BTreeMap::new();
        for (reference, part) in &self.watched {
            let state = kinds.entry(&reference.kind).or_insert_with(|| part.state.clone());
            // A kind is synced when all that is watched of it is.
            if matches!(state, KindState::Synced { .. }) {
                *state = part.state.clone();
            }
            part.objects.iter().for_each(|object| params.keep(object.clone()));
        }
        for (kind, state) in kinds {
            params.set_kind(kind, state);
        }
        params
    }
}

/// How often a kind that isn't served is looked for again: its definition may come later.
const LOOK_AGAIN: Duration = Duration::from_secs(10);

impl Reference {
    /// Whether whoever watches this sees the other, too.
    fn covers(&self, other: &Self) -> bool {
        let within = |mine: &Option<String>, theirs: &Option<String>| mine.is_none() || mine == theirs;
        self.kind == other.kind && within(&self.namespace, &other.namespace) && within(&self.name, &other.name)
    }

    /// Watches for as long as policies refer to it.
    async fn watch(&self, api: &Api, shared: &Shared, status: &Status) {
        let mut backoff = Backoff::default();
        loop {
            match self.find(api).await {
                Ok(Some((collection, namespaced))) => {
                    backoff.reset();
                    let failed = |failure: &Failure| shared.set_state(self, KindState::NotSynced(failure.to_string()));
                    let watch = Watch {
                        api,
                        collection: &collection,
                        status,
                        keep: &|object| Param::new(object).map(Some).ok_or_else(|| "it can't be a param".to_owned()),
                        size: &|_, text| text,
                        publish: &|objects| {
                            let objects = objects.map(|(_, param)| param.clone()).collect();
                            shared.set(self, Part { state: KindState::Synced { namespaced }, objects });
                        },
                        failed: &|failure, synced| {
                            // What is known stays in use; what never was says why.
                            if !synced {
                                failed(failure);
                            }
                        },
                    };
                    // It ends when the kind is no longer served.
                    watch.run().await;
                }
                Ok(None) => {
                    tracing::warn!(watch = %self, "the cluster doesn't serve a kind that policies take params from");
                    status.absent();
                    shared.set(self, Part { state: KindState::Unknown, objects: Vec::new() });
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                Err(failure) => {
                    tracing::warn!(watch = %self, error = %failure, "a kind that policies take params from can't be found");
                    status.failed(&failure.to_string());
                    shared.set_state(self, KindState::NotSynced(failure.to_string()));
                    tokio::time::sleep(backoff.next()).await;
                }
            }
        }
    }

    /// Where the API server serves the kind, and whether its objects are in namespaces; `None` if it doesn't.
    async fn find(&self, api: &Api) -> Result<Option<(Collection, bool)>, Failure> {
        let ParamKind { api_version, kind } = &self.kind;
        let root = if api_version.contains('/') { "/apis" } else { "/api" };
        let base = format!("{root}/{api_version}");
        let resources = match api.get(&base).await {
            Err(Failure::Refused { code: 404, .. }) => return Ok(None),
            resources => resources?,
        };
        let arena = Arena::new();
        let resources = json::parse(&arena, &resources, &Limits::default())
            .map_err(|error| Failure::Unusable(format!("{base}: {error}")))?;
        let resources = resources.get("resources").and_then(|list| list.as_array()).unwrap_or_default();
        let text = |resource: &json::Value<'_>, field| {
            resource.get(field).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
        };
        // Subresources are listed, too, some of them with this kind.
        let found = resources.iter().find(|of| text(of, "kind") == *kind && !text(of, "name").contains('/'));
        let Some(resource) = found else { return Ok(None) };
        let namespaced = resource.get("namespaced").and_then(|value| value.as_bool()).unwrap_or(false);
        let path = match self.namespace.as_deref().filter(|_| namespaced) {
            Some(namespace) => format!("{base}/namespaces/{}/{}", escaped(namespace), text(resource, "name")),
            None => format!("{base}/{}", text(resource, "name")),
        };
        let collection = Collection {
            path,
            api_version: api_version.clone(),
            kind: kind.clone(),
            name: self.name.clone(),
            label: None,
        };
        Ok(Some((collection, namespaced)))
    }
}

impl Shared {
    fn set(&self, reference: &Reference, part: Part) {
        self.change(|parts| {
            // A watch that is being ended may still have a last word.
            if let Some(slot) = parts.watched.get_mut(reference) {
                *slot = part;
            }
        });
    }

    fn set_state(&self, reference: &Reference, state: KindState) {
        self.set(reference, Part { state, objects: Vec::new() });
    }
}

impl std::fmt::Display for Reference {
    /// As metrics and readiness call the watch: `v1/ConfigMap portcullis-system/settings`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        write!(f, "{}/{} {}/{}", self.kind.api_version, self.kind.kind, part(&self.namespace), part(&self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::cluster::testing::{Changes, bridge};
    use crate::json::Value;
    use crate::policy::{Manifest, load};

    /// A policy with a binding for each `paramRef`.
    fn policies(kind: &str, references: &[&str]) -> (Vec<Policy>, Params) {
        let mut text = format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\n\
             spec:\n  paramKind: {kind}\n  matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], \
             operations: [CREATE], resources: [pods]}}]}}\n  validations: [{{expression: 'true'}}]\n"
        );
        for (at, reference) in references.iter().enumerate() {
            text.push_str(&format!(
                "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
                 metadata: {{name: b{at}}}\nspec: {{policyName: p, validationActions: [Deny], paramRef: {reference}}}\n"
            ));
        }
        text.push_str(
            "---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: shop}, data: {from: file}}\n",
        );
        let loaded = load(&[Manifest::new("p.yaml", text)], 36);
        assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
        (loaded.policies, loaded.params)
    }

    const CONFIG_MAPS: &str = "{apiVersion: v1, kind: ConfigMap}";

    #[test]
    fn watches_what_is_referred_to_and_no_more() {
        for (found, expected) in [
            (vec!["{name: x, namespace: shop, parameterNotFoundAction: Deny}"], vec!["v1/ConfigMap shop/x"]),
            (vec!["{name: x, parameterNotFoundAction: Deny}"], vec!["v1/ConfigMap */x"]),
            (vec!["{selector: {}, namespace: shop, parameterNotFoundAction: Deny}"], vec!["v1/ConfigMap shop/*"]),
            (
                vec![
                    "{name: x, namespace: shop, parameterNotFoundAction: Deny}",
                    "{name: x, parameterNotFoundAction: Allow}",
                    "{name: z, namespace: shop, parameterNotFoundAction: Allow}",
                ],
                vec!["v1/ConfigMap */x", "v1/ConfigMap shop/z"],
            ),
        ] {
            let (policies, _) = policies(CONFIG_MAPS, &found);
            let references: Vec<_> = references(&policies).iter().map(ToString::to_string).collect();
            assert_eq!(references, expected);
        }
    }

    /// Waits until the binding's params are as `expected`: the `from` of each, or the error.
    fn until(watches: &ParamWatches, policy: &Policy, expected: Result<&[&str], &str>) {
        let started = Instant::now();
        loop {
            let (arena, params) = (Arena::new(), watches.current());
            let binding = policy.bindings.first().expect("a binding");
            let found = params.resolve(&arena, policy.param_kind.as_ref(), binding.param_ref.as_ref(), "media");
            let from = |param: Value<'_>| param.at(&["data", "from"]).and_then(|v| v.as_str().map(str::to_owned));
            let found = found
                .map(|found| found.iter().map(|param| param.value()).filter_map(from).collect::<Vec<_>>())
                .map_err(|e| e.to_string());
            if found.as_ref().map(|found| found.iter().map(String::as_str).collect::<Vec<_>>()).map_err(String::as_str)
                == expected.map(<[&str]>::to_vec)
            {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "{found:?} instead of {expected:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    const DISCOVERY: &str = r#"{"resources":[{"name":"configmaps/x","kind":"ConfigMap","namespaced":true},
        {"name":"configmaps","kind":"ConfigMap","namespaced":true}]}"#;

    fn watches(answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> ParamWatches {
        ParamWatches::new(Arc::new(bridge(answer)), Arc::default())
    }

    #[test]
    fn an_object_of_the_cluster_replaces_the_one_that_came_with_the_policies() {
        let watches = watches(|path| match path {
            "/api/v1" => (200, DISCOVERY.to_owned()),
            list if list.starts_with("/api/v1/namespaces/shop/configmaps?limit") => (
                200,
                r#"{"metadata":{"resourceVersion":"1"},"items":[
                    {"metadata":{"name":"x","namespace":"shop"},"data":{"from":"cluster"}}]}"#
                    .to_owned(),
            ),
            _ => (503, String::new()),
        });
        let (policies, shipped) = policies(CONFIG_MAPS, &["{name: x, namespace: shop, parameterNotFoundAction: Deny}"]);
        watches.follow(&policies, &shipped);
        until(&watches, &policies[0], Ok(&["cluster"]));
        watches.follow(&[], &Params::default());
        assert!(watches.current().is_empty());
    }

    /// The watches of a cluster with these ConfigMaps at first, and what changes later.
    fn changing(items: &'static str) -> (ParamWatches, Changes) {
        let changes = Changes::default();
        let told = changes.clone();
        let watches = watches(move |path| match path {
            "/api/v1" => (200, DISCOVERY.to_owned()),
            path if path.contains("watch=1") => told.answer(),
            _ => (200, format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":[{items}]}}"#)),
        });
        (watches, changes)
    }

    fn config_map(name: &str, from: &str) -> String {
        format!(
            r#"{{"metadata":{{"name":"{name}","namespace":"shop","resourceVersion":"2"}},"data":{{"from":"{from}"}}}}"#
        )
    }

    #[test]
    fn a_param_that_goes_gives_way_to_the_one_that_came_with_the_policies_until_it_comes_back() {
        let (watches, changes) = changing(r#"{"metadata":{"name":"x","namespace":"shop"},"data":{"from":"cluster"}}"#);
        let (policies, shipped) = policies(CONFIG_MAPS, &["{name: x, namespace: shop, parameterNotFoundAction: Deny}"]);
        watches.follow(&policies, &shipped);
        until(&watches, &policies[0], Ok(&["cluster"]));
        changes.tell("MODIFIED", &config_map("x", "changed"));
        until(&watches, &policies[0], Ok(&["changed"]));
        changes.tell("DELETED", &config_map("x", "changed"));
        until(&watches, &policies[0], Ok(&["file"]));
        changes.tell("ADDED", &config_map("x", "back"));
        until(&watches, &policies[0], Ok(&["back"]));
    }

    #[test]
    fn a_param_that_only_the_cluster_has_is_missing_while_it_is_gone() {
        let (watches, changes) = changing("");
        let (policies, shipped) =
            policies(CONFIG_MAPS, &["{name: other, namespace: shop, parameterNotFoundAction: Deny}"]);
        let missing = "no params found for policy binding with `Deny` parameterNotFoundAction";
        watches.follow(&policies, &shipped);
        until(&watches, &policies[0], Err(missing));
        for from in ["first", "second"] {
            changes.tell("ADDED", &config_map("other", from));
            until(&watches, &policies[0], Ok(&[from]));
            changes.tell("DELETED", &config_map("other", from));
            until(&watches, &policies[0], Err(missing));
        }
    }

    #[test]
    fn what_a_selector_chooses_changes_with_the_objects() {
        let (watches, changes) = changing(r#"{"metadata":{"name":"a","namespace":"shop"},"data":{"from":"a"}}"#);
        let (policies, _) = policies(CONFIG_MAPS, &["{selector: {}, namespace: shop, parameterNotFoundAction: Deny}"]);
        watches.follow(&policies, &Params::default());
        until(&watches, &policies[0], Ok(&["a"]));
        changes.tell("ADDED", &config_map("b", "b"));
        until(&watches, &policies[0], Ok(&["a", "b"]));
        changes.tell("DELETED", &config_map("a", "a"));
        until(&watches, &policies[0], Ok(&["b"]));
    }

    #[test]
    fn reloaded_policies_keep_what_is_known_and_a_reference_that_returns_is_watched_anew() {
        let (watches, _changes) = changing(r#"{"metadata":{"name":"x","namespace":"shop"},"data":{"from":"cluster"}}"#);
        let reference = "{name: x, namespace: shop, parameterNotFoundAction: Deny}";
        let (policies, shipped) = policies(CONFIG_MAPS, &[reference]);
        watches.follow(&policies, &shipped);
        until(&watches, &policies[0], Ok(&["cluster"]));
        let resolved = || {
            let (arena, params, policy) = (Arena::new(), watches.current(), &policies[0]);
            let reference = policy.bindings[0].param_ref.as_ref();
            params.resolve(&arena, policy.param_kind.as_ref(), reference, "media").map(|found| found.len())
        };
        // The same policies, and what came with them is gone: nothing has to be asked for again.
        watches.follow(&policies, &Params::default());
        assert_eq!(resolved().ok(), Some(1));

        watches.follow(&[], &shipped);
        assert!(watches.running.lock().expect("no panic").is_empty());
        watches.follow(&policies, &Params::default());
        until(&watches, &policies[0], Ok(&["cluster"]));
    }

    #[test]
    fn until_the_cluster_has_said_what_there_is_a_policy_cannot_be_evaluated() {
        let (policies, shipped) = policies(CONFIG_MAPS, &["{name: x, namespace: shop, parameterNotFoundAction: Deny}"]);
        let not_synced =
            "paramKind kind `&ParamKind{APIVersion:v1,Kind:ConfigMap,}` not yet synced to use for admission";
        let unknown = "failed to find resource referenced by paramKind: '/v1, Kind=ConfigMap'";
        for (discovery, list, says) in [
            ((200, DISCOVERY), (403, r#"{"message":"may not"}"#), format!("{not_synced}: may not (403)")),
            ((503, "down"), (503, ""), format!("{not_synced}: down (503)")),
            ((200, r#"{"resources":[]}"#), (503, ""), unknown.to_owned()),
            ((404, ""), (503, ""), unknown.to_owned()),
        ] {
            let watches = watches(move |path| {
                let (code, text) = if path == "/api/v1" { discovery } else { list };
                (code, text.to_owned())
            });
            watches.follow(&policies, &shipped);
            until(&watches, &policies[0], Err(&says));
        }
    }
}
