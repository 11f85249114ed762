//! What exemptions make of a finding: what they set aside, each of it, and what remains.
//!
//! An exemption from some containers or images covers what a message says of those, and of nothing else. A message tells
//! by its field paths; what names no field, or one outside containers, concerns the whole object.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::engine::decision::Offender;
use crate::engine::expand::pod_spec;
use crate::engine::field::{self, Step};
use crate::json::Value;
use crate::policy::{Exemption, Part};

/// What one exemption sets aside of a finding, or what none does.
#[derive(Debug)]
pub struct Share<'a> {
    /// The exemption, if one is in force.
    pub exemption: Option<&'a Exemption>,
    /// The message, as far as it is about this share.
    pub message: String,
    /// The exemptions that are written for it, with how many of its offenders each covers; with none, those whose part
    /// of the object the message says nothing of.
    pub covered_by: Vec<(&'a Exemption, usize)>,
}

/// Divides a message about `object` among the exemptions that select the object; what none covers comes first.
pub fn divide<'a>(message: String, object: Value<'_>, selecting: &[&'a Exemption], now: SystemTime) -> Vec<Share<'a>> {
    if selecting.is_empty() {
        return vec![Share { exemption: None, message, covered_by: Vec::new() }];
    }
    let offenders: Vec<(Offender, Option<Vec<Part<'_>>>)> = field::offenders(&message)
        .into_iter()
        .map(|offender| {
            let concerned = concerned(object, &offender.message);
            (offender, concerned)
        })
        .collect();
    let mut shares: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    for (at, (_, concerned)) in offenders.iter().enumerate() {
        let by = |exemption: &&Exemption| !exemption.has_expired(now) && covers(exemption, concerned.as_deref());
        shares.entry(selecting.iter().position(by)).or_default().push(at);
    }
    let count = |exemption: &Exemption, share: &[usize]| {
        let offenders = share.iter().filter_map(|at| offenders.get(*at));
        offenders.filter(|(_, concerned)| covers(exemption, concerned.as_deref())).count()
    };
    let is_whole = shares.len() == 1;
    let mut divided: Vec<Share<'a>> = shares
        .iter()
        .map(|(by, share)| {
            let texts = share.iter().filter_map(|at| Some(offenders.get(*at)?.0.message.as_str()));
            let counted = selecting.iter().map(|exemption| (*exemption, count(exemption, share)));
            Share {
                exemption: by.and_then(|by| selecting.get(by).copied()),
                message: if is_whole { message.clone() } else { field::joined(texts) },
                covered_by: counted.filter(|(_, offenders)| *offenders > 0).collect(),
            }
        })
        .collect();
    let is_idle = |exemption: &&&Exemption| shares.values().all(|share| count(exemption, share) == 0);
    let idle: Vec<_> = selecting.iter().filter(is_idle).map(|exemption| (*exemption, 0)).collect();
    if let Some(first) = divided.first_mut() {
        first.covered_by.extend(idle);
    }
    divided
}

/// The containers and images of a pod, or of the template of a workload.
pub fn parts(object: Value<'_>) -> Vec<Part<'_>> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let parts_in = |list| {
        let elements = spec.get(list).and_then(|list| list.as_array()).unwrap_or_default();
        elements.iter().filter_map(move |element| part(list, *element))
    };
    ["containers", "initContainers", "ephemeralContainers", "volumes"].into_iter().flat_map(parts_in).collect()
}

fn covers(exemption: &Exemption, concerned: Option<&[Part<'_>]>) -> bool {
    !exemption.is_partial() || concerned.is_some_and(|parts| parts.iter().all(|part| exemption.covers(*part)))
}

/// The containers and images that a message is about; `None` if it is about more than those.
fn concerned<'v>(object: Value<'v>, message: &str) -> Option<Vec<Part<'v>>> {
    let parts: Vec<Part<'v>> =
        field::paths(message).into_iter().map(|path| part_at(object, path)).collect::<Option<_>>()?;
    (!parts.is_empty()).then_some(parts)
}

/// The container or image that a field is in.
fn part_at<'v>(object: Value<'v>, path: &str) -> Option<Part<'v>> {
    let (mut value, mut list) = (object, "");
    for step in field::steps(path)? {
        match step {
            Step::Field(name) => (value, list) = (value.get(name)?, name),
            Step::Index(index) => {
                let element = *value.as_array()?.get(index)?;
                if let Some(part) = part(list, element) {
                    return Some(part);
                }
                value = element;
            }
            Step::Key(_) => return None,
        }
    }
    None
}

/// An element of a pod's list as a part of the pod, if it is one.
fn part<'v>(list: &str, element: Value<'v>) -> Option<Part<'v>> {
    let text = |path: &[&str]| element.at(path).and_then(|text| text.as_str());
    match list {
        "containers" | "initContainers" | "ephemeralContainers" => {
            Some(Part { container: Some(text(&["name"])?), image: text(&["image"]).unwrap_or_default() })
        }
        "volumes" => Some(Part { container: None, image: text(&["image", "reference"])? }),
        _ => None,
    }
}
