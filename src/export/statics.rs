//! Policies that the API server reads from its own disk: names of their own, and nothing that it would have to look up.
//!
//! Upstream: `pkg/admission/plugin/policy/manifest/loader` in `k8s.io/apiserver` (KEP-5793). Each of the two plugins reads
//! a directory that holds its own kinds alone.

use super::draft::Draft;

/// What the names of static policies and bindings end with, and no others may.
const SUFFIX: &str = ".static.k8s.io";

/// Gives a draft without params, and its bindings, the names of static ones.
pub fn named(draft: Draft) -> Draft {
    let named = |name: String| if name.ends_with(SUFFIX) { name } else { name + SUFFIX };
    let mut draft = Draft { name: named(draft.name.clone()), ..draft };
    for binding in &mut draft.bindings {
        binding.name = named(std::mem::take(&mut binding.name));
    }
    draft
}
