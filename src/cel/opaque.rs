//! Values of Kubernetes' own CEL types.

/// A value of one of Kubernetes' own types. Equality and text form live with the library that makes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Opaque<'a> {
    /// Placeholder until the libraries land.
    Named(&'a str),
}

impl<'a> Opaque<'a> {
    /// The CEL name of the type, for example `kubernetes.Quantity`.
    pub fn type_name(&self) -> &'a str {
        match self {
            Opaque::Named(name) => name,
        }
    }
}
impl Opaque<'_> {
    /// stub
    pub fn size(&self) -> u64 {
        1
    }
    /// stub
    pub fn regex_size(&self) -> u64 {
        1
    }
}
