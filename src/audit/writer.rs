//! Puts a report together of what comes piece by piece.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::manifests::{LeftOut, Reason, Unreadable};
use crate::policy::model::Source;

use super::renderer::{Order, Renderer};
use super::report::Report;
use super::sections::{SECTIONS, Section, Sections, Texts, of};
use super::unrendered::{Unrendered, unrendered_charts};

/// How long findings may wait for more of them before they are sent on their way.
const PATIENCE: Duration = Duration::from_millis(100);

/// What a piece of the input came to.
#[derive(Debug, Default)]
pub struct Chapter {
    texts: Texts,
    /// The documents that are no manifests.
    pub left_out: Vec<LeftOut>,
    /// See [`Report::first_refused`].
    pub refused: Option<String>,
    /// The first of each section that can't be read.
    unreadable: [Option<Unreadable>; SECTIONS.len()],
}

/// What was found, ready to be written.
#[derive(Debug, Default)]
pub struct Findings {
    /// What it says beside the findings.
    pub report: Report,
    sections: Sections,
    order: Order,
    /// Whether what stands before the findings was written.
    has_begun: bool,
    unreadable: [Option<Unreadable>; SECTIONS.len()],
    charts: Vec<Source>,
}

/// Findings that are being made.
pub struct Writer<'w, 'o> {
    renderer: &'w dyn Renderer,
    findings: Findings,
    live: Option<Live<'o>>,
}

/// Where findings are written as they come.
struct Live<'o> {
    out: &'o mut dyn Write,
    has_begun: bool,
    sent: Option<Instant>,
}

impl Findings {
    /// Writes the report, or what of it wasn't written as it came.
    ///
    /// # Errors
    /// `out` can't be written, or a temporary file not read.
    pub fn write(&mut self, renderer: &dyn Renderer, out: &mut dyn Write) -> io::Result<()> {
        if self.order == Order::FindingsFirst && !std::mem::replace(&mut self.has_begun, true) {
            renderer.begin(out)?;
        }
        renderer.finish(&self.report, &mut self.sections, self.order, out)
    }
}

impl<'w, 'o> Writer<'w, 'o> {
    /// Begins a report; with `live`, findings are written there as they come.
    pub fn new(renderer: &'w dyn Renderer, report: Report, live: Option<&'o mut dyn Write>) -> Self {
        let order = if live.is_some() { Order::FindingsFirst } else { Order::Usual };
        let live = live.map(|out| Live { out, has_begun: false, sent: None });
        Self { renderer, findings: Findings { report, order, ..Findings::default() }, live }
    }

    /// Takes what the next piece came to.
    ///
    /// # Errors
    /// The output or a temporary file can't be written.
    pub fn take(&mut self, mut chapter: Chapter) -> io::Result<()> {
        let findings = &mut self.findings;
        for section in SECTIONS {
            let text = std::mem::take(chapter.text(section));
            match &mut self.live {
                Some(live) if section == Section::Findings => live.write(&text, self.renderer)?,
                _ => findings.sections.push(section, &text)?,
            }
            let first = of(&mut findings.unreadable, section);
            *first = first.take().or_else(|| of(&mut chapter.unreadable, section).take());
        }
        let charts = chapter.left_out.iter().filter(|document| document.reason == Reason::HelmChart);
        findings.charts.extend(charts.map(|chart| chart.source.clone()));
        let refused = &mut findings.report.first_refused;
        *refused = refused.take().or(chapter.refused);
        Ok(())
    }

    /// Ends the report with what was counted and what can't be told of one piece.
    ///
    /// # Errors
    /// The output or a temporary file can't be written.
    pub fn end(
        mut self,
        counted: impl IntoIterator<Item = Report>,
        problems: impl Iterator<Item = Unreadable>,
    ) -> io::Result<Findings> {
        counted.into_iter().for_each(|counted| self.findings.report.add(counted));
        let mut chapter = Chapter::default();
        for chart in unrendered_charts(&std::mem::take(&mut self.findings.charts)) {
            chapter.unrendered(&chart, self.renderer, &mut self.findings.report)?;
        }
        for problem in problems {
            chapter.unreadable(problem, Section::Crowded, self.renderer, &mut self.findings.report)?;
        }
        self.take(chapter)?;
        self.findings.has_begun = self.live.is_some_and(|live| live.has_begun);
        let Findings { unreadable, report, .. } = &mut self.findings;
        report.first_unreadable = SECTIONS.iter().find_map(|section| of(unreadable, *section).take());
        Ok(self.findings)
    }
}

impl Live<'_> {
    fn write(&mut self, rows: &[u8], renderer: &dyn Renderer) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let lead = if self.has_begun { 0 } else { renderer.lead() };
        if !std::mem::replace(&mut self.has_begun, true) {
            renderer.begin(self.out)?;
        }
        self.out.write_all(rows.get(lead..).unwrap_or_default())?;
        if self.sent.is_none_or(|sent| sent.elapsed() >= PATIENCE) {
            self.out.flush()?;
            self.sent = Some(Instant::now());
        }
        Ok(())
    }
}

impl Chapter {
    /// Its part of a section.
    pub fn text(&mut self, section: Section) -> &mut Vec<u8> {
        of(&mut self.texts, section)
    }

    /// Adds what has to be rendered first.
    ///
    /// # Errors
    /// None: it is rendered into memory.
    pub fn unrendered(&mut self, found: &Unrendered, renderer: &dyn Renderer, report: &mut Report) -> io::Result<()> {
        report.summary.unrendered += 1;
        renderer.unrendered(found, self.text(Section::Unrendered))
    }

    /// Adds what can't be read to its section.
    ///
    /// # Errors
    /// None: it is rendered into memory.
    pub fn unreadable(
        &mut self,
        found: Unreadable,
        section: Section,
        renderer: &dyn Renderer,
        report: &mut Report,
    ) -> io::Result<()> {
        report.summary.unreadable += 1;
        renderer.unreadable(&found, self.text(section))?;
        of(&mut self.unreadable, section).get_or_insert(found);
        Ok(())
    }
}
