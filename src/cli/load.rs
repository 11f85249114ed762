//! The flags that every command with policies shares, and the policy set that they select.

use std::path::PathBuf;
use std::str::FromStr;

use crate::audit;
use crate::cel::SUPPORTED_MINORS;
use crate::engine::{PolicySet, Verdict, verdict_of};
use crate::json::Arena;
use crate::manifests::read_manifests;
use crate::policy::{self, Exemptions, Libraries, LoadError, LoadedPolicies, Manifest, RuleChoice, Selection};

use super::profile::ProfileFlags;

/// Which policies, params and exemptions a command works with.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Policies")]
pub struct PolicyFlags {
    /// Adds the policies in a directory or file (repeatable)
    #[arg(long = "policies", value_name = "DIR")]
    pub policies: Vec<PathBuf>,

    /// Leaves the embedded bundle out
    #[arg(long)]
    pub no_embedded: bool,

    #[command(flatten)]
    pub(super) profile: ProfileFlags,

    /// Adds params objects, which replace shipped ones of the same kind, namespace and name (repeatable)
    #[arg(long = "params", value_name = "FILE")]
    pub params: Vec<PathBuf>,

    /// Reads exemptions (repeatable)
    #[arg(long = "exemptions", value_name = "FILE")]
    pub exemptions: Vec<PathBuf>,

    /// The Kubernetes version whose CEL libraries and rules apply
    #[arg(long, value_name = "1.N", default_value_t)]
    pub kubernetes_version: KubernetesVersion,
}

/// Which custom resources a command knows.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Policies")]
pub struct DefinitionFlags {
    /// Reads CustomResourceDefinitions, by whose schemas expressions are checked and apply configurations merged; to serve
    /// a cluster, its own replace them (repeatable)
    #[arg(long, value_name = "FILE|DIR")]
    pub crds: Vec<PathBuf>,
}

impl DefinitionFlags {
    /// Reads the files.
    ///
    /// # Errors
    /// A file or directory that can't be read, or a directory without a manifest.
    pub fn read(&self) -> anyhow::Result<Vec<Manifest>> {
        let mut definitions = Vec::new();
        for path in &self.crds {
            definitions.extend(read_manifests(path)?);
        }
        Ok(definitions)
    }
}

/// The manifests that the flags select, as text.
#[derive(Clone, Debug)]
pub struct Manifests {
    /// What of the bundle is on; `None` where it is left out.
    pub bundle: Option<Selection>,
    /// Policies, bindings and params beside the bundle: `--policies`, then `--params`.
    pub policies: Vec<Manifest>,
    /// `--exemptions`.
    pub exemptions: Vec<Manifest>,
    /// `--crds`.
    pub definitions: Vec<Manifest>,
    /// The Kubernetes version to load for.
    pub version: KubernetesVersion,
    /// Whether the parts of expressions report, for explanations.
    pub probes: bool,
}

impl PolicyFlags {
    /// Reads the selected files.
    ///
    /// # Errors
    /// A file or directory that can't be read, a directory without a manifest, or a profile with mistakes.
    pub fn read(&self) -> anyhow::Result<Manifests> {
        let bundle = if self.no_embedded { None } else { Some(self.profile.select()?) };
        let mut policies = Vec::new();
        for path in self.policies.iter().chain(&self.params) {
            policies.extend(read_manifests(path)?);
        }
        let mut exemptions = Vec::new();
        for path in &self.exemptions {
            exemptions.extend(read_manifests(path)?);
        }
        Ok(Manifests {
            bundle,
            policies,
            exemptions,
            definitions: Vec::new(),
            version: self.kubernetes_version,
            probes: false,
        })
    }

    /// Reads and compiles the selected policies; any mistake in them is an error. A server, which has to go on with
    /// what is right, uses [`Self::read`] and [`Manifests::compile`].
    ///
    /// # Errors
    /// A file that can't be read; every mistake in what was read.
    pub fn load(&self, definitions: &DefinitionFlags) -> anyhow::Result<PolicySet> {
        self.load_with_probes(definitions, false)
    }

    /// As [`Self::load`]; with `probes`, findings can say what decided.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_with_probes(&self, definitions: &DefinitionFlags, probes: bool) -> anyhow::Result<PolicySet> {
        let (policies, errors) = Manifests { definitions: definitions.read()?, probes, ..self.read()? }.compile();
        refuse(&errors)?;
        Ok(policies)
    }
}

impl PolicyFlags {
    /// The rules of the audit that are on, with what their findings amount to; none without the bundle.
    ///
    /// # Errors
    /// A profile with mistakes.
    pub fn rules(&self) -> anyhow::Result<Vec<audit::Rule>> {
        if self.no_embedded {
            return Ok(Vec::new());
        }
        let selection = self.profile.select()?;
        let verdict = |choice: &RuleChoice| choice.actions.iter().max().map_or(Verdict::Audit, |of| verdict_of(*of));
        Ok(selection.rules().map(|choice| audit::Rule { rule: choice.rule, verdict: verdict(choice) }).collect())
    }
}

