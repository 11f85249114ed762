//! Logs: to standard error, as text for people or as JSON for machines.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::server::LogQueue;

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
        let writer = queue.clone();
        // What goes wrong would be printed to standard error, which panics where that can't be written.
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .log_internal_errors(false)
            .with_writer(move || writer.clone());
        let started = match self.log_format {
            LogFormat::Text => builder.with_ansi(std::io::stderr().is_terminal()).with_target(false).try_init(),
            LogFormat::Json => builder.json().flatten_event(true).with_target(false).try_init(),
        };
        started.map_err(|error| anyhow::anyhow!("can't start logging: {error}"))?;
        log_panics();
        Ok(queue)
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
