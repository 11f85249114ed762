//! The fields of the structs that admission declares: `request`, `namespaceObject`.
//!
//! Upstream: `BuildRequestType` and `BuildNamespaceType` in `plugin/cel/compile.go`.

use super::signature::parse_type;
use super::types::Type;

pub(in crate::cel) const REQUEST: &str = "kubernetes.AdmissionRequest";
pub(in crate::cel) const NAMESPACE: &str = "kubernetes.Namespace";
pub(in crate::cel) const VARIABLES: &str = "kubernetes.variables";
pub(in crate::cel) const AUTHORIZER: &str = "kubernetes.authorization.Authorizer";
pub(in crate::cel) const RESOURCE_CHECK: &str = "kubernetes.authorization.ResourceCheck";

type Fields = &'static [(&'static str, &'static str)];

const STRUCTS: &[(&str, Fields)] = &[
    (
        REQUEST,
        &[
            ("kind", "kubernetes.GroupVersionKind"),
            ("resource", "kubernetes.GroupVersionResource"),
            ("subResource", "string"),
            ("requestKind", "kubernetes.GroupVersionKind"),
            ("requestResource", "kubernetes.GroupVersionResource"),
            ("requestSubResource", "string"),
            ("name", "string"),
            ("namespace", "string"),
            ("operation", "string"),
            ("userInfo", "kubernetes.UserInfo"),
            ("dryRun", "bool"),
            ("options", "dyn"),
        ],
    ),
    ("kubernetes.GroupVersionKind", &[("group", "string"), ("version", "string"), ("kind", "string")]),
    ("kubernetes.GroupVersionResource", &[("group", "string"), ("version", "string"), ("resource", "string")]),
    (
        "kubernetes.UserInfo",
        &[
            ("username", "string"),
            ("uid", "string"),
            ("groups", "list<string>"),
            ("extra", "map<string, list<string>>"),
        ],
    ),
    (
        NAMESPACE,
        &[
            ("metadata", "kubernetes.NamespaceMetadata"),
            ("spec", "kubernetes.NamespaceSpec"),
            ("status", "kubernetes.NamespaceStatus"),
        ],
    ),
    (
        "kubernetes.NamespaceMetadata",
        &[
            ("name", "string"),
            ("generateName", "string"),
            ("namespace", "string"),
            ("labels", "map<string, string>"),
            ("annotations", "map<string, string>"),
            ("UID", "string"),
            ("creationTimestamp", "timestamp"),
            ("deletionGracePeriodSeconds", "int"),
            ("deletionTimestamp", "timestamp"),
            ("generation", "int"),
            ("resourceVersion", "string"),
            ("finalizers", "list<string>"),
        ],
    ),
    ("kubernetes.NamespaceSpec", &[("finalizers", "list<string>")]),
    ("kubernetes.NamespaceStatus", &[("conditions", "list<kubernetes.NamespaceCondition>"), ("phase", "string")]),
    (
        "kubernetes.NamespaceCondition",
        &[
            ("status", "string"),
            ("type", "string"),
            ("lastTransitionTime", "timestamp"),
            ("message", "string"),
            ("reason", "string"),
        ],
    ),
];

/// Whether a struct of this name is declared.
pub(in crate::cel) fn is_struct(name: &str) -> bool {
    STRUCTS.iter().any(|(declared, _)| *declared == name) || name == VARIABLES
}

/// The type of a field of a declared struct.
pub(in crate::cel) fn field(type_name: &str, field: &str) -> Option<Type> {
    let (_, fields) = STRUCTS.iter().find(|(declared, _)| *declared == type_name)?;
    let (_, text) = fields.iter().find(|(name, _)| *name == field)?;
    parse_type(text)
}
