//! The format of test suites, read strictly: a key that nobody knows is an error with its line.

use std::cell::Cell;
use std::time::SystemTime;

use jiff::Timestamp;
use regex::Regex;

use crate::admission::GivenAnswers;
use crate::engine::Operation;
use crate::json::{Arena, INDEXED_FROM, Value};
use crate::policy::model::{FailurePolicy, Source};
use crate::policy::{Document, Fault, Fields, LoadError, Manifest, Node, Problems, Tree};

use super::set::{Base, set};

/// A test suite: policies, and what they have to say about requests.
#[derive(Debug)]
pub struct Suite {
    /// `metadata.name`.
    pub name: String,
    /// The suite's document.
    pub source: Source,
    /// The manifests that `spec.policies` names.
    pub policies: Vec<Manifest>,
    /// The manifests that `spec.exemptions` names.
    pub exemptions: Vec<Manifest>,
    /// `spec.cases`.
    pub cases: Vec<Case>,
    /// `spec.acceptedMutants`.
    pub accepted_mutants: Vec<AcceptedMutant>,
}

impl Suite {
    /// The cases whose `suite/case` name matches.
    pub fn selected(&self, filter: Option<&Regex>) -> impl Iterator<Item = &Case> {
        let is_selected =
            move |case: &&Case| filter.is_none_or(|filter| filter.is_match(&format!("{}/{}", self.name, case.name)));
        self.cases.iter().filter(is_selected)
    }
}

/// A change to a policy that no case has to notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedMutant {
    /// Its name, as `test --mutants` prints it.
    pub name: String,
    /// Why no case has to notice it.
    pub reason: String,
    /// The line that says so.
    pub source: Source,
}

/// One request and what is expected of it.
#[derive(Debug)]
pub struct Case {
    /// What it shows, as a sentence.
    pub name: String,
    /// The case's first line.
    pub source: Source,
    /// The request.
    pub request: CaseRequest,
    /// Objects that replace params of the same kind, namespace and name, or add to them.
    pub params: Vec<Tree>,
    /// What has to come out.
    pub expect: Expect,
}

/// A request as a suite describes it; what it leaves open is filled in when it runs.
#[derive(Clone, Debug)]
pub struct CaseRequest {
    /// `CREATE` where absent.
    pub operation: Operation,
    /// Empty for none.
    pub subresource: String,
    /// The namespace of namespaced objects that name none; `default` where absent.
    pub namespace: String,
    /// The object; absent for DELETE.
    pub object: Option<Tree>,
    /// The object before.
    pub old_object: Option<Tree>,
    /// `request.userInfo`.
    pub user_info: Option<Tree>,
    /// The Namespace object of the object's namespace.
    pub namespace_object: Option<Tree>,
    /// `request.dryRun`.
    pub dry_run: bool,
    /// Whether objects get the API server's defaults: before they are judged, and before they are compared.
    pub defaulting: bool,
    /// The time that exemptions expire by; absent for the time at which the case runs.
    pub now: Option<SystemTime>,
    /// What `authorizer` answers; `None` leaves it unanswered, an error of the expressions that ask.
    pub authorizer: Option<GivenAnswers>,
}

/// What has to come out of a request; all that is given has to hold.
#[derive(Debug, Default)]
pub struct Expect {
    /// The verdict; where absent, the request has to be allowed.
    pub verdict: Option<ExpectedVerdict>,
    /// A finding's message.
    pub message: Option<Regex>,
    /// The policy that found it.
    pub policy: Option<String>,
    /// The field that it names.
    pub field: Option<String>,
    /// The whole object after mutation.
    pub patched: Option<Tree>,
    /// The failure policy that decided what becomes of the error.
    pub failure_policy: Option<FailurePolicy>,
}

