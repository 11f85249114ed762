//! The standard library of CEL: operators, conversions, text and time.

mod arithmetic;
mod conversions;
mod operators;
mod text;
mod time;

use super::function::Function;

pub(super) use conversions::{to_duration, to_timestamp};

/// Every standard function.
pub(super) fn all() -> impl Iterator<Item = &'static Function> {
    [operators::FUNCTIONS, arithmetic::FUNCTIONS, conversions::FUNCTIONS, text::FUNCTIONS, time::FUNCTIONS]
        .into_iter()
        .flatten()
}
