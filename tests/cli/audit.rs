//! `portcullis audit`.

use std::path::Path;

use super::manifests::{PODS, validating};
use super::{FIRST_LOOK, LABELS, Run, checkout, pod, portcullis, portcullis_with};

const SAMPLE: &str = "examples/media-server";

#[test]
fn reports_the_sample_for_people() {
    let run = portcullis(&["audit", "--profile", FIRST_LOOK, SAMPLE]);
    insta::assert_snapshot!(run.stdout);
    assert_eq!((run.code, run.stderr.as_str()), (1, ""));
}

#[test]
fn reports_the_sample_for_programs() {
    let run = portcullis(&["audit", "--profile", FIRST_LOOK, "--format", "json", SAMPLE]);
    assert_eq!(run.code, 1);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(report["schema"], "portcullis.dev/audit/v1");
    assert_eq!(report["summary"]["objects"], 7);
    assert_eq!(report["summary"]["deny"], 3);
    let privileged = report["findings"].as_array().expect("a list").iter().find(|finding| finding["verdict"] == "warn");
    let privileged = privileged.expect("the finding that will be repaired");
    assert_eq!(privileged["policy"], "pss-baseline-privileged");
    assert_eq!(privileged["field"], "spec.template.spec.containers[0].securityContext.privileged");
    let object = serde_json::json!(
        {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "media", "name": "jellyfin"});
    assert_eq!(privileged["object"], object);
    let source =
        serde_json::json!({"file": "examples/media-server/jellyfin/deployment.yaml", "document": 0, "line": 26});
    assert_eq!(privileged["source"], source);
}

#[test]
fn says_what_it_leaves_out_when_asked() {
    let run = portcullis(&["audit", "--profile", FIRST_LOOK, "-vv", SAMPLE]);
    insta::assert_snapshot!(run.stderr);
    let counts = portcullis(&["audit", "--profile", FIRST_LOOK, "-v", SAMPLE]).stderr;
    assert_eq!(
        counts,
        "note: 4 left out: kustomization; judge its output: kubectl kustomize DIR | portcullis audit -\n\
         note: 1 left out: Helm values\n"
    );
}

#[test]
fn says_what_decided_when_asked() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  \
                      selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      \
                      containers:\n      - {name: a, image: 'web:1.2.3'}\n      - {name: b, image: 'web:1.2.3', securityContext: {privileged: true}}\n";
    let dir = checkout(&[("web.yaml", deployment)]);
    let args = ["audit", "--policy", "pss-baseline-privileged", "web.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert!(!run.stdout.contains("for c ="), "{}", run.stdout);
    let run = portcullis_with(&[&args[..], &["-v"]].concat(), "", dir.path());
    let explanation = "\n      for c = [1] (spec.template.spec.containers[1])\n        \
                       c.?securityContext.?privileged.orValue(false) is true\n";
    assert!(run.code == 1 && run.stdout.contains(explanation), "{}", run.stdout);
    let json = portcullis_with(&[&args[..], &["-v", "--format", "json"]].concat(), "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    let part = &report["findings"][0]["explanation"]["parts"][0];
    assert_eq!((&part["element"], &part["path"]), (&"[1]".into(), &"spec.template.spec.containers[1]".into()));
    let plain = portcullis_with(&[&args[..], &["--format", "json"]].concat(), "", dir.path());
    let mut without = report.clone();
    without["findings"][0].as_object_mut().expect("a finding").remove("explanation");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&plain.stdout).expect("JSON"), without);
}

#[test]
fn explains_nothing_of_a_secret() {
    let policy = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: p}\nspec:\n  \
                  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [secrets]}]}\n  \
                  validations:\n  - {expression: \"object.data.all(k, v, variables.plain[k] == '')\"}\n  \
                  variables: [{name: plain, expression: 'object.data.transformMap(k, v, v + v)'}]\n---\n\
                  apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: p}\n\
                  spec: {policyName: p, validationActions: [Deny]}\n";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: aHVudGVyMg==}\n";
    let dir = checkout(&[("p.yaml", policy), ("secret.yaml", secret)]);
    for format in ["text", "json"] {
        let args = ["audit", "-v", "--format", format, "--no-embedded", "--policies", "p.yaml", "secret.yaml"];
        let run = portcullis_with(&args, "", dir.path());
        assert!(run.code == 1 && run.stdout.contains("data.k"), "{}{}", run.stdout, run.stderr);
        assert!(!run.stdout.contains("aHVu") && !run.stdout.contains("hunter2"), "{}", run.stdout);
    }
}

