//! A Go program of ours that answers JSON lines, kept open as a child process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use serde_json::Value;

/// The program of `tests/NAME`: the binary that the environment names by `variable`, or else one built from the sources.
pub fn built(name: &str, variable: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable) {
        return named.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(root.join("tests").join(name).join("build.sh")).status();
    let ready = built.is_ok_and(|status| status.success());
    assert!(ready, "tests/{name}/build.sh failed; {variable} may name a ready binary");
    root.join("target/tools").join(name)
}

/// One that runs.
pub struct Program {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    /// Starts the binary.
    pub fn start(binary: &Path, flags: &[&str]) -> Self {
        let mut child = Command::new(binary)
            .args(flags)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let stdin = child.stdin.take().expect("its input is ours");
        let stdout = BufReader::new(child.stdout.take().expect("its output is ours"));
        Self { child, stdin, stdout }
    }

    /// The answers to a batch of lines, while `meanwhile` runs.
    pub fn answers<T>(&mut self, lines: &[String], meanwhile: impl FnOnce() -> T) -> (Vec<Value>, T) {
        let (stdin, stdout) = (&mut self.stdin, &mut self.stdout);
        let (send, receive) = mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for line in lines {
                    writeln!(stdin, "{line}").expect("the program reads");
                }
                stdin.flush().expect("the program reads");
            });
            scope.spawn(move || {
                let mut text = String::new();
                for line in lines {
                    text.clear();
                    stdout.read_line(&mut text).expect("the program answers");
                    assert!(!text.is_empty(), "the program ended at {line}");
                    send.send(serde_json::from_str(&text).expect("an answer is JSON")).expect("answers are awaited");
                }
            });
            let other = meanwhile();
            (receive.iter().collect(), other)
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before; either way nothing is left running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
