//! Which tag an image reference names, as the API server reads it. Upstream: `pkg/util/parsers` and
//! `github.com/distribution/reference`.

use std::sync::LazyLock;

use regex::Regex;

/// Upstream's grammar of references, with the name, the tag and the digest as groups.
static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const LABEL: &str = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
    const PART: &str = r"[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*";
    let domain = format!(r"(?:{LABEL}(?:\.{LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?");
    let digest = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[[:xdigit:]]{32,}";
    let reference =
        format!(r"\A(?:{domain}/)?({PART}(?:/{PART})*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?(?:@({digest}))?\z");
    Regex::new(&reference).ok()
});

/// The longest path of a repository, in bytes.
const MAX_PATH: usize = 255;

/// Whether the tag of the reference is `latest`, by its own word or for want of both tag and digest. A reference that
/// upstream cannot read has no tag.
pub(super) fn is_latest(image: &str) -> bool {
    let is_identifier = image.len() == 64 && image.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let (domain, remainder) = split_domain(image);
    let repository = remainder.split(':').next().unwrap_or_default();
    if is_identifier || repository.chars().any(char::is_uppercase) {
        return false;
    }
    let full = format!("{domain}/{remainder}");
    let Some(parts) = REFERENCE.as_ref().and_then(|reference| reference.captures(&full)) else { return false };
    let part = |group| parts.get(group).map(|part| part.as_str());
    if part(1).is_some_and(|path| path.len() > MAX_PATH) || !part(3).is_none_or(is_digest) {
        return false;
    }
    match (part(2), part(3)) {
        (Some(tag), _) => tag == "latest",
        (None, digest) => digest.is_none(),
    }
}

/// The domain, Docker Hub's where none is named, and what follows it.
fn split_domain(image: &str) -> (&str, String) {
    const HUB: &str = "docker.io";
    let (domain, rest) = match image.split_once('/') {
        None => return (HUB, format!("library/{image}")),
        Some(("index.docker.io", rest)) => (HUB, rest),
        Some((first, rest))
            if first == "localhost" || first.contains(['.', ':']) || first.chars().any(char::is_uppercase) =>
        {
            (first, rest)
        }
        Some(_) => (HUB, image),
    };
    if domain == HUB && !rest.contains('/') { (domain, format!("library/{rest}")) } else { (domain, rest.to_owned()) }
}

/// Whether the digest is of an algorithm that upstream knows, and of its length.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let length = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return false,
    };
    hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_tag_as_the_api_server_does() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let cases = [
            ("nginx", true),
            ("nginx:latest", true),
            ("nginx:1.27", false),
            ("library/nginx", true),
            ("registry:5000/nginx", true),
            ("registry:5000/nginx:1", false),
            ("localhost/nginx", true),
            ("index.docker.io/nginx", true),
            ("ghcr.io/home/app@{digest}", false),
            ("ghcr.io/home/app:latest@{digest}", true),
            ("ghcr.io/home/app:1@{digest}", false),
            ("app@sha256:0123", false),
            ("app@sha999:{hex}", false),
            // What can't be read has no tag.
            ("", false),
            ("Nginx", false),
            ("home/Nginx:latest", false),
            ("nginx:", false),
            ("nginx latest", false),
            ("{hex}", false),
            ("Home/nginx", true),
            ("[::1]:5000/nginx", true),
        ];
        for (image, latest) in cases {
            let hex = digest.trim_start_matches("sha256:");
            let image = image.replace("{digest}", &digest).replace("{hex}", hex);
            assert_eq!(is_latest(&image), latest, "{image:?}");
        }
        assert!(is_latest(&"a".repeat(200)));
        assert!(!is_latest(&format!("ghcr.io/{}", "a".repeat(256))));
    }
}
