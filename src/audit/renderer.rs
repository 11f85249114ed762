//! What a format has to be able to do, so that a report of any length is written in it.

use std::io::{self, Write};

use crate::manifests::{LeftOut, Unreadable};

use super::report::{Judged, Report};
use super::sections::Sections;
use super::unrendered::Unrendered;

/// The order of a report's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// What nobody should take for judged, or the counts, stands first.
    #[default]
    Usual,
    /// The findings were written as they came; everything else follows.
    FindingsFirst,
}

/// A format of reports. Threads render rows, for each section of [`Sections`] in the input's order; at the end they are
/// put together.
///
/// # Errors
/// Every method fails as its `out` does.
pub trait Renderer: Sync {
    /// How many bytes at the beginning of a row part it from the one before.
    fn lead(&self) -> usize;

    /// Writes an object with findings.
    fn object(&self, judged: &Judged, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what can't be read.
    fn unreadable(&self, unreadable: &Unreadable, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what has to be rendered first.
    fn unrendered(&self, unrendered: &Unrendered, out: &mut dyn Write) -> io::Result<()>;

    /// Writes a document that is no manifest, and not empty.
    fn left_out(&self, left_out: &LeftOut, out: &mut dyn Write) -> io::Result<()>;

    /// Writes what stands before findings that are written as they come.
    fn begin(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the report; in the other order, what follows the findings.
    fn finish(&self, report: &Report, rows: &mut Sections, order: Order, out: &mut dyn Write) -> io::Result<()>;
}
