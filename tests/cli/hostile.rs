//! Names and texts of others do nothing to a terminal, whatever command shows them in whatever format.

use super::{LABELS, checkout, portcullis_with};

/// What would colour a terminal, clear it, or show a name in another order than it stands in.
const HOSTILE: &str = "\u{1b}[31m\u{9b}2J\u{7}\u{202e}\u{2028}\u{2066}\u{7f}\u{85}";

/// Labels pods.
const MUTATING: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: add-label}
spec:
  matchConstraints:
    resourceRules:
    - {apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: \"[JSONPatch{op: 'add', path: '/metadata/labels/seen', value: object.metadata.name}]\"}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: add-label}
spec: {policyName: add-label}
";

/// The same in a string of YAML or JSON.
fn escaped() -> String {
    HOSTILE.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}

/// What may act on a terminal or deceive an eye, line breaks and tabs left out.
fn deceptive(text: &str) -> Vec<char> {
    let is_deceptive = |c: &char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(is_deceptive).collect()
}

fn hostile_files() -> tempfile::TempDir {
    let name = escaped();
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: \"pod{name}\"\n  labels: {{act: deny, bad: \"bad{name}\"}}\n  \
         annotations: {{\"key{name}\": \"value{name}\"}}\n\
         spec: {{containers: [{{name: \"c{name}\", image: \"i{name}\", securityContext: {{privileged: true}}}}]}}\n"
    );
    let broken = LABELS.replace("variables:", &format!("\"field{name}\": 1\n  variables:"));
    let policies = LABELS.replace("{portcullis.dev/severity: low}", &annotations(&name));
    let suite = format!(
        "apiVersion: portcullis.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: \"suite{name}\"}}\nspec:\n  \
         policies: [policies.yaml]\n  cases:\n  - name: \"case{name}\"\n    object: {{apiVersion: v1, kind: Pod, \
         metadata: {{name: \"pod{name}\", labels: {{act: deny, bad: \"bad{name}\"}}}}, spec: {{containers: \
         [{{name: a, image: a}}]}}}}\n    expect: {{verdict: allow}}\n"
    );
    let exemption = format!(
        "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: old}}\n\
         spec: {{policies: [labels], match: {{names: ['*']}}, reason: \"why{name}\", expires: 2200-01-01}}\n"
    );
    checkout(&[
        ("pods/pod.yaml", &pod),
        ("pods/left\u{9b}out\u{202e}.yaml", "just: \"text\"\n---\n{ broken\n"),
        ("broken.yaml", &broken),
        ("policies.yaml", &policies),
        ("mutating.yaml", MUTATING),
        ("tests.yaml", &suite),
        ("exemptions.yaml", &exemption),
        ("batch.jsonl", &format!("{{\"expr\": \"'a{name}' + object.b\", \"object\": {{\"b\": \"{name}\"}}}}\n")),
    ])
}

fn annotations(name: &str) -> String {
    let annotation = |key: &str| format!("portcullis.dev/{key}: \"{key}{name}\"");
    format!("{{{}}}", ["severity", "title", "category", "answers"].map(annotation).join(", "))
}

