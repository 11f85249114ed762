//! `portcullis eval`.

use super::{checkout, portcullis, portcullis_with};

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: a, image: 'nginx:1'}]}\n";

#[test]
fn evaluates_an_expression_on_an_object() {
    let dir = checkout(&[("pod.yaml", POD)]);
    let args = ["eval", "object.spec.containers.map(c, c.image)", "-f", "pod.yaml"];
    let run = portcullis_with(&args, "", dir.path());
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("nginx:1"), "{}", run.stdout);
}

#[test]
fn an_expression_that_does_not_compile_is_bad_input() {
    let run = portcullis(&["eval", "1 + 'a'"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("no matching overload"), "{}", run.stderr);
}

#[test]
fn evaluates_a_batch_line_by_line() {
    let batch = r#"{"expr":"1 + 2"}
{"expr":"1 +"}
{"expr":"1 / 0"}
{"expr":"object.spec.containers[0].image.endsWith(':1')","object":{"spec":{"containers":[{"image":"nginx:1"}]}}}
{"expr":"x + 1","bindings":{"x":{"t":"int","v":"41"}}}
"#;
    let dir = checkout(&[("batch.jsonl", batch)]);
    let run = portcullis_with(&["eval", "--batch", "batch.jsonl"], "", dir.path());
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert_eq!(lines.len(), 5, "{}{}", run.stdout, run.stderr);
    assert_eq!(lines[0]["value"], serde_json::json!({"t": "int", "v": "3"}));
    assert_eq!(lines[0]["type"], "int");
    assert_eq!(lines[1]["stage"], "compile");
    assert_eq!(lines[2]["stage"], "runtime");
    assert_eq!(lines[3]["value"], serde_json::json!({"t": "bool", "v": true}));
    assert_eq!(lines[4]["value"], serde_json::json!({"t": "int", "v": "42"}));
}

#[test]
fn answers_to_authorization_checks_are_given_in_a_file() {
    let rules =
        "- {user: ann, verb: get, resource: pods, decision: allow, reason: she may}\n- {verb: get, decision: deny}\n";
    let request = "userInfo: {username: ann}\nresource: {group: '', version: v1, resource: pods}\n";
    let dir = checkout(&[("rules.yaml", rules), ("request.yaml", request), ("typo.yaml", "- {verbs: get}\n")]);
    let eval = |expression: &str, rules: &[&str]| {
        let args = [&["eval", expression, "--request", "request.yaml"][..], rules].concat();
        portcullis_with(&args, "", dir.path())
    };
    for (expression, value) in [
        ("authorizer.group('').resource('pods').check('get').reason()", "she may"),
        ("authorizer.requestResource.check('get').allowed()", "true"),
        ("authorizer.group('').resource('secrets').check('get').allowed()", "false"),
    ] {
        let run = eval(expression, &["--authorizer", "rules.yaml"]);
        assert!(run.code == 0 && run.stdout.contains(value), "{expression}: {}{}", run.stdout, run.stderr);
    }
    let run = eval("authorizer.path('/').check('get').allowed()", &[]);
    assert!(run.code == 2 && run.stderr.contains("no authorizer is available offline"), "{}", run.stderr);
    let run = eval("true", &["--authorizer", "typo.yaml"]);
    assert!(run.code == 2 && run.stderr.contains("[0].verbs: unknown field; write verb"), "{}", run.stderr);
}

#[test]
fn says_what_decided() {
    let dir = checkout(&[("pod.yaml", POD)]);
    let text = "object.spec.containers.all(c, c.image.endsWith(':2'))";
    let run = portcullis_with(&["eval", "--explain", "-f", "pod.yaml", text], "", dir.path());
    let explanation = "  for c = [0] (spec.containers[0])\n    c.image.endsWith(\":2\") is false\n      \
                       c.image is \"nginx:1\" (spec.containers[0].image)\n";
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (answer, rest) = run.stdout.split_once('\n').expect("an answer and its explanation");
    assert_eq!(rest, explanation);
    let plain = portcullis_with(&["eval", "-f", "pod.yaml", text], "", dir.path());
    assert_eq!(plain.stdout.trim_end(), answer, "an explanation changes nothing");

    let run = portcullis_with(&["eval", "--explain", "-f", "pod.yaml", "object.spec.a.b == 1"], "", dir.path());
    assert_eq!((run.code, run.stdout.as_str()), (2, "  object.spec.a.b is an error: no such key: a\n"));

    let dir = checkout(&[("batch.jsonl", "{\"expr\":\"object.a == 2\",\"object\":{\"a\":1}}\n{\"expr\":\"1 / 0\"}\n")]);
    let run = portcullis_with(&["eval", "--explain", "--batch", "batch.jsonl"], "", dir.path());
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let explanation = serde_json::json!({
        "expression": "object.a == 2", "value": "false", "parts": [{"expression": "object.a", "value": "1"}],
    });
    assert_eq!(lines[0]["explanation"], explanation);
    assert_eq!(lines[1]["explanation"]["value"], "an error: division by zero");
}

#[test]
fn shows_nothing_of_a_secret_and_nothing_that_acts_on_a_terminal() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: aHVudGVyMg==}\n";
    let dir = checkout(&[("secret.yaml", secret), ("pod.yaml", "kind: Pod\nmetadata: {name: \"a\\e[31m\\u202eb\"}\n")]);
    let run = portcullis_with(&["eval", "--explain", "-f", "secret.yaml", "object.data.k == 'x'"], "", dir.path());
    assert!(run.stdout.ends_with("\n  object.data.k (not shown: it may hold a secret)\n"), "{}", run.stdout);
    let run = portcullis_with(&["eval", "--explain", "-f", "pod.yaml", "object.metadata.name == 'x'"], "", dir.path());
    assert!(run.stdout.ends_with("\n  object.metadata.name is \"a\\u001b[31m\\u{202e}b\"\n"), "{:?}", run.stdout);
}
