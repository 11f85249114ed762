//! `portcullis policies export`: the selected policies as YAML for the API server itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use crate::export::{Options, export};
use crate::json::{Arena, yaml};
use crate::policy::{self, Exemptions, Manifest, PolicyType, Tree};

use super::load::refuse;
use super::output::{self, Output};
use super::{Outcome, PolicyFlags};

/// Prints the policies as YAML to install in the API server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints params, policies and bindings in the order in which they can be applied. A policy about pods gets sisters for the
workloads that create pods, which read the same fields in the pod template: <name>-workloads (Deployments, ReplicaSets,
StatefulSets, DaemonSets, Jobs, ReplicationControllers), <name>-cronjobs and <name>-podtemplates. An update is judged only
if it changes the template. Mutating policies change pods alone.

What the API server can't do as Portcullis does is said on standard error, by the name of the policy. It judges a workload
as it is written, and the pod after mutating policies repaired it; values that are there only when a pod is made (what
controllers and defaults add) are not judged in workloads.

--params reference (the default) leaves params in ConfigMaps; their namespace has to be there: kubectl create namespace
portcullis-system. --params inline writes them into the expressions as constants, so that policies work while a control
plane starts up without them; a policy whose bindings choose several params is printed once for each. A file called inline
is --params ./inline.

--exemptions FILE becomes a match condition of the policies that it names: what is exempt isn't judged. One that has
expired is left out, and so is one about some containers or images of an object. The API server has no clock: export again
when one ends.

--static DIR writes files that the API server reads from its own disk, before anything can be asked of it (feature gate
ManifestBasedAdmissionControlConfig, Kubernetes 1.36): DIR/validating and DIR/mutating, which are staticManifestsDir in the
configurations of the plugins ValidatingAdmissionPolicy and MutatingAdmissionPolicy, and DIR/admission-configuration.yaml,
which says so for --admission-control-config-file. Names end in .static.k8s.io, params are inlined.

Examples:
  portcullis policies export | kubectl apply --server-side -f -
  portcullis policies export --no-embedded --policies mine/ > policies.yaml
  portcullis policies export --params params.yaml --params inline
  portcullis policies export --static /etc/kubernetes/admission
  portcullis policies export --pods-only")]
pub struct Args {
    /// Leaves policies about pods to pods: workloads are judged when their pods are made
    #[arg(long)]
    pods_only: bool,

    /// Writes manifests for the API server's own disk into a directory, in place of printing
    #[arg(long = "static", value_name = "DIR")]
    static_directory: Option<PathBuf>,

    #[command(flatten)]
    policies: PolicyFlags,
}

/// Runs the command.
///
/// # Errors
/// Files that can't be read, policies with mistakes, policies that no API server would take, output that can't be
/// written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let mut flags = args.policies.clone();
    let inline = takes_inline(&mut flags.params);
    let minor = flags.kubernetes_version.minor;
    let manifests = flags.read()?;
    let loaded = manifests.load();
    refuse(&loaded.errors)?;
    refuse(&Exemptions::load(&manifests.exemptions).1)?;
    let options = Options {
        minor,
        pods_only: args.pods_only,
        inline,
        statics: args.static_directory.is_some(),
        exemptions: &manifests.exemptions,
        now: SystemTime::now(),
    };
    let exported = export(&loaded, options);
    let text = text(exported.objects.iter());
    // What was made by rewriting has to be as right as what it was made of, limits included.
    refuse(&policy::load(&[Manifest::new("the export", text.clone())], minor).errors)?;
    match &args.static_directory {
        Some(directory) => write_static(directory, &exported.objects)?,
        None => {
            let mut out = Output::open(None)?;
            out.write_all(text.as_bytes())?;
            out.finish()?;
        }
    }
    for note in &exported.notes {
        output::note(&note.to_string());
    }
    Ok(Outcome::Clean)
}

/// Takes `inline` and `reference` out of the values of `--params`, where they stand among files; the last one counts.
fn takes_inline(params: &mut Vec<PathBuf>) -> bool {
    let is_word = |path: &Path| path == Path::new("inline") || path == Path::new("reference");
    let inline = params.iter().rfind(|path| is_word(path)).is_some_and(|path| path == Path::new("inline"));
    params.retain(|path| !is_word(path));
    inline
}

fn text<'t>(objects: impl Iterator<Item = &'t Tree>) -> String {
    let arena = Arena::new();
    let documents: Vec<String> = objects.map(|object| yaml::to_yaml(object.view(&arena))).collect();
    documents.join("---\n")
}

/// Writes a directory for each of the two plugins, and the configuration that names them.
fn write_static(directory: &Path, objects: &[Tree]) -> anyhow::Result<()> {
    let directory = std::path::absolute(directory)?;
    let write =
        |path: &Path, text: &str| fs::write(path, text).with_context(|| format!("{}: can't write", path.display()));
    let mut plugins = String::new();
    for (name, of) in [("validating", PolicyType::Validating), ("mutating", PolicyType::Mutating)] {
        let folder = directory.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("{}: can't be made", folder.display()))?;
        let arena = Arena::new();
        let is_of = |object: &&Tree| {
            let kind = object.view(&arena).get("kind").and_then(|kind| kind.as_str());
            [of.kind(), of.binding_kind()].into_iter().any(|known| kind == Some(known))
        };
        write(&folder.join("portcullis.yaml"), &text(objects.iter().filter(is_of)))?;
        plugins.push_str(&plugin(of.kind(), &folder));
    }
    let configuration =
        format!("apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n{plugins}");
    write(&directory.join("admission-configuration.yaml"), &configuration)
}

/// A plugin's entry in the configuration of admission.
fn plugin(name: &str, folder: &Path) -> String {
    let folder = yaml::to_yaml(crate::json::Value::String(&folder.to_string_lossy()));
    format!(
        "- name: {name}\n  configuration:\n    apiVersion: apiserver.config.k8s.io/v1\n    kind: {name}Configuration\n    \
         staticManifestsDir: {folder}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_files_but_for_two_words() {
        for (given, inline, files) in [
            (vec![], false, vec![]),
            (vec!["a.yaml"], false, vec!["a.yaml"]),
            (vec!["inline"], true, vec![]),
            (vec!["inline", "a.yaml", "reference"], false, vec!["a.yaml"]),
            (vec!["./inline", "reference", "inline"], true, vec!["./inline"]),
        ] {
            let mut params: Vec<PathBuf> = given.iter().map(PathBuf::from).collect();
            assert_eq!(takes_inline(&mut params), inline, "{given:?}");
            assert_eq!(params, files.iter().map(PathBuf::from).collect::<Vec<_>>(), "{given:?}");
        }
    }
}
