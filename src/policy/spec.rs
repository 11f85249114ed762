//! Reads ValidatingAdmissionPolicy and MutatingAdmissionPolicy: upstream's fields, defaults and rules.
//!
//! Upstream: `validateValidatingAdmissionPolicySpec`, `validateMutatingAdmissionPolicySpec` and `SetDefaults_*`.

use super::compile::{Compiler, Libraries, Place};
use super::decode::{Fields, Node};
use super::format;
use super::matching::{self, Operations, check};
use super::metadata::metadata;
use super::model::{
    AuditAnnotation, FailurePolicy, Mutation, NamedExpression, ParamKind, PatchType, Policy, ReinvocationPolicy, Rules,
    Source, Validation,
};
use super::problem::Fault;

/// Upstream's limits.
const MAX_MATCH_CONDITIONS: usize = 64;
const MAX_AUDIT_ANNOTATIONS: usize = 20;
const MAX_VALUE_EXPRESSION_BYTES: usize = 5 * 1024;

const EXPRESSION_MISSING: &str = "expression is not specified";
const WRITE_EXPRESSION: &str = "write a CEL expression";

/// What a policy's kind says that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyType {
    /// ValidatingAdmissionPolicy.
    Validating,
    /// MutatingAdmissionPolicy.
    Mutating,
}

impl PolicyType {
    /// The policy's kind.
    pub fn kind(self) -> &'static str {
        match self {
            PolicyType::Validating => "ValidatingAdmissionPolicy",
            PolicyType::Mutating => "MutatingAdmissionPolicy",
        }
    }

    /// The kind of the policy's bindings.
    pub fn binding_kind(self) -> &'static str {
        match self {
            PolicyType::Validating => "ValidatingAdmissionPolicyBinding",
            PolicyType::Mutating => "MutatingAdmissionPolicyBinding",
        }
    }

    /// The operations that the policy's rules may name.
    pub fn operations(self) -> Operations {
        match self {
            PolicyType::Validating => Operations::All,
            PolicyType::Mutating => Operations::Mutable,
        }
    }
}

/// Reads a policy. `None` when it can't even be matched (no name, match constraints or failure policy to go by).
pub fn policy(node: &Node<'_, '_>, policy_type: PolicyType, source: Source, libraries: Libraries) -> Option<Policy> {
    node.fields(|fields| {
        fields.ignore(&["apiVersion", "kind", "status"]);
        let metadata = metadata(fields);
        let name = metadata.as_ref().map(|metadata| metadata.name.clone()).unwrap_or_default();
        let spec =
            fields.require("spec", "write spec: …")?.fields(|spec| read_spec(spec, policy_type, &name, libraries));
        let (metadata, spec) = (metadata?, spec?);
        Some(Policy {
            name: metadata.name,
            annotations: metadata.annotations,
            source,
            param_kind: spec.param_kind,
            match_constraints: spec.match_constraints?,
            failure_policy: spec.failure_policy?,
            match_conditions: spec.match_conditions,
            variables: spec.variables,
            rules: spec.rules,
            bindings: Vec::new(),
            compile_error: None,
        })
    })
}

/// `spec` of either kind; `None` where a part was reported and can't be guessed.
struct Spec {
    param_kind: Option<ParamKind>,
    match_constraints: Option<super::model::MatchResources>,
    failure_policy: Option<FailurePolicy>,
    match_conditions: Vec<NamedExpression>,
    variables: Vec<NamedExpression>,
    rules: Rules,
}

fn read_spec(spec: &mut Fields<'_, '_>, policy_type: PolicyType, name: &str, libraries: Libraries) -> Option<Spec> {
    let param_kind = spec.get("paramKind");
    // An unreadable paramKind still declares `params`, so that its expressions aren't reported on top.
    let mut compiler = Compiler::new(libraries, param_kind.is_some());
    let param_kind = param_kind.and_then(|kind| read_param_kind(&kind));
    let failure_policy = match spec.get("failurePolicy") {
        Some(word) => word.word(&[("Fail", FailurePolicy::Fail), ("Ignore", FailurePolicy::Ignore)]),
        None => Some(FailurePolicy::Fail),
    };
    let match_constraints = match_constraints(spec, policy_type);
    let match_conditions = match_conditions(spec, &mut compiler);
    let variables = spec.get("variables").map(|list| list.list(|entry| variable(&entry, &mut compiler)));
    let rules = match policy_type {
        PolicyType::Validating => validating_rules(spec, name, &mut compiler),
        PolicyType::Mutating => mutating_rules(spec, &mut compiler),
    };
    Some(Spec {
        param_kind,
        match_constraints,
        failure_policy,
        match_conditions,
        variables: variables.unwrap_or_default(),
        rules,
    })
}

