//! What is exported of which policy.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Exported, Options, export};
use crate::cel::Env;
use crate::cel::rewrite::normalize;
use crate::json::{Arena, to_json, yaml};
use crate::policy::{self, Embedded, LoadedPolicies, Manifest};

const MINOR: u32 = 36;

const OPTIONS: Options<'static> = Options {
    minor: MINOR,
    pods_only: false,
    inline: false,
    statics: false,
    exemptions: &[],
    now: SystemTime::UNIX_EPOCH,
};

fn load(manifests: &[Manifest]) -> LoadedPolicies {
    let loaded = policy::load(manifests, MINOR);
    assert_eq!(loaded.errors, Vec::new());
    loaded
}

/// A policy that matches `resources` of the core group at `operations`, with the rest of its spec, and a binding.
fn policy(resources: &str, operations: &str, spec: &str) -> LoadedPolicies {
    let text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: it}}\nspec:\n  \
         matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [{operations}], resources: \
         [{resources}]}}]}}\n{spec}\n---\napiVersion: admissionregistration.k8s.io/v1\nkind: \
         ValidatingAdmissionPolicyBinding\nmetadata: {{name: bound}}\nspec: {{policyName: it, validationActions: [Deny]}}\n"
    );
    load(&[Manifest::new("policy.yaml", text)])
}

fn objects(exported: &Exported) -> Vec<Value> {
    let json = |tree: &policy::Tree| serde_json::from_str(&to_json(tree.view(&Arena::new()))).expect("JSON");
    exported.objects.iter().map(json).collect()
}

fn named<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let is_it = |object: &&Value| object["kind"] == kind && object["metadata"]["name"] == name;
    objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {name}"))
}

