//! Coverage as LCOV's trace file, which editors and forges show beside code. Format: `geninfo(1)`.

use std::io::{self, Write};

use crate::visible;

use super::lines::files;
use super::report::PolicyCoverage;

/// Writes the coverage of policies, a record for each file.
///
/// # Errors
/// `out` can't be written.
pub fn render(policies: &[PolicyCoverage], out: &mut dyn Write) -> io::Result<()> {
    for (name, file) in files(policies) {
        writeln!(out, "TN:")?;
        writeln!(out, "SF:{}", visible::line(name))?;
        for (number, line) in &file.lines {
            for (at, side) in line.sides.iter().enumerate() {
                let taken = side.count.map_or_else(|| "-".to_owned(), |count| count.to_string());
                writeln!(out, "BRDA:{number},{},{at},{taken}", side.branch)?;
            }
        }
        let (sides, taken) = file.side_counts();
        writeln!(out, "BRF:{sides}\nBRH:{taken}")?;
        for (number, line) in &file.lines {
            writeln!(out, "DA:{number},{}", line.count)?;
        }
        let (lines, reached) = file.line_counts();
        writeln!(out, "LF:{lines}\nLH:{reached}\nend_of_record")?;
    }
    Ok(())
}
