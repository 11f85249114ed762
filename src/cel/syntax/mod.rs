//! Source to syntax tree: the parser is ours, bounded in length, depth and size.

pub(in crate::cel) mod ast;
pub(in crate::cel) mod builder;
pub(in crate::cel) mod escape;
mod lexer;
pub(in crate::cel) mod macros;
pub(in crate::cel) mod names;
pub(in crate::cel) mod parser;
mod unescape;
pub(in crate::cel) mod unparse;
#[cfg(test)]
mod unparse_tests;
