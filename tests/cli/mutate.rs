//! `portcullis mutate`.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::manifests::{PODS, mutating};
use super::{FIRST_LOOK, checkout, portcullis, portcullis_with};

const JELLYFIN: &str = "examples/media-server/jellyfin/deployment.yaml";

#[test]
fn shows_what_will_happen_to_the_pods_of_a_workload() {
    let run = portcullis(&["mutate", "--profile", FIRST_LOOK, "-n", "media", "--effective-pods", "--diff", JELLYFIN]);
    insta::assert_snapshot!(run.stdout);
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("note: the pods of Deployment media/jellyfin would be refused"), "{}", run.stderr);
}

#[test]
fn leaves_a_workload_as_git_declares_it() {
    let run = portcullis(&["mutate", "--profile", FIRST_LOOK, "-n", "media", JELLYFIN]);
    assert_eq!(run.code, 0);
    assert!(run.stdout.starts_with("---\napiVersion: apps/v1\n"), "{}", run.stdout);
    assert!(run.stdout.contains("privileged: true"), "{}", run.stdout);
    assert!(!run.stdout.contains("namespace:"), "the namespace was not written: {}", run.stdout);
    assert!(run.stderr.contains("--effective-pods"), "{}", run.stderr);
}

#[test]
fn prints_a_patch_for_each_changed_object() {
    let run = portcullis(&[
        "mutate",
        "--profile",
        FIRST_LOOK,
        "-n",
        "media",
        "--effective-pods",
        "--patch",
        "examples/media-server",
    ]);
    assert_eq!(run.code, 0);
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let names: Vec<_> = lines.iter().map(|line| line["object"]["name"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, ["jellyfin", "qbittorrent", "backup", "sonarr"]);
    let removed = serde_json::json!({"op": "remove", "path": "/spec/containers/0/securityContext/privileged"});
    assert!(lines[0]["patch"].as_array().expect("a list").contains(&removed), "{}", lines[0]);
    assert_eq!(lines[0]["effectivePod"], true);
}

#[test]
fn the_stored_pod_is_not_changed_again() {
    let first =
        portcullis(&["mutate", "--profile", FIRST_LOOK, "-n", "media", "--effective-pods", "examples/media-server"]);
    assert!(first.stdout.contains("allowPrivilegeEscalation: false"), "{}", first.stdout);
    let dir = checkout(&[("pods.yaml", &first.stdout)]);
    let second =
        portcullis_with(&["mutate", "--profile", FIRST_LOOK, "-n", "media", "--patch", "pods.yaml"], "", dir.path());
    assert_eq!((second.code, second.stdout.as_str()), (0, ""), "{}", second.stderr);
}

#[test]
fn a_diff_and_a_patch_exclude_each_other() {
    let run = portcullis(&["mutate", "--diff", "--patch", JELLYFIN]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--diff"), "{}", run.stderr);
}

/// Labels pods whose container pulls its image every time, and gives them a sidecar.
const SIDECAR: &str = "
  matchConditions: [{name: pulls, expression: \"object.spec.containers[0].?imagePullPolicy.orValue('') == 'Always'\"}]
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: 'add', path: '/spec/securityContext/runAsNonRoot', value: true},
         JSONPatch{op: 'add', path: '/spec/containers/-', value: Object.spec.containers{name: 'b', image: 'b:1'}}]
";

#[test]
fn prints_what_policies_change_and_no_defaults() {
    let pod =
        "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: app\n";
    let dir = checkout(&[("policy.yaml", &mutating("sidecar", PODS, SIDECAR)), ("pod.yaml", pod)]);
    let args = ["mutate", "--no-embedded", "--policies", "policy.yaml", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    let changed = format!("{pod}  - name: b\n    image: b:1\n  securityContext:\n    runAsNonRoot: true\n");
    assert_eq!((run.stdout.as_str(), run.code), (changed.as_str(), 0), "{}", run.stderr);

    let run = portcullis_with(&[&args[..], &["--no-defaulting"]].concat(), "", dir.path());
    assert_eq!((run.stdout.as_str(), run.code), (pod, 0), "{}", run.stderr);
}

/// Prints what a kustomization is built to; `sleep` in its directory makes it slow.
const KUSTOMIZE: &str = "#!/bin/sh\n[ -f \"$2/sleep\" ] && exec sleep 600\n\
    cat \"$2/built\" 2>/dev/null || echo '{apiVersion: v1, kind: Pod, metadata: {name: none}}'\n";

const SEEN: &str = "
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: \"Object{metadata: Object.metadata{labels: {'seen': 'yes'}}}\"}";

#[test]
fn prints_what_kustomizations_are_built_to() {
    let dir = checkout(&[
        ("policies/policy.yaml", &mutating("seen", PODS, SEEN)),
        ("m/kustomization.yaml", "resources: [pod.yaml]\npatches: [{path: p.yaml}]\n"),
        ("m/pod.yaml", "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: a}]}\n"),
        (
            "m/built",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: patched}\nspec: {containers: [{name: a, image: b}]}\n",
        ),
        ("slow/kustomization.yaml", "resources: []\n"),
        ("slow/sleep", ""),
        ("tools/kustomize", KUSTOMIZE),
    ]);
    let tool = dir.path().join("tools/kustomize");
    std::fs::set_permissions(tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let run = |args: &[&str], tools: &str| {
        let path = format!("{}:/usr/bin:/bin", dir.path().join("tools").display());
        let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
            .args(["mutate", "--no-embedded", "--policies", "policies"])
            .args(args)
            .current_dir(dir.path())
            .env("PATH", if tools.is_empty() { &path } else { tools })
            .output()
            .expect("the binary runs");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, stdout, stderr) = run(&["--render", "m"], "");
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("name: patched") && stdout.contains("seen: \"yes\""), "{stdout}");
    assert!(!stdout.contains("name: web"), "{stdout}");

    let (code, stdout, stderr) = run(&["m"], "");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("name: web"), "{stdout}");
    assert!(
        stderr.contains("m/kustomization.yaml patches objects: what it makes may differ; --render builds it"),
        "{stderr}"
    );

    let (code, stdout, stderr) = run(&["--render", "m"], "/nowhere");
    assert_eq!(code, Some(2), "{stdout}");
    assert!(stderr.contains("m/kustomization.yaml:1: not built: ") && stderr.contains("PATH"), "{stderr}");

    let (code, stdout, stderr) = run(&["--render", "--render-timeout", "1", "slow", "m"], "");
    assert_eq!(code, Some(2), "{stdout}");
    assert!(stderr.contains("slow/kustomization.yaml:1: not built: "), "{stderr}");
    assert!(stdout.contains("name: patched"), "the others are printed: {stdout}");
}
