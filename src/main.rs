//! Parses the arguments and calls one command.

use std::process::ExitCode;

/// Under load, a fifth faster than glibc's, and many times faster than musl's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    portcullis::cli::main()
}
