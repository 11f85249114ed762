//! Charts, built by `helm template` with their own values.

use std::path::{Path, PathBuf};

use crate::json::{Arena, yaml};
use crate::manifests::files::TextFile;
use crate::manifests::kustomize::{real, shown};

use super::origin::{Origin, Provenance};
use super::tool::{Failure, Workshop};

/// The charts among `files` that can be installed, by the index of their `Chart.yaml`, with their real directories.
/// Those inside other charts are built with them.
pub fn charts(files: &[TextFile]) -> Vec<(usize, PathBuf)> {
    let charts: Vec<_> = files
        .iter()
        .enumerate()
        .filter_map(|(at, file)| {
            let path = real(file.path.as_deref()?)?;
            let is_chart = path.file_name().is_some_and(|name| name == "Chart.yaml") && !is_library(&file.text);
            is_chart.then(|| Some((at, path.parent()?.to_owned())))?
        })
        .collect();
    let is_inside = |inner: &Path| charts.iter().any(|(_, outer)| inner.starts_with(outer.join("charts")));
    charts.iter().filter(|(_, chart)| !is_inside(chart)).cloned().collect()
}

/// A library has nothing that can be installed.
fn is_library(text: &str) -> bool {
    let arena = Arena::new();
    let chart = yaml::documents(&arena, text).into_iter().next();
    chart.is_some_and(|chart| {
        chart.is_ok_and(|chart| chart.value.get("type").and_then(|kind| kind.as_str()) == Some("library"))
    })
}

/// What the chart in `directory` makes for `namespace`, at most `limit` bytes.
///
/// # Errors
/// What the operator should read.
pub fn build(workshop: &Workshop, directory: &Path, namespace: &str, limit: u64) -> Result<String, String> {
    let arguments = ["template", "release-name"].map(Path::new);
    let flags = ["--include-crds", "--namespace", namespace].map(Path::new);
    let arguments = [&arguments[..], &[directory], &flags[..]].concat();
    workshop.run("helm", &arguments, limit).map_err(|failure| match failure {
        Failure::Absent => "not built: helm is not on PATH; install it".to_owned(),
        failure => format!("not built: helm: {failure}"),
    })
}

/// The templates that the parts of `text` say they come from. `index` is as for kustomizations.
pub fn origins(
    text: &str,
    chart: &Path,
    name: &Path,
    mut index: impl FnMut(&Path, &Path) -> Option<usize>,
) -> Provenance {
    let directory = name.parent().unwrap_or(Path::new(""));
    let mut origins = Vec::new();
    for (line, source) in sources(text) {
        // The first part is the chart's name.
        let Some((_, template)) = source.split_once('/') else { continue };
        let Some(path) = real(&chart.join(template)).filter(|path| path.starts_with(chart)) else { continue };
        if let Some(file) = index(&path, &shown(directory, chart, &path)) {
            origins.push((line, Origin { file, generator: None, is_whole: false }));
        }
    }
    Provenance::Lines(origins)
}

/// What helm's comments say that the documents behind them come from, with the comments' lines from 1.
fn sources(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(text.lines().skip(1)).enumerate();
    lines.filter_map(|(at, (separator, comment))| {
        let source = comment.strip_prefix("# Source: ").filter(|_| separator.trim_end() == "---")?;
        Some((at + 2, source.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_where_documents_come_from() {
        let text = "---\n# Source: a/templates/b.yaml\nkind: Pod\ndata: |\n  ---\n  # Source: no\n---\n# Source: a/charts/c/d.yaml\n";
        assert_eq!(sources(text).collect::<Vec<_>>(), [(2, "a/templates/b.yaml"), (8, "a/charts/c/d.yaml")]);
    }
}
