//! stub
pub mod re2;
pub fn all() -> impl Iterator<Item = &'static super::function::Function> {
    std::iter::empty()
}
