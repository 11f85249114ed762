//! Scanning text eight bytes at a time, without intrinsics.

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const TWOS: u64 = u64::from_le_bytes([0x02; 8]);
const ABOVE_SPACES: u64 = u64::from_le_bytes([b' ' + 1; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
const BACKSLASHES: u64 = u64::from_le_bytes([b'\\'; 8]);

/// The first byte from `from` on that ends or interrupts a JSON string: a quote, a backslash or a control character;
/// the length of `bytes` if there is none.
#[inline(always)]
pub(super) fn string_end(bytes: &[u8], from: usize) -> usize {
    let Some(mut rest) = bytes.get(from..) else { return from };
    while let Some((word, tail)) = rest.split_first_chunk::<8>() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return bytes.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
        }
        rest = tail;
    }
    let mut at = bytes.len() - rest.len();
    while let Some(byte) = bytes.get(at)
        && !matches!(byte, b'"' | b'\\' | 0..b' ')
    {
        at += 1;
    }
    at
}

/// Sets the high bit of each byte that is special. A borrow can also set it in a byte above a special one, never in
/// a byte below, so the lowest is exact.
#[inline]
fn special(word: u64) -> u64 {
    // Turning over the second bit shuffles control characters among themselves and puts the quote beside them.
    let quote_or_control = (word ^ TWOS).wrapping_sub(ABOVE_SPACES);
    let backslash = (word ^ BACKSLASHES).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGHS
}

#[cfg(test)]
mod tests {
    use super::string_end;

    #[test]
    fn finds_every_special_byte_at_every_distance() {
        for special in (0..b' ').chain([b'"', b'\\']) {
            for before in 0..20 {
                for filler in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![filler; before];
                    bytes.push(special);
                    bytes.extend([filler; 9]);
                    assert_eq!(string_end(&bytes, 0), before, "{special:#x} after {before} of {filler:#x}");
                }
            }
        }
    }

    #[test]
    fn answers_the_length_when_nothing_is_special() {
        for length in 0..20 {
            assert_eq!(string_end(&vec![b'a'; length], 0), length);
        }
        assert_eq!(string_end(b"abc", 7), 7);
    }
}
