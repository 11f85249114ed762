//! Quantities in the form in which the API server writes them down, and their sums.
//!
//! Upstream: `apimachinery/pkg/api/resource`, `SetDefaults_ResourceList`.

use crate::cel::Quantity;
use crate::json::{Arena, Object, Value};

use super::rule::Fields;

/// A quantity as a whole number of nanos, which every quantity is, with the way in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Amount {
    nanos: i128,
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Binary,
    Decimal,
    Exponent,
}

const UNIT: i128 = 1_000_000_000;
const MILLI: i128 = UNIT / 1000;
const KIBI: i128 = 1024;

/// The decimal suffixes from nano on, three powers of ten apart.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// The binary suffixes, ten powers of two apart.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Amount {
    /// Reads a quantity, which may be a number. `None` for what is no quantity, and for those beyond 10^29.
    pub fn parse(arena: &Arena, value: Value<'_>) -> Option<Self> {
        let number;
        let text = match value {
            Value::String(text) => text.trim(),
            Value::Int(value) => {
                number = value.to_string();
                &number
            }
            Value::Float(value) => {
                number = value.to_string();
                &number
            }
            _ => return None,
        };
        let nanos = Quantity::parse(arena, text).ok()?.nanos()?;
        let format = match text.bytes().last() {
            // Upstream reads what is below one as if it had been written without the binary suffix.
            Some(b'i') if nanos != 0 && nanos.abs() < UNIT => Format::Decimal,
            Some(b'i') => Format::Binary,
            Some(b'0'..=b'9') if text.contains(['e', 'E']) => Format::Exponent,
            _ => Format::Decimal,
        };
        Some(Self { nanos, format })
    }

    /// Rounded away from zero to thousandths.
    pub fn to_millis(self) -> Self {
        let rest = self.nanos % MILLI;
        let up = if rest == 0 { 0 } else { MILLI * rest.signum() - rest };
        Self { nanos: self.nanos.saturating_add(up), ..self }
    }

    /// The sum, written like `self` unless that is zero.
    pub fn plus(self, other: Self) -> Self {
        let format = if self.nanos == 0 { other.format } else { self.format };
        Self { nanos: self.nanos.saturating_add(other.nanos), format }
    }

    pub fn max(self, other: Self) -> Self {
        if other.nanos > self.nanos { other } else { self }
    }

    /// Upstream's canonical form. `None` if that form has no suffix for so large a quantity.
    pub fn canonical(self) -> Option<String> {
        if self.nanos == 0 {
            return Some("0".to_owned());
        }
        let is_binary = self.format == Format::Binary && self.nanos % UNIT == 0;
        if is_binary && self.nanos.abs() >= KIBI * UNIT {
            let (number, times) = without_factors(self.nanos / UNIT, KIBI);
            return Some(format!("{number}{}", BINARY.get(times)?));
        }
        let (number, times) = without_factors(self.nanos, 1000);
        if self.format != Format::Exponent {
            return Some(format!("{number}{}", DECIMAL.get(times)?));
        }
        match i64::try_from(times).ok()? * 3 - 9 {
            0 => Some(number.to_string()),
            exponent => Some(format!("{number}e{exponent}")),
        }
    }

    pub fn write<'a>(self, arena: &'a Arena) -> Option<Value<'a>> {
        self.canonical().map(|text| Value::String(arena.alloc_str(&text)))
    }
}

fn without_factors(mut number: i128, base: i128) -> (i128, usize) {
    let mut times = 0;
    while number % base == 0 && number != 0 {
        number /= base;
        times += 1;
    }
    (number, times)
}

/// Writes the quantities of the resource list `key` as the API server does, rounded up to thousandths.
pub(super) fn resource_list(fields: &mut Fields<'_>, key: &'static str) {
    let arena = fields.arena;
    let Some(Value::Object(list)) = fields.get(key) else { return };
    let written = |value| Amount::parse(arena, value).and_then(|amount| amount.to_millis().write(arena));
    let members = list.members().iter().map(|(name, value)| (*name, written(*value).unwrap_or(*value)));
    let members: Vec<_> = members.collect();
    if members != list.members() {
        fields.set(key, Value::Object(Object::new(arena, &members)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_quantities_as_the_api_server_does() {
        let cases = [
            ("1", "1"),
            ("0", "0"),
            ("0Ki", "0"),
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            ("1.5", "1500m"),
            (".1", "100m"),
            ("1000", "1k"),
            ("1024", "1024"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("0.5Gi", "512Mi"),
            ("1.5Gi", "1536Mi"),
            ("0.1Ki", "102400m"),
            ("0.0001Mi", "104857600u"),
            ("512Ki", "512Ki"),
            ("1Ei", "1Ei"),
            ("128974848", "128974848"),
            ("129e6", "129e6"),
            ("129M", "129M"),
            ("1e2", "100"),
            ("1e3", "1e3"),
            ("12345n", "12345n"),
            ("-1Gi", "-1Gi"),
            ("-0.5", "-500m"),
        ];
        let arena = Arena::new();
        for (text, canonical) in cases {
            let amount = Amount::parse(&arena, Value::String(text)).and_then(Amount::canonical);
            assert_eq!(amount.as_deref(), Some(canonical), "{text}");
        }
        assert_eq!(Amount::parse(&arena, Value::Int(2)).and_then(Amount::canonical).as_deref(), Some("2"));
        assert_eq!(Amount::parse(&arena, Value::Float(0.25)).and_then(Amount::canonical).as_deref(), Some("250m"));
        for text in ["", "a lot", "1 Gi", "1e40"] {
            assert_eq!(Amount::parse(&arena, Value::String(text)), None, "{text}");
        }
        assert_eq!(Amount::parse(&arena, Value::String("1e28")).and_then(Amount::canonical).as_deref(), Some("10e27"));
        assert_eq!(Amount::parse(&arena, Value::String("1000E")).and_then(Amount::canonical), None);
    }

    #[test]
    fn rounds_away_from_zero_to_thousandths() {
        let arena = Arena::new();
        for (text, rounded) in [("1n", "1m"), ("1500u", "2m"), ("-1n", "-1m"), ("1m", "1m"), ("0", "0")] {
            let amount = Amount::parse(&arena, Value::String(text)).map(Amount::to_millis);
            assert_eq!(amount.and_then(Amount::canonical).as_deref(), Some(rounded), "{text}");
        }
    }

    #[test]
    fn a_sum_is_written_like_its_first_part_that_is_not_zero() {
        let arena = Arena::new();
        let sum = |a, b| {
            let [a, b] = [a, b].map(|text| Amount::parse(&arena, Value::String(text)));
            a.zip(b).and_then(|(a, b)| a.plus(b).canonical())
        };
        assert_eq!(sum("1Gi", "1024Mi").as_deref(), Some("2Gi"));
        assert_eq!(sum("1Gi", "1M").as_deref(), Some("1074741824"));
        assert_eq!(sum("0", "1Gi").as_deref(), Some("1Gi"));
        assert_eq!(sum("500m", "500m").as_deref(), Some("1"));
    }
}