impl Manifests {
    /// Compiles the policies; what is wrong is returned beside what is right.
    pub fn compile(&self) -> (PolicySet, Vec<LoadError>) {
        let LoadedPolicies { policies, params, mut errors, .. } = self.load();
        let (exemptions, wrong) = Exemptions::load(&self.exemptions);
        errors.extend(wrong);
        for definition in &self.definitions {
            definition.objects(&Arena::new(), &mut errors);
        }
        let bundle = self.bundle.as_ref().map(Selection::manifests).unwrap_or_default();
        let kinds = policy::defined_kinds(self.definitions.iter().chain(&bundle).chain(&self.policies));
        (PolicySet::new(policies, params, exemptions).with_kinds(kinds), errors)
    }

    /// Loads the policies: those of the bundle that are on, and the given ones.
    pub fn load(&self) -> LoadedPolicies {
        let libraries = Libraries::of_stored_expressions(self.version.minor).with_probes(self.probes);
        match &self.bundle {
            Some(selection) => policy::load_selected_with(selection, &self.policies, libraries),
            None => policy::load_with(&self.policies, libraries),
        }
    }

    /// The policies of the bundle that are not among the `loaded` ones, each as it ships.
    pub fn off(&self, loaded: &LoadedPolicies) -> Vec<LoadedPolicies> {
        let bundle = self.bundle.as_ref().map(|_| policy::embedded()).unwrap_or_default();
        let manifests = bundle.iter().map(policy::Embedded::manifest);
        let is_off = |manifest: &Manifest| !loaded.policies.iter().any(|policy| policy.source.file == manifest.file);
        manifests.filter(is_off).map(|manifest| policy::load(&[manifest], self.version.minor)).collect()
    }

    /// Every policy of the bundle, on or off, and the given ones; without the bundle where it is left out.
    pub fn everything(&self) -> Vec<Manifest> {
        let bundle = self.bundle.as_ref().map(|_| policy::embedded()).unwrap_or_default();
        bundle.iter().map(policy::Embedded::manifest).chain(self.policies.iter().cloned()).collect()
    }
}

/// How many mistakes are shown at once.
const SHOWN_MISTAKES: usize = 25;

/// Turns mistakes in manifests into the failure of a command.
///
/// # Errors
/// There is a mistake.
pub fn refuse(errors: &[LoadError]) -> anyhow::Result<()> {
    match errors {
        [] => Ok(()),
        [only] => Err(anyhow::anyhow!("{only}")),
        all => {
            let mut text = format!("{} mistakes:", all.len());
            for error in all.iter().take(SHOWN_MISTAKES) {
                text.push_str(&format!("\n  {error}"));
            }
            if all.len() > SHOWN_MISTAKES {
                text.push_str(&format!("\n  … and {} more", all.len() - SHOWN_MISTAKES));
            }
            Err(anyhow::anyhow!(text))
        }
    }
}

/// Kubernetes 1.`minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// The minor version.
    pub minor: u32,
}

impl Default for KubernetesVersion {
    fn default() -> Self {
        Self { minor: 36 }
    }
}

impl std::fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "1.{}", self.minor)
    }
}

impl FromStr for KubernetesVersion {
    type Err = String;

    /// Reads `1.34`, and what `kubectl version` prints: `v1.34.1+k3s1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let minor = text
            .strip_prefix('v')
            .unwrap_or(text)
            .strip_prefix("1.")
            .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
            .and_then(|minor| minor.parse().ok());
        match minor {
            Some(minor) if SUPPORTED_MINORS.contains(&minor) => Ok(Self { minor }),
            Some(_) => Err(format!("portcullis knows 1.{} to 1.{}", SUPPORTED_MINORS.start(), SUPPORTED_MINORS.end())),
            None => Err("write a version like 1.34".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_versions_as_kubectl_prints_them() {
        for text in ["1.34", "v1.34", "v1.34.1", "v1.34.1+k3s1", "1.34-rc.0"] {
            assert_eq!(text.parse(), Ok(KubernetesVersion { minor: 34 }), "{text}");
        }
    }

    #[test]
    fn rejects_versions_without_known_libraries() {
        for (text, says) in [
            ("1.29", "1.30 to 1.37"),
            ("1.99", "1.30 to 1.37"),
            ("2.0", "like 1.34"),
            ("1.", "like 1.34"),
            ("", "like 1.34"),
            ("latest", "like 1.34"),
        ] {
            let error = text.parse::<KubernetesVersion>().expect_err(text);
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
