//! Nodes of the syntax tree as the parser and its macros make them, within the limits of a tree's size.
//!
//! Knows nothing of tokens and grammar.

use super::ast::{Expr, Kind};
use super::lexer::LexError;

/// The height of the syntax tree.
pub const MAX_TREE_HEIGHT: u16 = 400;

/// The nodes of the syntax tree: macros that copy their receiver would otherwise double it at every link of a chain.
pub const MAX_NODES: u32 = 500_000;

/// Makes nodes: gives out ids and enforces the tree's height.
#[derive(Debug)]
pub(in crate::cel) struct Builder {
    pub next_id: u32,
    pub minor: u32,
}

impl Builder {
    /// Makes the nodes of one expression for Kubernetes 1.`minor`, which has the macros of its time.
    pub fn new(minor: u32) -> Self {
        Self { next_id: 0, minor }
    }

    /// A new node; its height follows from its children.
    pub fn node(&mut self, offset: u32, kind: Kind) -> Result<Expr, SyntaxError> {
        let height = 1 + kind.children().iter().map(|child| child.height).max().unwrap_or(0);
        if height > MAX_TREE_HEIGHT {
            return Err(too_deep(offset, MAX_TREE_HEIGHT));
        }
        if self.next_id >= MAX_NODES {
            return Err(SyntaxError { message: format!("expression node count exceeds limit: {MAX_NODES}"), offset });
        }
        let id = self.next_id;
        self.next_id += 1;
        Ok(Expr { id, offset, height, kind })
    }
}

/// What upstream says of nesting.
pub(in crate::cel) fn too_deep(offset: u32, limit: u16) -> SyntaxError {
    SyntaxError { message: format!("expression recursion limit exceeded: {limit}"), offset }
}

/// Why a source text is not an expression.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cel) struct SyntaxError {
    pub message: String,
    pub offset: u32,
}

impl From<LexError> for SyntaxError {
    fn from(error: LexError) -> Self {
        Self { message: error.message, offset: error.offset }
    }
}