/// Every command with every format that it has; `X` stands for the hostile text. No machine has the address that servers
/// are to listen on: they log what is wrong with the policies, and end.
const COMMANDS: &[&str] = &[
    "audit pods --policies policies.yaml",
    "audit pods --policies policies.yaml --format json",
    "audit pods --policies policies.yaml -v -v",
    "audit pods --no-embedded --policies policies.yaml --exemptions exemptions.yaml",
    "audit pods --no-embedded --policies policies.yaml --exemptions exemptions.yaml --format json",
    "audit pods --policies broken.yaml",
    "audit -",
    "audit no/such/X",
    "audit pods --format X",
    "audit pods --X",
    "audit pods --policies X",
    "audit pods --policy X",
    "audit pods --kubernetes-version X",
    "policies list --no-embedded --policies policies.yaml",
    "policies list --no-embedded --policies policies.yaml --format json",
    "policies list --format X",
    "policies show labels --no-embedded --policies policies.yaml",
    "policies show X",
    "policies lint broken.yaml",
    "policies lint broken.yaml --format json",
    "policies lint X",
    "webhook-config --no-embedded --policies policies.yaml --name X --service-name X --service-namespace X",
    "webhook-config --no-embedded --policies policies.yaml --url https://X --exclude-namespace X",
    "webhook-config --no-embedded --policies policies.yaml --cert-manager X",
    "webhook-config --url X",
    "webhook-config --ca-file X",
    "webhook-config --timeout X",
    "mutate pods/pod.yaml --no-embedded --policies mutating.yaml",
    "mutate pods/pod.yaml --no-embedded --policies mutating.yaml --diff",
    "mutate pods/pod.yaml --no-embedded --policies mutating.yaml --patch",
    "mutate pods --effective-pods",
    "mutate X",
    "test tests.yaml",
    "test tests.yaml --format json",
    "test tests.yaml --format junit",
    "test tests.yaml --run X",
    "test --run (X",
    "test X",
    "test --min-coverage X",
    "eval --batch batch.jsonl",
    "eval 'X'",
    "eval X",
    "eval 1 --object X",
    "eval 1 --object pods/pod.yaml --X",
    "completions X",
    "serve --tls-self-signed --offline --listen X",
    "serve --tls-self-signed --offline --log-level X=a=b",
    "serve --tls-self-signed --offline --namespaces X",
    "serve --tls-self-signed --kubeconfig X",
    "serve --offline --tls-cert X --tls-key X",
    "serve --offline --tls-cert X --tls-key X --log-format json",
    "serve --offline --tls-self-signed --policies broken.yaml --listen 203.0.113.1:0",
    "serve --offline --tls-self-signed --policies broken.yaml --listen 203.0.113.1:0 --log-format json",
    "X",
    "help X",
    "audit --help X",
];

#[test]
fn no_command_lets_a_name_act_on_a_terminal() {
    let files = hostile_files();
    for command in COMMANDS {
        let words: Vec<String> = command.split(' ').map(|word| word.replace('X', HOSTILE)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let stdin = std::fs::read_to_string(files.path().join("pods/pod.yaml")).unwrap();
        let run = portcullis_with(&words, &stdin, files.path());
        let shown = run.stdout + &run.stderr;
        assert_eq!(deceptive(&shown), [], "{command}: {shown:?}");
        // What is harmless because it isn't there shows nothing.
        let is_shown = ["\\u{9b}", "\\u009b", "\\u{1b}"].iter().any(|escape| shown.contains(escape));
        assert!(is_shown || command.contains("--help"), "{command}: {shown}");
    }
}

#[test]
fn what_is_escaped_means_the_same() {
    let files = hostile_files();
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    let run = |command: &str| {
        let words: Vec<String> = command.split(' ').map(|word| word.replace('X', HOSTILE)).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        portcullis_with(&words, "", files.path()).stdout
    };
    let audited = read(&run("audit pods --no-embedded --policies policies.yaml --format json"));
    assert!(audited.to_string().contains(&read(&format!("\"pod{}\"", escaped())).to_string()[1..]), "{audited}");
    let tested = read(&run("test tests.yaml --format json"));
    assert_eq!(tested["suites"][0]["cases"][0]["name"], format!("case{HOSTILE}"));
    let listed = read(&run("policies list --no-embedded --policies policies.yaml --format json"));
    assert_eq!(listed["policies"][0]["title"], format!("title{HOSTILE}"));
    let configuration = run("webhook-config --no-embedded --policies policies.yaml --name X");
    let name = configuration.lines().find_map(|line| line.strip_prefix("  name: ")).expect("a name");
    assert_eq!(read(name), HOSTILE);

    // YAML written is read back as it was.
    let mutated = run("mutate pods/pod.yaml --no-embedded --policies mutating.yaml");
    let once = files.path().join("mutated.yaml");
    std::fs::write(&once, &mutated).unwrap();
    let again = run("mutate mutated.yaml --no-embedded --policies policies.yaml");
    assert_eq!(again, mutated);
    let patch = read(&run("mutate pods/pod.yaml --no-embedded --policies mutating.yaml --patch"));
    assert_eq!(patch["patch"][0]["value"], format!("pod{HOSTILE}"));
}
