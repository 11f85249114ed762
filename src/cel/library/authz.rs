//! Kubernetes' authorization library, declared so that policies that use it compile. Decisions are a cluster's to make:
//! an evaluation fails where it reads `authorizer`, so no value of these types ever reaches a function.

use crate::cel::function::{Error, Function, overload_since};
use crate::cel::value::Value;
use crate::json::Arena;

/// The functions of this library and of its selectors.
pub const FUNCTIONS: &[Function] = &[
    Function {
        name: "allowed",
        overloads: &[overload_since(27, "decision_allowed", "kubernetes.authorization.Decision.() -> bool")],
        eval: unavailable,
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
        eval: unavailable,
    },
    Function {
        name: "error",
        overloads: &[overload_since(27, "decision_error", "kubernetes.authorization.Decision.() -> string")],
        eval: unavailable,
    },
    Function {
        name: "errored",
        overloads: &[overload_since(27, "decision_errored", "kubernetes.authorization.Decision.() -> bool")],
        eval: unavailable,
    },
    Function {
        name: "fieldSelector",
        overloads: &[overload_since(
            31,
            "authorizer_fieldselector",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "group",
        overloads: &[overload_since(
            27,
            "authorizer_group",
            "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.GroupCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "labelSelector",
        overloads: &[overload_since(
            31,
            "authorizer_labelselector",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "name",
        overloads: &[overload_since(
            27,
            "resourcecheck_name",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "namespace",
        overloads: &[overload_since(
            27,
            "resourcecheck_namespace",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "path",
        overloads: &[overload_since(
            27,
            "authorizer_path",
            "kubernetes.authorization.Authorizer.(string) -> kubernetes.authorization.PathCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "reason",
        overloads: &[overload_since(27, "decision_reason", "kubernetes.authorization.Decision.() -> string")],
        eval: unavailable,
    },
    Function {
        name: "resource",
        overloads: &[overload_since(
            27,
            "groupcheck_resource",
            "kubernetes.authorization.GroupCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
    Function {
        name: "serviceAccount",
        overloads: &[overload_since(
            27,
            "authorizer_serviceaccount",
            "kubernetes.authorization.Authorizer.(string, string) -> kubernetes.authorization.Authorizer",
        )],
        eval: unavailable,
    },
    Function {
        name: "subresource",
        overloads: &[overload_since(
            27,
            "resourcecheck_subresource",
            "kubernetes.authorization.ResourceCheck.(string) -> kubernetes.authorization.ResourceCheck",
        )],
        eval: unavailable,
    },
];

/// Values of other types get here by way of `dyn`.
fn unavailable<'a>(_arena: &'a Arena, _args: &[Value<'a>]) -> Result<Value<'a>, Error> {
    Err(Error::no_such_overload())
}
