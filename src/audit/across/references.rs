//! What objects name: ConfigMaps, Secrets, claims and service accounts, each with the field that names it.

use std::collections::BTreeSet;

use crate::engine::workloads;
use crate::json::Value;

use super::{Seen, elements, text};

/// What is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Referred {
    ConfigMap,
    Secret,
    /// A Secret with a certificate.
    Certificate,
    Claim,
    ServiceAccount,
}

/// A reference that has to lead somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference<'m> {
    pub to: Referred,
    pub name: &'m str,
    /// The namespace of what is named; `None` if nobody wrote it.
    pub home: Option<&'m str>,
    pub field: String,
}

impl Referred {
    /// What an object is, if it can be referred to.
    pub fn of(seen: &Seen<'_>) -> Option<Self> {
        match (seen.group, seen.kind) {
            ("", "ConfigMap") => Some(Self::ConfigMap),
            ("", "Secret") => Some(Self::Secret),
            ("", "PersistentVolumeClaim") => Some(Self::Claim),
            ("", "ServiceAccount") => Some(Self::ServiceAccount),
            _ => None,
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Self::ConfigMap => "ConfigMap",
            Self::Secret | Self::Certificate => "Secret",
            Self::Claim => "PersistentVolumeClaim",
            Self::ServiceAccount => "ServiceAccount",
        }
    }

    /// The rule that such references are checked by.
    pub fn rule(self) -> &'static str {
        match self {
            Self::ConfigMap => "config-map-exists",
            Self::Secret | Self::Certificate => "secret-exists",
            Self::Claim => "claim-exists",
            Self::ServiceAccount => "service-account-exists",
        }
    }
}

/// The references of an object that are not optional, each thing once, at the first field that names it.
pub fn references<'m>(seen: &Seen<'m>) -> Vec<Reference<'m>> {
    let mut found = Vec::new();
    match (seen.group, seen.kind) {
        ("", "Pod") => Pod { seen, at: String::new(), found: &mut found }.read(seen.object),
        ("networking.k8s.io" | "extensions", "Ingress") => of_ingress(seen, &mut found),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => of_binding(seen, &mut found),
        (group, kind) => {
            let workload = workloads().iter().find(|known| known.kind == kind && known.groups.contains(&group));
            if let Some(template) =
                workload.and_then(|workload| Some((workload.template, seen.object.at(workload.template)?)))
            {
                let at = format!("{}.", template.0.join("."));
                Pod { seen, at, found: &mut found }.read(template.1);
            }
        }
    }
    let mut known = BTreeSet::new();
    found.retain(|reference| known.insert((reference.to, reference.home, reference.name)));
    found
}

/// The certificates of an Ingress, unless cert-manager makes them for it.
fn of_ingress<'m>(seen: &Seen<'m>, found: &mut Vec<Reference<'m>>) {
    let is_made = |(key, _): (&str, &str)| key.starts_with("cert-manager.io/") || key == "kubernetes.io/tls-acme";
    if seen.annotations().any(is_made) {
        return;
    }
    for (at, tls) in elements(seen.object, &["spec", "tls"]) {
        if let Some(name) = text(tls, &["secretName"]) {
            let field = format!("spec.tls[{at}].secretName");
            found.push(Reference { to: Referred::Certificate, name, home: seen.home, field });
        }
    }
}

fn of_binding<'m>(seen: &Seen<'m>, found: &mut Vec<Reference<'m>>) {
    for (at, subject) in elements(seen.object, &["subjects"]) {
        if text(subject, &["kind"]) != Some("ServiceAccount") {
            continue;
        }
        if let Some(name) = text(subject, &["name"]) {
            let home = text(subject, &["namespace"]).or(seen.home);
            found.push(Reference { to: Referred::ServiceAccount, name, home, field: format!("subjects[{at}].name") });
        }
    }
}

/// A pod, or the template of one.
struct Pod<'m, 'f> {
    seen: &'f Seen<'m>,
    /// What fields of the pod begin with.
    at: String,
    found: &'f mut Vec<Reference<'m>>,
}

impl<'m> Pod<'m, '_> {
    fn read(&mut self, pod: Value<'m>) {
        let Some(spec) = pod.get("spec") else { return };
        // A pull secret that isn't there stops nothing, so imagePullSecrets are no matter here.
        for field in ["serviceAccountName", "serviceAccount"] {
            self.named(Referred::ServiceAccount, spec, &[field], &format!("spec.{field}"));
        }
        for (at, volume) in elements(spec, &["volumes"]) {
            self.volume(volume, &format!("spec.volumes[{at}]"));
        }
        for list in ["initContainers", "containers", "ephemeralContainers"] {
            for (at, container) in elements(spec, &[list]) {
                self.environment(container, &format!("spec.{list}[{at}]"));
            }
        }
    }

    fn volume(&mut self, volume: Value<'m>, at: &str) {
        self.wanted(Referred::ConfigMap, volume.get("configMap"), "name", &format!("{at}.configMap"));
        self.wanted(Referred::Secret, volume.get("secret"), "secretName", &format!("{at}.secret"));
        let claim = volume.get("persistentVolumeClaim");
        self.wanted(Referred::Claim, claim, "claimName", &format!("{at}.persistentVolumeClaim"));
        for (source_at, source) in elements(volume, &["projected", "sources"]) {
            let at = format!("{at}.projected.sources[{source_at}]");
            self.wanted(Referred::ConfigMap, source.get("configMap"), "name", &format!("{at}.configMap"));
            self.wanted(Referred::Secret, source.get("secret"), "name", &format!("{at}.secret"));
        }
    }

    fn environment(&mut self, container: Value<'m>, at: &str) {
        for (variable_at, variable) in elements(container, &["env"]) {
            let at = format!("{at}.env[{variable_at}].valueFrom");
            for (to, key) in [(Referred::ConfigMap, "configMapKeyRef"), (Referred::Secret, "secretKeyRef")] {
                self.wanted(to, variable.at(&["valueFrom", key]), "name", &format!("{at}.{key}"));
            }
        }
        for (source_at, source) in elements(container, &["envFrom"]) {
            let at = format!("{at}.envFrom[{source_at}]");
            for (to, key) in [(Referred::ConfigMap, "configMapRef"), (Referred::Secret, "secretRef")] {
                self.wanted(to, source.get(key), "name", &format!("{at}.{key}"));
            }
        }
    }

    /// Takes the name in a source, unless the pod can do without.
    fn wanted(&mut self, to: Referred, source: Option<Value<'m>>, key: &str, at: &str) {
        let is_optional =
            |source: &Value<'_>| source.get("optional").and_then(|optional| optional.as_bool()) == Some(true);
        if let Some(source) = source.filter(|source| !is_optional(source)) {
            self.named(to, source, &[key], &format!("{at}.{key}"));
        }
    }

    fn named(&mut self, to: Referred, value: Value<'m>, path: &[&str], field: &str) {
        if let Some(name) = text(value, path) {
            let field = format!("{}{field}", self.at);
            self.found.push(Reference { to, name, home: self.seen.home, field });
        }
    }
}
