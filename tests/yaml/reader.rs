//! kubectl's reader, kept open as a child process.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Where a ready binary is named.
const VARIABLE: &str = "PORTCULLIS_YAMLREADER";

pub struct Reader {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

/// The binary that the environment names, or else one built from the sources in the repository.
fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os(VARIABLE) {
        return named.into();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(root.join("tests/yamlreader/build.sh")).status();
    let ready = built.is_ok_and(|status| status.success());
    assert!(ready, "tests/yamlreader/build.sh failed; {VARIABLE} may name a ready binary");
    root.join("target/tools/yamlreader")
}

impl Reader {
    pub fn start() -> Self {
        let binary = binary();
        let mut child = Command::new(&binary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let stdin = child.stdin.take().expect("its input is ours");
        let stdout = BufReader::new(child.stdout.take().expect("its output is ours"));
        Self { child, stdin, stdout }
    }

    /// The answers to a batch of texts.
    pub fn answers(&mut self, texts: &[Vec<u8>]) -> Vec<Value> {
        let (stdin, stdout) = (&mut self.stdin, &mut self.stdout);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                for text in texts {
                    let question = serde_json::json!({ "text": STANDARD.encode(text) });
                    writeln!(stdin, "{question}").expect("the reader reads");
                }
                stdin.flush().expect("the reader reads");
            });
            let mut line = String::new();
            let mut answer = |text: &Vec<u8>| {
                line.clear();
                stdout.read_line(&mut line).expect("the reader answers");
                assert!(!line.is_empty(), "the reader ended at {text:?}");
                serde_json::from_str(&line).expect("an answer is JSON")
            };
            texts.iter().map(&mut answer).collect()
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended before; either way nothing is left running.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
