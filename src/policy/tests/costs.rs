//! Lint: what costs more than a tenth of its limit on objects of usual size.

use super::MINOR;
use crate::cel::cost::{BINDING_BUDGET, EXPRESSION_LIMIT, MATCH_CONDITIONS_BUDGET};
use crate::policy::{Lint, Manifest, lint};

/// A bound policy of a type about `resources` of any group, with the rest of its spec.
fn policy(of: &str, resources: &str, spec: &str) -> String {
    let (actions, required) = match of {
        "Validating" => (", validationActions: [Deny]", ""),
        _ => ("", "\n  failurePolicy: Fail\n  reinvocationPolicy: Never"),
    };
    format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: {of}AdmissionPolicy\nmetadata: {{name: p}}\nspec:\n  \
         matchConstraints:\n    resourceRules: [{{apiGroups: ['*'], apiVersions: ['*'], operations: [CREATE, UPDATE], \
         resources: [{resources}]}}]{required}\n{spec}\n---\napiVersion: admissionregistration.k8s.io/v1\n\
         kind: {of}AdmissionPolicyBinding\nmetadata: {{name: p}}\nspec: {{policyName: p{actions}}}\n"
    )
}

fn validating(resources: &str, spec: &str) -> String {
    policy("Validating", resources, spec)
}

fn found(text: String) -> Vec<Lint> {
    let mut found = lint(&[Manifest::new("test.yaml", text)], &[], MINOR);
    found.retain(Lint::is_finding);
    found
}

/// The fields of warnings, with their messages.
fn warnings(text: String) -> Vec<(String, String)> {
    let warning = |finding| match finding {
        Lint::Warning { field, message, .. } => (field, message),
        other => panic!("a warning: {other}"),
    };
    found(text).into_iter().map(warning).collect()
}

fn fields(text: String) -> Vec<String> {
    warnings(text).into_iter().map(|(field, _)| field).collect()
}

/// An expression that costs some more than six for each of `steps` squared.
fn loops(steps: u32) -> String {
    format!("lists.range({steps}).all(i, lists.range({steps}).all(j, i + j >= 0))")
}

/// An operation that changes nothing.
const TEST: &str = "JSONPatch{op: 'test', path: '/kind', value: 'Pod'}";

/// Costs less than a tenth of an expression's limit, more than that, and more than the limit.
const CHEAP: u32 = 100;
const DEAR: u32 = 150;
const TOO_DEAR: u32 = 600;

#[test]
fn warns_of_each_expression_that_costs_more_than_a_tenth_of_its_limit() {
    let validation = |rest: &str| format!("  validations: [{{expression: {rest}}}]");
    let cases = |steps: u32| {
        let dear = loops(steps);
        [
            (validating("pods", &validation(&format!("\"{dear}\""))), "spec.validations[0].expression"),
            (
                validating("pods", &validation(&format!("'true', messageExpression: \"string({dear})\""))),
                "spec.validations[0].messageExpression",
            ),
            (
                validating(
                    "pods",
                    &format!(
                        "  validations: [{{expression: 'true'}}]\n  matchConditions: [{{name: c, expression: \"{dear}\"}}]"
                    ),
                ),
                "spec.matchConditions[0].expression",
            ),
            (
                validating(
                    "pods",
                    &format!("  variables: [{{name: v, expression: \"{dear}\"}}]\n{}", validation("variables.v")),
                ),
                "spec.variables[0].expression",
            ),
            (
                validating("pods", &format!("  auditAnnotations: [{{key: k, valueExpression: \"string({dear})\"}}]")),
                "spec.auditAnnotations[0].valueExpression",
            ),
            (
                policy(
                    "Mutating",
                    "pods",
                    &format!(
                        "  mutations: [{{patchType: JSONPatch, jsonPatch: {{expression: \"{dear} ? [{TEST}] : []\"}}}}]"
                    ),
                ),
                "spec.mutations[0].jsonPatch.expression",
            ),
            (
                policy(
                    "Mutating",
                    "pods",
                    &format!(
                        "  mutations: [{{patchType: ApplyConfiguration, applyConfiguration: {{expression: \"{dear} ? Object{{}} : Object{{}}\"}}}}]"
                    ),
                ),
                "spec.mutations[0].applyConfiguration.expression",
            ),
        ]
    };
    for (text, field) in cases(CHEAP) {
        assert_eq!(warnings(text), [], "{field}");
    }
    for (text, field) in cases(DEAR) {
        let found = warnings(text);
        let [(at, message)] = found.as_slice() else { panic!("{field}: one warning: {found:#?}") };
        assert_eq!(at, field);
        assert!(message.contains("on a Pod of usual size, of 1000000 that an expression may cost"), "{message}");
        let cost: u64 = message.split(' ').nth(1).unwrap().parse().unwrap();
        assert!(cost > EXPRESSION_LIMIT / 10 && cost <= EXPRESSION_LIMIT, "{message}");
    }
    for (text, field) in cases(TOO_DEAR) {
        let found = warnings(text);
        let (at, message) = found.first().unwrap_or_else(|| panic!("{field}: a warning"));
        assert_eq!(at, field);
        assert!(message.starts_with("costs more than the 1000000 that an expression may cost on a Pod"), "{message}");
    }
}

