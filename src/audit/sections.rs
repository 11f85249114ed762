//! The parts of a report while it is made: in memory while they are short, then in temporary files.

use std::io::{self, Read, Seek, Write};

use tempfile::SpooledTempFile;

/// How much of a part is kept in memory, in bytes.
const IN_MEMORY: usize = 4 << 20;

/// A part of a report, rendered row by row. The order is that in which what can't be read is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// Objects with what was found about them.
    Findings,
    /// Documents that can't be read.
    Broken,
    /// What isn't judged everywhere that it goes, and kustomizations that can't be followed.
    Crowded,
    /// Files that can't be read.
    Unread,
    /// What has to be rendered first.
    Unrendered,
    /// Documents that are no manifests.
    LeftOut,
}

/// All of them.
pub const SECTIONS: [Section; 6] =
    [Section::Findings, Section::Broken, Section::Crowded, Section::Unread, Section::Unrendered, Section::LeftOut];

/// The sections of a report.
#[derive(Debug)]
pub struct Sections {
    texts: [Spooled; SECTIONS.len()],
}

#[derive(Debug)]
struct Spooled {
    text: SpooledTempFile,
    is_empty: bool,
}

/// The sections of one piece of the input.
pub type Texts = [Vec<u8>; SECTIONS.len()];

impl Default for Sections {
    fn default() -> Self {
        Self { texts: SECTIONS.map(|_| Spooled { text: SpooledTempFile::new(IN_MEMORY), is_empty: true }) }
    }
}

impl Sections {
    /// Appends rows to a section.
    ///
    /// # Errors
    /// A temporary file can't be written.
    pub fn push(&mut self, section: Section, rows: &[u8]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let Spooled { text, is_empty } = of(&mut self.texts, section);
        *is_empty = false;
        text.write_all(rows)
            .map_err(|error| io::Error::new(error.kind(), format!("a temporary file (TMPDIR): {error}")))
    }

    /// Whether nothing was appended to a section.
    pub fn is_empty(&mut self, section: Section) -> bool {
        of(&mut self.texts, section).is_empty
    }

    /// Writes the rows of a section but for the first `skip` bytes.
    ///
    /// # Errors
    /// A temporary file can't be read, or `out` written.
    pub fn write(&mut self, section: Section, skip: usize, out: &mut dyn Write) -> io::Result<()> {
        let text = &mut of(&mut self.texts, section).text;
        text.seek(io::SeekFrom::Start(skip as u64))?;
        let mut part = vec![0; 64 << 10];
        loop {
            let read = text.read(&mut part)?;
            if read == 0 {
                return Ok(());
            }
            out.write_all(part.get(..read).unwrap_or_default())?;
        }
    }
}

/// That of a section among what there is for each.
pub fn of<T>(all: &mut [T; SECTIONS.len()], section: Section) -> &mut T {
    let [findings, broken, crowded, unread, unrendered, left_out] = all;
    match section {
        Section::Findings => findings,
        Section::Broken => broken,
        Section::Crowded => crowded,
        Section::Unread => unread,
        Section::Unrendered => unrendered,
        Section::LeftOut => left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_more_than_fits_into_memory() -> io::Result<()> {
        let mut sections = Sections::default();
        let row = vec![b'a'; 1 << 20];
        for _ in 0..6 {
            sections.push(Section::Findings, &row)?;
        }
        sections.push(Section::LeftOut, b",x")?;
        assert!(of(&mut sections.texts, Section::Findings).text.is_rolled());
        let mut out = Vec::new();
        sections.write(Section::Findings, 0, &mut out)?;
        assert_eq!(out.len(), 6 << 20);
        out.clear();
        sections.write(Section::LeftOut, 1, &mut out)?;
        assert_eq!(out, b"x");
        assert!(sections.is_empty(Section::Broken) && !sections.is_empty(Section::LeftOut));
        Ok(())
    }
}
