//! The few text styles that all human output shares.
//!
//! Renderers write them without asking; whoever opens the destination strips them unless it is a terminal.

use anstyle::{AnsiColor, Style};

/// Bold red: denials, failures, errors.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Yellow: warnings.
pub const CAUTION: Style = AnsiColor::Yellow.on_default();
/// Green: what passed, lines added.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Dimmed: what only matters on a second look.
pub const FAINT: Style = Style::new().dimmed();
/// Bold: names that an eye looks for.
pub const STRONG: Style = Style::new().bold();
