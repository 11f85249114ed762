//! Durations as Go prints and parses them: what the API server writes into `?timeout=`.

use std::time::Duration;

/// Reads a duration such as `10s`, `1m30s` or `1.5h`. Upstream: `time.ParseDuration`.
///
/// # Errors
/// What is wrong with the text; negative durations are refused, since nothing can be done in one.
pub fn parse(text: &str) -> Result<Duration, &'static str> {
    const SHAPE: &str = "write a Go duration such as 10s";
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned.starts_with('-') {
        return Err("a timeout can't be negative");
    }
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits =
            rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or("the duration needs a unit such as s")?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let seconds_per_unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(SHAPE),
        };
        let count: f64 = number.parse().map_err(|_| SHAPE)?;
        let part = Duration::try_from_secs_f64(count * seconds_per_unit).map_err(|_| "the duration is too long")?;
        total = total.checked_add(part).ok_or("the duration is too long")?;
        rest = tail;
    }
    if unsigned.is_empty() { Err(SHAPE) } else { Ok(total) }
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
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn rejects_what_go_would_not_parse() {
        for text in ["", "10", "s", "-1s", "1x", "1s2", "1..2s", ".s", "+", "1e400s", "nan s", "99999999999999999999h"]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
