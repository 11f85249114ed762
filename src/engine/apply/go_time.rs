//! Durations and timestamps as Go prints them.
//!
//! Upstream: `String` and `GoString` in Go's `time`.

use jiff::tz::{Offset, TimeZone};

use crate::cel::value::Timestamp;

/// A duration as Go writes it: `1h30m0.5s`, and below a second with the unit that leaves something before the point.
pub(super) fn duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let nanoseconds = nanoseconds.unsigned_abs();
    // What a unit leaves behind the point, with the point.
    let fraction = |unit: u64| {
        let digits = unit.ilog10() as usize;
        let text = format!(".{:0digits$}", nanoseconds % unit);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let decimal = |unit: u64, name: &str| format!("{sign}{}{}{name}", nanoseconds / unit, fraction(unit));
    match nanoseconds {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{nanoseconds}ns"),
        1_000..1_000_000 => decimal(1_000, "\u{b5}s"),
        1_000_000..1_000_000_000 => decimal(1_000_000, "ms"),
        _ => {
            let seconds = nanoseconds / 1_000_000_000;
            let hours = if seconds >= 3600 { format!("{}h", seconds / 3600) } else { String::new() };
            let minutes = if seconds >= 60 { format!("{}m", seconds / 60 % 60) } else { String::new() };
            format!("{sign}{hours}{minutes}{}{}s", seconds % 60, fraction(1_000_000_000))
        }
    }
}

/// A timestamp as Go writes it.
pub(super) fn time(timestamp: Timestamp) -> String {
    let (at, offset) = calendar(timestamp);
    let text = at.strftime("%Y-%m-%d %H:%M:%S%.f");
    match offset.seconds() {
        0 => format!("{text} +0000 UTC"),
        seconds => {
            let sign = if seconds < 0 { '-' } else { '+' };
            let minutes = seconds.unsigned_abs() / 60;
            let zone = format!("{sign}{:02}{:02}", minutes / 60, minutes % 60);
            format!("{text} {zone} {zone}")
        }
    }
}

/// A timestamp as Go's source would have it.
pub(super) fn time_syntax(timestamp: Timestamp) -> String {
    let (at, offset) = calendar(timestamp);
    let zone = if offset.seconds() == 0 { "time.UTC" } else { "time.Location(\"\")" };
    let month = at.strftime("%B");
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    let nanoseconds = at.subsec_nanosecond();
    format!("time.Date({}, time.{month}, {}, {hour}, {minute}, {second}, {nanoseconds}, {zone})", at.year(), at.day())
}

/// A timestamp's calendar and its offset from UTC. One beyond the calendar, which CEL doesn't make, is its beginning.
fn calendar(timestamp: Timestamp) -> (jiff::civil::DateTime, Offset) {
    let offset = Offset::from_seconds(timestamp.offset).unwrap_or(Offset::UTC);
    let instant = jiff::Timestamp::new(timestamp.seconds, timestamp.nanos.cast_signed()).unwrap_or_default();
    (TimeZone::fixed(offset).to_datetime(instant), offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (nanoseconds, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5\u{b5}s"),
            (-2_000_000, "-2ms"),
            (90_000_000_000, "1m30s"),
            (3_600_500_000_000, "1h0m0.5s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ] {
            assert_eq!(duration(nanoseconds), text);
        }
    }

    #[test]
    fn timestamps_are_written_as_in_go() {
        let new_year = Timestamp { offset: 5400, ..Timestamp::utc(1_704_067_200, 0) };
        assert_eq!(time(new_year), "2024-01-01 01:30:00 +0130 +0130");
        assert_eq!(time_syntax(new_year), "time.Date(2024, time.January, 1, 1, 30, 0, 0, time.Location(\"\"))");
        let precise = Timestamp::utc(-1, 500_000_000);
        assert_eq!(time(precise), "1969-12-31 23:59:59.5 +0000 UTC");
        assert_eq!(time_syntax(precise), "time.Date(1969, time.December, 31, 23, 59, 59, 500000000, time.UTC)");
    }
}
