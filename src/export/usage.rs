//! Which variables decide, and which serve only what is said.

use std::collections::BTreeSet;

use crate::cel::rewrite::{Reference, Replacement, Rewrite};

use super::draft::{Draft, Place};

/// The variables that a verdict depends on, through whatever other variables.
///
/// # Errors
/// An expression doesn't compile.
pub fn deciding(draft: &Draft, minor: u32) -> Result<BTreeSet<String>, String> {
    let mut uses: Vec<(Option<String>, BTreeSet<String>)> = Vec::new();
    draft.clone().change(minor, |place, text, env| {
        let mut read = Read::default();
        crate::cel::rewrite::rewrite(text, env, &mut read).map_err(|error| error.message)?;
        match place {
            Place::Variable(name) => uses.push((Some(name.to_owned()), read.variables)),
            Place::Message | Place::AuditAnnotation => {}
            Place::Condition(_) | Place::Validation | Place::Mutation => uses.push((None, read.variables)),
        }
        Ok(text.to_owned())
    })?;
    let mut deciding: BTreeSet<String> = BTreeSet::new();
    // Variables read only those before them, so the last comes first.
    for (name, read) in uses.iter().filter(|(name, _)| name.is_none()).chain(uses.iter().rev()) {
        if name.as_ref().is_none_or(|name| deciding.contains(name)) {
            deciding.extend(read.iter().cloned());
        }
    }
    Ok(deciding)
}

/// Notes which variables an expression reads.
#[derive(Default)]
struct Read {
    variables: BTreeSet<String>,
}

impl Rewrite for Read {
    fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        if let ("variables", Some(name)) = (reference.root, reference.fields.first()) {
            self.variables.insert((*name).to_owned());
        }
        Ok(Replacement::Same)
    }
}