/// The names of the exported policies.
fn policies(exported: &Exported) -> Vec<String> {
    let objects = objects(exported);
    let policies = objects.iter().filter(|object| object["kind"].as_str().is_some_and(|kind| kind.ends_with("Policy")));
    policies.map(|object| object["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

fn notes(exported: &Exported) -> Vec<String> {
    exported.notes.iter().map(ToString::to_string).collect()
}

fn bundle() -> LoadedPolicies {
    let manifests: Vec<_> = policy::embedded().iter().map(Embedded::manifest).collect();
    load(&manifests)
}

fn manifest(exported: &Exported) -> Manifest {
    let arena = Arena::new();
    let documents: Vec<String> = exported.objects.iter().map(|tree| yaml::to_yaml(tree.view(&arena))).collect();
    Manifest::new("exported.yaml", documents.join("---\n"))
}

/// Loads what was exported, of which lint has nothing to say.
fn reload(exported: &Exported) -> LoadedPolicies {
    let found = policy::lint(&[manifest(exported)], &[], MINOR + 1);
    let found: Vec<_> = found.iter().filter(|lint| lint.is_finding()).map(ToString::to_string).collect();
    assert_eq!(found, Vec::<String>::new());
    load(&[manifest(exported)])
}

#[test]
fn a_policy_about_pods_gets_a_sister_for_each_place_of_the_template() {
    let loaded = policy(
        "pods",
        "CREATE, UPDATE",
        "  matchConditions: [{name: changed, expression: 'request.operation != \"UPDATE\" || object.spec != oldObject.spec'}]\n  \
         variables: [{name: paths, expression: 'object.spec.containers.map(c, \"spec.containers[\" + c.name)'}]\n  \
         validations:\n  - expression: object.spec.?hostNetwork.orValue(false) == false && object.kind == \"Pod\"\n    \
         message: 'spec.hostNetwork: no'\n    messageExpression: variables.paths.join()\n",
    );
    let exported = export(&loaded, OPTIONS);
    assert_eq!(policies(&exported), ["it", "it-cronjobs", "it-podtemplates", "it-workloads"]);
    assert_eq!(notes(&exported), Vec::<String>::new());
    let objects = objects(&exported);
    for (suffix, template, group, resources) in [
        ("cronjobs", "spec.jobTemplate.spec.template", "batch", json!(["cronjobs"])),
        ("podtemplates", "template", "", json!(["podtemplates"])),
        ("workloads", "spec.template", "apps", json!(["deployments", "replicasets", "statefulsets", "daemonsets"])),
    ] {
        let name = format!("it-{suffix}");
        let policy = named(&objects, "ValidatingAdmissionPolicy", &name);
        let spec = &policy["spec"];
        let rule = &spec["matchConstraints"]["resourceRules"][0];
        assert_eq!(rule["apiGroups"], json!([group]));
        assert_eq!(rule["resources"], resources);
        assert_eq!(rule["operations"], json!(["CREATE", "UPDATE"]));
        assert_eq!(policy["metadata"]["annotations"]["portcullis.dev/extends"], "it");
        let expression =
            |list: &str, at: usize| spec[list][at]["expression"].as_str().unwrap().replace("\n", "").replace("  ", " ");
        assert_eq!(
            expression("matchConditions", 0),
            format!(
                "!has(object.metadata.deletionTimestamp) && (request.operation != \"UPDATE\" || object.{template} != oldObject.{template})"
            )
        );
        assert_eq!(
            expression("matchConditions", 1),
            format!("request.operation != \"UPDATE\" || object.{template}.spec != oldObject.{template}.spec")
        );
        assert_eq!(
            expression("variables", 0),
            format!("object.{template}.spec.containers.map(c, \"{template}.spec.containers[\" + c.name)")
        );
        assert_eq!(
            expression("validations", 0),
            format!("object.{template}.spec.?hostNetwork.orValue(false) == false")
        );
        assert_eq!(spec["validations"][0]["message"], format!("{template}.spec.hostNetwork: no"));
        let binding = named(&objects, "ValidatingAdmissionPolicyBinding", &format!("bound-{suffix}"));
        assert_eq!(binding["spec"], json!({"policyName": name, "validationActions": ["Deny"]}));
    }
    assert_eq!(policies(&export(&loaded, Options { pods_only: true, ..OPTIONS })), ["it"]);
    reload(&exported);
}

#[test]
fn policies_about_other_things_stay_as_they_are() {
    for (resources, operations) in
        [("services", "CREATE"), ("pods", "UPDATE"), ("pods/exec", "CONNECT"), ("pods", "DELETE")]
    {
        let loaded = policy(resources, operations, "  validations: [{expression: 'true'}]\n");
        let exported = export(&loaded, OPTIONS);
        assert_eq!(
            (policies(&exported), notes(&exported)),
            (vec!["it".to_owned()], vec![]),
            "{resources} {operations}"
        );
    }
}

#[test]
fn a_policy_about_the_creation_of_pods_sees_a_changed_template_as_one() {
    let loaded = policy(
        "pods",
        "CREATE",
        "  validations: [{expression: 'request.operation == \"CREATE\" && oldObject == null && has(object.spec.a)'}]\n",
    );
    let exported = export(&loaded, OPTIONS);
    let workloads = objects(&exported);
    let workloads = named(&workloads, "ValidatingAdmissionPolicy", "it-workloads");
    assert_eq!(workloads["spec"]["validations"][0]["expression"], "has(object.spec.template.spec.a)");
}

#[test]
fn what_cannot_be_said_of_workloads_is_named_and_left_to_pods() {
    for (expression, why) in [
        ("size(object) > 0", "a validation: object as a whole is another object for a workload"),
        ("object.metadata.name != \"a\"", "object.metadata.name is known only when the pod is made"),
        ("has(object.status.phase)", "object.status.phase is known only when the pod is made"),
        ("request.name != \"a\"", "request.name is known only when the pod is made"),
        ("request.options != null", "request.options is known only when the pod is made"),
        (
            "authorizer.group(\"\").resource(\"pods\").check(\"get\").allowed()",
            "authorizer asks about who writes the workload",
        ),
        ("oldObject.spec.a == 1", "oldObject is there when a workload is updated"),
    ] {
        let loaded = policy("pods", "CREATE", &format!("  validations: [{{expression: '{expression}'}}]\n"));
        let exported = export(&loaded, OPTIONS);
        assert_eq!(policies(&exported), ["it"], "{expression}");
        let notes = notes(&exported);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].starts_with("it: it judges pods alone: ") && notes[0].contains(why), "{notes:?}");
    }
}

#[test]
fn what_is_known_of_the_request_for_a_pod_takes_its_place() {
    for (expression, workloads, cronjobs) in [
        ("request.resource.resource == \"pods\"", "true", "true"),
        ("request.?subResource.orValue(\"\") == \"\"", "true", "true"),
        (
            "request.kind.kind + object.apiVersion == \"Podv1\"",
            "\"Pod\" + \"v1\" == \"Podv1\"",
            "\"Pod\" + \"v1\" == \"Podv1\"",
        ),
        ("request.userInfo.username == \"a\"", "request.kind.kind] == \"a\"", "false"),
        ("request.namespace == \"a\"", "request.namespace == \"a\"", "request.namespace == \"a\""),
        (
            "object.metadata.namespace == \"a\"",
            "object.metadata.namespace == \"a\"",
            "object.metadata.namespace == \"a\"",
        ),
    ] {
        let loaded = policy("pods", "CREATE", &format!("  validations: [{{expression: '{expression}'}}]\n"));
        let exported = export(&loaded, OPTIONS);
        let objects = objects(&exported);
        for (name, expected) in [("it-workloads", workloads), ("it-cronjobs", cronjobs)] {
            let policy = named(&objects, "ValidatingAdmissionPolicy", name);
            let found = policy["spec"]["validations"][0]["expression"].as_str().unwrap();
            let found = found.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(found.ends_with(expected), "{expression}: {found}");
        }
    }
}

#[test]
fn a_variable_that_decides_keeps_its_texts() {
    let loaded = policy(
        "pods",
        "CREATE",
        "  variables: [{name: fields, expression: '[\"spec.nodeName\"]'}, {name: said, expression: '[\"spec.nodeName\"]'}]\n  \
         validations: [{expression: '\"spec.nodeName\" in variables.fields', messageExpression: 'variables.said[0]'}]\n",
    );
    let exported = export(&loaded, OPTIONS);
    let objects = objects(&exported);
    let spec = &named(&objects, "ValidatingAdmissionPolicy", "it-workloads")["spec"];
    assert_eq!(spec["variables"][0]["expression"], "[\"spec.nodeName\"]\n");
    assert_eq!(spec["variables"][1]["expression"], "[\"spec.template.spec.nodeName\"]\n");
    assert_eq!(spec["validations"][0]["expression"], "\"spec.nodeName\" in variables.fields\n");
}

#[test]
fn labels_select_by_those_of_the_template() {
    let text = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {name: it}\nspec:\n  \
        matchConstraints:\n    objectSelector: {matchLabels: {a: b}, matchExpressions: [{key: c, operator: DoesNotExist}]}\n    \
        resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]\n  \
        validations: [{expression: 'true'}]\n";
    let loaded = load(&[Manifest::new("policy.yaml", text)]);
    let exported = export(&loaded, OPTIONS);
    let objects = objects(&exported);
    let spec = &named(&objects, "ValidatingAdmissionPolicy", "it-workloads")["spec"];
    assert_eq!(spec["matchConstraints"]["objectSelector"], Value::Null);
    let condition = spec["matchConditions"][1]["expression"].as_str().unwrap();
    assert_eq!(
        condition.split_whitespace().collect::<Vec<_>>().join(" "),
        "object.spec.template.metadata.?labels[?\"a\"].optMap(value, value in [\"b\"]).orValue(false) && \
         !object.spec.template.metadata.?labels[?\"c\"].hasValue()"
    );
    load(&[manifest(&exported)]);
}

