//! Inputs of any size: little memory, all processors, one order.
//!
//! The figures for a million objects, with the whole bundle and with one policy, in one file and in many:
//! `cargo test --profile bench --test cli -- --ignored --nocapture a_million_objects`. `OBJECTS=100000` takes fewer.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::process::Child;
use std::time::Duration;

use super::pods::{OBJECT, pod, write_documents};
use super::{LABELS, checkout, portcullis_with, started};

const ONE_POLICY: [&str; 3] = ["--no-embedded", "--policies", "policy.yaml"];

/// Starts an audit in the directory `dir`.
fn spawn(dir: &Path, args: &[&str]) -> Child {
    started(&[&["audit"][..], args].concat(), dir)
}

/// The most memory that a process has had, in KiB; `None` once it has ended.
fn peak(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// How long a process has kept processors busy, in seconds.
fn processor_time(child: &Child) -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let times: Vec<f64> =
        behind_name.split_whitespace().skip(11).take(2).map_while(|ticks| ticks.parse().ok()).collect();
    let busy = times.iter().sum::<f64>() / TICKS_PER_SECOND;
    (busy > 0.0).then_some(busy)
}

/// How much a process has read, in bytes.
fn bytes_read(child: &Child) -> u64 {
    let io = fs::read_to_string(format!("/proc/{}/io", child.id())).expect("a process");
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).expect("a count")
}

/// What an audit gave, and how much memory it took.
struct Audited {
    stdout: String,
    peak: u64,
    /// Of all its threads together, in seconds.
    processor: f64,
}

fn audited(dir: &Path, args: &[&str], stdin: impl FnOnce(&mut dyn Write) + Send) -> Audited {
    let mut child = spawn(dir, args);
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = child.stdout.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin(&mut input));
        let reader = scope.spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).expect("text");
            text
        });
        let (mut most, mut processor) = (0, 0.0);
        while child.try_wait().expect("a child").is_none() {
            most = peak(&child).unwrap_or(0).max(most);
            processor = processor_time(&child).unwrap_or(processor);
            std::thread::sleep(Duration::from_millis(2));
        }
        Audited { stdout: reader.join().expect("read"), peak: most, processor }
    })
}

fn nothing(_: &mut dyn Write) {}

/// Files of `size` objects each in directories of a hundred.
fn write_files(dir: &Path, count: usize, size: usize) {
    for first in (0..count).step_by(size) {
        let number = first / size;
        let directory = dir.join(format!("d{:05}", number / 100));
        fs::create_dir_all(&directory).expect("a directory");
        let text: String = (first..count.min(first + size)).map(|number| format!("---\n{}", pod(number))).collect();
        fs::write(directory.join(format!("{number:07}.yaml")), text).expect("a file");
    }
}

fn write_file(path: &Path, count: usize) {
    let mut file = BufWriter::new(File::create(path).expect("a file"));
    write_documents(count, &mut file).expect("a disk");
    file.flush().expect("a disk");
}

/// What an audit of 40 MB may take, in KiB: held, they and what is parsed of them are 100 MB at least.
const MOST: u64 = 100 << 10;