/// Runs the audit with [`LABELS`] alone.
fn audit(dir: &Path, args: &[&str], stdin: &str) -> Run {
    std::fs::write(dir.join("labels.policy"), LABELS).expect("a policy");
    let own = ["audit", "--no-embedded", "--policies", "labels.policy"];
    portcullis_with(&[&own[..], args].concat(), stdin, dir)
}

#[test]
fn braces_turn_nothing_that_cannot_be_read_into_a_template() {
    let bad = pod("deny");
    for broken in ["# {{ x }}\na: [", "a: \"{{ x }}\"\na: [", "data: {t: \"{{ x }}\"", "labels: {{}}"] {
        let text = format!("{broken}\n---\n{bad}");
        let dir = checkout(&[("m/a.yaml", &text)]);
        for (args, stdin) in [(&["m"][..], ""), (&["-"], text.as_str())] {
            let run = audit(dir.path(), args, stdin);
            assert_eq!(run.code, 1, "{broken} {args:?}: {}", run.stdout);
            assert!(run.stdout.starts_with("not judged\n"), "{}", run.stdout);
            assert!(run.stdout.contains("Pod default/deny\n"), "{}", run.stdout);
            assert!(run.stdout.lines().last().is_some_and(|line| line.starts_with("1 unreadable; ")), "{}", run.stdout);
        }
        let run = audit(dir.path(), &["-"], broken);
        assert_eq!(run.code, 2, "{broken}: {}", run.stdout);
    }
}

#[test]
fn a_template_is_left_out_from_files_only_and_named_in_json() {
    let template = "a: {{ .Values.a }}\nb: [\n";
    let dir = checkout(&[("m/a.yaml", template)]);
    let run = audit(dir.path(), &["--format", "json", "m"], "");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((run.code, &report["leftOut"][0]["reason"]), (0, &serde_json::json!("HelmTemplate")), "{}", run.stdout);
    assert_eq!(report["leftOut"][0]["source"]["file"], "m/a.yaml");
    assert_eq!(audit(dir.path(), &["-"], template).code, 2);
}

#[test]
fn a_resource_that_is_a_patch_too_is_judged() {
    let kustomization = "resources: [a.yaml]\npatches: [{path: a.yaml}]";
    let dir = checkout(&[("m/kustomization.yaml", kustomization), ("m/a.yaml", &pod("deny"))]);
    let run = audit(dir.path(), &["m"], "");
    assert_eq!(run.code, 1, "{}", run.stdout);
}

#[test]
fn nothing_judged_is_said_and_fails_where_judging_is_required() {
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
    let dir = checkout(&[("m/a.yaml", service)]);
    let run = audit(dir.path(), &["m"], "");
    let expected = "no policy looks at: 1 Service\nnothing judged in 1 object; 0 checks passed\n";
    assert_eq!((run.code, run.stdout.as_str()), (0, expected));
    let run = audit(dir.path(), &["--require-judged", "m"], "");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("nothing was judged"), "{}", run.stderr);
    let run = audit(dir.path(), &["--require-judged", "--fail-on", "never", "-"], &pod("deny"));
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn what_has_to_be_rendered_is_named_with_its_command() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: a, namespace: media}\n\
                   spec: {chart: {spec: {chart: a}}}\n";
    let dir = checkout(&[("m/a.yaml", release), ("m/chart/Chart.yaml", "apiVersion: v2\nname: app\n")]);
    let run = audit(dir.path(), &["m"], "");
    assert!(
        run.stdout.starts_with("not rendered, hence not judged\n  m/a.yaml:1  HelmRelease media/a\n"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("    helm template m/chart | portcullis audit -\n"), "{}", run.stdout);
    assert!(run.stdout.contains("\n2 not rendered; nothing judged in 1 object"), "{}", run.stdout);
}