const WITH_PARAMS: &str = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: it}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [services]}]}
  validations:
  - expression: object.spec.type in params.data.types.split(\" \") || params.?data.?any.orValue(\"no\") == \"yes\"
    messageExpression: '\"write one of \" + params.metadata.name'
";

fn binding(name: &str, reference: &str) -> String {
    format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: {name}}}\n\
         spec: {{policyName: it, validationActions: [Deny], paramRef: {{{reference}, parameterNotFoundAction: Deny}}}}\n"
    )
}

fn param(name: &str, types: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: here, labels: {{of: it}}}}\n\
         data: {{types: {types}}}\n"
    )
}

#[test]
fn params_are_exported_as_objects_or_as_constants() {
    let text = format!(
        "{WITH_PARAMS}{}{}{}",
        binding("one", "name: p1, namespace: here"),
        param("p1", "A B"),
        param("p2", "C")
    );
    let loaded = load(&[Manifest::new("policy.yaml", text)]);
    let by_reference = objects(&export(&loaded, OPTIONS));
    assert_eq!(by_reference[0]["metadata"]["name"], "p1");
    assert_eq!(by_reference.iter().filter(|object| object["kind"] == "ConfigMap").count(), 1);

    let exported = export(&loaded, Options { inline: true, ..OPTIONS });
    let inlined = objects(&exported);
    assert_eq!(inlined.len(), 2);
    let spec = &inlined[0]["spec"];
    assert_eq!(spec["paramKind"], Value::Null);
    assert_eq!(spec["validations"][0]["expression"], "object.spec.type in \"A B\".split(\" \")");
    assert_eq!(spec["validations"][0]["messageExpression"], "\"write one of \" + \"p1\"\n");
    assert_eq!(inlined[1]["spec"]["paramRef"], Value::Null);
    reload(&exported);
}

