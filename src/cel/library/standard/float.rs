//! Numbers as Go's `strconv.ParseFloat` reads them: decimal, or hexadecimal with a binary exponent.

use std::borrow::Cow;

/// The nearest double; `None` for what is no number or beyond the largest.
pub(super) fn parse(text: &str) -> Option<f64> {
    let text = &*without_underscores(text)?;
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let number = hexadecimal(digits)?;
        return Some(if text.starts_with('-') { -number } else { number });
    }
    let number: f64 = text.parse().ok()?;
    let signed_nan = number.is_nan() && unsigned.len() != text.len();
    let overflow = number.is_infinite() && text.contains(|c: char| c.is_ascii_digit());
    (!signed_nan && !overflow).then_some(number)
}

/// The text without the underscores that separate digits, a base prefix counting as one; `None` if one doesn't.
fn without_underscores(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('_') {
        return Some(Cow::Borrowed(text));
    }
    let unsigned = text.trim_start_matches(['+', '-']);
    let hexadecimal = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let is_digit = |c: char| c.is_digit(if hexadecimal { 16 } else { 10 });
    let mut previous = ' ';
    let mut following = text.chars().skip(1);
    for c in text.chars() {
        let next = following.next().unwrap_or(' ');
        let after_digit = is_digit(previous) || hexadecimal && matches!(previous, 'x' | 'X');
        if c == '_' && !(after_digit && is_digit(next)) {
            return None;
        }
        previous = c;
    }
    Some(Cow::Owned(text.replace('_', "")))
}

/// What follows `0x`: digits with or without a point, an exponent.
fn hexadecimal(text: &str) -> Option<f64> {
    let (digits, exponent) = text.split_once(['p', 'P'])?;
    let mut exponent = i64::from(exponent.parse::<i32>().ok()?);
    let (mut mantissa, mut lost, mut seen, mut point) = (0u64, false, false, false);
    for c in digits.chars() {
        match c.to_digit(16) {
            Some(digit) => {
                seen = true;
                if mantissa >> 60 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    exponent -= if point { 4 } else { 0 };
                } else {
                    lost |= digit != 0;
                    exponent += if point { 0 } else { 4 };
                }
            }
            None if c == '.' && !point => point = true,
            None => return None,
        }
    }
    if seen { scaled(mantissa, lost, exponent) } else { None }
}

/// `mantissa` times two to the power of `exponent`, rounded to even; `lost` is whether there is a little more.
fn scaled(mantissa: u64, lost: bool, exponent: i64) -> Option<f64> {
    if mantissa == 0 {
        return Some(0.0);
    }
    let shift = mantissa.leading_zeros();
    let mantissa = mantissa << shift;
    let exponent = exponent - i64::from(shift);
    // The bits that the result has room for; fewer the further it is below the smallest normal number.
    let kept = 53 - (-1022 - (exponent + 63)).max(0);
    let dropped = u32::try_from(64 - kept).ok()?;
    if dropped > 64 {
        return Some(0.0);
    }
    let whole = u128::from(mantissa);
    let (half, rest) = (1u128 << (dropped - 1), whole & ((1u128 << dropped) - 1));
    let truncated = whole >> dropped;
    let up = rest > half || rest == half && (lost || truncated & 1 == 1);
    let rounded = truncated + u128::from(up);
    let power = i32::try_from(exponent + i64::from(dropped)).unwrap_or(if exponent > 0 { i32::MAX } else { i32::MIN });
    // In two steps, as the power alone may be out of range where the number is not.
    let number = rounded as f64 * 2f64.powi(power / 2) * 2f64.powi(power - power / 2);
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let table = [
            ("0x1p-2", Some(0.25)),
            ("0X1.8P+1", Some(3.0)),
            ("-0x.8p0", Some(-0.5)),
            ("0x_1_0p0", Some(16.0)),
            ("0x1.fffffffffffff8p0", Some(2.0)),
            ("0x1.fffffffffffff7p0", Some(f64::from_bits(0x3fff_ffff_ffff_ffff))),
            ("0x1p-1074", Some(5e-324)),
            ("0x1p-1075", Some(0.0)),
            ("0x1.8p-1075", Some(5e-324)),
            ("0x1.fffffffffffffp1023", Some(f64::MAX)),
            ("0x1p1024", None),
            ("0x1", None),
            ("0xp1", None),
            ("0x1__0p0", None),
            ("1_000.5", Some(1000.5)),
            ("1_", None),
            ("_1", None),
            ("1__0", None),
            ("1_.5", None),
            ("+nan", None),
            ("1e400", None),
            ("-Infinity", Some(f64::NEG_INFINITY)),
            ("+.5e1", Some(5.0)),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
