//! `--profile`, `--disable`, and bindings in the place of shipped ones, in every command.

use serde_json::{Value, json};

use super::{FIRST_LOOK, checkout, portcullis, portcullis_with};

const PRIVILEGED: &str = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: media}\n\
    spec: {containers: [{name: app, image: 'registry.example/web:1.0.0', securityContext: {privileged: true}}]}\n";

const OWN: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\nspec:\n  bindings:\n  \
    - {policy: pss-baseline-privileged, validationActions: [Audit]}\n";

const BINDING: &str = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\n\
    metadata: {name: pss-baseline-privileged}\nspec: {policyName: pss-baseline-privileged, validationActions: [Warn]}\n";

/// The verdicts of policies on a privileged pod, as `policy verdict`.
fn verdicts(flags: &[&str]) -> Vec<String> {
    let dir = checkout(&[("pod.yaml", PRIVILEGED), ("own.yaml", OWN), ("mine/binding.yaml", BINDING)]);
    let args = [&["audit", "--format", "json"], flags, &["pod.yaml"]].concat();
    let run = portcullis_with(&args, "", dir.path());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{flags:?}: {}", run.stderr));
    let text = |finding: &Value| {
        format!(
            "{} {}",
            finding["policy"].as_str().unwrap_or_default(),
            finding["verdict"].as_str().unwrap_or_default()
        )
    };
    report["findings"].as_array().expect("a list").iter().map(text).collect()
}

#[test]
fn a_profile_says_which_policies_judge_and_what_they_do() {
    assert_eq!(verdicts(&["--profile", FIRST_LOOK]), ["pss-baseline-privileged deny"]);
    assert_eq!(verdicts(&["--profile", "own.yaml"]), ["pss-baseline-privileged audit"]);
    assert_eq!(verdicts(&["--profile", FIRST_LOOK, "--disable", "pss-baseline-privileged"]), [] as [&str; 0]);
    assert_eq!(verdicts(&["--profile", FIRST_LOOK, "--policies", "mine"]), ["pss-baseline-privileged warn"]);
    let default = verdicts(&[]);
    assert!(default.contains(&"pss-baseline-privileged deny".to_owned()), "{default:?}");
    assert_eq!(default, verdicts(&["--profile", "baseline"]));
}

