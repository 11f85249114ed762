//! Rooms use what the table in `docs/architecture.md` lets them use, and nothing above them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

type Uses = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The table's rooms in its order, highest first, each with the rooms that it uses.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string(root().join("docs/architecture.md")).expect("the document is there");
    let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows = text.lines().skip_while(|line| !line.starts_with("| room |")).skip(2);
    rows.take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let [_, room, _, uses, ..] = cells.as_slice() else { panic!("a row without its columns: {line}") };
            let room = names(room).pop().expect("a row names its room");
            (room, names(uses).into_iter().collect())
        })
        .collect()
}

fn sources(room: &str) -> impl Iterator<Item = (PathBuf, String)> {
    let walk = WalkBuilder::new(root().join("src").join(room)).standard_filters(false).build();
    let files = walk.map(|entry| entry.expect("readable").into_path());
    files.filter(|path| path.extension().is_some_and(|ext| ext == "rs")).map(|path| {
        let text = fs::read_to_string(&path).expect("readable");
        (path, text)
    })
}

/// What each room names of the crate, its tests included.
fn imports(rooms: &[(String, BTreeSet<String>)]) -> Uses {
    let path = regex::Regex::new(r"\bcrate::(\{[^}]*\}|\w+)").expect("an expression");
    let word = regex::Regex::new(r"\w+").expect("an expression");
    let is_room = |name: &str| rooms.iter().any(|(room, _)| room == name);
    let used = |room: &str| {
        let mut used = BTreeSet::new();
        for (_, text) in sources(room) {
            for found in path.captures_iter(&text) {
                used.extend(word.find_iter(&found[1]).map(|name| name.as_str().to_owned()));
            }
        }
        used.retain(|name| name != room && is_room(name));
        used
    };
    rooms.iter().map(|(room, _)| (room.clone(), used(room))).collect()
}

#[test]
fn a_room_uses_exactly_what_the_table_says() {
    let rooms = table();
    let imports = imports(&rooms);
    assert!(rooms.len() > 10, "the table was not found: {rooms:?}");
    for (room, uses) in &rooms {
        assert_eq!(&imports[room], uses, "what `{room}` uses, and what docs/architecture.md says that it uses");
    }
}

#[test]
fn no_room_uses_one_above_it() {
    let rooms = table();
    let height = |name: &str| rooms.iter().position(|(room, _)| room == name).expect("a room of the table");
    for (room, uses) in &rooms {
        let above: Vec<_> = uses.iter().filter(|used| height(used) <= height(room)).collect();
        assert!(above.is_empty(), "`{room}` uses {above:?}, which stands above it");
    }
}

#[test]
fn every_folder_of_the_sources_is_a_room() {
    let rooms: BTreeSet<_> = table().into_iter().map(|(room, _)| room).collect();
    let folders = fs::read_dir(root().join("src")).expect("readable").map(|entry| entry.expect("readable"));
    let folders = folders.filter(|entry| entry.file_type().expect("known").is_dir());
    let folders: BTreeSet<_> = folders.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    assert_eq!(folders, rooms);
}

#[test]
fn what_judges_knows_no_http_no_files_and_no_cluster() {
    let forbidden = ["axum", "hyper", "tokio", "kube", "k8s_openapi", "std::fs", "std::env", "std::process", "anyhow"];
    for room in ["admission", "engine", "defaulting", "policy", "schema", "cel", "json"] {
        for (path, text) in sources(room) {
            let used: Vec<_> = forbidden.iter().filter(|name| text.contains(&format!("{name}::"))).collect();
            assert!(used.is_empty(), "{} uses {used:?}", path.display());
        }
    }
}

#[test]
fn errors_are_typed_but_in_the_command_line() {
    for (room, _) in table().iter().filter(|(room, _)| room != "cli") {
        for (path, text) in sources(room) {
            assert!(!text.contains("anyhow"), "{} uses anyhow, which is for the command line", path.display());
        }
    }
}
