//! Timestamps and durations: their text forms, their range, and the fields of the calendar.

use crate::cel::function::{Error, Function, overload};
use crate::cel::value::{Timestamp, Value};
use crate::json::Arena;

use super::civil::{Civil, days_since_epoch};
use super::zone::Zone;

type Outcome<'a> = Result<Value<'a>, Error>;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "getFullYear",
        overloads: &[
            overload("timestamp_to_year", "timestamp.() -> int"),
            overload("timestamp_to_year_with_tz", "timestamp.(string) -> int"),
        ],
        eval: full_year,
    },
    Function {
        name: "getMonth",
        overloads: &[
            overload("timestamp_to_month", "timestamp.() -> int"),
            overload("timestamp_to_month_with_tz", "timestamp.(string) -> int"),
        ],
        eval: month,
    },
    Function {
        name: "getDayOfYear",
        overloads: &[
            overload("timestamp_to_day_of_year", "timestamp.() -> int"),
            overload("timestamp_to_day_of_year_with_tz", "timestamp.(string) -> int"),
        ],
        eval: day_of_year,
    },
    Function {
        name: "getDayOfMonth",
        overloads: &[
            overload("timestamp_to_day_of_month", "timestamp.() -> int"),
            overload("timestamp_to_day_of_month_with_tz", "timestamp.(string) -> int"),
        ],
        eval: day_of_month,
    },
    Function {
        name: "getDate",
        overloads: &[
            overload("timestamp_to_day_of_month_1_based", "timestamp.() -> int"),
            overload("timestamp_to_day_of_month_1_based_with_tz", "timestamp.(string) -> int"),
        ],
        eval: date,
    },
    Function {
        name: "getDayOfWeek",
        overloads: &[
            overload("timestamp_to_day_of_week", "timestamp.() -> int"),
            overload("timestamp_to_day_of_week_with_tz", "timestamp.(string) -> int"),
        ],
        eval: day_of_week,
    },
    Function {
        name: "getHours",
        overloads: &[
            overload("timestamp_to_hours", "timestamp.() -> int"),
            overload("timestamp_to_hours_with_tz", "timestamp.(string) -> int"),
            overload("duration_to_hours", "duration.() -> int"),
        ],
        eval: hours,
    },
    Function {
        name: "getMinutes",
        overloads: &[
            overload("timestamp_to_minutes", "timestamp.() -> int"),
            overload("timestamp_to_minutes_with_tz", "timestamp.(string) -> int"),
            overload("duration_to_minutes", "duration.() -> int"),
        ],
        eval: minutes,
    },
    Function {
        name: "getSeconds",
        overloads: &[
            overload("timestamp_to_seconds", "timestamp.() -> int"),
            overload("timestamp_to_seconds_tz", "timestamp.(string) -> int"),
            overload("duration_to_seconds", "duration.() -> int"),
        ],
        eval: seconds,
    },
    Function {
        name: "getMilliseconds",
        overloads: &[
            overload("timestamp_to_milliseconds", "timestamp.() -> int"),
            overload("timestamp_to_milliseconds_with_tz", "timestamp.(string) -> int"),
            overload("duration_to_milliseconds", "duration.() -> int"),
        ],
        eval: milliseconds,
    },
];

/// 0001-01-01T00:00:00Z and the last second of 9999: the range of CEL timestamps.
const MIN_SECONDS: i64 = -62_135_596_800;
const MAX_SECONDS: i64 = 253_402_300_799;
const NANOS: i128 = 1_000_000_000;

/// A timestamp within CEL's range.
pub(super) fn timestamp(seconds: i64, nanos: u32) -> Option<Timestamp> {
    (MIN_SECONDS..=MAX_SECONDS).contains(&seconds).then_some(Timestamp::utc(seconds, nanos))
}

/// Nanoseconds since 1970.
pub(super) fn nanoseconds(t: Timestamp) -> i128 {
    i128::from(t.seconds) * NANOS + i128::from(t.nanos)
}

/// A timestamp moved by nanoseconds, if it stays within range.
pub(super) fn shifted(t: Timestamp, by: i128) -> Option<Timestamp> {
    let total = nanoseconds(t) + by;
    let moved = timestamp(i64::try_from(total.div_euclid(NANOS)).ok()?, u32::try_from(total.rem_euclid(NANOS)).ok()?)?;
    Some(Timestamp { offset: t.offset, ..moved })
}

/// Parses RFC 3339 as Go's `time.Parse(time.RFC3339, …)` does.
pub(super) fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shape = bytes.get(..19)?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let is_separator = |at: usize| separators.iter().find(|(place, _)| *place == at).map(|(_, byte)| *byte);
    for (at, byte) in shape.iter().enumerate() {
        if is_separator(at).map_or(!byte.is_ascii_digit(), |wanted| wanted != *byte) {
            return None;
        }
    }
    let rest = text.get(19..)?;
    let fraction_length = match rest.strip_prefix(['.', ',']) {
        Some(digits) => 1 + digits.bytes().take_while(u8::is_ascii_digit).count(),
        None => 0,
    };
    if fraction_length == 1 {
        return None;
    }
    let (fraction, zone) = (rest.get(..fraction_length)?, rest.get(fraction_length..)?);
    let offset = zone_offset(zone)?;
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
    let civil = Civil {
        year: number(0, 4)?,
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: number(17, 19)?,
    };
    let seconds = civil.seconds()?;
    let digits: String = fraction.chars().skip(1).chain(std::iter::repeat('0')).take(9).collect();
    let utc = timestamp(seconds - offset, digits.parse().ok()?)?;
    Some(Timestamp { offset: i32::try_from(offset).ok()?, ..utc })
}

