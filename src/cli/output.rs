//! Where commands write: colour only on a terminal, a closed pipe is no failure.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use anstream::{AutoStream, StripStream};
use anyhow::Context;

use crate::style::{BAD, FAINT};
use crate::visible;

/// A destination for a command's output.
///
/// Renderers write styles without asking; the destination removes them unless it is a terminal.
pub enum Output {
    /// Standard output.
    Stdout(BufWriter<AutoStream<io::Stdout>>),
    /// A file that `-o` named.
    File(BufWriter<StripStream<File>>, PathBuf),
}

impl Output {
    /// Opens `path`, or standard output for `None` and `-`.
    ///
    /// # Errors
    /// The file can't be created.
    pub fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        match path {
            Some(path) if path != Path::new("-") => {
                let file = File::create(path).with_context(|| format!("{}: can't write", path.display()))?;
                Ok(Output::File(BufWriter::new(StripStream::new(file)), path.to_owned()))
            }
            _ => Ok(Output::Stdout(BufWriter::new(AutoStream::auto(io::stdout())))),
        }
    }

    /// Whether somebody sees it being written.
    pub fn is_terminal(&self) -> bool {
        match self {
            Output::Stdout(_) => io::stdout().is_terminal(),
            Output::File(..) => false,
        }
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// The disk is full, or the reader has closed the pipe.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let flushed = self.flush();
        match self {
            Output::Stdout(_) => flushed.map_err(Into::into),
            Output::File(_, path) => flushed.with_context(|| format!("{}: can't write", path.display())),
        }
    }
}

impl Write for Output {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout(out) => out.write(buf),
            Output::File(out, _) => out.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(out) => out.flush(),
            Output::File(out, _) => out.flush(),
        }
    }
}

/// Writes a line to standard error that tells the operator something without being a failure.
pub fn note(message: &str) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(anstream::stderr(), "{FAINT}note:{FAINT:#} {}", inset(message));
}

/// Writes a failure of one input to standard error; the command goes on with the others.
pub fn complain(message: &str) {
    let _ = writeln!(anstream::stderr(), "{BAD}error:{BAD:#} {}", inset(message));
}

/// A message that does nothing to a terminal, its further lines inset: none can pass for a message of its own.
pub fn inset(message: &str) -> String {
    let mut inset = String::with_capacity(message.len());
    for (number, line) in visible::lines(message).split('\n').enumerate() {
        if number > 0 {
            inset.push('\n');
        }
        if number > 0 && !line.is_empty() && !line.starts_with(' ') {
            inset.push_str("  ");
        }
        inset.push_str(line);
    }
    inset
}

/// Writes the failure that ends a command to standard error, with what led to it on one line.
pub fn report_error(error: &anyhow::Error) {
    complain(&format!("{error:#}"));
}

/// The same, but given up after a second: a pipe that nobody reads would keep the process for ever.
pub fn report_error_briefly(error: &anyhow::Error) {
    const PATIENCE: Duration = Duration::from_secs(1);
    let message = format!("{error:#}");
    let (done, written) = sync_channel(1);
    let writing = std::thread::Builder::new().spawn(move || {
        complain(&message);
        // An error means that nobody waits any more.
        let _ = done.try_send(());
    });
    if writing.is_ok() {
        let _ = written.recv_timeout(PATIENCE);
    }
}

/// Whether the reader of the output has gone (`portcullis … | head`).
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_message_passes_for_another_message() {
        let message = "a\u{1b}[2K:\nerror: all is well\n  ours\n\u{9b}2J";
        assert_eq!(inset(message), "a\\u{1b}[2K:\n  error: all is well\n  ours\n  \\u{9b}2J");
    }
}
