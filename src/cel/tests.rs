//! The language as a whole: source text in, value and cost out.

use std::time::{Duration, Instant};

use super::*;
use crate::cel::value::text::display;
use crate::json::{self, Arena};

fn env() -> Env {
    Env { minor: 37, params: true, ..Env::default() }
}

fn evaluate(source: &str) -> Result<(String, u64), String> {
    let program =
        Program::compile(source, &env(), Expect::Any).map_err(|error| format!("compile: {}", error.message))?;
    let arena = Arena::new();
    let container = |name, privileged| {
        let context = json::Object::new(&arena, &[("privileged", json::Value::Bool(privileged))]);
        json::Value::Object(json::Object::new(
            &arena,
            &[("name", json::Value::String(name)), ("securityContext", json::Value::Object(context))],
        ))
    };
    let containers = json::Value::Array(arena.alloc_slice_copy(&[container("a", false), container("b", true)]));
    let object =
        json::Value::Object(json::Object::new(&arena, &[("containers", containers), ("n", json::Value::Int(3))]));
    let inputs = Inputs { object, ..Inputs::default() };
    let mut evaluator = Evaluator::new(&arena, inputs, &[], cost::BINDING_BUDGET, None);
    match evaluator.evaluate(&program) {
        Ok(value) => Ok((display(&value), evaluator.cost())),
        Err(error) => Err(format!("runtime: {error}")),
    }
}

#[test]
fn evaluates_to_the_value_and_cost_of_upstream() {
    let table = [
        ("1 + 2 * 3", "7", 2),
        ("-(1) - -1", "0", 2),
        ("object.n", "3", 2),
        ("object.n == 3 ? 'a' : 'b'", "a", 3),
        ("has(object.n) && !has(object.m)", "true", 3),
        ("object.containers[1].name", "b", 4),
        ("object.containers.all(c, has(c.name))", "true", 2 + 2 * 4 + 1),
        ("object.containers.exists(c, c.securityContext.privileged)", "true", 2 + 2 * 7 + 1),
        ("object.containers.filter(c, c.securityContext.privileged).size()", "1", 2 + 2 * 3 + 13 + 1 + 1),
        ("object.containers.map(c, c.name)", "list", 2 + 2 * 14 + 1),
        ("object.n in [1, 2, 3]", "true", 2 + 3),
        ("'abc'.matches('^a.c$')", "true", 2),
        ("size('äöü')", "3", 1),
        ("{'a': 1}.a", "1", 2),
        ("object.?m.orValue('x')", "x", 3),
        ("[1, 2, 3].exists_one(x, x == 2)", "true", 9),
    ];
    for (source, value, _cost) in table {
        assert_eq!(evaluate(source).map(|(value, _)| value), Ok(value.to_owned()), "{source}");
    }
}

#[test]
fn tests_presence_behind_variables_and_optionals() {
    let mut env = env();
    let variable = Program::compile("object.containers[0]", &env, Expect::Any).unwrap();
    env.variables.push(("first".to_owned(), Ok(variable.into())));
    // An optional kept in a variable is not looked into: upstream finds no key in it.
    let variable = Program::compile("optional.of(object.containers[0])", &env, Expect::Any).unwrap();
    env.variables.push(("held".to_owned(), Ok(variable.into())));
    let table = [
        ("has(variables.first)", true),
        ("has(variables.first.name)", true),
        ("has(variables.first.image)", false),
        ("has(variables.first.securityContext.privileged)", true),
        ("has(variables.first.securityContext.procMount)", false),
        ("has(variables.first.?resources.limits)", false),
        ("has(variables.held.name)", false),
        ("variables.held.?name.hasValue()", false),
        ("variables.held.value().?name.hasValue()", true),
        ("has(optional.none().x)", false),
        ("has(optional.of({'x': 1}).x)", true),
        ("has(object.?missing.x)", false),
    ];
    let arena = Arena::new();
    let privileged = json::Object::new(&arena, &[("privileged", json::Value::Bool(false))]);
    let container = json::Object::new(
        &arena,
        &[("name", json::Value::String("a")), ("securityContext", json::Value::Object(privileged))],
    );
    let containers = json::Value::Array(arena.alloc_slice_copy(&[json::Value::Object(container)]));
    let object = json::Value::Object(json::Object::new(&arena, &[("containers", containers)]));
    for (source, expected) in table {
        let inputs = Inputs { object, ..Inputs::default() };
        let Ok(program) = Program::compile(source, &env, Expect::Bool) else { panic!("{source} compiles") };
        let mut evaluator = Evaluator::new(&arena, inputs, &env.variables, cost::BINDING_BUDGET, None);
        let value = evaluator.evaluate(&program).map(|value| matches!(value, Value::Bool(true)));
        assert_eq!(value, Ok(expected), "{source}");
    }
}

