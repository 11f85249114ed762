//! Durations as Go prints and parses them: what the API server writes into `?timeout=`.

use std::time::Duration;

use crate::cel;

/// Reads a duration such as `10s`, `1m30s` or `1.5h`. Upstream: `time.ParseDuration`.
///
/// # Errors
/// What is wrong with the text; negative durations are refused, since nothing can be done in one.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    let nanoseconds = cel::parse_duration(text).ok_or("write a Go duration such as 10s, of at most 290 years")?;
    u64::try_from(nanoseconds).map(Duration::from_nanos).map_err(|_| "a timeout can't be negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_go_prints() {
        for (text, milliseconds) in [
            ("10s", 10_000),
            ("1m30s", 90_000),
            ("1.5h", 5_400_000),
            ("250ms", 250),
            ("+2s", 2_000),
            ("0", 0),
            ("0s", 0),
            (".5s", 500),
            ("3000us", 3),
            ("3000µs", 3),
            ("-0s", 0),
            ("2540400h", 9_145_440_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn rejects_what_go_would_not_parse() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1x",
            "1s2",
            "1..2s",
            ".s",
            "+",
            "1e400s",
            "nan s",
            "99999999999999999999h",
            "2562048h",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
