use super::*;
use crate::harness::text::samples;
use crate::policy::{self, Libraries};

const FILE: &str = "images/policy.yaml";

/// A coverage of the policy with these fields of its spec, loaded with probes.
fn coverage(spec: &str) -> Coverage {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\nspec:\n  \
         matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: ['*'], resources: [pods]}}]}}\n\
         {spec}"
    );
    let manifests = [Manifest::new(FILE, text)];
    let libraries = Libraries::of_stored_expressions(36).with_probes(true);
    let loaded = policy::load_with(&manifests, libraries);
    // A policy without a binding is a mistake elsewhere.
    let policy = loaded.policies.first().expect("the policy is loaded");
    assert_eq!(policy.compile_error, None);
    let mut coverage = Coverage::default();
    coverage.declare(policy, &manifests);
    coverage
}

/// The coverage of one expression.
fn expression(coverage: &Coverage, label: &str) -> ExpressionCoverage {
    let report = coverage.report();
    let found = report.iter().flat_map(|policy| &policy.expressions).find(|e| e.label.starts_with(label));
    found.expect("the expression is declared").clone()
}

#[test]
fn names_what_no_case_has_shown() {
    use Outcome::{Error, False, True, Unchanged, Value};
    use Place::{AuditAnnotation, MatchCondition, MessageExpression, Mutation, Validation, Variable};
    let cases: &[(Place, &[Outcome], &[&str])] = &[
        (MatchCondition(0), &[], &["never evaluated"]),
        (MatchCondition(0), &[True], &["never false"]),
        (MatchCondition(0), &[True, False], &[]),
        (Validation(0), &[False], &["never true"]),
        (Validation(0), &[Error], &["never true", "never false"]),
        (Variable(0), &[True], &[]),
        (Variable(0), &[Value], &[]),
        (Variable(0), &[Error], &["only ever failed"]),
        (MessageExpression(0), &[Value, Error], &[]),
        (AuditAnnotation(0), &[], &["never evaluated"]),
        (Mutation(0), &[Unchanged], &["never changed anything"]),
        (Mutation(0), &[Unchanged, Value], &[]),
    ];
    for (place, outcomes, missing) in cases {
        let what = What::Expression(*place);
        let declared = vec![Expression { what, label: "e".to_owned(), fixed: None, at: (1, 1), sites: Vec::new() }];
        let key = (FILE.to_owned(), "p".to_owned());
        let files = BTreeMap::from([("p".to_owned(), FILE.to_owned())]);
        let coverage = Coverage { declared: BTreeMap::from([(key, declared)]), files, ..Coverage::default() };
        for outcome in *outcomes {
            coverage.evaluated("p", *place, *outcome);
        }
        assert_eq!(expression(&coverage, "e").missing, *missing, "{place:?} {outcomes:?}");
    }
}

#[test]
fn wants_each_side_of_what_decides() {
    let both = |part: &str| format!("{part}: true, false");
    let cases: &[(&str, &[String])] = &[
        ("has(object.a)", &[]),
        ("has(object.a) && object.b == 1", &[both("has(object.a)"), both("object.b == 1")]),
        ("!(has(object.a) || !has(object.b))", &[both("has(object.a)"), both("has(object.b)")]),
        // A condition, and the sides that decide; a side that is none is evaluated where the condition is.
        ("has(object.a) ? object.a > 1 : true", &[both("has(object.a)"), both("object.a > 1")]),
        ("(has(object.a) ? object.a : 1) == 1", &[both("has(object.a)")]),
        ("object.l.all(c, has(c.a))", &[both("has(c.a)")]),
        ("!object.l.exists(c, c.a || c.b)", &[both("c.a"), both("c.b")]),
        ("object.l.exists_one(c, c.a == 1)", &[both("c.a == 1")]),
        ("object.l.filter(c, has(c.a)) == []", &[both("has(c.a)")]),
        ("object.l.map(c, has(c.a), c.a) == []", &[both("has(c.a)")]),
        ("object.l.map(c, c.a) == []", &["c.a: evaluated".to_owned()]),
        ("object.l.transformMap(k, v, v > 1, v).size() == 0", &[both("v > 1")]),
        ("object.?a.optMap(a, a > 1).orValue(false)", &[both("object.?a.hasValue()")]),
        // What is constant by its form has one side.
        ("has(object.a) || true", &[both("has(object.a)")]),
        ("false || has(object.a)", &[both("has(object.a)")]),
        ("true || has(object.a)", &[]),
        ("has(object.a) && 1 == 1", &[both("has(object.a)")]),
        ("true ? has(object.a) : has(object.b)", &[both("has(object.a)")]),
        ("[?object.?a] == []", &["object.?a: present, absent".to_owned()]),
    ];
    for (text, wanted) in cases {
        let coverage = coverage(&format!("validations:\n- expression: |\n    {text}\n"));
        let found: Vec<_> = expression(&coverage, "validations[0]")
            .branches
            .iter()
            .map(|branch| {
                let sides: Vec<_> = branch.sides.iter().map(|side| side.name).collect();
                format!("{}: {}", branch.expression, sides.join(", "))
            })
            .collect();
        assert_eq!(found, *wanted, "{text}");
    }
}

