//! Makes a case from a seed: an expression, the variables that it may read and the objects that it looks at.

use serde_json::{Map, Value};

use super::grammar::{Part, Production};
use super::inputs::{Inputs, Name, inputs};
use super::literals;
use super::random::Random;
use super::tree::Tree;
use super::types::{KEYS, Letters, Type};

/// One question to both evaluators.
#[derive(Clone, Debug)]
pub struct Case {
    pub number: u64,
    pub expression: Tree,
    /// `variables.<name>`, in order.
    pub variables: Vec<(String, Tree)>,
    pub inputs: Map<String, Value>,
    /// Whether it is asked in the environment of mutations.
    pub patch: bool,
    /// What spoils the source text, if anything does.
    pub spoilt: Option<(usize, &'static str)>,
}

impl Case {
    /// The case as a line of a batch.
    pub fn line(&self) -> String {
        let mut members = self.inputs.clone();
        members.insert("expr".to_owned(), self.source().into());
        if !self.variables.is_empty() {
            let list = self.variables.iter().map(|(name, tree)| (name.clone(), tree.source().into()));
            members.insert("variables".to_owned(), Value::Object(list.collect()));
        }
        Value::Object(members).to_string()
    }

    /// The expression's source text.
    pub fn source(&self) -> String {
        let source = self.expression.source();
        let Some((at, with)) = self.spoilt else { return source };
        let at = at % (source.chars().count() + 1);
        source.chars().take(at).chain(with.chars()).chain(source.chars().skip(at)).collect()
    }
}

/// The case of a number.
pub fn case(productions: &[Production], seed: u64, number: u64) -> Case {
    let mut random = Random::of_stream(seed, number);
    let patch = random.chance(4);
    let count = if !patch && random.chance(10) { 1 + random.below(4) } else { 0 };
    let bindings = !patch && count == 0 && random.chance(30);
    let Inputs { members, names } = inputs(&mut random, bindings);
    let mistakes = usize::from(random.chance(15));
    let spoilt =
        random.chance(1).then(|| (random.below(200), *random.of(&[")", "(", " ", "'", "@", "x", "\u{e4}", "{"])));
    let mut generator = Generator { productions, random, scope: names, budget: 0, names: 0, mistakes: 0, patch };
    let mut variables = Vec::new();
    for at in 0..count {
        let of = generator.any_type(2);
        generator.budget = generator.random.below(8) as i64;
        let tree = generator.expression(&of, None, 4);
        let name = format!("v{at}");
        generator.scope.push(Name { text: format!("variables.{name}"), of, hint: None });
        variables.push((name, tree));
    }
    let of = if generator.random.chance(40) { Type::named("bool") } else { generator.any_type(2) };
    generator.budget = 2 + generator.random.below(20) as i64;
    generator.mistakes = mistakes;
    let expression = generator.expression(&of, None, 6);
    Case { number, expression, variables, inputs: members, patch, spoilt }
}

struct Generator<'g> {
    productions: &'g [Production],
    random: Random,
    scope: Vec<Name>,
    /// How many more expressions may have parts.
    budget: i64,
    /// How many names have been made up.
    names: usize,
    /// How many more expressions may have a wrong type.
    mistakes: usize,
    patch: bool,
}

