//! What is changed, and what is left alone.

use super::*;
use crate::cel::Env;

fn env() -> Env {
    Env { minor: 36, params: true, authorizer: true, patch_types: true, ..Env::default() }
}

/// Each change as `operator/ordinal text`.
fn changes(source: &str) -> Vec<String> {
    let mutants = mutants(source, &env(), false).expect("the expression compiles");
    mutants.iter().map(|m| format!("{}/{} {}", m.operator.name(), m.ordinal, m.source)).collect()
}

#[test]
fn changes_one_thing_at_a_time() {
    let cases: &[(&str, &[&str])] = &[
        ("object.a == params.b", &["comparison/1 object.a != params.b"]),
        ("object.a < params.b", &["comparison/1 object.a >= params.b", "comparison/2 object.a <= params.b"]),
        ("object.a > 5", &["comparison/1 object.a <= 5", "constant/1 object.a > 6", "constant/2 object.a > 4"]),
        ("object.a in params.b", &["comparison/1 !(object.a in params.b)"]),
        ("!(object.a in params.b)", &["comparison/1 object.a in params.b"]),
        ("has(object.a)", &["comparison/1 !has(object.a)"]),
        ("!has(object.a)", &["comparison/1 has(object.a)"]),
        (
            "object.a.startsWith(\"b\")",
            &["comparison/1 !object.a.startsWith(\"b\")", "constant/1 object.a.startsWith(\"b~x\")"],
        ),
        (
            "object.a.all(x, x == params.b)",
            &["quantifier/1 object.a.exists(x, x == params.b)", "comparison/1 object.a.all(x, x != params.b)"],
        ),
        (
            "object.a.exists_one(x, has(x.b))",
            &["quantifier/1 object.a.exists(x, has(x.b))", "comparison/1 object.a.exists_one(x, !has(x.b))"],
        ),
        (
            "has(object.a) && has(object.b) || has(object.c)",
            &[
                "conjunct/1 has(object.b) || has(object.c)",
                "disjunct/1 has(object.c)",
                "comparison/1 !has(object.a) && has(object.b) || has(object.c)",
                "conjunct/2 has(object.a) || has(object.c)",
                "comparison/2 has(object.a) && !has(object.b) || has(object.c)",
                "disjunct/2 has(object.a) && has(object.b)",
                "comparison/3 has(object.a) && has(object.b) || !has(object.c)",
            ],
        ),
        ("object.a && params.b", &["conjunct/1 params.b && true", "conjunct/2 object.a && true"]),
        ("object.a ? params.b : params.c", &["condition/1 params.b", "condition/2 params.c"]),
        (
            "object.a.filter(x, has(x.b))",
            &["condition/1 object.a.filter(x, true)", "comparison/1 object.a.filter(x, !has(x.b))"],
        ),
        (
            "object.a.map(x, has(x.b), x.b)",
            &["condition/1 object.a.map(x, true, x.b)", "comparison/1 object.a.map(x, !has(x.b), x.b)"],
        ),
        (
            "object.a.transformList(i, x, has(x.b), x.b)",
            &[
                "condition/1 object.a.transformList(i, x, true, x.b)",
                "comparison/1 object.a.transformList(i, x, !has(x.b), x.b)",
            ],
        ),
        (
            "object.a.?b.orValue([]) + [params.b] + [params.c]",
            &[
                "list/1 [params.b] + [params.c]",
                "list/2 object.a.?b.orValue([]) + [params.c]",
                "list/3 object.a.?b.orValue([]) + [params.b]",
            ],
        ),
        (
            "object.a in [\"b\", \"c\"]",
            &[
                "comparison/1 !(object.a in [\"b\", \"c\"])",
                "element/1 object.a in [\"c\"]",
                "element/2 object.a in [\"b\"]",
            ],
        ),
        ("object.a in [\"b\"]", &["comparison/1 !(object.a in [\"b\"])", "constant/1 object.a in [\"b~x\"]"]),
        (
            "{\"a\": params.b, \"c\": 1.5}",
            &[
                "element/1 {\"c\": 1.5}",
                "constant/1 {\"a~x\": params.b, \"c\": 1.5}",
                "element/2 {\"a\": params.b}",
                "constant/2 {\"a\": params.b, \"c~x\": 1.5}",
                "constant/3 {\"a\": params.b, \"c\": 2.5}",
            ],
        ),
        (
            "JSONPatch{op: \"remove\", path: \"/a\"}",
            &[
                "element/1 JSONPatch{path: \"/a\"}",
                "constant/1 JSONPatch{op: \"remove~x\", path: \"/a\"}",
                "element/2 JSONPatch{op: \"remove\"}",
                "constant/2 JSONPatch{op: \"remove\", path: \"/a~x\"}",
            ],
        ),
        ("object.?a.optMap(x, x + 1)", &["constant/1 object.?a.optMap(x, x + 2)"]),
        ("object.a.sortBy(x, x.b == params.c)", &["comparison/1 object.a.sortBy(x, x.b != params.c)"]),
        (
            "object.a[?\"b\"].orValue(false)",
            &[
                "comparison/1 !object.a[?\"b\"].orValue(false)",
                "constant/1 object.a[?\"b~x\"].orValue(false)",
                "constant/2 object.a[?\"b\"].orValue(true)",
            ],
        ),
    ];
    for (source, expected) in cases {
        let mut found = changes(source);
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{source}");
    }
}