#[test]
fn policies_of_other_engines_are_an_error() {
    for (api_version, kind, says) in [
        ("kyverno.io/v1", "ClusterPolicy", "Kyverno"),
        ("policies.kyverno.io/v1alpha1", "ValidatingPolicy", "Kyverno"),
        ("templates.gatekeeper.sh/v1", "ConstraintTemplate", "Gatekeeper"),
        ("constraints.gatekeeper.sh/v1beta1", "K8sRequiredLabels", "Gatekeeper"),
        ("policies.kubewarden.io/v1", "ClusterAdmissionPolicy", "Kubewarden"),
    ] {
        let policy = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let dir = checkout(&[("policy.yaml", &policy), ("pod.yaml", &pod("deny"))]);
        let run = portcullis_with(&["audit", "--policies", "policy.yaml", "pod.yaml"], "", dir.path());
        assert_eq!(run.code, 2, "{kind}: {}", run.stdout);
        assert!(run.stderr.contains(says) && run.stderr.contains("admissionregistration.k8s.io/v1"), "{}", run.stderr);
    }
}

#[test]
fn passes_over_what_exclude_and_the_ignore_file_name() {
    let bad = pod("deny");
    let files = [
        ("m/old/a.yaml", &*bad),
        ("m/b.yaml", &bad),
        ("m/node_modules/c.yaml", &bad),
        (".portcullisignore", "/m/b.yaml\n"),
    ];
    let dir = checkout(&files);
    assert_eq!(audit(dir.path(), &["m"], "").code, 1);
    assert_eq!(audit(dir.path(), &["--exclude", "old/", "m", "labels.policy"], "").code, 0);
    let run = audit(dir.path(), &["--exclude", "[z-a]", "m"], "");
    assert!(run.code == 2 && run.stderr.contains("--exclude"), "{}", run.stderr);
    for command in ["audit", "mutate"] {
        let run = portcullis_with(&[command, "--exclude", "old/", "m"], "", dir.path());
        assert!(run.code == 2 && run.stderr.contains("no document"), "{command}: {}", run.stderr);
    }
}

#[test]
fn filters_choose_what_is_shown_and_what_fails() {
    let input = format!("{}---\n{}", pod("deny"), pod("warn"));
    let dir = checkout(&[]);
    for (flags, code, last) in [
        (&["--policy", "labels"][..], 1, "1 deny, 1 warn in 2 of 2 objects; 0 checks passed"),
        (&["--verdict", "warn"], 0, "1 warn in 1 of 2 objects; 0 checks passed; 1 finding filtered out"),
        (&["--verdict", "warn,deny"], 1, "1 deny, 1 warn in 2 of 2 objects; 0 checks passed"),
        (&["--severity", "high"], 0, "no findings in 2 objects; 0 checks passed; 2 findings filtered out"),
        (&["--severity", "low,high"], 1, "1 deny, 1 warn in 2 of 2 objects; 0 checks passed"),
    ] {
        let run = audit(dir.path(), &[flags, &["-"]].concat(), &input);
        assert_eq!((run.code, run.stdout.lines().last()), (code, Some(last)), "{flags:?}");
    }
    let run = audit(dir.path(), &["--policy", "lables", "-"], &input);
    assert!(run.code == 2 && run.stderr.contains("there is no such policy"), "{}", run.stderr);
}

#[test]
fn standard_input_is_named_as_helm_names_it() {
    let input = format!("---\n# Source: app/templates/pod.yaml\n{}", pod("deny"));
    let run = audit(checkout(&[]).path(), &["-"], &input);
    assert!(run.stdout.contains("  app/templates/pod.yaml:9  deny"), "{}", run.stdout);
}

