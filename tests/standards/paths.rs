//! Paths of hostPath volumes: those within the directories that the params allow, by `path.Clean` and whole segments.

use serde_json::{Value, json};

use crate::findings::{Judge, Report};
use crate::program::Program;
use crate::random::Random;

/// How many paths are compared with each list of directories.
const OF_A_LIST: u64 = 200;

/// Whether `count` paths are judged alike.
pub fn compare(count: u64, seed: u64, show: usize, upstream: &mut Program) -> bool {
    let policy = "pss-baseline-host-path-volumes";
    let mut report = Report::new("paths", show);
    let mut allowed = 0;
    for list in 0..count.div_ceil(OF_A_LIST) {
        let mut random = Random::of_stream(seed, list + (1 << 41));
        let directories: Vec<_> =
            (0..random.below(4)).map(|_| path(&mut random)).filter(|path| is_word(path)).collect();
        let judge = Judge::new(
            &format!("policies/pod-security/{policy}"),
            &[(policy, json!({"allowedPaths": directories.join("\n")}))],
        );
        // A directory that isn't absolute, or climbs, allows nothing.
        let prefixes: Vec<_> = directories.iter().filter(|path| stays(path)).collect();
        let paths: Vec<_> = (0..OF_A_LIST).map(|_| near(&mut random, &directories)).collect();
        let questions: Vec<_> =
            paths.iter().map(|path| json!({"path": path, "prefixes": prefixes}).to_string()).collect();
        let (theirs, ours) =
            upstream.answers(&questions, || crate::on_all_cores(&paths, |path| judge.findings(&pod(path))));
        for ((path, theirs), ours) in paths.iter().zip(&theirs).zip(&ours) {
            // The API server takes no path that climbs, wherever it ends.
            let is_within = theirs["within"] == true && stays(path);
            allowed += u64::from(is_within);
            let expected = (!is_within).then(|| "spec.volumes[0].hostPath.path".to_owned());
            report.add(&format!("{path} in {directories:?}"), theirs, &ours.unlike(&[(policy, expected)]));
        }
    }
    println!("{allowed} paths are within");
    report.finish() && allowed > 0
}

fn stays(path: &str) -> bool {
    path.starts_with('/') && !path.split('/').any(|segment| segment == "..")
}

/// Whether it can be written in a list.
fn is_word(path: &str) -> bool {
    !path.is_empty() && !path.contains([' ', '#', '\n'])
}

fn pod(path: &str) -> Value {
    let spec = json!({
        "containers": [{"name": "app", "image": "ghcr.io/acme/web:1.4.2"}],
        "volumes": [{"name": "data", "hostPath": {"path": path}}],
    });
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": spec})
}

/// A path that has to do with one of the directories, as a rule.
fn near(random: &mut Random, directories: &[String]) -> String {
    if directories.is_empty() || random.once_in(4) {
        return path(random);
    }
    let mut text = random.of(directories).clone();
    match random.below(6) {
        0 => {}
        1 => text.push_str(random.one(&["-secrets", "x", " ", ".d", ".", ".."])),
        2 => text.push_str(random.one(&["/", "//", "/.", "/./", "/..", "/../", "//."])),
        3 => text = text.rsplit_once('/').map_or_else(String::new, |(parent, _)| parent.to_owned()),
        4 => text = text.replace('/', random.one(&["//", "/./", "/x/../"])),
        _ => text.push_str(&path(random)),
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

fn path(random: &mut Random) -> String {
    let segments =
        ["mnt", "mnt", "data", "data", "var", "run", "a", "a.b", "..a", "a..", "...", ".", "..", "", "é", "a b", "#"];
    let mut text = String::new();
    for _ in 0..random.below(5) {
        text.push('/');
        text.push_str(random.one(&segments));
    }
    if text.is_empty() || random.once_in(8) {
        text.push('/');
    }
    if random.once_in(20) { text.trim_start_matches('/').to_owned() + "x" } else { text }
}
