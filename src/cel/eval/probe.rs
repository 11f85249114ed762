//! Parts of instrumented programs, which report what they give. Nothing else is different about them.

use super::{Local, Machine, Outcome};
use crate::cel::plan::node::{Probe, Slots};
use crate::cel::probe::Element;

impl<'a> Machine<'a, '_> {
    #[cold]
    #[inline(never)]
    pub(in crate::cel) fn probe(&mut self, probe: &'a Probe) -> Outcome<'a> {
        self.reported(probe, |machine| machine.eval(&probe.inner))
    }

    /// Does what evaluates a part, and reports that.
    pub(super) fn reported(
        &mut self,
        probe: &'a Probe,
        evaluate: impl FnOnce(&mut Self) -> Outcome<'a>,
    ) -> Outcome<'a> {
        let scope = self.variables.scope;
        if let Some(recorder) = &self.variables.recorder {
            recorder.begins(scope, probe.site, probe.element.and_then(|slots| self.element(slots)));
        }
        let outcome = evaluate(self);
        if let Some(recorder) = &self.variables.recorder {
            recorder.ends(scope, probe.site, &outcome);
        }
        outcome
    }

    fn element(&self, slots: Slots) -> Option<Element<'a>> {
        let value = |slot| match self.locals.get(slot) {
            Some(Local::Value(value)) => Some(*value),
            _ => None,
        };
        let second = if slots.two { value(slots.first + 1) } else { None };
        Some(Element { first: value(slots.first)?, second })
    }
}
