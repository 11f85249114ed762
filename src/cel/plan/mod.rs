//! Checked tree to the form that is evaluated: names are slots, constants are folded, regular expressions are built.

mod compile;
pub(in crate::cel) mod node;
mod sites;

pub(in crate::cel) use compile::{Plan, compile};
