//! Quantities as apimachinery's `resource.Quantity` computes with them: small ones as an `i64` with a decimal scale,
//! all others as decimals of any length. Which of the two a quantity is shows in `asInteger` and `isInteger`.

use std::cmp::Ordering;
use std::fmt;

use crate::cel::function::Error;
use crate::json::Arena;

use super::build;

/// The decimal digits that a quantity may have; only exponents that nobody writes lead there.
const MAX_DIGITS: usize = 100_000;

/// The digits that upstream tries to fit into an `i64`.
const MAX_SMALL_DIGITS: i64 = 18;

/// The scale of the smallest quantity, 10^-9.
const NANO: i64 = -9;

/// `i64::MAX`, the largest quantity that can be written with a binary suffix.
const MAX_BINARY: &[u8] = &[9, 2, 2, 3, 3, 7, 2, 0, 3, 6, 8, 5, 4, 7, 7, 5, 8, 0, 7];

/// A quantity. Equality and order are by value, however it was written.
#[derive(Clone, Copy, Debug)]
pub enum Quantity<'a> {
    /// `value` times ten to the power of `scale`.
    Small {
        /// The digits.
        value: i64,
        /// The power of ten, at least that of a nano.
        scale: i32,
    },
    /// Everything else.
    Large(Decimal<'a>),
}

/// A decimal number of any length.
#[derive(Clone, Copy, Debug)]
pub struct Decimal<'a> {
    negative: bool,
    // INVARIANT: values 0 to 9, most significant first, no leading zero; empty for zero.
    digits: &'a [u8],
    exponent: i64,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The text does not look like a quantity.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// There is no number.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// The number is longer than this implementation computes with.
    #[error("quantities must not have more than {MAX_DIGITS} digits")]
    TooLong,
}

impl<'a> Quantity<'a> {
    /// Parses a quantity as `resource.ParseQuantity` does.
    ///
    /// # Errors
    /// Upstream's three, and [`ParseError::TooLong`].
    pub fn parse(arena: &'a Arena, text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Format);
        }
        let parts = Parts::split(text)?;
        let (base, exponent) = suffix(parts.suffix).ok_or(ParseError::Suffix)?;
        match parts.small(base, exponent) {
            Some(small) => Ok(small),
            None => parts.large(arena, base, exponent),
        }
    }

    /// The integer `value`.
    pub fn integer(value: i64) -> Self {
        Quantity::Small { value, scale: 0 }
    }

    /// The value as an `i64`, if the quantity is a small one that is an integer of that size.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Quantity::Small { value, scale } => scaled(value, i64::from(scale)),
            Quantity::Large(_) => None,
        }
    }

    /// The value in billionths, which every quantity is a whole number of, if that is an `i128`.
    pub fn nanos(&self) -> Option<i128> {
        let mut buffer = [0; 20];
        let decimal = self.decimal(&mut buffer);
        let exponent = u32::try_from(decimal.exponent.checked_sub(NANO)?).ok()?;
        let unscaled = decimal
            .digits
            .iter()
            .try_fold(0i128, |value, digit| value.checked_mul(10)?.checked_add(i128::from(*digit)))?;
        let nanos = if unscaled == 0 { 0 } else { unscaled.checked_mul(10i128.checked_pow(exponent)?)? };
        Some(if decimal.negative { -nanos } else { nanos })
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i64 {
        match self {
            Quantity::Small { value, .. } => value.signum(),
            Quantity::Large(decimal) => decimal.sign(),
        }
    }

    /// The nearest double, up to a rounding error of the power of ten, as upstream has it.
    pub fn approximate(&self) -> f64 {
        let (base, exponent) = match *self {
            Quantity::Small { value, scale } => (value as f64, i64::from(scale)),
            Quantity::Large(decimal) => (decimal.unscaled(), decimal.exponent),
        };
        if exponent == 0 { base } else { base * power_of_ten(exponent) }
    }

    /// The sum.
    ///
    /// # Errors
    /// More digits than this implementation computes with.
    pub fn add(&self, arena: &'a Arena, other: &Self) -> Result<Self, Error> {
        if let (Quantity::Small { value: a, scale: s }, Quantity::Small { value: b, scale: t }) = (*self, *other)
            && let Some(sum) = add_small((a, s), (b, t))
        {
            return Ok(sum);
        }
        let (mut left, mut right) = ([0; 20], [0; 20]);
        let (a, b) = (self.decimal(&mut left), other.decimal(&mut right));
        Decimal::sum(arena, a, b).map(Quantity::Large)
    }

    /// The difference. Upstream negates a small quantity in place, so that `i64::MIN` stays what it is.
    ///
    /// # Errors
    /// More digits than this implementation computes with.
    pub fn sub(&self, arena: &'a Arena, other: &Self) -> Result<Self, Error> {
        if let (Quantity::Small { value: a, scale: s }, Quantity::Small { value: b, scale: t }) = (*self, *other)
            && let Some(difference) = add_small((a, s), (b.wrapping_neg(), t))
        {
            return Ok(difference);
        }
        let (mut left, mut right) = ([0; 20], [0; 20]);
        let (a, b) = (self.decimal(&mut left), other.decimal(&mut right));
        Decimal::sum(arena, a, Decimal { negative: !b.negative, ..b }).map(Quantity::Large)
    }

    /// The order by value.
    pub fn cmp(&self, other: &Self) -> Ordering {
        let (mut left, mut right) = ([0; 20], [0; 20]);
        self.decimal(&mut left).cmp(&other.decimal(&mut right))
    }

    fn decimal<'d>(&self, buffer: &'d mut [u8; 20]) -> Decimal<'d>
    where
        'a: 'd,
    {
        match *self {
            Quantity::Large(decimal) => decimal,
            Quantity::Small { value, scale } => {
                let mut rest = value.unsigned_abs();
                let mut len = 0;
                for digit in buffer.iter_mut().rev() {
                    if rest == 0 {
                        break;
                    }
                    *digit = (rest % 10) as u8;
                    rest /= 10;
                    len += 1;
                }
                let digits = buffer.get(buffer.len() - len..).unwrap_or_default();
                Decimal { negative: value < 0, digits, exponent: i64::from(scale) }
            }
        }
    }
}

