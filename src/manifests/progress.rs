//! How far a long audit has come, for whoever looks on.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// Files are found, standard input is put aside.
    #[default]
    Listing,
    /// The first pass: what has to be known of everything.
    Learning,
    /// The pass of rules about several objects.
    Relating,
    /// The last pass.
    Judging,
}

/// Counters that many threads count up and others look at.
#[derive(Debug, Default)]
pub struct Progress {
    stage: AtomicU8,
    bytes: AtomicU64,
    of: AtomicU64,
    objects: AtomicU64,
}

/// What the counters said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// What is being done.
    pub stage: Stage,
    /// How many bytes of the stage's have been read.
    pub bytes: u64,
    /// How many there are; 0 if nobody knows.
    pub of: u64,
    /// How many objects have been judged.
    pub objects: u64,
}

impl Progress {
    /// Begins a stage that reads so many bytes.
    pub fn begin(&self, stage: Stage, of: u64) {
        self.bytes.store(0, Relaxed);
        self.of.store(of, Relaxed);
        self.stage.store(stage as u8, Relaxed);
    }

    /// Counts bytes that have been read.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
    }

    /// Counts objects that have been judged.
    pub fn add_objects(&self, objects: u64) {
        self.objects.fetch_add(objects, Relaxed);
    }

    /// What the counters say.
    pub fn reached(&self) -> Reached {
        let stage = match self.stage.load(Relaxed) {
            stage if stage == Stage::Judging as u8 => Stage::Judging,
            stage if stage == Stage::Relating as u8 => Stage::Relating,
            stage if stage == Stage::Learning as u8 => Stage::Learning,
            _ => Stage::Listing,
        };
        let [bytes, of, objects] = [&self.bytes, &self.of, &self.objects].map(|counter| counter.load(Relaxed));
        Reached { stage, bytes, of, objects }
    }
}
