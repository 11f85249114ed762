//! The embedded suites' cases as requests to both, and what Portcullis finds.

use std::collections::BTreeSet;

use portcullis::admission::offline::{self, Attributes, KnownNamespaces, with_namespace};
use portcullis::admission::resources::{Resources, split_api_version};
use portcullis::defaulting::default;
use portcullis::engine::{Context, Decision, Finding, GroupVersionKind, Operation, PolicySet, Verdict};
use portcullis::harness::{self, CaseRequest, Files, Suite};
use portcullis::json::{self, Arena, Limits};
use portcullis::policy::{self, EMBEDDED_PREFIX, Embedded, Exemptions, Manifest, PolicyType, Tree};
use serde_json::{Value, json};

pub const MINOR: u32 = 36;

/// A suite with its cases in rounds: those of a round want the same params.
pub struct EmbeddedSuite {
    pub entry: Embedded,
    suite: Suite,
    pub rounds: Vec<Round>,
}

/// Cases that want the same params.
pub struct Round {
    /// What replaces shipped params.
    params: Vec<Value>,
    pub cases: Vec<usize>,
}

/// Something that a policy objects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub policy: String,
    pub message: String,
    /// Whether the message is only the beginning of what is said.
    pub is_cut: bool,
}

/// A case of a suite, perhaps about another object than it is written with.
pub struct Case<'s> {
    suite: &'s EmbeddedSuite,
    at: usize,
    pub object: Value,
    pub old_object: Value,
}

/// A case as it is asked.
pub struct Asked {
    /// Whose policies' findings are looked at.
    policies: BTreeSet<String>,
    /// The request, or why none can be made of it.
    pub request: Result<NativeRequest, String>,
    /// What Portcullis finds.
    pub expected: BTreeSet<Violation>,
}

/// A case as a request to the API server.
#[derive(Clone)]
pub struct NativeRequest {
    /// Of those whose policies judge it.
    pub group: String,
    pub operation: Operation,
    pub object: Value,
    pub old_object: Value,
    pub subresource: String,
    pub user: String,
    pub groups: Vec<String>,
    pub dry_run: bool,
}

/// Cases about what no API server has in the objects that it shows to policies, and why.
const CHANGED: [(&str, &str); 5] = [
    ("pss-baseline-apparmor/rejects unconfined", "the field that the annotation stands for is filled in"),
    ("pss-restricted-volume-types/rejects a type of a later version", "fields of later versions are dropped"),
    ("disruption-budget-sane/rejects as many as the cluster has counted", "an object has no status when it is created"),
    ("backup-required/warns of a claim whose name is still to be generated", "the name is generated"),
    ("service-exposure/rejects a Service whose name is still to be generated", "the name is generated"),
];

/// The policies of the bundle, as seen from the folder of one of them.
struct Beside(Embedded);

impl Files for Beside {
    fn read(&self, path: &str) -> Result<Manifest, String> {
        if path == "policy.yaml" {
            return Ok(self.0.manifest());
        }
        let is_it = |entry: &Embedded| path == format!("../../{}/{}/policy.yaml", entry.category, entry.name);
        let other = policy::embedded().into_iter().find(is_it);
        other.map(|entry| entry.manifest()).ok_or_else(|| format!("{path} is not embedded"))
    }
}

/// The suites of policies of a type.
pub fn suites(of: PolicyType) -> Vec<EmbeddedSuite> {
    let kind = format!("kind: {}\n", of.kind());
    let mut suites = Vec::new();
    for entry in policy::embedded() {
        if !entry.policy.contains(&kind) || entry.tests.is_empty() {
            continue;
        }
        let manifest = Manifest::new(format!("{}/tests.yaml", entry.name), entry.tests);
        for suite in harness::load(&manifest, &Beside(entry)).expect("embedded suites load") {
            let mut rounds: Vec<Round> = vec![Round { params: Vec::new(), cases: Vec::new() }];
            for (at, case) in suite.cases.iter().enumerate() {
                let params: Vec<Value> = case.params.iter().map(value).collect();
                if params.iter().any(is_unkept) {
                    eprintln!("{}/{}: not asked natively: no API server keeps such params", suite.name, case.name);
                    continue;
                }
                match rounds.iter_mut().find(|round| round.params == params) {
                    Some(round) => round.cases.push(at),
                    None => rounds.push(Round { params, cases: vec![at] }),
                }
            }
            suites.push(EmbeddedSuite { entry, suite, rounds });
        }
    }
    suites
}

/// Whether it is a ConfigMap whose data are not all texts: a file can hold one, a cluster can't.
fn is_unkept(object: &Value) -> bool {
    let data = object["data"].as_object();
    object["kind"] == "ConfigMap" && data.is_some_and(|data| !data.values().all(Value::is_string))
}

impl EmbeddedSuite {
    pub fn name(&self) -> &str {
        &self.suite.name
    }

