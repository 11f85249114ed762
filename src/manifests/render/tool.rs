//! Other people's programs, run within limits: of time, of output, and of what they can reach.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::manifests::MAX_FILE_SIZE;

use super::MAX_OUTPUT;

/// How much of what a program complains of is kept, in bytes.
const MAX_COMPLAINT: usize = 1 << 10;

/// How often a program that has closed its output is asked whether it has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// A directory of our own to work in, and the time that one program may take.
#[derive(Debug)]
pub struct Workshop {
    /// Removes it in the end.
    _directory: tempfile::TempDir,
    root: PathBuf,
    time: Duration,
    path: OsString,
}

/// Why a program gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// There is none of that name on `PATH`.
    #[error("not found on PATH")]
    Absent,
    /// It could not be started, or read from.
    #[error("can't be run: {0}")]
    Io(io::Error),
    /// It says that it failed, and why.
    #[error("{0}")]
    Failed(String),
    /// It took longer than it may.
    #[error("took longer than {} s; --render-timeout gives it more", .0.as_secs())]
    Time(Duration),
    /// It printed more than it may.
    #[error("printed more than {} bytes; one build may print {} MiB, all together {} MiB", .0, MAX_FILE_SIZE >> 20, MAX_OUTPUT >> 20)]
    Output(u64),
}

impl Workshop {
    /// Makes the directory.
    ///
    /// # Errors
    /// It can't be made.
    pub fn new(time: Duration, path: OsString) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("portcullis-").tempdir()?;
        let root = directory.path().canonicalize()?;
        Ok(Self { _directory: directory, root, time, path })
    }

    /// The directory's real path; what is in it is gone when the workshop is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the program prints, at most `limit` bytes and [`MAX_FILE_SIZE`].
    ///
    /// It has no input, no cluster, no plugins of helm and kustomize, and no way out but by a proxy that isn't there.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn run(&self, program: &str, arguments: &[&Path], limit: u64) -> Result<String, Failure> {
        let limit = limit.min(MAX_FILE_SIZE);
        let nowhere = self.root.join("none");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root).env("PATH", &self.path);
        for variable in ["KUBECONFIG", "HELM_CONFIG_HOME", "HELM_CACHE_HOME", "HELM_DATA_HOME", "HELM_PLUGINS"] {
            command.env(variable, &nowhere);
        }
        command.env("KUSTOMIZE_PLUGIN_HOME", &nowhere).env("HELM_NO_PLUGINS", "1").env("GIT_ALLOW_PROTOCOL", "none");
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
            // The port "discard": nothing listens.
            command.env(variable, "http://127.0.0.1:9");
        }
        command.env_remove("NO_PROXY").env_remove("no_proxy").env_remove("HELM_KUBECONTEXT");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let child = command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Absent,
            _ => Failure::Io(error),
        })?;
        finish(child, Instant::now() + self.time, limit).map_err(|failure| match failure {
            Failure::Time(_) => Failure::Time(self.time),
            other => other,
        })
    }
}

fn finish(mut child: Child, deadline: Instant, limit: u64) -> Result<String, Failure> {
    let finished = read_until(&mut child, deadline, limit);
    if finished.is_err() {
        end(&mut child);
    }
    finished
}

fn read_until(child: &mut Child, deadline: Instant, limit: u64) -> Result<String, Failure> {
    let output = reader(child.stdout.take(), limit + 1);
    let complaint = reader(child.stderr.take(), MAX_COMPLAINT as u64);
    let left = || deadline.saturating_duration_since(Instant::now());
    let output = match output.recv_timeout(left()) {
        Ok(output) => output.map_err(Failure::Io)?,
        Err(_) => return Err(Failure::Time(Duration::ZERO)),
    };
    if output.len() as u64 > limit {
        return Err(Failure::Output(limit));
    }
    let status = loop {
        match child.try_wait().map_err(Failure::Io)? {
            Some(status) => break status,
            None if left().is_zero() => return Err(Failure::Time(Duration::ZERO)),
            None => thread::sleep(PAUSE.min(left())),
        }
    };
    if !status.success() {
        // A child of the child may hold the other end for longer.
        let complaint = complaint.recv_timeout(left().min(Duration::from_secs(1))).ok().and_then(Result::ok);
        let complaint = String::from_utf8_lossy(&complaint.unwrap_or_default()).into_owned();
        return Err(Failure::Failed(match complaint.trim() {
            "" => format!("failed without saying why ({status})"),
            complaint => printable(complaint),
        }));
    }
    String::from_utf8(output).map_err(|_| Failure::Failed("printed something that is not UTF-8".to_owned()))
}

