//! What is judged: a request, or the pod that a workload will create, with everything that several policies share.

use std::cell::{Cell, OnceCell};

use crate::cel::authorization::{NoAuthorizer, RequestAuthorizer, Resource};
use crate::cel::{Inputs, Memo, Params};
use crate::json::{Arena, Member, Object, Value};

use super::context::Context;
use super::request::{GroupVersionKind, GroupVersionResource, Operation, Request};

/// A request with what is derived from it once and only when a policy needs it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The request; its object changes as mutating policies run.
    pub request: Request<'a>,
    context: Context<'a>,
    namespace: OnceCell<Result<Value<'a>, &'a str>>,
    namespace_object: OnceCell<Result<Value<'a>, &'a str>>,
    request_value: OnceCell<Value<'a>>,
    /// What is known of the object, with the object.
    memo: Cell<Option<(Value<'a>, Memo<'a>)>>,
}

/// The group version that a policy matched the request by. Upstream: the matched resource and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matched<'a> {
    /// What `request.kind` is.
    pub kind: GroupVersionKind<'a>,
    /// What `request.resource` is.
    pub resource: GroupVersionResource<'a>,
}

const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// What upstream shows of a namespace's metadata to expressions.
const NAMESPACE_METADATA: [&str; 12] = [
    "name",
    "generateName",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "finalizers",
];

impl<'a> Subject<'a> {
    /// Prepares a request; a request that doesn't say how it was made originally was made as it is.
    pub fn new(request: &Request<'a>, context: &Context<'a>) -> Self {
        let mut request = *request;
        if request.request_resource.resource.is_empty() {
            request.request_resource = request.resource;
            request.request_sub_resource = request.sub_resource;
        }
        if request.request_kind.kind.is_empty() {
            request.request_kind = request.kind;
        }
        Self {
            request,
            context: *context,
            namespace: OnceCell::new(),
            namespace_object: OnceCell::new(),
            request_value: OnceCell::new(),
            memo: Cell::new(None),
        }
    }

    /// The same request with another object.
    pub fn with_object(&self, object: Value<'a>) -> Self {
        Self {
            request: Request { object, ..self.request },
            context: self.context,
            namespace: self.namespace.clone(),
            namespace_object: self.namespace_object.clone(),
            request_value: self.request_value.clone(),
            memo: Cell::new(None),
        }
    }

    /// The same object, as an update of `old_object`.
    pub fn as_update_of(&self, old_object: Value<'a>) -> Self {
        Self {
            request: Request { operation: Operation::Update, old_object, ..self.request },
            context: self.context,
            namespace: self.namespace.clone(),
            namespace_object: self.namespace_object.clone(),
            request_value: OnceCell::new(),
            memo: Cell::new(None),
        }
    }