#[test]
fn mutations_are_chosen_likewise() {
    let dir = checkout(&[("pod.yaml", PRIVILEGED), ("own.yaml", OWN)]);
    for (flags, changes) in [
        (&["--profile", FIRST_LOOK][..], true),
        (&["--profile", FIRST_LOOK, "--disable", "security-context-defaults"], false),
        (&["--profile", "own.yaml"], false),
    ] {
        let run = portcullis_with(&[&["mutate", "--patch"], flags, &["pod.yaml"]].concat(), "", dir.path());
        assert_eq!((run.code, !run.stdout.is_empty()), (0, changes), "{flags:?}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn webhooks_are_asked_for_what_is_on() {
    let dir = checkout(&[("own.yaml", OWN)]);
    let run = portcullis_with(&["webhook-config", "--profile", "own.yaml"], "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("ValidatingWebhookConfiguration"), "{}", run.stdout);
    assert!(!run.stdout.contains("MutatingWebhookConfiguration"), "nothing mutates: {}", run.stdout);
}

#[test]
fn suites_of_what_is_on_run_and_all_without_a_profile() {
    let run = portcullis(&["test", "--profile", FIRST_LOOK, "--disable", "gpu-device-access", "--coverage"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("require-pinned-images") && !run.stdout.contains("gpu-device-access"),
        "{}",
        run.stdout
    );
    let run = portcullis(&["test", "--disable", "require-pinned-images", "--coverage"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("gpu-device-access") && !run.stdout.contains("require-pinned-images"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_list_says_what_is_on_with_which_action_and_who_says_so() {
    let dir = checkout(&[("own.yaml", OWN), ("mine/binding.yaml", BINDING.replace("Warn", "Warn, Audit").as_str())]);
    let line = |flags: &[&str], policy: &str| {
        let run = portcullis_with(&[&["policies", "list"], flags].concat(), "", dir.path());
        assert_eq!(run.code, 0, "{flags:?}: {}", run.stderr);
        let line = run.stdout.lines().find(|line| line.trim_start().starts_with(policy)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{flags:?}: {}", run.stdout))
    };
    for (flags, policy, says) in [
        (&["--profile", "own.yaml"][..], "pss-baseline-privileged", &["  Audit  ", "  own  "][..]),
        (&["--profile", "own.yaml"], "gpu-device-access", &["  off  ", "  not in profile own  "]),
        (&["--profile", "restricted"], "gpu-device-access", &["  Mutate  ", "  baseline  "]),
        (&["--disable", "gpu-device-access"], "gpu-device-access", &["  off  ", "  by --disable  "]),
        (&["--policies", "mine"], "pss-baseline-privileged", &["  Audit, Warn  ", "  mine/binding.yaml  "]),
    ] {
        let line = line(flags, policy);
        assert!(says.iter().all(|says| line.contains(says)), "{flags:?}: {line}");
    }
    let run = portcullis_with(&["policies", "list", "--profile", "own.yaml"], "", dir.path());
    assert!(run.stdout.trim_end().ends_with(" of them off, by profile own; 6 rules of the audit"), "{}", run.stdout);
}

#[test]
fn the_list_for_programs_says_so_too() {
    let dir = checkout(&[("own.yaml", OWN)]);
    let run = portcullis_with(&["policies", "list", "--profile", "own.yaml", "--format", "json"], "", dir.path());
    let list: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((&list["schema"], &list["profile"]), (&json!("portcullis.dev/policies/v1"), &json!("own")));
    let row = |name: &str| {
        let rows = list["policies"].as_array().expect("a list");
        rows.iter().find(|row| row["name"] == name).expect("a policy").clone()
    };
    let on = row("pss-baseline-privileged");
    assert_eq!((&on["on"], &on["off"]), (&json!(true), &Value::Null));
    let binding = json!({"name": "pss-baseline-privileged", "actions": ["Audit"], "profile": "own",
        "source": "embedded:pod-security/pss-baseline-privileged/policy.yaml"});
    assert_eq!(on["bindings"], json!([binding]));
    let off = row("gpu-device-access");
    assert_eq!((&off["on"], &off["bindings"]), (&json!(false), &json!([])));
    assert_eq!(off["off"], "not in profile own");
}

#[test]
fn a_policy_that_is_off_is_still_shown() {
    let dir = checkout(&[("own.yaml", OWN)]);
    let run = portcullis_with(&["policies", "show", "gpu-device-access", "--profile", "own.yaml"], "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("# gpu-device-access\n"), "{}", run.stdout);
}

#[test]
fn asking_for_the_findings_of_a_policy_that_is_off_is_an_error() {
    let dir = checkout(&[("pod.yaml", PRIVILEGED), ("own.yaml", OWN)]);
    for (name, says) in [("gpu-device-access", "the policy is off"), ("gpu-device-acess", "there is no such policy")] {
        let run = portcullis_with(&["audit", "--profile", "own.yaml", "--policy", name, "pod.yaml"], "", dir.path());
        assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{name}");
        assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_profile_among_the_policies_is_passed_over() {
    let dir = checkout(&[("pod.yaml", PRIVILEGED), ("mine/own.yaml", OWN), ("mine/binding.yaml", BINDING)]);
    let args = ["audit", "--policies", "mine", "--profile", "mine/own.yaml", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{}", run.stdout);
}

#[test]
fn names_that_do_not_exist_are_errors_with_what_was_meant() {
    let wrong = OWN.replace("privileged, ", "privilege, ");
    let dir = checkout(&[("pod.yaml", PRIVILEGED), ("own.yaml", OWN), ("wrong.yaml", &wrong)]);
    for (flags, says) in [
        (&["--profile", "basline"][..], "no profile is called basline; write baseline"),
        (&["--profile", "./absent.yaml"], "absent.yaml: "),
        (
            &["--profile", "wrong.yaml"],
            "wrong.yaml:6: (document 0) Profile/own: spec.bindings[0].policy: Invalid value",
        ),
        (&["--disable", "gpu-device-acess"], "no shipped policy has this name; write gpu-device-access"),
        (&["--profile", "own.yaml", "--no-embedded"], "cannot be used with"),
        (&["--disable", "gpu-device-access", "--no-embedded"], "cannot be used with"),
        (&["--profile", "own.yaml", "--profile", "baseline"], "cannot be used multiple times"),
    ] {
        for command in [&["audit", "pod.yaml"][..], &["policies", "list"], &["test"], &["webhook-config"]] {
            let run = portcullis_with(&[command, flags].concat(), "", dir.path());
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{command:?} {flags:?}");
            assert!(run.stderr.contains(says), "{command:?} {flags:?}: {}", run.stderr);
        }
    }
}
