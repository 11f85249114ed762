//! Services that have metrics, and no monitor of the Prometheus operator that selects them.
//!
//! A Service is judged if one of its ports is called after metrics, and if the input holds monitors at all. One with
//! `prometheus.io/scrape` is found by annotations, and one in a namespace that monitors of pods look at by its pods.

use crate::json::Value;
use crate::policy::model::{LabelSelector, Operator, Requirement};

use super::{Seen, Violation, elements, text};

const RULE: &str = "service-monitored";
/// The most monitors that are kept; with more, no Service is judged.
const MAX_MONITORS: usize = 10_000;
/// What ports with metrics are called.
const METRICS: [&str; 3] = ["metrics", "prometheus", "exporter"];

/// The monitors of the input.
#[derive(Debug)]
pub struct Monitors {
    monitors: Vec<Monitor>,
    /// Whether Prometheus may be told of Services in another way, or of more than is kept.
    is_open: bool,
    most: usize,
}

#[derive(Debug)]
struct Monitor {
    /// The namespaces that it looks at; `None` for all.
    namespaces: Option<Vec<String>>,
    selector: LabelSelector,
}

impl Default for Monitors {
    fn default() -> Self {
        Self { monitors: Vec::new(), is_open: false, most: MAX_MONITORS }
    }
}

impl Monitors {
    pub fn learn(&mut self, seen: &Seen<'_>) {
        let selector = match (seen.group, seen.kind) {
            ("monitoring.coreos.com", "ServiceMonitor") | ("operator.victoriametrics.com", "VMServiceScrape") => {
                selector(seen.object.at(&["spec", "selector"]).unwrap_or(Value::Null))
            }
            // Which pods are a Service's only the cluster knows.
            ("monitoring.coreos.com", "PodMonitor")
            | ("operator.victoriametrics.com", "VMPodScrape")
            | ("monitoring.googleapis.com", "PodMonitoring") => Some(LabelSelector { requirements: Vec::new() }),
            ("monitoring.coreos.com", "ScrapeConfig")
            | ("operator.victoriametrics.com", "VMScrapeConfig")
            | ("monitoring.googleapis.com", "ClusterPodMonitoring") => None,
            _ => return,
        };
        match selector.filter(|_| self.monitors.len() < self.most) {
            Some(selector) => self.monitors.push(Monitor { namespaces: namespaces(seen), selector }),
            None => self.is_open = true,
        }
    }

    pub fn violation(&self, seen: &Seen<'_>) -> Option<Violation> {
        if !seen.is("", "Service") || self.is_open || self.monitors.is_empty() {
            return None;
        }
        let is_external = seen.text(&["spec", "type"]) == Some("ExternalName");
        if is_external || seen.annotations().any(|(key, _)| key == "prometheus.io/scrape") {
            return None;
        }
        let (at, port) = elements(seen.object, &["spec", "ports"])
            .filter_map(|(at, port)| Some((at, text(port, &["name"])?)))
            .find(|(_, name)| METRICS.iter().any(|word| name.contains(word)))?;
        if self.monitors.iter().any(|monitor| monitor.selects(seen)) {
            return None;
        }
        let field = format!("spec.ports[{at}].name");
        let message = format!(
            "{field}: port \"{port}\" of service \"{}\" has metrics, and no monitor among the manifests selects the \
             service: write a ServiceMonitor whose selector has labels of the service, or give the service those that a \
             monitor selects",
            seen.name
        );
        Some(Violation { rule: RULE, field, message })
    }
}

impl Monitor {
    fn selects(&self, service: &Seen<'_>) -> bool {
        let is_in = match (&self.namespaces, service.home) {
            (Some(namespaces), Some(home)) => namespaces.iter().any(|namespace| namespace == home),
            // A namespace that nobody wrote may be any.
            (None, _) | (_, None) => true,
        };
        let labels = service.object.at(&["metadata", "labels"]).unwrap_or(Value::Null);
        is_in && self.selector.matches(|key| labels.get(key).and_then(|value| value.as_str()))
    }
}

/// The namespaces that a monitor looks at: its own unless it names others.
fn namespaces(seen: &Seen<'_>) -> Option<Vec<String>> {
    let of = seen.object.at(&["spec", "namespaceSelector"]).unwrap_or(Value::Null);
    if of.get("any").and_then(|any| any.as_bool()) == Some(true) {
        return None;
    }
    let named: Vec<String> =
        elements(of, &["matchNames"]).filter_map(|(_, name)| name.as_str()).map(str::to_owned).collect();
    if named.is_empty() { seen.home.map(|home| vec![home.to_owned()]) } else { Some(named) }
}

/// A label selector; `None` for one that nobody can follow.
fn selector(value: Value<'_>) -> Option<LabelSelector> {
    let labels = value.get("matchLabels").and_then(|labels| labels.as_object());
    let equal = labels.map(|labels| labels.members()).unwrap_or_default().iter().map(|(key, value)| {
        let values = vec![value.as_str()?.to_owned()];
        Some(Requirement { key: (*key).to_owned(), operator: Operator::In, values })
    });
    let expressions = elements(value, &["matchExpressions"]).map(|(_, expression)| {
        let operator = match text(expression, &["operator"])? {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => return None,
        };
        let values = elements(expression, &["values"]).filter_map(|(_, value)| value.as_str()).map(str::to_owned);
        Some(Requirement { key: text(expression, &["key"])?.to_owned(), operator, values: values.collect() })
    });
    equal.chain(expressions).collect::<Option<Vec<_>>>().map(|requirements| LabelSelector { requirements })
}

#[cfg(test)]
impl Monitors {
    /// One that keeps fewer monitors.
    pub fn of_at_most(most: usize) -> Self {
        Self { most, ..Self::default() }
    }
}
