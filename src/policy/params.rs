//! The objects that `paramRef`s refer to, and how a binding finds its own among them.
//!
//! Upstream: `CollectParams` in `policy/generic/policy_dispatcher.go`, whose messages these are.

use std::cmp::Ordering;
use std::sync::Arc;

use thiserror::Error;

use crate::cel::{self, Kept};
use crate::json::{Arena, Tree, Value};

use super::model::{ParamKind, ParamRef};

/// Why a binding's params can't be had: a configuration error, to which the failure policy applies.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParamError {
    /// The cluster serves no such kind.
    #[error("failed to find resource referenced by paramKind: '{0}'")]
    UnknownKind(String),
    /// The cluster's objects of the kind aren't known yet, or may not be read.
    #[error("paramKind kind `{kind}` not yet synced to use for admission{}", because(.why))]
    NotSynced {
        /// The kind.
        kind: String,
        /// Why, if something is known to be wrong.
        why: String,
    },
    /// The param is namespaced, the request isn't, and the reference names no namespace.
    #[error("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources")]
    NoNamespace,
    /// The reference names a namespace for a kind that has none.
    #[error("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")]
    ClusterScoped,
    /// No param is there, and the binding wants one.
    #[error("no params found for policy binding with `Deny` parameterNotFoundAction")]
    NotFound,
}

/// A kind as upstream's messages print it.
fn upstreams_text(kind: &ParamKind) -> String {
    format!("&ParamKind{{APIVersion:{},Kind:{},}}", kind.api_version, kind.kind)
}

fn because(why: &str) -> String {
    if why.is_empty() { String::new() } else { format!(": {why}") }
}

/// Param objects by apiVersion, kind, namespace and name.
#[derive(Clone, Debug, Default)]
pub struct Params {
    // INVARIANT: sorted by identity, none twice.
    objects: Vec<Param>,
    /// What a cluster says of the few kinds that policies name; without it, the objects have to tell.
    kinds: Vec<(ParamKind, KindState)>,
}

/// What a cluster says of a param kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KindState {
    /// It isn't served.
    Unknown,
    /// Its objects aren't all known yet; with the reason, if something is wrong.
    NotSynced(String),
    /// Its objects are known.
    Synced {
        /// Whether they are in namespaces.
        namespaced: bool,
    },
}

/// An object that params can refer to. Copies share the object.
#[derive(Clone, Debug)]
pub struct Param {
    api_version: String,
    kind: String,
    /// Empty for a cluster-scoped object.
    namespace: String,
    name: String,
    object: Arc<Kept>,
}

/// What tells one object from another: apiVersion, kind, namespace, name.
type Identity<'i> = (&'i str, &'i str, &'i str, &'i str);

