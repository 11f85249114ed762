//! A document and a patch, or two documents: applying never fails but with an error, and a difference applied to the
//! one document gives the other.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::json::{self, Arena, Limits, Patch, PatchLimits, Value};

fuzz_target!(|inputs: (&[u8], &[u8])| {
    let arena = Arena::new();
    let limits = Limits { max_depth: 100 };
    let (Ok(first), Ok(second)) = (json::parse(&arena, inputs.0, &limits), json::parse(&arena, inputs.1, &limits))
    else {
        return;
    };
    if let Ok(patch) = Patch::from_value(second) {
        let _ = patch.apply(&arena, first, &PatchLimits::default());
    }
    // A whole document can only become an object or an array.
    if first != second && !matches!(second, Value::Object(_) | Value::Array(_)) {
        return;
    }
    let unlimited = PatchLimits { operations: usize::MAX, rebuilt_bytes: usize::MAX, ..PatchLimits::default() };
    let patched = json::diff(first, second).apply(&arena, first, &unlimited);
    assert_eq!(patched.ok(), Some(second));
});
