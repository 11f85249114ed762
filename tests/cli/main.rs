//! The binary from the outside: arguments and files in, output and exit code out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod across;
mod audit;
mod definitions;
mod eval;
mod export;
mod hostile;
mod kustomize;
#[path = "../support/manifests.rs"]
mod manifests;
mod media_server;
mod mutants;
mod mutate;
mod pages;
#[path = "../support/pods.rs"]
mod pods;
mod policies;
mod profiles;
mod scale;
mod test;
mod usage;

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What a run of the binary gave.
pub struct Run {
    /// The exit code, -1 if there is none.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs the binary in the project's root.
pub fn portcullis(args: &[&str]) -> Run {
    portcullis_with(args, "", Path::new(env!("CARGO_MANIFEST_DIR")))
}

/// Runs the binary with `stdin` in the directory `dir`.
pub fn portcullis_with(args: &[&str], stdin: &str, dir: &Path) -> Run {
    let mut child = started(args, dir);
    // A command that doesn't read its standard input may have gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin.as_bytes());
    let output = child.wait_with_output().expect("the binary ends");
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Starts the binary in the directory `dir`, with pipes for what it reads and writes.
pub fn started(args: &[&str], dir: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts")
}

/// A directory with these files.
pub fn checkout(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("a file");
    }
    dir
}

/// The profile of a first look: four policies, so that what a test expects doesn't change with the bundle.
pub const FIRST_LOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first-look.yaml");

/// A policy that denies pods labelled `deny`, warns of `warn`, and records `audit`.
pub const LABELS: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: labels, annotations: {portcullis.dev/severity: low}}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  matchConditions:
  - {name: labelled, expression: has(object.metadata.labels)}
  variables:
  - {name: labels, expression: object.metadata.labels}
  validations:
  - expression: "!('bad' in variables.labels)"
    messageExpression: "'metadata.labels.bad: ' + variables.labels.bad + ' is bad'"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: deny}
spec:
  policyName: labels
  validationActions: [Deny, Audit]
  matchResources: {objectSelector: {matchLabels: {act: deny}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: warn}
spec:
  policyName: labels
  validationActions: [Warn]
  matchResources: {objectSelector: {matchLabels: {act: warn}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: audit}
spec:
  policyName: labels
  validationActions: [Audit]
  matchResources: {objectSelector: {matchLabels: {act: audit}}}
"#;

/// A pod for [`LABELS`].
pub fn pod(act: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: {act}\n  labels:\n    act: {act}\n    bad: 'yes'\n\
         spec: {{containers: [{{name: a, image: a}}]}}\n"
    )
}
