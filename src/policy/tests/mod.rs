//! Loading from manifest text: what is accepted, what is rejected and with which words.

mod bindings;
mod costs;
mod exemptions;
mod linting;
mod loading;
mod mutating;
mod params;
mod profiles;
mod type_checking;
mod validating;

use super::{LoadError, LoadedPolicies, Manifest, load};

/// The Kubernetes version that the tests load for.
const MINOR: u32 = 36;

/// A validating policy that uses every field.
const VALIDATING: &str = r#"apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: replicas.example.com
  annotations:
    example.com/severity: high
spec:
  failurePolicy: Ignore
  paramKind:
    apiVersion: rules.example.com/v1
    kind: ReplicaLimit
  matchConstraints:
    matchPolicy: Exact
    namespaceSelector:
      matchLabels:
        env: prod
    objectSelector:
      matchExpressions:
      - key: app
        operator: NotIn
        values: [web]
    resourceRules:
    - apiGroups: [apps]
      apiVersions: [v1]
      operations: [CREATE, UPDATE]
      resources: [deployments, deployments/scale]
      resourceNames: [one]
      scope: Namespaced
    excludeResourceRules:
    - apiGroups: ["*"]
      apiVersions: ["*"]
      operations: ["*"]
      resources: ["*"]
  matchConditions:
  - name: not-exempt
    expression: "!has(object.metadata.labels)"
  variables:
  - name: replicas
    expression: object.spec.replicas
  validations:
  - expression: variables.replicas <= params.maxReplicas
    message: " too many replicas "
    messageExpression: "'replicas: ' + string(variables.replicas)"
    reason: Forbidden
  auditAnnotations:
  - key: replicas
    valueExpression: string(variables.replicas)
"#;

/// A binding of [`VALIDATING`].
const VALIDATING_BINDING: &str = r#"apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: replicas-binding.example.com
spec:
  policyName: replicas.example.com
  paramRef:
    name: limit
    namespace: rules
    parameterNotFoundAction: Deny
  matchResources:
    namespaceSelector: {}
  validationActions: [Deny, Audit]
"#;

/// A mutating policy that uses both patch types.
const MUTATING: &str = r#"apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata:
  name: sidecar.example.com
spec:
  matchConstraints:
    resourceRules:
    - apiGroups: [""]
      apiVersions: [v1]
      operations: [CREATE]
      resources: [pods]
  reinvocationPolicy: IfNeeded
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: "[JSONPatch{op: 'remove', path: '/spec/hostname'}]"
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: "Object{spec: Object.spec{hostname: 'a'}}"
"#;

/// A binding of [`MUTATING`].
const MUTATING_BINDING: &str = r#"apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata:
  name: sidecar-binding.example.com
spec:
  policyName: sidecar.example.com
"#;

/// Loads one manifest made of documents.
fn load_documents(documents: &[&str]) -> LoadedPolicies {
    load(&[Manifest::new("test.yaml", documents.join("---\n"))], MINOR)
}

/// Loads one manifest in which nothing is wrong.
fn load_good(documents: &[&str]) -> LoadedPolicies {
    let loaded = load_documents(documents);
    assert_eq!(texts(&loaded.errors), [] as [&str; 0]);
    loaded
}

/// The errors of one manifest, printed.
fn errors(documents: &[&str]) -> Vec<String> {
    texts(&load_documents(documents).errors)
}

fn texts(errors: &[LoadError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Checks that a document with one piece of text replaced gives exactly one error that ends like `message`, at the line
/// on which the replacement begins or ends.
fn rejects(document: &str, cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        assert_eq!(document.matches(from).count(), 1, "{from:?} has to be in the document once");
        let found = errors(&[&document.replace(from, to)]);
        // A lone policy needs no binding, but a lone binding misses its policy.
        let found: Vec<_> = found.iter().filter(|error| !error.contains("spec.policyName: there is no")).collect();
        let [error] = found.as_slice() else { panic!("{from:?} -> {to:?}: expected one error, got {found:#?}") };
        let (_, text) = error.split_once(": ").expect("an error begins with its place");
        assert!(text.contains(message), "{from:?} -> {to:?}:\n  found    {text}\n  expected {message}");
    }
}
