//! Type checking: which kinds a policy is checked against, and what is said of which expressions. Upstream's texts are
//! compared in `tests/typecheck`.

use super::{MINOR, MUTATING, MUTATING_BINDING, VALIDATING_BINDING};
use crate::policy::{Lint, Manifest, lint};

const WIDGETS: &str = "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer}}}}
";

/// A bound policy for `resources` of `groups` in v1 with the rest of its spec.
fn policy(groups: &str, resources: &str, spec: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: replicas.example.com}}
spec:
  matchConstraints:
    resourceRules: [{{apiGroups: {groups}, apiVersions: [v1], operations: [CREATE], resources: {resources}}}]
{spec}---
{}",
        VALIDATING_BINDING
            .replace("  paramRef:\n    name: limit\n    namespace: rules\n    parameterNotFoundAction: Deny\n", "")
    )
}

fn findings(text: &str, definitions: &[&str]) -> Vec<Lint> {
    let definitions: Vec<_> = definitions.iter().map(|text| Manifest::new("crds.yaml", (*text).to_owned())).collect();
    lint(&[Manifest::new("test.yaml", text)], &definitions, MINOR)
}

fn texts(text: &str, definitions: &[&str]) -> Vec<String> {
    findings(text, definitions).iter().map(ToString::to_string).collect()
}

#[test]
fn a_misspelt_field_is_found_at_its_line() {
    let spec = "  validations:\n  - expression: |-\n      object.spec.replicas > 1 &&\n      object.spec.replcas < 9\n";
    let found = texts(&policy("[apps]", "[deployments]", spec), &[]);
    assert_eq!(
        found,
        ["test.yaml:10: (document 0) ValidatingAdmissionPolicy/replicas.example.com: spec.validations[0].expression: \
          apps/v1, Kind=Deployment: ERROR: <input>:2:12: undefined field 'replcas'\n     | object.spec.replcas < 9\n     \
          | ...........^"]
    );
}

#[test]
fn mutations_match_conditions_and_variables_are_checked_for_fields_too() {
    let broken = MUTATING
        .replace("  mutations:\n", "  variables:\n  - {name: a, expression: object.metadata.nam}\n  mutations:\n")
        .replace(
            "  reinvocationPolicy",
            "  matchConditions:\n  - {name: b, expression: object.kid == ''}\n  reinvocationPolicy",
        )
        + "---\n"
        + MUTATING_BINDING;
    let found = findings(&broken, &[]);
    let fields: Vec<_> = found
        .iter()
        .filter_map(|lint| match lint {
            Lint::Warning { field, message, .. } if message.contains("undefined field") => Some(field.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(fields, ["spec.matchConditions[0].expression", "spec.variables[0].expression"], "{found:#?}");
    let mutation = "apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: m.example.com}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}
  reinvocationPolicy: Never
  mutations:
  - patchType: JSONPatch
    jsonPatch: {expression: '[JSONPatch{op: \"add\", path: \"/a\", value: object.spec.hostNetwrk}]'}
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{metadata: Object.metadata{name: object.metadata.nme}}'}
";
    let found = texts(mutation, &[]).join("\n");
    for part in [
        "spec.mutations[0].jsonPatch.expression: /v1, Kind=Pod: ERROR: <input>:1:53: undefined field 'hostNetwrk'",
        "spec.mutations[1].applyConfiguration.expression: /v1, Kind=Pod: ERROR: <input>:1:55: undefined field 'nme'",
    ] {
        assert!(found.contains(part), "{part}: {found}");
    }
}

#[test]
fn what_a_merge_sets_has_to_be_a_field_of_the_kind() {
    let found = |expression: &str| {
        let policy = format!(
            "apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {{name: m.example.com}}
spec:
  matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}}]}}
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: >-
        {expression}
---
{}",
            MUTATING_BINDING.replace("sidecar.example.com", "m.example.com")
        );
        texts(&policy, &[])
    };
    for right in [
        "Object{metadata: Object.metadata{labels: Object.metadata.labels{anything: \"a\"}}}",
        "Object{metadata: Object.metadata{labels: {\"a\": \"b\"}}}",
        "Object{spec: Object.spec{containers: object.spec.containers.map(c, Object.spec.containers{name: c.name, resources: \
         Object.spec.containers.resources{limits: Object.spec.containers.resources.limits{cpu: \"1\"}}})}}",
        "Object{spec: Object.spec{securityContext: Object.spec.securityContext{runAsNonRoot: true}}}",
    ] {
        assert_eq!(found(right), [] as [&str; 0], "{right}");
    }
    for (wrong, field) in [
        ("Object{sepc: Object.spec{hostNetwork: true}}", "sepc"),
        ("Object{spec: Object.spec{hostNetwrk: true}}", "hostNetwrk"),
        ("Object{spec: Object.spec{containers: [Object.spec.containers{nam: \"a\"}]}}", "nam"),
        ("Object{spec: Object.spec{securityContext: Object.spec.securityContext{seLinux: true}}}", "seLinux"),
    ] {
        let found = found(wrong).join("\n");
        assert!(found.contains(&format!("undefined field '{field}'")), "{wrong}: {found}");
    }
}