#[test]
fn warns_of_expressions_that_together_cost_more_than_a_tenth_of_their_budget() {
    let many = |count: usize, entry: &str| vec![format!("{{{entry}}}"); count].join(", ");
    let cheap = loops(CHEAP);
    let conditions = |count: usize| {
        let each = (0..count).map(|at| format!("{{name: c{at}, expression: \"{cheap}\"}}")).collect::<Vec<_>>();
        format!("  validations: [{{expression: 'true'}}]\n  matchConditions: [{}]", each.join(", "))
    };
    let validations = |count| format!("  validations: [{}]", many(count, &format!("expression: \"{cheap}\"")));
    let annotations = |count: usize| {
        let each = (0..count).map(|at| format!("{{key: k{at}, valueExpression: \"string({cheap})\"}}"));
        format!("  auditAnnotations: [{}]", each.collect::<Vec<_>>().join(", "))
    };
    type Write<'w> = &'w dyn Fn(usize) -> String;
    let cases: [(Write<'_>, &str, u64, usize); 3] = [
        (&conditions, "spec.matchConditions", MATCH_CONDITIONS_BUDGET, 4),
        (&validations, "spec.validations", BINDING_BUDGET, 13),
        (&annotations, "spec.auditAnnotations", BINDING_BUDGET, 13),
    ];
    for (list, field, budget, first) in cases {
        assert_eq!(warnings(validating("pods", &list(first - 1))), [], "{field}");
        let found = warnings(validating("pods", &list(first)));
        let [(at, message)] = found.as_slice() else { panic!("{field}: one warning: {found:#?}") };
        let says = format!("on a Pod of usual size, of {budget} that all expressions of the list");
        assert!(at == field && message.contains(&says), "{at}: {message}");
    }
    let variables: Vec<_> = (0..16).map(|at| format!("{{name: v{at}, expression: \"{cheap}\"}}")).collect();
    let all: Vec<_> = (0..16).map(|at| format!("variables.v{at}")).collect();
    let mutation = format!(
        "  variables: [{}]\n  mutations: [{{patchType: JSONPatch, jsonPatch: {{expression: \"{} ? [{TEST}] : []\"}}}}]",
        variables.join(", "),
        all.join(" && ")
    );
    let found = warnings(policy("Mutating", "pods", &mutation));
    let [(field, message)] = found.as_slice() else { panic!("one warning: {found:#?}") };
    assert_eq!(field, "spec.mutations");
    assert!(message.contains("of 10000000 that one mutation, with the variables that it reads, may cost"), "{message}");
}

#[test]
fn a_warning_names_the_line_and_what_to_write() {
    let text = validating("pods", &format!("  validations:\n  - message: x\n    expression: \"{}\"", loops(DEAR)));
    let line = text.lines().position(|line| line.contains("lists.range")).unwrap() + 1;
    let found = found(text);
    let [finding] = found.as_slice() else { panic!("one finding: {found:#?}") };
    assert_eq!(finding.at().line, line);
    let text = finding.to_string();
    assert!(text.starts_with(&format!("test.yaml:{line}: ")), "{text}");
    assert!(text.contains("ValidatingAdmissionPolicy/p: spec.validations[0].expression: costs "), "{text}");
    assert!(text.contains("compute what no element changes once, in a variable"), "{text}");
}

#[test]
fn counts_what_the_objects_cost_that_a_policy_names() {
    // Every pair of environment variables of every pair of containers, thrice.
    let template = |pod: &str| {
        let each = format!("object.{pod}.containers");
        format!(
            "  validations: [{{expression: \"{each}.all(a, a.env.all(x, {each}.all(b, b.env.all(y, {each}.all(c, c.env.all(z, \
             [x, y, z].map(e, e.name).all(n, n != '')))))))\"}}]"
        )
    };
    let pod = template("spec");
    let workload = template("spec.template.spec");
    for (resources, spec, kind) in [
        ("pods", &pod, Some("Pod")),
        ("'*'", &pod, Some("Pod")),
        ("deployments", &workload, Some("Deployment")),
        ("statefulsets, services", &workload, Some("StatefulSet")),
        ("jobs", &workload, Some("Job")),
        ("cronjobs", &template("spec.jobTemplate.spec.template.spec"), Some("CronJob")),
        ("services", &pod, None),
        ("pods/exec", &pod, None),
    ] {
        let found = warnings(validating(resources, spec));
        match (kind, found.as_slice()) {
            (None, []) => {}
            (Some(kind), [(_, message)]) => assert!(message.contains(&format!("on a {kind} of")), "{message}"),
            _ => panic!("{resources}: {found:#?}"),
        }
    }
}

#[test]
fn counts_an_update_with_the_old_object() {
    let dear = loops(DEAR);
    let spec = format!("  validations: [{{expression: \"oldObject == null || {dear}\"}}]");
    assert_eq!(fields(validating("pods", &spec)), ["spec.validations[0].expression"]);
    let created = validating("pods", &spec).replace("CREATE, UPDATE", "CREATE");
    assert_eq!(fields(created), [] as [&str; 0]);
}

#[test]
fn counts_with_the_params_of_a_binding() {
    let listed = |words: usize| {
        let spec = "  paramKind: {apiVersion: v1, kind: ConfigMap}\n  validations: [{expression: \
                    \"params.data.words.split(' ').all(a, params.data.words.split(' ').all(b, a + b != 'x'))\"}]";
        let text = validating("pods", spec).replace(
            "policyName: p",
            "policyName: p, paramRef: {name: words, namespace: rules, parameterNotFoundAction: Deny}",
        );
        let words = vec!["word"; words].join(" ");
        format!(
            "{text}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: words, namespace: rules}}\ndata: {{words: {words}}}\n"
        )
    };
    assert_eq!(fields(listed(10)), [] as [&str; 0]);
    assert_eq!(fields(listed(150)), ["spec.validations[0].expression"]);
}

#[test]
fn an_authorization_check_has_its_price_and_is_not_told() {
    let check = "authorizer.group('').resource('pods').check('create').allowed()";
    let checks = vec![format!("{{expression: \"{check}\"}}"); 4].join(", ");
    assert_eq!(fields(validating("pods", &format!("  validations: [{checks}]"))), [] as [&str; 0]);
    let variables = (0..4).map(|at| format!("{{name: v{at}, expression: \"{check}\"}}")).collect::<Vec<_>>().join(", ");
    let read = "  validations: [{expression: variables.v0 || variables.v1 || variables.v2 || variables.v3}]";
    assert_eq!(fields(validating("pods", &format!("  variables: [{variables}]\n{read}"))), [] as [&str; 0]);
}

#[test]
fn ends_where_looking_would_take_too_long() {
    // Costs by the product of both lengths, and takes no time.
    let (text, word) = ("a".repeat(11_000), "b".repeat(11_000));
    let all = vec![format!("{{expression: \"(object.kind + '{text}').contains(object.kind + '{word}')\"}}"); 40];
    let dear = validating("'*'", &format!("  validations: [{}]", all.join(", ")));
    let after = dear.replace("name: p}", "name: q}").replace("policyName: p", "policyName: q");
    let found = warnings(format!("{dear}---\n{after}"));
    assert_eq!(found.len(), 40 + 2, "the first policy alone: {found:#?}");
    let says = |field: &str, part: &str| found.iter().any(|(at, message)| at == field && message.contains(part));
    assert!(says("spec", "costs more than 100000000 on objects of usual size, so what comes after"), "{found:#?}");
    assert!(says("spec.validations", "costs more than the 10000000 that all expressions"), "{found:#?}");
}
