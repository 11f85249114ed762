//! Tells manifests from the other YAML and JSON that lies in a checkout.
//!
//! What is left out is left out for a reason, which `-v` and the JSON report tell.

use std::fmt;
use std::path::Path;

use crate::admission::resources::{built_in, split_api_version};
use crate::json::Value;

/// Why a document is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Nothing but comments.
    Empty,
    /// A kustomization or component: `kubectl kustomize` makes manifests of it.
    Kustomization,
    /// A patch that a kustomization names: not an object of its own.
    KustomizePatch,
    /// `Chart.yaml`.
    HelmChart,
    /// A chart's values.
    HelmValues,
    /// A chart's template.
    HelmTemplate,
    /// A Docker Compose file.
    Compose,
    /// A client's `~/.kube/config`.
    Kubeconfig,
    /// One of our own test suites.
    PolicyTest,
    /// A string, a number or a list.
    NotAnObject,
    /// No `apiVersion` and `kind`.
    NoKind,
    /// A configuration file in Kubernetes' style that no API server stores: no `metadata`.
    NoMetadata,
}

impl Reason {
    /// The reason as one word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Empty => "Empty",
            Reason::Kustomization => "Kustomization",
            Reason::KustomizePatch => "KustomizePatch",
            Reason::HelmChart => "HelmChart",
            Reason::HelmValues => "HelmValues",
            Reason::HelmTemplate => "HelmTemplate",
            Reason::Compose => "Compose",
            Reason::Kubeconfig => "Kubeconfig",
            Reason::PolicyTest => "PolicyTest",
            Reason::NotAnObject => "NotAnObject",
            Reason::NoKind => "NoKind",
            Reason::NoMetadata => "NoMetadata",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Empty => "empty document",
            Reason::Kustomization => "kustomization; judge its output: kubectl kustomize DIR | portcullis audit -",
            Reason::KustomizePatch => "a kustomization's patch",
            Reason::HelmChart => "Helm chart; judge its output: helm template CHART | portcullis audit -",
            Reason::HelmValues => "Helm values",
            Reason::HelmTemplate => "Helm template; judge its output: helm template CHART | portcullis audit -",
            Reason::Compose => "Docker Compose file",
            Reason::Kubeconfig => "client configuration",
            Reason::PolicyTest => "policy test suite",
            Reason::NotAnObject => "not an object",
            Reason::NoKind => "no apiVersion and kind: not a Kubernetes object",
            Reason::NoMetadata => "no metadata: not an object that an API server stores",
        })
    }
}

/// Why `value`, found in the file `path`, is not a manifest; `None` if it is one.
pub fn left_out(value: Value<'_>, path: Option<&Path>) -> Option<Reason> {
    if value.is_null() {
        return Some(Reason::Empty);
    }
    let name = path.and_then(Path::file_name).map(|name| name.to_string_lossy().to_ascii_lowercase());
    let name = name.as_deref().unwrap_or_default();
    if value.as_object().is_none() {
        return Some(if is_values_name(name) { Reason::HelmValues } else { Reason::NotAnObject });
    }
    let text = |key| value.get(key).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
    let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
        return Some(without_kind(value, name));
    };
    let (group, _) = split_api_version(api_version);
    match (group, kind) {
        ("kustomize.config.k8s.io", _) => Some(Reason::Kustomization),
        ("portcullis.dev", "PolicyTest") => Some(Reason::PolicyTest),
        ("", "Config") if value.get("clusters").is_some() => Some(Reason::Kubeconfig),
        _ if value.get("metadata").is_none() && built_in(group, kind).is_none() => Some(Reason::NoMetadata),
        _ => None,
    }
}

/// Whether the file is a chart's template: in a `templates` directory beside a `Chart.yaml`.
pub fn is_helm_template(path: &Path) -> bool {
    path.ancestors()
        .skip(1)
        .filter(|dir| dir.file_name().is_some_and(|name| name == "templates"))
        .filter_map(Path::parent)
        .any(|chart| chart.join("Chart.yaml").is_file())
}

/// Whether a file of this name configures kustomize.
pub fn is_kustomization_name(name: &str) -> bool {
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "kustomization")
}

fn without_kind(value: Value<'_>, name: &str) -> Reason {
    let has = |key| value.get(key).is_some();
    if is_kustomization_name(name) {
        Reason::Kustomization
    } else if name == "chart.yaml" || name == "chart.yml" {
        Reason::HelmChart
    } else if is_values_name(name) {
        Reason::HelmValues
    } else if has("services") && (name.contains("compose") || has("volumes") || has("networks") || has("version")) {
        Reason::Compose
    } else {
        Reason::NoKind
    }
}

