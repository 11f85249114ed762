//! Runs suites: each case is one review, and what came out of it is compared with what was expected.

use std::cell::OnceCell;
use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use regex::Regex;
use similar::{ChangeTag, TextDiff};

use crate::admission::acceptable::undecodable;
use crate::admission::offline::{self, Attributes, KnownNamespaces, with_namespace};
use crate::admission::resources::{Resource, Resources, split_api_version};
use crate::cel::authorization::Authorizer;
use crate::cel::explain::Explanation;
use crate::defaulting::default;
use crate::engine::{Context, Decision, Evaluation, Finding, Observer, Operation, PolicySet, Request, Verdict};
use crate::json::{Arena, Object, Value, yaml};
use crate::policy::model::{FailurePolicy, Rules, Source};
use crate::policy::{self, Exemptions, Libraries, Lint, LoadError, Manifest, Params, Tree};

use super::coverage::Coverage;
use super::suite::{Case, CaseRequest, Expect, ExpectedVerdict, Suite};

/// What became of a suite.
#[derive(Clone, Debug)]
pub struct SuiteResult {
    /// The suite's name.
    pub name: String,
    /// Where it was read from.
    pub source: Source,
    /// Its cases, those left out by the filter excepted.
    pub cases: Vec<CaseResult>,
    /// Fields that the policies' expressions name and that the kinds they match don't have.
    pub warnings: Vec<Lint>,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// Its first line.
    pub source: Source,
    /// What was not as expected; empty when it passed.
    pub failures: Vec<String>,
    /// What decided the findings: of a case that failed, or of every case where that is asked for.
    pub explanations: Vec<Explained>,
    /// How long it took.
    pub elapsed: Duration,
}

impl SuiteResult {
    /// How many cases passed, and how many failed.
    pub fn counts(&self) -> (usize, usize) {
        let failed = self.cases.iter().filter(|case| !case.failures.is_empty()).count();
        (self.cases.len() - failed, failed)
    }
}

/// What decided one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// The policy.
    pub policy: String,
    /// Which of its validations.
    pub validation: usize,
    /// Why it was false, or failed.
    pub explanation: Explanation,
}

/// How suites are run.
#[derive(Clone, Copy, Debug)]
pub struct Options<'o> {
    /// Kubernetes 1.`minor`, whose libraries and rules apply.
    pub minor: u32,
    /// Runs the cases whose `suite/case` name matches.
    pub filter: Option<&'o Regex>,
    /// CustomResourceDefinitions among them define kinds that expressions are checked against, beside the built-in ones.
    pub definitions: &'o [Manifest],
    /// Whether coverage is told of branches, too.
    pub branches: bool,
    /// Whether the findings of every case are explained, and not of those alone that fail.
    pub explain: bool,
}

/// Runs the cases of a suite.
///
/// # Errors
/// What is wrong with the suite's policies: then no case can be trusted.
pub fn run(suite: &Suite, options: Options<'_>, coverage: &mut Coverage) -> Result<SuiteResult, Vec<LoadError>> {
    let Options { minor, filter, definitions, branches, explain } = options;
    let policies = compile_with(suite, definitions, minor, branches)?;
    for policy in policies.policies() {
        coverage.declare(policy, &suite.policies);
    }
    let explaining = OnceCell::new();
    let explaining = || explaining.get_or_init(|| compile_with(suite, definitions, minor, true).unwrap_or_default());
    let mut cases = Vec::new();
    for case in suite.selected(filter) {
        let started = Instant::now();
        let params = params_of(case, policies.params());
        let given = Given { base: &policies, params: params.as_ref(), observer: Some(coverage) };
        let failures = run_case(case, &policies, given);
        let elapsed = started.elapsed();
        let explanations = match failures.is_empty() && !explain {
            true => Vec::new(),
            false => explain_case(case, explaining(), Given { observer: None, ..given }),
        };
        cases.push(CaseResult {
            name: case.name.clone(),
            source: case.source.clone(),
            failures,
            explanations,
            elapsed,
        });
    }
    let mut warnings = Vec::new();
    if !cases.is_empty() {
        warnings = policy::lint_types(policies.policies(), &suite.policies, definitions, minor);
        warnings.retain(Lint::is_finding);
    }
    Ok(SuiteResult { name: suite.name.clone(), source: suite.source.clone(), cases, warnings })
}