#[test]
fn places_branches_in_the_file() {
    let coverage = coverage(
        "variables:\n- {name: v, expression: \"has(object.a) ? 1 : 2\"}\nvalidations:\n- expression: >-\n    object.b == 1\n    || (object.c == 1\n      && object.d == 1)\n",
    );
    let places = |label| -> Vec<_> {
        expression(&coverage, label).branches.iter().map(|branch| (branch.line, branch.column)).collect()
    };
    assert_eq!(places("variables[0]"), [(7, 28)]);
    assert_eq!(places("validations[0]"), [(10, 7), (11, 11), (12, 12)]);
    let whole = expression(&coverage, "validations[0]");
    assert_eq!((whole.line, whole.column), (10, 7));
}

#[test]
fn counts_in_percent() {
    let coverage =
        coverage("validations:\n- expression: has(object.a) && has(object.b)\n- expression: has(object.c)\n");
    assert_eq!(percent(&coverage.report()), 0.0);
    coverage.evaluated("p", Place::Validation(0), Outcome::True);
    coverage.part("p", Place::Validation(0), 1, Outcome::True);
    coverage.evaluated("p", Place::Validation(1), Outcome::True);
    coverage.evaluated("p", Place::Validation(1), Outcome::False);
    // Four of two for each validation, and two for each of the parts of the first.
    assert_eq!(percent(&coverage.report()), 50.0);
    assert_eq!(percent(&[]), 100.0);
}

#[test]
fn what_is_always_true_need_not_be_false() {
    for (text, outcome) in [("has(object.a) || true", Outcome::True), ("false && has(object.a)", Outcome::False)] {
        let coverage = coverage(&format!("validations:\n- expression: {text}\n"));
        assert_eq!(expression(&coverage, "validations[0]").missing, ["never evaluated"]);
        coverage.evaluated("p", Place::Validation(0), outcome);
        assert_eq!(expression(&coverage, "validations[0]").missing, [""; 0], "{text}");
    }
}

#[test]
fn other_policies_do_not_count() {
    let coverage = coverage("validations:\n- expression: has(object.a)\n");
    coverage.evaluated("other", Place::Validation(0), Outcome::True);
    assert_eq!(percent(&coverage.report()), 0.0);
}

