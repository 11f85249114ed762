//! What is replaced, and what stays.

use super::*;
use crate::cel::Program;
use crate::json::{Arena, Value};

fn env() -> Env {
    Env { minor: 36, params: true, authorizer: true, ..Env::default() }
}

/// Moves `object.spec` below `template`, knows the kind, and marks what is said.
struct Sample;

impl Rewrite for Sample {
    fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
        Ok(match (reference.root, reference.fields.as_slice()) {
            ("object", ["spec", ..]) => Replacement::Fields(1, &["spec", "template", "spec"]),
            ("object", ["metadata", "labels", ..]) => Replacement::Fields(1, &["spec", "template", "metadata"]),
            ("object", ["kind"]) => Replacement::Value(Value::String("Pod")),
            ("object", ["metadata", "uid", ..]) => Replacement::Absent(2),
            ("object", ["metadata", "name"]) => Replacement::Source("request.name + \"-0\""),
            ("oldObject", []) if reference.test => Replacement::Absent(0),
            ("object", []) if reference.test => Replacement::Same,
            ("object", []) => return Err("object as a whole".to_owned()),
            ("request", ["operation"]) => Replacement::Value(Value::String("CREATE")),
            ("params", ["data", "on"]) => Replacement::Value(Value::Bool(true)),
            ("params", ["data", "list"]) => Replacement::Value(Value::Array(&[Value::Int(1), Value::Int(-2)])),
            ("params", ["data", _]) => Replacement::Absent(2),
            _ => Replacement::Same,
        })
    }

    fn text(&mut self, text: &str) -> Option<String> {
        text.strip_prefix("spec").map(|rest| format!("spec.template.spec{rest}"))
    }
}

fn rewritten(source: &str) -> Result<String, String> {
    rewrite(source, &env(), &mut Sample).map_err(|error| error.message)
}

#[test]
fn moves_fields_however_they_are_selected() {
    for (source, text) in [
        ("object.spec.containers", "object.spec.template.spec.containers"),
        ("object.spec", "object.spec.template.spec"),
        ("has(object.spec)", "has(object.spec.template.spec)"),
        ("has(object.spec.a.b)", "has(object.spec.template.spec.a.b)"),
        ("object.?spec.a", "object.?spec.?template.?spec.a"),
        ("object[\"spec\"].a", "object.spec.template.spec.a"),
        ("object[?\"spec\"].a", "object.?spec.?template.?spec.a"),
        ("object.spec[\"a/b\"]", "object.spec.template.spec[\"a/b\"]"),
        ("object.spec[?\"a/b\"]", "object.spec.template.spec[?\"a/b\"]"),
        ("object.spec.?a.b", "object.spec.template.spec.?a.b"),
        ("object.spec.a[0].b", "object.spec.template.spec.a[0].b"),
        ("object.spec.a[object.spec.n]", "object.spec.template.spec.a[object.spec.template.spec.n]"),
        ("dyn(object.spec).?a", "dyn(object.spec.template.spec).?a"),
        ("object.metadata.?labels", "object.spec.template.metadata.?labels"),
        ("object.metadata.namespace", "object.metadata.namespace"),
        ("object.spec.a.optMap(x, x + 1)", "object.spec.template.spec.a.optMap(x, x + 1)"),
        (
            "object.spec.a.all(c, c.b == object.spec.b)",
            "object.spec.template.spec.a.all(c, c.b == object.spec.template.spec.b)",
        ),
        (".object.spec.a", ".object.spec.template.spec.a"),
    ] {
        assert_eq!(rewritten(source), Ok(text.to_owned()), "{source}");
    }
}

#[test]
fn goes_by_meaning_and_not_by_spelling() {
    for source in [
        "[{\"spec\": 1}].all(object, object.spec == 1)",
        "\"object.spec\" == \"spec\"",
        "{\"object\": {\"spec\": 1}}.object.spec",
        "oldObject.spec.a",
        "variables == variables",
    ] {
        assert_eq!(rewritten(source), Ok(source.to_owned()));
    }
}

