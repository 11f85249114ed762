//! Exemptions as match conditions: what is exempt isn't judged.
//!
//! CEL has no clock, so an exemption that is in force stays so until the policies are exported again; and the API server
//! says nothing of what it didn't judge.

use std::collections::BTreeSet;
use std::time::SystemTime;

use regex::Regex;

use crate::json::{Arena, Value, write_json_string};
use crate::policy::{Document, Exemptions, Manifest};

use super::Note;
use super::draft::{Draft, Named};
use super::shape::shapes;

/// The annotation that names what a policy's condition exempts.
const ANNOTATION: &str = "portcullis.dev/exempts";
/// The match condition.
const CONDITION: &str = "not-exempt";

/// Folds the exemptions of `manifests`, which have to be free of mistakes, into the policies that they are about.
pub fn fold(drafts: &mut [Draft], manifests: &[Manifest], now: SystemTime, notes: &mut Vec<Note>) {
    let arena = Arena::new();
    let (known, _) = Exemptions::load(manifests);
    let documents: Vec<Document<'_>> =
        manifests.iter().flat_map(|manifest| manifest.objects(&arena, &mut Vec::new())).collect();
    for exemption in known.all() {
        let is_it = |document: &&Document<'_>| document.text(&["metadata", "name"]) == exemption.name;
        let Some(document) = documents.iter().find(is_it) else { continue };
        let mut note = |text: String| notes.push(Note { about: exemption.name.clone(), text });
        if exemption.has_expired(now) {
            note(format!("the exemption has expired ({}), so it is left out", exemption.expires_text));
            continue;
        }
        let selection = document.value.at(&["spec", "match"]).unwrap_or(Value::Null);
        if ["containers", "images"].into_iter().any(|part| !texts(selection.get(part)).is_empty()) {
            note(
                "the exemption is left out: it is about some containers or images, and a match condition sets a whole \
                 object aside"
                    .to_owned(),
            );
            continue;
        }
        let policies: Vec<_> = texts(document.value.at(&["spec", "policies"]));
        let mut folded = BTreeSet::new();
        for draft in drafts.iter_mut().filter(|draft| !draft.mutates()) {
            let name = draft.extends.as_deref().unwrap_or(&draft.name);
            if policies.iter().any(|policy| matches(policy, name)) {
                folded.insert(name.to_owned());
                add(draft, selection, &format!("{} (until {})", exemption.name, exemption.expires_text));
            }
        }
        if !folded.is_empty() {
            let policies: Vec<_> = folded.into_iter().collect();
            note(format!(
                "the exemption is a match condition of {}; it ends when the policies are exported again after {}",
                policies.join(", "),
                exemption.expires_text
            ));
        }
    }
}

/// Keeps what an exemption selects from being judged.
fn add(draft: &mut Draft, selection: Value<'_>, label: &str) {
    let exempt = format!("!({})", selected(draft, selection));
    match draft.conditions.iter_mut().find(|condition| condition.name == CONDITION) {
        Some(condition) => condition.expression = format!("{} && {exempt}", condition.expression),
        None => draft.conditions.insert(0, Named { name: CONDITION.to_owned(), expression: exempt }),
    }
    match draft.annotations.iter_mut().find(|(key, _)| key == ANNOTATION) {
        Some((_, labels)) => *labels = format!("{labels}, {label}"),
        None => draft.annotations.push((ANNOTATION.to_owned(), label.to_owned())),
    }
}

/// Whether an exemption selects the object of a request, as an expression.
fn selected(draft: &Draft, selection: Value<'_>) -> String {
    const NAME: &str =
        "request.?name.or(object == null ? optional.none() : object.metadata.?generateName).orValue(\"\")";
    let mut terms = Vec::new();
    for (list, text) in
        [("namespaces", "request.?namespace.orValue(\"\")"), ("kinds", "request.kind.kind"), ("names", NAME)]
    {
        let globs = texts(selection.get(list));
        if !globs.is_empty() {
            terms.push(matching(text, &globs));
        }
    }
    let labels = selection.get("labels").and_then(|labels| labels.as_object()).unwrap_or_default();
    if !labels.is_empty() {
        let template = shapes()
            .into_iter()
            .find(|shape| draft.extends.as_ref().is_some_and(|name| draft.name == format!("{name}-{}", shape.suffix)));
        let mut places = vec!["object".to_owned()];
        places.extend(template.map(|shape| format!("object.{}", shape.path())));
        let labelled = |place: &String| {
            let label = |(key, glob): &(&str, Value<'_>)| {
                let label = format!("{place}.metadata.?labels[?{}]", quoted(key));
                let value = glob.as_str().unwrap_or_default();
                format!("{label}.optMap(value, {}).orValue(false)", matching("value", &[value]))
            };
            let all: Vec<String> = labels.members().iter().map(label).collect();
            format!("({})", all.join(" && "))
        };
        let places: Vec<String> = places.iter().map(labelled).collect();
        terms.push(format!("object != null && ({})", places.join(" || ")));
    }
    terms.join(" && ")
}

/// Whether a text matches one of the globs, as an expression.
fn matching(text: &str, globs: &[&str]) -> String {
    if globs.iter().any(|glob| glob.contains(['*', '?'])) {
        let patterns: Vec<String> = globs.iter().map(|glob| pattern(glob)).collect();
        return format!("{text}.matches({})", quoted(&format!("(?s)^(?:{})$", patterns.join("|"))));
    }
    let listed: Vec<String> = globs.iter().map(|glob| quoted(glob)).collect();
    format!("{text} in [{}]", listed.join(", "))
}

fn matches(glob: &str, text: &str) -> bool {
    Regex::new(&format!("(?s)^(?:{})$", pattern(glob))).is_ok_and(|pattern| pattern.is_match(text))
}

/// A glob as a regular expression.
fn pattern(glob: &str) -> String {
    let part = |char: char| match char {
        '*' => ".*".to_owned(),
        '?' => ".".to_owned(),
        other => regex::escape(other.encode_utf8(&mut [0; 4])),
    };
    glob.chars().map(part).collect()
}

/// A string constant: escapes of JSON are escapes of CEL.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    write_json_string(&mut quoted, text);
    quoted
}

fn texts<'v>(list: Option<Value<'v>>) -> Vec<&'v str> {
    let elements = list.and_then(|list| list.as_array()).unwrap_or_default();
    elements.iter().filter_map(|element| element.as_str()).collect()
}
