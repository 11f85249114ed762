//! Has the bundle embedded anew when a policy is added: the compiler itself only notices changes of embedded files.

use std::io::{self, Write};

fn main() -> io::Result<()> {
    writeln!(io::stdout(), "cargo::rerun-if-changed=policies")
}
