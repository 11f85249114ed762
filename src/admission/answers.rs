//! Authorization answers that are given beforehand, for where no cluster can be asked: test suites and `eval`.

use crate::cel::Error;
use crate::cel::authorization::{Answer, Authorizer, Check, Target};
use crate::json::Value;
use crate::policy::{Fields, Node};

/// Answers by the first rule that matches; without one there is no opinion, so nothing is allowed.
#[derive(Clone, Debug, Default)]
pub struct GivenAnswers {
    rules: Vec<Rule>,
}

/// What to say to the checks whose attributes equal every field that isn't empty.
#[derive(Clone, Debug, Default)]
struct Rule {
    user: String,
    verb: String,
    path: String,
    group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
    answer: Answer,
}

impl GivenAnswers {
    /// Reads a list of rules; what is wrong with them is reported to the node's problems.
    pub fn read(node: &Node<'_, '_>) -> Self {
        Self { rules: node.list(|rule| rule.fields(|fields| Some(Rule::read(fields)))) }
    }
}

impl Authorizer for GivenAnswers {
    fn authorize(&self, check: &Check<'_>) -> Result<Answer, Error> {
        let rule = self.rules.iter().find(|rule| rule.matches(check));
        Ok(rule.map(|rule| rule.answer.clone()).unwrap_or_default())
    }
}

impl Rule {
    fn read(fields: &mut Fields<'_, '_>) -> Self {
        let mut text = |name| fields.get(name).and_then(|node| node.string()).unwrap_or_default().to_owned();
        let (reason, error) = (text("reason"), text("error"));
        let mut rule = Self {
            user: text("user"),
            verb: text("verb"),
            path: text("path"),
            group: text("group"),
            resource: text("resource"),
            subresource: text("subresource"),
            namespace: text("namespace"),
            name: text("name"),
            answer: Answer { allowed: false, reason, error: Some(error).filter(|error| !error.is_empty()) },
        };
        let decision = fields.get("decision").filter(|node| node.value() != Value::String(""));
        rule.answer.allowed =
            decision.and_then(|node| node.word(&[("allow", true), ("deny", false)])).unwrap_or_default();
        rule
    }

    fn matches(&self, check: &Check<'_>) -> bool {
        let user = check.user.get("username").and_then(|name| name.as_str()).unwrap_or_default();
        let (path, resource) = match check.target {
            Target::Path(path) => (path, Default::default()),
            Target::Resource(resource) => ("", resource),
        };
        let attributes = [
            (&self.user, user),
            (&self.verb, check.verb),
            (&self.path, path),
            (&self.group, resource.group),
            (&self.resource, resource.resource),
            (&self.subresource, resource.subresource),
            (&self.namespace, resource.namespace),
            (&self.name, resource.name),
        ];
        attributes.iter().all(|(wanted, found)| wanted.is_empty() || wanted == found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cel::authorization::{RequestAuthorizer, Resource};
    use crate::cel::{self, Env, Evaluator, Expect, Inputs, Program};
    use crate::json::{self, Arena, Limits};
    use crate::policy::{FieldPath, Problems};

    const RULES: &[u8] = br#"[
        {"user": "ann", "verb": "get", "group": "apps", "resource": "deployments", "namespace": "media", "name": "web",
         "decision": "allow", "reason": "ann may"},
        {"verb": "get", "resource": "pods", "subresource": "log", "decision": "deny", "reason": "nobody may"},
        {"verb": "list", "resource": "pods", "error": "out of order"},
        {"verb": "get", "path": "/healthz", "decision": "allow"},
        {"user": "system:serviceaccount:media:web", "verb": "create", "decision": "allow"},
        {"verb": "delete", "resource": "configmaps", "subresource": "status", "namespace": "shop", "name": "x",
         "decision": "allow"}
    ]"#;

    fn read<'a>(arena: &'a Arena, rules: &'a [u8]) -> Result<GivenAnswers, String> {
        let problems = Problems::default();
        let value = json::parse(arena, rules, &Limits::default()).expect("good JSON");
        let answers = GivenAnswers::read(&Node::new(value, FieldPath::default(), &problems));
        problems.into_inner().first().map_or(Ok(answers), |problem| Err(problem.to_string()))
    }

