//! The rules of the audit about several objects.

use serde_json::Value;

use super::{Run, checkout, portcullis, portcullis_with};

/// A Deployment that nothing is wrong with but for the Secret that it reads, and the Secret that was meant.
const INPUT: &str = "apiVersion: v1\nkind: Secret\nmetadata: {name: vpn-credentials, namespace: media}\nimmutable: true\n---\n\
    apiVersion: v1\nkind: Pod\nmetadata: {name: vpn, namespace: media, labels: {app: vpn}}\nspec:\n  containers:\n  - name: vpn\n    \
    image: registry.example/vpn:1.0.0\n    envFrom:\n    - secretRef: {name: vpn-credential}\n";

const OWN: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: Profile\nmetadata: {name: own}\nspec:\n  bindings:\n  \
    - {policy: secret-exists, validationActions: [ACTION]}\n";

const EXEMPTION: &str = "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {name: by-hand}\nspec:\n  policies: \
    [secret-*]\n  match: {namespaces: [media], labels: {app: vpn}}\n  reason: made by hand\n  expires: 2999-12-31\n";

fn audit(flags: &[&str]) -> Run {
    let dir = checkout(&[
        ("m/vpn.yaml", INPUT),
        ("deny.yaml", &OWN.replace("ACTION", "Deny")),
        ("audit.yaml", &OWN.replace("ACTION", "Audit")),
        ("exemption.yaml", EXEMPTION),
    ]);
    portcullis_with(&[&["audit", "--format", "json"], flags, &["m"]].concat(), "", dir.path())
}

/// The findings of the rule, each as its verdict and line.
fn found(run: &Run) -> Vec<(String, u64)> {
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let findings = report["findings"].as_array().expect("a list").iter();
    let of_rule = findings.filter(|finding| finding["policy"] == "secret-exists");
    of_rule
        .map(|found| (found["verdict"].as_str().unwrap().to_owned(), found["source"]["line"].as_u64().unwrap()))
        .collect()
}

#[test]
fn a_rule_records_and_fails_no_run_that_does_not_ask_for_it() {
    let recorded = [("audit".to_owned(), 14)];
    for (flags, code) in [
        (&["--profile", "audit.yaml"][..], 0),
        (&["--profile", "audit.yaml", "--fail-on", "warn"], 0),
        (&["--profile", "audit.yaml", "--fail-on", "audit"], 1),
        (&["--policy", "secret-exists"], 0),
        (&["--policy", "secret-exists", "--severity", "medium", "--fail-on", "audit"], 1),
    ] {
        let run = audit(flags);
        assert_eq!((run.code, found(&run)), (code, recorded.to_vec()), "{flags:?}: {}", run.stderr);
    }
}

#[test]
fn a_profile_chooses_rules_and_what_they_do() {
    let run = audit(&["--profile", "deny.yaml"]);
    assert_eq!((run.code, found(&run)), (1, vec![("deny".to_owned(), 14)]));
    for flags in [&["--disable", "secret-exists"][..], &["--profile", "audit.yaml", "--disable", "secret-exists"]] {
        assert_eq!(found(&audit(flags)), [], "{flags:?}");
    }
    let run = audit(&["--disable", "secrets-exist"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("write secret-exists"), "{}", run.stderr);
    let dir = checkout(&[("vpn.yaml", INPUT), ("policy.yaml", super::LABELS)]);
    let run = portcullis_with(
        &["audit", "--no-embedded", "--policies", "policy.yaml", "--format", "json", "vpn.yaml"],
        "",
        dir.path(),
    );
    assert_eq!(found(&run), [], "rules come with the bundle: {}", run.stderr);
}

#[test]
fn an_exemption_sets_a_rule_s_finding_aside_and_says_what_it_would_have_been() {
    let run = audit(&["--profile", "deny.yaml", "--exemptions", "exemption.yaml"]);
    assert_eq!((run.code, found(&run)), (0, vec![("exempt".to_owned(), 14)]), "{}", run.stderr);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["findings"][0]["exemption"]["wouldBe"], "deny");
    assert_eq!((&report["exemptions"][0]["state"], &report["exemptions"][0]["findings"]), (&"used".into(), &1.into()));
}

#[test]
fn a_name_is_found_wherever_in_a_large_input_it_is() {
    let filler = |at: usize| {
        let text = "x".repeat(100_000);
        format!(
            "---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: filler-{at}, namespace: media}}, data: {{a: {text}}}}}\n"
        )
    };
    let filler: String = (0..30).map(filler).collect();
    let (secret, pod) = INPUT.split_once("---\n").expect("two documents");
    let there = pod.replace("vpn-credential", "vpn-credentials").replace("{name: vpn,", "{name: there,");
    let input = format!("{pod}---\n{there}{filler}---\n{secret}");
    let other = "{apiVersion: v1, kind: Secret, metadata: {name: vpn-credential, namespace: media}}";
    let dir = checkout(&[("large.yaml", &input), ("other.yaml", other)]);
    for jobs in ["1", "4"] {
        let audit = |paths: &[&str], stdin| {
            let flags = ["audit", "--policy", "secret-exists", "--format", "json", "--jobs", jobs];
            found(&portcullis_with(&[&flags[..], paths].concat(), stdin, dir.path()))
        };
        let missing = [("audit".to_owned(), 9)];
        assert_eq!(audit(&["large.yaml"], ""), missing);
        assert_eq!(audit(&["-"], &input), missing);
        assert_eq!(audit(&["large.yaml", "other.yaml"], ""), []);
    }
}

#[test]
fn the_list_has_the_rules_and_show_says_where_to_read_about_them() {
    let run = portcullis(&["policies", "list", "--disable", "service-monitored"]);
    let line = |name: &str| run.stdout.lines().find(|line| line.contains(name)).unwrap_or_default();
    for (name, says) in
        [("secret-exists", "Audit"), ("secret-exists", "baseline"), ("service-monitored", "by --disable")]
    {
        assert!(line(name).contains(says), "{}", run.stdout);
    }
    assert!(run.stdout.contains("; 6 rules of the audit\n"), "{}", run.stdout);
    let run = portcullis(&["policies", "show", "secret-exists"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("docs/policies/audit-rules.md"), "{}", run.stderr);
}

#[test]
fn the_page_names_every_rule_with_its_severity() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/policies/audit-rules.md");
    let page = std::fs::read_to_string(page).expect("the page is there");
    for rule in &portcullis::policy::AUDIT_RULES {
        assert!(page.contains(&format!("| `{}` | {} |", rule.name, rule.severity)), "{}", rule.name);
    }
}

#[test]
fn objects_below_an_application_s_path_are_judged_in_its_namespace() {
    let deployment = INPUT.split("---\n").nth(1).expect("two documents").replace("namespace: media, ", "");
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata: {name: apps, namespace: argocd}\nspec:\n  \
        generators: [{list: {elements: [{name: home}]}}]\n  template:\n    metadata: {name: '{{name}}'}\n    spec: {project: default, \
        source: {repoURL: 'https://git.example.org/a.git', path: 'apps/{{name}}'}, destination: {namespace: '{{name}}'}}\n";
    let dir = checkout(&[(".git/config", ""), ("apps/home/vpn.yaml", &deployment), ("argocd.yaml", application)]);
    let run = portcullis_with(&["audit", "--format", "json", "."], "", dir.path());
    let report: Value = serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{}", run.stderr));
    let of_pod = report["findings"].as_array().expect("a list").iter().find(|found| found["object"]["kind"] == "Pod");
    assert_eq!(of_pod.expect("a finding")["object"]["namespace"], "home");
}