/// `expect.verdict`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedVerdict {
    /// Policies judged the object, and none objects.
    Allow,
    /// A validation denies it.
    Deny,
    /// The strongest finding is a warning.
    Warn,
    /// The strongest finding is recorded only.
    Audit,
    /// Every finding is set aside by an exemption.
    Exempt,
    /// No policy judged the object.
    Skip,
    /// A policy could not be evaluated.
    Error,
}

/// Where suites get the files that they name.
pub trait Files {
    /// The file at `path`, relative to the suite.
    ///
    /// # Errors
    /// Why it can't be read.
    fn read(&self, path: &str) -> Result<Manifest, String>;
}

/// Reads the suites in `manifest`.
///
/// # Errors
/// Everything that is wrong with them, each with its line and what to write instead.
pub fn load(manifest: &Manifest, files: &dyn Files) -> Result<Vec<Suite>, Vec<LoadError>> {
    let arena = Arena::new();
    let mut errors = Vec::new();
    let mut suites = Vec::new();
    let copied = Cell::new(0);
    for document in manifest.objects(&arena, &mut errors) {
        let problems = Problems::default();
        let node = Node::new(document.value, document.path.clone(), &problems);
        let reader = Reader { document: &document, files, copied: &copied };
        let suite = node.fields(|fields| reader.suite(fields));
        let found = document.report(problems, &mut errors);
        suites.extend(suite.filter(|_| found.is_empty()));
    }
    if errors.is_empty() { Ok(suites) } else { Err(errors) }
}

struct Reader<'r, 'a> {
    document: &'r Document<'a>,
    files: &'r dyn Files,
    /// The memory that copies of base objects take.
    copied: &'r Cell<usize>,
}

/// `spec.defaults`.
struct Defaults<'r> {
    base: Option<Base<'r>>,
    namespace: String,
    operation: Operation,
    user_info: Option<Tree>,
    authorizer: Option<GivenAnswers>,
    defaulting: bool,
    now: Option<SystemTime>,
}

const OPERATIONS: [(&str, Operation); 4] = [
    ("CREATE", Operation::Create),
    ("UPDATE", Operation::Update),
    ("DELETE", Operation::Delete),
    ("CONNECT", Operation::Connect),
];

impl<'r, 'a> Reader<'r, 'a> {
    fn suite(&self, fields: &mut Fields<'a, '_>) -> Option<Suite> {
        fields.require("apiVersion", API_VERSION_ADVICE)?.word(&[("portcullis.dev/v1alpha1", ())]);
        fields.require("kind", "write kind: PolicyTest")?.word(&[("PolicyTest", ())]);
        let name = fields.require("metadata", "write metadata: {name: …}")?.fields(|metadata| {
            metadata.ignore(&["labels", "annotations"]);
            metadata.text("name", "", "write the name of the suite").map(|(name, _)| name.to_owned())
        });
        let spec = fields.require("spec", "write spec: {policies: […], cases: […]}")?.fields(|spec| {
            let policies = spec.require("policies", "write policies: [policy.yaml]");
            let policies = policies.map(|list| list.list(|path| self.file(&path))).unwrap_or_default();
            let exemptions = spec.get("exemptions").map(|list| list.list(|path| self.file(&path))).unwrap_or_default();
            let defaults =
                spec.get("defaults").and_then(|defaults| defaults.fields(|fields| Some(self.defaults(fields))));
            let defaults = defaults.unwrap_or_else(|| Defaults {
                base: None,
                namespace: "default".to_owned(),
                operation: Operation::Create,
                user_info: None,
                authorizer: None,
                defaulting: true,
                now: None,
            });
            let accepted = spec.get("acceptedMutants").map(|list| list.list(|entry| self.accepted(&entry)));
            let cases = spec.require("cases", "write cases: [{name: …, object: …, expect: …}]")?;
            let cases = cases.list(|case| self.case(&case, &defaults));
            Some((policies, exemptions, cases, accepted.unwrap_or_default()))
        });
        let (policies, exemptions, cases, accepted_mutants) = spec?;
        Some(Suite { name: name?, source: self.document.at.clone(), policies, exemptions, cases, accepted_mutants })
    }