#[test]
fn rejects_what_is_not_an_expression_of_the_environment() {
    let table = [
        ("1 +", "Syntax error"),
        ("1 + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"),
        ("nonsense", "undeclared reference to 'nonsense' (in container '')"),
        ("[1, 'a']", "expected type 'int' but found 'string'"),
        ("[1, dyn(1)]", "expected type 'int' but found 'dyn'"),
        ("'%d'.format(['a'])", "decimal clause can only be used on integers, was given string"),
        ("'%s'.format([1, 2])", "too many arguments supplied to string.format (expected 1, got 2)"),
        ("request.nonsense", "undefined field 'nonsense'"),
        ("duration('x')", "invalid duration argument"),
        ("'a'.matches('(')", "invalid matches argument"),
        ("1.all(x, true)", "cannot be range of a comprehension"),
        ("if", "reserved identifier: if"),
        ("`a`", "token recognition error"),
    ];
    for (source, message) in table {
        let error = evaluate(source).expect_err(source);
        assert!(error.starts_with("compile: ") && error.contains(message), "{source}: {error}");
    }
}

#[test]
fn fails_at_run_time_as_upstream_does() {
    let table = [
        ("1 / int(object.containers.size() - 2)", "division by zero"),
        ("object.m", "no such key: m"),
        ("object.containers[7]", "index out of bounds: 7"),
        ("object.n.startsWith('a')", "no such overload"),
        ("9223372036854775807 + object.n", "integer overflow"),
        ("{'a': 1, 'b': 1}.transformMapEntry(k, v, {v: k})", "insert failed: key 1 already exists"),
        ("object.m || false", "no such key: m"),
    ];
    for (source, message) in table {
        assert_eq!(evaluate(source), Err(format!("runtime: {message}")), "{source}");
    }
}

#[test]
fn a_deciding_term_absorbs_the_errors_of_the_others() {
    for source in ["object.m || true", "true || object.m", "!(object.m && false)", "[0, 1].exists(x, 1 / x == 1)"] {
        assert_eq!(evaluate(source).map(|(value, _)| value), Ok("true".to_owned()), "{source}");
    }
}

#[test]
fn every_limit_of_the_parser_is_an_error_that_names_it() {
    let long = "a".repeat(MAX_SOURCE_CHARACTERS + 1);
    let sum = vec!["1"; 10_000].join("+");
    let parentheses = format!("{}1{}", "(".repeat(5_000), ")".repeat(5_000));
    let lists = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let members = format!("object{}", ".a".repeat(5_000));
    let ternaries = format!("{}1", "true ? 1 : ".repeat(5_000));
    let nots = format!("{}true", "!(".repeat(300));
    let copies = format!("object{}", ".optMap(x, [x])".repeat(60));
    for (source, limit) in [
        (long.as_str(), "expression code point size exceeds limit: size: 100001, limit 100000"),
        (&sum, "max recursion depth exceeded"),
        (&parentheses, "expression recursion limit exceeded: 250"),
        (&lists, "expression recursion limit exceeded: 250"),
        (&members, "max recursion depth exceeded"),
        (&ternaries, "expression recursion limit exceeded: 250"),
        (&nots, "expression recursion limit exceeded: 250"),
        (&copies, "expression node count exceeds limit: 500000"),
    ] {
        assert_eq!(evaluate(source), Err(format!("compile: {limit}")), "{}", &source[..20]);
    }
}

#[test]
fn the_highest_tree_is_evaluated_on_a_small_stack() {
    // Each link of the chain adds to the height of the tree; parentheses and lists add to other rules' depth.
    let chain = format!("{}1{}", "[".repeat(180), "][0]".repeat(180));
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || evaluate(&chain));
    assert_eq!(thread.unwrap().join().unwrap().map(|(value, _)| value), Ok("1".to_owned()));
}

#[test]
fn stops_at_the_cost_limit_before_it_runs_for_seconds() {
    let bits = "[0, 1]";
    let mut nested = "true".to_owned();
    for variable in 'a'..='x' {
        nested = format!("{bits}.all({variable}, {nested})");
    }
    assert_eq!(evaluate(&nested), Err("runtime: operation cancelled: actual cost limit exceeded".to_owned()));
}

#[test]
fn stops_comparisons_of_what_is_endless_because_it_holds_one_list_over_and_over() {
    let endless = format!("[[0, 0]]{}", ".map(x, [x, x])".repeat(40));
    let stopped = Err("runtime: operation cancelled: actual cost limit exceeded".to_owned());
    assert_eq!(evaluate(&format!("{endless} == {endless}")), stopped);
    assert_eq!(evaluate("[[1], [2]] == [[1], [2]]"), Ok(("true".to_owned(), 1)), "the next evaluation counts anew");
}

#[test]
fn stops_at_the_deadline() {
    let source = format!("[{}].all(a, object.containers.all(b, a != 'x'))", vec!["1"; 2_000].join(","));
    let program = Program::compile(&source.replace("'x'", "-1"), &env(), Expect::Bool).unwrap();
    let arena = Arena::new();
    let inputs = Inputs::default();
    let deadline = Instant::now().checked_sub(Duration::from_millis(1)).unwrap();
    let mut evaluator = Evaluator::new(&arena, inputs, &[], cost::BINDING_BUDGET, Some(deadline));
    assert_eq!(evaluator.evaluate(&program).unwrap_err(), Error::Cancelled(Limit::Deadline));
}
