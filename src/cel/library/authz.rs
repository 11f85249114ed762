//! Kubernetes' authorization library: checks are built up from `authorizer`, and answered by the [`Authorizer`] that it
//! stands for.
//!
//! Upstream: `k8s.io/apiserver/pkg/cel/library/authz.go`.
//!
//! [`Authorizer`]: crate::cel::authorization::Authorizer

use crate::cel::authorization::{Asker, Authorization, Check, Decision, Resource, Target};
use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::cel::value::opaque::Opaque;
use crate::json::{self, Arena};

use crate::cel::value::build;
use crate::cel::value::format_rules::{is_label, is_subdomain};

/// The functions of this library and of its selectors.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "allowed",
        overloads: &[overload_since(27, "decision_allowed", "kubernetes.authorization.Decision.() -> bool")],
        eval: |_, args| Ok(Value::Bool(decision(args)?.allowed)),
    },
    Function {
        name: "check",
        overloads: &[
            overload_since(
                27,
                "pathcheck_check",
                "kubernetes.authorization.PathCheck.(string) -> kubernetes.authorization.Decision",
            ),
            overload_since(
                27,
                "resourcecheck_check",
                "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.Decision",
            ),
        ],
        eval: check,
    },
    Function {
        name: "error",
        overloads: &[overload_since(27, "decision_error", "kubernetes.authorization.Decision.() -> string")],
        eval: |_, args| Ok(Value::String(decision(args)?.error.unwrap_or_default())),
    },
    Function {
        name: "errored",
        overloads: &[overload_since(27, "decision_errored", "kubernetes.authorization.Decision.() -> bool")],
        eval: |_, args| Ok(Value::Bool(decision(args)?.error.is_some())),
    },
    Function {
        name: "fieldSelector",
        overloads: &[overload_since(
            32,
            "authorizer_fieldselector",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: |arena, args| narrow(arena, args, |resource, field_selector| Resource { field_selector, ..resource }),
    },
    Function {
        name: "group",
        overloads: &[overload_since(
            27,
            "authorizer_group",
            "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.GroupCheck",
        )],
        eval: |arena, args| match parts(args)? {
            (Authorization::Authorizer(asker), group) => value(arena, Authorization::GroupCheck(asker, group)),
            _ => Err(Error::no_such_overload()),
        },
    },
    Function {
        name: "labelSelector",
        overloads: &[overload_since(
            32,
            "authorizer_labelselector",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: |arena, args| narrow(arena, args, |resource, label_selector| Resource { label_selector, ..resource }),
    },
    Function {
        name: "name",
        overloads: &[overload_since(
            27,
            "resourcecheck_name",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: |arena, args| narrow(arena, args, |resource, name| Resource { name, ..resource }),
    },
    Function {
        name: "namespace",
        overloads: &[overload_since(
            27,
            "resourcecheck_namespace",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: |arena, args| narrow(arena, args, |resource, namespace| Resource { namespace, ..resource }),
    },
    Function {
        name: "path",
        overloads: &[overload_since(
            27,
            "authorizer_path",
            "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.PathCheck",
        )],
        eval: path,
    },
    Function {
        name: "reason",
        overloads: &[overload_since(27, "decision_reason", "kubernetes.authorization.Decision.() -> string")],
        eval: |_, args| Ok(Value::String(decision(args)?.reason)),
    },
    Function {
        name: "resource",
        overloads: &[overload_since(
            27,
            "groupcheck_resource",
            "kubernetes.authorization.GroupCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: resource,
    },
    Function {
        name: "serviceAccount",
        overloads: &[overload_since(
            27,
            "authorizer_serviceaccount",
            "kubernetes.authorization.Authorizer.(string, string) -> kubernetes.authorization.Authorizer",
        )],
        eval: service_account,
    },
    Function {
        name: "subresource",
        overloads: &[overload_since(
            27,
            "resourcecheck_subresource",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: |arena, args| narrow(arena, args, |resource, subresource| Resource { subresource, ..resource }),
    },
];

/// Asks the authorizer. What it says is kept in the arena.
fn check<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let (asker, target, verb) = match parts(args)? {
        (Authorization::PathCheck(asker, path), verb) => (asker, Target::Path(path), verb),
        (Authorization::ResourceCheck(asker, resource), verb) => (asker, Target::Resource(resource), verb),
        _ => return Err(Error::no_such_overload()),
    };
    let answer = asker.authorizer.authorize(&Check { user: asker.user, verb, target })?;
    build::reserve(arena, answer.reason.len() + answer.error.as_ref().map_or(0, String::len))?;
    let decision = Decision {
        allowed: answer.allowed,
        reason: arena.alloc_str(&answer.reason),
        error: answer.error.map(|error| &*arena.alloc_str(&error)),
    };
    value(arena, Authorization::Decision(decision))
}

fn path<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match parts(args)? {
        (Authorization::Authorizer(_), path) if path.trim().is_empty() => Err(Error::new("path must not be empty")),
        (Authorization::Authorizer(asker), path) => value(arena, Authorization::PathCheck(asker, path)),
        _ => Err(Error::no_such_overload()),
    }
}

fn resource<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    match parts(args)? {
        (Authorization::GroupCheck(..), resource) if resource.trim().is_empty() => {
            Err(Error::new("resource must not be empty"))
        }
        (Authorization::GroupCheck(asker, group), resource) => {
            let resource = Resource { group, resource, ..Resource::default() };
            value(arena, Authorization::ResourceCheck(asker, resource))
        }
        _ => Err(Error::no_such_overload()),
    }
}

/// The longest namespace and the longest service account name, in bytes: a label and a subdomain of DNS.
const MAX_LABEL: usize = 63;
const MAX_SUBDOMAIN: usize = 253;

fn service_account<'a>(arena: &'a Arena, args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    let [Value::Opaque(Opaque::Authorization(Authorization::Authorizer(asker))), namespace, name] = args else {
        return Err(Error::no_such_overload());
    };
    let (Value::String(namespace), Value::String(name)) = (namespace, name) else {
        return Err(Error::no_such_overload());
    };
    if name.len() > MAX_SUBDOMAIN || !is_subdomain(name.as_bytes()) {
        return Err(Error::new("Invalid service account name"));
    }
    if namespace.len() > MAX_LABEL || !is_label(namespace.as_bytes()) {
        return Err(Error::new("Invalid service account namespace"));
    }
    let text = |text: String| json::Value::String(arena.alloc_str(&text));
    let groups = [json::Value::String("system:serviceaccounts"), text(format!("system:serviceaccounts:{namespace}"))];
    let user = [
        ("username", text(format!("system:serviceaccount:{namespace}:{name}"))),
        ("groups", json::Value::Array(arena.alloc_slice_copy(&groups))),
    ];
    let user = json::Value::Object(json::Object::new(arena, &user));
    value(arena, Authorization::Authorizer(Asker { user, ..*asker }))
}

/// A resource check about less than the one in `args`.
fn narrow<'a>(
    arena: &'a Arena,
    args: &[Value<'a>],
    with: fn(Resource<'a>, &'a str) -> Resource<'a>,
) -> Result<Value<'a>, Error> {
    match parts(args)? {
        (Authorization::ResourceCheck(asker, resource), text) => {
            value(arena, Authorization::ResourceCheck(asker, with(resource, text)))
        }
        _ => Err(Error::no_such_overload()),
    }
}

/// A receiver of this library and its one argument.
fn parts<'a>(args: &[Value<'a>]) -> Result<(Authorization<'a>, &'a str), Error> {
    match args {
        [Value::Opaque(Opaque::Authorization(receiver)), Value::String(text)] => Ok((*receiver, text)),
        _ => Err(Error::no_such_overload()),
    }
}

fn decision<'a>(args: &[Value<'a>]) -> Result<Decision<'a>, Error> {
    match args {
        [Value::Opaque(Opaque::Authorization(Authorization::Decision(decision)))] => Ok(*decision),
        _ => Err(Error::no_such_overload()),
    }
}

fn value<'a>(arena: &'a Arena, value: Authorization<'a>) -> Result<Value<'a>, Error> {
    build::opaque(arena, Opaque::Authorization(value))
}