    fn defaults(&self, fields: &mut Fields<'a, '_>) -> Defaults<'r> {
        let base = self.object_or_file(fields, "object", "objectFile");
        Defaults {
            base: base.map(|object| Base::new(object, self.copied)),
            namespace: string(fields, "namespace").unwrap_or_else(|| "default".to_owned()),
            operation: fields.get("operation").and_then(|word| word.word(&OPERATIONS)).unwrap_or(Operation::Create),
            user_info: object(fields, "userInfo"),
            authorizer: answers(fields),
            defaulting: boolean(fields, "defaulting").unwrap_or(true),
            now: time(fields, "now"),
        }
    }

    fn accepted(&self, node: &Node<'a, '_>) -> Option<AcceptedMutant> {
        let source = Source { line: self.document.line(node.path()), ..self.document.at.clone() };
        node.fields(|fields| {
            let name = fields.text("name", "", "write the mutant's name, as portcullis test --mutants prints it");
            let reason = fields.text("reason", "", "write why no case has to notice it");
            Some(AcceptedMutant { name: name?.0.to_owned(), reason: reason?.0.to_owned(), source })
        })
    }

    fn case(&self, node: &Node<'a, '_>, defaults: &Defaults<'_>) -> Option<Case> {
        let line = self.document.line(node.path());
        let source = Source { line, ..self.document.at.clone() };
        node.fields(|fields| {
            let (name, _) = fields.text("name", "", "write what the case shows, as a sentence")?;
            let operation = match fields.get("operation") {
                Some(word) => word.word(&OPERATIONS)?,
                None => defaults.operation,
            };
            let (subject, old_subject) = self.objects(fields, operation, defaults.base.as_ref());
            let request = CaseRequest {
                operation,
                subresource: string(fields, "subresource").unwrap_or_default(),
                namespace: string(fields, "namespace").unwrap_or_else(|| defaults.namespace.clone()),
                object: subject,
                old_object: old_subject,
                user_info: object(fields, "userInfo").or_else(|| defaults.user_info.clone()),
                namespace_object: object(fields, "namespaceObject"),
                dry_run: boolean(fields, "dryRun").unwrap_or(false),
                defaulting: boolean(fields, "defaulting").unwrap_or(defaults.defaulting),
                now: time(fields, "now").or(defaults.now),
                authorizer: answers(fields).or_else(|| defaults.authorizer.clone()),
            };
            if request.object.is_none() && request.old_object.is_none() {
                let advice = "write the object, or objectFile: path#kind/name, or spec.defaults.object for all cases";
                fields.missing("object", "", advice);
            }
            let params = fields.get("params").map(|params| objects(&params)).unwrap_or_default();
            let expect = fields.require("expect", "write expect: {verdict: allow}")?;
            let expect = expect.fields(|fields| self.expect(fields))?;
            Some(Case { name: name.to_owned(), source, request, params, expect })
        })
    }

    /// The object of a case and the one before it: what the case gives, or else the suite's base, with what `set` and
    /// `oldSet` change.
    fn objects(
        &self,
        fields: &mut Fields<'a, '_>,
        operation: Operation,
        base: Option<&Base<'_>>,
    ) -> (Option<Tree>, Option<Tree>) {
        let object = self.object_or_file(fields, "object", "objectFile");
        let old_object = self.object_or_file(fields, "oldObject", "oldObjectFile");
        // What is deleted may be given under either name.
        let is_given = object.is_some() || old_object.is_some();
        let (lacks_object, lacks_old_object) = match operation {
            Operation::Create | Operation::Connect => (object.is_none(), false),
            Operation::Update => (object.is_none(), old_object.is_none()),
            Operation::Delete => (false, !is_given),
        };
        let copy = |lacking: bool| {
            let copy = base.filter(|_| lacking)?.copy();
            if copy.is_none() {
                let detail = "the copies of spec.defaults.object in this file take too much memory";
                fields.forbid("set", detail, "write a smaller object, or several files");
            }
            copy
        };
        let (object, old_object) =
            (object.or_else(|| copy(lacks_object)), old_object.or_else(|| copy(lacks_old_object)));
        (changed(fields, "set", object), changed(fields, "oldSet", old_object))
    }

    fn expect(&self, fields: &mut Fields<'a, '_>) -> Option<Expect> {
        let verdict = fields.get("verdict").and_then(|word| {
            word.word(&[
                ("allow", ExpectedVerdict::Allow),
                ("deny", ExpectedVerdict::Deny),
                ("warn", ExpectedVerdict::Warn),
                ("audit", ExpectedVerdict::Audit),
                ("exempt", ExpectedVerdict::Exempt),
                ("skip", ExpectedVerdict::Skip),
                ("error", ExpectedVerdict::Error),
            ])
        });
        let message = fields.get("message").and_then(|node| {
            let text = node.string()?;
            Regex::new(text)
                .inspect_err(|error| node.invalid(text, regex_problem(error), "write a regular expression"))
                .ok()
        });
        let expect = Expect {
            verdict,
            message,
            policy: string(fields, "policy"),
            field: string(fields, "field"),
            patched: self.object_or_file(fields, "patched", "patchedFile"),
            failure_policy: fields
                .get("failurePolicy")
                .and_then(|word| word.word(&[("Fail", FailurePolicy::Fail), ("Ignore", FailurePolicy::Ignore)])),
        };
        let about_finding = expect.message.is_some() || expect.policy.is_some() || expect.field.is_some();
        if expect.failure_policy.is_some() && expect.verdict != Some(ExpectedVerdict::Error) {
            let detail = "only an error is treated by the failure policy";
            fields.forbid("failurePolicy", detail, "remove it, or write verdict: error");
        }
        match expect.verdict {
            None if about_finding => fields.missing("verdict", "", "write the verdict that the finding has to have"),
            None if expect.patched.is_none() => fields.missing("verdict", "", "write verdict: allow, or patched: …"),
            Some(ExpectedVerdict::Allow | ExpectedVerdict::Skip) if about_finding => {
                let detail = "a case that is allowed or skipped has no finding";
                fields.forbid("verdict", detail, "remove message, policy and field, or write another verdict");
            }
            _ => {}
        }
        Some(expect)
    }

    fn file(&self, path: &Node<'a, '_>) -> Option<Manifest> {
        let name = path.string()?;
        self.files
            .read(name)
            .inspect_err(|problem| path.invalid(name, problem, "write a path relative to this file"))
            .ok()
    }

    /// The object at `inline`, or the one that `in_file` refers to.
    fn object_or_file(&self, fields: &mut Fields<'a, '_>, inline: &'static str, in_file: &'static str) -> Option<Tree> {
        let written = object(fields, inline);
        let Some(reference) = fields.get(in_file) else { return written };
        if written.is_some() {
            fields.forbid(in_file, "the object is given twice", "remove one of them");
            return None;
        }
        let text = reference.string()?;
        let (path, wanted) = match text.split_once('#') {
            Some((path, wanted)) => (path, Some(wanted)),
            None => (text, None),
        };
        find_in_file(self.files, path, wanted)
            .inspect_err(|(problem, advice)| reference.invalid(text, problem, advice))
            .ok()
    }
}