/// The suite's policies, for Kubernetes 1.`minor`.
pub(super) fn compile(suite: &Suite, definitions: &[Manifest], minor: u32) -> Result<PolicySet, Vec<LoadError>> {
    compile_with(suite, definitions, minor, false)
}

/// The suite's policies, for Kubernetes 1.`minor`; with `probes`, the parts of their expressions report.
fn compile_with(
    suite: &Suite,
    definitions: &[Manifest],
    minor: u32,
    probes: bool,
) -> Result<PolicySet, Vec<LoadError>> {
    let loaded = policy::load_with(&suite.policies, Libraries::of_stored_expressions(minor).with_probes(probes));
    if !loaded.errors.is_empty() {
        return Err(loaded.errors);
    }
    let (exemptions, errors) = Exemptions::load(&suite.exemptions);
    if !errors.is_empty() {
        return Err(errors);
    }
    let kinds = policy::defined_kinds(definitions.iter().chain(&suite.policies));
    Ok(PolicySet::new(loaded.policies, loaded.params, exemptions).with_kinds(kinds))
}

/// The params of a case that has some of its own: the suite's with those in place of, or beside, them.
pub(super) fn params_of(case: &Case, of_suite: &Params) -> Option<Params> {
    if case.params.is_empty() {
        return None;
    }
    let mut params = of_suite.clone();
    for param in &case.params {
        params.insert(param.view(&Arena::new()));
    }
    Some(params)
}

/// What a case is run with besides the policies.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    /// The set that params, exemptions and definitions are taken from.
    pub base: &'g PolicySet,
    /// The params of the case, in place of those.
    pub params: Option<&'g Params>,
    /// Who listens.
    pub observer: Option<&'g dyn Observer>,
}

/// What decided the findings of a case; `policies` are compiled with probes.
fn explain_case(case: &Case, policies: &PolicySet, given: Given<'_>) -> Vec<Explained> {
    let arena = Arena::new();
    let subject = Subject::new(&arena, &case.request);
    if [subject.object, subject.old_object].into_iter().any(|object| undecodable(object).is_some()) {
        return Vec::new();
    }
    let explained = |finding: Finding<'_>| {
        let (Some(validation), Some(explanation)) = (finding.expression_index, finding.explanation) else {
            return None;
        };
        Some(Explained { policy: finding.policy.to_owned(), validation, explanation })
    };
    let decision = review(&arena, case, &subject, policies, given, true);
    let mut all: Vec<_> = decision.findings.into_iter().filter_map(explained).collect();
    // Several exemptions divide one finding.
    all.dedup();
    all
}

/// What is not as the case expects; empty where all is.
pub(super) fn run_case(case: &Case, policies: &PolicySet, given: Given<'_>) -> Vec<String> {
    let arena = Arena::new();
    let subject = Subject::new(&arena, &case.request);
    // A partial object is what a case is about, and no more; a wrong type is one that no policy ever sees.
    let refused = [subject.object, subject.old_object].into_iter().find_map(undecodable);
    if let Some(refusal) = refused {
        return vec![format!("no API server would take the object: {}", refusal.message)];
    }
    let decision = review(&arena, case, &subject, policies, given, false);
    let judges = policies.policies().iter().any(|policy| matches!(policy.rules, Rules::Validate { .. }));
    let mut failures = compare_verdict(&case.expect, &decision, judges);
    if let Some(expected) = &case.expect.patched {
        let expected = with_namespace(&arena, expected.view(&arena), subject.namespace);
        // Both with their defaults: they are equal if and only if they are equal but for defaults.
        let request = subject.request(&arena, &case.request);
        let expected = if case.request.defaulting { default(&arena, request.kind, expected) } else { expected };
        let actual = decision.mutated.as_ref().map_or(request.object, |mutated| mutated.stored);
        if expected != actual {
            failures
                .push(format!("the object afterwards is not as expected:\n{}", difference(&arena, expected, actual)));
        }
    }
    failures
}

/// The decision on a case's request.
fn review<'a>(
    arena: &'a Arena,
    case: &'a Case,
    subject: &Subject<'a>,
    policies: &'a PolicySet,
    given: Given<'a>,
    explain: bool,
) -> Decision<'a> {
    let namespaces = arena.alloc(KnownNamespaces::default());
    if let Some(object) = &case.request.namespace_object {
        namespaces.insert(subject.namespace, object.view(arena));
    }
    let context = Context {
        namespaces,
        authorizer: case.request.authorizer.as_ref().map(|answers| answers as &dyn Authorizer),
        defaulting: case.request.defaulting,
        now: case.request.now.unwrap_or_else(SystemTime::now),
        params: given.params.or(Some(given.base.params())),
        exemptions: Some(given.base.exemptions()),
        definitions: Some(given.base.definitions()),
        observer: given.observer,
        explain,
        ..Context::new(arena)
    };
    policies.review(&subject.request(arena, &case.request), &context)
}