impl PartialEq for Quantity<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl fmt::Display for Quantity<'_> {
    /// The digits and their power of ten, for diagnostics: upstream's canonical form is never shown by CEL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [0; 20];
        let decimal = self.decimal(&mut buffer);
        if decimal.negative {
            f.write_str("-")?;
        }
        for digit in decimal.digits {
            write!(f, "{digit}")?;
        }
        match (decimal.digits, decimal.exponent) {
            ([], _) => f.write_str("0"),
            (_, 0) => Ok(()),
            (_, exponent) => write!(f, "e{exponent}"),
        }
    }
}

impl Decimal<'_> {
    fn sign(&self) -> i64 {
        match (self.digits, self.negative) {
            ([], _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }

    /// The digits as a double, correctly rounded.
    fn unscaled(&self) -> f64 {
        let digits: String = self.digits.iter().map(|digit| char::from(b'0' + digit)).collect();
        let magnitude: f64 = digits.parse().unwrap_or(0.0);
        if self.sign() < 0 { -magnitude } else { magnitude }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match self.sign().cmp(&other.sign()) {
            Ordering::Equal if self.sign() < 0 => other.cmp_magnitude(self),
            Ordering::Equal => self.cmp_magnitude(other),
            unequal => unequal,
        }
    }

    fn cmp_magnitude(&self, other: &Self) -> Ordering {
        self.magnitude().cmp(&other.magnitude()).then_with(|| {
            let longer = self.digits.len().max(other.digits.len());
            let digit = |digits: &[u8], i: usize| digits.get(i).copied().unwrap_or(0);
            (0..longer)
                .map(|i| digit(self.digits, i).cmp(&digit(other.digits, i)))
                .find(|order| *order != Ordering::Equal)
                .unwrap_or(Ordering::Equal)
        })
    }

    /// The power of ten that is just above the value; zero is below all others.
    fn magnitude(&self) -> i64 {
        if self.digits.is_empty() { i64::MIN } else { self.exponent.saturating_add(length(self.digits)) }
    }

    /// The sum, at the smaller exponent of the two.
    fn sum<'r>(arena: &'r Arena, a: Decimal<'_>, b: Decimal<'_>) -> Result<Decimal<'r>, Error> {
        let exponent = a.exponent.min(b.exponent);
        let too_long = || Error::new(ParseError::TooLong.to_string());
        let left = a.digits_at(exponent).ok_or_else(too_long)?;
        let right = b.digits_at(exponent).ok_or_else(too_long)?;
        let (negative, digits) = if a.negative == b.negative {
            (a.negative, add_digits(&left, &right))
        } else if a.cmp_magnitude(&b) == Ordering::Less {
            (b.negative, sub_digits(&right, &left))
        } else {
            (a.negative, sub_digits(&left, &right))
        };
        build::reserve(arena, digits.len())?;
        Ok(Decimal { negative, digits: arena.alloc_slice_copy(trim(&digits)), exponent })
    }

    /// The digits for an exponent that is not above its own.
    fn digits_at(&self, exponent: i64) -> Option<Vec<u8>> {
        let zeros =
            if self.digits.is_empty() { 0 } else { usize::try_from(self.exponent.checked_sub(exponent)?).ok()? };
        if zeros.checked_add(self.digits.len())? > MAX_DIGITS {
            return None;
        }
        let mut digits = self.digits.to_vec();
        digits.resize(digits.len() + zeros, 0);
        Some(digits)
    }
}

