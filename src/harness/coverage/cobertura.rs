//! Coverage as Cobertura's XML, version 04 of its document type, which CI systems show beside code.

use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use super::lines::{File, Line, files};
use super::report::PolicyCoverage;
use crate::harness::junit::escaped;

/// Writes the coverage of policies: a package for each directory, a class for each file.
///
/// # Errors
/// `out` can't be written.
pub fn render(policies: &[PolicyCoverage], now: SystemTime, out: &mut dyn Write) -> io::Result<()> {
    let files = files(policies);
    let total = Rates::of(files.values());
    let time = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<!DOCTYPE coverage SYSTEM \"http://cobertura.sourceforge.net/xml/coverage-04.dtd\">")?;
    let Rates { lines, reached, sides, taken } = total;
    writeln!(
        out,
        "<coverage {total} lines-covered=\"{reached}\" lines-valid=\"{lines}\" branches-covered=\"{taken}\" \
         branches-valid=\"{sides}\" complexity=\"0\" version=\"{}\" timestamp=\"{time}\">",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, "  <sources>\n    <source>.</source>\n  </sources>\n  <packages>")?;
    let mut packages: Vec<(&str, Vec<(&str, &File)>)> = Vec::new();
    for (name, file) in &files {
        let package = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        match packages.iter_mut().find(|(known, _)| *known == package) {
            Some((_, classes)) => classes.push((name, file)),
            None => packages.push((package, vec![(name, file)])),
        }
    }
    for (package, classes) in packages {
        let rates = Rates::of(classes.iter().map(|(_, file)| *file));
        writeln!(out, "    <package name=\"{}\" {rates} complexity=\"0\">\n      <classes>", escaped(package))?;
        for (name, file) in classes {
            write_class(name, file, out)?;
        }
        writeln!(out, "      </classes>\n    </package>")?;
    }
    writeln!(out, "  </packages>\n</coverage>")
}

fn write_class(name: &str, file: &File, out: &mut dyn Write) -> io::Result<()> {
    let (name, rates) = (escaped(name), Rates::of([file].into_iter()));
    writeln!(out, "        <class name=\"{name}\" filename=\"{name}\" {rates} complexity=\"0\">")?;
    writeln!(out, "          <methods/>\n          <lines>")?;
    for (number, line) in &file.lines {
        write_line(*number, line, out)?;
    }
    writeln!(out, "          </lines>\n        </class>")
}

fn write_line(number: usize, line: &Line, out: &mut dyn Write) -> io::Result<()> {
    let count = line.count;
    let all = line.sides.len();
    if all == 0 {
        return writeln!(out, "            <line number=\"{number}\" hits=\"{count}\" branch=\"false\"/>");
    }
    let taken = line.sides.iter().filter(|side| side.is_taken()).count();
    writeln!(
        out,
        "            <line number=\"{number}\" hits=\"{count}\" branch=\"true\" condition-coverage=\"{}% ({taken}/{all})\"/>",
        taken * 100 / all
    )
}

/// How many lines and sides there are, and how many of them were reached and taken.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    lines: usize,
    reached: usize,
    sides: usize,
    taken: usize,
}

impl Rates {
    fn of<'f>(files: impl Iterator<Item = &'f File>) -> Self {
        files.fold(Self::default(), |sum, file| {
            let ((lines, reached), (sides, taken)) = (file.line_counts(), file.side_counts());
            Self {
                lines: sum.lines + lines,
                reached: sum.reached + reached,
                sides: sum.sides + sides,
                taken: sum.taken + taken,
            }
        })
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rate = |part: usize, whole: usize| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        let (lines, branches) = (rate(self.reached, self.lines), rate(self.taken, self.sides));
        write!(f, "line-rate=\"{lines:.4}\" branch-rate=\"{branches:.4}\"")
    }
}
