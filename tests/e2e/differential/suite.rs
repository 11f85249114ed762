//! What is compared: suites of policies, and what is asked of the API server under them. Everything that a suite makes
//! carries its name, and its bindings select by that name, so that all suites can be installed at once.

use std::fmt::Write as _;

use hyper::Method;
use serde_json::{Value, json};

use super::api::{group_version, path_of};

/// Stands for the suite's name in everything that a suite says.
pub const NAME: &str = "$S";

/// The label by which a suite's bindings select namespaces, and cluster-scoped objects.
pub const LABEL: &str = "suite";

/// Policies with everything that they need, and requests that they judge.
pub struct Suite {
    /// What the suite is about.
    pub topic: &'static str,
    /// The suite's name, its namespace and the start of its policies' names.
    pub name: String,
    /// Policies and their bindings.
    pub policies: Vec<Value>,
    /// Objects that have to be there before anything is asked: params, further namespaces, what is updated or deleted.
    pub objects: Vec<Value>,
    /// Labels of the suite's namespace besides that of its name.
    pub namespace_labels: Value,
    /// The rules of a webhook configuration of this suite's own; `None` for the one that asks for everything.
    pub webhook_rules: Option<Value>,
    /// The requests.
    pub asks: Vec<Ask>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub method: Method,
    pub path: String,
    pub content_type: &'static str,
    pub body: Value,
    pub user: &'static str,
    /// The user's group besides that of everybody.
    pub group: &'static str,
}

impl Suite {
    /// A suite without policies.
    pub fn new(topic: &'static str) -> Self {
        Self {
            topic,
            name: String::new(),
            policies: Vec::new(),
            objects: Vec::new(),
            namespace_labels: json!({}),
            webhook_rules: None,
            asks: Vec::new(),
        }
    }

    /// A suite with one validating policy, bound with Deny.
    pub fn validating(topic: &'static str, spec: Value) -> Self {
        Self::new(topic).policy(NAME, spec).bind(NAME, json!({}))
    }

    /// A suite with one mutating policy, and its binding.
    pub fn mutating(topic: &'static str, spec: Value) -> Self {
        Self::new(topic).policy(NAME, spec).bind(NAME, json!({}))
    }

