//! Whether something keeps traffic from all pods of a namespace but for what is allowed.
//!
//! Only a namespace whose object is in the input is judged: who makes the namespace says who reaches it. Where there are
//! policies for the whole cluster, which may reach any namespace, none is judged.

use std::collections::HashSet;

use crate::json::Value;

use super::{Seen, Violation, elements, is_of_kubernetes, text};

const RULE: &str = "namespace-default-deny";

/// The namespaces with a policy that selects all pods and denies.
#[derive(Debug, Default)]
pub struct Isolation {
    isolated: HashSet<String>,
    /// Whether any namespace may be isolated, by a policy for all or by one that may be applied to any.
    anywhere: bool,
}

impl Isolation {
    pub fn learn(&mut self, seen: &Seen<'_>) {
        match (seen.group, seen.kind) {
            ("cilium.io", "CiliumClusterwideNetworkPolicy")
            | ("policy.networking.k8s.io", _)
            | ("crd.projectcalico.org" | "projectcalico.org", "GlobalNetworkPolicy") => self.anywhere = true,
            _ if !isolates(seen) => {}
            _ => match seen.home {
                Some(namespace) => drop(self.isolated.insert(namespace.to_owned())),
                None => self.anywhere = true,
            },
        }
    }

    pub fn violation(&self, seen: &Seen<'_>) -> Option<Violation> {
        let is_judged = seen.is("", "Namespace") && !is_of_kubernetes(seen.name) && !self.anywhere;
        let is_found = is_judged && !self.isolated.contains(seen.name);
        is_found.then(|| Violation {
            rule: RULE,
            field: "metadata.name".to_owned(),
            message: format!(
                "metadata.name: no NetworkPolicy keeps the pods of other namespaces from those of \"{}\": write one with \
                 podSelector: {{}} and policyTypes: [Ingress, Egress], and beside it one for each way that is needed",
                seen.name
            ),
        })
    }
}

/// Whether an object selects every pod of its namespace and lets not everything in.
fn isolates(seen: &Seen<'_>) -> bool {
    let spec = seen.object.get("spec").unwrap_or(Value::Null);
    match (seen.group, seen.kind) {
        ("networking.k8s.io" | "extensions", "NetworkPolicy") => {
            let mut types = elements(spec, &["policyTypes"]).filter_map(|(_, of)| of.as_str()).peekable();
            let is_of_ingress = types.peek().is_none() || types.any(|of| of == "Ingress");
            let lets_all_in = elements(spec, &["ingress"])
                .any(|(_, rule)| ["from", "ports"].into_iter().all(|part| elements(rule, &[part]).next().is_none()));
            is_of_ingress && is_empty_selector(spec.get("podSelector")) && !lets_all_in
        }
        ("cilium.io", "CiliumNetworkPolicy") => is_empty_selector(spec.get("endpointSelector")),
        ("crd.projectcalico.org" | "projectcalico.org", "NetworkPolicy") => {
            text(spec, &["selector"]).is_none_or(|selector| selector == "all()")
        }
        _ => false,
    }
}

fn is_empty_selector(selector: Option<Value<'_>>) -> bool {
    let selector = selector.unwrap_or(Value::Null);
    let has_labels =
        selector.get("matchLabels").and_then(|labels| labels.as_object()).is_some_and(|map| !map.is_empty());
    !has_labels && elements(selector, &["matchExpressions"]).next().is_none()
}
