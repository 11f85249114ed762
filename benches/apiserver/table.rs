//! What was measured, and what it says.

use std::time::Duration;

use super::IN_FLIGHT;
use super::setup::{OBJECTS, WAYS, Way};

/// A line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What is created.
    pub of: &'static str,
    /// How many requests were under way at once.
    pub in_flight: usize,
    /// How it is admitted.
    pub way: Way,
}

/// The times of each line, in milliseconds, round by round.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<(Row, Vec<Vec<f64>>)>,
}

impl Table {
    /// Adds a round.
    pub fn add(&mut self, row: Row, times: Vec<Duration>) {
        let times: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64() * 1e3).collect();
        match self.rows.iter_mut().find(|(of, _)| *of == row) {
            Some((_, rounds)) => rounds.push(times),
            None => self.rows.push((row, vec![times])),
        }
    }

    /// Prints it in Markdown. What is added is a difference of medians (or of 99th percentiles) over all rounds.
    pub fn print(&self) {
        println!(
            "| dry run of | in flight | admitted by | median | p99 | adds | adds to p99 | of an empty webhook | of native |"
        );
        println!("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
        for of in OBJECTS {
            for in_flight in IN_FLIGHT {
                for way in WAYS {
                    self.print_row(Row { of, in_flight, way });
                }
            }
        }
    }

    fn print_row(&self, row: Row) {
        let [median, p99] = self.percentiles(row);
        let adds = |way| {
            let ([median, p99], [bare_median, bare_p99]) =
                (self.percentiles(Row { way, ..row }), self.percentiles(Row { way: Way::Bare, ..row }));
            [median - bare_median, p99 - bare_p99]
        };
        let ratio = |to: Way| match row.way == Way::Bare || row.way == to {
            true => String::new(),
            false => format!("{:.2}", adds(row.way)[0] / adds(to)[0]),
        };
        let added = match row.way {
            Way::Bare => [String::new(), String::new()],
            way => adds(way).map(|milliseconds| format!("{milliseconds:.2} ms")),
        };
        println!(
            "| {} | {} | {} | {median:.2} ms | {p99:.2} ms | {} | {} | {} | {} |",
            row.of,
            row.in_flight,
            row.way.name(),
            added[0],
            added[1],
            ratio(Way::Empty),
            ratio(Way::Native),
        );
    }

    /// Median and 99th percentile of all rounds.
    fn percentiles(&self, row: Row) -> [f64; 2] {
        let rounds = self.rows.iter().find(|(of, _)| *of == row);
        let mut times: Vec<f64> = rounds.into_iter().flat_map(|(_, rounds)| rounds.concat()).collect();
        times.sort_by(f64::total_cmp);
        // The smallest time that so many are not above.
        let at = |part: f64| times.get(((times.len() as f64 * part).ceil() as usize).saturating_sub(1));
        [0.5, 0.99].map(|part| at(part).copied().unwrap_or(f64::NAN))
    }
}