impl Params {
    /// The params that a binding of a policy with `param_kind` evaluates with, sorted by name, for a request in
    /// `namespace` (empty for cluster-scoped objects). One null if the policy or the binding uses none; empty if there
    /// is none and the binding allows that: then it isn't evaluated.
    ///
    /// # Errors
    /// The params can't be had, or there is none and the binding denies that.
    pub fn resolve<'a>(
        &'a self,
        arena: &'a Arena,
        param_kind: Option<&ParamKind>,
        param_ref: Option<&ParamRef>,
        namespace: &str,
    ) -> Result<&'a [cel::Params<'a>], ParamError> {
        let (Some(kind), Some(reference)) = (param_kind, param_ref) else {
            return Ok(&[cel::Params::Document(Value::Null)]);
        };
        self.check_kind(kind)?;
        if let Some(KindState::NotSynced(why)) = self.state(kind) {
            return Err(ParamError::NotSynced { kind: upstreams_text(kind), why: why.clone() });
        }
        let namespace = match (reference.namespace.as_deref(), self.is_cluster_scoped(kind, reference)) {
            (Some(_), true) => return Err(ParamError::ClusterScoped),
            (None, true) => "",
            (Some(named), false) => named,
            (None, false) if namespace.is_empty() => return Err(ParamError::NoNamespace),
            (None, false) => namespace,
        };
        let found: &'a [cel::Params<'a>] = match &reference.name {
            Some(name) => match self.position((&kind.api_version, &kind.kind, namespace, name)) {
                Ok(at) => {
                    arena.alloc_slice_fill_iter(self.objects.get(at).map(|param| cel::Params::of(&param.object, arena)))
                }
                Err(_) => &[],
            },
            None => {
                let mut selected = Vec::new();
                for param in self.of_kind(kind).iter().filter(|param| param.namespace == namespace) {
                    let object = param.object.tree().view(arena);
                    let labels = object.at(&["metadata", "labels"]);
                    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
                    if reference.selector.as_ref().is_none_or(|selector| selector.matches(label)) {
                        selected.push(cel::Params::of(&param.object, arena));
                    }
                }
                arena.alloc_slice_copy(&selected)
            }
        };
        if found.is_empty() && reference.deny_if_not_found { Err(ParamError::NotFound) } else { Ok(found) }
    }

    /// Whether the cluster serves a policy's param kind, as far as it was asked: what isn't served is an error of the
    /// policy itself, whatever its bindings refer to.
    ///
    /// # Errors
    /// It doesn't.
    pub fn check_kind(&self, kind: &ParamKind) -> Result<(), ParamError> {
        match self.state(kind) {
            Some(KindState::Unknown) => {
                // As upstream prints a GroupVersionKind: the core group has no name.
                let slash = if kind.api_version.contains('/') { "" } else { "/" };
                Err(ParamError::UnknownKind(format!("{slash}{}, Kind={}", kind.api_version, kind.kind)))
            }
            Some(KindState::NotSynced(_) | KindState::Synced { .. }) | None => Ok(()),
        }
    }

    /// Keeps `object`, in place of an earlier one of the same identity. As kubectl does, an object of a built-in
    /// namespaced kind that names no namespace is put into `default`. Returns whether it could be kept: it needs
    /// `apiVersion`, `kind` and `metadata.name`.
    pub fn insert(&mut self, object: Value<'_>) -> bool {
        let param = Param::new(object);
        let kept = param.is_some();
        if let Some(param) = param {
            self.keep(param);
        }
        kept
    }

    /// Whether there is an object of the identity of `param`.
    pub fn contains(&self, param: &Param) -> bool {
        self.position(param.identity()).is_ok()
    }

    /// Keeps `param`, in place of an earlier one of the same identity.
    pub fn keep(&mut self, param: Param) {
        match self.position(param.identity()) {
            Ok(at) => {
                if let Some(slot) = self.objects.get_mut(at) {
                    *slot = param;
                }
            }
            Err(at) => self.objects.insert(at, param),
        }
    }

    /// Notes what the cluster says of a kind.
    pub fn set_kind(&mut self, kind: &ParamKind, state: KindState) {
        self.kinds.retain(|(known, _)| known != kind);
        self.kinds.push((kind.clone(), state));
    }

    /// The objects that references of their kinds refer to from any namespace, sorted by kind, namespace and name.
    pub fn referred<'r>(&self, references: impl Iterator<Item = (&'r ParamKind, &'r ParamRef)>) -> Vec<&Tree> {
        let references: Vec<_> = references.collect();
        let is_referred = |param: &&Param| {
            references.iter().any(|(kind, reference)| {
                let arena = Arena::new();
                let labels = param.object.tree().view(&arena).at(&["metadata", "labels"]);
                let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
                (&param.api_version, &param.kind) == (&kind.api_version, &kind.kind)
                    && reference.namespace.as_ref().is_none_or(|namespace| *namespace == param.namespace)
                    && reference.name.as_ref().is_none_or(|name| *name == param.name)
                    && reference.selector.as_ref().is_none_or(|selector| selector.matches(label))
            })
        };
        self.objects.iter().filter(is_referred).map(|param| param.object.tree()).collect()
    }

    fn state(&self, kind: &ParamKind) -> Option<&KindState> {
        self.kinds.iter().find(|(known, _)| known == kind).map(|(_, state)| state)
    }

    /// How many objects are kept.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether no object is kept.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether objects of the kind have no namespace. For a custom resource only the objects can tell: it has none
    /// unless the reference or an object names one.
    fn is_cluster_scoped(&self, kind: &ParamKind, reference: &ParamRef) -> bool {
        if let Some(KindState::Synced { namespaced }) = self.state(kind) {
            return !namespaced;
        }
        if is_built_in(&kind.api_version) {
            return is_built_in_cluster_kind(&kind.kind);
        }
        let of_kind = self.of_kind(kind);
        reference.namespace.is_none() && !of_kind.is_empty() && of_kind.iter().all(|param| param.namespace.is_empty())
    }

    fn of_kind(&self, kind: &ParamKind) -> &[Param] {
        let compare = |param: &Param| {
            (param.api_version.as_str(), param.kind.as_str()).cmp(&(kind.api_version.as_str(), kind.kind.as_str()))
        };
        let start = self.objects.partition_point(|param| compare(param) == Ordering::Less);
        let end = self.objects.partition_point(|param| compare(param) != Ordering::Greater);
        self.objects.get(start..end).unwrap_or_default()
    }

    fn position(&self, identity: Identity<'_>) -> Result<usize, usize> {
        self.objects.binary_search_by(|param| param.identity().cmp(&identity))
    }
}

