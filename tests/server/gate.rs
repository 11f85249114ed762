//! The gate is never opened by accident: what became of a policy file, what is in force afterwards, and what is said.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::{LABEL_POLICY, MUTATING_POLICY, Server, config_map, fifo, review_of};

/// The policy of [`LABEL_POLICY`] without its binding, as a writer leaves it who is cut off between the documents.
fn cut() -> String {
    LABEL_POLICY.split("---").next().unwrap().to_owned()
}

async fn denies(server: &Server) -> bool {
    server.review("/validate", &config_map("deny")).await["allowed"] == false
}

/// A server with two policy files in a directory, that looks at them when it is told to.
fn server(flags: &[&str]) -> Server {
    Server::start(&[&["--mode", "enforce", "--reload-interval", "1h"], flags].concat())
}

#[tokio::test]
async fn accidents_change_nothing() {
    type Accident = fn(&Path);
    let accidents: [(&str, Accident, &str); 9] = [
        ("emptied", |file| fs::write(file, "").unwrap(), "holds no documents any more"),
        ("comments only", |file| fs::write(file, "# nothing\n---\n").unwrap(), "holds no documents any more"),
        ("cut within a document", |file| fs::write(file, &LABEL_POLICY[..300]).unwrap(), "last good version"),
        (
            "a FIFO",
            |file| {
                fs::remove_file(file).unwrap();
                fifo(file);
            },
            "no regular file",
        ),
        (
            "a folder",
            |file| {
                fs::remove_file(file).unwrap();
                fs::create_dir(file).unwrap();
            },
            "no regular file",
        ),
        (
            "a dangling link",
            |file| {
                fs::remove_file(file).unwrap();
                symlink("nowhere", file).unwrap();
            },
            "label.yaml",
        ),
        ("not UTF-8", |file| fs::write(file, b"kind: \xff").unwrap(), "last good version"),
        (
            "the whole directory moved",
            |file| fs::rename(file.parent().unwrap(), file.parent().unwrap().with_extension("old")).unwrap(),
            "last good version",
        ),
        (
            "the whole directory emptied",
            |file| {
                for entry in fs::read_dir(file.parent().unwrap()).unwrap() {
                    fs::remove_file(entry.unwrap().path()).unwrap();
                }
            },
            "nothing would be left",
        ),
    ];
    for (what, accident, says) in accidents {
        let server = server(&[]);
        assert!(denies(&server).await);
        accident(&server.directory.path().join("policies/label.yaml"));
        server.look(4).await;
        assert!(denies(&server).await, "{what}: the gate is open");
        assert!(server.metric("portcullis_policy_load_errors").await > 0.0, "{what}");
        assert_eq!(server.metric("portcullis_policy_reloads_total{result=\"error\"}").await, 1.0, "{what}: told once");
        let ready = server.admin("/readyz").await;
        assert_eq!(ready.status, StatusCode::OK, "{what}");
        assert!(ready.text().contains(says), "{what}: {}", ready.text());
        let is_said = |event: &Value| {
            event["level"] == "ERROR" && event["error"].as_str().is_some_and(|error| error.contains(says))
        };
        assert!(server.log().iter().any(is_said), "{what}: {:#?}", server.log());
    }
}

#[tokio::test]
async fn what_is_meant_counts_at_the_second_look() {
    type Change = fn(&Path);
    let changes: [(&str, Change, &str); 4] = [
        ("the file deleted", |file| fs::remove_file(file).unwrap(), "waiting for the next look"),
        ("cut between documents", |file| fs::write(file, cut()).unwrap(), "waiting for the next look"),
        (
            "another policy in its place",
            |file| fs::write(file, LABEL_POLICY.replace("no-deny-label", "other").replace("'deny'", "'x'")).unwrap(),
            "waiting for the next look",
        ),
        (
            "its binding renamed and weakened",
            |file| fs::write(file, LABEL_POLICY.replace("everywhere", "here").replace("Deny, Audit", "Audit")).unwrap(),
            "waiting for the next look",
        ),
    ];
    for (what, change, says) in changes {
        let server = server(&[]);
        change(&server.directory.path().join("policies/label.yaml"));
        server.look(1).await;
        assert!(denies(&server).await, "{what}: believed at once");
        let detail = server.admin("/readyz").await.text();
        assert!(detail.contains(says), "{what}: {detail}");
        assert!(server.metric("portcullis_policy_load_errors").await > 0.0, "{what}");
        server.look(1).await;
        assert!(!denies(&server).await, "{what}: never believed");
        assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0, "{what}");
    }
}

