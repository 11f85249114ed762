//! Params as constants: a policy for each set of params that its bindings choose, which needs none any more.

use crate::cel::rewrite::{Reference, Replacement, Rewrite};
use crate::json::{Arena, Value};
use crate::policy::Params;

use super::Note;
use super::draft::{Draft, DraftBinding};

/// The policy with its params in place, once for each object that its bindings refer to. What can't be known without a
/// request, or isn't there, leaves the binding out, with a note.
pub fn inlined(draft: Draft, params: &Params, minor: u32, notes: &mut Vec<Note>) -> Vec<Draft> {
    if draft.param_kind.is_none() {
        return vec![draft];
    }
    let arena = Arena::new();
    let mut note = |about: &str, text: String| notes.push(Note { about: about.to_owned(), text });
    let mut sets: Vec<(Value<'_>, Vec<DraftBinding>)> = Vec::new();
    for binding in &draft.bindings {
        let chosen = match chosen(&arena, &draft, binding, params) {
            Ok(chosen) => chosen,
            Err(why) => {
                note(&binding.name, format!("it is left out, as its params can't be inlined: {why}"));
                continue;
            }
        };
        let several = chosen.len() > 1;
        for object in chosen {
            let name = if several { format!("{}-{}", binding.name, name(object)) } else { binding.name.clone() };
            let binding = DraftBinding { name, param_ref: None, ..binding.clone() };
            match sets.iter_mut().find(|(known, _)| *known == object) {
                Some((_, bindings)) => bindings.push(binding),
                None => sets.push((object, vec![binding])),
            }
        }
    }
    let several = sets.len() > 1;
    let mut drafts = Vec::new();
    for (object, bindings) in sets {
        let mut inlined = Draft { bindings, ..draft.clone() };
        // Params that are called as their policy need no name besides.
        if several && name(object) != draft.extends.as_deref().unwrap_or(&draft.name) {
            inlined.name = format!("{}-{}", draft.name, name(object));
        }
        match inlined.rewrite(minor, |_| Known { params: object }) {
            Ok(()) => drafts.push(Draft { param_kind: None, ..inlined }),
            Err(why) => note(&inlined.name, format!("it is left out, as its params can't be inlined: {why}")),
        }
    }
    drafts
}

/// The objects that a binding refers to, whatever the request.
fn chosen<'a>(
    arena: &'a Arena,
    draft: &Draft,
    binding: &DraftBinding,
    params: &'a Params,
) -> Result<Vec<Value<'a>>, String> {
    let Some(reference) = &binding.param_ref else {
        return Err("it has no paramRef, so its policy's expressions see none".to_owned());
    };
    let found = params.resolve(arena, draft.param_kind.as_ref(), Some(reference), "").map_err(|e| e.to_string())?;
    if found.is_empty() {
        Err("there are none, and then it doesn't judge".to_owned())
    } else {
        Ok(found.iter().map(|found| found.value()).collect())
    }
}

fn name(object: Value<'_>) -> &str {
    object.at(&["metadata", "name"]).and_then(|name| name.as_str()).unwrap_or_default()
}

/// Knows what params are.
struct Known<'p> {
    params: Value<'p>,
}

impl Rewrite for Known<'_> {
    fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        if reference.root != "params" {
            return Ok(Replacement::Same);
        }
        let mut value = self.params;
        for (at, field) in reference.fields.iter().enumerate() {
            match value.get(field) {
                Some(found) => value = found,
                None if value.as_object().is_some() => return Ok(Replacement::Absent(at + 1)),
                None => return Err(format!("{reference} has no fields to select")),
            }
        }
        Ok(Replacement::Value(value))
    }
}
