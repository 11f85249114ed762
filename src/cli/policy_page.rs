//! The page of a policy, and the index of all: what `policies show` prints and `policies docs` writes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::policy::Embedded;
use crate::policy::model::{Binding, NamedRule, Policy};

use super::policy_list::annotation;

/// Says where a page comes from, for those who would edit it.
const GENERATED: &str = "<!-- Written by `portcullis policies docs`, from the policy's folder in policies/. -->\n";

/// The page of `policy` in Markdown: what it is, as a table; its README, if it is a shipped one; its default params.
pub fn page(policy: &Policy, shipped: Option<&Embedded>) -> String {
    let mut page = format!("# {}\n\n{}.\n\n| | |\n| --- | --- |\n", policy.name, annotation(policy, "title"));
    let mut row = |label: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(page, "| {label} | {} |", text.replace('|', "\\|"));
        }
    };
    row("kind", policy.policy_type().kind());
    row("severity", annotation(policy, "severity"));
    row("category", annotation(policy, "category"));
    row("judges", &joined(policy.match_constraints.resource_rules.iter().map(matches)));
    row(
        "binding",
        &joined(
            policy
                .bindings
                .iter()
                .map(|binding| format!("`{}` {}", binding.name, actions(binding)).trim_end().to_owned()),
        ),
    );
    row("on error", &format!("{:?}", policy.failure_policy));
    if let Some(kind) = &policy.param_kind {
        row("params", &format!("{} {}", kind.api_version, kind.kind));
    }
    row("controls", annotation(policy, "controls"));
    row("answers", annotation(policy, "answers"));
    row("from", &format!("`{}`", policy.source.file));
    row("unusable", policy.compile_error.as_deref().unwrap_or_default());
    let Some(shipped) = shipped else { return page };
    page.push('\n');
    page.push_str(body(shipped.readme));
    let params = params(shipped.policy);
    if !params.is_empty() {
        let _ = write!(page, "\n## The shipped params\n\n```yaml\n{}\n```\n", params.join("\n---\n"));
    }
    page
}

/// A page that isn't as it should be.
pub struct Stale {
    /// Where it is, or is to be.
    pub file: PathBuf,
    /// What is to be there; nothing for the page of a policy that is gone.
    text: Option<String>,
}

impl Stale {
    /// What is wrong, and what to do.
    pub fn wrong(&self) -> &'static str {
        match self.text {
            Some(_) => "not what the policies say; run portcullis policies docs",
            None => "the page of a policy that is no longer there; run portcullis policies docs",
        }
    }

    /// Writes it, or takes it away.
    ///
    /// # Errors
    /// The file can't be written or removed.
    pub fn mend(&self) -> anyhow::Result<()> {
        match &self.text {
            Some(text) => std::fs::write(&self.file, text),
            None => std::fs::remove_file(&self.file),
        }
        .with_context(|| format!("{}: can't write", self.file.display()))
    }
}

/// Which of `pages` aren't in `directory` as they should be, and which are there for policies that are gone.
///
/// # Errors
/// The directory can't be read.
pub fn stale(directory: &Path, pages: Vec<(String, String)>) -> anyhow::Result<Vec<Stale>> {
    let read = |error| format!("{}: can't read: {error}", directory.display());
    let mut stale = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(|error| anyhow!(read(error)))? {
        let file = entry.map_err(|error| anyhow!(read(error)))?.path();
        let is_wanted = pages.iter().any(|(name, _)| file.file_name().is_some_and(|found| found == name.as_str()));
        // What isn't generated is none of ours.
        if !is_wanted && std::fs::read_to_string(&file).is_ok_and(|text| text.starts_with(GENERATED)) {
            stale.push(Stale { file, text: None });
        }
    }
    for (name, text) in pages {
        let file = directory.join(name);
        if !std::fs::read_to_string(&file).is_ok_and(|found| found == text) {
            stale.push(Stale { file, text: Some(text) });
        }
    }
    stale.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(stale)
}

/// The pages of the shipped policies and their index, as names of files and their texts.
pub fn pages(policies: &[Policy], shipped: &[Embedded]) -> Vec<(String, String)> {
    let mut files = vec![("README.md".to_owned(), index(policies, shipped))];
    for entry in shipped {
        let named = policies.iter().find(|policy| policy.source.file == entry.manifest().file);
        files.extend(
            named.map(|policy| (format!("{}.md", policy.name), format!("{GENERATED}\n{}", page(policy, Some(entry))))),
        );
    }
    files
}

fn index(policies: &[Policy], shipped: &[Embedded]) -> String {
    let mut index = format!(
        "{GENERATED}\n# The policies\n\n{} policies come with Portcullis. Each page says what its policy judges or changes, \
         what it protects from, how to set it, how to exempt, and what it can't see. [answers.md](answers.md) goes the \
         other way, from findings to policies; [media-server.md](media-server.md) lists what the containers of the first \
         user's cluster need; [audit-rules.md](audit-rules.md) tells what the audit finds between objects.\n",
        shipped.len()
    );
    let mut category = "";
    for entry in shipped {
        let Some(policy) = policies.iter().find(|policy| policy.source.file == entry.manifest().file) else { continue };
        if category != entry.category {
            category = entry.category;
            let _ = write!(index, "\n## {category}\n\n| policy | severity | action | |\n| --- | --- | --- | --- |\n");
        }
        let _ = writeln!(
            index,
            "| [{0}]({0}.md) | {1} | {2} | {3} |",
            policy.name,
            annotation(policy, "severity"),
            action(policy),
            annotation(policy, "title")
        );
    }
    index
}

/// What the policy's first binding does.
fn action(policy: &Policy) -> String {
    let Some(binding) = policy.bindings.first() else { return "unbound".to_owned() };
    if binding.validation_actions.is_empty() {
        return "Mutate".to_owned();
    }
    actions(binding)
}

fn actions(binding: &Binding) -> String {
    binding.validation_actions.iter().map(|action| action.name()).collect::<Vec<_>>().join(", ")
}

/// A README without its title, which the page has, and its sentence stays.
fn body(readme: &str) -> &str {
    readme.split_once('\n').filter(|(title, _)| title.starts_with("# ")).map_or(readme, |(_, rest)| rest.trim_start())
}

/// The ConfigMaps of a manifest as they are written, comments included.
fn params(manifest: &str) -> Vec<&str> {
    let documents = manifest.split("\n---\n").map(str::trim_end);
    documents.filter(|document| document.lines().any(|line| line == "kind: ConfigMap")).collect()
}

fn matches(rule: &NamedRule) -> String {
    let groups: Vec<_> = rule.api_groups.iter().map(|group| if group.is_empty() { "core" } else { group }).collect();
    format!(
        "{} of {} ({}/{})",
        rule.operations.join(", "),
        rule.resources.join(", "),
        groups.join(", "),
        rule.api_versions.join(", ")
    )
}

fn joined(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_params_of_a_manifest_keep_their_comments() {
        let manifest =
            "kind: ValidatingAdmissionPolicy\n---\nkind: ConfigMap\ndata:\n  # why\n  a: b\n---\nkind: Binding\n";
        assert_eq!(params(manifest), ["kind: ConfigMap\ndata:\n  # why\n  a: b"]);
        assert!(params("kind: ValidatingAdmissionPolicy\n").is_empty());
    }

    #[test]
    fn a_readme_goes_without_its_title() {
        assert_eq!(body("# name\n\nOne sentence.\n"), "One sentence.\n");
        assert_eq!(body("One sentence.\n"), "One sentence.\n");
    }
}