    /// Where values of this request live.
    pub fn arena(&self) -> &'a Arena {
        self.context.arena
    }

    /// The context of the review.
    pub fn context(&self) -> &Context<'a> {
        &self.context
    }

    /// The labels that a namespace selector looks at; null for none.
    ///
    /// # Errors
    /// The namespace can't be had.
    pub fn namespace_labels(&self) -> Result<Value<'a>, &'a str> {
        let request = &self.request;
        let is_namespace = request.request_resource.resource == "namespaces" && request.sub_resource.is_empty();
        let object = match request.operation {
            // The namespaces that are known don't have the new labels yet.
            Operation::Create | Operation::Update if is_namespace => request.object,
            _ => self.namespace()?,
        };
        Ok(object.at(&["metadata", "labels"]).unwrap_or(Value::Null))
    }

    /// The values that expressions see; match conditions don't see the namespace, as upstream.
    pub fn inputs(&self, matched: &Matched<'a>, params: Params<'a>) -> Inputs<'a> {
        Inputs {
            object: self.request.object,
            old_object: self.request.old_object,
            request: self.request_value(matched.kind, matched.resource),
            params,
            // Who can't have it isn't evaluated.
            namespace_object: self.namespace_object().unwrap_or(Value::Null),
            authorizer: self.authorizer(),
            bindings: &[],
        }
    }

    /// The values that audit annotations and message expressions see: upstream gives them no authorizer.
    pub fn inputs_without_authorizer(&self, matched: &Matched<'a>, params: Params<'a>) -> Inputs<'a> {
        Inputs { authorizer: Err(NoAuthorizer::Unbound), ..self.inputs(matched, params) }
    }

    /// The values that match conditions see: no namespace, and the resource as it was requested.
    pub fn match_condition_inputs(&self, matched: &Matched<'a>, params: Params<'a>) -> Inputs<'a> {
        let resource = match matched.resource == self.request.resource {
            true => matched.resource,
            false => self.request.request_resource,
        };
        Inputs {
            object: self.request.object,
            old_object: self.request.old_object,
            request: self.request_value(matched.kind, resource),
            params,
            namespace_object: Value::Null,
            authorizer: self.authorizer(),
            bindings: &[],
        }
    }

    /// What `authorizer` is; `authorizer.requestResource` is the resource as it was requested.
    fn authorizer(&self) -> Result<RequestAuthorizer<'a>, NoAuthorizer> {
        let request = &self.request;
        let resource = Resource {
            group: request.request_resource.group,
            resource: request.request_resource.resource,
            subresource: request.request_sub_resource,
            namespace: request.namespace,
            name: request.name,
            ..Resource::default()
        };
        let authorizer = self.context.authorizer.ok_or(NoAuthorizer::Offline)?;
        Ok(RequestAuthorizer { authorizer, user: request.user_info, resource })
    }

    /// The Namespace that the request is in; for a Namespace being deleted, itself.
    fn namespace(&self) -> Result<Value<'a>, &'a str> {
        *self.namespace.get_or_init(|| {
            let request = &self.request;
            let name = match request.namespace {
                "" if request.request_resource.resource == "namespaces" => request.name,
                namespace => namespace,
            };
            if name.is_empty() {
                return Ok(Value::Null);
            }
            let arena = self.arena();
            match self.context.namespaces.namespace(arena, name) {
                Ok(known) => Ok(known.unwrap_or_else(|| unknown_namespace(arena, name))),
                Err(error) => Err(arena.alloc_str(&error)),
            }
        })
    }

    /// `namespaceObject`; null for cluster-scoped objects and namespaces.
    ///
    /// # Errors
    /// It can't be had, so no policy can be evaluated.
    pub fn namespace_object(&self) -> Result<Value<'a>, &'a str> {
        *self.namespace_object.get_or_init(|| {
            let kind = self.request.request_kind;
            let is_namespace = kind == GroupVersionKind { group: "", version: "v1", kind: "Namespace" };
            if is_namespace || self.request.namespace.is_empty() {
                return Ok(Value::Null);
            }
            self.namespace().map(|namespace| visible_namespace(self.arena(), namespace))
        })
    }

    /// What policies have found out about the object, with room for so many `expressions`. `None` for who sees the request in another
    /// way than most, as a resource of another version.
    pub fn memo(&self, inputs: &Inputs<'a>, expressions: usize) -> Option<Memo<'a>> {
        let is_usual = self.request_value.get().is_some_and(|request| request.is_shared_with(&inputs.request));
        if !is_usual || self.context.observer.is_some() {
            return None;
        }
        let object = self.request.object;
        match self.memo.get() {
            Some((of, memo)) if of.is_shared_with(&object) => Some(memo),
            _ => {
                let memo = Memo::new(self.arena(), expressions);
                self.memo.set(Some((object, memo)));
                Some(memo)
            }
        }
    }

    fn request_value(&self, kind: GroupVersionKind<'a>, resource: GroupVersionResource<'a>) -> Value<'a> {
        let request = &self.request;
        if kind == request.kind && resource == request.resource {
            return *self.request_value.get_or_init(|| build_request(self.arena(), request, kind, resource));
        }
        build_request(self.arena(), request, kind, resource)
    }
}

