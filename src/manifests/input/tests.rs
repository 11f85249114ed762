//! What is read in pieces is what would be read as a whole.

use std::io;

use super::*;
use crate::json::Arena;
use crate::manifests::{Learning, collect};

/// The names, places and problems in an input, in order.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    objects: Vec<String>,
    left_out: Vec<String>,
    unreadable: Vec<String>,
}

fn known(inputs: &Inputs) -> crate::manifests::Known {
    let kustomizations = inputs.kustomizations();
    let (mut learning, mut arena) = (Learning::default(), Arena::new());
    for piece in inputs.pieces() {
        let learned = piece.learned(inputs, &kustomizations, &mut arena);
        learning.add(learned, |_| {});
    }
    learning.finish(kustomizations, "default")
}

fn in_pieces(paths: &[PathBuf], stdin: &mut dyn Read) -> Seen {
    let inputs = Inputs::list(paths, &Exclusions::default(), stdin, &Progress::default());
    let known = known(&inputs);
    let mut seen = Seen::default();
    let mut arena = Arena::new();
    for piece in inputs.pieces() {
        piece.sort(&inputs, &known, &mut arena, |sorted| {
            let objects =
                sorted.manifests.iter().map(|found| format!("{} {} {}", found.id, found.source, found.lines.line(&[])));
            seen.objects.extend(objects);
            seen.left_out
                .extend(sorted.left_out.iter().map(|document| format!("{} {}", document.source, document.reason)));
            let unreadable = sorted.broken.iter().chain(&sorted.crowded).chain(&sorted.unread);
            seen.unreadable.extend(unreadable.map(|found| format!("{} {}", found.source, found.message)));
        });
    }
    seen
}

fn as_a_whole(name: &str, path: Option<&Path>, text: &str) -> Seen {
    let files = [TextFile { name: name.to_owned(), path: path.map(Path::to_owned), text: text.to_owned() }];
    let arena = Arena::new();
    let collection = collect(&arena, &files, "default");
    let objects =
        collection.manifests.iter().map(|found| format!("{} {} {}", found.id, found.source, found.lines.line(&[])));
    Seen {
        objects: objects.collect(),
        left_out: collection
            .left_out
            .iter()
            .map(|document| format!("{} {}", document.source, document.reason))
            .collect(),
        unreadable: collection.unreadable.iter().map(|found| format!("{} {}", found.source, found.message)).collect(),
    }
}

/// More documents than are read as a whole, each made by `document` of its number.
fn many(separator: &str, document: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        text.push_str(&document(number));
        if text.len() as u64 > WHOLE + WHOLE / 4 {
            break;
        }
        text.push_str(separator);
    }
    text
}

fn pod(number: usize) -> String {
    let filler = "x".repeat(700);
    format!("apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod-{number}\n  annotations: {{a: {filler}}}\n")
}

fn json_pod(number: usize) -> String {
    let filler = "x\\\"}]".repeat(140);
    format!(
        "{{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\": {{\"name\": \"pod-{number}\", \"annotations\": {{\"a\": \"{filler}\"}}}}}}"
    )
}

#[test]
fn pieces_of_a_large_text_hold_what_the_whole_holds() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let odd = |number: usize| match number % 11 {
        1 => "# nothing\n".to_owned(),
        2 => "a: [1\n".to_owned(),
        3 => format!("a: |\n  text\n   ---\n  {{{{ .Values.a }}}}\nb: [{number}\n"),
        4 => "a: {{ .Values.a }}\nb: [\n".to_owned(),
        5 => format!("kind: List\napiVersion: v1\nitems:\n- {}", pod(number).trim_end().replace('\n', "\n  ") + "\n"),
        6 => "--- # a comment\n".to_owned() + &pod(number),
        7 => "---\n".to_owned() + &pod(number),
        8 => pod(number).replace('\n', "\r\n"),
        9 => "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n...\n".to_owned(),
        _ => pod(number),
    };
    let head = "# Source: chart/templates/a.yaml\n";
    let texts = [
        many("---\n", pod),
        many("---\n", odd),
        many("--- # next\n", |number| format!("{head}{}", odd(number))),
        many("---\r\n", |number| odd(number).replace('\n', "\r\n").replace("\r\r", "\r")),
        many("--- |\n text\n", pod),
        "\u{feff}---\n".to_owned() + &many("---\n", odd) + "---\n",
        many("---\n", |number| format!("{{apiVersion: v1, kind: Pod, metadata: {{name: 'a{number}'}}}}\n")),
        many("\n", json_pod),
        json_pod(0) + "\n---\n" + &many("---\n", odd),
        format!("[{}]", many(",\n", json_pod)),
    ];
    for (number, text) in texts.iter().enumerate() {
        let path = dir.path().join("large.yaml");
        fs::write(&path, text)?;
        let whole = as_a_whole(&display_name(&path), Some(&path), text);
        assert_eq!(in_pieces(std::slice::from_ref(&path), &mut io::empty()), whole, "text {number}");
        let whole = as_a_whole("-", None, text);
        assert_eq!(in_pieces(&[PathBuf::from("-")], &mut text.as_bytes()), whole, "text {number}");
    }
    Ok(())
}

