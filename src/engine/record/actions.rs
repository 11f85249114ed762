//! What a binding's actions come to under the mode, and how upstream spells and answers them.

use crate::engine::decision::{Mode, Verdict};
use crate::policy::model::ValidationAction;

/// The binding's actions under the mode, each once, in the binding's order.
pub fn effective_actions(actions: &[ValidationAction], mode: Mode) -> Vec<ValidationAction> {
    let mut effective = Vec::with_capacity(actions.len());
    for action in actions {
        let capped = match mode {
            Mode::Enforce => *action,
            Mode::Warn => (*action).min(ValidationAction::Warn),
            // A warning refuses nothing; whoever wrote it wants it seen.
            Mode::Audit if *action == ValidationAction::Deny => ValidationAction::Audit,
            Mode::Audit => *action,
        };
        if !effective.contains(&capped) {
            effective.push(capped);
        }
    }
    effective
}

/// What a verdict comes to under the mode.
pub fn cap(verdict: Verdict, mode: Mode) -> Verdict {
    match (verdict, mode) {
        (Verdict::Deny, Mode::Warn) => Verdict::Warn,
        (Verdict::Deny, Mode::Audit) => Verdict::Audit,
        (verdict, _) => verdict,
    }
}

/// The verdict that an action amounts to.
pub fn verdict_of(action: ValidationAction) -> Verdict {
    match action {
        ValidationAction::Audit => Verdict::Audit,
        ValidationAction::Warn => Verdict::Warn,
        ValidationAction::Deny => Verdict::Deny,
    }
}

/// The HTTP status of a reason. Upstream: `reasonToCode`.
pub fn reason_to_code(reason: &str) -> u16 {
    match reason {
        "Forbidden" => 403,
        "Unauthorized" => 401,
        "RequestEntityTooLarge" => 413,
        _ => 422,
    }
}