#[test]
fn each_set_of_params_gets_a_policy_of_its_own() {
    let bindings = binding("one", "name: p1, namespace: here")
        + &binding("all", "selector: {matchLabels: {of: it}}, namespace: here");
    let text = format!("{WITH_PARAMS}{bindings}{}{}", param("p1", "A"), param("p2", "C"));
    let exported = export(&load(&[Manifest::new("policy.yaml", text)]), Options { inline: true, ..OPTIONS });
    assert_eq!(policies(&exported), ["it-p1", "it-p2"]);
    let objects = objects(&exported);
    let bound: Vec<_> = objects[2..]
        .iter()
        .map(|of| (of["metadata"]["name"].as_str().unwrap(), of["spec"]["policyName"].as_str().unwrap()))
        .collect();
    assert_eq!(bound, [("all-p1", "it-p1"), ("all-p2", "it-p2"), ("one", "it-p1")]);
}

#[test]
fn params_that_are_not_known_leave_the_binding_out() {
    for (reference, why) in [
        ("name: p1", "cannot use namespaced paramRef"),
        ("name: other, namespace: here", "no params found"),
        ("name: bare, namespace: here", "params.data.types is not there"),
    ] {
        let bare = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bare, namespace: here}\n";
        let text = format!("{WITH_PARAMS}{}{}{bare}", binding("one", reference), param("p1", "A"));
        let exported = export(&load(&[Manifest::new("policy.yaml", text)]), Options { inline: true, ..OPTIONS });
        assert_eq!(policies(&exported), Vec::<String>::new(), "{reference}");
        assert!(notes(&exported)[0].contains(why), "{reference}: {:?}", notes(&exported));
    }
}

#[test]
fn static_policies_have_names_of_their_own_and_no_params() {
    let text = format!("{WITH_PARAMS}{}{}", binding("one", "name: p1, namespace: here"), param("p1", "A"));
    let exported = export(&load(&[Manifest::new("policy.yaml", text)]), Options { statics: true, ..OPTIONS });
    let objects = objects(&exported);
    assert_eq!(objects.len(), 2);
    assert_eq!(objects[0]["metadata"]["name"], "it.static.k8s.io");
    assert_eq!(objects[0]["spec"]["paramKind"], Value::Null);
    assert_eq!(objects[1]["metadata"]["name"], "one.static.k8s.io");
    assert_eq!(objects[1]["spec"]["policyName"], "it.static.k8s.io");
}

#[test]
fn exemptions_by_labels_look_at_the_object_and_at_its_template() {
    let loaded = policy("pods", "CREATE", "  validations: [{expression: 'true'}]\n");
    let text = "apiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {name: labelled}\nspec: {policies: [it], \
                match: {labels: {app.kubernetes.io/name: web, tier: 'b*'}}, reason: it has to be, expires: 2999-12-31}\n";
    let manifests = [Manifest::new("exemptions.yaml", text)];
    let exported = export(&loaded, Options { exemptions: &manifests, ..OPTIONS });
    let folded = objects(&exported);
    let of = |place: &str| {
        format!(
            "({place}.metadata.?labels[?\"app.kubernetes.io/name\"].optMap(value, value in [\"web\"]).orValue(false) && \
             {place}.metadata.?labels[?\"tier\"].optMap(value, value.matches(\"(?s)^(?:b.*)$\")).orValue(false))"
        )
    };
    for (name, template) in [
        ("it", None),
        ("it-workloads", Some("object.spec.template")),
        ("it-cronjobs", Some("object.spec.jobTemplate.spec.template")),
        ("it-podtemplates", Some("object.template")),
    ] {
        let policy = named(&folded, "ValidatingAdmissionPolicy", name);
        let expression = policy["spec"]["matchConditions"][0]["expression"].as_str().unwrap();
        let expression: String = expression.split_whitespace().collect();
        let places: Vec<String> = ["object"].into_iter().chain(template).map(of).collect();
        let expected: String = format!("!(object != null && ({}))", places.join(" || ")).split_whitespace().collect();
        assert_eq!(expression.replace(['(', ')'], ""), expected.replace(['(', ')'], ""), "{name}");
    }
    reload(&exported);
}

