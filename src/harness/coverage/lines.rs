//! Coverage by file and line, as tools that show it beside code read it.

use std::collections::BTreeMap;

use super::report::PolicyCoverage;

/// A file with the lines on which something stands that can be covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct File {
    pub lines: BTreeMap<usize, Line>,
}

/// What stands on a line: expressions begin there, and branches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    /// How often the line's first expression or branch was evaluated.
    pub count: u64,
    is_counted: bool,
    /// What the line's branches have to have given, and how often they did; `None` for those that were never evaluated.
    pub sides: Vec<Taken>,
}

/// One side of a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// Which of the line's branches it belongs to, from 0.
    pub branch: usize,
    /// How often it was taken; `None` where its branch was never evaluated.
    pub count: Option<u64>,
}

/// The files of policies, by their names.
pub(super) fn files(policies: &[PolicyCoverage]) -> BTreeMap<&str, File> {
    let mut files: BTreeMap<&str, File> = BTreeMap::new();
    for policy in policies {
        let file = files.entry(&policy.file).or_default();
        for expression in &policy.expressions {
            let own: Vec<_> = match expression.sides.as_slice() {
                [_] | [] => Vec::new(),
                sides => sides.iter().map(|side| side.count).collect(),
            };
            // An expression that only ever failed, or changed nothing, is no more covered than one that was never asked.
            let count = if own.is_empty() && !expression.missing.is_empty() { 0 } else { expression.count };
            file.add(expression.line, count, &own);
            for branch in &expression.branches {
                let sides: Vec<_> = branch.sides.iter().map(|side| side.count).collect();
                file.add(branch.line, branch.count, &sides);
            }
        }
    }
    files
}

impl File {
    fn add(&mut self, line: usize, count: u64, sides: &[u64]) {
        let line = self.lines.entry(line).or_default();
        if !line.is_counted {
            *line = Line { count, is_counted: true, ..std::mem::take(line) };
        }
        let branch = line.sides.last().map_or(0, |last| last.branch + 1);
        line.sides.extend(sides.iter().map(|side| Taken { branch, count: (count > 0).then_some(*side) }));
    }

    /// How many lines there are, and how many of them were reached.
    pub fn line_counts(&self) -> (usize, usize) {
        (self.lines.len(), self.lines.values().filter(|line| line.count > 0).count())
    }

    /// How many sides there are, and how many of them were taken.
    pub fn side_counts(&self) -> (usize, usize) {
        let sides = || self.lines.values().flat_map(|line| &line.sides);
        (sides().count(), sides().filter(|side| side.is_taken()).count())
    }
}

impl Taken {
    pub fn is_taken(self) -> bool {
        self.count.is_some_and(|count| count > 0)
    }
}
