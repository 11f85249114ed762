//! Manifests: documents, lists, kinds, order, duplicates, isolation of what is wrong.

use super::{MINOR, MUTATING, VALIDATING, VALIDATING_BINDING, errors, load_documents, load_good, texts};
use crate::policy::{Manifest, PolicyType, Reason, embedded, load};

#[test]
fn one_bad_document_keeps_no_other_from_loading() {
    let loaded = load_documents(&[VALIDATING, "a: [1\n", "just text\n", MUTATING]);
    let names: Vec<_> = loaded.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["replicas.example.com", "sidecar.example.com"]);
    let [syntax, text] = loaded.errors.as_slice() else { panic!("two errors: {:#?}", loaded.errors) };
    assert!(matches!(syntax.reason, Reason::Syntax(_)), "{syntax}");
    assert_eq!((syntax.at.document, text.at.document), (1, 2));
    assert!(matches!(text.reason, Reason::NotAnObject { missing: "apiVersion" }), "{text}");
}

#[test]
fn errors_name_file_line_document_object_field_and_what_to_write() {
    let found = errors(&[MUTATING, &VALIDATING.replace("    message:", "    mesage:")]);
    let line = MUTATING.lines().count()
        + 1
        + VALIDATING.lines().position(|line| line.contains(" message:")).expect("the line")
        + 1;
    assert_eq!(
        found,
        [format!(
            "test.yaml:{line}: (document 1) ValidatingAdmissionPolicy/replicas.example.com: \
             spec.validations[0].mesage: unknown field; write message"
        )]
    );
}

#[test]
fn lists_are_taken_apart() {
    let indent = |text: &str| text.replace('\n', "\n  ").trim_end().to_owned();
    let list =
        format!("apiVersion: v1\nkind: List\nitems:\n- {}\n- {}\n", indent(VALIDATING), indent(VALIDATING_BINDING));
    let loaded = load_good(&[&list]);
    assert_eq!(loaded.policies.first().map(|policy| (policy.source.line, policy.bindings.len())), Some((4, 1)));

    let found = errors(&[&list.replace("reason: Forbidden", "reason: forbidden")]);
    assert!(
        found.iter().any(|error| error.contains(": items[0].spec.validations[0].reason: Unsupported")),
        "{found:#?}"
    );
}

#[test]
fn lists_within_lists_are_taken_apart_too() {
    let policy = "{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingAdmissionPolicy, metadata: {name: NAME}, \
                  spec: {matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], \
                  resources: [pods]}]}, validations: [{expression: 'true'}]}}";
    let policy = |name: &str| policy.replace("NAME", name);
    let list = |kind: &str, metadata: &str, items: &str| {
        let version = if kind == "List" { "v1" } else { "admissionregistration.k8s.io/v1" };
        format!("{{apiVersion: {version}, kind: {kind}, metadata: {metadata}, items: [{items}]}}")
    };
    let typed = |name: &str| policy(name).replace("kind: ValidatingAdmissionPolicy, ", "");
    for (text, names) in [
        (list("List", "{}", &format!("{}, {}", list("List", "{}", &policy("a")), policy("b"))), &["a", "b"][..]),
        (list("List", "{}", &list("ValidatingAdmissionPolicyList", "{}", &typed("a"))), &["a"]),
        (list("ValidatingAdmissionPolicyList", "{}", &list("List", "{}", &policy("a"))), &["a"]),
        (list("List", "{name: x}", &policy("a")), &["a"]),
        (list("ValidatingAdmissionPolicyList", "{name: x}", &typed("a")), &["a"]),
        ((0..100).fold(policy("deep"), |inner, _| list("List", "{}", &inner)), &["deep"]),
        (list("List", "{}", &list("List", "{}", "")), &[]),
    ] {
        let loaded = load_good(&[&text]);
        let found: Vec<_> = loaded.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(found, names, "{text}");
        assert!(loaded.params.is_empty(), "{text}");
    }
    let broken = policy("a").replace("operations: [CREATE]", "operations: [MAKE]");
    let found = errors(&[&list("List", "{}", &list("List", "{}", &broken))]);
    let [error] = found.as_slice() else { panic!("one error: {found:#?}") };
    assert!(error.contains(": items[0].items[0].spec.matchConstraints.resourceRules[0].operations[0]: "), "{error}");
    for not_a_list in ["{}", "1", "null"] {
        let text = format!("{{apiVersion: v1, kind: List, items: {not_a_list}}}\n");
        assert!(!errors(&[&text]).is_empty(), "{text}");
    }
}