#[test]
fn what_is_known_decides_what_depends_on_it_alone() {
    for (source, text) in [
        ("object.kind == \"Pod\" ? [1] : [2]", "[1]"),
        ("object.kind == \"Job\" ? [1] : object.kind == \"Pod\" ? [2] : [3]", "[2]"),
        ("request.operation != \"UPDATE\" || object.spec.a == 1", "true"),
        ("request.operation == \"UPDATE\" || object.spec.a == 1", "object.spec.template.spec.a == 1"),
        ("request.operation == \"UPDATE\" || object.spec.a", "object.spec.template.spec.a || false"),
        (
            "object.spec.a && request.operation == \"CREATE\" && object.spec.b",
            "object.spec.template.spec.a && object.spec.template.spec.b",
        ),
        ("!has(object.metadata.uid)", "true"),
        ("object.?metadata.?uid", "optional.none()"),
        ("object.metadata.?uid.orValue(\"x\") + \"y\"", "\"x\" + \"y\""),
        ("object.metadata.?uid.hasValue()", "false"),
        ("object.metadata.?uid.a.orValue(1)", "1"),
        ("has(object.?metadata.uid)", "false"),
        ("object.?kind.orValue(\"\")", "\"Pod\""),
        ("object.?kind.optMap(k, k + \"s\")", "optional.of(\"Pod\").optMap(k, k + \"s\")"),
        ("has(object.kind)", "true"),
        ("params.?data.?on.orValue(false)", "true"),
        ("params.data.list.map(x, x * 2)", "[1, -2].map(x, x * 2)"),
        ("params.?data.?other.orValue(\"a b\").split(\" \")", "\"a b\".split(\" \")"),
        ("[1].filter(x, request.operation == \"CREATE\")", "[1].filter(x, true)"),
        ("[1].all(x, request.operation == \"CREATE\")", "[1].all(x, true)"),
        ("[1].exists(x, params.data.on)", "[1].exists(x, true)"),
        ("object.metadata.name", "request.name + \"-0\""),
        ("object.metadata.?name", "optional.of(request.name + \"-0\")"),
        ("object.kind == \"Job\" ? [size(object)] : [2]", "[2]"),
        ("size(object) > 0 || object.kind == \"Pod\"", "true"),
        ("object.kind == \"Job\" && size(object) > 0", "false"),
        ("oldObject == null", "true"),
        ("null != oldObject || has(object.spec.a)", "has(object.spec.template.spec.a)"),
        ("object != null && oldObject == null", "object != null"),
        // What an author wrote stays.
        (
            "true || false ? \"a\" == \"b\" : optional.of(1).orValue(2) == 1",
            "true || false ? \"a\" == \"b\" : optional.of(1).orValue(2) == 1",
        ),
    ] {
        assert_eq!(rewritten(source), Ok(text.to_owned()), "{source}");
        let compiled = Program::compile(text, &env(), crate::cel::Expect::Any);
        assert!(compiled.is_ok(), "{text}: {compiled:?}");
    }
}

#[test]
fn says_what_can_not_be_replaced() {
    for (source, message) in [
        ("size(object) > 0", "object as a whole"),
        ("[object][0].spec", "object as a whole"),
        ("object.metadata.uid", "object.metadata.uid is not there"),
        ("object.metadata.uid.?a", "object.metadata.uid.?a is not there"),
        ("has(object.metadata.uid.a)", "object.metadata.uid.a is not there"),
        ("object.", "found '<EOF>'"),
        ("nothing", "undeclared reference to 'nothing'"),
    ] {
        let error = rewritten(source).expect_err(source);
        assert!(error.contains(message), "{source}: {error}");
    }
}

