//! `portcullis policies export`.

use super::{checkout, portcullis, portcullis_with};

#[test]
fn prints_the_selected_policies_with_those_for_workloads() {
    let run = portcullis(&["policies", "export"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in ["pss-baseline-privileged", "pss-baseline-privileged-workloads", "pss-baseline-privileged-cronjobs"] {
        assert!(run.stdout.contains(&format!("\n  policyName: {name}\n")), "{name}: {}", run.stdout);
    }
    assert!(run.stderr.contains("note: the API server judges workloads as they are written"), "{}", run.stderr);
    assert_eq!(run.stdout, portcullis(&["policies", "export"]).stdout);
    let dir = checkout(&[("exported.yaml", &run.stdout)]);
    let lint = portcullis_with(&["policies", "lint", "exported.yaml"], "", dir.path());
    assert_eq!(lint.code, 0, "{}{}", lint.stdout, lint.stderr);

    let disabled = portcullis(&["policies", "export", "--disable", "pss-baseline-privileged"]);
    assert!(!disabled.stdout.contains("name: pss-baseline-privileged\n"), "{}", disabled.stdout);
    let pods = portcullis(&["policies", "export", "--pods-only"]);
    assert!(!pods.stdout.contains("-workloads") && !pods.stdout.contains("deployments\n      - replicasets"));
    assert!(!pods.stderr.contains("judges workloads"), "{}", pods.stderr);
}

#[test]
fn exported_policies_judge_as_those_that_they_come_from() {
    let dir = checkout(&[(
        "deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: media}\nspec:\n  selector: {matchLabels: \
         {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers:\n      - {name: app, image: \
         'registry.example/web:1.0.0', securityContext: {privileged: true}}\n",
    )]);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/pod-security/pss-baseline-privileged/policy.yaml");
    let exported = portcullis(&["policies", "export", "--no-embedded", "--policies", policy]);
    std::fs::write(dir.path().join("exported.yaml"), exported.stdout).unwrap();
    let args = ["audit", "--no-embedded", "--policies", "exported.yaml", "--format", "json", "deployment.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    let found: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let found: Vec<_> = found["findings"].as_array().expect("findings").iter().collect();
    let mut policies: Vec<_> = found.iter().map(|finding| finding["policy"].as_str().unwrap()).collect();
    policies.sort_unstable();
    assert_eq!(policies, ["pss-baseline-privileged", "pss-baseline-privileged-workloads"], "{}", run.stdout);
    assert_eq!(found[0]["field"], found[1]["field"]);
    assert_eq!(found[0]["message"], found[1]["message"]);
}

#[test]
fn params_are_inlined_where_that_is_asked_for() {
    let by_reference = portcullis(&["policies", "export"]);
    assert!(by_reference.stdout.contains("kind: ConfigMap\n") && by_reference.stdout.contains("paramRef:"));
    let inline = portcullis(&["policies", "export", "--params", "policies/params/k8s-nas.yaml", "--params", "inline"]);
    assert_eq!(inline.code, 0, "{}", inline.stderr);
    for absent in ["kind: ConfigMap\n", "paramRef:", "paramKind:", "params.?data"] {
        assert!(!inline.stdout.contains(absent), "{absent}");
    }
    let missing = portcullis(&["policies", "export", "--params", "./inline"]);
    assert_eq!(missing.code, 2, "{}", missing.stderr);
    assert!(missing.stderr.contains("inline"), "{}", missing.stderr);
}

#[test]
fn static_policies_are_files_for_each_plugin() {
    let dir = checkout(&[("a", "")]);
    let run = portcullis_with(&["policies", "export", "--static", "manifests"], "", dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    let read = |name: &str| std::fs::read_to_string(dir.path().join("manifests").join(name)).expect(name);
    let (validating, mutating) = (read("validating/portcullis.yaml"), read("mutating/portcullis.yaml"));
    assert!(validating.contains("  name: pss-baseline-privileged-workloads.static.k8s.io\n"), "{validating}");
    assert!(!validating.contains("kind: Mutating") && !mutating.contains("kind: Validating"));
    for text in [&validating, &mutating] {
        assert!(!text.contains("paramKind") && !text.contains("paramRef") && !text.contains("kind: ConfigMap"));
        let names = text.lines().filter(|line| line.starts_with("  name: ") || line.starts_with("  policyName: "));
        names.for_each(|line| assert!(line.ends_with(".static.k8s.io"), "{line}"));
    }
    let configuration = read("admission-configuration.yaml");
    assert!(configuration.contains("kind: ValidatingAdmissionPolicyConfiguration\n"), "{configuration}");
    assert!(configuration.contains("/manifests/mutating\n"), "{configuration}");
}

#[test]
fn exemptions_become_conditions_and_expired_ones_are_named() {
    let exemption = |name: &str, expires: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\nspec:\n  policies: \
             [pss-baseline-privileged]\n  match: {{namespaces: [{name}]}}\n  reason: it has to be\n  expires: {expires}\n---\n"
        )
    };
    let exemptions = exemption("lasting", "2999-12-31") + &exemption("ended", "2020-12-31");
    let dir = checkout(&[("exemptions.yaml", &exemptions), ("wrong.yaml", "kind: Exemption\n")]);
    let run = portcullis_with(&["policies", "export", "--exemptions", "exemptions.yaml"], "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("portcullis.dev/exempts: lasting (until 2999-12-31)\n"), "{}", run.stdout);
    assert!(run.stdout.contains("in [\"lasting\"]") && !run.stdout.contains("[\"ended\"]"));
    assert!(run.stderr.contains("ended: the exemption has expired (2020-12-31)"), "{}", run.stderr);
    let run = portcullis_with(&["policies", "export", "--exemptions", "wrong.yaml"], "", dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}