    /// The files of its policies.
    pub fn files(&self) -> Vec<String> {
        let file =
            |manifest: &Manifest| manifest.file.strip_prefix(EMBEDDED_PREFIX).expect("an embedded file").to_owned();
        let files = self.suite.policies.iter().map(file);
        files.map(|file| format!("{}/policies/{file}", env!("CARGO_MANIFEST_DIR"))).collect()
    }

    /// The objects that its policies take as params in a round.
    pub fn params(&self, round: &Round) -> Vec<Value> {
        let shipped = self.suite.policies.iter().flat_map(|manifest| super::super::deployed::objects(&manifest.text));
        let mut params: Vec<Value> = shipped.filter(|object| object["kind"] == "ConfigMap").collect();
        for replaced in &round.params {
            let is_same = |param: &&mut Value| param["metadata"]["name"] == replaced["metadata"]["name"];
            match params.iter_mut().find(is_same) {
                Some(param) => *param = replaced.clone(),
                None => params.push(replaced.clone()),
            }
        }
        params
    }
}

impl Violation {
    /// The violation as one of the policy about pods that a policy about workloads was made from.
    pub fn of_pod_policy(self) -> Self {
        Self { policy: pod_policy(&self.policy).to_owned(), ..self }
    }

    /// Whether `said` says the same, in whatever order: members of a map have none.
    pub fn is_said_by(&self, said: &Self) -> bool {
        let parts = |of: &Self| of.message.split("; ").map(str::to_owned).collect::<BTreeSet<_>>();
        let same = if said.is_cut { self.message.starts_with(&said.message) } else { parts(self) == parts(said) };
        self.policy == said.policy && same
    }
}