#[test]
fn exemptions_are_conditions_until_they_expire() {
    let loaded = policy("pods", "CREATE", "  validations: [{expression: 'true'}]\n");
    let exemption = |name: &str, matches: &str, policies: &str| {
        format!(
            "---\napiVersion: portcullis.dev/v1alpha1\nkind: Exemption\nmetadata: {{name: {name}}}\nspec: {{policies: \
             [{policies}], match: {{{matches}}}, reason: it has to be, expires: 2027-03-31}}\n"
        )
    };
    let text = exemption("old", "namespaces: [a, b], kinds: [Deployment], names: ['n-?.*']", "i*")
        + &exemption("more", "namespaces: [c]", "it")
        + &exemption("image", "images: [x]", "it")
        + &exemption("other", "namespaces: [c]", "another");
    let manifests = [Manifest::new("exemptions.yaml", text)];
    let exported = export(&loaded, Options { exemptions: &manifests, ..OPTIONS });
    let folded = objects(&exported);
    for name in ["it", "it-workloads", "it-cronjobs", "it-podtemplates"] {
        let policy = named(&folded, "ValidatingAdmissionPolicy", name);
        let condition = &policy["spec"]["matchConditions"][0];
        assert_eq!(condition["name"], "not-exempt");
        let expression = condition["expression"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            expression,
            "!(request.?namespace.orValue(\"\") in [\"c\"]) && !(request.?namespace.orValue(\"\") in [\"a\", \"b\"] && \
             request.kind.kind in [\"Deployment\"] && request.?name.or(object == null ? optional.none() : \
             object.metadata.?generateName).orValue(\"\").matches(\"(?s)^(?:n\\\\-.\\\\..*)$\"))"
        );
        let exempts = &policy["metadata"]["annotations"]["portcullis.dev/exempts"];
        assert_eq!(exempts, "more (until 2027-03-31), old (until 2027-03-31)");
    }
    let said = notes(&exported);
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("image: the exemption is left out: it is about some containers"), "{said:?}");
    assert!(said[1].starts_with("more: the exemption is a match condition of it; it ends"), "{said:?}");
    reload(&exported);

    let later = SystemTime::UNIX_EPOCH + Duration::from_secs(60 * 365 * 24 * 3600);
    let expired = export(&loaded, Options { exemptions: &manifests, now: later, ..OPTIONS });
    assert!(!to_text(&expired).contains("not-exempt"));
    assert!(notes(&expired)[0].contains("has expired (2027-03-31)"), "{:?}", notes(&expired));
}

fn to_text(exported: &Exported) -> String {
    objects(exported).iter().map(Value::to_string).collect()
}

#[test]
fn the_bundle_is_exported_as_policies_that_every_api_server_takes() {
    let bundle = bundle();
    for options in [
        OPTIONS,
        Options { pods_only: true, ..OPTIONS },
        Options { inline: true, ..OPTIONS },
        Options { statics: true, ..OPTIONS },
    ] {
        let exported = export(&bundle, options);
        let about: Vec<_> =
            exported.notes.iter().map(|note| note.about.as_str()).filter(|about| !about.is_empty()).collect();
        assert_eq!(about, Vec::<&str>::new(), "{:?}", exported.notes);
        // Lint looks at each expression once more for each kind: once is enough.
        let with_lint = !options.inline && !options.pods_only && !options.statics;
        let reloaded = if with_lint { reload(&exported) } else { load(&[manifest(&exported)]) };
        let bindings =
            |loaded: &LoadedPolicies| loaded.policies.iter().map(|policy| policy.bindings.len()).sum::<usize>();
        assert!(bindings(&reloaded) >= bindings(&bundle));
        assert!(!options.inline || reloaded.policies.iter().all(|policy| policy.param_kind.is_none()));
    }
}

#[test]
fn every_expression_of_the_bundle_can_be_written_again() {
    for policy in bundle().policies {
        let mut draft = super::draft::Draft::of(&policy);
        let mut count = 0;
        let rewritten = draft.change(MINOR, |place, text, env: &Env| {
            let once = normalize(text, env).map_err(|error| error.message)?;
            assert_eq!(normalize(&once, env).as_ref(), Ok(&once), "{} {place}", policy.name);
            count += 1;
            Ok(once)
        });
        assert_eq!(rewritten, Ok(()), "{}", policy.name);
        assert!(count > 0, "{}", policy.name);
    }
}
