//! The command line: one file per subcommand; arguments in, exit code out.
//!
//! Reads files, knows every room below, decides nothing about objects itself.

mod audit;
mod completions;
pub mod eval;
mod help;
mod input;
mod load;
mod logging;
mod mutate;
mod namespaces;
mod output;
mod policies;
mod policy_export;
mod policy_files;
mod policy_list;
mod policy_page;
mod profile;
mod progress;
mod serve;
mod tagged;
mod test;
mod webhook_config;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::visible;

pub use load::PolicyFlags;

/// Runs the command that the process arguments name.
///
/// Exit codes: 0 nothing to report, 1 findings or failed tests, 2 bad usage or input.
pub fn main() -> ExitCode {
    let cli = match parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(usage) => {
            // What it echoes must do nothing to a terminal, so the same mistake is made with arguments that do nothing.
            let harmless = std::env::args_os().map(|argument| visible::line(&argument.to_string_lossy()).into_owned());
            let usage = parse(harmless).err().unwrap_or_else(|| usage_error(&usage));
            // `--help` and `--version` come this way too, with exit code 0.
            let code = u8::try_from(usage.exit_code()).unwrap_or(2);
            return match usage.print() {
                Ok(()) => ExitCode::from(code),
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::from(code),
                Err(error) => {
                    output::report_error(&error.into());
                    ExitCode::from(2)
                }
            };
        }
    };
    let is_server = matches!(cli.command, Command::Serve(_));
    match cli.command.run() {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // Who starts servers may read nothing of what they say; they end all the same.
            if is_server {
                output::report_error_briefly(&error)
            } else {
                output::report_error(&error)
            }
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: impl Iterator<Item = impl Into<OsString> + Clone>) -> Result<Cli, clap::Error> {
    let matches = help::reflowed(Cli::command()).try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// The same error in plain text, whatever it echoes.
fn usage_error(usage: &clap::Error) -> clap::Error {
    clap::Error::raw(usage.kind(), visible::lines(&usage.to_string()))
}

/// What a command that did its work has to say through the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing to report.
    Clean,
    /// Findings, or failed tests.
    Findings,
}

#[derive(Debug, Parser)]
#[command(
    name = "portcullis",
    version,
    about = "Kubernetes admission control from native policies: webhook, audit and test harness in one binary",
    after_help = "\
Examples:
  portcullis audit manifests/                      judge manifests
  kubectl kustomize overlays/prod | portcullis audit -
  portcullis mutate --diff deployment.yaml         what admission would change
  portcullis test --coverage policies/             run the policies' test suites
  portcullis serve --tls-self-signed --offline     the webhook, no cluster

Exit codes: 0 nothing to report, 1 findings or failed tests, 2 bad usage or input."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Audit(audit::Args),
    Serve(Box<serve::Args>),
    Policies(policies::Args),
    WebhookConfig(webhook_config::Args),
    Mutate(mutate::Args),
    Test(test::Args),
    Completions(completions::Args),
    Eval(eval::Args),
}

impl Command {
    fn run(self) -> anyhow::Result<Outcome> {
        match self {
            Command::Audit(args) => audit::run(&args),
            Command::Serve(args) => serve::run(*args),
            Command::Policies(args) => policies::run(&args),
            Command::WebhookConfig(args) => webhook_config::run(&args),
            Command::Mutate(args) => mutate::run(&args),
            Command::Test(args) => test::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Eval(args) => eval::run(&args),
        }
    }
}
