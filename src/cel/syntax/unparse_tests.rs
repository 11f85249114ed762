//! What is written parses to the tree that it was written from.

use super::ast::{Expr, Kind, Literal};
use super::parser::parse;
use super::unparse::unparse;

const MINOR: u32 = 37;

/// The text of what `source` parses to, which has to parse to the same tree again.
fn rewritten(source: &str) -> String {
    let tree = parse(source, MINOR).unwrap_or_else(|error| panic!("{source}: {}", error.message)).expr;
    let text = unparse(&tree).unwrap_or_else(|| panic!("{source} can't be written"));
    let again = parse(&text, MINOR).unwrap_or_else(|error| panic!("{source} as {text}: {}", error.message)).expr;
    assert_eq!(again, tree, "{source} as {text}");
    text
}

#[test]
fn keeps_what_is_written_in_the_usual_form() {
    for source in [
        "null",
        "true && !false",
        "-1 - -1",
        "-(1)",
        "-x",
        "-(-x)",
        "-(-1)",
        "-(1.size())",
        "(-1).size()",
        "!(-x)",
        "!(!x)",
        "9223372036854775807",
        "-9223372036854775808",
        "18446744073709551615u",
        "1.0 + 1e21 + -0.0 + 5e-324",
        "a || b && c || d",
        "(a || b) && c",
        "a || (b || c)",
        "(a && b) && c",
        "a - (b - c) - d",
        "a * (b + c) % d / e",
        "a + b * c",
        "(a + b) * c",
        "a < b == c",
        "a == (b < c)",
        "a in [b, c]",
        "a ? b : c ? d : e",
        "a ? (b ? c : d) : e",
        "(a ? b : c) ? d : e",
        "(a ? b : c).d",
        "a.b.c[0]['x'][y].?d[?e].?f",
        "has(a.b) && has(a.b.c.d)",
        "a.?b.orValue([])",
        "f(a, b).g(c)",
        ".a.b",
        "optional.of(a)",
        "[a, ?b, c]",
        "{a: b, ?c: d, e ? f : g: h}",
        "Object{spec: Object.spec{?a: b, c: [d]}}",
        "Object.spec{}",
        "JSONPatch{op: \"add\", path: \"/a\", value: {}}.op",
        "a.all(x, x.b)",
        "a.all(i, x, x.b && i > 0)",
        "a.exists(x, x || y)",
        "a.exists_one(x, x)",
        "a.map(x, x + 1)",
        "a.map(x, x > 0, x + 1)",
        "a.map(x, x ? y : z)",
        "a.filter(x, x > 0)",
        "a.transformList(i, x, x + i)",
        "a.transformList(i, x, i > 0, x + i)",
        "a.transformMap(k, v, v)",
        "a.transformMap(k, v, k == \"x\", v)",
        "a.transformMapEntry(k, v, {v: k})",
        "a.transformMapEntry(k, v, k == \"x\", {v: k})",
        "a.optMap(x, x + 1)",
        "a.?b.optFlatMap(x, x.?c).orValue(d)",
        "a.optMap(x, x.optMap(y, y))",
        "a.sortBy(x, x.name)",
        "a.filter(x, x).map(x, x.all(y, y)).sortBy(x, -x)",
        "a.hasValue() ? optional.of(b.sortBy(x, x)) : optional.none()",
        "a.hasValue() ? optional.of(b) : optional.none()",
        "\"a\\\\b\\n\\t\\u0007\"",
        "'say \"a\"'",
        "\"it's \\\"a\\\"\"",
        "b\"a\\x00\\xff\\x22\"",
    ] {
        assert_eq!(rewritten(source).replace('\'', "\""), source.replace('\'', "\""));
    }
}

#[test]
fn writes_one_form_of_what_has_several() {
    for (source, text) in [
        ("((a))", "a"),
        ("a||b", "a || b"),
        ("--a", "a"),
        ("!!!a", "!a"),
        ("0x1F", "31"),
        (".5", "0.5"),
        ("r'\\S+'", "\"\\\\S+\""),
        ("'''a\nb'''", "\"a\\nb\""),
        ("'\\x41\\101\\u0041'", "\"AAA\""),
        ("br'\\x'", "b\"\\x5cx\""),
        ("[a,]", "[a]"),
        ("a // b\n + c", "a + c"),
        ("a.existsOne(i, x, x)", "a.exists_one(i, x, x)"),
        ("a.map(x, x > 0, x)", "a.filter(x, x > 0)"),
    ] {
        assert_eq!(rewritten(source), text, "{source}");
    }
}

#[test]
fn writes_every_character_of_a_string() {
    for char in (0..=0x2100).chain([0xfeff, 0xfffd, 0x1f600]).filter_map(char::from_u32) {
        let tree = parse("x", MINOR).expect("a name").expr;
        let tree = Expr { kind: Kind::Literal(Literal::String(format!("a{char}b"))), ..tree };
        let text = unparse(&tree).expect("a string");
        assert_eq!(parse(&text, MINOR).expect("a literal").expr, tree, "{text}");
    }
    for byte in 0..=255 {
        let tree = parse("x", MINOR).expect("a name").expr;
        let tree = Expr { kind: Kind::Literal(Literal::Bytes(vec![byte])), ..tree };
        let text = unparse(&tree).expect("bytes");
        assert_eq!(parse(&text, MINOR).expect("a literal").expr, tree, "{text}");
    }
}

#[test]
fn refuses_trees_that_no_text_has() {
    let tree = parse("a && b", MINOR).expect("an expression").expr;
    for function in ["@not_strictly_false", "cel.@mapInsert", "_+_"] {
        let kind = Kind::Call { function: function.to_owned(), target: None, args: vec![tree.clone()] };
        assert_eq!(unparse(&Expr { kind, ..tree.clone() }), None, "{function}");
    }
}

#[test]
fn writes_chains_and_nestings_up_to_the_limits() {
    for source in [
        vec!["a"; 200].join(" + "),
        vec!["a"; 5000].join(" || "),
        format!("{}a{}", "(1 - ".repeat(120), ")".repeat(120)),
        format!("a{}", ".b".repeat(200)),
        format!("{}a{}", "[".repeat(120), "]".repeat(120)),
    ] {
        // The innermost parentheses of a name are the only ones that it can do without.
        assert!(rewritten(&source).len() + 2 >= source.len());
    }
}