/// The policy of the bundle that one of the cluster was made from.
fn pod_policy(name: &str) -> &str {
    let name = name.split_once('.').map_or(name, |(_, name)| name);
    ["-workloads", "-cronjobs", "-podtemplates"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

impl Asked {
    /// The same, asked of the suite's policies with this prefix.
    pub fn of_group(mut self, prefix: &str) -> Self {
        if let Ok(request) = &mut self.request {
            request.group = format!("{prefix}.{}", request.group);
        }
        self
    }

    pub fn is_of_suite(&self, violation: &Violation) -> bool {
        self.policies.contains(pod_policy(&violation.policy))
    }
}

impl<'s> Case<'s> {
    pub fn new(suite: &'s EmbeddedSuite, at: usize) -> Self {
        let request = &suite.suite.cases[at].request;
        let view = |tree: &Option<Tree>| tree.as_ref().map_or(Value::Null, value);
        let mut case = Self { suite, at, object: view(&request.object), old_object: view(&request.old_object) };
        if request.operation == Operation::Delete && case.old_object.is_null() {
            case.old_object = case.object.take();
        }
        let namespace = &request.namespace;
        for object in [&mut case.object, &mut case.old_object].into_iter().filter(|object| !object.is_null()) {
            if resource_of(object).1 && object["metadata"]["namespace"].is_null() {
                object["metadata"]["namespace"] = json!(namespace);
            }
        }
        case
    }

    /// The same about other objects.
    pub fn with(&self, object: Value, old_object: Value) -> Self {
        Self { suite: self.suite, at: self.at, object, old_object }
    }

    pub fn name(&self) -> &str {
        &self.suite.suite.cases[self.at].name
    }

    pub fn request(&self) -> &CaseRequest {
        &self.suite.suite.cases[self.at].request
    }

    pub fn as_it_is(&self, round: &Round) -> Asked {
        self.but_for(round, Exemptions::default())
    }

    /// The case as it is where some of what policies find is exempt.
    pub fn but_for(&self, round: &Round, exemptions: Exemptions) -> Asked {
        let set = self.policies(round, exemptions);
        let policies = set.policies().iter().map(|policy| policy.name.clone()).collect();
        let (mut request, mut expected) = (self.native(), self.review(&set));
        if self.request().operation == Operation::Create {
            // What is created has a uid when policies see it, and what is in a file has none.
            let mut created = self.with(self.object.clone(), Value::Null);
            created.object["metadata"]["uid"] = json!("0b7a5a0e-3f0f-4e1c-9d55-3f7a3c1f2e11");
            let created = created.review(&set);
            if request.is_ok() && created != expected {
                request =
                    Err("a case about an object in a file, without the uid that the API server gives it".to_owned());
                expected = created;
            }
        }
        Asked { policies, request, expected }
    }

    /// What mutating policies make of the object, which the API server has completed.
    pub fn mutated(&self, round: &Round) -> Value {
        let set = self.policies(round, Exemptions::default());
        let (group, version) = split_api_version(self.object["apiVersion"].as_str().unwrap_or_default());
        let kind = GroupVersionKind { group, version, kind: self.object["kind"].as_str().unwrap_or_default() };
        self.decide(&set, |decision| match &decision.mutated {
            Some(mutated) => {
                let completed = json::to_json(default(&Arena::new(), kind, mutated.object));
                serde_json::from_str(&completed).expect("JSON")
            }
            None => self.object.clone(),
        })
    }

    fn policies(&self, round: &Round, exemptions: Exemptions) -> PolicySet {
        let mut loaded = policy::load(&self.suite.suite.policies, MINOR);
        for param in self.suite.params(round) {
            let text = param.to_string();
            let arena = Arena::new();
            loaded.params.insert(json::parse(&arena, text.as_bytes(), &Limits::default()).expect("JSON"));
        }
        PolicySet::new(loaded.policies, loaded.params, exemptions)
    }

    /// What Portcullis finds.
    fn review(&self, set: &PolicySet) -> BTreeSet<Violation> {
        self.decide(set, |decision| {
            let is_found = |finding: &&Finding<'_>| !matches!(finding.verdict, Verdict::Pass | Verdict::Exempt);
            let violation = |finding: &Finding<'_>| Violation {
                policy: finding.policy.to_owned(),
                message: finding.message.clone(),
                is_cut: false,
            };
            decision.findings.iter().filter(is_found).map(violation).collect()
        })
    }

    fn decide<T>(&self, set: &PolicySet, take: impl FnOnce(&Decision<'_>) -> T) -> T {
        let (arena, case) = (Arena::new(), self.request());
        let (text, old_text) = (self.object.to_string(), self.old_object.to_string());
        let user = json!({"username": self.user().0, "groups": self.user().1}).to_string();
        let parse = |text| json::parse(&arena, text, &Limits::default()).expect("JSON");
        let (object, old_object) = (parse(text.as_bytes()), parse(old_text.as_bytes()));
        let subject = if self.object.is_null() { &self.old_object } else { &self.object };
        let (resource, _) = resource_of(subject);
        let namespace = subject["metadata"]["namespace"].as_str().unwrap_or_default();
        let attributes = Attributes {
            resource: &resource,
            subresource: &case.subresource,
            namespace,
            operation: case.operation,
            user_info: parse(user.as_bytes()),
            dry_run: case.dry_run,
            defaulting: true,
        };
        let (object, old_object) =
            (with_namespace(&arena, object, namespace), with_namespace(&arena, old_object, namespace));
        let request = offline::request(&arena, object, old_object, attributes);
        let namespaces = KnownNamespaces::default();
        let decision =
            set.review(&request, &Context { namespaces: &namespaces, defaulting: true, ..Context::new(&arena) });
        take(&decision)
    }

    fn user(&self) -> (String, Vec<String>) {
        let Some(user) = &self.request().user_info else {
            return ("portcullis:test".to_owned(), vec!["system:authenticated".to_owned()]);
        };
        let user = value(user);
        let groups = user["groups"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
        let mut groups: Vec<String> = groups.collect();
        // Who is impersonated is authenticated.
        if !groups.iter().any(|group| group == "system:authenticated") {
            groups.push("system:authenticated".to_owned());
        }
        (user["username"].as_str().unwrap_or_default().to_owned(), groups)
    }

    fn native(&self) -> Result<NativeRequest, String> {
        let case = self.request();
        let refuse = |why: &str| Err(why.to_owned());
        if case.namespace_object.is_some() {
            return refuse("a case about its own Namespace object, which others share in the cluster");
        }
        if case.authorizer.is_some() {
            return refuse("a case that says what the authorizer answers");
        }
        if !case.defaulting {
            return refuse("a case about an object without defaults, which no API server shows to policies");
        }
        let name = format!("{}/{}", self.suite.name(), self.name());
        if let Some((_, why)) = CHANGED.iter().find(|(changed, _)| *changed == name) {
            return refuse(&format!("a case about what the API server changes before policies see it: {why}"));
        }
        let (user, groups) = self.user();
        if user.is_empty() || case.user_info.as_ref().is_some_and(|user| !value(user)["extra"].is_null()) {
            return refuse("a case about a user that can't be impersonated");
        }
        Ok(NativeRequest {
            group: self.suite.entry.name.to_owned(),
            operation: case.operation,
            object: self.object.clone(),
            old_object: self.old_object.clone(),
            subresource: case.subresource.clone(),
            user,
            groups,
            dry_run: case.dry_run,
        })
    }
}

/// The plural name of an object's kind, and whether it lives in a namespace.
fn resource_of(object: &Value) -> (String, bool) {
    let (group, _) = split_api_version(object["apiVersion"].as_str().unwrap_or_default());
    let resources = Resources::default();
    let resource = resources.of(group, object["kind"].as_str().unwrap_or_default());
    (resource.name.clone(), resource.namespaced)
}

fn value(tree: &Tree) -> Value {
    serde_json::from_str(&json::to_json(tree.view(&Arena::new()))).expect("JSON")
}