#[test]
fn names_in_the_input_do_nothing_to_a_terminal() {
    let nasty = "\u{9b}31m\u{202e}\u{2028}";
    let quoted = "\\x9b31m\\u202e\\L";
    let policy = LABELS.replace("' is bad'", "' is bad' + object.metadata.name");
    let pod = pod("deny").replace("name: deny", &format!("name: \"{quoted}\""));
    let dir = checkout(&[("labels.yaml", &policy), ("m/a.yaml", &pod), (&format!("m/{nasty}.yaml"), "a: [\n")]);
    let policies = ["--no-embedded", "--policies", "labels.yaml"];
    for args in [
        &["audit", "m"][..],
        &["audit", "--format", "json", "m"],
        &["audit", "-vv", "m"],
        &["mutate", "m"],
        &["mutate", "--diff", "--effective-pods", "m"],
        &["eval", &format!("'{nasty}'")],
        &["eval", &format!("'{nasty}' + 1")],
        &["policies", "lint", "m"],
        &["policies", "show", nasty],
        &["test", "m"],
    ] {
        let flags = if ["audit", "mutate"].contains(&args[0]) { &policies[..] } else { &[] };
        let run = portcullis_with(&[args, flags].concat(), "", dir.path());
        for output in [&run.stdout, &run.stderr] {
            let found = output.chars().find(|c| c.is_control() && *c != '\n' || "\u{202e}\u{2028}".contains(*c));
            assert_eq!(found, None, "{args:?}: {output:?}");
        }
        assert!(!run.stdout.is_empty() || !run.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn a_pinned_and_unprivileged_copy_of_the_sample_passes() {
    let read = |name: &str| std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(SAMPLE).join(name));
    let jellyfin = read("jellyfin/deployment.yaml").expect("the sample");
    let dir = checkout(&[("jellyfin.yaml", &jellyfin.replace("jellyfin:latest", "jellyfin:10.10.7"))]);
    let audit = |flags: &[&str]| {
        portcullis_with(&[&["audit", "--profile", FIRST_LOOK, "-n"], flags, &["."]].concat(), "", dir.path())
    };
    let run = audit(&["media", "--fail-on", "deny"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let run = audit(&["media", "--fail-on", "warn"]);
    assert_eq!(run.code, 1, "the privilege that will be repaired is a warning");
    let run = audit(&["elsewhere"]);
    assert_eq!(run.code, 1, "elsewhere nobody repairs it");
}

#[test]
fn fails_on_the_verdict_that_is_asked_for() {
    for (act, deny, warn, audit) in [("deny", 1, 1, 1), ("warn", 0, 1, 1), ("audit", 0, 0, 1), ("none", 0, 0, 0)] {
        let dir = checkout(&[("policy.yaml", LABELS), ("pod.yaml", &pod(act))]);
        for (fail_on, code) in [("deny", deny), ("warn", warn), ("audit", audit), ("never", 0)] {
            let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "--fail-on", fail_on, "pod.yaml"];
            let run = portcullis_with(&args, "", dir.path());
            assert_eq!(run.code, code, "{act} --fail-on {fail_on}: {}{}", run.stdout, run.stderr);
        }
    }
}

#[test]
fn reads_standard_input_and_writes_a_file() {
    let dir = checkout(&[("policy.yaml", LABELS)]);
    let input = format!("{}---\n{}", pod("deny"), pod("warn"));
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "-o", "report.txt", "-"];
    let run = portcullis_with(&args, &input, dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    let report = std::fs::read_to_string(dir.path().join("report.txt")).expect("the report");
    assert!(report.contains("  -:7  deny  low  labels (deny)\n    metadata.labels.bad: yes is bad\n"), "{report}");
    assert!(report.contains("  -:16  warn  low  labels (warn)\n"), "{report}");
    assert!(report.ends_with("1 deny, 1 warn in 2 of 2 objects; 0 checks passed\n"), "{report}");
}

#[test]
fn an_empty_input_is_no_clean_bill() {
    let dir = checkout(&[("empty/notes.txt", "nothing")]);
    let lists = ["apiVersion: v1\nkind: List\nitems: []\n", "apiVersion: v1\nkind: PodList\nmetadata: {}\n"];
    for (path, stdin) in [("-", ""), ("-", "# nothing\n---\nnull\n"), ("-", lists[0]), ("-", lists[1]), ("empty", "")] {
        for command in ["audit", "mutate"] {
            let run = portcullis_with(&[command, path], stdin, dir.path());
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{command} {path} {stdin:?}");
            assert_eq!(run.stderr, "error: nothing to judge: the input holds no document\n");
        }
    }
}

#[test]
fn exempts_what_an_exemption_covers_until_it_expires() {
    let exemption = |expires: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: legacy}}\nspec:\n  \
             policies: [labels]\n  reason: moves next month\n  expires: {expires}\n  match:\n    kinds: [Pod]\n    names: [deny]\n"
        )
    };
    for (expires, code, verdict) in [("2999-01-01", 0, "exempt"), ("2020-01-01", 1, "deny")] {
        let text = exemption(expires);
        let dir = checkout(&[("policy.yaml", LABELS), ("pod.yaml", &pod("deny")), ("exemptions.yaml", &text)]);
        let args =
            ["audit", "--no-embedded", "--policies", "policy.yaml", "--exemptions", "exemptions.yaml", "pod.yaml"];
        let run = portcullis_with(&args, "", dir.path());
        assert!(run.code == code && run.stdout.contains(verdict), "{}{}", run.stdout, run.stderr);
    }
}