/// `values.yaml`, `values-prod.yaml`, `prod.values.yaml`, `jellyfin-values.yaml`.
fn is_values_name(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")) else { return false };
    stem.split(['.', '-', '_']).any(|word| word == "values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Arena, Object};

    fn reason(name: &str, members: &[(&str, Value<'_>)]) -> Option<Reason> {
        let arena = Arena::new();
        left_out(Value::Object(Object::new(&arena, members)), Some(Path::new(name)))
    }

    const OBJECT: Value<'_> = Value::Bool(true);

    #[test]
    fn accepts_objects_that_an_api_server_stores() {
        for (api_version, kind) in [
            ("v1", "Pod"),
            ("apps/v1", "Deployment"),
            ("argoproj.io/v1alpha1", "Application"),
            ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ] {
            let members =
                [("apiVersion", Value::String(api_version)), ("kind", Value::String(kind)), ("metadata", OBJECT)];
            assert_eq!(reason("values.yaml", &members), None, "{kind}");
        }
    }

    #[test]
    fn accepts_a_known_kind_whose_author_forgot_the_metadata() {
        let members = [("apiVersion", Value::String("v1")), ("kind", Value::String("Pod"))];
        assert_eq!(reason("pod.yaml", &members), None);
    }

    #[test]
    fn leaves_out_the_other_documents_of_a_checkout() {
        type Case<'c> = (&'c str, &'c [(&'c str, Value<'c>)], Reason);
        let text = Value::String;
        let cases: &[Case<'_>] = &[
            ("kustomization.yaml", &[("resources", OBJECT)], Reason::Kustomization),
            (
                "a.yaml",
                &[("apiVersion", text("kustomize.config.k8s.io/v1beta1")), ("kind", text("Kustomization"))],
                Reason::Kustomization,
            ),
            (
                "a.yaml",
                &[("apiVersion", text("kustomize.config.k8s.io/v1alpha1")), ("kind", text("Component"))],
                Reason::Kustomization,
            ),
            ("Chart.yaml", &[("apiVersion", text("v2")), ("name", text("jellyfin"))], Reason::HelmChart),
            ("values.yaml", &[("image", OBJECT)], Reason::HelmValues),
            ("values-prod.yaml", &[("image", OBJECT)], Reason::HelmValues),
            ("jellyfin.values.yml", &[("image", OBJECT)], Reason::HelmValues),
            ("docker-compose.yml", &[("services", OBJECT)], Reason::Compose),
            ("stack.yaml", &[("services", OBJECT), ("version", text("3.8"))], Reason::Compose),
            ("config.yaml", &[("services", OBJECT)], Reason::NoKind),
            ("package.json", &[("name", text("x"))], Reason::NoKind),
            ("a.yaml", &[("apiVersion", text("v1")), ("kind", text(""))], Reason::NoKind),
            ("a.yaml", &[("apiVersion", Value::Int(1)), ("kind", text("Pod"))], Reason::NoKind),
            (
                "a.yaml",
                &[("apiVersion", text("v1")), ("kind", text("Config")), ("clusters", OBJECT)],
                Reason::Kubeconfig,
            ),
            (
                "tests.yaml",
                &[("apiVersion", text("portcullis.dev/v1alpha1")), ("kind", text("PolicyTest"))],
                Reason::PolicyTest,
            ),
            (
                "kind.yaml",
                &[("apiVersion", text("kind.x-k8s.io/v1alpha4")), ("kind", text("Cluster"))],
                Reason::NoMetadata,
            ),
        ];
        for (name, members, expected) in cases {
            assert_eq!(reason(name, members), Some(*expected), "{name} {members:?}");
        }
    }

    #[test]
    fn leaves_out_what_is_no_object_at_all() {
        for value in [Value::Array(&[]), Value::String("text"), Value::Int(1), Value::Bool(false)] {
            assert_eq!(left_out(value, None), Some(Reason::NotAnObject));
        }
        assert_eq!(left_out(Value::Null, None), Some(Reason::Empty));
    }

    #[test]
    fn recognises_a_chart_s_templates() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir_all(dir.path().join("chart/templates/tests"))?;
        std::fs::write(dir.path().join("chart/Chart.yaml"), "")?;
        assert!(is_helm_template(&dir.path().join("chart/templates/deployment.yaml")));
        assert!(is_helm_template(&dir.path().join("chart/templates/tests/pod.yaml")));
        assert!(!is_helm_template(&dir.path().join("chart/values.yaml")));
        assert!(!is_helm_template(&dir.path().join("templates/pod.yaml")));
        Ok(())
    }
}
