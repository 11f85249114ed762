//! A URL as a value.

/// A URL; two are equal when their normal forms are.
#[derive(Clone, Copy, Debug)]
pub struct Url<'a> {
    pub(in crate::cel) text: &'a str,
    pub(in crate::cel) scheme: &'a str,
    pub(in crate::cel) host: &'a str,
    pub(in crate::cel) escaped_path: &'a str,
    pub(in crate::cel) raw_query: &'a str,
}

impl<'a> Url<'a> {
    /// The normal form.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl PartialEq for Url<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