#[test]
fn says_which_exemptions_have_expired_and_which_cover_nothing() {
    let exemption = |name: &str, expires: &str, pods: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\nspec:\n  \
             policies: [labels]\n  reason: moves next month\n  expires: {expires}\n  match: {{names: [{pods}]}}\n"
        )
    };
    let exemptions = [
        exemption("a-first", "2999-01-01", "deny"),
        exemption("b-covered-before", "2999-01-01", "den*"),
        exemption("c-ended", "2020-01-01", "deny"),
        exemption("d-ended-long-ago", "2020-01-01T12:00:00Z", "gone"),
        exemption("e-misspelt", "2999-01-01", "dney"),
        exemption("f-passes", "2999-01-01", "good"),
    ];
    let text = exemptions.join("---\n");
    let pods = pod("deny")
        + "---\n{apiVersion: v1, kind: Pod, metadata: {name: good, labels: {act: deny}},\n spec: {containers: [{name: a, image: a}]}}\n";
    let dir = checkout(&[("policy.yaml", LABELS), ("pod.yaml", &pods), ("exemptions.yaml", &text)]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "--exemptions", "exemptions.yaml", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(run.stdout);

    // What a filter hides was covered all the same.
    for filter in ["--verdict=deny,exempt", "--verdict=deny"] {
        let run = portcullis_with(&[&args[..], &["--format=json", filter]].concat(), "", dir.path());
        let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        let rows = report["exemptions"].as_array().expect("a list").iter();
        let rows: Vec<_> = rows.map(|row| (row["state"].as_str(), row["findings"].as_u64())).collect();
        let row = |state, findings| (Some(state), Some(findings));
        let expected = [
            row("used", 1),
            row("used", 1),
            row("expired", 1),
            row("expired", 0),
            row("unmatched", 0),
            row("unneeded", 0),
        ];
        assert_eq!(rows, expected, "{filter}");
    }
}

/// Two of the containers add a capability: the tunnel, and what stands beside it.
const VPN: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: vpn, namespace: media, labels: {app: vpn}}
spec:
  selector: {matchLabels: {app: vpn}}
  template:
    metadata: {labels: {app: vpn}}
    spec:
      containers:
      - name: web
        image: registry.example/web:1.0.0
        securityContext: {capabilities: {add: [SYS_TIME]}}
      - name: vpn
        image: qmcgaw/gluetun:v3.40.0
        securityContext: {capabilities: {add: [NET_ADMIN]}}
";

