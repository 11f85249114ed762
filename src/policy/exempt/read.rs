//! Exemptions as they are written, read strictly.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::policy::decode::{Fields, Node};
use crate::policy::error::Reason;
use crate::policy::glob::Glob;
use crate::policy::manifest::Document;
use crate::policy::metadata::metadata;
use crate::policy::model::Source;
use crate::policy::problem::Fault;

use super::Exemption;
use super::selection::Match;

/// Whether the document is meant to be an exemption, of a version that is known.
///
/// # Errors
/// What it is instead.
pub fn is_exemption(document: &Document<'_>) -> Result<(), Reason> {
    let advice = "exemption files hold kind: Exemption only; policies go to --policies, params to --params";
    document.is_of_our_kind("Exemption", advice)
}

/// The exemption in a document; what is wrong with it is reported.
pub fn exemption(node: &Node<'_, '_>, source: Source) -> Option<Exemption> {
    node.fields(|fields| {
        fields.ignore(&["apiVersion", "kind"]);
        let metadata = metadata(fields);
        let spec = fields.require("spec", "write spec: {policies: […], match: {…}, reason: …, expires: …}")?;
        spec.fields(|spec| {
            let policies = spec.require("policies", "list the policies' names, or globs such as pss-baseline-*");
            let policies = policies.map(|list| list.strings()).unwrap_or_default();
            if policies.is_empty() {
                spec.missing("policies", "", "list at least one policy");
            }
            let matches = spec.require("match", "write match: {namespaces: […], kinds: […], names: […], labels: {…}}");
            let matches = matches.and_then(|node| match_lists(&node));
            let reason = spec.text("reason", "", "write why, for whoever finds this when it expires");
            let expires_text =
                spec.get("expires").and_then(|text| text.value().as_str()).unwrap_or_default().to_owned();
            let expires = expires(spec);
            Some(Exemption {
                name: metadata?.name,
                source,
                reason: reason?.0.trim().to_owned(),
                expires: expires?,
                expires_text,
                policies: policies.iter().map(|glob| Glob::new(glob)).collect(),
                matches: matches?,
            })
        })
    })
}

fn match_lists(node: &Node<'_, '_>) -> Option<Match> {
    node.fields(|fields| {
        let mut globs = |name| -> Vec<Glob> {
            let list = fields.get(name).map(|list| list.strings()).unwrap_or_default();
            list.iter().map(|glob| Glob::new(glob)).collect()
        };
        let matches = Match {
            namespaces: globs("namespaces"),
            kinds: globs("kinds"),
            names: globs("names"),
            containers: globs("containers"),
            images: globs("images"),
            labels: fields.get("labels").map(|labels| label_globs(&labels)).unwrap_or_default(),
        };
        if matches.is_empty() {
            let detail = "at least one of namespaces, kinds, names, labels, containers and images".to_owned();
            node.report(Fault::Required(detail), "to exempt everything write namespaces: [\"*\"]");
        }
        Some(matches)
    })
}

fn label_globs(node: &Node<'_, '_>) -> Vec<(String, Glob)> {
    let read = |(key, value): (&str, Node<'_, '_>)| Some((key.to_owned(), Glob::new(value.string()?)));
    node.entries().into_iter().filter_map(read).collect()
}

fn expires(spec: &mut Fields<'_, '_>) -> Option<SystemTime> {
    let (text, node) = spec.text("expires", "", "write the last day, for example expires: 2027-03-31")?;
    let end_of_day = |date: Date| Some(date.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp());
    let time = match text.parse::<Date>() {
        Ok(date) if !text.contains(['T', 't', ' ']) => end_of_day(date),
        _ => text.parse::<Timestamp>().ok(),
    };
    if time.is_none() {
        node.invalid(
            text,
            "must be a date or an RFC 3339 time",
            "write for example 2027-03-31 or 2027-03-31T12:00:00Z",
        );
    }
    time.map(SystemTime::from)
}