const API_VERSION_ADVICE: &str = "write apiVersion: portcullis.dev/v1alpha1";

/// The object called `wanted` (`kind/name`) in a file, or the only one.
fn find_in_file(files: &dyn Files, path: &str, wanted: Option<&str>) -> Result<Tree, (String, String)> {
    let relative = "write a path relative to this file".to_owned();
    let manifest = files.read(path).map_err(|problem| (problem, relative))?;
    let (arena, mut errors) = (Arena::new(), Vec::new());
    let objects = manifest.objects(&arena, &mut errors);
    if let Some(error) = errors.first() {
        return Err((error.to_string(), String::new()));
    }
    let name = |object: &Document<'_>| format!("{}/{}", object.text(&["kind"]), object.text(&["metadata", "name"]));
    let known: Vec<_> = objects.iter().map(name).collect();
    let found = match (wanted, objects.as_slice()) {
        (None, [only]) => Some(only),
        (None, _) => {
            return Err((
                format!("{} objects", objects.len()),
                format!("write {path}#kind/name: {}", known.join(", ")),
            ));
        }
        (Some(wanted), all) => all.iter().find(|object| name(object).eq_ignore_ascii_case(wanted)),
    };
    found
        .map(|object| Tree::from(object.value))
        .ok_or_else(|| ("no such object".to_owned(), format!("it holds {}", known.join(", "))))
}

