//! The audit of an input of any size: passes over it on all cores, findings in its order.
//!
//! The first pass ([`learn`]) collects what has to be known of everything before any object is in its namespace. Where
//! rules about several objects are on, the next one collects for them. The last one reads, judges and renders piece by piece: what [`pipeline`] has under way is
//! all that is held.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use crate::engine::PolicySet;
use crate::json::{Arena, Value};
use crate::manifests::{
    Collection, Inputs, Known, Learning, LeftOut, Piece, Progress, Reason, Sorted, Stage, Unbuilt, Unreadable,
};

use super::across::Across;
use super::judge::{Options, judge};
use super::pipeline;
use super::renderer::Renderer;
use super::report::{Filter, Report};
use super::sections::Section;
use super::unrendered::unrendered;
use super::writer::{Chapter, Findings, Writer};

/// How many manifests in memory are one job.
const MANIFESTS: usize = 64;

/// How much memory a thread keeps from one object to the next, in bytes.
const KEPT: usize = 4 << 20;

/// How an audit is done.
#[derive(Clone, Copy)]
pub struct Audit<'a> {
    /// What is judged by.
    pub policies: &'a PolicySet,
    /// Who creates the objects, and when.
    pub options: &'a Options,
    /// Which findings count.
    pub filter: &'a Filter,
    /// How the report is written.
    pub renderer: &'a dyn Renderer,
    /// How many threads judge.
    pub threads: usize,
    /// Counts what has been done.
    pub progress: &'a Progress,
}