fn match_constraints(spec: &mut Fields<'_, '_>, policy_type: PolicyType) -> Option<super::model::MatchResources> {
    let node = spec.require("matchConstraints", "write matchConstraints: {resourceRules: [{…}]}")?;
    let constraints = matching::match_resources(&node, policy_type.operations())?;
    let given = node.value().get("resourceRules").and_then(|rules| rules.as_array().map(<[_]>::len));
    if given.unwrap_or_default() == 0 {
        let rules = Node::new(node.value(), node.path().field("resourceRules"), node.problems());
        rules.report(Fault::Required(String::new()), "name at least one group, version, resource and operation");
    }
    Some(constraints)
}

fn read_param_kind(node: &Node<'_, '_>) -> Option<ParamKind> {
    node.fields(|fields| {
        let api_version = fields.text("apiVersion", "", "write for example apiVersion: v1");
        let kind = fields.text("kind", "", "write for example kind: ConfigMap");
        let (api_version, version_at) = api_version?;
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        if group.contains('/') {
            version_at.invalid(
                api_version,
                format!("unexpected GroupVersion string: {api_version}"),
                "write group/version",
            );
        } else if version.is_empty() {
            version_at.invalid(
                api_version,
                "version must be specified",
                "write group/version, or v1 for the core group",
            );
        } else {
            if !group.is_empty() {
                check(&version_at, group, format::dns_subdomain);
            }
            check(&version_at, version, format::dns_1035_label);
        }
        let (kind, kind_at) = kind?;
        if let Some(wrong) = format::dns_1035_label(&kind.to_lowercase()) {
            kind_at.invalid(kind, format!("may have mixed case, but should otherwise match: {wrong}"), "");
        }
        Some(ParamKind { api_version: api_version.to_owned(), kind: kind.to_owned() })
    })
}

fn match_conditions(spec: &mut Fields<'_, '_>, compiler: &mut Compiler) -> Vec<NamedExpression> {
    let Some(list) = spec.get("matchConditions") else { return Vec::new() };
    let entries = list.elements();
    if entries.len() > MAX_MATCH_CONDITIONS {
        list.report(
            Fault::TooMany { count: entries.len(), limit: MAX_MATCH_CONDITIONS },
            "join conditions with && or split the policy",
        );
        return Vec::new();
    }
    let mut names: Vec<&str> = Vec::new();
    let mut conditions = Vec::new();
    for entry in &entries {
        conditions.extend(entry.fields(|fields| {
            let name = fields.text("name", "", "write a name that is unique in the policy");
            if let Some((name, at)) = &name {
                check(at, name, format::qualified_name);
                if names.contains(name) {
                    at.report(Fault::Duplicate((*name).to_owned()), "give each match condition its own name");
                }
                names.push(name);
            }
            let (source, at) = fields.text("expression", "", WRITE_EXPRESSION)?;
            let program = compiler.compile(source, Place::MatchCondition, &at);
            Some(NamedExpression { name: name?.0.to_owned(), expression: source.to_owned(), program })
        }));
    }
    conditions
}

fn variable(node: &Node<'_, '_>, compiler: &mut Compiler) -> Option<NamedExpression> {
    node.fields(|fields| {
        let name = fields.text("name", "name is not specified", "write the name that follows `variables.`");
        if let Some((name, at)) = &name {
            check(at, name, format::cel_identifier);
        }
        let (source, at) = fields.text("expression", EXPRESSION_MISSING, WRITE_EXPRESSION)?;
        let (name, _) = name?;
        let program = compiler.variable(name, source, &at);
        Some(NamedExpression { name: name.to_owned(), expression: source.to_owned(), program })
    })
}

fn validating_rules(spec: &mut Fields<'_, '_>, name: &str, compiler: &mut Compiler) -> Rules {
    const NOTHING: &str = "validations or auditAnnotations must contain at least one item";
    let validations = spec.get("validations");
    let annotations = spec.get("auditAnnotations");
    let empty = |list: &Option<Node<'_, '_>>| {
        list.as_ref().is_none_or(|list| list.value().as_array().is_some_and(<[_]>::is_empty))
    };
    if empty(&validations) && empty(&annotations) {
        spec.missing("validations", NOTHING, "write validations: [{expression: …}]");
    }
    let validations = validations.map(|list| list.list(|entry| validation(&entry, compiler)));
    let audit_annotations = annotations.map(|list| audit_annotations(&list, name, compiler));
    Rules::Validate {
        validations: validations.unwrap_or_default(),
        audit_annotations: audit_annotations.unwrap_or_default(),
    }
}

fn validation(node: &Node<'_, '_>, compiler: &mut Compiler) -> Option<Validation> {
    node.fields(|fields| {
        let message = fields.get("message").and_then(|field| message(&field));
        let message_expression = fields.get("messageExpression").and_then(|field| {
            let source = field.string().filter(|source| !source.is_empty())?;
            if source.trim().is_empty() {
                field.invalid(source, "must be non-empty if specified", "leave it out");
                return None;
            }
            Some(compiler.compile(source, Place::Message, &field))
        });
        let reason = fields.get("reason").and_then(|field| {
            const REASONS: [&str; 3] = ["Forbidden", "Invalid", "RequestEntityTooLarge"];
            field.word(&REASONS.map(|reason| (reason, reason)))
        });
        let (source, at) = fields.text("expression", EXPRESSION_MISSING, WRITE_EXPRESSION)?;
        Some(Validation {
            expression: source.to_owned(),
            program: compiler.compile(source, Place::Validation, &at),
            message,
            message_expression,
            reason: reason.unwrap_or("Invalid").to_owned(),
        })
    })
}