#[tokio::test]
async fn a_file_that_changes_between_looks_is_not_believed() {
    let server = server(&[]);
    let file = server.directory.path().join("policies/label.yaml");
    for part in [cut(), format!("{}---\n", cut()), format!("{}---\n# on its way\n", cut())] {
        fs::write(&file, part).unwrap();
        server.look(1).await;
        assert!(denies(&server).await);
    }
    fs::write(&file, LABEL_POLICY).unwrap();
    server.look(1).await;
    assert!(denies(&server).await);
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
}

#[tokio::test]
async fn a_policy_that_moves_to_another_file_is_not_gone() {
    let server = server(&[]);
    let policies = server.directory.path().join("policies");
    fs::rename(policies.join("label.yaml"), policies.join("moved.yaml")).unwrap();
    server.look(1).await;
    assert!(denies(&server).await);
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
}

#[tokio::test]
async fn other_files_are_used_anew_while_one_is_in_doubt() {
    let server = server(&[]);
    let policies = server.directory.path().join("policies");
    fs::write(policies.join("label.yaml"), "").unwrap();
    fs::write(policies.join("more.yaml"), LABEL_POLICY.replace("no-deny-label", "more").replace("everywhere", "more"))
        .unwrap();
    server.look(2).await;
    assert_eq!(server.metric(r#"portcullis_policies{type="validating"}"#).await, 2.0);
}

/// Writes a ConfigMap volume's next version and swaps `..data` to it, as the kubelet does.
fn mount(volume: &Path, version: &str, files: &[(&str, &str)]) {
    let directory = volume.join(format!("..{version}"));
    fs::create_dir(&directory).unwrap();
    for (name, text) in files {
        fs::write(directory.join(name), text).unwrap();
        if !volume.join(name).is_symlink() {
            symlink(format!("..data/{name}"), volume.join(name)).unwrap();
        }
    }
    symlink(format!("..{version}"), volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for entry in fs::read_dir(volume).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with("..") && !files.iter().any(|(kept, _)| *kept == name) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn mounted() -> Server {
    Server::start_with(&["--mode", "enforce", "--reload-interval", "1h"], |directory| {
        let files = [("label.yaml", LABEL_POLICY), ("mutate.yaml", MUTATING_POLICY)];
        mount(&directory.join("policies"), "1", &files);
        let ca = directory.join("ca.crt").display().to_string();
        vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
    })
}

#[tokio::test]
async fn a_config_maps_swap_counts_at_once() {
    let cut = cut();
    for files in [&[("mutate.yaml", MUTATING_POLICY)][..], &[("label.yaml", &cut), ("mutate.yaml", MUTATING_POLICY)]] {
        let server = mounted();
        assert!(denies(&server).await);
        mount(&server.directory.path().join("policies"), "2", files);
        server.look(1).await;
        assert!(!denies(&server).await, "{files:?}");
        assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
    }
}

#[tokio::test]
async fn a_config_maps_swap_to_nothing_is_an_accident() {
    for files in
        [&[][..], &[("label.yaml", ""), ("mutate.yaml", MUTATING_POLICY)], &[("label.yaml", ""), ("mutate.yaml", "")]]
    {
        let server = mounted();
        mount(&server.directory.path().join("policies"), "2", files);
        server.look(3).await;
        assert!(denies(&server).await, "{files:?}");
        assert!(server.metric("portcullis_policy_load_errors").await > 0.0);
    }
}

#[tokio::test]
async fn with_allow_empty_nothing_may_be_meant() {
    let server = server(&["--allow-empty"]);
    for entry in fs::read_dir(server.directory.path().join("policies")).unwrap() {
        fs::write(entry.unwrap().path(), "").unwrap();
    }
    server.look(1).await;
    assert!(denies(&server).await, "believed at once");
    server.look(1).await;
    assert!(!denies(&server).await);
    assert_eq!(server.admin("/readyz").await.status, StatusCode::OK);
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
}

#[tokio::test]
async fn a_server_without_policies_or_bindings_is_not_ready_unless_that_is_meant() {
    for (what, text, says) in [
        ("an empty file", "", "everything is allowed"),
        ("no binding", &*cut(), "no binding names no-deny-label"),
        ("another kind", "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}", "everything is allowed"),
    ] {
        for allowed in [false, true] {
            let flags: &[&str] = if allowed { &["--allow-empty"] } else { &[] };
            let server = Server::start_with(flags, |directory| {
                fs::write(directory.join("policies/label.yaml"), text).unwrap();
                let ca = directory.join("ca.crt").display().to_string();
                vec!["--tls-self-signed".to_owned(), "--tls-write-ca".to_owned(), ca]
            });
            let ready = server.admin("/readyz").await;
            assert_eq!(ready.status == StatusCode::OK, allowed, "{what}: {}", ready.text());
            if !allowed {
                assert!(ready.text().contains(says), "{what}: {}", ready.text());
                // What comes later makes it ready.
                fs::write(server.directory.path().join("policies/label.yaml"), LABEL_POLICY).unwrap();
                let is_ready = async || server.admin("/readyz").await.status == StatusCode::OK;
                server.until("being ready", is_ready).await;
            }
        }
    }
}

#[tokio::test]
async fn exemptions_end_with_their_file() {
    const EXEMPTION: &str = "
apiVersion: portcullis.dev/v1alpha1
kind: Exemption
metadata: {name: x}
spec: {policies: ['*'], match: {names: ['*']}, reason: it is tested, expires: 2200-01-01}
";
    type Change = fn(&Path);
    let changes: [(&str, Change, bool); 5] = [
        ("removed", |file| fs::remove_file(file).unwrap(), true),
        ("emptied", |file| fs::write(file, "").unwrap(), true),
        (
            "a FIFO",
            |file| {
                fs::remove_file(file).unwrap();
                fifo(file);
            },
            true,
        ),
        ("another policy's", |file| fs::write(file, EXEMPTION.replace("'*'", "other")).unwrap(), true),
        ("broken", |file| fs::write(file, "kind: [").unwrap(), false),
    ];
    for (what, change, ends) in changes {
        let server = Server::start_with(&["--mode", "enforce", "--reload-interval", "1h"], |directory| {
            fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
            fs::write(directory.join("exemptions.yaml"), EXEMPTION).unwrap();
            let path = |file: &str| directory.join(file).display().to_string();
            vec!["--tls-self-signed", "--tls-write-ca", &path("ca.crt"), "--exemptions", &path("exemptions.yaml")]
                .into_iter()
                .map(str::to_owned)
                .collect()
        });
        assert!(!denies(&server).await, "{what}: not exempt at first");
        change(&server.directory.path().join("exemptions.yaml"));
        server.look(1).await;
        assert_eq!(denies(&server).await, ends, "{what}");
    }
}

/// Refuses ConfigMaps whose label `verdict` is what the param says.
const WORD_POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-such-word}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}
  validations:
  - {expression: "object.metadata.labels.verdict != params.data.word", messageExpression: "'not ' + params.data.word"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-such-word}
spec:
  policyName: no-such-word
  validationActions: [Deny]
  paramRef: {name: word, namespace: rules, parameterNotFoundAction: Allow}
"#;

#[tokio::test]
async fn a_param_that_goes_from_its_file_stays_until_that_is_confirmed_and_may_come_back() {
    let param = |name: &str, word: &str| {
        format!(
            "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}, namespace: rules}}, data: {{word: {word}}}}}\n"
        )
    };
    let server = Server::start_with(&["--mode", "enforce", "--reload-interval", "1h"], |directory| {
        fs::write(directory.join("policies/word.yaml"), WORD_POLICY).unwrap();
        fs::write(directory.join("params.yaml"), param("word", "deny")).unwrap();
        let path = |file: &str| directory.join(file).display().to_string();
        ["--tls-self-signed", "--tls-write-ca", &path("ca.crt"), "--params", &path("params.yaml")]
            .map(str::to_owned)
            .to_vec()
    });
    let file = server.directory.path().join("params.yaml");
    assert!(denies(&server).await);
    // What changes counts at once.
    fs::write(&file, param("word", "other")).unwrap();
    server.look(1).await;
    assert!(!denies(&server).await);
    fs::write(&file, param("word", "deny")).unwrap();
    server.look(1).await;
    assert!(denies(&server).await);

    for (what, text) in [("emptied", String::new()), ("broken", "{ kind".to_owned())] {
        fs::write(&file, text).unwrap();
        server.look(3).await;
        assert!(denies(&server).await, "{what}: the param is gone");
        assert!(server.metric("portcullis_policy_load_errors").await > 0.0, "{what}");
    }
    fs::write(&file, param("another", "deny")).unwrap();
    server.look(1).await;
    assert!(denies(&server).await, "believed at once");
    let detail = server.admin("/readyz").await.text();
    assert!(detail.contains("ConfigMap rules/word, which was in force, is gone: waiting"), "{detail}");
    server.look(1).await;
    assert!(!denies(&server).await, "never believed");
    assert_eq!(server.metric("portcullis_policy_load_errors").await, 0.0);
    fs::write(&file, param("another", "deny") + "---\n" + &param("word", "deny")).unwrap();
    server.look(1).await;
    assert!(denies(&server).await, "it doesn't come back");
}

#[tokio::test]
async fn a_definition_that_goes_from_its_file_stays_until_that_is_confirmed_and_may_come_back() {
    let definition = |kind: &str, list: &str| {
        let plural = kind.to_lowercase() + "s";
        format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.example.com}}\n\
             spec:\n  group: example.com\n  scope: Cluster\n  names: {{kind: {kind}, plural: {plural}}}\n  versions:\n  \
             - name: v1\n    served: true\n    schema:\n      openAPIV3Schema:\n        type: object\n        properties:\n          \
             parts: {{type: array, x-kubernetes-list-type: {list}, items: {{type: string}}}}\n"
        )
    };
    // A set takes one part more, a list without a type is replaced as a whole, and without a definition it is refused.
    let policy = MUTATING_POLICY
        .replace("apiGroups: [\"\"]", "apiGroups: [example.com]")
        .replace("[configmaps]", "[widgets]")
        .replace("patchType: JSONPatch", "patchType: ApplyConfiguration")
        .replace("jsonPatch:", "applyConfiguration:")
        .replace("[JSONPatch{op: 'add', path: '/metadata/labels', value: {'seen': 'yes'}}]", "Object{parts: ['b']}");
    let server = Server::start_with(&["--mode", "enforce", "--reload-interval", "1h"], |directory| {
        fs::write(directory.join("policies/merge.yaml"), policy).unwrap();
        fs::write(directory.join("crd.yaml"), definition("Widget", "set")).unwrap();
        let path = |file: &str| directory.join(file).display().to_string();
        ["--tls-self-signed", "--tls-write-ca", &path("ca.crt"), "--crds", &path("crd.yaml")]
            .map(str::to_owned)
            .to_vec()
    });
    let file = server.directory.path().join("crd.yaml");
    let mut review = review_of(
        "widgets",
        serde_json::json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "parts": ["a"]}),
    );
    for field in ["kind", "resource"] {
        review["request"][field]["group"] = "example.com".into();
    }
    let merged = async || {
        let response = server.review("/mutate", &review).await;
        let patch = response["patch"].as_str().map(|patch| STANDARD.decode(patch).unwrap());
        patch.map(|patch| serde_json::from_slice::<Value>(&patch).unwrap()[0]["value"].clone())
    };
    let in_set = merged().await;
    assert!(in_set.is_some());

    fs::write(&file, definition("Widget", "atomic")).unwrap();
    server.look(1).await;
    let as_a_whole = merged().await;
    assert_ne!(as_a_whole, in_set, "what changes counts at once");

    fs::write(&file, "").unwrap();
    server.look(3).await;
    assert_eq!(merged().await, as_a_whole, "emptied");
    fs::write(&file, definition("Gadget", "set")).unwrap();
    server.look(1).await;
    assert_eq!(merged().await, as_a_whole, "believed at once");
    let detail = server.admin("/readyz").await.text();
    assert!(detail.contains("CustomResourceDefinition widgets.example.com, which was in force, is gone"), "{detail}");
    server.look(1).await;
    assert_eq!(merged().await, None, "never believed");
    fs::write(&file, definition("Gadget", "set") + "---\n" + &definition("Widget", "set")).unwrap();
    server.look(1).await;
    assert_eq!(merged().await, in_set, "it doesn't come back");
}

