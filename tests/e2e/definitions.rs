//! Apply configurations for custom resources: `serve` takes definitions from the cluster, and merges as the API server
//! does by itself.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::deployed::{Deployed, MEDIA, deployed, objects};
use super::manifests::mutating;

const GROUP: &str = "e2e.example.com";

/// Widgets whose parts have names, with `fields` besides.
fn definition(fields: &Value) -> Value {
    let part = json!({"type": "object", "required": ["name"],
        "properties": {"name": {"type": "string"}, "size": {"type": "integer"}}});
    let mut spec = json!({"parts": {"type": "array", "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"], "items": part}});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("widgets.{GROUP}")},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}}]}})
}

/// A widget with two parts.
fn widget(name: &str) -> Value {
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "metadata": {"namespace": MEDIA, "name": name},
        "spec": {"parts": [{"name": "a", "size": 1}, {"name": "b", "size": 1}]}})
}

const WIDGETS: &str = "{apiGroups: [e2e.example.com], resources: [widgets]";

/// Merges parts into widgets, and writes a note where one is asked for.
fn merging() -> String {
    mutating("e2e-parts", WIDGETS, MERGING)
}

const MERGING: &str = "
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        object.metadata.name == 'noted' ? Object{spec: Object.spec{note: 'seen'}} :
        Object{spec: Object.spec{parts: [Object.spec.parts{name: 'b', size: 2}, Object.spec.parts{name: 'c'}]}}
";

/// Patches widgets, which takes no definition.
const PATCHING: &str = "
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: \"[JSONPatch{op: 'add', path: '/metadata/annotations', value: {'e2e': 'patched'}}]\"}
";

const CACHE: &str = "cache of customresourcedefinitions";
const UNDECLARED: &str = ".spec.note: field not declared in schema";

/// What came of creating a widget: its spec, or the message.
async fn outcome(deployed: &Deployed, name: &str) -> Value {
    let answer = deployed.dry_run(&widget(name)).await;
    let field = if answer.status.is_success() { "spec" } else { "message" };
    answer.body[field].clone()
}

async fn until_outcome(deployed: &Deployed, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    deployed.cluster.until(what, async || wanted(&outcome(deployed, name).await)).await;
    outcome(deployed, name).await
}

fn says(outcome: &Value, text: &str) -> bool {
    outcome.as_str().is_some_and(|message| message.contains(text))
}

