//! Image references, sound and damaged: what the policies about images make of them, and what the implementation that
//! container runtimes share does.

use serde_json::{Value, json};

use crate::findings::{Findings, Judge};
use crate::program::Program;
use crate::random::Random;

/// The registries that a list may hold: each with its host, so that nothing is implied.
const ENTRIES: [&str; 10] = [
    "docker.io",
    "docker.io/library",
    "docker.io/acme",
    "ghcr.io",
    "ghcr.io/acme",
    "ghcr.io/acme/",
    "ghcr.io/acme/*",
    "localhost:5000",
    "example.com:443/acme/web",
    "example.com",
];

/// The tags that are written, all of which the params call moving, so that the message names what was read.
const TAGS: [&str; 9] = ["1", "1.27.3", "v2", "latest", "a", "_x", "1.4.2-alpine3.20", "Sha-0A1b", "t--.__"];

/// How many references are compared with each list of registries.
const OF_A_LIST: u64 = 100;

/// Whether `count` references are read alike.
pub fn compare(count: u64, seed: u64, show: usize, upstream: &mut Program) -> bool {
    let params = [
        ("allowed-registries", json!({"registries": ""})),
        ("require-pinned-images", json!({"movingTags": TAGS.join(" ")})),
        ("require-digest", json!({"requireDigest": "true"})),
    ];
    let judge = Judge::new("policies/images", &params);
    let references: Vec<_> = (0..count).map(|number| reference(&mut Random::of_stream(seed, number))).collect();
    let questions: Vec<_> = references.iter().map(|image| json!({ "image": image }).to_string()).collect();
    let (theirs, ours) =
        upstream.answers(&questions, || crate::on_all_cores(&references, |image| judge.findings(&pod(image))));
    let mut report = crate::findings::Report::new("references", show);
    for ((image, theirs), ours) in references.iter().zip(&theirs).zip(&ours) {
        report.add(image, theirs, &differences(image, theirs, ours));
    }
    let read = theirs.iter().filter(|answer| answer.get("error").is_none()).count();
    println!("{read} of {count} references can be read");
    let read_alike = report.finish() && read > 0 && read < theirs.len();
    compare_lists(count / OF_A_LIST / 10, seed, show, upstream) && read_alike
}

fn differences(image: &str, theirs: &Value, ours: &Findings) -> Vec<String> {
    let text = |key: &str| theirs[key].as_str().unwrap_or_default();
    let malformed = format!("\"{image}\" is not an image reference");
    let mut expected = Vec::new();
    if theirs.get("error").is_some() {
        for binding in ["allowed-registries", "require-pinned-images", "require-digest"] {
            expected.push((binding, Some(malformed.clone())));
        }
    } else {
        // A host that is none, by its underscore, leaves a name without one.
        let name = format!("{}/{}", text("registry"), text("repository"));
        let full = format!("\"{image}\" is {}, which is of no allowed registry", name.trim_start_matches('/'));
        expected.push(("allowed-registries", Some(full)));
        match (text("tag"), text("digest")) {
            (_, digest) if !digest.is_empty() => {
                expected.extend([("require-pinned-images", None), ("require-digest", None)]);
            }
            ("", _) => {
                let untagged = format!("\"{image}\" has no tag");
                expected
                    .extend([("require-pinned-images", Some(untagged.clone())), ("require-digest", Some(untagged))]);
            }
            (tag, _) => {
                expected.push(("require-digest", Some(format!("\"{image}\" has no digest"))));
                // What other tags mean is not the grammar's to say.
                if TAGS.contains(&tag) {
                    expected.push(("require-pinned-images", Some(format!("tag \"{tag}\" moves"))));
                }
            }
        }
    }
    ours.unlike(&expected)
}

