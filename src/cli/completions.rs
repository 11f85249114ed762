//! `portcullis completions`: a completion script for a shell, from the same definitions as the flags themselves.

use std::io::Write;

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::Output;
use super::{Cli, Outcome};

/// Prints a shell completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis completions bash > /etc/bash_completion.d/portcullis
  portcullis completions zsh  > ~/.zfunc/_portcullis
  portcullis completions fish > ~/.config/fish/completions/portcullis.fish")]
pub struct Args {
    /// The shell to complete in
    shell: Shell,
}

/// Runs the command.
///
/// # Errors
/// Standard output can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "portcullis", &mut script);
    let mut out = Output::open(None)?;
    out.write_all(&script)?;
    out.finish()?;
    Ok(Outcome::Clean)
}
