//! The standard library of CEL: operators, conversions, text and time.

mod arithmetic;
mod civil;
mod conversions;
mod float;
mod operators;
mod text;
mod time;
mod zone;

use crate::cel::function::Function;

pub(in crate::cel) use conversions::{to_duration, to_timestamp};
pub use time::{duration_text, parse_duration, zoned_text};

/// Every standard function.
pub(in crate::cel) fn all() -> impl Iterator<Item = &'static Function> {
    [operators::FUNCTIONS, arithmetic::FUNCTIONS, conversions::FUNCTIONS, text::FUNCTIONS, time::FUNCTIONS]
        .into_iter()
        .flatten()
}