/// An object of members whose keys are known to differ.
pub fn object<'a>(arena: &'a Arena, members: &[Member<'a>]) -> Value<'a> {
    Value::Object(Object::of_distinct(arena, members))
}

/// The AdmissionRequest as expressions see it: without object and oldObject, empty optional fields absent.
fn build_request<'a>(
    arena: &'a Arena,
    request: &Request<'a>,
    kind: GroupVersionKind<'a>,
    resource: GroupVersionResource<'a>,
) -> Value<'a> {
    let user_info = match request.user_info {
        Value::Null => Value::Object(Object::default()),
        user_info => user_info,
    };
    let members = [
        ("kind", kind_value(arena, kind)),
        ("resource", resource_value(arena, resource)),
        ("subResource", Value::String(request.sub_resource)),
        ("requestKind", kind_value(arena, request.request_kind)),
        ("requestResource", resource_value(arena, request.request_resource)),
        ("requestSubResource", Value::String(request.request_sub_resource)),
        ("name", Value::String(request.name)),
        ("namespace", Value::String(request.namespace)),
        ("operation", Value::String(request.operation.as_str())),
        ("userInfo", user_info),
        ("dryRun", Value::Bool(request.dry_run)),
        ("options", request.options),
    ];
    // Upstream's `omitempty`: an absent name is an error to read, not an empty string.
    let mut present = [("", Value::Null); 12];
    let mut count = 0;
    for (slot, member) in present.iter_mut().zip(members.into_iter().filter(|(_, v)| *v != Value::String(""))) {
        *slot = member;
        count += 1;
    }
    object(arena, present.get(..count).unwrap_or_default())
}

fn kind_value<'a>(arena: &'a Arena, kind: GroupVersionKind<'a>) -> Value<'a> {
    let (group, version) = (Value::String(kind.group), Value::String(kind.version));
    object(arena, &[("group", group), ("version", version), ("kind", Value::String(kind.kind))])
}

fn resource_value<'a>(arena: &'a Arena, resource: GroupVersionResource<'a>) -> Value<'a> {
    let (group, version) = (Value::String(resource.group), Value::String(resource.version));
    object(arena, &[("group", group), ("version", version), ("resource", Value::String(resource.resource))])
}

/// A namespace that nobody knows yet; see [`super::Namespaces::namespace`].
fn unknown_namespace<'a>(arena: &'a Arena, name: &str) -> Value<'a> {
    let name = Value::String(arena.alloc_str(name));
    let labels = object(arena, &[(NAMESPACE_NAME_LABEL, name)]);
    let metadata = object(arena, &[("name", name), ("labels", labels)]);
    let status = object(arena, &[("phase", Value::String("Active"))]);
    object(
        arena,
        &[
            ("apiVersion", Value::String("v1")),
            ("kind", Value::String("Namespace")),
            ("metadata", metadata),
            ("spec", Value::Object(Object::default())),
            ("status", status),
        ],
    )
}

/// The parts of a namespace that upstream shows to expressions. Upstream: `CreateNamespaceObject`.
fn visible_namespace<'a>(arena: &'a Arena, namespace: Value<'a>) -> Value<'a> {
    let metadata = namespace.get("metadata").unwrap_or(Value::Null);
    let mut visible = [("", Value::Null); NAMESPACE_METADATA.len()];
    let mut count = 0;
    let fields = NAMESPACE_METADATA.iter().filter_map(|&key| Some((key, metadata.get(key)?)));
    for (slot, member) in visible.iter_mut().zip(fields) {
        *slot = member;
        count += 1;
    }
    let metadata = object(arena, visible.get(..count).unwrap_or_default());
    let part = |key| namespace.get(key).unwrap_or(Value::Object(Object::default()));
    object(arena, &[("metadata", metadata), ("spec", part("spec")), ("status", part("status"))])
}