#[test]
fn a_large_list_is_read_item_by_item() {
    let list = |before: &str, behind: &str, items: &str| format!("{{{before} \"items\": [\n{items}\n]{behind}}}\n");
    let items = many(",\n", json_pod);
    let untyped = many(",\n", |number| {
        format!("{{\"metadata\": {{\"name\": \"a{number}\", \"labels\": {{\"a\": \"{:600}\"}}}}}}", "")
    });
    for text in [
        list("\"apiVersion\": \"v1\",", ", \"kind\": \"List\", \"metadata\": {}", &items),
        list("\"kind\": \"PodList\", \"apiVersion\": \"v1\",", "", &untyped),
        list("\"kind\": \"List\", \"apiVersion\": \"v1\",", "", &items).repeat(2),
        list("\"kind\": \"Unknown\", \"apiVersion\": \"v1\", \"metadata\": {},", "", &items),
    ] {
        let whole = as_a_whole("-", None, &text);
        assert!(whole.objects.len() + whole.unreadable.len() > 0);
        assert_eq!(in_pieces(&[PathBuf::from("-")], &mut text.as_bytes()), whole);
    }
}

#[test]
fn a_mistake_in_a_large_list_costs_what_it_has_to() {
    let items = many(",\n", json_pod);
    let count = items.matches("\"Pod\"").count();
    let list =
        |items: &str| format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{items}]}}\n{}", json_pod(0));
    for (from, to, missing, says) in [
        // The item alone.
        ("\"name\": \"pod-700\"", "\"name\": \"pod-700\", \"name\": \"b\"", 1, "appears twice"),
        ("\"name\": \"pod-700\"", "\"name\": pod-700", 1, "expected a value"),
        // All behind it.
        (
            "}},\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\": {\"name\": \"pod-700\"",
            "}}\n{\"metadata\": {\"name\": \"pod-700\"",
            count - 700,
            "expected ',' or ']'",
        ),
        (
            "}},\n{\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n \"metadata\": {\"name\": \"pod-700\"",
            "}},,\n{\"metadata\": {\"name\": \"pod-700\"",
            count - 700,
            "expected an item",
        ),
    ] {
        let text = list(&items.replacen(from, to, 1));
        let seen = in_pieces(&[PathBuf::from("-")], &mut text.as_bytes());
        assert_eq!(seen.objects.len(), count - missing + 1, "{to}");
        let line = text[..text.find(&to[to.len() - 8..]).unwrap_or_default()].matches('\n').count();
        assert!(seen.unreadable.len() == 1 && seen.unreadable[0].contains(says), "{:?}", seen.unreadable);
        let told = seen.unreadable[0].split(':').nth(1).and_then(|line| line.split(' ').next()?.parse::<usize>().ok());
        assert!(told.is_some_and(|told| told.abs_diff(line) <= 1), "{:?} {line}", seen.unreadable);
    }
}

#[test]
fn bytes_that_are_no_text_cost_their_document() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("large.yaml");
    let text = many("---\n", pod);
    let count = text.matches("Pod").count();
    let at = text.find("pod-9\n").unwrap_or_default();
    let mut bytes = text.clone().into_bytes();
    bytes[at] = 0xFF;
    fs::write(&path, bytes)?;
    let seen = in_pieces(std::slice::from_ref(&path), &mut io::empty());
    assert_eq!(seen.objects.len(), count - 1);
    let line = text[..at].matches('\n').count() + 1;
    let says = format!("large.yaml:{line}: (document 9) not UTF-8 (byte {at}); save the file as UTF-8");
    assert!(seen.unreadable.len() == 1 && seen.unreadable[0].ends_with(&says), "{:?} {says}", seen.unreadable);
    Ok(())
}