/// The object with the changes at `name`, in their order.
fn changed(fields: &mut Fields<'_, '_>, name: &'static str, object: Option<Tree>) -> Option<Tree> {
    let Some(changes) = fields.get(name) else { return object };
    let Some(mut object) = object else {
        let advice = match name {
            "set" => "write object, or spec.defaults.object; what is deleted is the old object: write oldSet",
            _ => "write oldObject, or spec.defaults.object and operation: UPDATE or DELETE",
        };
        fields.forbid(name, "there is no object to change", advice);
        return None;
    };
    let members = changes.members();
    if members.len() > INDEXED_FROM {
        // A longer object is kept sorted, and the order of changes matters.
        let fault = Fault::TooMany { count: members.len(), limit: INDEXED_FROM };
        changes.report(fault, "set an object that holds several of the fields, or write the object itself");
        return None;
    }
    for (path, field) in members {
        if let Err(error) = set(&mut object, path, field.value()) {
            field.invalid(path, error.to_string(), "");
        }
    }
    Some(object)
}

fn regex_problem(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(limit) => format!("compiles to more than {limit} bytes"),
        // Its own text shows the pattern with a marker over several lines; the last one says what is wrong.
        other => other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    }
}

fn string(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<String> {
    fields.get(name).and_then(|node| node.string()).map(str::to_owned)
}

fn answers(fields: &mut Fields<'_, '_>) -> Option<GivenAnswers> {
    fields.get("authorizer").map(|rules| GivenAnswers::read(&rules))
}

fn boolean(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<bool> {
    let node = fields.get(name)?;
    let value = node.value().as_bool();
    if value.is_none() {
        node.report(Fault::Type { expected: "true or false", found: "something else" }, "");
    }
    value
}

fn time(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<SystemTime> {
    let node = fields.get(name)?;
    let text = node.string()?;
    let time = text.parse::<Timestamp>();
    if time.is_err() {
        node.invalid(text, "must be an RFC 3339 time", "write for example 2027-03-31T12:00:00Z");
    }
    time.ok().map(SystemTime::from)
}

fn object(fields: &mut Fields<'_, '_>, name: &'static str) -> Option<Tree> {
    object_node(&fields.get(name)?)
}

fn object_node(node: &Node<'_, '_>) -> Option<Tree> {
    let value = node.value();
    if value.as_object().is_none() {
        node.report(Fault::Type { expected: "an object", found: "something else" }, "write the object itself");
        return None;
    }
    Some(Tree::from(value))
}

/// One object or a list of them.
fn objects(node: &Node<'_, '_>) -> Vec<Tree> {
    match node.value() {
        Value::Array(_) => node.list(|element| object_node(&element)),
        _ => object_node(node).into_iter().collect(),
    }
}

impl ExpectedVerdict {
    /// As suites spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            ExpectedVerdict::Allow => "allow",
            ExpectedVerdict::Deny => "deny",
            ExpectedVerdict::Warn => "warn",
            ExpectedVerdict::Audit => "audit",
            ExpectedVerdict::Exempt => "exempt",
            ExpectedVerdict::Skip => "skip",
            ExpectedVerdict::Error => "error",
        }
    }
}
