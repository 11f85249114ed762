//! Time zones by the names that calendar functions take: `Europe/Berlin`, `+02:00`.
//!
//! Upstream: `timeZone` in `cel-go/common/types/timestamp.go`, and `LoadLocation` in Go's `time`.

use jiff::tz::TimeZone;

use crate::cel::function::Error;
use crate::cel::value::quote::quoted;

/// What a time zone adds to UTC.
#[derive(Clone, Debug)]
pub(super) enum Zone {
    /// Always the same, in seconds.
    Fixed(i64),
    /// What its history says.
    Named(TimeZone),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Zone::Fixed(0);

    /// The zone with this name.
    ///
    /// # Errors
    /// Go's, of a name that nobody has given to a zone and of numbers that are none.
    pub fn get(name: &str) -> Result<Self, Error> {
        match name.split_once(':') {
            Some((hours, minutes)) => Ok(Zone::Fixed(offset(name, number(hours)?, number(minutes)?))),
            // The API server's local time is UTC.
            None if matches!(name, "" | "UTC" | "Local") => Ok(Zone::UTC),
            None if name.contains("..") || name.starts_with(['/', '\\']) => {
                Err(Error::new("time: invalid location name"))
            }
            None => match TimeZone::get(name) {
                // Go opens files by these names, so their case counts.
                Ok(zone) if zone.iana_name() == Some(name) && !zone.is_unknown() => Ok(Zone::Named(zone)),
                _ => Err(Error::new(format!("unknown time zone {name}"))),
            },
        }
    }

    /// The seconds that it adds to UTC at a number of seconds since 1970.
    pub fn offset_at(&self, seconds: i64) -> i64 {
        match self {
            Zone::Fixed(offset) => *offset,
            // jiff's range ends a day before CEL's, where no zone changes its offset any more.
            Zone::Named(zone) => {
                let at = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
                i64::from(zone.to_offset(at).seconds())
            }
        }
    }
}

/// Any offset will do; one that Go's durations can't hold wraps around in them.
fn offset(name: &str, hours: i64, minutes: i64) -> i64 {
    const MINUTE: i64 = 60_000_000_000;
    let minutes = if name.starts_with('-') { minutes.wrapping_neg() } else { minutes };
    hours.wrapping_mul(60).wrapping_add(minutes).wrapping_mul(MINUTE) / 1_000_000_000
}

/// Go's `strconv.Atoi`.
fn number(text: &str) -> Result<i64, Error> {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            PosOverflow | NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        Error::new(format!("strconv.Atoi: parsing {}: {why}", quoted(text)))
    })
}