/// What a quantity is written with: sign, digits before and after the point, suffix.
struct Parts<'t> {
    negative: bool,
    whole: &'t str,
    fraction: &'t str,
    suffix: &'t str,
    /// Whether there is any digit; a suffix alone is a zero to upstream, as long as it is a small one.
    has_digits: bool,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Result<Self, ParseError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let significant = unsigned.trim_start_matches('0');
        if significant.is_empty() {
            // Nothing but a sign and zeros; upstream takes a lone sign for zero too.
            return Ok(Self { negative, whole: "0", fraction: "", suffix: "", has_digits: true });
        }
        let (whole, rest) = leading_digits(significant);
        let (fraction, suffix) = rest.strip_prefix('.').map_or(("", rest), leading_digits);
        let letters = suffix.trim_start_matches(|c: char| "eEinumkKMGTP".contains(c));
        let exponent = letters.strip_prefix(['-', '+']).unwrap_or(letters);
        if !exponent.bytes().all(|b| b.is_ascii_digit()) {
            return Err(ParseError::Format);
        }
        let has_digits = significant.len() < unsigned.len() || !whole.is_empty() || !fraction.is_empty();
        let whole = if whole.is_empty() { "0" } else { whole };
        Ok(Self { negative, whole, fraction, suffix, has_digits })
    }

    /// The small form, if upstream chooses it.
    fn small<'q>(&self, base: Base, exponent: i32) -> Option<Quantity<'q>> {
        let digits = length(self.whole.as_bytes()) + length(self.fraction.as_bytes());
        let (spare, scale, mantissa) = match base {
            Base::Ten => (MAX_SMALL_DIGITS - digits, exponent, 1i64),
            Base::Two if self.fraction.is_empty() => {
                (15 - digits - i64::from(exponent) * 3 / 10 - 1, 0, 1i64.checked_shl(exponent.unsigned_abs())?)
            }
            Base::Two => return None,
        };
        let scale = scale.wrapping_sub(i32::try_from(self.fraction.len()).ok()?);
        if spare < 0 || i64::from(scale) < NANO {
            return None;
        }
        let value: i64 = [self.whole, self.fraction].concat().parse().ok()?;
        let value = value.checked_mul(mantissa)?;
        Some(Quantity::Small { value: if self.negative { -value } else { value }, scale })
    }

    /// The large form: rounded away from zero to nanos; with a binary suffix no larger than `i64::MAX`.
    fn large<'q>(&self, arena: &'q Arena, base: Base, exponent: i32) -> Result<Quantity<'q>, ParseError> {
        if !self.has_digits {
            return Err(ParseError::Numeric);
        }
        if self.whole.len() + self.fraction.len() > MAX_DIGITS {
            return Err(ParseError::TooLong);
        }
        let digits: Vec<u8> = self.whole.bytes().chain(self.fraction.bytes()).map(|b| b - b'0').collect();
        let mut digits = trim(&digits).to_vec();
        let mut scale = -length(self.fraction.as_bytes());
        match base {
            Base::Ten => scale += i64::from(exponent),
            Base::Two => multiply_by_power_of_two(&mut digits, exponent.unsigned_abs()),
        }
        if !digits.is_empty() {
            round_up_to(&mut digits, scale - NANO)?;
            scale = NANO;
        }
        let mut decimal = Decimal { negative: false, digits: &digits, exponent: scale };
        let limit = Decimal { negative: false, digits: MAX_BINARY, exponent: 0 };
        if matches!(base, Base::Two) && decimal.cmp(&limit) == Ordering::Greater {
            decimal = limit;
        }
        let digits = arena.alloc_slice_copy(decimal.digits);
        Ok(Quantity::Large(Decimal { negative: self.negative, digits, exponent: decimal.exponent }))
    }
}

#[derive(Clone, Copy)]
enum Base {
    Ten,
    Two,
}