fn message(field: &Node<'_, '_>) -> Option<String> {
    let text = field.string().filter(|text| !text.is_empty())?;
    let message = text.trim();
    if message.is_empty() {
        field.invalid(text, "must be non-empty if specified", "leave it out");
        return None;
    }
    if message.contains(['\n', '\r']) {
        field.invalid(text, "must not contain line breaks", "write it on one line, or fold it with >-");
    }
    Some(message.to_owned())
}

fn audit_annotations(list: &Node<'_, '_>, name: &str, compiler: &mut Compiler) -> Vec<AuditAnnotation> {
    let entries = list.elements();
    if entries.len() > MAX_AUDIT_ANNOTATIONS {
        list.invalid(
            &format!("{} items", entries.len()),
            format!("must not have more than {MAX_AUDIT_ANNOTATIONS} auditAnnotations"),
            "split the policy",
        );
        return Vec::new();
    }
    let mut keys: Vec<&str> = Vec::new();
    let mut annotations = Vec::new();
    for entry in &entries {
        annotations.extend(entry.fields(|fields| {
            let key = fields.text("key", "", "write the annotation's key");
            if let Some((key, at)) = &key {
                check(at, &format!("{name}/{key}"), format::qualified_name);
                if keys.contains(key) {
                    at.report(Fault::Duplicate((*key).to_owned()), "give each audit annotation its own key");
                }
                keys.push(key);
            }
            let (source, at) = fields.text("valueExpression", "valueExpression is not specified", WRITE_EXPRESSION)?;
            if source.trim().len() > MAX_VALUE_EXPRESSION_BYTES {
                let detail = format!("must not exceed {MAX_VALUE_EXPRESSION_BYTES} bytes in length");
                at.report(Fault::Required(detail), "move parts of it to variables");
                return None;
            }
            Some(AuditAnnotation {
                key: key?.0.to_owned(),
                expression: source.to_owned(),
                program: compiler.compile(source, Place::AuditAnnotation, &at),
            })
        }));
    }
    annotations
}

fn mutating_rules(spec: &mut Fields<'_, '_>, compiler: &mut Compiler) -> Rules {
    const NOTHING: &str = "mutations must contain at least one item";
    const WRITE: &str = "write mutations: [{patchType: JSONPatch, jsonPatch: {expression: …}}]";
    let mutations = spec.get("mutations");
    if mutations.as_ref().is_none_or(|list| list.value().as_array().is_some_and(<[_]>::is_empty)) {
        spec.missing("mutations", NOTHING, WRITE);
    }
    let mutations = mutations.map(|list| list.list(|entry| mutation(&entry, compiler)));
    let reinvocation = spec.require("reinvocationPolicy", "write reinvocationPolicy: Never or IfNeeded");
    let reinvocation = reinvocation.and_then(|word| {
        word.word(&[("IfNeeded", ReinvocationPolicy::IfNeeded), ("Never", ReinvocationPolicy::Never)])
    });
    Rules::Mutate {
        mutations: mutations.unwrap_or_default(),
        reinvocation: reinvocation.unwrap_or(ReinvocationPolicy::Never),
    }
}

fn mutation(node: &Node<'_, '_>, compiler: &mut Compiler) -> Option<Mutation> {
    node.fields(|fields| {
        let json_patch = fields.get("jsonPatch");
        let apply_configuration = fields.get("applyConfiguration");
        let patch_type = fields
            .require("patchType", "write patchType: ApplyConfiguration or JSONPatch")?
            .word(&[("ApplyConfiguration", PatchType::ApplyConfiguration), ("JSONPatch", PatchType::JsonPatch)])?;
        let (place, word, (name, given), (other_name, other)) = match patch_type {
            PatchType::JsonPatch => {
                (Place::JsonPatch, "JSONPatch", ("jsonPatch", json_patch), ("applyConfiguration", apply_configuration))
            }
            PatchType::ApplyConfiguration => (
                Place::ApplyConfiguration,
                "ApplyConfiguration",
                ("applyConfiguration", apply_configuration),
                ("jsonPatch", json_patch),
            ),
        };
        if let Some(other) = other {
            let detail = format!("must not be specified when patchType is {word}");
            other.invalid(&format!("{{{other_name}}}"), detail, "leave it out, or change patchType");
        }
        let Some(given) = given else {
            let detail = format!("must be specified when patchType is {word}");
            fields.missing(name, &detail, &format!("write {name}: {{expression: …}}"));
            return None;
        };
        given.fields(|fields| {
            let (source, at) = fields.text("expression", "", WRITE_EXPRESSION)?;
            let program = compiler.compile(source, place, &at);
            Some(Mutation { patch_type, expression: source.to_owned(), program })
        })
    })
}
