//! Policies for the API server itself: what Portcullis adds around a policy becomes part of the policy.
//!
//! In Portcullis a policy about pods judges the pods of workloads, too, exemptions set its findings aside, and params are
//! where the server is. In the API server a policy judges what its rules name, and no more. So each policy about pods
//! gets a sister for each place where workloads have their pod template, with the fields of its expressions moved
//! there; exemptions become match conditions; params become constants, where they are to.
//!
//! What an exported policy can't say as it is said here is left out and told, never guessed.

mod draft;
mod exempt;
mod layout;
mod manifest;
mod params;
mod pods;
mod rules;
mod shape;
mod statics;
#[cfg(test)]
mod tests;
mod text;
mod usage;

use std::collections::BTreeSet;
use std::time::SystemTime;

use crate::policy::model::Rules;
use crate::policy::{LoadedPolicies, Manifest, Tree};

use draft::Draft;

/// How policies are exported.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// Kubernetes 1.`minor`, whose expressions the policies are written in.
    pub minor: u32,
    /// Leaves policies about pods to pods.
    pub pods_only: bool,
    /// Writes params into the expressions as constants.
    pub inline: bool,
    /// Gives the objects the names of static ones, which the API server reads from its own disk; params are inlined.
    pub statics: bool,
    /// The exemptions to fold in, free of mistakes.
    pub exemptions: &'o [Manifest],
    /// When exemptions count as expired.
    pub now: SystemTime,
}

/// What was exported.
#[derive(Debug, Default)]
pub struct Exported {
    /// The objects, in the order in which they can be applied: params, policies, bindings, each sorted by name.
    pub objects: Vec<Tree>,
    /// What the objects don't do that Portcullis does, each about one policy or all of them.
    pub notes: Vec<Note>,
}

/// Something that whoever installs the objects has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The policy or binding; empty for what is about all.
    pub about: String,
    /// What and why.
    pub text: String,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let colon = if self.about.is_empty() { "" } else { ": " };
        write!(f, "{}{colon}{}", self.about, self.text)
    }
}

/// Exports policies, which have to be free of mistakes.
pub fn export(loaded: &LoadedPolicies, options: Options<'_>) -> Exported {
    let mut notes = Vec::new();
    let mut drafts: Vec<Draft> = Vec::new();
    let names: BTreeSet<&str> = loaded.policies.iter().map(|policy| policy.name.as_str()).collect();
    for policy in &loaded.policies {
        let draft = Draft::of(policy);
        if !options.pods_only && matches!(policy.rules, Rules::Validate { .. }) {
            let extended = pods::extended(&draft, options.minor, &mut notes);
            drafts.extend(extended.into_iter().filter(|draft| {
                let is_new = !names.contains(draft.name.as_str());
                if !is_new {
                    let text = format!("there is a policy {} already, so it is left to pods", draft.name);
                    notes.push(Note { about: policy.name.clone(), text });
                }
                is_new
            }));
        }
        drafts.push(draft);
    }
    note_repairs(&drafts, &mut notes);
    exempt::fold(&mut drafts, options.exemptions, options.now, &mut notes);
    if options.inline || options.statics {
        let inline = |draft| params::inlined(draft, &loaded.params, options.minor, &mut notes);
        drafts = drafts.into_iter().flat_map(inline).collect();
    }
    if options.statics {
        drafts = drafts.into_iter().map(statics::named).collect();
    }
    for draft in &mut drafts {
        if let Err(why) = draft.change(options.minor, |_, text, env| layout::laid_out(text, env)) {
            notes.push(Note { about: draft.name.clone(), text: format!("its expressions are as they were: {why}") });
        }
    }
    let objects = manifest::objects(&drafts, &loaded.params);
    Exported { objects, notes }
}

/// Says what mutating policies don't do for workloads.
fn note_repairs(drafts: &[Draft], notes: &mut Vec<Note>) {
    let repairing: Vec<&str> = drafts.iter().filter(|draft| draft.mutates()).map(|draft| draft.name.as_str()).collect();
    if repairing.is_empty() || !drafts.iter().any(|draft| draft.extends.is_some()) {
        return;
    }
    let text = format!(
        "the API server judges workloads as they are written, and pods after mutating policies changed them: a workload \
         may be refused for what {} would repair in its pods; write it into the template, or leave workloads out with \
         --pods-only",
        repairing.join(", ")
    );
    notes.push(Note { about: String::new(), text });
}
