//! What a policy's expressions cost on objects of usual size, in the units in which Kubernetes limits them: which come so
//! close to a limit that a larger object will reach it.

use crate::cel::{self, Evaluator, Inputs, Variable, cost};
use crate::json::{self, Arena, Limits, Value, yaml};

use super::expressions::{Expression, Place, expressions, spec, variables};
use super::model::{NamedRule, Policy};
use super::params::Params;
use super::problem::FieldPath;

/// The objects of usual size, with the resource of each.
const USUAL: &str = include_str!("usual.yaml");
/// Which part of a limit an object of usual size may take.
const PART: u64 = 10;
/// How many params of one binding are evaluated with.
const MAX_PARAMS: usize = 10;
/// How much evaluating all policies on all of them may cost: no input keeps lint busy for longer than seconds.
pub const MAX_TOTAL: u64 = 100_000_000;
/// What to write in place of an expression that costs too much.
const ADVICE: &str = "loop over no list within a loop over another, look values up with in or in a map instead, and \
                      compute what no element changes once, in a variable";

/// Something that costs more than a tenth of what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costly {
    /// The field, from `spec` on: of an expression, or of a list whose expressions share a budget.
    pub field_ref: FieldPath,
    /// What it costs, on what, what the limit is, and what to write instead.
    pub message: String,
}

/// What of `policy` costs more than a tenth of its limit on an object of usual size, a Pod or a workload that creates it,
/// whichever its rules name. Params are what its bindings refer to among `params`. Expressions that ask the authorizer are
/// left out, alone and in sums: a check costs a third of the limit, whatever the object, and nothing else does the same.
///
/// What is evaluated is taken from `left`. The policy that exhausts it is told, those after it aren't looked at.
pub fn costly(policy: &Policy, params: &Params, left: &mut u64) -> Vec<Costly> {
    // What doesn't compile is never evaluated.
    if policy.compile_error.is_some() || *left == 0 {
        return Vec::new();
    }
    let arena = Arena::new();
    let variables = variables(policy);
    let mut costs = Costs::new(policy);
    for usual in usual_objects(&arena) {
        for operation in ["CREATE", "UPDATE"] {
            let rules = &policy.match_constraints.resource_rules;
            if !rules.iter().any(|rule| usual.is_named_by(rule, operation)) {
                continue;
            }
            let arena = Arena::new();
            for params in params_of(policy, params, &arena, usual.namespace()) {
                costs.evaluate(&arena, &variables, usual.inputs(&arena, operation, params), usual.kind(), left);
            }
        }
    }
    let mut found = costs.found();
    if *left == 0 {
        let message = format!(
            "together with the policies before it, costs more than {MAX_TOTAL} on objects of usual size, so what comes after \
             isn't looked at; lint it alone"
        );
        found.push(Costly { field_ref: spec(), message });
    }
    found
}

/// An object of usual size.
#[derive(Clone, Copy)]
struct Usual<'a> {
    group: &'a str,
    resource: &'a str,
    object: Value<'a>,
}

fn usual_objects(arena: &Arena) -> Vec<Usual<'_>> {
    let entries = yaml::documents(arena, USUAL).into_iter().filter_map(Result::ok).next();
    let entries = entries.and_then(|document| document.value.as_array()).unwrap_or_default();
    entries.iter().filter_map(Usual::new).collect()
}

impl<'a> Usual<'a> {
    fn new(entry: &Value<'a>) -> Option<Self> {
        let group = entry.get("group").and_then(|group| group.as_str()).unwrap_or_default();
        Some(Self { group, resource: entry.get("resource")?.as_str()?, object: entry.get("object")? })
    }

    fn is_named_by(&self, rule: &NamedRule, operation: &str) -> bool {
        let names = |words: &[String], word: &str| words.iter().any(|named| named == "*" || named == word);
        names(&rule.operations, operation)
            && names(&rule.api_groups, self.group)
            && names(&rule.api_versions, "v1")
            && (names(&rule.resources, self.resource) || rule.resources.iter().any(|named| named == "*/*"))
    }

