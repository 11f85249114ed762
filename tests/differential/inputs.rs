//! The objects of a request, with the names by which expressions reach into them.

use serde_json::{Map, Value, json};

use super::literals::text;
use super::random::Random;
use super::types::Type;

/// Something that an expression may name.
#[derive(Clone, Debug)]
pub struct Name {
    pub text: String,
    /// The type that its value has, whatever the checker knows of it.
    pub of: Type,
    /// What sort of text it is.
    pub hint: Option<&'static str>,
}

/// The members of a line other than the expression, and the names in them.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub members: Map<String, Value>,
    pub names: Vec<Name>,
}

/// Random inputs; `bindings` adds variables of every type that can be bound.
pub fn inputs(random: &mut Random, bindings: bool) -> Inputs {
    let mut inputs = Inputs { members: Map::new(), names: Vec::new() };
    let object = inputs.object(random, "object");
    inputs.members.insert("object".to_owned(), object);
    if random.chance(40) {
        let object = inputs.object(random, "oldObject");
        inputs.members.insert("oldObject".to_owned(), object);
    }
    if random.chance(50) {
        let params = json!({"limit": 3, "allowed": ["a", "abc"], "on": random.chance(50), "data": {"a": "1"}});
        inputs.members.insert("params".to_owned(), params);
        inputs.name("params.limit", "int");
        inputs.name("params.allowed", "list<string>");
        inputs.name("params.on", "bool");
        inputs.name("params.data", "map<string, string>");
    }
    if random.chance(40) {
        inputs.request(random);
    }
    if random.chance(30) {
        inputs.namespace();
    }
    if bindings {
        inputs.bindings(random);
    }
    inputs.authorizer(random);
    inputs
}

impl Inputs {
    fn name(&mut self, text: &str, of: &str) {
        self.names.push(Name { text: text.to_owned(), of: Type::parse(of), hint: None });
    }

    fn object(&mut self, random: &mut Random, root: &str) -> Value {
        let mut spec = Map::new();
        let scalars =
            [("replicas", "int"), ("ratio", "double"), ("on", "bool"), ("name", "string"), ("nothing", "null")];
        for (field, of) in scalars {
            if random.chance(85) {
                spec.insert(field.to_owned(), scalar(random, of));
                self.name(&format!("{root}.spec.{field}"), of);
            }
        }
        let sorts =
            ["regex", "time", "duration", "quantity", "semver", "ip", "cidr", "url", "zone", "number", "format"];
        for field in sorts {
            if random.chance(60) {
                let hint = if field == "time" { "timestamp" } else { field };
                spec.insert(field.to_owned(), text(random, Some(hint)).into());
                let name = Name { text: format!("{root}.spec.{field}"), of: Type::named("string"), hint: Some(hint) };
                self.names.push(name);
            }
        }
        let lists =
            [("tags", "string"), ("numbers", "int"), ("ratios", "double"), ("flags", "bool"), ("nothings", "null")];
        for (field, of) in lists {
            let elements: Vec<_> = (0..random.below(4)).map(|_| scalar(random, of)).collect();
            spec.insert(field.to_owned(), elements.into());
            self.name(&format!("{root}.spec.{field}"), &format!("list<{of}>"));
        }
        let mixed: Vec<_> = (0..random.below(5)).map(|_| anything(random, 2)).collect();
        spec.insert("mixed".to_owned(), mixed.into());
        self.name(&format!("{root}.spec.mixed"), "list<dyn>");
        let labels = few(random, |random| text(random, None).into());
        spec.insert("labels".to_owned(), labels);
        self.name(&format!("{root}.spec.labels"), "map<string, string>");
        let counts = few(random, |random| scalar(random, "int"));
        spec.insert("counts".to_owned(), counts);
        self.name(&format!("{root}.spec.counts"), "map<string, int>");
        let items: Vec<_> = (0..random.below(3))
            .map(|at| json!({"name": (if at == 0 { "a" } else { "b" }), "value": scalar(random, "int"), "kind": anything(random, 1)}))
            .collect();
        self.name(&format!("{root}.spec.items"), "list<dyn>");
        if !items.is_empty() {
            self.name(&format!("{root}.spec.items[0].name"), "string");
            self.name(&format!("{root}.spec.items[0]['value']"), "int");
        }
        spec.insert("items".to_owned(), items.into());
        self.name(&format!("{root}.spec"), "dyn");
        self.name(root, "dyn");
        self.name(&format!("{root}.metadata.name"), "string");
        self.name(&format!("{root}.kind"), "string");
        json!({"apiVersion": "v1", "kind": "Thing", "metadata": {"name": text(random, None), "labels": {"a": "b"}}, "spec": spec})
    }