/// Reads up to `limit` bytes in a thread of its own, which goes on for as long as the other end is open.
fn reader(from: Option<impl Read + Send + 'static>, limit: u64) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (send, receive) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut bytes = Vec::new();
        let read = from.by_ref().take(limit).read_to_end(&mut bytes);
        // Nobody may wait any more.
        let _ = send.send(read.map(|_| bytes));
        let _ = io::copy(&mut from, &mut io::sink());
    });
    receive
}

/// Ends the program and all that it started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended by itself.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// A bounded text without what would move a terminal's cursor or turn its text around, on one line.
pub fn printable(text: &str) -> String {
    let mut printable = String::new();
    for character in text.chars() {
        if printable.len() >= MAX_COMPLAINT {
            printable.push('…');
            break;
        }
        match character {
            '\n' | '\r' | '\t' => printable.push(' '),
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{061c}' => {
                let _ = write!(printable, "{}", character.escape_unicode());
            }
            control if control.is_control() => {
                let _ = write!(printable, "{}", control.escape_unicode());
            }
            other => printable.push(other),
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn shell(script: &str, time: Duration, limit: u64) -> Result<String, Failure> {
        let workshop = Workshop::new(time, path()).map_err(Failure::Io)?;
        workshop.run("sh", &[Path::new("-c"), Path::new(script)], limit)
    }

    fn path() -> OsString {
        std::env::var_os("PATH").unwrap_or_default()
    }

    const LONG: Duration = Duration::from_secs(120);

    #[test]
    fn gives_what_a_program_prints() {
        assert_eq!(shell("echo a; echo b >&2", LONG, 100).ok().as_deref(), Some("a\n"));
    }

    #[test]
    fn says_why_a_program_failed() {
        for (script, says) in [
            ("echo 'no\u{1b}[31m such\u{202e} base' >&2; exit 1", "no\\u{1b}[31m such\\u{202e} base"),
            ("exit 3", "failed without saying why (exit status: 3)"),
            ("printf '\\377'", "printed something that is not UTF-8"),
        ] {
            let error = shell(script, LONG, 100).map_err(|error| error.to_string());
            assert_eq!(error, Err(says.to_owned()), "{script}");
        }
        let long =
            shell("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1", LONG, 100).map_err(|error| error.to_string());
        assert!(long.is_err_and(|error| error.len() == MAX_COMPLAINT));
        let absent =
            Workshop::new(LONG, path()).map_err(Failure::Io).and_then(|shop| shop.run("portcullis-absent", &[], 1));
        assert!(matches!(absent, Err(Failure::Absent)));
    }

    #[test]
    fn ends_what_takes_too_long_with_all_that_it_started() -> io::Result<()> {
        let dir = tempfile::tempdir()?;
        let pid = dir.path().join("pid");
        for script in ["sleep 1000", "exec >&-; sleep 1000"] {
            let script = format!("sleep 1000 & echo $! >{}.new; mv {0}.new {0}; {script}", pid.display());
            let result = shell(&script, Duration::from_secs(2), 100);
            assert!(matches!(result, Err(Failure::Time(time)) if time == Duration::from_secs(2)), "{result:?}");
            let started = fs::read_to_string(&pid)?;
            // Gone, or a zombie that nobody has collected yet; a signal takes its time on a busy machine.
            let stat = || fs::read_to_string(format!("/proc/{}/stat", started.trim())).unwrap_or_default();
            let has_ended = |stat: String| stat.is_empty() || stat.contains(") Z ");
            let ended = (0..1000).any(|_| {
                std::thread::sleep(Duration::from_millis(10));
                has_ended(stat())
            });
            assert!(ended, "{}", stat());
        }
        Ok(())
    }

    #[test]
    fn ends_what_prints_too_much() {
        assert_eq!(shell("printf 12345678", LONG, 8).ok().as_deref(), Some("12345678"));
        for script in ["printf 123456789", "yes"] {
            assert!(matches!(shell(script, LONG, 8), Err(Failure::Output(8))), "{script}");
        }
    }
}