#[test]
fn memory_does_not_grow_with_the_input() {
    const COUNT: usize = 4_000;
    // What is written down about an object may be most of it.
    let filler = "x".repeat(6_500);
    let bad = |number: usize| if number.is_multiple_of(10) { "bad" } else { "good" };
    let document = |number: usize| {
        format!(
            "---\n{}",
            pod(number).replace("  annotations:\n", &format!("  annotations:\n    example.com/filler: {filler}\n"))
        )
    };
    let dir = checkout(&[("policy.yaml", LABELS)]);
    let all: String = (0..COUNT).map(document).collect();
    assert!(all.len() > 32 << 20);
    fs::write(dir.path().join("all.yaml"), &all).expect("a file");
    for number in 0..COUNT / 4 {
        let directory = dir.path().join(format!("many/d{}", number / 100));
        fs::create_dir_all(&directory).expect("a directory");
        let text: String = (number * 4..number * 4 + 4).map(document).collect();
        fs::write(directory.join(format!("{number}.yaml")), text).expect("a file");
    }
    let item = |number: usize| {
        format!(
            "        {{\"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"name\": \"pod-{number}\", \"labels\": \
             {{\"act\": \"deny\", \"{}\": \"yes\"}}, \"annotations\": {{\"a\": \"{filler}{filler}\"}}}},\n         \"spec\": \
             {{\"containers\": [{{\"name\": \"a\", \"image\": \"a\"}}]}}}}",
            bad(number)
        )
    };
    let items = (0..COUNT).map(item).collect::<Vec<_>>().join(",\n");
    let list =
        format!("{{\n    \"apiVersion\": \"v1\",\n    \"items\": [\n{items}\n    ],\n    \"kind\": \"List\"\n}}\n");
    fs::write(dir.path().join("list.json"), list).expect("a file");

    let says = format!("400 deny in 400 of {COUNT} objects; {} checks passed\n", COUNT - 400);
    for path in ["all.yaml", "many", "list.json", "-"] {
        let stdin = |out: &mut dyn Write| {
            if path == "-" {
                out.write_all(all.as_bytes()).expect("a reader");
            }
        };
        let run = audited(dir.path(), &[&ONE_POLICY[..], &[path]].concat(), stdin);
        assert!(run.stdout.ends_with(&says), "{path}: {}", &run.stdout[run.stdout.len().saturating_sub(300)..]);
        assert!(run.peak < MOST, "{path}: {} KiB", run.peak);
        assert!(run.peak > 1 << 10, "{path}: nothing was measured");
    }
}

#[test]
fn findings_come_in_the_order_of_the_input_however_many_threads_judge() {
    let dir =
        checkout(&[("policy.yaml", LABELS), ("many/z/broken.yaml", "a: [1\n"), ("many/empty.yaml", "# nothing\n")]);
    write_files(&dir.path().join("many"), 1_000, 3);
    write_file(&dir.path().join("many/large.yaml"), 1_000);
    let kustomization = "apiVersion: v1\nkind: Namespace\nmetadata: {name: team-1}\n";
    fs::write(dir.path().join("many/zz.yaml"), kustomization).expect("a file");
    for format in ["json", "text"] {
        let run = |jobs| {
            let args = [&["audit"], &ONE_POLICY[..], &["--format", format, "--jobs", jobs, "-vv", "many"]].concat();
            let run = portcullis_with(&args, "", dir.path());
            assert_eq!(run.code, 1, "{}", run.stderr);
            (run.stdout, run.stderr)
        };
        let one = run("1");
        assert!(one.0.contains("pod-990") && one.0.contains("broken.yaml"), "{}", one.0);
        for jobs in ["2", "7", "32"] {
            assert!(run(jobs) == one, "{format} {jobs}");
        }
    }
}

