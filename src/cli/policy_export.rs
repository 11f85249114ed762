//! `portcullis policies export`: the selected policies as YAML for the API server itself.

use std::io::Write;

use crate::export::{Options, export};
use crate::json::{Arena, yaml};

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

The namespace of the params has to be there: kubectl create namespace portcullis-system.

Examples:
  portcullis policies export | kubectl apply --server-side -f -
  portcullis policies export --no-embedded --policies mine/ > policies.yaml
  portcullis policies export --pods-only")]
pub struct Args {
    /// Leaves policies about pods to pods: workloads are judged when their pods are made
    #[arg(long)]
    pods_only: bool,

    #[command(flatten)]
    policies: PolicyFlags,
}

/// Runs the command.
///
/// # Errors
/// Files that can't be read, policies with mistakes, output that can't be written.
pub fn run(args: &Args) -> anyhow::Result<Outcome> {
    let minor = args.policies.kubernetes_version.minor;
    let loaded = args.policies.read()?.load();
    refuse(&loaded.errors)?;
    let exported = export(&loaded, Options { minor, pods_only: args.pods_only });
    let mut out = Output::open(None)?;
    for (at, object) in exported.objects.iter().enumerate() {
        let separator = if at > 0 { "---\n" } else { "" };
        write!(out, "{separator}{}", yaml::to_yaml(object.view(&Arena::new())))?;
    }
    out.finish()?;
    for note in &exported.notes {
        output::note(&note.to_string());
    }
    Ok(Outcome::Clean)
}
