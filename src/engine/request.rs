//! What is asked of the engine: upstream's admission attributes, borrowed.

use crate::json;
pub use crate::schema::{GroupVersionKind, GroupVersionResource};

/// A request for admission. Upstream: `k8s.io/api/admission/v1.AdmissionRequest`.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `uid`, echoed in the response.
    pub uid: &'a str,
    /// The kind of the object in this request.
    pub kind: GroupVersionKind<'a>,
    /// The resource in this request.
    pub resource: GroupVersionResource<'a>,
    /// The subresource, empty for none.
    pub sub_resource: &'a str,
    /// The kind of the original request, before the API server converted it for the webhook.
    pub request_kind: GroupVersionKind<'a>,
    /// The resource of the original request.
    pub request_resource: GroupVersionResource<'a>,
    /// The subresource of the original request.
    pub request_sub_resource: &'a str,
    /// The object's name; empty when the API server will generate it.
    pub name: &'a str,
    /// The namespace; empty for cluster-scoped objects.
    pub namespace: &'a str,
    /// What is done to the object.
    pub operation: Operation,
    /// `userInfo` as it came, or null.
    pub user_info: json::Value<'a>,
    /// The new object, null on DELETE.
    pub object: json::Value<'a>,
    /// The old object, null on CREATE and CONNECT.
    pub old_object: json::Value<'a>,
    /// The options of the operation, or null.
    pub options: json::Value<'a>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
}

/// An admission operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `CREATE`
    Create,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `CONNECT`
    Connect,
}

impl Operation {
    /// Upstream's spelling.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Delete => "DELETE",
            Operation::Connect => "CONNECT",
        }
    }

    /// The operation that upstream spells so.
    pub fn parse(text: &str) -> Option<Self> {
        [Operation::Create, Operation::Update, Operation::Delete, Operation::Connect]
            .into_iter()
            .find(|operation| operation.as_str() == text)
    }
}
