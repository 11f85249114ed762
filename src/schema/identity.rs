//! What upstream calls kinds and resources by, borrowed.

/// Group, version and kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupVersionKind<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// For example `v1`.
    pub version: &'a str,
    /// For example `Pod`.
    pub kind: &'a str,
}

/// Group, version and resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupVersionResource<'a> {
    /// Empty for the core group.
    pub group: &'a str,
    /// For example `v1`.
    pub version: &'a str,
    /// For example `pods`.
    pub resource: &'a str,
}