#[test]
fn leaves_alone_what_makes_no_difference_by_its_form() {
    for source in [
        "1 == 1",
        "[params.a].map(x, x)",
        "object.a.?b.orValue([])",
        "\"spec.a: write b\" + string(object.a)",
        "[\"a b\"].join(\"; \")",
        "object.a.map(x, \"\\\"\" + x + \"\\\" is wrong\")",
        "null",
    ] {
        let found: Vec<_> = changes(source).into_iter().filter(|found| !found.starts_with("disjunct")).collect();
        assert_eq!(found, [""; 0], "{source}");
    }
    let one = changes("[params.a].all(x, x == params.b)");
    assert_eq!(one, ["comparison/1 [params.a].all(x, x != params.b)"]);
    // A default that compares like the other one.
    assert_eq!(changes("object.?a.orValue(\"c\") == \"b\"").len(), 2);
    assert_eq!(changes("object.?a.orValue(\"c\").matches(\"^b$\")").len(), 2);
    assert_eq!(changes("object.?a.orValue(5) > 7").len(), 3);
    assert_eq!(changes("object.?a.orValue(\"c\") == params.b").len(), 2);
    assert_eq!(changes("object.?a.orValue(\"b\") == \"b\"").len(), 3);
    assert_eq!(changes("object.?a.orValue(\"\") == params.b").len(), 1);
}

#[test]
fn whole_conditions_become_true() {
    let found = mutants("has(object.a)", &env(), true).expect("the expression compiles");
    assert_eq!(found.iter().map(|m| m.source.as_str()).collect::<Vec<_>>(), ["true", "!has(object.a)"]);
}

#[test]
fn a_name_counts_what_is_alike_in_its_own_expression() {
    let found = mutants("object.a == 1 && object.b == 2", &env(), false).expect("the expression compiles");
    let names: Vec<_> = found.iter().map(|m| (m.operator.name(), m.ordinal, m.place)).collect();
    assert_eq!(
        names,
        [
            ("conjunct", 1, (1, 10)),
            ("comparison", 1, (1, 10)),
            ("constant", 1, (1, 13)),
            ("conjunct", 2, (1, 27)),
            ("comparison", 2, (1, 27)),
            ("constant", 2, (1, 30)),
        ]
    );
}

#[test]
fn an_expression_with_too_many_changes_is_refused() {
    let found = |source: &str| mutants(source, &env(), false).map(|found| found.len()).map_err(|error| error.message);
    let list = |count: usize| {
        let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
        format!("object.a in [{}]", numbers.join(", "))
    };
    let told = Err("too large for mutants (limit 2000): split it into variables".to_owned());
    assert_eq!(found(&list(500)), Ok(501));
    // Too many copies of a long list, and too many changes.
    assert_eq!(found(&list(1_500)), told);
    assert_eq!(found(&format!("[{}]", vec!["object.a < 1"; 700].join(", "))), told);
    // To drop one of those that are alike is one change.
    assert_eq!(found(&vec!["object.a == params.b"; 200].join(" && ")), Ok(201));
    assert_eq!(found(&vec!["[object.a]"; 200].join(" + ")), Ok(1));
}