    /// Adds a policy, a mutating one if it has mutations. It matches every object of the suite unless it says otherwise.
    pub fn policy(mut self, name: &str, mut spec: Value) -> Self {
        let mutates = spec.get("mutations").is_some();
        let fields = spec.as_object_mut().unwrap();
        if mutates {
            fields.entry("reinvocationPolicy").or_insert(json!("Never"));
        }
        let operations = if mutates { json!(["CREATE", "UPDATE"]) } else { json!(["CREATE", "UPDATE", "DELETE"]) };
        let everything = json!({"resourceRules": [
            {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": operations}]});
        fields.entry("matchConstraints").or_insert(everything);
        self.policies.push(manifest(if mutates { MUTATING } else { VALIDATING }, name, spec));
        self
    }

    /// Binds a policy under its own name. Without validationActions the binding of a validating policy denies.
    pub fn bind(self, policy: &str, spec: Value) -> Self {
        self.bind_as(policy, policy, spec)
    }

    /// Binds a policy.
    pub fn bind_as(mut self, name: &str, policy: &str, mut spec: Value) -> Self {
        let kind = self.kind_of(policy);
        let fields = spec.as_object_mut().unwrap();
        fields.insert("policyName".to_owned(), json!(policy));
        if kind == VALIDATING {
            fields.entry("validationActions").or_insert(json!(["Deny"]));
        }
        let resources = fields.entry("matchResources").or_insert(json!({}));
        let selector = if resources.get("bySuiteObjects").is_some() { "objectSelector" } else { "namespaceSelector" };
        resources.as_object_mut().unwrap().remove("bySuiteObjects");
        resources[selector]["matchLabels"][LABEL] = json!(NAME);
        if selector == "namespaceSelector" {
            // A namespace selector selects every cluster-scoped object.
            let others = json!({"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"],
                "scope": "Cluster"});
            match resources.get_mut("excludeResourceRules").and_then(Value::as_array_mut) {
                Some(rules) => rules.push(others),
                None => resources["excludeResourceRules"] = json!([others]),
            }
        }
        self.policies.push(manifest(&format!("{kind}Binding"), name, spec));
        self
    }

    /// Binds a policy that keeps to its suite by its own constraints: the binding is as it is given.
    pub fn bind_everywhere(mut self, name: &str, policy: &str, mut spec: Value) -> Self {
        let kind = self.kind_of(policy);
        spec["policyName"] = json!(policy);
        if kind == VALIDATING && spec.get("validationActions").is_none() {
            spec["validationActions"] = json!(["Deny"]);
        }
        self.policies.push(manifest(&format!("{kind}Binding"), name, spec));
        self
    }

    /// Adds an object that has to be there.
    pub fn object(mut self, object: Value) -> Self {
        self.objects.push(object);
        self
    }

    /// Adds labels to the suite's namespace.
    pub fn namespace_labels(mut self, labels: Value) -> Self {
        self.namespace_labels = labels;
        self
    }

    /// Asks for the suite's own webhook configuration.
    pub fn webhook_rules(mut self, rules: Value) -> Self {
        self.webhook_rules = Some(rules);
        self
    }

    /// Adds a request.
    pub fn ask(mut self, ask: Ask) -> Self {
        self.asks.push(ask);
        self
    }

    /// Adds requests that create the objects.
    pub fn create_all(self, objects: impl IntoIterator<Item = Value>) -> Self {
        objects.into_iter().fold(self, |suite, object| suite.ask(create(object)))
    }

    /// Adds a request that changes `before`, which is made first, to `after`.
    pub fn update(mut self, before: Value, after: Value) -> Self {
        self.objects.push(before);
        self.ask(replace(after))
    }

    /// Adds a request that deletes `object`, which is made first.
    pub fn delete(mut self, object: Value) -> Self {
        let path = path_of(&object, true);
        self.objects.push(object);
        self.ask(Ask::new(Method::DELETE, path, Value::Null))
    }

    /// Gives the suite its name.
    pub fn named(mut self, name: String) -> Self {
        let fill = |value: &mut Value| *value = filled(value, &name);
        self.policies.iter_mut().chain(&mut self.objects).chain([&mut self.namespace_labels]).for_each(fill);
        for ask in &mut self.asks {
            fill(&mut ask.body);
            ask.path = ask.path.replace(NAME, &name);
        }
        self.name = name;
        self
    }

    fn kind_of(&self, policy: &str) -> &'static str {
        let found = self.policies.iter().find(|p| p["metadata"]["name"] == policy && p["kind"] != "x");
        match found.map(|policy| policy["kind"].as_str().unwrap()) {
            Some(MUTATING) => MUTATING,
            _ => VALIDATING,
        }
    }
}

impl Ask {
    /// A request of a user who may do everything.
    pub fn new(method: Method, path: String, body: Value) -> Self {
        Self { method, path, content_type: "application/json", body, user: "alice", group: "system:masters" }
    }

    /// Whether the request is about part of an object.
    pub fn is_of_subresource(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let below = path.split_once("/namespaces/").map_or(0, |(_, rest)| rest.split('/').count());
        below > 3
    }

    /// The request as another user.
    pub fn by(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    /// The request as a user of another group, who may do what roles allow.
    pub fn of_group(mut self, group: &'static str) -> Self {
        self.group = group;
        self
    }
}

const VALIDATING: &str = "ValidatingAdmissionPolicy";
const MUTATING: &str = "MutatingAdmissionPolicy";

/// A request that creates an object.
pub fn create(object: Value) -> Ask {
    Ask::new(Method::POST, path_of(&object, false), object)
}

/// A request that replaces an object that is there.
pub fn replace(object: Value) -> Ask {
    Ask::new(Method::PUT, path_of(&object, true), object)
}

/// A request that replaces a subresource of an object that is there.
pub fn replace_part(of: &Value, subresource: &str, body: Value) -> Ask {
    Ask::new(Method::PUT, format!("{}/{subresource}", path_of(of, true)), body)
}

/// A request that creates a subresource of an object that is there.
pub fn create_part(of: &Value, subresource: &str, body: Value) -> Ask {
    Ask::new(Method::POST, format!("{}/{subresource}", path_of(of, true)), body)
}

/// A request that merges a patch into an object that is there.
pub fn merge(of: &Value, patch: Value) -> Ask {
    let ask = Ask::new(Method::PATCH, path_of(of, true), patch);
    Ask { content_type: "application/merge-patch+json", ..ask }
}

/// A rule of a policy: `group/version/resource[/subresource]` with the core group empty, and operations.
pub fn rule(what: &str, operations: &[&str]) -> Value {
    let mut parts = what.splitn(3, '/');
    let mut part = || parts.next().unwrap();
    json!({"apiGroups": [part()], "apiVersions": [part()], "resources": [part()], "operations": operations})
}

/// Match constraints of one rule.
pub fn matching(what: &str, operations: &[&str]) -> Value {
    json!({"resourceRules": [rule(what, operations)]})
}

/// A validation with a message of its own.
pub fn must(expression: &str, message: &str) -> Value {
    json!({"expression": expression, "message": message})
}

/// A mutation by JSON patch.
pub fn json_patch(expression: &str) -> Value {
    json!({"patchType": "JSONPatch", "jsonPatch": {"expression": expression}})
}

/// A mutation by apply configuration.
pub fn apply(expression: &str) -> Value {
    json!({"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}})
}

/// Lets a binding select the suite's cluster-scoped objects, by label.
pub fn by_objects(mut resources: Value) -> Value {
    resources["bySuiteObjects"] = json!(true);
    json!({"matchResources": resources})
}

fn manifest(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn filled(value: &Value, name: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(NAME, name)).unwrap()
}

/// Policies as one manifest for Portcullis.
pub fn policy_manifests(suites: &[Suite]) -> String {
    joined(suites.iter().flat_map(|suite| &suite.policies))
}

/// Policies and their params as one manifest, for where no cluster has the params.
pub fn manifests(suites: &[Suite]) -> String {
    policy_manifests(suites) + &joined(suites.iter().flat_map(|suite| &suite.objects).filter(|object| is_param(object)))
}

fn joined<'a>(objects: impl Iterator<Item = &'a Value>) -> String {
    objects.fold(String::new(), |mut text, object| {
        writeln!(text, "{object}\n---").unwrap();
        text
    })
}

/// Objects as one manifest.
pub fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// Whether policies may refer to an object.
pub fn is_param(object: &Value) -> bool {
    object["kind"] == "ConfigMap" || group_version(object).0 == super::api::CUSTOM_GROUP
}