/// `Z` or `+hh:mm` in seconds, within the bounds of Go's parser.
fn zone_offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (sign, rest) = match zone.as_bytes().first()? {
        b'+' => (1, zone.get(1..)?),
        b'-' => (-1, zone.get(1..)?),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':')?;
    let two_digits = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 24 && minutes <= 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A timestamp as `string()` gives it, and JSON: RFC 3339 with the offset that it was read with, and as many fractional
/// digits as needed.
pub fn zoned_text(t: Timestamp) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::at(t.seconds + i64::from(t.offset));
    let fraction = format!(".{:09}", t.nanos);
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    let minutes = t.offset.abs() / 60;
    let zone = match t.offset {
        0 => "Z".to_owned(),
        east => format!("{}{:02}:{:02}", if east < 0 { '-' } else { '+' }, minutes / 60, minutes % 60),
    };
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

/// Parses `1h30m`, `-1.5s` and the like to nanoseconds, as Go's `time.ParseDuration` does.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let (nanoseconds, after) = duration_part(rest)?;
        total = total.checked_add(nanoseconds)?;
        if total > i128::from(i64::MAX) + i128::from(negative) {
            return None;
        }
        rest = after;
    }
    i64::try_from(if negative { -total } else { total }).ok()
}

/// One number with its unit, in nanoseconds, and what follows it.
fn duration_part(text: &str) -> Option<(i128, &str)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole_length = digits(text);
    let (whole, mut rest) = text.split_at_checked(whole_length)?;
    let mut fraction = "";
    if let Some(after) = rest.strip_prefix('.') {
        (fraction, rest) = after.split_at_checked(digits(after))?;
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    const UNITS: &[(&str, i128)] = &[
        ("ns", 1),
        ("us", 1_000),
        ("\u{b5}s", 1_000),
        ("\u{3bc}s", 1_000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let unit_length = rest.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(rest.len());
    let (unit, after) = rest.split_at_checked(unit_length)?;
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut part = whole.checked_mul(*unit)?;
    // Digits beyond these can't make a nanosecond of any unit.
    let fraction = fraction.get(..fraction.len().min(18)).unwrap_or(fraction);
    if !fraction.is_empty() {
        let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        part = part.checked_add(fraction.parse::<i128>().ok()?.checked_mul(*unit)? / scale)?;
    }
    Some((part, after))
}

/// A duration as `string()` gives it, and JSON: seconds with as many fractional digits as a double has, and `s`.
pub fn duration_text(nanoseconds: i64) -> String {
    // Upstream prints a double, which has no room for the nanoseconds of a long duration.
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    format!("{}s", seconds as f64 + rest as f64 / 1e9)
}

/// A field of the calendar in a time zone.
fn calendar<'a>(args: &[Value<'a>], field: fn(&Civil, u32) -> i64) -> Outcome<'a> {
    let (t, zone) = match args {
        [Value::Timestamp(t)] => (t, Zone::UTC),
        [Value::Timestamp(t), Value::String(zone)] => (t, Zone::get(zone)?),
        _ => return Err(Error::no_such_overload()),
    };
    Ok(Value::Int(field(&Civil::at(t.seconds.saturating_add(zone.offset_at(t.seconds))), t.nanos)))
}

fn full_year<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    calendar(args, |t, _| t.year)
}

fn month<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    calendar(args, |t, _| t.month - 1)
}

fn day_of_year<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    calendar(args, |t, _| days_since_epoch(t.year, t.month, t.day) - days_since_epoch(t.year, 1, 1))
}

fn day_of_month<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    calendar(args, |t, _| t.day - 1)
}

fn date<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    calendar(args, |t, _| t.day)
}

fn day_of_week<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    // 1970-01-01 was a Thursday; Sunday is 0.
    calendar(args, |t, _| (days_since_epoch(t.year, t.month, t.day) + 4).rem_euclid(7))
}

/// How often a unit is in a duration. Upstream counts in doubles, so that close to a whole one it is rounded up.
fn whole<'a>(nanoseconds: i64, unit: i64) -> Value<'a> {
    Value::Int(((nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64) as i64)
}

fn hours<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Duration(d)] => Ok(whole(*d, 3_600_000_000_000)),
        _ => calendar(args, |t, _| t.hour),
    }
}

fn minutes<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Duration(d)] => Ok(whole(*d, 60_000_000_000)),
        _ => calendar(args, |t, _| t.minute),
    }
}

fn seconds<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Duration(d)] => Ok(whole(*d, 1_000_000_000)),
        _ => calendar(args, |t, _| t.second),
    }
}

fn milliseconds<'a>(_: &'a Arena, args: &[Value<'a>]) -> Outcome<'a> {
    match args {
        [Value::Duration(d)] => Ok(Value::Int(d / 1_000_000)),
        _ => calendar(args, |_, nanos| i64::from(nanos) / 1_000_000),
    }
}
