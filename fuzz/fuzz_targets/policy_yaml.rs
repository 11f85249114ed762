//! Text of a policy file: loaded, or refused with an error that has a place.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis::engine::PolicySet;
use portcullis::policy::{Exemptions, Manifest, lint, load};

fuzz_target!(|text: &str| {
    let manifests = [Manifest::new("fuzz.yaml", text)];
    let loaded = load(&manifests, 36);
    for error in &loaded.errors {
        assert!(error.to_string().starts_with("fuzz.yaml:"), "{error}");
    }
    let _ = lint(&manifests, &[], 36);
    let _ = PolicySet::new(loaded.policies, loaded.params, Exemptions::default());
});