/// The first pass over an input: what has to be known before any object of it can be judged; namespaced objects without a
/// namespace get `namespace`. `define` is shown the objects that may define kinds.
pub fn learn(
    inputs: &Inputs,
    namespace: &str,
    threads: usize,
    progress: &Progress,
    mut define: impl FnMut(Value<'_>),
) -> Known {
    progress.begin(Stage::Learning, inputs.bytes());
    let kustomizations = inputs.kustomizations();
    let mut learning = Learning::default();
    let work = |arena: &mut Arena, piece: Piece| {
        let learned = piece.learned(inputs, &kustomizations, arena);
        recycle(arena);
        progress.add_bytes(piece.bytes);
        learned
    };
    let take = |learned| {
        learning.add(learned, &mut define);
        Ok::<(), Infallible>(())
    };
    let Ok(_) = pipeline::in_order(threads, inputs.pieces(), Arena::new, work, take);
    learning.finish(kustomizations, namespace)
}

impl Audit<'_> {
    /// The passes behind the first. With `live`, findings are written there as they come; `left_out` is shown every document that is no
    /// manifest.
    ///
    /// # Errors
    /// `live` or a temporary file can't be written.
    pub fn run(
        &self,
        inputs: &Inputs,
        known: &Known,
        live: Option<&mut dyn Write>,
        left_out: &mut dyn FnMut(&LeftOut),
    ) -> io::Result<Findings> {
        let across = self.across(inputs, known);
        self.progress.begin(Stage::Judging, inputs.bytes());
        let work = |judge: &mut Judge<'_>, piece: Piece| {
            let bytes = piece.bytes;
            let chapter = judge.piece(piece, inputs);
            self.progress.add_bytes(bytes);
            chapter
        };
        self.judge((known, across.as_ref()), known.unbuilt(), (inputs.pieces(), work), live, left_out)
    }

    /// The same for an input in memory with what was built of it, and the files that can't be read.
    ///
    /// # Errors
    /// A temporary file can't be written.
    pub fn run_collection(
        &self,
        collection: &Collection<'_>,
        unread: &[Unreadable],
        left_out: &mut dyn FnMut(&LeftOut),
    ) -> io::Result<Findings> {
        let first = Sorted {
            left_out: collection.left_out.clone(),
            broken: collection.unreadable.clone(),
            unread: unread.to_vec(),
            ..Sorted::default()
        };
        let manifests = collection.manifests.chunks(MANIFESTS);
        let rest = manifests.map(|manifests| Sorted { manifests: manifests.to_vec(), ..Sorted::default() });
        let jobs = std::iter::once(first).chain(rest);
        let work = |judge: &mut Judge<'_>, sorted: Sorted<'_>| {
            let mut chapter = Chapter::default();
            judge.sorted(sorted, &mut chapter).map(|()| chapter)
        };
        let across = self.has_rules().then(|| {
            let mut across = Across::new(&collection.unbuilt);
            across.learn(&collection.manifests, &collection.left_out);
            across
        });
        self.judge((&collection.known, across.as_ref()), collection.unbuilt.clone(), (jobs, work), None, left_out)
    }

    fn has_rules(&self) -> bool {
        !self.options.rules.is_empty()
    }

    /// The pass of rules about several objects, if any is on: each object has to be in its namespace, which only the first
    /// pass tells.
    fn across(&self, inputs: &Inputs, known: &Known) -> Option<Across> {
        if !self.has_rules() {
            return None;
        }
        self.progress.begin(Stage::Relating, inputs.bytes());
        let across = Mutex::new(Across::new(&known.unbuilt()));
        let work = |arena: &mut Arena, piece: Piece| {
            let bytes = piece.bytes;
            piece.sort(inputs, known, arena, |sorted| {
                across.lock().unwrap_or_else(PoisonError::into_inner).learn(&sorted.manifests, &sorted.left_out);
            });
            recycle(arena);
            self.progress.add_bytes(bytes);
        };
        let Ok(_) = pipeline::in_order(self.threads, inputs.pieces(), Arena::new, work, |()| Ok::<(), Infallible>(()));
        Some(across.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn judge<J: Send>(
        &self,
        (known, across): (&Known, Option<&Across>),
        unbuilt: Vec<Unbuilt>,
        (jobs, work): (impl Iterator<Item = J> + Send, impl Fn(&mut Judge<'_>, J) -> io::Result<Chapter> + Sync),
        live: Option<&mut dyn Write>,
        left_out: &mut dyn FnMut(&LeftOut),
    ) -> io::Result<Findings> {
        let report = || Report::new(self.policies.exemptions(), self.options.now);
        let mut writer = Writer::new(self.renderer, Report { unbuilt, ..report() }, live);
        let take = |chapter: io::Result<Chapter>| {
            let chapter = chapter?;
            chapter.left_out.iter().for_each(&mut *left_out);
            writer.take(chapter)
        };
        let start =
            || Judge { audit: *self, known, across, documents: Arena::new(), review: Arena::new(), report: report() };
        let judges = pipeline::in_order(self.threads, jobs, start, work, take)?;
        writer.end(judges.into_iter().map(|judge| judge.report), known.problems())
    }
}

/// What a thread has to itself.
struct Judge<'a> {
    audit: Audit<'a>,
    known: &'a Known,
    across: Option<&'a Across>,
    documents: Arena,
    review: Arena,
    report: Report,
}

impl Judge<'_> {
    fn piece(&mut self, piece: Piece, inputs: &Inputs) -> io::Result<Chapter> {
        let mut chapter = Chapter::default();
        let mut documents = std::mem::take(&mut self.documents);
        let mut result = Ok(());
        piece.sort(inputs, self.known, &mut documents, |sorted| {
            let judged = self.sorted(sorted, &mut chapter);
            result = std::mem::replace(&mut result, Ok(())).and(judged);
        });
        recycle(&mut documents);
        self.documents = documents;
        result.map(|()| chapter)
    }

    fn sorted(&mut self, sorted: Sorted<'_>, chapter: &mut Chapter) -> io::Result<()> {
        let Audit { policies, options, filter, renderer, progress, .. } = self.audit;
        progress.add_objects(sorted.manifests.len() as u64);
        for manifest in &sorted.manifests {
            if let Some(found) = unrendered(manifest, &self.known.chart_sources) {
                chapter.unrendered(&found, renderer, &mut self.report)?;
            }
            let known = (self.known, self.across);
            let judged = judge(&self.review, manifest, known, policies, (options, filter), &mut self.report);
            recycle(&mut self.review);
            if !judged.findings.is_empty() {
                renderer.object(&judged, chapter.text(Section::Findings))?;
                chapter.refused = chapter.refused.take().or_else(|| judged.refused());
            }
        }
        let unreadable =
            [(Section::Broken, sorted.broken), (Section::Crowded, sorted.crowded), (Section::Unread, sorted.unread)];
        for (section, unreadable) in unreadable {
            for found in unreadable {
                chapter.unreadable(found, section, renderer, &mut self.report)?;
            }
        }
        for document in sorted.left_out {
            self.report.leave_out(document.reason);
            if document.reason != Reason::Empty {
                renderer.left_out(&document, chapter.text(Section::LeftOut))?;
            }
            chapter.left_out.push(document);
        }
        Ok(())
    }
}

/// Empties an arena, and gives back what a large object took.
fn recycle(arena: &mut Arena) {
    if arena.allocated_bytes() > KEPT {
        *arena = Arena::new();
    } else {
        arena.reset();
    }
}
