//! What an audit of files can't judge because something else makes objects of it, each with the command that does.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::admission::resources::split_api_version;
use crate::json::Value;
use crate::manifests::{ChartSource, ChartSources, Manifest};
use crate::policy::model::Source;

/// A chart, or an object whose controller makes others of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unrendered {
    /// What it is called: `HelmRelease media/jellyfin`.
    pub name: String,
    /// Where it stands.
    pub source: Source,
    /// The command that renders and judges it, for a shell.
    pub command: String,
}

/// What makes objects of this one, if anything does.
pub fn unrendered(manifest: &Manifest<'_>, sources: &ChartSources) -> Option<Unrendered> {
    let command = command(manifest, sources)?;
    Some(Unrendered { name: manifest.id.to_string(), source: manifest.source.clone(), command })
}

/// The charts among those at these places that are none within another.
pub fn unrendered_charts(charts: &[Source]) -> impl Iterator<Item = Unrendered> {
    let directories: HashSet<_> = charts.iter().map(|chart| parent(&chart.file)).collect();
    charts.iter().filter_map(move |chart| {
        let directory = parent(&chart.file);
        // A chart within a chart is rendered with it.
        let is_part = directory.rsplit_once("charts/").is_some_and(|(outer, inner)| {
            !inner.contains('/') && directories.contains(outer.strip_suffix('/').unwrap_or("."))
        });
        let command = format!("helm template {} | portcullis audit -", word(directory));
        (!is_part).then(|| Unrendered { name: format!("Helm chart {directory}"), source: chart.clone(), command })
    })
}

/// The command that makes objects of this one and judges them.
fn command(manifest: &Manifest<'_>, sources: &ChartSources) -> Option<String> {
    let (group, _) = split_api_version(&manifest.id.api_version);
    match (group, manifest.id.kind.as_str()) {
        ("helm.toolkit.fluxcd.io", "HelmRelease") => Some(helm_release(manifest, sources)),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => Some(format!(
            "flux build kustomization {} --path {} --kustomization-file {} --dry-run | portcullis audit -",
            word(&manifest.id.name),
            word(text(manifest.written, &["spec", "path"]).unwrap_or(".")),
            word(&manifest.source.file),
        )),
        ("argoproj.io", "Application") => Some(application(manifest)),
        ("argoproj.io", "ApplicationSet") => {
            Some(format!("argocd appset generate {} -o yaml | portcullis audit -", word(&manifest.source.file)))
        }
        _ => None,
    }
}

fn helm_release(manifest: &Manifest<'_>, sources: &ChartSources) -> String {
    let spec = |path: &[&str]| text(manifest.written.get("spec").unwrap_or(Value::Null), path);
    let reference = match manifest.written.at(&["spec", "chartRef"]) {
        Some(reference) => Some(reference),
        None => manifest.written.at(&["spec", "chart", "spec", "sourceRef"]),
    };
    let referred = reference.and_then(|reference| referred(reference, manifest, sources));
    let url = referred.and_then(|repository| repository.url.as_deref());
    let chart = spec(&["chart", "spec", "chart"]);
    let (chart, repository) = match (chart, url) {
        (Some(chart), Some(url)) if url.starts_with("oci://") => {
            (format!("{}/{chart}", url.trim_end_matches('/')), None)
        }
        (Some(chart), url) => (chart.to_owned(), url.filter(|_| is_repository(manifest))),
        (None, url) => (url.unwrap_or("CHART").to_owned(), None),
    };
    let tag = referred.and_then(|repository| repository.tag.as_deref());
    let namespace = spec(&["targetNamespace"]).unwrap_or(&manifest.id.namespace);
    let has_values = ["values", "valuesFrom"].iter().any(|key| manifest.written.at(&["spec", key]).is_some());
    Helm {
        name: spec(&["releaseName"]).unwrap_or(&manifest.id.name),
        chart: &chart,
        repository,
        version: spec(&["chart", "spec", "version"]).or(tag),
        namespace,
        has_values,
    }
    .command()
}

/// Whether a release's chart comes from a repository of charts; the charts of others are paths.
fn is_repository(manifest: &Manifest<'_>) -> bool {
    text(manifest.written, &["spec", "chart", "spec", "sourceRef", "kind"]) == Some("HelmRepository")
}

/// The object of the input that a reference of Flux names.
fn referred<'s>(reference: Value<'_>, from: &Manifest<'_>, sources: &'s ChartSources) -> Option<&'s ChartSource> {
    let (kind, name) = (text(reference, &["kind"])?, text(reference, &["name"])?);
    sources.get(kind, text(reference, &["namespace"]).unwrap_or(&from.id.namespace), name)
}

fn application(manifest: &Manifest<'_>) -> String {
    let source = |path: &[&str]| text(manifest.written.at(&["spec", "source"]).unwrap_or(Value::Null), path);
    let Some(chart) = source(&["chart"]) else {
        return format!("argocd app manifests {} | portcullis audit -", word(&manifest.id.name));
    };
    let url = source(&["repoURL"]).unwrap_or("URL");
    let (chart, repository) = if url.starts_with("http://") || url.starts_with("https://") {
        (chart.to_owned(), Some(url))
    } else {
        (format!("oci://{}/{chart}", url.trim_start_matches("oci://").trim_end_matches('/')), None)
    };
    Helm {
        name: source(&["helm", "releaseName"]).unwrap_or(&manifest.id.name),
        chart: &chart,
        repository,
        version: source(&["targetRevision"]),
        namespace: text(manifest.written, &["spec", "destination", "namespace"]).unwrap_or("default"),
        has_values: manifest.written.at(&["spec", "source", "helm"]).is_some(),
    }
    .command()
}

