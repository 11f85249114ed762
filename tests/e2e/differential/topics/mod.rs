//! The suites, by topic.

mod authorization;
mod bindings;
mod collections;
mod custom_resources;
mod decisions;
mod expressions;
mod matching;
mod mutations;
mod params;
mod versions;

pub use bindings::ABSENT_KINDS;
pub use mutations::WAITS;

use super::generate;
use super::suite::Suite;
use super::suite_name;

/// How many suites are generated, each with five requests; and from what.
const GENERATED: usize = 60;
const SEED: u64 = 36;

/// All suites, named.
pub fn suites() -> Vec<Suite> {
    let topics = [
        matching::suites(),
        versions::suites(),
        params::suites(),
        decisions::suites(),
        expressions::suites(),
        mutations::suites(),
        custom_resources::suites(),
        authorization::suites(),
        collections::suites(),
        bindings::suites(),
        generate::suites(GENERATED, SEED),
    ];
    let numbered = topics.into_iter().flatten().zip(1..);
    numbered.map(|(suite, number)| suite.named(suite_name(number))).collect()
}