/// The base and the exponent that a suffix stands for.
fn suffix(text: &str) -> Option<(Base, i32)> {
    Some(match text {
        "" => (Base::Ten, 0),
        "n" => (Base::Ten, -9),
        "u" => (Base::Ten, -6),
        "m" => (Base::Ten, -3),
        "k" => (Base::Ten, 3),
        "M" => (Base::Ten, 6),
        "G" => (Base::Ten, 9),
        "T" => (Base::Ten, 12),
        "P" => (Base::Ten, 15),
        "E" => (Base::Ten, 18),
        "Ki" => (Base::Two, 10),
        "Mi" => (Base::Two, 20),
        "Gi" => (Base::Two, 30),
        "Ti" => (Base::Two, 40),
        "Pi" => (Base::Two, 50),
        "Ei" => (Base::Two, 60),
        // Upstream keeps the lower 32 bits of an exponent.
        _ => (Base::Ten, text.strip_prefix(['e', 'E'])?.parse::<i64>().ok()? as i32),
    })
}

fn leading_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

fn add_small<'q>((a, s): (i64, i32), (b, t): (i64, i32)) -> Option<Quantity<'q>> {
    if b == 0 {
        return Some(Quantity::Small { value: a, scale: s });
    }
    if a == 0 {
        return Some(Quantity::Small { value: b, scale: t });
    }
    let scale = s.min(t);
    let (a, b) = (scaled(a, i64::from(s) - i64::from(scale))?, scaled(b, i64::from(t) - i64::from(scale))?);
    Some(Quantity::Small { value: a.checked_add(b)?, scale })
}

/// `value` times ten to the power of `scale`, if that is an `i64`; never for a negative scale.
fn scaled(value: i64, scale: i64) -> Option<i64> {
    let scale = u32::try_from(scale).ok()?;
    if value == 0 { Some(0) } else { value.checked_mul(10i64.checked_pow(scale)?) }
}

fn add_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    let mut sum: Vec<u8> = Vec::with_capacity(a.len().max(b.len()) + 1);
    for i in 0..a.len().max(b.len()) {
        let digit = from_end(a, i) + from_end(b, i) + carry;
        sum.push(digit % 10);
        carry = digit / 10;
    }
    sum.push(carry);
    sum.reverse();
    sum
}

/// `a - b`, for `a` not below `b`.
fn sub_digits(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut difference: Vec<u8> = Vec::with_capacity(a.len());
    for i in 0..a.len().max(b.len()) {
        let (digit, taken) = (from_end(a, i), from_end(b, i) + borrow);
        borrow = u8::from(digit < taken);
        difference.push(digit + 10 * borrow - taken);
    }
    difference.reverse();
    difference
}

fn from_end(digits: &[u8], i: usize) -> u8 {
    digits.len().checked_sub(i + 1).and_then(|at| digits.get(at)).copied().unwrap_or(0)
}

fn multiply_by_power_of_two(digits: &mut Vec<u8>, power: u32) {
    let mut carry: u128 = 0;
    for digit in digits.iter_mut().rev() {
        carry += u128::from(*digit) << power.min(64);
        *digit = (carry % 10) as u8;
        carry /= 10;
    }
    let mut front = Vec::new();
    while carry > 0 {
        front.push((carry % 10) as u8);
        carry /= 10;
    }
    front.reverse();
    digits.splice(0..0, front);
}

/// Shifts digits by `shift` powers of ten; what falls off rounds away from zero.
fn round_up_to(digits: &mut Vec<u8>, shift: i64) -> Result<(), ParseError> {
    if let Ok(zeros) = usize::try_from(shift) {
        let len = digits.len().checked_add(zeros).filter(|len| *len <= MAX_DIGITS).ok_or(ParseError::TooLong)?;
        digits.resize(len, 0);
        return Ok(());
    }
    let dropped = usize::try_from(shift.unsigned_abs()).unwrap_or(usize::MAX);
    let kept = digits.len().saturating_sub(dropped);
    // What is beyond the digits is zeros in front of them, so that nothing is lost but a value above zero.
    let inexact = digits.get(kept..).is_some_and(|rest| rest.iter().any(|digit| *digit != 0));
    digits.truncate(kept);
    if inexact {
        *digits = trim(&add_digits(digits, &[1])).to_vec();
    }
    Ok(())
}

fn trim(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == 0).count();
    digits.get(zeros..).unwrap_or_default()
}

fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).unwrap_or(i64::MAX)
}

/// Go's `math.Pow10`, with its rounding: a product of table entries 32 powers apart.
fn power_of_ten(exponent: i64) -> f64 {
    let literal = |exponent: i64| format!("1e{exponent}").parse::<f64>().unwrap_or(f64::NAN);
    match exponent {
        0..=308 => literal(exponent / 32 * 32) * literal(exponent % 32),
        -323..0 => literal(exponent / 32 * 32) / literal(-exponent % 32),
        309.. => f64::INFINITY,
        _ => 0.0,
    }
}