#[test]
fn unsupported_versions_and_foreign_kinds_are_reported() {
    let cases = [
        (
            VALIDATING.replace("k8s.io/v1\n", "k8s.io/v2\n"),
            "unsupported version \"admissionregistration.k8s.io/v2\" of ValidatingAdmissionPolicy; write apiVersion: admissionregistration.k8s.io/v1",
        ),
        (VALIDATING.replace("admissionregistration.k8s.io/v1\n", "v1\n"), "unsupported version \"v1\""),
        (
            "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\n".to_owned(),
            "a Exemption can't be used here; give its file to --exemptions",
        ),
        ("apiVersion: v1\nkind: ConfigMap\n".to_owned(), "metadata.name is missing"),
        ("apiVersion: v1\nmetadata: {name: a}\n".to_owned(), "kind is missing"),
    ];
    for (document, message) in cases {
        let found = errors(&[&document]);
        let [error] = found.as_slice() else { panic!("one error: {found:#?}") };
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn what_lies_beside_policies_is_left_alone() {
    let loaded = load_good(&[
        "apiVersion: portcullis.dev/v1alpha1\nkind: PolicyTest\nspec: {}\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: []\n",
        "",
    ]);
    assert!(loaded.policies.is_empty() && loaded.params.is_empty());
}

#[test]
fn policies_stand_in_the_order_of_their_names() {
    let same_name = MUTATING.replace("sidecar.example.com", "replicas.example.com");
    let first = MUTATING.replace("sidecar.example.com", "a");
    let loaded = load_good(&[&same_name, VALIDATING, &first]);
    let order: Vec<_> =
        loaded.policies.iter().map(|policy| (policy.name.as_str(), policy.policy_type().kind())).collect();
    assert_eq!(
        order,
        [
            ("a", "MutatingAdmissionPolicy"),
            ("replicas.example.com", "ValidatingAdmissionPolicy"),
            ("replicas.example.com", "MutatingAdmissionPolicy"),
        ]
    );
}

#[test]
fn rejects_names_given_twice_and_keeps_the_first() {
    let manifests =
        [Manifest::new("a.yaml", VALIDATING), Manifest::new("b.yaml", VALIDATING.replace("Ignore", "Fail"))];
    let loaded = load(&manifests, MINOR);
    assert_eq!(
        texts(&loaded.errors),
        ["b.yaml:1: (document 0) ValidatingAdmissionPolicy/replicas.example.com: metadata.name: Duplicate value: \
          \"replicas.example.com\": already loaded from a.yaml:1: (document 0); give it another name, or remove one of them"]
    );
    assert_eq!(loaded.policies.first().map(|policy| policy.source.file.as_str()), Some("a.yaml"));

    let found = errors(&[VALIDATING, VALIDATING_BINDING, VALIDATING_BINDING]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found.iter().any(|error| error.contains("(document 2) ValidatingAdmissionPolicyBinding/")), "{found:#?}");
}

#[test]
fn the_bundle_loads_without_an_error() {
    let bundle: Vec<_> = embedded().iter().map(|entry| entry.manifest()).collect();
    assert!(!bundle.is_empty());
    for minor in [32, MINOR, 37] {
        let loaded = load(&bundle, minor);
        assert_eq!(texts(&loaded.errors), [] as [&str; 0]);
        assert!(loaded.policies.iter().all(|policy| !policy.bindings.is_empty() && policy.compile_error.is_none()));
    }
    for entry in embedded() {
        let loaded = load(&[entry.manifest()], MINOR);
        assert!(
            loaded.policies.iter().any(|policy| policy.name == entry.name),
            "{} defines no policy of its name",
            entry.name
        );
    }
}

#[test]
fn a_file_full_of_mistakes_is_refused_soon() {
    let fields: String = (0..5_000).map(|i| format!("  unknown{i}: 1\n")).collect();
    let text = format!("{VALIDATING}{fields}");
    let started = std::time::Instant::now();
    let loaded = load_documents(&[&text]);
    assert_eq!(loaded.errors.len(), 5_000);
    let lines: std::collections::BTreeSet<_> = loaded.errors.iter().map(|error| error.at.line).collect();
    assert_eq!(lines.len(), 5_000, "every error has its line");
    assert!(started.elapsed().as_secs() < 30);
}

#[test]
fn the_bindings_that_a_shipped_file_names_are_those_that_it_loads() {
    let mut several = 0;
    for entry in embedded() {
        let loaded = load(&[entry.manifest()], MINOR);
        let mut bindings: Vec<_> = loaded
            .policies
            .iter()
            .flat_map(|policy| policy.bindings.iter().map(|binding| (binding.name.clone(), policy.policy_type())))
            .collect();
        let mut named: Vec<_> = entry
            .bindings()
            .into_iter()
            .map(|binding| (binding.name, if binding.mutates { PolicyType::Mutating } else { PolicyType::Validating }))
            .collect();
        bindings.sort();
        named.sort();
        assert_eq!(named, bindings, "{}", entry.name);
        several += usize::from(named.len() > 1);
    }
    assert!(several > 0, "a file with several bindings is among them");
}

#[test]
fn many_manifests_are_loaded_as_if_one_after_the_other() {
    let text = |at: usize| match at % 4 {
        0 => VALIDATING.replace("replicas.example.com", &format!("p{at}.example.com")),
        1 => VALIDATING.replace("    message:", "    mesage:"),
        2 => VALIDATING_BINDING.to_owned(),
        _ => format!("a: [1\n---\n{MUTATING}"),
    };
    let manifests: Vec<_> = (0..80).map(|at| Manifest::new(format!("{at}.yaml"), text(at))).collect();
    let loaded = load(&manifests, MINOR);
    let files: Vec<usize> =
        loaded.errors.iter().filter_map(|error| error.at.file.trim_end_matches(".yaml").parse().ok()).collect();
    assert!(files.is_sorted() && files.len() > 80, "{files:?}");
    let first = loaded.policies.iter().find(|policy| policy.name == "sidecar.example.com");
    assert_eq!(first.map(|policy| policy.source.file.as_str()), Some("3.yaml"), "the first of a name stays");
}