impl Generator<'_> {
    fn expression(&mut self, of: &Type, hint: Option<&str>, depth: usize) -> Tree {
        if self.mistakes > 0 && hint != Some("few") && self.random.chance(12) {
            self.mistakes -= 1;
            if self.random.chance(15) {
                let unknown =
                    *self.random.of(&["unknown", "object.", "nothing()", "request.missing", "size", "variables.zz"]);
                return Tree::leaf(of.clone(), unknown);
            }
            let wrong = self.any_type(1);
            return self.expression(&wrong, None, depth);
        }
        self.budget -= 1;
        if hint == Some("few") {
            return Tree::leaf(of.clone(), literals::few(&mut self.random));
        }
        if depth == 0 || self.budget < 0 || self.random.chance(8) || (hint.is_some() && self.random.chance(75)) {
            return self.leaf(of, hint, 2);
        }
        if of.is("dyn") && self.random.chance(50) {
            let concrete = self.any_type(1);
            return self.expression(&concrete, None, depth);
        }
        let productions = self.productions;
        let fitting: Vec<(&Production, Letters)> = productions
            .iter()
            .filter(|production| self.patch || !production.patch)
            .filter_map(|production| {
                let mut letters = Letters::new();
                production.result.unify(of, &mut letters).then_some((production, letters))
            })
            .collect();
        if fitting.is_empty() {
            return self.leaf(of, hint, 2);
        }
        // Mutations are about their own types.
        let own: Vec<_> = fitting.iter().filter(|(production, _)| production.patch).cloned().collect();
        let from = if !own.is_empty() && self.random.chance(60) { &own } else { &fitting };
        let (production, letters) = self.random.of(from).clone();
        self.produce(production, letters, of, depth)
    }

    fn produce(&mut self, production: &Production, mut letters: Letters, of: &Type, depth: usize) -> Tree {
        let mut tree =
            Tree { of: of.clone(), template: production.template, texts: vec![String::new()], children: Vec::new() };
        let outside = self.scope.len();
        for part in &production.parts {
            let of = match part {
                Part::Text(_) => None,
                Part::Hole(of, _) | Part::Name(of) => Some(self.fill(of, &mut letters)),
            };
            let text = match (part, of) {
                (Part::Text(text), _) => text.clone(),
                (Part::Name(_), Some(of)) => self.declare(of),
                (Part::Hole(..), Some(of)) if of.is("field") => literals::field(&mut self.random).to_owned(),
                (Part::Hole(..), Some(of)) if of.is("select") => self.selection(),
                (Part::Hole(_, hint), Some(of)) => {
                    let child = if of.is("path") {
                        let path = self.path();
                        Tree::leaf(Type::named("dyn"), path)
                    } else {
                        self.expression(&of, hint.as_deref(), depth - 1)
                    };
                    tree.children.push(child);
                    tree.texts.push(String::new());
                    continue;
                }
                _ => continue,
            };
            if let Some(last) = tree.texts.last_mut() {
                last.push_str(&text);
            }
        }
        self.scope.truncate(outside);
        tree
    }

    /// The type with letters that are not known yet chosen.
    fn fill(&mut self, of: &Type, letters: &mut Letters) -> Type {
        let mut found = Vec::new();
        of.letters(&mut found);
        for letter in found {
            if !letters.iter().any(|(known, _)| *known == letter) {
                let chosen = if letter == 'K' { Type::named(self.random.one(&KEYS)) } else { self.any_type(1) };
                letters.push((letter, chosen));
            }
        }
        of.filled(letters)
    }

    fn declare(&mut self, of: Type) -> String {
        let text = if self.names > 0 && self.random.chance(6) {
            format!("x{}", self.random.below(self.names))
        } else {
            self.names += 1;
            format!("x{}", self.names - 1)
        };
        self.scope.push(Name { text: text.clone(), of, hint: None });
        text
    }

    fn any_type(&mut self, depth: usize) -> Type {
        const SCALARS: [&str; 23] = [
            "decision",
            "bool",
            "int",
            "int",
            "string",
            "string",
            "uint",
            "double",
            "bytes",
            "duration",
            "timestamp",
            "null",
            "type",
            "dyn",
            "quantity",
            "ip",
            "cidr",
            "url",
            "semver",
            "format",
            "string",
            "int",
            "bool",
        ];
        if self.patch && self.random.chance(15) {
            return Type::parse(self.random.one(&["patch", "object", "list<patch>"]));
        }
        match self.random.below(if depth == 0 { 10 } else { 18 }) {
            10..=12 => Type::list(self.any_type(depth - 1)),
            13 | 14 => {
                let key = *self.random.of(&["string", "string", "string", "int", "uint", "bool"]);
                Type::map(Type::named(key), self.any_type(depth - 1))
            }
            15..=17 => Type::Optional(Box::new(self.any_type(depth - 1))),
            _ => Type::named(self.random.one(&SCALARS)),
        }
    }

    /// A name in scope, or a literal.
    fn leaf(&mut self, of: &Type, hint: Option<&str>, depth: usize) -> Tree {
        let named: Vec<&Name> = self
            .scope
            .iter()
            .enumerate()
            .filter(|(at, name)| !self.scope[at + 1..].iter().any(|later| later.text == name.text))
            .map(|(_, name)| name)
            .filter(|name| (name.of == *of || of.is("dyn")) && (hint.is_none() || name.hint == hint))
            .collect();
        if !named.is_empty() && self.random.chance(if hint.is_some() { 20 } else { 55 }) {
            // Names of loops come last and are what their bodies are about.
            let at = if self.random.chance(40) { named.len() - 1 } else { self.random.below(named.len()) };
            return Tree::leaf(of.clone(), named[at].text.clone());
        }
        match of {
            Type::Named(name) => {
                let text = match literals::scalar(&mut self.random, name, hint) {
                    Some(text) => text,
                    None => return self.constructed(name, of, depth),
                };
                Tree::leaf(of.clone(), text)
            }
            Type::Letter(_) => Tree::leaf(of.clone(), "1"),
            Type::List(element) => {
                let count = if depth == 0 { 0 } else { self.random.below(4) };
                let children = (0..count).map(|_| self.leaf(element, hint, depth - 1)).collect();
                self.collection(of, children, ["[", "]"], "?", ", ")
            }
            Type::Map(key, value) => self.map_literal(of, key, value, depth),
            Type::Optional(_) if depth == 0 || self.random.chance(30) => Tree::leaf(of.clone(), "optional.none()"),
            Type::Optional(inner) => {
                let child = self.leaf(inner, None, depth - 1);
                let texts = vec!["optional.of(".to_owned(), ")".to_owned()];
                Tree { of: of.clone(), template: "optional.of(_)", texts, children: vec![child] }
            }
        }
    }

    /// A list of children; some of its elements are optionals.
    fn collection(&mut self, of: &Type, children: Vec<Tree>, ends: [&str; 2], optional: &str, between: &str) -> Tree {
        let mut tree = Tree { of: of.clone(), template: "[_]", texts: vec![ends[0].to_owned()], children: Vec::new() };
        for (at, child) in children.into_iter().enumerate() {
            let last = tree.texts.last_mut().expect("there is a first text");
            if at > 0 {
                last.push_str(between);
            }
            let child = if self.random.chance(6) {
                last.push_str(optional);
                self.leaf(&Type::Optional(Box::new(child.of.clone())), None, 1)
            } else {
                child
            };
            tree.children.push(child);
            tree.texts.push(String::new());
        }
        tree.texts.last_mut().expect("there is a first text").push_str(ends[1]);
        tree
    }

    fn map_literal(&mut self, of: &Type, key: &Type, value: &Type, depth: usize) -> Tree {
        let count = if depth == 0 { 0 } else { *self.random.of(&[0, 1, 1, 1, 1, 2]) };
        let mut tree = Tree { of: of.clone(), template: "{_}", texts: vec!["{".to_owned()], children: Vec::new() };
        for at in 0..count {
            let optional = self.random.chance(8);
            let last = tree.texts.last_mut().expect("there is a first text");
            last.push_str(if at > 0 { ", " } else { "" });
            last.push_str(if optional { "?" } else { "" });
            let hint = if key.is("string") { Some("field") } else { None };
            tree.children.push(self.leaf(key, hint, 0));
            tree.texts.push(": ".to_owned());
            let value = if optional { Type::Optional(Box::new(value.clone())) } else { value.clone() };
            tree.children.push(self.leaf(&value, None, depth - 1));
            tree.texts.push(String::new());
        }
        tree.texts.last_mut().expect("there is a first text").push('}');
        tree
    }

    /// A value of a type that has no literals.
    fn constructed(&mut self, name: &str, of: &Type, depth: usize) -> Tree {
        let called = |generator: &mut Self, function: &'static str, hint| {
            let argument = Tree::leaf(
                Type::named("string"),
                literals::scalar(&mut generator.random, "string", Some(hint)).unwrap_or_default(),
            );
            Tree {
                of: of.clone(),
                template: function,
                texts: vec![format!("{function}("), ")".to_owned()],
                children: vec![argument],
            }
        };
        match name {
            "duration" => called(self, "duration", "duration"),
            "timestamp" => called(self, "timestamp", "timestamp"),
            "quantity" => called(self, "quantity", "quantity"),
            "semver" => called(self, "semver", "semver"),
            "ip" => called(self, "ip", "ip"),
            "cidr" => called(self, "cidr", "cidr"),
            "url" => called(self, "url", "url"),
            "format" => {
                let name = literals::text(&mut self.random, Some("format-name"));
                Tree::leaf(of.clone(), format!("format.{}()", if name.is_empty() { "uri" } else { name }))
            }
            "authorizer" => Tree::leaf(of.clone(), "authorizer"),
            "groupCheck" => Tree::leaf(of.clone(), "authorizer.group('apps')"),
            "pathCheck" => Tree::leaf(of.clone(), "authorizer.path('/healthz')"),
            "resourceCheck" => Tree::leaf(of.clone(), "authorizer.requestResource"),
            "decision" => Tree::leaf(of.clone(), "authorizer.requestResource.check('get')"),
            "patch" => Tree::leaf(of.clone(), "JSONPatch{op: 'add', path: '/a', value: 1}"),
            "object" => Tree::leaf(of.clone(), "Object{spec: Object.spec{replicas: 1}}"),
            _ => {
                let concrete = self.any_type(0);
                if concrete.is("dyn") {
                    let path = self.path();
                    return Tree::leaf(of.clone(), path);
                }
                self.leaf(&concrete, None, depth)
            }
        }
    }

    /// A way into an object, or a name of a loop, of a type that the checker doesn't know.
    fn path(&mut self) -> String {
        let untyped: Vec<_> = self
            .scope
            .iter()
            .filter(|name| ["object", "oldObject", "params", "x"].iter().any(|root| name.text.starts_with(root)))
            .collect();
        let path = self.random.of(&untyped).text.clone();
        match self.random.below(20) {
            0 => format!("{path}.{}", literals::field(&mut self.random)),
            1 => (*self.random.of(&["object.missing", "oldObject", "params", "object", "object.spec.items[1]"]))
                .to_owned(),
            _ => path,
        }
    }

    fn selection(&mut self) -> String {
        let field = literals::field(&mut self.random);
        match self.random.below(4) {
            0 => format!("{}.{field}", self.path()),
            1 => self
                .random
                .of(&[
                    "request.name",
                    "request.subResource",
                    "namespaceObject.metadata",
                    "variables.v0",
                    "object.spec",
                    "request.userInfo.extra",
                    "request.options.kind",
                ])
                .to_string(),
            2 => format!("{}.?{field}.name", self.path()),
            _ => self.path(),
        }
    }
}
