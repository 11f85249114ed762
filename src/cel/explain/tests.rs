use super::*;
use crate::cel::{Env, Expect};
use crate::json::{self, Limits};

const POD: &str = r#"{"kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web", "tier": "db"}}, "spec": {
    "hostNetwork": true,
    "containers": [
        {"name": "app", "image": "web:1.2", "ports": [80]},
        {"name": "side", "image": "proxy:latest", "ports": [8080, 22]}],
    "initContainers": [{"name": "setup", "image": "setup:latest"}]}}"#;

fn env(variables: &[(&str, &str)]) -> Env {
    let mut env = Env { minor: 36, params: true, probes: true, ..Env::default() };
    for (name, text) in variables {
        let program = Program::compile(text, &env, Expect::Any).map(Arc::new).map_err(|error| error.to_string());
        env.variables.push(((*name).to_owned(), program));
    }
    env
}

/// The explanation of an expression on a pod, each line indented by its depth.
fn explained(variables: &[(&str, &str)], text: &str) -> Vec<String> {
    lines(variables, text, POD, false)
}

fn lines(variables: &[(&str, &str)], text: &str, object: &str, is_confidential: bool) -> Vec<String> {
    let env = env(variables);
    let program = Program::compile(text, &env, Expect::Any).expect("an expression");
    let arena = Arena::new();
    let value = json::parse(&arena, object.as_bytes(), &Limits::default()).expect("JSON");
    let params = json::parse(&arena, br#"{"data": {"tag": "latest"}}"#, &Limits::default()).expect("JSON");
    let inputs = Inputs { object: value, params: params.into(), ..Inputs::default() };
    let roots =
        [Root { name: "", value, is_confidential }, Root { name: "params", value: params, is_confidential: false }];
    let question = Question { program: &program, variables: &env.variables, inputs, roots: &roots };
    let explanation = explain(&arena, question, 10_000_000).expect("the program has parts");
    explanation.lines().into_iter().map(|(depth, line)| format!("{:indent$}{line}", "", indent = 2 * depth)).collect()
}

#[test]
fn names_what_decided() {
    let cases: &[(&str, &[&str])] = &[
        // The conjunct that was false, not those that were true.
        (
            "has(object.spec) && object.metadata.name == 'db' && object.spec.hostNetwork",
            &["object.metadata.name == \"db\" is false", "  object.metadata.name is \"web\""],
        ),
        // Of alternatives all were false.
        (
            "object.metadata.name == 'a' || object.kind == 'Job'",
            &[
                "object.metadata.name == \"a\" is false",
                "  object.metadata.name is \"web\"",
                "object.kind == \"Job\" is false",
                "  object.kind is \"Pod\"",
            ],
        ),
        ("!(has(object.a) || object.spec.hostNetwork)", &["object.spec.hostNetwork is true"]),
        // The condition and the side that was taken.
        (
            "has(object.a) ? true : object.kind == 'Job'",
            &["has(object.a) is false", "object.kind == \"Job\" is false", "  object.kind is \"Pod\""],
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(explained(&[], text), *wanted, "{text}");
    }
}

#[test]
fn names_the_element_on_which_it_did() {
    let cases: &[(&str, &[&str])] = &[
        (
            "object.spec.containers.all(c, !c.image.endsWith(':latest'))",
            &[
                "for c = [1] (spec.containers[1])",
                "  c.image.endsWith(\":latest\") is true",
                "    c.image is \"proxy:latest\" (spec.containers[1].image)",
            ],
        ),
        // An element of a sum of lists is found where it comes from.
        (
            "(object.spec.containers + object.spec.initContainers).exists(c, c.name == 'setup') == false",
            &[
                "(object.spec.containers + object.spec.initContainers).exists(c, c.name == \"setup\") is true",
                "  for c = [2] (spec.initContainers[0])",
                "    c.name == \"setup\" is true",
                "      c.name is \"setup\" (spec.initContainers[0].name)",
            ],
        ),
        // A number has no place of its own, but that of its list.
        (
            "object.spec.containers.all(c, c.ports.all(p, p > 50))",
            &[
                "for c = [1] (spec.containers[1])",
                "  c.ports.all(p, p > 50) is false",
                "    for p = [1] 22 (spec.containers[1].ports[1])",
                "      p > 50 is false",
                "        p is 22",
            ],
        ),
        (
            "object.metadata.labels.all(k, v, v == 'web')",
            &[
                "for v = \"tier\" (metadata.labels.tier)",
                "  v == \"web\" is false",
                "    v is \"db\" (metadata.labels.tier)",
            ],
        ),
        (
            "object.spec.containers.filter(c, c.image.contains(params.data.tag)).size() == 0",
            &[
                "object.spec.containers.filter(c, c.image.contains(params.data.tag)).size() is 1",
                "  object.spec.containers.filter(c, c.image.contains(params.data.tag)) is [{\"name\": \"side\", \"image\": \"proxy:latest\", \"ports\": [8080, 22]}]",
                "    for c = [1] (spec.containers[1])",
                "      c.image.contains(params.data.tag) is true",
                "        c.image is \"proxy:latest\" (spec.containers[1].image)",
                "        params.data.tag is \"latest\"",
            ],
        ),
    ];
    for (text, wanted) in cases {
        assert_eq!(explained(&[], text), *wanted, "{text}");
    }
}

#[test]
fn looks_into_variables() {
    let variables = [("name", "object.metadata.name"), ("ours", "variables.name == 'db' || object.kind == 'Job'")];
    assert_eq!(
        explained(&variables, "variables.ours && variables.name != ''"),
        [
            "variables.ours is false",
            "  variables.name == \"db\" is false",
            "    variables.name is \"web\" (metadata.name)",
            "  object.kind == \"Job\" is false",
            "    object.kind is \"Pod\"",
        ]
    );
}

#[test]
fn names_where_an_error_comes_from() {
    assert_eq!(
        explained(&[], "object.spec.containers.all(c, c.image != '' && c.limits.cpu == '1')"),
        [
            "for c = [0] (spec.containers[0])",
            "  c.image != \"\" && c.limits.cpu == \"1\" is an error: no such key: limits",
            "    c.limits.cpu == \"1\" is an error: no such key: limits",
            "      c.limits.cpu is an error: no such key: limits",
        ]
    );
}

#[test]
fn counts_what_it_does_not_show() {
    let elements: Vec<_> = (0..1_000).map(|at| at.to_string()).collect();
    let object = format!("{{\"a\": [{}]}}", elements.join(","));
    let found = lines(&[], "object.a.exists(x, x > 5000)", &object, false);
    assert_eq!(found.len(), 3 * 3 + 1, "{found:?}");
    assert_eq!(found.last().map(String::as_str), Some("  and 997 more"));
    // The one that decides is among many that don't.
    let found = lines(&[], "object.a.all(x, x != 999)", &object, false);
    assert_eq!(found.first().map(String::as_str), Some("for x = [999] 999 (a[999])"));
}

#[test]
fn shows_nothing_of_a_secret() {
    let secret = r#"{"kind": "Secret", "metadata": {"name": "keys", "annotations": {"last": "{hunter2}"}},
        "type": "Opaque", "data": {"PASSWORD": "aHVudGVyMg=="}, "stringData": {"x": "hunter2", "PIN": "4711"}}"#;
    for text in [
        "object.data.all(k, v, v == 'x')",
        "object.data.PASSWORD == 'x'",
        "object.data.PASSWORD.upperAscii() == 'x'",
        "object.stringData.x.size() == 8",
        "int(object.stringData.PIN) == 8",
        "int(object.stringData.x) == 8",
        "object.stringData.x.split('').join('-') == 'x'",
        "object.stringData == {'x': 'y'}",
        "object.metadata.annotations.last == 'x'",
        "object == {'x': 'y'}",
        "object.data[object.stringData.x] == 'x'",
        "[object.data.PASSWORD].exists(v, v == 'x')",
        "object.stringData.map(k, object.stringData[k]) == ['x']",
        "object.stringData.transformMap(k, v, {v: 1}).exists(k, v, v == {})",
        "variables.all == ''",
    ] {
        let variables = [("all", "object.data.PASSWORD + object.stringData.x")];
        let found = lines(&variables, text, secret, true).join("\n");
        for hidden in ["aHVu", "AHVU", "hunter", "h-u", "4711", "is 7"] {
            assert!(!found.contains(hidden), "{text}: {found}");
        }
        assert!(!found.is_empty(), "{text}");
    }
    // What is no secret of it is shown.
    assert_eq!(
        lines(&[], "object.type == 'tls' && object.stringData.PIN == ''", secret, true),
        ["object.type == \"tls\" is false", "  object.type is \"Opaque\""]
    );
    assert_eq!(
        lines(&[], "object.stringData.PIN == ''", secret, true),
        ["object.stringData.PIN (not shown: it may hold a secret)"]
    );
}

#[test]
fn probes_go_as_deep_as_expressions_do() {
    // The deepest that the parser takes, of every kind that nests.
    for (open, inner, close) in [("(true && ", "false", ")"), ("!", "false", ""), ("[1].all(x, ", "false", ")")] {
        let deepest = (1..250).rev().find_map(|depth| {
            let text = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            Program::compile(&text, &env(&[]), Expect::Any).is_ok().then_some(text)
        });
        let text = deepest.expect("some depth is taken");
        explained(&[], &text);
    }
    // Variables that read each other, up to the limit of what nests.
    let names: Vec<_> = (0..240).map(|at| (format!("v{at}"), format!("!(variables.v{} && true)", at - 1))).collect();
    let mut variables = vec![("v0", "object.spec.hostNetwork")];
    variables.extend(names.iter().skip(1).map(|(name, text)| (name.as_str(), text.as_str())));
    // Parts take some of the stack, of which the thread that explains has twice as much.
    std::thread::scope(|scope| {
        let explain = || assert!(!explained(&variables, "variables.v239").is_empty());
        let thread = std::thread::Builder::new().stack_size(4 * 1024 * 1024).spawn_scoped(scope, explain);
        thread.expect("a thread").join().expect("its stack is deep enough");
    });
}

#[test]
fn a_trace_keeps_no_more_than_its_limit() {
    // Each of nine loops in each other keeps all of its three elements.
    let text = (0..9).fold("object.n > 0".to_owned(), |inner, at| format!("[1, 2, 3].all(x{at}, {inner})"));
    let env = env(&[]);
    let program = Program::compile(&text, &env, Expect::Any).expect("an expression");
    let arena = Arena::new();
    let object = json::parse(&arena, br#"{"n": 1}"#, &Limits::default()).expect("JSON");
    let trace = Rc::new(Trace::default());
    let inputs = Inputs { object, ..Inputs::default() };
    let mut evaluator = Evaluator::new(&arena, inputs, &[], 10_000_000, None).with_recorder(trace.clone());
    assert!(matches!(evaluator.evaluate(&program), Ok(Value::Bool(true))));
    let kept: usize = trace.take().iter().map(Part::size).sum();
    assert!((trace::MAX_PARTS..trace::MAX_PARTS + 100).contains(&kept), "{kept}");
}

#[test]
fn looks_for_a_value_in_so_many_and_no_more() {
    let text = "[object.z].exists(x, x == 'b')";
    for (count, line) in [(100, "for x = [0] \"a\" (z)"), (300_000, "for x = [0] \"a\"")] {
        let object = format!("{{\"l\": [{}1], \"z\": \"a\"}}", "1,".repeat(count));
        assert_eq!(lines(&[], text, &object, false)[0], line);
    }
}

#[test]
fn an_explanation_has_so_many_lines_and_says_how_many_more_there_are() {
    let terms: Vec<_> = (0..60).map(|at| format!("object.kind == 'k{at}'")).collect();
    let found = explained(&[], &terms.join(" || "));
    assert_eq!(found.len(), MAX_LINES + 1);
    assert_eq!(found.last().map(String::as_str), Some("and 40 more"));
}