/// Whether lists of registries allow what lies below one of them, by whole segments.
fn compare_lists(lists: u64, seed: u64, show: usize, upstream: &mut Program) -> bool {
    let mut report = crate::findings::Report::new("references against lists", show);
    let mut allowed = 0;
    for list in 0..lists.max(5) {
        let mut random = Random::of_stream(seed, list + (1 << 40));
        let entries: Vec<_> = (0..=random.below(3)).map(|_| random.one(&ENTRIES)).collect();
        let judge = Judge::new("policies/images", &[("allowed-registries", json!({"registries": entries.join("\n")}))]);
        let references: Vec<_> = (0..OF_A_LIST).map(|_| reference(&mut random)).collect();
        let parsed: Vec<_> = references.iter().map(|image| json!({ "image": image }).to_string()).collect();
        let (parsed, ours) =
            upstream.answers(&parsed, || crate::on_all_cores(&references, |image| judge.findings(&pod(image))));
        let prefixes: Vec<_> = entries.iter().map(|entry| format!("/{}", entry.trim_end_matches('*'))).collect();
        let path = |parsed: &Value| {
            let part = |key: &str| parsed[key].as_str().unwrap_or_default().to_owned();
            format!("/{}/{}", part("registry"), part("repository"))
        };
        let located: Vec<_> =
            parsed.iter().map(|parsed| json!({"path": path(parsed), "prefixes": prefixes}).to_string()).collect();
        let (located, ()) = upstream.answers(&located, || ());
        for (((image, parsed), located), ours) in references.iter().zip(&parsed).zip(&located).zip(&ours) {
            let is_within = located["within"] == true && parsed.get("error").is_none();
            allowed += u64::from(is_within);
            let expected = (!is_within).then(|| format!("\"{image}\" is "));
            let case = format!("{image} in {entries:?}");
            report.add(&case, located, &ours.unlike(&[("allowed-registries", expected)]));
        }
    }
    println!("{allowed} references are of a list's registry");
    report.finish() && allowed > 0
}

fn pod(image: &str) -> Value {
    let containers = json!([{"name": "app", "image": image}]);
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": containers}})
}

/// Hosts and segments of a path, those that are right and those that are nearly so.
const HOSTS: &str = "docker.io index.docker.io ghcr.io ghcr.io localhost localhost:5000 example.com:443 example.com \
    127.0.0.1:5000 [::1]:5000 [fd00::1] GHCR.io Registry docker";
const ODD_HOSTS: &str = "a_b.io -x.io x-.io a..b x: ghcr.io: x.:1 [::1 index.docker.io: docker.io.";
const SEGMENTS: &str = "nginx nginx library acme acme web web a_b a__b a--b a.b 0 www.x";
const ODD_SEGMENTS: &str = "a___b a..b a._b a-_b Acme -a a-";

fn word<'w>(random: &mut Random, words: &'w str, odd: &'w str) -> &'w str {
    let words = if random.once_in(15) { odd } else { words };
    random.one(&words.split_whitespace().collect::<Vec<_>>())
}

fn reference(random: &mut Random) -> String {
    let mut segments = Vec::new();
    if random.chance(75) {
        segments.push(word(random, HOSTS, ODD_HOSTS));
    }
    for _ in 0..=random.one(&[0, 0, 1, 1, 2, 3]) {
        segments.push(word(random, SEGMENTS, ODD_SEGMENTS));
    }
    let mut text = segments.join("/");
    match random.below(60) {
        0 => text = "0123456789abcdef".repeat(4),
        1 => text.push_str(&"/a".repeat(60 + random.below(80))),
        2 => text.push_str(&"a".repeat(200 + random.below(70))),
        _ => {}
    }
    if random.chance(60) {
        let long = "x".repeat(127 + random.below(3));
        let others = ["", ".x", "-x", "a b", "a/b", "ä", &long];
        text.push(':');
        text.push_str(if random.once_in(6) { random.one(&others) } else { random.one(&TAGS) });
    }
    if random.chance(30) {
        let right = [("sha256", 64), ("sha384", 96), ("sha512", 128)];
        let odd =
            [("sha256", 63), ("sha256", 65), ("sha512", 64), ("md5", 32), ("sha256+b64", 64), ("SHA256", 64), ("", 0)];
        let (algorithm, digits) = if random.once_in(6) { random.one(&odd) } else { random.one(&right) };
        let digest = format!("{algorithm}:{}", &"0123456789abcdef".repeat(8)[..digits]);
        text.push('@');
        text.push_str(&if random.once_in(12) { digest.to_uppercase() } else { digest });
    }
    for _ in 0..random.one(&[0, 0, 0, 0, 0, 0, 1, 2]) {
        damage(random, &mut text);
    }
    if text.is_empty() { "x".to_owned() } else { text }
}

/// Something happens to a character.
fn damage(random: &mut Random, text: &mut String) {
    let mut characters: Vec<_> = text.chars().collect();
    let at = random.below(characters.len() + 1);
    let telling: Vec<_> = "::://@@@..__--aZ09 %[]\\".chars().collect();
    match random.below(3) {
        0 if at < characters.len() => drop(characters.remove(at)),
        1 if at < characters.len() => characters[at] = random.one(&telling),
        _ => characters.insert(at, random.one(&telling)),
    }
    *text = characters.into_iter().collect();
}
