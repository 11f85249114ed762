//! Any text loads as policies, as exemptions and through lint without a panic, and what is wrong has a place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::policy::{Exemptions, Manifest, lint, load};

fuzz_target!(|text: &str| {
    let manifests = [Manifest::new("fuzz.yaml", text)];
    let lines = text.lines().count() + 1;
    let loaded = load(&manifests, 36);
    for error in &loaded.errors {
        assert!(error.at.line <= lines, "{error}");
        assert!(!error.reason.to_string().is_empty());
    }
    for policy in &loaded.policies {
        let faulty = loaded.errors.iter().any(|error| error.at.document == policy.source.document);
        assert!(policy.compile_error.is_none() || faulty, "an error that nobody reports");
    }
    let _ = lint(&manifests, 36);
    let _ = Exemptions::load(&manifests);
});