/// A release to be rendered.
struct Helm<'a> {
    name: &'a str,
    chart: &'a str,
    repository: Option<&'a str>,
    version: Option<&'a str>,
    namespace: &'a str,
    has_values: bool,
}

impl Helm<'_> {
    fn command(&self) -> String {
        let mut command = format!("helm template {} {}", word(self.name), word(self.chart));
        let flags = [("repo", self.repository), ("version", self.version), ("namespace", Some(self.namespace))];
        for (flag, value) in flags.iter().filter_map(|(flag, value)| Some((flag, (*value)?))) {
            command.push_str(&format!(" --{flag} {}", word(value)));
        }
        if self.has_values {
            command.push_str(" --values VALUES.yaml");
        }
        format!("{command} | portcullis audit --namespace {} -", word(self.namespace))
    }
}

fn text<'a>(value: Value<'a>, path: &[&str]) -> Option<&'a str> {
    value.at(path).and_then(|value| value.as_str()).filter(|text| !text.is_empty())
}

/// The directory of a file.
fn parent(file: &str) -> &str {
    file.rsplit_once('/').map_or(".", |(directory, _)| directory)
}

/// The text as one word of a shell, which is neither taken for a flag nor for anything else.
fn word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@%+=,".contains(c);
    if text.starts_with('-') {
        return Cow::Owned(word(&format!("./{text}")).into_owned());
    }
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Arena;
    use crate::manifests::{Reason, TextFile, collect};

    /// What in `text`, read as the file `name`, is not rendered: name and command.
    fn found(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| TextFile {
                name: name.to_string(),
                path: Some(std::path::Path::new("/nowhere").join(name)),
                text: text.to_string(),
            })
            .collect();
        let arena = Arena::new();
        let collection = collect(&arena, &files, "default");
        assert_eq!(collection.unreadable, []);
        let objects =
            collection.manifests.iter().filter_map(|found| unrendered(found, &collection.known.chart_sources));
        let charts = collection.left_out.iter().filter(|document| document.reason == Reason::HelmChart);
        let charts: Vec<_> = charts.map(|chart| chart.source.clone()).collect();
        objects.chain(unrendered_charts(&charts)).map(|found| (found.name, found.command)).collect()
    }

    fn command(text: &str) -> String {
        found(&[("flux/a.yaml", text)]).into_iter().map(|(_, command)| command).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn names_the_command_that_renders_a_helm_release() {
        let release = "
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: jellyfin, namespace: media}
spec:
  chart: {spec: {chart: jellyfin, version: 2.1.0, sourceRef: {kind: HelmRepository, name: home}}}
  values: {a: b}
";
        let expected = "helm template jellyfin jellyfin --version 2.1.0 --namespace media --values VALUES.yaml \\
                        | portcullis audit --namespace media -";
        let expected = expected.replace("\\\n", "").split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(command(release), expected);
        let repository = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: home, namespace: media}\nspec: {url: URL}\n";
        let with = |url: &str| command(&format!("{release}{}", repository.replace("URL", url)));
        assert!(with("https://charts.example.org").contains(" jellyfin jellyfin --repo https://charts.example.org "));
        assert!(
            with("oci://registry.example.org/charts")
                .contains(" jellyfin oci://registry.example.org/charts/jellyfin --version")
        );
    }

    #[test]
    fn names_the_command_that_renders_an_application() {
        let application = |source: &str| {
            command(&format!(
                "{{apiVersion: argoproj.io/v1alpha1, kind: Application, metadata: {{name: media, namespace: argocd}}, \
                 spec: {{source: {source}, destination: {{namespace: media}}}}}}"
            ))
        };
        assert_eq!(application("{path: apps/media}"), "argocd app manifests media | portcullis audit -");
        assert_eq!(
            application("{chart: jellyfin, repoURL: 'https://charts.example.org', targetRevision: 2.x}"),
            "helm template media jellyfin --repo https://charts.example.org --version 2.x --namespace media \
             | portcullis audit --namespace media -"
        );
        let set = "{apiVersion: argoproj.io/v1alpha1, kind: ApplicationSet, metadata: {name: all}, spec: {}}";
        assert_eq!(command(set), "argocd appset generate flux/a.yaml -o yaml | portcullis audit -");
    }

    #[test]
    fn names_the_command_that_builds_a_kustomization_of_flux() {
        let text = "{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: apps}, spec: {path: ./apps}}";
        assert_eq!(
            command(text),
            "flux build kustomization apps --path ./apps --kustomization-file flux/a.yaml --dry-run | portcullis audit -"
        );
    }

    #[test]
    fn names_charts_but_not_those_within_them() {
        let chart = "{apiVersion: v2, name: app}";
        let found = found(&[
            ("charts/app/Chart.yaml", chart),
            ("charts/app/charts/db/Chart.yaml", chart),
            ("charts/my app/Chart.yaml", chart),
        ]);
        let commands: Vec<_> = found.iter().map(|(_, command)| command.as_str()).collect();
        assert_eq!(
            commands,
            ["helm template charts/app | portcullis audit -", "helm template 'charts/my app' | portcullis audit -"]
        );
        assert_eq!(super::parent("Chart.yaml"), ".");
    }

    #[test]
    fn what_is_named_is_one_word_for_a_shell() {
        for (text, expected) in [
            ("media", "media"),
            ("", "''"),
            ("a; rm -rf b", "'a; rm -rf b'"),
            ("it's $(x)", "'it'\\''s $(x)'"),
            ("--post-renderer=x", "./--post-renderer=x"),
            ("-a b", "'./-a b'"),
        ] {
            assert_eq!(word(text), expected);
        }
    }
}
