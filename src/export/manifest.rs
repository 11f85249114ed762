//! Drafts as objects, in upstream's fields and their usual order.

use crate::policy::model::{
    FailurePolicy, LabelSelector, MatchResources, NamedRule, Operator, ParamRef, PatchType, ReinvocationPolicy, Scope,
};
use crate::policy::{Params, PolicyType, Tree};

use super::draft::{Draft, DraftBinding, DraftRules, Named};

const API_VERSION: &str = "admissionregistration.k8s.io/v1";
const TYPES: [PolicyType; 2] = [PolicyType::Validating, PolicyType::Mutating];

/// The policy that one about workloads says the same as.
const EXTENDS: &str = "portcullis.dev/extends";

/// All objects: the params that bindings refer to, the policies, the bindings; each kind sorted by name.
pub fn objects(drafts: &[Draft], params: &Params) -> Vec<Tree> {
    let references = drafts.iter().flat_map(|draft| {
        let references = draft.bindings.iter().filter_map(|binding| binding.param_ref.as_ref());
        references.filter_map(|reference| Some((draft.param_kind.as_ref()?, reference)))
    });
    let mut objects: Vec<Tree> = params.referred(references).into_iter().cloned().collect();
    for of in TYPES {
        let mut drafts: Vec<&Draft> = drafts.iter().filter(|draft| draft.policy_type() == of).collect();
        drafts.sort_by_key(|draft| &draft.name);
        objects.extend(drafts.into_iter().map(policy));
    }
    for of in TYPES {
        let of_type = drafts.iter().filter(|draft| draft.policy_type() == of);
        let mut bindings: Vec<_> =
            of_type.flat_map(|draft| draft.bindings.iter().map(move |binding| (draft, binding))).collect();
        bindings.sort_by_key(|(_, binding)| &binding.name);
        objects.extend(bindings.into_iter().map(|(draft, made)| binding(draft, made)));
    }
    objects
}

fn policy(draft: &Draft) -> Tree {
    let mut annotations = draft.annotations.clone();
    annotations.extend(draft.extends.iter().map(|name| (EXTENDS.to_owned(), name.clone())));
    annotations.sort();
    let mut spec = Fields::default();
    spec.text(
        "failurePolicy",
        match draft.failure_policy {
            FailurePolicy::Fail => "Fail",
            FailurePolicy::Ignore => "Ignore",
        },
    );
    if let DraftRules::Mutate { reinvocation, .. } = draft.rules {
        spec.text(
            "reinvocationPolicy",
            match reinvocation {
                ReinvocationPolicy::Never => "Never",
                ReinvocationPolicy::IfNeeded => "IfNeeded",
            },
        );
    }
    if let Some(kind) = &draft.param_kind {
        let mut fields = Fields::default();
        fields.text("apiVersion", &kind.api_version);
        fields.text("kind", &kind.kind);
        spec.add("paramKind", fields.tree());
    }
    spec.add("matchConstraints", match_resources(&draft.constraints));
    spec.list("matchConditions", draft.conditions.iter().map(|entry| named("name", "expression", entry)));
    spec.list("variables", draft.variables.iter().map(|entry| named("name", "expression", entry)));
    match &draft.rules {
        DraftRules::Validate { validations, audit_annotations } => {
            spec.list(
                "validations",
                validations.iter().map(|validation| {
                    let mut fields = Fields::default();
                    fields.text("expression", &validation.expression);
                    fields.some("message", validation.message.as_deref());
                    fields.some("messageExpression", validation.message_expression.as_deref());
                    fields.some("reason", Some(validation.reason.as_str()).filter(|reason| *reason != "Invalid"));
                    fields.tree()
                }),
            );
            spec.list("auditAnnotations", audit_annotations.iter().map(|entry| named("key", "valueExpression", entry)));
        }
        DraftRules::Mutate { mutations, .. } => spec.list(
            "mutations",
            mutations.iter().map(|(patch_type, expression)| {
                let (word, field) = match patch_type {
                    PatchType::ApplyConfiguration => ("ApplyConfiguration", "applyConfiguration"),
                    PatchType::JsonPatch => ("JSONPatch", "jsonPatch"),
                };
                let mut inner = Fields::default();
                inner.text("expression", expression);
                let mut fields = Fields::default();
                fields.text("patchType", word);
                fields.add(field, inner.tree());
                fields.tree()
            }),
        ),
    }
    object(draft.policy_type().kind(), &draft.name, &annotations, spec)
}