    fn request(&mut self, random: &mut Random) {
        let request = json!({
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "requestKind": {"group": "apps", "version": "v1", "kind": "Deployment"},
            "requestResource": {"group": "apps", "version": "v1", "resource": "deployments"},
            "name": "web", "namespace": "shop", "operation": *random.of(&["CREATE", "UPDATE"]),
            "userInfo": {"username": "alice", "uid": "1", "groups": ["system:authenticated", "a"], "extra": {"a": ["x", "y"]}},
            "dryRun": random.chance(50),
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
        });
        self.members.insert("request".to_owned(), request);
        for (path, of) in [
            ("request.kind.kind", "string"),
            ("request.resource.resource", "string"),
            ("request.requestKind.group", "string"),
            ("request.name", "string"),
            ("request.namespace", "string"),
            ("request.operation", "string"),
            ("request.userInfo.username", "string"),
            ("request.userInfo.groups", "list<string>"),
            ("request.userInfo.extra", "map<string, list<string>>"),
            ("request.dryRun", "bool"),
            ("request.options", "dyn"),
        ] {
            self.name(path, of);
        }
    }

    fn namespace(&mut self) {
        let namespace = json!({
            "metadata": {"name": "shop", "labels": {"a": "b"}, "annotations": {"name": "x"}},
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}
        });
        self.members.insert("namespaceObject".to_owned(), namespace);
        for (path, of) in [
            ("namespaceObject.metadata.name", "string"),
            ("namespaceObject.metadata.labels", "map<string, string>"),
            ("namespaceObject.metadata.annotations", "map<string, string>"),
            ("namespaceObject.spec.finalizers", "list<string>"),
            ("namespaceObject.status.phase", "string"),
        ] {
            self.name(path, of);
        }
    }

    fn authorizer(&mut self, random: &mut Random) {
        let rules = json!([
            {"verb": "get", "decision": "allow", "reason": "may get"},
            {"resource": "pods", "name": "a", "decision": "deny"},
            {"group": "apps", "namespace": "shop", "decision": "allow"},
            {"path": "/healthz", "decision": "allow"},
            {"user": "system:serviceaccount:shop:web", "decision": "deny", "reason": "not you"},
            {"verb": "use", "error": "no answer", "decision": *random.of(&["", "allow"])}
        ]);
        self.members.insert("authorizer".to_owned(), rules);
        self.name("authorizer", "authorizer");
        self.name("authorizer.requestResource", "resourceCheck");
    }

    /// The declared types are always the same: other programs keep an environment for each set of them.
    fn bindings(&mut self, random: &mut Random) {
        let int = |random: &mut Random| json!({"t": "int", "v": *random.of(&["0", "1", "-3", "9223372036854775807"])});
        let string = |random: &mut Random| json!({"t": "string", "v": text(random, None)});
        let bindings = json!({
            "b_bool": {"t": "bool", "v": random.chance(50)},
            "b_int": int(random),
            "b_uint": {"t": "uint", "v": *random.of(&["0", "2", "18446744073709551615"])},
            "b_double": {"t": "double", "v": *random.of(&["0.5", "-1.0", "NaN", "Infinity", "1e100"])},
            "b_string": string(random),
            "b_bytes": {"t": "bytes", "v": *random.of(&["", "00ff", "616263"])},
            "b_duration": {"t": "duration", "v": *random.of(&["0", "1500000000", "-9223372036854775808"])},
            "b_timestamp": {"t": "timestamp", "s": *random.of(&["0", "1700000000", "253402300799"]), "n": 5},
            "b_ints": {"t": "list", "v": [int(random), int(random)]},
            "b_strings": {"t": "map", "v": [[string(random), string(random)]]},
            "b_optional": {"t": "optional", "v": int(random)}
        });
        self.members.insert("bindings".to_owned(), bindings);
        for of in ["bool", "int", "uint", "double", "string", "bytes", "duration", "timestamp"] {
            self.name(&format!("b_{of}"), of);
        }
        self.name("b_ints", "list<int>");
        self.name("b_strings", "map<string, string>");
        self.name("b_optional", "optional<int>");
    }
}

/// At most two entries, mostly one: upstream goes through the entries of a map in random order.
fn few(random: &mut Random, mut value: impl FnMut(&mut Random) -> Value) -> Value {
    let mut map = Map::new();
    let count = *random.of(&[0, 1, 1, 1, 1, 1, 2]);
    for field in ["a", "name"].into_iter().take(count) {
        map.insert(field.to_owned(), value(random));
    }
    map.into()
}

fn scalar(random: &mut Random, of: &str) -> Value {
    match of {
        "int" => (*random.of(&[0, 1, 2, 3, -1, 10, 100, i64::MAX, i64::MIN])).into(),
        "double" => (*random.of(&[0.5, 1.0, -2.25, 1e21, 3.0, 1e-9, -0.0])).into(),
        "bool" => random.chance(50).into(),
        "string" => text(random, None).into(),
        _ => Value::Null,
    }
}

fn anything(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 5 } else { 8 }) {
        0 => Value::Null,
        1 => scalar(random, "bool"),
        2 => scalar(random, "int"),
        3 => scalar(random, "double"),
        4 | 5 => scalar(random, "string"),
        6 => (0..random.below(3)).map(|_| anything(random, depth - 1)).collect(),
        _ => few(random, |random| anything(random, depth - 1)),
    }
}