    /// The value as text, or the error.
    fn evaluate(expression: &str) -> String {
        let arena = Arena::new();
        let answers = read(&arena, RULES).expect("good rules");
        let user = json::parse(&arena, br#"{"username": "ann", "groups": ["g"]}"#, &Limits::default());
        let resource = Resource {
            resource: "configmaps",
            subresource: "status",
            namespace: "shop",
            name: "x",
            ..Resource::default()
        };
        let authorizer = RequestAuthorizer { authorizer: &answers, user: user.expect("good JSON"), resource };
        let env = Env { minor: 36, authorizer: true, ..Env::default() };
        let program = Program::compile(expression, &env, Expect::Any).expect(expression);
        let inputs = Inputs { authorizer: Ok(authorizer), ..Inputs::default() };
        match Evaluator::new(&arena, inputs, &[], cel::cost::BINDING_BUDGET, None).evaluate(&program) {
            Ok(cel::Value::Bool(value)) => value.to_string(),
            Ok(cel::Value::String(text)) => text.to_owned(),
            Ok(other) => other.type_name().to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_first_rule_that_matches_answers() {
        let web = "authorizer.group('apps').resource('deployments').namespace('media').name('web')";
        for (expression, value) in [
            (format!("{web}.check('get').allowed()"), "true"),
            (format!("{web}.check('get').reason()"), "ann may"),
            (format!("{web}.check('get').errored()"), "false"),
            (format!("{web}.check('get').error()"), ""),
            (format!("{web}.check('update').allowed()"), "false"),
            (format!("{web}.subresource('scale').check('get').allowed()"), "true"),
            (format!("{web}.name('other').check('get').allowed()"), "false"),
            ("authorizer.group('').resource('pods').subresource('log').check('get').allowed()".to_owned(), "false"),
            ("authorizer.group('').resource('pods').subresource('log').check('get').reason()".to_owned(), "nobody may"),
            ("authorizer.group('').resource('pods').check('list').allowed()".to_owned(), "false"),
            ("authorizer.group('').resource('pods').check('list').error()".to_owned(), "out of order"),
            ("authorizer.group('').resource('pods').check('list').errored()".to_owned(), "true"),
            ("authorizer.path('/healthz').check('get').allowed()".to_owned(), "true"),
            ("authorizer.path('/metrics').check('get').allowed()".to_owned(), "false"),
            ("authorizer.serviceAccount('media', 'web').path('/x').check('create').allowed()".to_owned(), "true"),
            ("authorizer.serviceAccount('media', 'db').path('/x').check('create').allowed()".to_owned(), "false"),
            ("authorizer.requestResource.check('delete').allowed()".to_owned(), "true"),
            ("authorizer.requestResource.check('create').allowed()".to_owned(), "false"),
        ] {
            assert_eq!(evaluate(&expression), value, "{expression}");
        }
    }

    #[test]
    fn what_upstream_refuses_to_ask_is_an_error() {
        for (expression, error) in [
            ("authorizer.path(' ').check('get').allowed()", "path must not be empty"),
            ("authorizer.group('').resource('').check('get').allowed()", "resource must not be empty"),
            (
                "authorizer.serviceAccount('media', 'We').path('/').check('get').allowed()",
                "Invalid service account name",
            ),
            (
                "authorizer.serviceAccount('a.b', 'web').path('/').check('get').allowed()",
                "Invalid service account namespace",
            ),
            ("authorizer == authorizer", "no such overload"),
            ("dyn(1).allowed()", "no such overload: allowed(int)"),
            ("dyn(authorizer).check('get')", "no such overload: check(kubernetes.authorization.Authorizer, string)"),
        ] {
            assert_eq!(evaluate(expression), error, "{expression}");
        }
    }

    #[test]
    fn an_expression_can_afford_two_checks() {
        let checks = |count| vec!["authorizer.path('/healthz').check('get').allowed()"; count].join(" && ");
        assert_eq!(evaluate(&checks(2)), "true");
        assert!(evaluate(&checks(3)).contains("cost limit exceeded"), "{}", evaluate(&checks(3)));
    }

    #[test]
    fn rejects_rules_with_mistakes() {
        for (rules, says) in [
            (&br#"[{"verbs": "get"}]"#[..], "unknown field"),
            (br#"[{"decision": "alow"}]"#, "write allow"),
            (br#"[{"verb": 1}]"#, "must be a string"),
            (br#"{"verb": "get"}"#, "must be a list"),
        ] {
            let error = read(&Arena::new(), rules).expect_err("a mistake");
            assert!(error.contains(says), "{error}");
        }
    }
}
