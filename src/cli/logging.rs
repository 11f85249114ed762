//! Logs: to standard error, as text for people or as JSON for machines.

use std::io::{self, IsTerminal, Write};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::server::LogQueue;
use crate::visible;

use super::output;

/// How to log.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogFlags {
    /// One JSON object per line, or text
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// error, warn, info, debug or trace; or by module: info,portcullis::server=debug
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl LogFlags {
    /// Starts logging, for the rest of the process, through the queue that is returned.
    ///
    /// # Errors
    /// The level can't be read, or logging was started before.
    pub fn start(&self) -> anyhow::Result<LogQueue> {
        let filter = EnvFilter::try_new(&self.log_level)
            .with_context(|| format!("--log-level {}: write a level such as info", self.log_level))?;
        let queue = LogQueue::start(std::io::stderr()).context("can't start logging")?;
        let (lines, coloured) = (queue.clone(), std::io::stderr().is_terminal());
        // What goes wrong would be printed to standard error, which panics where that can't be written.
        let builder = tracing_subscriber::fmt().with_env_filter(filter).log_internal_errors(false).with_target(false);
        let started = match self.log_format {
            LogFormat::Text => {
                builder.with_ansi(coloured).with_writer(move || Harmless { lines: lines.clone(), coloured }).try_init()
            }
            LogFormat::Json => {
                builder.json().flatten_event(true).with_writer(move || HarmlessJson(lines.clone())).try_init()
            }
        };
        started.map_err(|error| anyhow::anyhow!("can't start logging: {error}"))?;
        log_panics();
        Ok(queue)
    }
}

/// Events as text that do nothing to a terminal and can't pass for several, one call an event.
struct Harmless {
    lines: LogQueue,
    /// Whether colours are written; `tracing` has then escaped what would be one in a message or a value.
    coloured: bool,
}

impl Write for Harmless {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let mut line = match self.coloured {
            true => text.split(ESCAPE).map(output::inset).collect::<Vec<_>>().join(ESCAPE),
            false => output::inset(text),
        };
        line.push('\n');
        self.lines.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What colours begin with.
const ESCAPE: &str = "\u{1b}";

/// The same for events as JSON.
struct HarmlessJson(LogQueue);

impl Write for HarmlessJson {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(visible::json(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Panics are defects: they go where every other event goes, with their place, and not to a standard error that may be
/// closed.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or_default();
        tracing::error!(place, message, backtrace = %std::backtrace::Backtrace::capture(), "panic");
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// What arrives of one event.
    fn written(event: &str, wrap: impl FnOnce(LogQueue) -> Box<dyn Write>) -> io::Result<String> {
        let (mut reader, writer) = io::pipe()?;
        wrap(LogQueue::start(writer)?).write_all(event.as_bytes())?;
        // Nobody is left who could log, so the writing end is closed once all is written.
        let mut written = String::new();
        reader.read_to_string(&mut written)?;
        Ok(written)
    }

    #[test]
    fn an_event_does_nothing_to_a_terminal_and_passes_for_no_other() -> io::Result<()> {
        let event = "\u{1b}[32m INFO\u{1b}[0m a\u{9b}2J\u{202e}b\u{7}\nERROR all is well\n";
        let plain = written(event, |lines| Box::new(Harmless { lines, coloured: false }))?;
        assert_eq!(plain, "\\u{1b}[32m INFO\\u{1b}[0m a\\u{9b}2J\\u{202e}b\\u{7}\n  ERROR all is well\n");
        let coloured = written(event, |lines| Box::new(Harmless { lines, coloured: true }))?;
        assert_eq!(coloured, "\u{1b}[32m INFO\u{1b}[0m a\\u{9b}2J\\u{202e}b\\u{7}\n  ERROR all is well\n");
        let json = written("{\"a\":\"\u{9b}\"}\n", |lines| Box::new(HarmlessJson(lines)))?;
        assert_eq!(json, "{\"a\":\"\\u009b\"}\n");
        Ok(())
    }
}
