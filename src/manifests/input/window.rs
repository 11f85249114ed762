//! The part of a file that is looked at.

use std::io::{self, Read, Seek, SeekFrom};

/// How much is read at once, in bytes, at least and at most.
const STEP: std::ops::Range<usize> = 64 << 10..4 << 20;

/// The bytes of a file from a place on that only moves forward, as many as were asked for.
#[derive(Debug)]
pub struct Window<R> {
    from: R,
    bytes: Vec<u8>,
    /// Where in `bytes` the place is.
    start: usize,
    /// The place, in bytes from the beginning of the file.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
    /// Whether `bytes` go to the end of the file.
    pub at_end: bool,
}

impl<R: Read + Seek> Window<R> {
    /// The beginning of a file.
    pub fn new(from: R) -> Self {
        Self { from, bytes: Vec::new(), start: 0, offset: 0, line: 1, at_end: false }
    }

    /// What has been read from the place on.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    /// Reads as much again as is there, within limits, so that a large document is moved seldom.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn fill(&mut self) -> io::Result<()> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let more = self.bytes.len().clamp(STEP.start, STEP.end) as u64;
        let read = self.from.by_ref().take(more).read_to_end(&mut self.bytes)?;
        self.at_end = (read as u64) < more;
        Ok(())
    }

    /// Moves the place by so many bytes of those that are there.
    pub fn pass(&mut self, count: usize) {
        let passed = self.rest().get(..count).unwrap_or_default();
        let (count, lines) = (passed.len(), newlines(passed));
        self.line += lines;
        self.offset += count as u64;
        self.start += count;
    }

    /// Moves the place to an offset, whose line is known.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn jump(&mut self, offset: u64, line: u64) -> io::Result<()> {
        self.line = line;
        let ahead = offset.checked_sub(self.offset).and_then(|ahead| usize::try_from(ahead).ok());
        match ahead.filter(|ahead| *ahead <= self.rest().len()) {
            Some(ahead) => self.start += ahead,
            None => {
                self.from.seek(SeekFrom::Start(offset))?;
                self.bytes.clear();
                (self.start, self.at_end) = (0, false);
            }
        }
        self.offset = offset;
        Ok(())
    }

    /// The byte `ahead` of the place, read if it has to be; `None` behind the end.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn peek(&mut self, ahead: usize) -> io::Result<Option<u8>> {
        loop {
            match self.rest().get(ahead) {
                Some(byte) => return Ok(Some(*byte)),
                None if self.at_end => return Ok(None),
                None => self.fill()?,
            }
        }
    }

    /// The distance from the place to the next byte from `ahead` on that is no white space of JSON.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn skip_space(&mut self, mut ahead: usize) -> io::Result<usize> {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.peek(ahead)? {
            ahead += 1;
        }
        Ok(ahead)
    }
}

/// How many line breaks there are.
pub fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
