//! From the bytes of a file to text.

/// Why bytes are no text that Kubernetes takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// Neither UTF-8 nor UTF-16.
    #[error("not UTF-8 (byte {0}); save the file as UTF-8")]
    Utf8(usize),
    /// UTF-16, as Windows writes it.
    #[error("little-endian UTF-16, which kubectl can't read; save the file as UTF-8")]
    Utf16LittleEndian,
    /// UTF-16 that is cut off, holds a half character or doesn't end in a line break.
    #[error("UTF-16 that is not well-formed or doesn't end in a line break; save the file as UTF-8")]
    Utf16,
}

/// The text of a file: UTF-8, or UTF-16 where `kubectl` reads it too, which is big-endian with a byte order mark and a
/// line break at the end. The mark stays.
///
/// # Errors
/// The bytes are something else.
pub fn decode(bytes: Vec<u8>) -> Result<String, EncodingError> {
    match bytes.as_slice() {
        [0xFF, 0xFE, ..] => Err(EncodingError::Utf16LittleEndian),
        [0xFE, 0xFF, ..] => {
            let (pairs, rest) = bytes.as_chunks::<2>();
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            let text = char::decode_utf16(units).collect::<Result<String, _>>().map_err(|_| EncodingError::Utf16)?;
            // kubectl cuts and mends lines before it decodes: what looks like that in bytes is not what it looks like.
            let ambiguous = text.contains("\r\r\n") || bytes.windows(4).any(|bytes| bytes == b"\n---");
            let whole = rest.is_empty() && text.ends_with('\n') && !ambiguous;
            if whole { Ok(text) } else { Err(EncodingError::Utf16) }
        }
        _ => String::from_utf8(bytes).map_err(|error| EncodingError::Utf8(error.utf8_error().valid_up_to())),
    }
}