#[test]
fn lcov_reads_back() {
    let mut out = Vec::new();
    lcov::render(&samples::coverage(), &mut out).expect("memory takes everything");
    let text = String::from_utf8(out).expect("UTF-8");
    let mut files = 0;
    let (mut branches, mut lines) = (Vec::new(), Vec::new());
    let mut totals = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let numbers = || -> Vec<Option<u64>> { value.split(',').map(|number| number.parse().ok()).collect() };
        match key {
            "TN" => assert_eq!(value, ""),
            "SF" => assert_eq!(value, "images/policy.yaml"),
            "BRDA" => branches.push(numbers()),
            "DA" => lines.push(numbers()),
            "BRF" | "BRH" | "LF" | "LH" => drop(totals.insert(key, value.parse::<usize>().expect("a number"))),
            "end_of_record" => files += 1,
            other => panic!("no key of LCOV: {other}"),
        }
    }
    assert_eq!(files, 1);
    let number = Some;
    assert_eq!(lines, [vec![number(9), number(4)], vec![number(14), number(4)]]);
    // Line, block, branch, how often; the last branch was never evaluated.
    let of_line_14 = [[14, 0, 0], [14, 0, 1], [14, 1, 2], [14, 1, 3], [14, 2, 4], [14, 2, 5], [14, 3, 6], [14, 3, 7]];
    let found: Vec<_> = branches.iter().filter(|branch| branch[0] == number(14)).collect();
    for (found, wanted) in found.iter().zip(of_line_14) {
        assert_eq!(found[..3], wanted.map(number), "{text}");
    }
    let counts: Vec<_> = found.iter().map(|branch| branch[3]).collect();
    assert_eq!(counts, [Some(3), Some(0), Some(1), Some(3), Some(2), Some(0), None, None]);
    let taken = branches.iter().filter(|branch| branch[3].is_some_and(|count| count > 0)).count();
    assert_eq!(totals, BTreeMap::from([("BRF", branches.len()), ("BRH", taken), ("LF", 2), ("LH", 2)]));
}

/// The rules of Cobertura's document type: for each element the elements that it holds, in order, and the attributes that
/// it has to have.
const DOCUMENT_TYPE: &[(&str, &[&str], &[&str])] = &[
    (
        "coverage",
        &["sources", "packages"],
        &[
            "line-rate",
            "branch-rate",
            "lines-covered",
            "lines-valid",
            "branches-covered",
            "branches-valid",
            "complexity",
            "version",
            "timestamp",
        ],
    ),
    ("sources", &["source"], &[]),
    ("source", &[], &[]),
    ("packages", &["package"], &[]),
    ("package", &["classes"], &["name", "line-rate", "branch-rate", "complexity"]),
    ("classes", &["class"], &[]),
    ("class", &["methods", "lines"], &["name", "filename", "line-rate", "branch-rate", "complexity"]),
    ("methods", &[], &[]),
    ("lines", &["line"], &[]),
    ("line", &[], &["number", "hits"]),
];

#[test]
fn cobertura_follows_its_document_type() {
    let mut policies = samples::coverage();
    policies.push(PolicyCoverage { file: "a<&\">/b.yaml".to_owned(), ..policies[0].clone() });
    let mut out = Vec::new();
    cobertura::render(&policies, std::time::UNIX_EPOCH, &mut out).expect("memory takes everything");
    let text = String::from_utf8(out).expect("UTF-8");
    // The text is ours: a tag or two a line, attributes in double quotes.
    let mut open: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut ended: Vec<(&str, Vec<&str>)> = Vec::new();
    for tag in text.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '!'])) {
        let tag = tag.split('>').next().expect("a tag ends");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().expect("a tag has a name");
        if tag.starts_with('/') {
            let element = open.pop().expect("an element that ends has begun");
            assert_eq!(element.0, name);
            ended.push(element);
            continue;
        }
        let (_, _, attributes) =
            DOCUMENT_TYPE.iter().find(|(known, ..)| *known == name).expect("an element of the document type");
        for attribute in *attributes {
            assert!(tag.contains(&format!(" {attribute}=\"")), "{name} lacks {attribute}: {tag}");
        }
        if let Some((_, children)) = open.last_mut() {
            children.push(name);
        }
        match tag.ends_with('/') {
            true => ended.push((name, Vec::new())),
            false => open.push((name, Vec::new())),
        }
    }
    assert!(open.is_empty() && ended.len() > 10, "{text}");
    for (name, mut children) in ended {
        let (_, allowed, _) = DOCUMENT_TYPE.iter().find(|(known, ..)| *known == name).expect("it was found before");
        children.dedup();
        assert_eq!(children, *allowed, "{name}");
    }
    assert!(text.contains("condition-coverage=\"50% (4/8)\""), "{text}");
    assert!(text.contains("filename=\"a&lt;&amp;&quot;&gt;/b.yaml\""), "{text}");
}
