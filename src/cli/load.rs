//! The flags that every command with policies shares, and the policy set that they select.

use std::path::PathBuf;
use std::str::FromStr;

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

/// Kubernetes 1.`minor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KubernetesVersion {
    /// The minor version.
    pub minor: u32,
}

impl KubernetesVersion {
    /// The first version with ValidatingAdmissionPolicy v1.
    const OLDEST: u32 = 30;
    /// The newest version whose libraries are known.
    const NEWEST: u32 = 37;
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
            Some(minor) if (Self::OLDEST..=Self::NEWEST).contains(&minor) => Ok(Self { minor }),
            Some(_) => Err(format!("portcullis knows 1.{} to 1.{}", Self::OLDEST, Self::NEWEST)),
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