#[test]
fn text_is_replaced_where_it_is_said_and_nowhere_else() {
    for (source, text) in [
        ("\"spec.a: no\"", "\"spec.template.spec.a: no\""),
        ("\"spec.a[\" + string(1) + \"]\"", "\"spec.template.spec.a[\" + string(1) + \"]\""),
        (
            "\"spec.a\" == \"spec.b\" ? \"spec.c\" : \"x\"",
            "\"spec.a\" == \"spec.b\" ? \"spec.template.spec.c\" : \"x\"",
        ),
        (
            "[\"spec.a\", \"spec.b\"].join(\"spec\")",
            "[\"spec.template.spec.a\", \"spec.template.spec.b\"].join(\"spec\")",
        ),
        (
            "[1].transformList(i, x, \"spec\" != \"\", \"spec[\" + string(i) + \"]\").join()",
            "[1].transformList(i, x, \"spec\" != \"\", \"spec.template.spec[\" + string(i) + \"]\").join()",
        ),
        ("\"a\" + \"spec\"", "\"a\" + \"spec\""),
        ("[\"a\"] + [\"spec\"]", "[\"a\"] + [\"spec.template.spec\"]"),
        ("{\"spec\": \"spec\"}[\"spec\"]", "{\"spec\": \"spec.template.spec\"}[\"spec\"]"),
        ("\"spec\".startsWith(\"spec\")", "\"spec\".startsWith(\"spec\")"),
        ("\"spec\" in [\"spec\"]", "\"spec\" in [\"spec\"]"),
        (
            "optional.of(\"spec\").orValue(\"spec\")",
            "optional.of(\"spec.template.spec\").orValue(\"spec.template.spec\")",
        ),
        ("\"spec %s\".format([\"spec\"])", "\"spec.template.spec %s\".format([\"spec.template.spec\"])"),
        ("[\"spec\"].filter(x, x == \"spec\")", "[\"spec.template.spec\"].filter(x, x == \"spec\")"),
    ] {
        assert_eq!(rewritten(source), Ok(text.to_owned()), "{source}");
    }
}

#[test]
fn names_the_references_with_what_is_certain() {
    struct Seen(Vec<String>);
    impl Rewrite for Seen {
        fn reference(&mut self, reference: &Reference<'_>) -> Result<Replacement<'_>, String> {
            self.0.push(format!("{reference} {} {}", reference.certain, reference.test));
            Ok(Replacement::Same)
        }
    }
    let mut seen = Seen(Vec::new());
    let source = "has(object.a.b) && object.?x.y == variables.z && authorizer.requestResource.check(\"get\").allowed()";
    let env = Env { variables: vec![("z".to_owned(), Err("not compiled".to_owned()))], ..env() };
    rewrite(source, &env, &mut seen).expect("well typed");
    let names =
        ["object.a.b 2 true", "object.?x.?y 0 false", "variables.z 1 false", "authorizer.requestResource 0 false"];
    assert_eq!(seen.0, names);
}

#[test]
fn nested_choices_take_time_in_proportion() {
    let source = format!("{}true{}", "(object.spec.a && (object.spec.b || ".repeat(60), "))".repeat(60));
    assert_eq!(rewritten(&source).map(|text| text.matches("spec.template.spec").count()), Ok(120));
    let source = format!("{}true{}", "(".repeat(100), " ? object.spec.a : true)".repeat(100));
    assert!(rewritten(&source).is_ok());
}

#[test]
fn a_value_that_outgrows_the_tree_is_refused() {
    struct Huge<'a>(Value<'a>);
    impl Rewrite for Huge<'_> {
        fn reference(&mut self, _: &Reference<'_>) -> Result<Replacement<'_>, String> {
            Ok(Replacement::Value(self.0))
        }
    }
    let arena = Arena::new();
    let many = Value::Array(arena.alloc_slice_copy(&vec![Value::Int(1); 600_000]));
    let error = rewrite("object", &env(), &mut Huge(many)).expect_err("too many nodes");
    assert!(error.message.contains("node count"), "{error}");
}