#[test]
fn a_document_may_have_so_much() {
    let large = |size: usize| format!("a: {}\n", "x".repeat(size));
    let first = "apiVersion: v1\nkind: Pod\nmetadata: {name: first}\n---\n";
    let last = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: last}\n";
    for (size, errors) in [(2 << 20, 0), (MAX_DOCUMENT + 10, 1)] {
        let text = format!("{first}{}{last}", large(size));
        let seen = in_pieces(&[PathBuf::from("-")], &mut text.as_bytes());
        assert_eq!((seen.objects.len(), seen.unreadable.len()), (2, errors), "{:?}", seen.unreadable);
        assert!(
            seen.unreadable
                .iter()
                .all(|found| found.contains("-:5") && found.contains("a document larger than 32 MiB"))
        );
        let text = format!("{}\n{{\"a\": \"{}\"}}\n{}", json_pod(0), "x".repeat(size), json_pod(1));
        let seen = in_pieces(&[PathBuf::from("-")], &mut text.as_bytes());
        assert_eq!((seen.objects.len(), seen.unreadable.len()), (2, errors), "{:?}", seen.unreadable);
    }
}

#[test]
fn so_much_is_put_aside() {
    let aside = |size: u64, limit| put_aside(&mut io::repeat(b'a').take(size), limit, &Progress::default());
    assert!(matches!(aside(WHOLE, 0), Ok((Contents::Memory(_), WHOLE))));
    assert!(
        aside(3 * WHOLE, 3 * WHOLE)
            .is_ok_and(|(contents, size)| matches!(contents, Contents::Disk(_)) && size == 3 * WHOLE)
    );
    let problem = aside(3 * WHOLE + 1, 3 * WHOLE).err();
    assert_eq!(problem.as_deref(), Some("larger than 0 GiB; write it to a file, and give its name"));
}

#[test]
fn a_pipe_is_read_once() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let fifo = dir.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status()?.success());
    let (path, text) = (fifo.clone(), many("---\n", pod));
    let count = text.matches("Pod").count();
    let writer = std::thread::spawn(move || fs::write(path, text));
    let seen = in_pieces(std::slice::from_ref(&fifo), &mut io::empty());
    assert_eq!((seen.objects.len(), seen.unreadable), (count, vec![]));
    assert!(writer.join().is_ok_and(|written| written.is_ok()));
    Ok(())
}

#[test]
fn what_cannot_be_read_keeps_its_place_among_the_others() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let path = |name: &str| dir.path().join(name);
    fs::write(path("a.yaml"), pod(0))?;
    fs::write(path("b.yaml"), b"name: \xff")?;
    fs::write(path("c.yaml"), many("---\n", pod))?;
    let paths = [path("a.yaml"), path("b.yaml"), path("absent"), path("c.yaml")];
    let seen = in_pieces(&paths, &mut io::empty());
    assert!(seen.objects.len() > 1000);
    let problems: Vec<_> =
        seen.unreadable.iter().filter_map(|found| found.split_once("(document 0) ")).map(|(_, says)| says).collect();
    assert_eq!(problems, ["not UTF-8 (byte 6); save the file as UTF-8", "no such file or directory"]);
    Ok(())
}

#[test]
fn what_others_depend_on_is_found_wherever_it_stands() -> io::Result<()> {
    let dir = tempfile::tempdir()?;
    let late = "---\napiVersion: v1\nkind: \"Name\\x73pace\"\nmetadata: {name: late, labels: {a: b}}\n---\n\
                apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: mice.pets.io}\n\
                spec: {group: pets.io, scope: Cluster, names: {kind: Mouse, plural: mice}}\n";
    let mouse = "apiVersion: pets.io/v1\nkind: Mouse\nmetadata: {name: jerry}\n---\n";
    for (name, text) in [
        ("small.yaml", format!("{mouse}{}{late}", pod(0))),
        ("large.yaml", mouse.to_owned() + &many("---\n", pod) + late),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text)?;
        let inputs =
            Inputs::list(std::slice::from_ref(&path), &Exclusions::default(), &mut io::empty(), &Progress::default());
        let known = known(&inputs);
        let arena = Arena::new();
        use crate::engine::Namespaces;
        assert!(known.namespaces.namespace(&arena, "late").is_ok_and(|found| found.is_some()), "{name}");
        assert!(in_pieces(&[path], &mut io::empty()).objects[0].starts_with("Mouse jerry "), "{name}");
    }
    Ok(())
}
