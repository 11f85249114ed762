//! Audit annotations as the API server accepts them from a webhook: it puts the webhook's name and a slash in front of
//! each key and drops what is then no qualified name. So a key may hold no slash and has 63 characters at most. Values
//! have no limit there; those that policies give are limited already, each of them.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest name part of a qualified name. Upstream: `validation.IsQualifiedName`.
const MAX_KEY: usize = 63;
/// What upstream calls the annotation with failures under the action Audit; here its name part is enough, since the
/// prefix is the webhook's.
const UPSTREAM_PREFIX: &str = "validation.policy.admission.k8s.io/";

/// Prepares annotations: upstream's keys (`validation.policy.admission.k8s.io/validation_failure`, `<policy>/<key>`)
/// become `validation_failure` and `<policy>.<key>`. Values of keys that fall together are joined as upstream joins
/// values of one key.
pub(super) fn prepare(annotations: &[(String, String)]) -> BTreeMap<String, Cow<'_, str>> {
    let mut prepared: BTreeMap<String, Cow<'_, str>> = BTreeMap::new();
    for (name, value) in annotations {
        prepared
            .entry(key(name))
            .and_modify(|all| {
                let all = all.to_mut();
                all.push_str(", ");
                all.push_str(value);
            })
            .or_insert(Cow::Borrowed(value));
    }
    prepared
}

fn key(name: &str) -> String {
    let name = name.strip_prefix(UPSTREAM_PREFIX).unwrap_or(name);
    let replaced: String = name
        .chars()
        .map(|c| match c {
            '/' => '.',
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '_',
        })
        .collect();
    let edges = |c: char| !c.is_ascii_alphanumeric();
    let trimmed = replaced.trim_matches(edges);
    if trimmed.is_empty() {
        return "annotation".to_owned();
    }
    if trimmed.len() <= MAX_KEY {
        return trimmed.to_owned();
    }
    // Long policy names differ at their end as often as at their start, so a digest of all of it keeps keys apart.
    let digest = format!("-{:08x}", fnv1a(name));
    let head = trimmed.get(..MAX_KEY - digest.len()).unwrap_or_default().trim_end_matches(edges);
    format!("{head}{digest}")
}

/// FNV-1a, 32 bits: the same digest in every version of the program.
fn fnv1a(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn turns_upstreams_keys_into_name_parts() {
        let annotations = [
            one("validation.policy.admission.k8s.io/validation_failure", "[]"),
            one("require-probes/missing", "liveness"),
            one("--odd key--", "x"),
            one("///", "y"),
        ];
        let prepared = prepare(&annotations);
        let keys: Vec<_> = prepared.keys().map(String::as_str).collect();
        assert_eq!(keys, ["annotation", "odd_key", "require-probes.missing", "validation_failure"]);
    }

    #[test]
    fn every_key_is_a_name_part_that_upstream_accepts() {
        for name in ["a".repeat(300), format!("{}/{}", "p".repeat(62), "-".repeat(40)), "ключ".to_owned()] {
            let key = key(&name);
            assert!(key.len() <= MAX_KEY, "{key}");
            assert!(key.starts_with(|c: char| c.is_ascii_alphanumeric()), "{key}");
            assert!(key.ends_with(|c: char| c.is_ascii_alphanumeric()), "{key}");
            assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')), "{key}");
        }
    }

    #[test]
    fn keeps_long_keys_apart() {
        let long = "policy-".repeat(20);
        assert_ne!(key(&format!("{long}/a")), key(&format!("{long}/b")));
    }

    #[test]
    fn joins_values_of_keys_that_fall_together() {
        let annotations = [one("p/k", "1"), one("p.k", "2")];
        assert_eq!(prepare(&annotations).get("p.k").map(AsRef::as_ref), Some("1, 2"));
    }

    #[test]
    fn keeps_values_whole_since_the_engine_has_cut_them() {
        let annotations = [one("p/k", &"x".repeat(30_000))];
        assert_eq!(prepare(&annotations).get("p.k").map(|value| value.len()), Some(30_000));
    }
}
