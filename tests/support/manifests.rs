//! The frame of a policy with one binding of its name, for tests that care for what is in it.

/// The beginning of a rule about pods.
pub const PODS: &str = "{apiGroups: [''], resources: [pods]";

/// A ValidatingAdmissionPolicy about new objects of the kinds that `rule` begins to name, with what `spec` says besides,
/// and a binding with these actions.
pub fn validating(name: &str, rule: &str, spec: &str, actions: &str) -> String {
    policy("Validating", name, rule, spec, &format!(", validationActions: [{actions}]"))
}

/// A MutatingAdmissionPolicy about new objects of the kinds that `rule` begins to name, with what `spec` says besides,
/// and a binding.
pub fn mutating(name: &str, rule: &str, spec: &str) -> String {
    policy("Mutating", name, rule, &format!("  failurePolicy: Fail\n  reinvocationPolicy: Never{spec}"), "")
}

fn policy(kind: &str, name: &str, rule: &str, spec: &str, binding: &str) -> String {
    format!(
        "
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}AdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules:
    - {rule}, apiVersions: [v1], operations: [CREATE]}}
{spec}
---
apiVersion: admissionregistration.k8s.io/v1
kind: {kind}AdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}{binding}}}
"
    )
}