#[test]
fn custom_resources_merge_by_their_definitions_in_the_cluster() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        define(&deployed, &json!({})).await;
        let policies = objects(&merging());
        for policy in &policies {
            deployed.apply(policy).await;
        }
        let is_merged = |outcome: &Value| outcome["parts"][1]["size"] == 2;
        let natively = until_outcome(&deployed, "w", "the policy having effect", is_merged).await;
        let parts = json!([{"name": "a", "size": 1}, {"name": "b", "size": 2}, {"name": "c"}]);
        assert_eq!(natively, json!({"parts": parts}));
        let refused = outcome(&deployed, "noted").await;
        assert!(says(&refused, UNDECLARED), "{refused}");
        for policy in &policies {
            deployed.delete(policy).await;
        }
        until_outcome(&deployed, "w", "the policy losing its effect", |outcome| !is_merged(outcome)).await;

        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("patching.yaml"), mutating("e2e-patch", WIDGETS, PATCHING)).unwrap();
        let policies = directory.path().display().to_string();
        let serving = deployed.serve(&["--mode", "enforce", "--policies", &policies]).await;
        let server = &serving.server;
        let patched = deployed.dry_run(&widget("w")).await;
        assert_eq!(patched.body["metadata"]["annotations"]["e2e"], "patched", "{patched:#?}");
        assert!(!server.admin("/readyz").await.text().contains(CACHE), "nothing needs definitions yet");

        // A policy that comes later needs them.
        let file = directory.path().join("merging.yaml");
        std::fs::write(&file, merging()).unwrap();
        let served = until_outcome(&deployed, "w", "merging", is_merged).await;
        assert_eq!(served, natively);
        let ready = server.admin("/readyz").await.text();
        assert!(ready.contains(&format!("[+] {CACHE}: 1 objects")), "{ready}");
        let stored = deployed.create(&widget("w")).await;
        assert_eq!((stored.status, &stored.body["spec"]), (StatusCode::CREATED, &natively), "{stored:#?}");
        deployed.delete(&widget("w")).await;
        let refused = outcome(&deployed, "noted").await;
        assert!(says(&refused, UNDECLARED), "{refused}");

        // A definition that changes has effect at once, and one that goes has none any longer.
        define(&deployed, &json!({"note": {"type": "string"}})).await;
        let noted = until_outcome(&deployed, "noted", "the note", |outcome| outcome["note"] == "seen").await;
        assert_eq!(noted["parts"], widget("w")["spec"]["parts"]);
        std::fs::remove_file(&file).unwrap();
        until_outcome(&deployed, "w", "the policy going", |outcome| !is_merged(outcome)).await;
        server.until("the watch ending", async || !server.admin("/readyz").await.text().contains(CACHE)).await;
        // That the file has gone is told until the next look confirms it, and nothing else is.
        let is_told = |event: &serde_json::Value| {
            let error = event["error"].as_str().unwrap_or_default();
            error.contains("merging.yaml") && error.contains("which was in force, is gone")
                || event["message"] == "policies reloaded with errors; see above"
        };
        let (told, errors): (Vec<_>, Vec<_>) =
            server.log().into_iter().filter(|event| event["level"] == "ERROR").partition(is_told);
        assert!(errors.is_empty(), "{errors:#?}");
        assert_eq!(told.len(), 2, "{told:#?}");
        drop(serving);
        undefine(&deployed).await;
    });
}

#[test]
fn without_the_right_to_read_definitions_it_serves_as_before_and_says_so() {
    let deployed = deployed();
    deployed.cluster.block_on(async {
        define(&deployed, &json!({})).await;
        let (right, less) = Deployed::role_without("customresourcedefinitions");
        let may = async || deployed.may("list", "apiextensions.k8s.io", "customresourcedefinitions", "", "").await;
        deployed.apply(&less).await;
        deployed.cluster.until("the right being gone", async || !may().await).await;
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("merging.yaml"), merging()).unwrap();
        let policies = directory.path().display().to_string();
        let mut serving = deployed.serve(&["--mode", "enforce", "--policies", &policies]).await;

        let ready = serving.server.admin("/readyz").await.text();
        assert!(ready.starts_with("ready\n") && ready.contains(&format!("[!] {CACHE}: not synced, failing")), "{ready}");
        let logged = serving.server.wait_for_log(
            "the definitions of custom resources can't be had: apply configurations merge into custom resources without \
             their schemas, and those that write lists fail",
        );
        let why = logged["error"].as_str().unwrap();
        assert!(logged["level"] == "ERROR" && why.contains("customresourcedefinitions") && why.ends_with("(403)"), "{logged}");
        let refused = outcome(&deployed, "w").await;
        assert!(says(&refused, "may not mutate atomic arrays, maps or structs: .spec.parts"), "{refused}");

        deployed.apply(&right).await;
        let is_merged = |outcome: &Value| outcome["parts"][1]["size"] == 2;
        until_outcome(&deployed, "w", "merging, once it may", is_merged).await;
        drop(serving);
        undefine(&deployed).await;
    });
}

/// Defines widgets, and waits until they are served.
async fn define(deployed: &Deployed, fields: &Value) {
    deployed.apply(&definition(fields)).await;
    deployed
        .cluster
        .until("widgets being served", async || {
            deployed.dry_run(&widget("probe")).await.status != StatusCode::NOT_FOUND
        })
        .await;
}

/// Takes the definition away, and waits until it is gone: until then it can't be made anew.
async fn undefine(deployed: &Deployed) {
    let definition = definition(&json!({}));
    deployed.delete(&definition).await;
    deployed.cluster.until("the definition being gone", async || !deployed.has(&definition).await).await;
}