#[test]
fn outside_of_validations_lists_of_different_types_may_be_added() {
    let sum = "(object.spec.containers + object.spec.initContainers).all(c, c.name != '')";
    let spec = format!(
        "  matchConditions:\n  - {{name: a, expression: '{}'}}\n  validations:\n  - expression: 'true'\n",
        sum.replace('\'', "''")
    );
    assert_eq!(texts(&policy("['']", "[pods]", &spec), &[]), [] as [&str; 0]);
    let found = texts(&policy("['']", "[pods]", &format!("  validations:\n  - expression: {sum}\n")), &[]);
    assert!(matches!(found.as_slice(), [one] if one.contains("no matching overload for '_+_'")), "{found:#?}");
}

#[test]
fn what_upstream_warns_of_without_cause_is_accepted() {
    let spec = "  validations:
  - expression: has(object.spec.containers[0].resources.limits) && authorizer.requestResource.check('x').allowed()
";
    assert_eq!(texts(&policy("['']", "[pods]", spec), &[]), [] as [&str; 0]);
}

#[test]
fn custom_resources_are_known_by_definitions_given_apart_or_among_the_policies() {
    let spec = "  validations:\n  - expression: object.size > 1 && object.sise > 1\n";
    let widgets = policy("[example.com]", "[widgets]", spec);
    let unknown = findings(&widgets, &[]);
    assert!(
        matches!(unknown.as_slice(), [Lint::Note { message, .. }] if message.contains("example.com/v1 widgets")),
        "{unknown:#?}"
    );
    for found in [findings(&widgets, &[WIDGETS]), findings(&format!("{WIDGETS}---\n{widgets}"), &[])] {
        assert!(
            matches!(found.as_slice(), [Lint::Warning { message, .. }] if message.contains("'sise'")),
            "{found:#?}"
        );
    }
}

#[test]
fn a_rule_of_endless_combinations_is_given_up_on() {
    let many = |prefix: &str| {
        let names: Vec<_> = (0..200).map(|index| format!("{prefix}{index}")).collect();
        format!("[{}]", names.join(", "))
    };
    // 40,000 combinations, sorted: that of the one kind that is known comes last.
    let groups = many("g.").replace("g.199", "zzz.example.com");
    let resources = many("r").replace("r199", "zzz");
    let definition = WIDGETS.replace("example.com", "zzz.example.com").replace("widgets", "zzz");
    let spec = "  validations:\n  - expression: object.nope == 1\n";
    let found = findings(&policy(&groups, &resources, spec), &[&definition]);
    assert!(found.iter().all(|lint| matches!(lint, Lint::Note { .. })), "{found:#?}");
    assert_eq!(found.len(), 20);
    let found = findings(&policy("[zzz.example.com]", "[zzz]", spec), &[&definition]);
    assert!(matches!(found.as_slice(), [Lint::Warning { .. }]), "{found:#?}");
}

#[test]
fn definitions_that_say_too_little_define_nothing() {
    let spec = "  validations:\n  - expression: object.nope == 1\n";
    let widgets = policy("[example.com]", "[widgets]", spec);
    for broken in [
        WIDGETS.replace("group: example.com", "group: 1"),
        WIDGETS.replace("served: true", "served: false"),
        WIDGETS.replace("plural: widgets, ", ""),
        WIDGETS.replace("versions:\n  - name: v1", "versions:\n  - nam: v1"),
        WIDGETS.replace("kind: CustomResourceDefinition", "kind: CustomResourceDefinitio"),
    ] {
        let found = findings(&widgets, &[&broken]);
        assert!(matches!(found.as_slice(), [Lint::Note { .. }]), "{broken}: {found:#?}");
    }
    let found = findings(&widgets, &[&WIDGETS.replace("schema: {", "skema: {")]);
    assert!(matches!(found.as_slice(), [Lint::Warning { .. }]), "without schema: {found:#?}");
}
