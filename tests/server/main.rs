//! The webhook as a process: what it answers, what it survives, how it changes and how it leaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

mod attacks;
mod connections;
mod drain;
mod expressions;
mod gate;
mod logging;
mod memory;
mod modes;
mod profiles;
mod reload;
mod requests;
mod shipped;
mod shipped_limits;
mod signals;
