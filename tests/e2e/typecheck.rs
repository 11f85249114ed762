//! Our type checker and Kubernetes' own, `target/tools/typecheck` (built by `tests/schemagen/build.sh`), which looks
//! kinds up on the API server: of the table of policies, and of every field of every built-in kind, both say the same.

use std::collections::HashMap;
use std::io::Write;
use std::process::{Command, Stdio};

use hyper::{Method, StatusCode};
use portcullis::policy::Manifest;
use serde_json::{Value, json};

use super::cluster::{CLUSTER, Cluster};

#[path = "../typecheck/table.rs"]
mod table;

use table::Answer;

/// The table that the structures of built-in kinds are read from.
const BUILT_IN: &str = include_str!("../../src/schema/builtin.txt");

/// Fields asked for in one expression; of more than a hundred mistakes upstream doesn't tell.
const FIELDS_OF_EXPRESSION: usize = 90;

#[test]
fn the_api_server_accepts_the_table_and_the_type_checker_answers_as_written_down() {
    CLUSTER.block_on(async {
        define(&CLUSTER).await;
        for policy in table::json_lines(table::POLICIES).lines() {
            let policy: Value = serde_json::from_str(policy).unwrap();
            let path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies?dryRun=All";
            let answer = CLUSTER.request(Method::POST, path, &policy).await;
            assert_eq!(
                answer.status,
                StatusCode::CREATED,
                "{}: {}",
                policy["metadata"]["name"],
                answer.body["message"]
            );
        }
    });
    let expected = parse(include_str!("../typecheck/answers.jsonl"));
    assert_eq!(kubernetes(&table::json_lines(table::POLICIES)), expected, "write tests/typecheck/answers.jsonl anew");
}

#[test]
fn gives_every_field_of_every_built_in_kind_the_type_that_kubernetes_gives_it() {
    // A new API server publishes the schemas of what it serves a little later; when it has those of new kinds, it has all.
    CLUSTER.block_on(define(&CLUSTER));
    let policies: Vec<Value> = CLUSTER.block_on(served(&CLUSTER)).iter().flat_map(every_field).collect();
    assert!(policies.len() > 100, "{} policies", policies.len());
    let lines: String = policies.iter().map(|policy| format!("{policy}\n")).collect();
    let documents: String = policies.iter().map(|policy| format!("---\n{policy}\n")).collect();
    let found = table::answers(&Manifest::new("fields.yaml", documents));
    let expected = kubernetes(&lines);
    assert_eq!(found.len(), expected.len());
    let differences: Vec<_> = found
        .iter()
        .zip(&expected)
        .filter_map(|((name, found), expected)| table::difference(name, found, expected))
        .collect();
    assert!(differences.is_empty(), "{} of {}: {}", differences.len(), found.len(), differences[0]);
    // Every expression asks for a field that there isn't.
    assert!(expected.iter().all(|answer| answer.warnings.len() == 1));
}

/// Creates the table's custom resources and waits until their schemas are published.
async fn define(cluster: &Cluster) {
    for definition in table::json_lines(table::DEFINITIONS).lines() {
        let definition: Value = serde_json::from_str(definition).unwrap();
        let name = definition["metadata"]["name"].as_str().unwrap();
        cluster.apply(&format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"), &definition).await;
    }
    cluster
        .until("publishing the custom resources", async || {
            let answer = cluster.request(Method::GET, "/openapi/v3/apis/typecheck.example.com/v1", &Value::Null).await;
            let resources = cluster.request(Method::GET, "/apis/typecheck.example.com/v1", &Value::Null).await;
            let published = answer.body["components"]["schemas"].as_object().map_or(0, |schemas| {
                let is_kind = |name: &&String| name.starts_with("com.example.typecheck.v1.") && !name.ends_with("List");
                schemas.keys().filter(is_kind).count()
            });
            published == 4 && resources.body["resources"].as_array().is_some_and(|resources| resources.len() == 4)
        })
        .await;
}

/// What Kubernetes' type checker says of policies.
fn kubernetes(lines: &str) -> Vec<Answer> {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/typecheck");
    let mut child = Command::new(program)
        .args(["-quantities", "-kubeconfig"])
        .arg(&CLUSTER.kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}: run tests/schemagen/build.sh"));
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{}", output.status);
    parse(std::str::from_utf8(&output.stdout).unwrap())
}

fn parse(lines: &str) -> Vec<Answer> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of the table that the API server serves: group, version, resource, number of the type.
async fn served(cluster: &Cluster) -> Vec<(&'static str, &'static str, &'static str, usize)> {
    let mut known: HashMap<String, Value> = HashMap::new();
    let mut served = Vec::new();
    for line in BUILT_IN.lines().filter(|line| line.starts_with(['=', '~'])) {
        let [name, type_id, resource, ..] = line[1..].split(' ').collect::<Vec<_>>()[..] else { continue };
        let [group, version, _] = name.split('/').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let path = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
        if !known.contains_key(&path) {
            known.insert(path.clone(), cluster.request(Method::GET, &path, &Value::Null).await.body);
        }
        let resources = known[&path]["resources"].as_array();
        if resources.is_some_and(|resources| resources.iter().any(|served| served["name"] == resource)) {
            served.push((group, version, resource, type_id.parse().unwrap()));
        }
    }
    served
}

/// Policies that compare every field of a kind with an optional, which goes with `dyn` alone: what the type checker says
/// names the type of each.
fn every_field((group, version, resource, type_id): &(&str, &str, &str, usize)) -> Vec<Value> {
    let types: Vec<&str> = BUILT_IN.lines().filter(|line| !line.starts_with(['=', '~'])).collect();
    let mut paths = Vec::new();
    walk(&types, *type_id, "object", &mut paths);
    let policy = |(number, paths): (usize, &[String])| {
        let fields: Vec<_> = paths.iter().map(|path| format!("{path} == optional.none()")).collect();
        let expression = format!("object.nope == [\n{}\n].size()", fields.join(",\n"));
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": format!("{resource}-{version}-{}-{number}", group.split('.').next().unwrap())},
            "spec": {
                "matchConstraints": {"resourceRules": [
                    {"apiGroups": [group], "apiVersions": [version], "operations": ["CREATE"], "resources": [resource]},
                ]},
                "validations": [{"expression": expression}],
            },
        })
    };
    paths.chunks(FIELDS_OF_EXPRESSION).enumerate().map(policy).collect()
}

/// The paths of the fields of a type; those whose names need escapes are left to the table of policies.
fn walk(types: &[&str], type_id: usize, path: &str, paths: &mut Vec<String>) {
    let (forms, seen) = types[type_id].split_once('!').unwrap_or((types[type_id], ""));
    if let Ok(other) = seen.parse() {
        return walk(types, other, path, paths);
    }
    if !seen.is_empty() {
        return;
    }
    for form in forms.split('|') {
        let mut words = form.split(' ');
        let head = words.next().unwrap();
        let element = head.get(2..).and_then(|id| id.parse().ok());
        match (head.get(..1), element) {
            (Some("["), Some(element)) => walk(types, element, &format!("{path}[0]"), paths),
            (Some("{"), Some(element)) if !form.contains(' ') => walk(types, element, &format!("{path}['k']"), paths),
            (Some("{"), _) => {
                for (name, rest) in words.map(|word| word.split_once(':').unwrap()) {
                    let path = format!("{path}.{name}");
                    if name.chars().all(|c| c.is_ascii_alphanumeric()) {
                        paths.push(path.clone());
                        walk(types, rest.split('=').next().unwrap().parse().unwrap(), &path, paths);
                    }
                }
            }
            _ => {}
        }
    }
}
