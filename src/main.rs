//! Parses the arguments and calls one command.

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis::cli::main()
}
