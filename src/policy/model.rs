//! Policies and bindings as the engine uses them: upstream's fields under upstream's names, expressions compiled.
//!
//! Upstream defines them in `k8s.io/api/admissionregistration/v1`.

use std::sync::Arc;

use crate::cel::Program;

/// A ValidatingAdmissionPolicy or MutatingAdmissionPolicy with its bindings.
#[derive(Clone, Debug)]
pub struct Policy {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`, sorted by key.
    pub annotations: Vec<(String, String)>,
    /// Where the policy was read from.
    pub source: Source,
    /// `spec.paramKind`.
    pub param_kind: Option<ParamKind>,
    /// `spec.matchConstraints`.
    pub match_constraints: MatchResources,
    /// `spec.failurePolicy`, `Fail` where absent.
    pub failure_policy: FailurePolicy,
    /// `spec.matchConditions`.
    pub match_conditions: Vec<NamedExpression>,
    /// `spec.variables`, each able to use those before it.
    pub variables: Vec<NamedExpression>,
    /// What the policy does.
    pub rules: Rules,
    /// The bindings that name this policy, sorted by name.
    pub bindings: Vec<Binding>,
    /// Why the policy can't be evaluated, if it can't: upstream then applies the failure policy to each match.
    pub compile_error: Option<String>,
}

/// What a policy does with the objects it matches.
#[derive(Clone, Debug)]
pub enum Rules {
    /// A ValidatingAdmissionPolicy.
    Validate {
        /// `spec.validations`.
        validations: Vec<Validation>,
        /// `spec.auditAnnotations`.
        audit_annotations: Vec<AuditAnnotation>,
    },
    /// A MutatingAdmissionPolicy.
    Mutate {
        /// `spec.mutations`.
        mutations: Vec<Mutation>,
        /// `spec.reinvocationPolicy`.
        reinvocation: ReinvocationPolicy,
    },
}

/// Where something was read from, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The file, or `embedded:<path>`, or `-` for standard input.
    pub file: String,
    /// The document within the file, from 0.
    pub document: usize,
    /// The line of the document's first node, from 1.
    pub line: usize,
}

/// A compiled expression, or what kept it from compiling.
pub type Compiled = Result<Arc<Program>, String>;

/// A match condition or a variable.
#[derive(Clone, Debug)]
pub struct NamedExpression {
    /// Its name.
    pub name: String,
    /// The expression as written.
    pub expression: String,
    /// The compiled expression.
    pub program: Compiled,
}

/// An entry of `spec.validations`.
#[derive(Clone, Debug)]
pub struct Validation {
    /// The expression as written.
    pub expression: String,
    /// The compiled expression.
    pub program: Compiled,
    /// `message`, trimmed, if given.
    pub message: Option<String>,
    /// `messageExpression`, compiled.
    pub message_expression: Option<Compiled>,
    /// `reason`, upstream's word, `Invalid` where absent.
    pub reason: String,
}

/// An entry of `spec.auditAnnotations`.
#[derive(Clone, Debug)]
pub struct AuditAnnotation {
    /// The key below the policy's name.
    pub key: String,
    /// `valueExpression` as written.
    pub expression: String,
    /// `valueExpression`, compiled.
    pub program: Compiled,
}

/// An entry of `spec.mutations`.
#[derive(Clone, Debug)]
pub struct Mutation {
    /// How the expression's value is applied.
    pub patch_type: PatchType,
    /// The expression as written.
    pub expression: String,
    /// The compiled expression.
    pub program: Compiled,
}

/// `spec.mutations[].patchType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchType {
    /// The expression gives an `Object` that is merged by the kind's structure.
    ApplyConfiguration,
    /// The expression gives a list of `JSONPatch`.
    JsonPatch,
}

impl PatchType {
    /// The field of a mutation that holds its expression.
    pub fn field(self) -> &'static str {
        match self {
            Self::ApplyConfiguration => "applyConfiguration",
            Self::JsonPatch => "jsonPatch",
        }
    }
}

