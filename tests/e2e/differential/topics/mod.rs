//! The suites, by topic.

mod matching;

use super::suite::Suite;
use super::suite_name;

/// All suites, named.
pub fn suites() -> Vec<Suite> {
    let topics = [matching::suites()];
    let numbered = topics.into_iter().flatten().zip(1..);
    numbered.map(|(suite, number)| suite.named(suite_name(number))).collect()
}