impl Param {
    /// The object as params keep it. As kubectl does, an object of a built-in namespaced kind that names no namespace is
    /// put into `default`. `None` without `apiVersion`, `kind` or `metadata.name`.
    pub fn new(object: Value<'_>) -> Option<Self> {
        let text = |path: &[&str]| object.at(path).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        let (api_version, kind, name) = (text(&["apiVersion"])?, text(&["kind"])?, text(&["metadata", "name"])?);
        let namespace = match text(&["metadata", "namespace"]) {
            _ if is_built_in(api_version) && is_built_in_cluster_kind(kind) => "",
            Some(namespace) => namespace,
            None if is_built_in(api_version) => "default",
            None => "",
        };
        Some(Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            object: Arc::new(Kept::new(object.into())),
        })
    }

    fn identity(&self) -> Identity<'_> {
        (&self.api_version, &self.kind, &self.namespace, &self.name)
    }
}

/// Whether the API server itself defines the group: it has no dot, or ends in `.k8s.io`.
fn is_built_in(api_version: &str) -> bool {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    !group.contains('.') || group.ends_with(".k8s.io")
}

/// Whether a kind that the API server defines has no namespace.
fn is_built_in_cluster_kind(kind: &str) -> bool {
    matches!(
        kind,
        "APIService"
            | "CSIDriver"
            | "CSINode"
            | "ClusterRole"
            | "ClusterRoleBinding"
            | "ClusterTrustBundle"
            | "CustomResourceDefinition"
            | "DeviceClass"
            | "FlowSchema"
            | "IPAddress"
            | "IngressClass"
            | "MutatingAdmissionPolicy"
            | "MutatingAdmissionPolicyBinding"
            | "MutatingWebhookConfiguration"
            | "Namespace"
            | "Node"
            | "PersistentVolume"
            | "PriorityClass"
            | "PriorityLevelConfiguration"
            | "ResourceSlice"
            | "RuntimeClass"
            | "ServiceCIDR"
            | "StorageClass"
            | "ValidatingAdmissionPolicy"
            | "ValidatingAdmissionPolicyBinding"
            | "ValidatingWebhookConfiguration"
            | "VolumeAttachment"
            | "VolumeAttributesClass"
    )
}