fn binding(draft: &Draft, binding: &DraftBinding) -> Tree {
    let mut spec = Fields::default();
    spec.text("policyName", &draft.name);
    spec.list("validationActions", binding.actions.iter().map(|action| text(action.name())));
    if let Some(reference) = &binding.param_ref {
        spec.add("paramRef", param_ref(reference));
    }
    if let Some(resources) = &binding.match_resources {
        spec.add("matchResources", match_resources(resources));
    }
    object(draft.policy_type().binding_kind(), &binding.name, &binding.annotations, spec)
}

fn object(kind: &str, name: &str, annotations: &[(String, String)], spec: Fields) -> Tree {
    let mut metadata = Fields::default();
    metadata.text("name", name);
    if !annotations.is_empty() {
        let entries = annotations.iter().map(|(key, value)| (key.as_str().into(), text(value)));
        metadata.add("annotations", Tree::Object(entries.collect()));
    }
    let mut fields = Fields::default();
    fields.text("apiVersion", API_VERSION);
    fields.text("kind", kind);
    fields.add("metadata", metadata.tree());
    fields.add("spec", spec.tree());
    fields.tree()
}

fn named(name: &str, expression: &str, entry: &Named) -> Tree {
    let mut fields = Fields::default();
    fields.text(name, &entry.name);
    fields.text(expression, &entry.expression);
    fields.tree()
}

fn param_ref(reference: &ParamRef) -> Tree {
    let mut fields = Fields::default();
    fields.some("name", reference.name.as_deref());
    fields.some("namespace", reference.namespace.as_deref());
    if let Some(selector) = &reference.selector {
        fields.add("selector", label_selector(selector));
    }
    fields.text("parameterNotFoundAction", if reference.deny_if_not_found { "Deny" } else { "Allow" });
    fields.tree()
}

fn match_resources(resources: &MatchResources) -> Tree {
    let mut fields = Fields::default();
    if !resources.equivalent {
        fields.text("matchPolicy", "Exact");
    }
    if let Some(selector) = &resources.namespace_selector {
        fields.add("namespaceSelector", label_selector(selector));
    }
    if let Some(selector) = &resources.object_selector {
        fields.add("objectSelector", label_selector(selector));
    }
    fields.list("resourceRules", resources.resource_rules.iter().map(rule));
    fields.list("excludeResourceRules", resources.exclude_resource_rules.iter().map(rule));
    fields.tree()
}

fn label_selector(selector: &LabelSelector) -> Tree {
    let mut fields = Fields::default();
    fields.list(
        "matchExpressions",
        selector.requirements.iter().map(|requirement| {
            let mut fields = Fields::default();
            fields.text("key", &requirement.key);
            fields.text(
                "operator",
                match requirement.operator {
                    Operator::In => "In",
                    Operator::NotIn => "NotIn",
                    Operator::Exists => "Exists",
                    Operator::DoesNotExist => "DoesNotExist",
                },
            );
            fields.list("values", requirement.values.iter().map(|value| text(value)));
            fields.tree()
        }),
    );
    fields.tree()
}

fn rule(rule: &NamedRule) -> Tree {
    let mut fields = Fields::default();
    let mut words = |name, words: &[String]| fields.list(name, words.iter().map(|word| text(word)));
    words("apiGroups", &rule.api_groups);
    words("apiVersions", &rule.api_versions);
    words("operations", &rule.operations);
    words("resources", &rule.resources);
    words("resourceNames", &rule.resource_names);
    match rule.scope {
        Scope::All => {}
        Scope::Cluster => fields.text("scope", "Cluster"),
        Scope::Namespaced => fields.text("scope", "Namespaced"),
    }
    fields.tree()
}

fn text(text: &str) -> Tree {
    Tree::String(text.into())
}

/// The fields of an object, in the order in which they are added.
#[derive(Default)]
struct Fields(Vec<(Box<str>, Tree)>);

impl Fields {
    fn add(&mut self, name: &str, value: Tree) {
        self.0.push((name.into(), value));
    }

    fn text(&mut self, name: &str, value: &str) {
        self.add(name, text(value));
    }

    fn some(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// Adds a list unless it is empty.
    fn list(&mut self, name: &str, elements: impl Iterator<Item = Tree>) {
        let elements: Box<[Tree]> = elements.collect();
        if !elements.is_empty() {
            self.add(name, Tree::Array(elements));
        }
    }

    fn tree(self) -> Tree {
        Tree::Object(self.0.into())
    }
}