#[test]
fn numbers_documents_and_lines_through_all_pieces_of_a_file() {
    let dir = checkout(&[("policy.yaml", LABELS)]);
    write_file(&dir.path().join("all.yaml"), 2_000);
    let run =
        portcullis_with(&[&["audit"], &ONE_POLICY[..], &["--format", "json", "all.yaml"]].concat(), "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    assert_eq!(findings.len(), 200);
    let lines = pod(0).lines().count() + 1;
    for (at, finding) in findings.iter().enumerate() {
        let number = at * 10;
        assert_eq!(finding["object"]["name"], format!("pod-{number}"));
        // The label is the ninth line of a pod.
        let source = serde_json::json!({"file": "all.yaml", "document": number, "line": number * lines + 10});
        assert_eq!(finding["source"], source);
    }
}

#[test]
fn first_findings_come_while_the_rest_is_still_read() {
    let dir = checkout(&[("policy.yaml", LABELS)]);
    let path = dir.path().join("all.yaml");
    // Each of them has a finding.
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    for _ in 0..13_000 {
        write!(file, "---\n{}", pod(0)).expect("a disk");
    }
    file.flush().expect("a disk");
    let size = fs::metadata(&path).expect("a file").len();
    for format in ["json", "text"] {
        let args = [&ONE_POLICY[..], &["--format", format, "all.yaml"]].concat();
        let mut child = spawn(dir.path(), &args);
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut beginning = String::new();
        while !beginning.contains("metadata.labels.bad: yes is bad") {
            assert_ne!(output.read_line(&mut beginning).expect("text"), 0, "{beginning}");
        }
        assert!(!beginning.contains("\"summary\""), "{beginning}");
        // Nobody reads on: once in the first pass, and little of it again.
        std::thread::sleep(Duration::from_millis(300));
        let read = bytes_read(&child);
        assert!(read > size && read < size + size / 2, "{format}: {read} of {size}");

        // A reader that has gone ends it, and is no failure.
        drop(output);
        let ended = child.wait_with_output().expect("the binary ends");
        assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(0), ""));
    }
}

#[test]
fn a_report_written_as_it_comes_is_whole() {
    let dir = checkout(&[("policy.yaml", LABELS)]);
    let path = dir.path().join("all.yaml");
    let mut file = BufWriter::new(File::create(&path).expect("a file"));
    write_documents(6_000, &mut file).expect("a disk");
    file.write_all(b"---\na: [1\n").expect("a disk");
    write_documents(6_000, &mut file).expect("a disk");
    file.flush().expect("a disk");
    let args = [&ONE_POLICY[..], &["--format", "json", "-o", "report.json", "all.yaml"]].concat();
    let run = audited(dir.path(), &args, nothing);
    assert_eq!(run.stdout, "");
    let text = fs::read_to_string(dir.path().join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(1201));
    assert_eq!((&report["summary"]["objects"], &report["summary"]["unreadable"]), (&12_000.into(), &1.into()));
    let broken = &report["findings"][1200]["source"];
    let line = 6_000 * (pod(0).lines().count() + 1) + 3;
    assert_eq!(broken, &serde_json::json!({"file": "all.yaml", "document": 6_000, "line": line}));
}

#[test]
fn rejects_as_many_threads_as_nobody_has() {
    for jobs in ["0", "1025", "x"] {
        let run = portcullis_with(&["audit", "--jobs", jobs, "."], "", Path::new("."));
        assert_eq!(run.code, 2, "{jobs}");
    }
}

#[allow(clippy::print_stdout)]
#[test]
#[ignore = "takes minutes and 6 GB of disk"]
fn a_million_objects() {
    let count = std::env::var("OBJECTS").map_or(1_000_000, |count| count.parse().expect("a number"));
    let dir = checkout(&[("policy.yaml", LABELS)]);
    write_file(&dir.path().join("all.yaml"), count);
    let size = fs::metadata(dir.path().join("all.yaml")).expect("a file").len();
    println!("{count} objects of {} bytes", size / count as u64);
    assert!((size / count as u64).abs_diff(OBJECT as u64) < 500);
    write_files(&dir.path().join("many"), count, 1);
    for (name, policies) in [("one policy", &ONE_POLICY[..]), ("the bundle", &[])] {
        for path in ["all.yaml", "many", "-"] {
            let stdin = |out: &mut dyn Write| {
                if path == "-" {
                    let mut file = File::open(dir.path().join("all.yaml")).expect("a file");
                    std::io::copy(&mut file, out).expect("a reader");
                }
            };
            let args = [policies, &["--format", "json", "-o", "/dev/null", path]].concat();
            let Audited { peak, processor, .. } = audited(dir.path(), &args, stdin);
            let rate = count as f64 / processor;
            println!("{path} by {name}: {rate:.0} objects per second and core, {} MiB at most", peak >> 10);
            assert!(peak < 200 << 10, "{path}: {peak} KiB");
        }
    }
}