/// A case's objects, completed.
struct Subject<'a> {
    object: Value<'a>,
    old_object: Value<'a>,
    resource: &'a Resource,
    namespace: &'a str,
}

impl<'a> Subject<'a> {
    fn new(arena: &'a Arena, case: &'a CaseRequest) -> Self {
        let view = |tree: &'a Option<Tree>| tree.as_ref().map_or(Value::Null, |tree| tree.view(arena));
        let (object, old_object) = (view(&case.object), view(&case.old_object));
        let subject = if object.is_null() { old_object } else { object };
        let text = |path: &[&str]| subject.at(path).and_then(|value| value.as_str()).unwrap_or_default();
        let (group, _) = split_api_version(text(&["apiVersion"]));
        let resource = arena.alloc(Resources::default().of(group, text(&["kind"])));
        let namespace = match text(&["metadata", "namespace"]) {
            _ if !resource.namespaced => "",
            "" => &case.namespace,
            written => written,
        };
        Self {
            object: with_namespace(arena, object, namespace),
            old_object: with_namespace(arena, old_object, namespace),
            resource,
            namespace,
        }
    }

    fn request(&self, arena: &'a Arena, case: &'a CaseRequest) -> Request<'a> {
        let user_info = case.user_info.as_ref().map_or_else(|| anybody(arena), |user| user.view(arena));
        let attributes = Attributes {
            resource: &self.resource.name,
            subresource: &case.subresource,
            namespace: self.namespace,
            operation: case.operation,
            user_info,
            dry_run: case.dry_run,
            defaulting: case.defaulting,
        };
        let object = if case.operation == Operation::Delete { Value::Null } else { self.object };
        let old_object = match case.operation {
            // A suite may write the object of a deletion under either name.
            Operation::Delete if self.old_object.is_null() => self.object,
            _ => self.old_object,
        };
        offline::request(arena, object, old_object, attributes)
    }
}

/// The user of cases that name none.
fn anybody(arena: &Arena) -> Value<'_> {
    let groups = Value::Array(arena.alloc_slice_copy(&[Value::String("system:authenticated")]));
    Value::Object(Object::new(arena, &[("username", Value::String("portcullis:test")), ("groups", groups)]))
}

/// What of the verdict is not as expected. `judges`: whether there is a policy that could have judged the object.
fn compare_verdict(expect: &Expect, decision: &Decision<'_>, judges: bool) -> Vec<String> {
    let of_policy = |finding: &&Finding<'_>| expect.policy.as_ref().is_none_or(|policy| policy == finding.policy);
    let findings: Vec<_> = decision.findings.iter().filter(of_policy).collect();
    let is_error = |finding: &Finding<'_>| finding.evaluation == Evaluation::Error;
    let has_error = findings.iter().any(|finding| is_error(finding));
    let strongest = findings.iter().map(|finding| finding.verdict).max();
    let objects_with = |verdict| !has_error && strongest == Some(verdict);
    let holds = match expect.verdict {
        None => decision.allowed(),
        Some(ExpectedVerdict::Allow) => {
            let objects = strongest.is_some_and(|strongest| strongest > Verdict::Exempt);
            !objects && (!findings.is_empty() || !judges || decision.mutated.is_some())
        }
        Some(ExpectedVerdict::Deny) => findings.iter().any(|f| f.verdict == Verdict::Deny && !is_error(f)),
        Some(ExpectedVerdict::Warn) => objects_with(Verdict::Warn),
        Some(ExpectedVerdict::Audit) => objects_with(Verdict::Audit),
        Some(ExpectedVerdict::Exempt) => objects_with(Verdict::Exempt),
        Some(ExpectedVerdict::Error) => has_error,
        Some(ExpectedVerdict::Skip) => findings.is_empty() && decision.mutated.is_none(),
    };
    if !holds {
        let expected = expect.verdict.unwrap_or(ExpectedVerdict::Allow).as_str();
        let policy = expect.policy.as_ref().map(|policy| format!(" by {policy}")).unwrap_or_default();
        return vec![format!("expected {expected}{policy}, but {}", describe(decision))];
    }
    let follows = |wanted: FailurePolicy| {
        let is_ignored = |finding: &&&Finding<'_>| finding.verdict == Verdict::Error;
        findings.iter().filter(|finding| is_error(finding)).any(|f| is_ignored(&f) == (wanted == FailurePolicy::Ignore))
    };
    if let Some(wanted) = expect.failure_policy.filter(|wanted| !follows(*wanted)) {
        return vec![format!("expected an error treated by failurePolicy: {wanted:?}, but {}", describe(decision))];
    }
    let says = |finding: &&&Finding<'_>| {
        let message = expect.message.as_ref().is_none_or(|message| message.is_match(&finding.message));
        let field =
            expect.field.as_ref().is_none_or(|field| finding.offenders.iter().any(|offender| offender.field == *field));
        let expected = match expect.verdict {
            Some(ExpectedVerdict::Error) => is_error(finding),
            Some(ExpectedVerdict::Deny) => finding.verdict == Verdict::Deny && !is_error(finding),
            _ => finding.verdict != Verdict::Pass,
        };
        message && field && expected
    };
    if (expect.message.is_some() || expect.field.is_some()) && !findings.iter().any(|finding| says(&finding)) {
        let found = findings.into_iter().filter(|finding| finding.verdict != Verdict::Pass);
        return vec![beside_each_other(expect, found)];
    }
    Vec::new()
}