    fn kind(&self) -> &'a str {
        self.text(&["kind"])
    }

    fn namespace(&self) -> &'a str {
        self.text(&["metadata", "namespace"])
    }

    fn text(&self, path: &[&str]) -> &'a str {
        self.object.at(path).and_then(|text| text.as_str()).unwrap_or_default()
    }

    /// What expressions see when the object is created, or changed without a change.
    fn inputs<'i>(&self, arena: &'i Arena, operation: &str, params: cel::Params<'i>) -> Inputs<'i>
    where
        'a: 'i,
    {
        let Self { group, resource, object } = *self;
        let (kind, name, namespace) = (self.kind(), self.text(&["metadata", "name"]), self.namespace());
        let kind = format!(r#"{{"group":"{group}","version":"v1","kind":"{kind}"}}"#);
        let resource = format!(r#"{{"group":"{group}","version":"v1","resource":"{resource}"}}"#);
        let request = format!(
            r#"{{"uid":"9d1c1f0e-52a7-4a6b-8f3d-6f0b2f6a7c11","kind":{kind},"resource":{resource},"subResource":"","requestKind":{kind},"requestResource":{resource},"requestSubResource":"","name":"{name}","namespace":"{namespace}","operation":"{operation}","dryRun":false,"userInfo":{{"username":"ann","groups":["system:authenticated"]}}}}"#
        );
        let namespace = format!(
            r#"{{"apiVersion":"v1","kind":"Namespace","metadata":{{"name":"{namespace}","labels":{{"kubernetes.io/metadata.name":"{namespace}"}}}}}}"#
        );
        let read = |text: String| {
            json::parse(arena, arena.alloc_slice_copy(text.as_bytes()), &Limits::default()).unwrap_or(Value::Null)
        };
        let old_object = if operation == "UPDATE" { object } else { Value::Null };
        let (request, namespace_object) = (read(request), read(namespace));
        Inputs { object, old_object, request, params, namespace_object, ..Inputs::default() }
    }
}

/// What the policy is evaluated with: params of its bindings, null where there are none.
fn params_of<'a>(policy: &Policy, params: &'a Params, arena: &'a Arena, namespace: &str) -> Vec<cel::Params<'a>> {
    let mut all = Vec::new();
    for binding in &policy.bindings {
        let found = params.resolve(arena, policy.param_kind.as_ref(), binding.param_ref.as_ref(), namespace);
        all.extend(found.unwrap_or_default().iter().copied().take(MAX_PARAMS));
    }
    if all.is_empty() {
        all.push(Value::Null.into());
    }
    all
}

/// What the expressions of a policy cost, each at its highest so far.
struct Costs<'p> {
    expressions: Vec<(Expression<'p>, Highest)>,
    match_conditions: Highest,
    validations: Highest,
    audit_annotations: Highest,
    mutations: Highest,
}

/// A cost, and the kind of the object that it came of.
#[derive(Clone, Debug, Default)]
struct Highest {
    cost: u64,
    kind: String,
}

impl Highest {
    fn raise(&mut self, cost: u64, kind: &str) {
        if cost > self.cost {
            *self = Self { cost, kind: kind.to_owned() };
        }
    }
}

impl<'p> Costs<'p> {
    fn new(policy: &'p Policy) -> Self {
        let none = Highest::default;
        Self {
            expressions: expressions(policy).into_iter().map(|expression| (expression, none())).collect(),
            match_conditions: none(),
            validations: none(),
            audit_annotations: none(),
            mutations: none(),
        }
    }

    /// Evaluates every expression, with a budget that ends nothing: what one costs is to be seen behind others, too.
    /// Each is still limited by itself, and nothing is evaluated once nothing is `left`.
    fn evaluate<'i>(
        &mut self,
        arena: &'i Arena,
        variables: &'i [Variable],
        inputs: Inputs<'i>,
        kind: &str,
        left: &mut u64,
    ) where
        'p: 'i,
    {
        // What reads such a variable can't be told from what doesn't.
        let variables_ask =
            self.expressions.iter().any(|(of, _)| matches!(of.place, Place::Variable(_)) && of.asks_authorizer());
        let evaluator = |variables| Evaluator::new(arena, inputs, variables, u64::MAX, None);
        let mut conditions = evaluator(&[]);
        let (mut validations, mut annotations, mut each_variable) =
            (evaluator(variables), evaluator(variables), evaluator(variables));
        for (expression, highest) in &mut self.expressions {
            let Ok(program) = expression.program else { continue };
            if expression.asks_authorizer() || *left == 0 {
                continue;
            }
            let mut mutation = evaluator(variables);
            let evaluator = match expression.place {
                Place::MatchCondition(_) => &mut conditions,
                Place::Variable(_) => &mut each_variable,
                Place::Validation(_) | Place::MessageExpression(_) => &mut validations,
                Place::AuditAnnotation(_) => &mut annotations,
                Place::Mutation(_) => &mut mutation,
            };
            let before = evaluator.cost();
            // An error costs what came before it.
            drop(evaluator.evaluate(program));
            highest.raise(evaluator.own_cost(), kind);
            *left = left.saturating_sub(evaluator.cost() - before);
            if !variables_ask {
                self.mutations.raise(mutation.cost(), kind);
            }
        }
        self.match_conditions.raise(conditions.cost(), kind);
        if !variables_ask {
            self.validations.raise(validations.cost(), kind);
            self.audit_annotations.raise(annotations.cost(), kind);
        }
    }

    fn found(self) -> Vec<Costly> {
        let mut found = Vec::new();
        let each = self.expressions.into_iter();
        let each = each.map(|(expression, highest)| {
            (expression.field_ref, "an expression may cost", cost::EXPRESSION_LIMIT, highest)
        });
        let together = "all expressions of the list, with the variables that they read, may cost";
        let alone = "one mutation, with the variables that it reads, may cost";
        let lists = [
            ("matchConditions", together, cost::MATCH_CONDITIONS_BUDGET, self.match_conditions),
            ("validations", together, cost::BINDING_BUDGET, self.validations),
            ("auditAnnotations", together, cost::BINDING_BUDGET, self.audit_annotations),
            ("mutations", alone, cost::BINDING_BUDGET, self.mutations),
        ];
        let lists = lists.into_iter().map(|(list, what, limit, highest)| (spec().field(list), what, limit, highest));
        for (field_ref, what, limit, Highest { cost, kind }) in each.chain(lists) {
            let message = if cost > limit {
                format!("costs more than the {limit} that {what} on a {kind} of usual size, so it fails; {ADVICE}")
            } else if cost > limit / PART {
                format!(
                    "costs {cost} on a {kind} of usual size, of {limit} that {what}, so a larger one may fail; {ADVICE}"
                )
            } else {
                continue;
            };
            found.push(Costly { field_ref, message });
        }
        found
    }
}
