//! Bytes of a JSON document: what is accepted is JSON to others too, and reads back the same from what is printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::json::{self, Arena, Limits};

fuzz_target!(|bytes: &[u8]| {
    let arena = Arena::new();
    let Ok(value) = json::parse(&arena, bytes, &Limits { max_depth: 100 }) else { return };
    let printed = json::to_json(value);
    // An unpaired surrogate escape reads as U+FFFD, as in Go; other parsers refuse it.
    assert!(printed.contains('\u{fffd}') || serde_json::from_slice::<serde_json::Value>(bytes).is_ok());
    let again = Arena::new();
    let read = json::parse(&again, printed.as_bytes(), &Limits { max_depth: 100 }).expect("what is printed parses");
    assert_eq!(json::to_json(read), printed);
});