/// What was expected of a finding beside what was found, as lines of a difference.
fn beside_each_other<'f>(expect: &Expect, found: impl Iterator<Item = &'f Finding<'f>>) -> String {
    let mut text = "no finding is as expected:".to_owned();
    // Writing to a string cannot fail.
    if let Some(field) = &expect.field {
        let _ = write!(text, "\n-field: {field}");
    }
    if let Some(message) = &expect.message {
        let _ = write!(text, "\n-message like: {message}");
    }
    for finding in found {
        let fields: Vec<_> = finding.offenders.iter().map(|offender| offender.field.as_str()).collect();
        if expect.field.is_some() {
            let _ = write!(text, "\n+field: {}", fields.join(", "));
        }
        let verdict = finding.verdict.name();
        let _ = write!(text, "\n+{verdict} by {}: {}", finding.policy, finding.message);
    }
    text
}

/// What a decision came to, for the author of a case that expected something else.
fn describe(decision: &Decision<'_>) -> String {
    let mut text = String::new();
    let mutated = decision.mutated.as_ref();
    match mutated {
        Some(mutated) => text.push_str(&format!("{} changed the object", mutated.policies.join(", "))),
        None if decision.findings.is_empty() => text.push_str("no policy matched the object: skip"),
        None => {}
    }
    if mutated.is_some() && !decision.findings.is_empty() {
        text.push_str(", and ");
    }
    if decision.findings.is_empty() {
        return text;
    }
    if decision.findings.iter().all(|finding| finding.verdict == Verdict::Pass) {
        text.push_str("every policy that matched is satisfied: allow");
        return text;
    }
    text.push_str("found:");
    for finding in decision.findings.iter().filter(|finding| finding.verdict != Verdict::Pass) {
        let verdict = match (finding.evaluation, finding.verdict) {
            (Evaluation::Error, Verdict::Deny) => "error (denies)",
            (_, verdict) => verdict.name(),
        };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{verdict} by {}: {}", finding.policy, finding.message);
    }
    text
}

/// The lines that differ, expected ones with `-`, actual ones with `+`, three lines of context around them.
fn difference(arena: &Arena, expected: Value<'_>, actual: Value<'_>) -> String {
    let (expected, actual) = (yaml::to_yaml(sorted(arena, expected)), yaml::to_yaml(sorted(arena, actual)));
    let diff = TextDiff::from_lines(&expected, &actual);
    let mut text = String::new();
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text.push(sign);
            text.push_str(change.value().trim_end_matches('\n'));
            text.push('\n');
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// The value with the members of every object sorted, so that only differences show.
fn sorted<'a>(arena: &'a Arena, value: Value<'a>) -> Value<'a> {
    match value {
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| sorted(arena, *element)).collect();
            Value::Array(arena.alloc_slice_copy(&elements))
        }
        Value::Object(object) => {
            let mut members: Vec<_> =
                object.members().iter().map(|(key, value)| (*key, sorted(arena, *value))).collect();
            members.sort_by_key(|(key, _)| *key);
            Value::Object(Object::new(arena, &members))
        }
        scalar => scalar,
    }
}