#[tokio::test]
async fn an_exempt_finding_is_told_in_the_answer_the_log_and_the_metrics() {
    let exemption = |name: &str, names: &str, expires: &str| {
        format!(
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\n\
             spec: {{policies: ['*'], match: {{names: [{names}]}}, reason: it is tested, expires: {expires}}}\n---\n"
        )
    };
    let text = exemption("a-ended", "'*'", "2020-01-31")
        + &exemption("b-good", "settings", "2200-01-01")
        + &exemption("c-idle", "none", "2200-01-01");
    let mut server = Server::start_with(&["--mode", "enforce", "--reload-interval", "1h"], |directory| {
        fs::write(directory.join("policies/label.yaml"), LABEL_POLICY).unwrap();
        fs::write(directory.join("exemptions.yaml"), &text).unwrap();
        let path = |file: &str| directory.join(file).display().to_string();
        ["--tls-self-signed", "--tls-write-ca", &path("ca.crt"), "--exemptions", &path("exemptions.yaml")]
            .map(str::to_owned)
            .to_vec()
    });
    let answer = server.review("/validate", &config_map("deny")).await;
    assert_eq!(answer["allowed"], true, "{answer}");
    let exempted: Value = serde_json::from_str(answer["auditAnnotations"]["exempted"].as_str().unwrap()).unwrap();
    assert_eq!((&exempted[0]["exemption"], &exempted[0]["wouldBe"]), (&json!("b-good"), &json!("deny")), "{answer}");
    let logged = server.wait_for_log("finding");
    let said = (&logged["verdict"], &logged["exemption"], &logged["would_be"]);
    assert_eq!(said, (&json!("exempt"), &json!("b-good"), &json!("deny")), "{logged}");

    let findings = async |name: &str, result: &str| {
        let series = format!("portcullis_exemption_findings_total{{exemption=\"{name}\",result=\"{result}\"}}");
        server.metric(&series).await
    };
    assert_eq!(findings("b-good", "exempt").await, 1.0);
    assert_eq!(findings("a-ended", "expired").await, 1.0);
    assert_eq!((findings("a-ended", "exempt").await, findings("c-idle", "exempt").await), (0.0, 0.0));
    assert_eq!(server.metric("portcullis_exemptions{state=\"in_force\"}").await, 2.0);
    assert_eq!(server.metric("portcullis_exemptions{state=\"expired\"}").await, 1.0);
    assert!(server.metric("portcullis_exemption_expiry_timestamp_seconds{exemption=\"b-good\"}").await > 7e9);
    let ready = server.admin("/readyz").await.text();
    assert!(
        ready.contains("[!] exemptions: 2 in force, 1 expired\n[!] exemptions: a-ended ended (2020-01-31)"),
        "{ready}"
    );

    fs::write(server.directory.path().join("exemptions.yaml"), exemption("b-good", "settings", "2200-01-01")).unwrap();
    server.look(1).await;
    assert!(!server.admin("/metrics").await.text().contains("a-ended"), "its series go with it");
    assert_eq!(findings("b-good", "exempt").await, 1.0);
}
