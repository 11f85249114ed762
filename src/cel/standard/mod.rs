//! The standard library of CEL: operators, conversions, text and time.

mod arithmetic;
mod civil;
mod conversions;
mod float;
mod operators;
mod text;
mod time;
mod zone;

use super::function::Function;

pub(super) use conversions::{double_text, to_duration, to_timestamp};
pub(super) use time::{duration_text, zoned_text};

/// Every standard function.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    [operators::FUNCTIONS, arithmetic::FUNCTIONS, conversions::FUNCTIONS, text::FUNCTIONS, time::FUNCTIONS]
        .into_iter()
        .flatten()
}