/// `spec.reinvocationPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReinvocationPolicy {
    /// The policy runs once.
    Never,
    /// The policy runs again when a later one changed the object.
    IfNeeded,
}

/// `spec.failurePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailurePolicy {
    /// An error denies the request.
    Fail,
    /// An error leaves the policy out.
    Ignore,
}

/// `spec.paramKind`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParamKind {
    /// For example `v1`.
    pub api_version: String,
    /// For example `ConfigMap`.
    pub kind: String,
}

/// `spec.matchConstraints` of a policy, `spec.matchResources` of a binding.
#[derive(Clone, Debug, Default)]
pub struct MatchResources {
    /// `namespaceSelector`; `None` selects everything.
    pub namespace_selector: Option<LabelSelector>,
    /// `objectSelector`; `None` selects everything.
    pub object_selector: Option<LabelSelector>,
    /// `resourceRules`; empty matches everything in a binding and nothing in a policy.
    pub resource_rules: Vec<NamedRule>,
    /// `excludeResourceRules`.
    pub exclude_resource_rules: Vec<NamedRule>,
    /// `matchPolicy`: `true` for `Equivalent`, the default.
    pub equivalent: bool,
}

/// A rule with operations and resource names (`NamedRuleWithOperations`).
#[derive(Clone, Debug, Default)]
pub struct NamedRule {
    /// `resourceNames`; empty means every name.
    pub resource_names: Vec<String>,
    /// `operations`, `*` included.
    pub operations: Vec<String>,
    /// `apiGroups`, `*` included.
    pub api_groups: Vec<String>,
    /// `apiVersions`, `*` included.
    pub api_versions: Vec<String>,
    /// `resources`, with `*`, `pods/*`, `*/scale`.
    pub resources: Vec<String>,
    /// `scope`: `*`, `Cluster` or `Namespaced`.
    pub scope: Scope,
}

/// `scope` of a rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// `*`
    #[default]
    All,
    /// `Cluster`
    Cluster,
    /// `Namespaced`
    Namespaced,
}

/// A label selector; all requirements have to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector {
    /// `matchExpressions`, and each entry of `matchLabels` as `In` with one value.
    pub requirements: Vec<Requirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// What has to hold for it.
    pub operator: Operator,
    /// The values of `In` and `NotIn`.
    pub values: Vec<String>,
}

/// `operator` of a label selector requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// A ValidatingAdmissionPolicyBinding or MutatingAdmissionPolicyBinding.
#[derive(Clone, Debug)]
pub struct Binding {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`, sorted by key.
    pub annotations: Vec<(String, String)>,
    /// Where the binding was read from.
    pub source: Source,
    /// `spec.paramRef`.
    pub param_ref: Option<ParamRef>,
    /// `spec.matchResources`; `None` matches whatever the policy matches.
    pub match_resources: Option<MatchResources>,
    /// `spec.validationActions`; empty for a mutating policy's binding.
    pub validation_actions: Vec<ValidationAction>,
}

/// An entry of `spec.validationActions`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValidationAction {
    /// A failure is written to the audit annotations.
    Audit,
    /// A failure is returned as a warning.
    Warn,
    /// A failure denies the request.
    Deny,
}

impl ValidationAction {
    /// Upstream's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Audit => "Audit",
            Self::Warn => "Warn",
            Self::Deny => "Deny",
        }
    }
}

/// `spec.paramRef`.
#[derive(Clone, Debug)]
pub struct ParamRef {
    /// `name`; exclusive with `selector`.
    pub name: Option<String>,
    /// `namespace`; where absent, that of the request's object for a namespaced param kind.
    pub namespace: Option<String>,
    /// `selector`.
    pub selector: Option<LabelSelector>,
    /// `parameterNotFoundAction`: whether a missing param is an error (`Deny`) or means no evaluation (`Allow`).
    pub deny_if_not_found: bool,
}