#[test]
fn exempts_one_container_of_a_pod_and_says_what_it_would_have_been() {
    let exemptions = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/k8s-nas-exemptions.yaml");
    // It ends one day, and this shall not.
    let text = std::fs::read_to_string(exemptions).expect("read").replace("2027-", "2999-");
    let dir = checkout(&[("vpn.yaml", VPN), ("exemptions.yaml", &text)]);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/pod-security/pss-baseline-capabilities/policy.yaml");
    let args = ["audit", "--no-embedded", "--policies", policy, "--exemptions", "exemptions.yaml", "vpn.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    insta::assert_snapshot!(run.stdout);

    let run = portcullis_with(&[&args[..], &["--format=json"]].concat(), "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("a list");
    let seen: Vec<_> =
        findings.iter().map(|row| (&row["verdict"], &row["field"], &row["exemption"]["wouldBe"])).collect();
    let add = |at: &str| serde_json::json!(format!("spec.template.spec.containers{at}"));
    let [web, vpn] = ["[0]", "[1]"].map(|at| add(&format!("{at}.securityContext.capabilities.add[0]")));
    let (deny, exempt, none) = (serde_json::json!("deny"), serde_json::json!("exempt"), serde_json::Value::Null);
    assert_eq!(seen, [(&deny, &web, &none), (&exempt, &vpn, &deny)]);
    assert_eq!(findings[1]["exemption"]["name"], "vpn-gateway");
    assert!(!findings[0]["message"].to_string().contains("NET_ADMIN"), "{}", findings[0]);
}

#[test]
fn a_document_that_is_not_yaml_is_reported_and_the_others_are_judged() {
    let dir = checkout(&[("policy.yaml", LABELS), ("m/a.yaml", "a: [1\n"), ("m/b.yaml", &pod("deny"))]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "m"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!(run.code, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("not judged\n  m/a.yaml:"), "{}", run.stdout);
    assert!(run.stdout.contains("Pod default/deny"), "{}", run.stdout);

    std::fs::remove_file(dir.path().join("m/b.yaml")).expect("gone");
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!(run.code, 2, "nothing was found, but not everything was read");
    assert!(run.stderr.contains("error: m/a.yaml:"), "{}", run.stderr);
}

#[test]
fn an_object_that_no_api_server_takes_gets_one_line_in_place_of_verdicts() {
    let typed = pod("deny").replace("image: a", "image: 1.5");
    let partial = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec:\n  replicas: 3\n";
    let dir = checkout(&[("policy.yaml", LABELS), ("typed.yaml", &typed), ("partial.yaml", partial)]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml"];
    for (file, line, field, reason) in [
        ("typed.yaml", 8, "spec.containers[0].image", "BadRequest"),
        ("partial.yaml", 4, "spec.template.spec.containers", "Invalid"),
    ] {
        let run = portcullis_with(&[&args[..], &[file]].concat(), "", dir.path());
        assert_eq!(run.code, 2, "nothing was judged, so nothing is approved: {}", run.stdout);
        let head = format!("\n  {file}:{line}  error  not judged\n    {field}: ");
        assert!(run.stdout.contains(&head), "{}", run.stdout);
        assert_eq!(run.stdout.lines().count(), 5, "{}", run.stdout);
        assert!(run.stderr.starts_with(&format!("error: {file}:{line}: ")), "{}", run.stderr);
        let run = portcullis_with(&[&args[..], &["--format", "json", file]].concat(), "", dir.path());
        let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        let finding = &report["findings"][0];
        assert_eq!(report["findings"].as_array().map(Vec::len), Some(1), "{report}");
        for (key, value) in [("policy", ""), ("verdict", "error"), ("field", field), ("reason", reason)] {
            assert_eq!(finding[key], value, "{finding}");
        }
    }
    let run = portcullis_with(&["mutate", "--no-embedded", "--policies", "policy.yaml", "typed.yaml"], "", dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("spec.containers[0].image: must be a string"), "{}", run.stderr);
}

#[test]
fn names_the_mistake_in_a_policy() {
    let dir = checkout(&[("policy.yaml", &LABELS.replace("validations:", "validation:")), ("pod.yaml", &pod("deny"))]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("policy.yaml:13: (document 0)"), "{}", run.stderr);
    assert!(run.stderr.contains("spec.validation: unknown field; write validations"), "{}", run.stderr);
}

#[test]
fn does_not_follow_a_pipe_that_nobody_reads() {
    let input = pod("deny");
    let dir = checkout(&[("policy.yaml", LABELS), ("pod.yaml", &input)]);
    let mut child = super::started(&["audit", "--no-embedded", "--policies", "policy.yaml", "pod.yaml"], dir.path());
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

/// Refuses pods that pull their images every time; only a default says that these do.
const PULLS: &str = "
  validations:
  - expression: object.spec.containers.all(c, c.?imagePullPolicy.orValue('') != 'Always')
    message: 'spec.containers[1].imagePullPolicy: write IfNotPresent'
";

#[test]
fn judges_defaults_and_points_at_what_is_around_them() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - {name: a, image: 'app:1'}\n  - name: b\n    image: app\n";
    let dir = checkout(&[("policy.yaml", &validating("pulls", PODS, PULLS, "Deny")), ("pod.yaml", pod)]);
    let args = ["audit", "--no-embedded", "--policies", "policy.yaml", "--format", "json", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!((run.code, &report["findings"][0]["source"]["line"]), (1, &serde_json::json!(7)), "{}", run.stdout);

    let run = portcullis_with(&[&args[..], &["--no-defaulting"]].concat(), "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stdout);
}
