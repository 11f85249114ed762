//! What every command has in common.

use std::process::{Command, Stdio};

use super::portcullis;

#[test]
fn every_command_teaches_with_examples() {
    for command in ["audit", "mutate", "test", "eval", "serve", "webhook-config", "completions"] {
        let run = portcullis(&[command, "--help"]);
        assert_eq!(run.code, 0, "{command}");
        assert!(run.stdout.contains(&format!("portcullis {command} ")), "{command}: {}", run.stdout);
    }
    let run = portcullis(&["--help"]);
    assert!(run.stdout.contains("Examples:") && run.stdout.contains("Exit codes:"), "{}", run.stdout);
}

#[test]
fn bad_usage_is_exit_code_2() {
    for args in [
        &["audit"][..],
        &["audit", "--format", "xml", "."],
        &["audit", "--kubernetes-version", "1.2", "."],
        &["audit", "no/such/path"],
        &["audit", "--policies", "no/such/path", "examples"],
        &["test", "--min-coverage", "101"],
        &["test", "--run", "("],
        &["no-such-command"],
        &["serve", "--tls-self-signed", "--kubeconfig", "no/such/file"],
        &["serve", "--tls-self-signed", "--kubeconfig", "no/such/file", "--offline"],
        &["serve", "--tls-self-signed", "--namespaces", "only/offline"],
    ] {
        let run = portcullis(args);
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.starts_with("error: "), "{args:?}: {}", run.stderr);
    }
}

/// Commands that print something, and their exit codes.
const PRINTING: [(&[&str], i32); 8] = [
    (&["--help"], 0),
    (&["--version"], 0),
    (&["audit", "examples/media-server"], 0),
    (&["audit", "--format", "json", "examples/media-server"], 0),
    (&["mutate", "-n", "media", "examples/media-server"], 0),
    (&["policies", "list"], 0),
    (&["completions", "bash"], 0),
    (&["eval", "1 + 1"], 0),
];

fn run_into(args: &[&str], stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(args)
        .stdin(Stdio::null())
        .stdout(stdout)
        .output()
        .expect("the binary runs");
    (run.status.code(), String::from_utf8(run.stderr).expect("text"))
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    for (args, code) in PRINTING {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (found, stderr) = run_into(args, writer);
        assert_eq!(found, Some(code), "{args:?}: {stderr}");
        assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{args:?}: {stderr}");
    }
}

#[test]
fn output_that_cannot_be_written_is_exit_code_2_and_said() {
    for (args, _) in PRINTING {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
        let (found, stderr) = run_into(args, full);
        assert_eq!(found, Some(2), "{args:?}: {stderr}");
        assert!(stderr.contains("error: ") && stderr.contains("No space left"), "{args:?}: {stderr}");
    }
}

#[test]
fn prints_no_colour_unless_to_a_terminal() {
    for args in [&["audit", "examples/media-server"][..], &["test"], &["policies", "list"]] {
        assert!(!portcullis(args).stdout.contains('\u{1b}'), "{args:?}");
    }
}

#[test]
fn completes_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = portcullis(&["completions", shell]);
        assert!(run.code == 0 && run.stdout.contains("kubernetes-version"), "{shell}");
    }
}

#[test]
fn the_readme_shows_what_the_binary_prints() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let mut shown = 0;
    for block in readme.split("```console\n").skip(1).filter_map(|block| block.split("```").next()) {
        let Some((command, output)) = block.split_once('\n').filter(|(_, output)| !output.contains("\n$ ")) else {
            continue;
        };
        let Some(args) = command.strip_prefix("$ portcullis ").filter(|_| !output.trim().is_empty()) else { continue };
        if output.starts_with("$ ") {
            continue;
        }
        let run = portcullis(&args.split(' ').collect::<Vec<_>>());
        assert_eq!(run.stdout, output, "{command}");
        shown += 1;
    }
    assert_eq!(shown, 2);
}
