//! `portcullis eval`: one expression, or many, in the environment of admission policies.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::Outcome;
use super::load::KubernetesVersion;
use super::output::Output;
use super::tagged;
use crate::admission::GivenAnswers;
use crate::cel::authorization::{NoAuthorizer, RequestAuthorizer, Resource};
use crate::cel::explain::{self, Explanation, Trace};
use crate::cel::{Env, Evaluator, Expect, Inputs, Program, Value, Variable, cost};
use crate::engine::explained_documents;
use crate::json::{self, Arena, Limits};
use crate::policy::{FieldPath, Node, Problems};
use crate::style::FAINT;
use crate::visible;

/// Evaluates a CEL expression as an admission policy would
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  portcullis eval \"quantity('1Gi').isGreaterThan(quantity('500Mi'))\"
  portcullis eval -f pod.yaml 'object.spec.containers.all(c, has(c.resources))'
  portcullis eval --explain -f pod.yaml 'object.spec.containers.all(c, c.image.contains(\"@\"))'
  portcullis eval --batch expressions.jsonl   an object a line in, one a line out

--explain says which part decided, on which element, and what its parts were; in a batch as the member \"explanation\".

A line of a batch: {\"expr\":…, \"object\":…, \"oldObject\":…, \"params\":…, \"request\":…, \"namespaceObject\":…,
\"variables\":{name: expression} or [{\"name\":…, \"expression\":…}], \"bindings\":{name: tagged value},
\"authorizer\":[rule]}; all but expr may be left out. Its result: {\"value\":TAGGED,\"type\":\"int\", \"checked\":\"dyn\", \"cost\":7}
with the type of the value and what type checking derived, or {\"error\":\"…\", \"stage\":\"compile\"|\"runtime\", \"cost\":7}.
A rule answers authorization checks: {\"user\":…, \"verb\":…, \"path\":…, \"group\":…, \"resource\":…, \"subresource\":…, \"namespace\":…,
\"name\":…, \"decision\":\"allow\"|\"deny\", \"reason\":…, \"error\":…}; the first counts whose fields all equal what is asked.
The variables that an expression has read cost extra: \"variablesCost\", left out where it is 0.")]
pub struct Args {
    /// The expression
    #[arg(value_name = "EXPR", required_unless_present = "batch", conflicts_with = "batch")]
    expr: Option<String>,

    /// The object, as YAML or JSON; - for standard input
    #[arg(short = 'f', long = "object", value_name = "FILE")]
    object: Option<PathBuf>,

    /// The old object
    #[arg(long = "old", value_name = "FILE")]
    old_object: Option<PathBuf>,

    /// The params object
    #[arg(long, value_name = "FILE")]
    params: Option<PathBuf>,

    /// The namespace that the object is in
    #[arg(long, value_name = "FILE")]
    namespace_object: Option<PathBuf>,

    /// The admission request, without its objects
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,

    /// What authorization checks are answered: a YAML list of rules, see below; without it they are errors
    #[arg(long, value_name = "FILE")]
    authorizer: Option<PathBuf>,

    /// Reads expressions with their variables from a file of JSON lines; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["object", "old_object", "params", "namespace_object", "request", "authorizer"])]
    batch: Option<PathBuf>,

    /// Says what made the value what it is: the part that decided, on which element, and the values of its parts
    #[arg(long)]
    explain: bool,

    /// Declares Object{…} and JSONPatch{…}, as in mutating policies
    #[arg(long)]
    mutation: bool,

    /// The Kubernetes version whose CEL libraries apply
    #[arg(long, value_name = "1.N", default_value_t)]
    kubernetes_version: KubernetesVersion,
}

/// Runs the command. A failing expression counts as a finding.
pub fn run(args: &Args) -> Result<Outcome> {
    let environment =
        Environment { minor: args.kubernetes_version.minor, patch_types: args.mutation, explain: args.explain };
    let mut output = Output::open(None)?;
    let outcome = match (&args.batch, &args.expr) {
        (Some(batch), _) => environment.batch(batch, &mut output)?,
        (None, Some(expr)) => environment.single(expr, args, &mut output)?,
        (None, None) => bail!("an expression is needed: portcullis eval 'EXPR', or --batch FILE"),
    };
    output.finish()?;
    Ok(outcome)
}

/// What the expressions of a batch may use.
#[derive(Clone, Copy, Debug)]
pub struct Environment {
    /// Kubernetes 1.`minor`, whose CEL libraries apply.
    pub minor: u32,
    /// Whether `Object{…}` and `JSONPatch{…}` are declared, as in mutating policies.
    pub patch_types: bool,
    /// Whether answers say what made them so.
    pub explain: bool,
}

/// An answer with what made it so, where that was asked for.
type Explained<T> = (T, Option<Explanation>);

/// What a line of a batch asks for, or the flags of a single evaluation.
#[derive(Clone, Copy)]
struct Question<'a> {
    expr: &'a str,
    object: json::Value<'a>,
    old_object: json::Value<'a>,
    params: json::Value<'a>,
    request: json::Value<'a>,
    namespace_object: json::Value<'a>,
    variables: json::Value<'a>,
    bindings: json::Value<'a>,
    authorizer: json::Value<'a>,
}

/// Why there is no value.
struct Failure {
    stage: &'static str,
    message: String,
    /// What the evaluation had cost until then.
    cost: Option<Cost>,
}

/// What an expression cost, and what the variables that it read cost on top.
#[derive(Clone, Copy)]
struct Cost {
    own: u64,
    variables: u64,
}

impl Environment {
    fn single(&self, expr: &str, args: &Args, output: &mut Output) -> Result<Outcome> {
        let arena = Arena::new();
        let null = json::Value::Null;
        let question = Question {
            expr,
            object: document(&arena, args.object.as_deref())?,
            old_object: document(&arena, args.old_object.as_deref())?,
            params: document(&arena, args.params.as_deref())?,
            request: document(&arena, args.request.as_deref())?,
            namespace_object: document(&arena, args.namespace_object.as_deref())?,
            variables: null,
            bindings: null,
            authorizer: document(&arena, args.authorizer.as_deref())?,
        };
        let (answer, explanation) = self.answer(&arena, question);
        if let Ok(answer) = &answer {
            writeln!(output, "{}", visible::json(&json::to_json(*answer)))?;
        }
        if let Some(explanation) = explanation {
            write_explanation(&explanation, output)?;
        }
        match answer {
            Ok(_) => Ok(Outcome::Clean),
            Err(failure) => {
                output.flush()?;
                bail!("{} error: {}", failure.stage, failure.message)
            }
        }
    }

    fn batch(&self, path: &Path, output: &mut Output) -> Result<Outcome> {
        let mut outcome = Outcome::Clean;
        let mut reader = BufReader::new(open(path)?);
        let mut line = Vec::new();
        let mut arena = Arena::new();
        for number in 1.. {
            line.clear();
            if reader.read_until(b'\n', &mut line).with_context(|| path.display().to_string())? == 0 {
                break;
            }
            arena.reset();
            let answer = self.answer_line(&arena, &line).with_context(|| format!("{}:{number}", path.display()))?;
            if answer.get("stage").is_some() {
                outcome = Outcome::Findings;
            }
            writeln!(output, "{}", visible::json(&json::to_json(answer)))?;
        }
        Ok(outcome)
    }

    /// Answers a line of a batch as `--batch` does: with a value, or with an error and its stage.
    ///
    /// # Errors
    /// A line that asks nothing: no JSON object, an unknown member, no expression.
    pub fn answer_line<'a>(&self, arena: &'a Arena, line: &'a [u8]) -> Result<json::Value<'a>> {
        let question = Question::from_line(json::parse(arena, line, &Limits::default())?)?;
        let (answer, explanation) = self.answer(arena, question);
        let answer = answer.unwrap_or_else(|failure| failure.write(arena));
        match explanation {
            None => Ok(answer),
            Some(explanation) => {
                let text = arena.alloc_str(&serde_json::to_string(&explanation)?);
                let mut all = members(answer).to_vec();
                all.push(("explanation", json::parse(arena, text.as_bytes(), &Limits::default())?));
                Ok(json::Value::Object(json::Object::new(arena, &all)))
            }
        }
    }

    fn answer<'a>(
        &self,
        arena: &'a Arena,
        question: Question<'a>,
    ) -> Explained<std::result::Result<json::Value<'a>, Failure>> {
        let mut explanation = None;
        (self.evaluate(arena, question, &mut explanation), explanation)
    }

    fn evaluate<'a>(
        &self,
        arena: &'a Arena,
        question: Question<'a>,
        explanation: &mut Option<Explanation>,
    ) -> std::result::Result<json::Value<'a>, Failure> {
        let failed = |stage, message| Failure { stage, message, cost: None };
        let (env, bindings) = self.declare(arena, question).map_err(|error| failed("input", format!("{error:#}")))?;
        if let Some((name, Err(error))) = env.variables.iter().find(|(_, program)| program.is_err()) {
            return Err(failed("compile", format!("variable {name:?}: {error}")));
        }
        let program =
            Program::compile(question.expr, &env, Expect::Any).map_err(|error| failed("compile", error.to_string()))?;
        let answers = question.answers().map_err(|error| failed("input", format!("{error:#}")))?;
        let authorizer = answers.as_ref().map(|answers| question.authorizer(answers));
        let inputs = Inputs {
            object: question.object,
            old_object: question.old_object,
            request: question.request,
            params: question.params.into(),
            namespace_object: question.namespace_object,
            authorizer: authorizer.ok_or(NoAuthorizer::Offline),
            bindings: arena.alloc_slice_copy(&bindings),
        };
        let checked = program.output_type().to_string();
        let mut evaluate = |arena| {
            let mut evaluator = Evaluator::new(arena, inputs, &env.variables, cost::BINDING_BUDGET, None);
            let trace = self.explain.then(|| Rc::new(Trace::default()));
            if let Some(trace) = &trace {
                evaluator = evaluator.with_recorder(trace.clone());
            }
            let value = evaluator.evaluate(&program);
            *explanation = trace.and_then(|trace| {
                let roots = explained_documents(&inputs);
                let asked = explain::Question { program: &program, variables: &env.variables, inputs, roots: &roots };
                explain::explain_trace(&trace, asked)
            });
            let own = evaluator.own_cost();
            let cost = Cost { own, variables: evaluator.cost().saturating_sub(own) };
            match value {
                // The answer outlives the program, whose constants the value may still borrow: print it now.
                Ok(value) => Ok(json::to_json(write_answer(arena, &value, &checked, cost))),
                Err(error) => Err(Failure { stage: "runtime", message: error.to_string(), cost: Some(cost) }),
            }
        };
        let text = evaluate(&Arena::new())?;
        json::parse(arena, arena.alloc_slice_copy(text.as_bytes()), &Limits { max_depth: 4 * json::DEFAULT_MAX_DEPTH })
            .map_err(|error| failed("runtime", error.to_string()))
    }

    fn declare<'a>(&self, arena: &'a Arena, question: Question<'a>) -> Result<(Env, Vec<Value<'a>>)> {
        let mut env = Env {
            minor: self.minor,
            params: true,
            authorizer: true,
            patch_types: self.patch_types,
            probes: self.explain,
            ..Env::default()
        };
        let mut values = Vec::new();
        for (name, tagged) in members(question.bindings) {
            let (value, of) = tagged::read(arena, *tagged).with_context(|| format!("binding {name:?}"))?;
            env.bindings.push(((*name).to_owned(), of));
            values.push(value);
        }
        for (name, expression) in variables(question.variables)? {
            let source = expression.as_str().with_context(|| format!("variable {name:?} must be a string"))?;
            let program = Program::compile(source, &env, Expect::Any).map(Arc::new).map_err(|e| e.to_string());
            let variable: Variable = (name.to_owned(), program);
            env.variables.push(variable);
        }
        Ok((env, values))
    }
}

impl<'a> Question<'a> {
    fn from_line(line: json::Value<'a>) -> Result<Self> {
        const MEMBERS: [&str; 9] = [
            "expr",
            "object",
            "oldObject",
            "params",
            "request",
            "namespaceObject",
            "variables",
            "bindings",
            "authorizer",
        ];
        if let Some((unknown, _)) = members(line).iter().find(|(name, _)| !MEMBERS.contains(name)) {
            bail!("unknown member {unknown:?}; a line has {}", MEMBERS.join(", "));
        }
        let member = |name| line.get(name).unwrap_or(json::Value::Null);
        Ok(Self {
            expr: member("expr").as_str().context("a line needs a string member \"expr\"")?,
            object: member("object"),
            old_object: member("oldObject"),
            params: member("params"),
            request: member("request"),
            namespace_object: member("namespaceObject"),
            variables: member("variables"),
            bindings: member("bindings"),
            authorizer: member("authorizer"),
        })
    }
}

impl<'a> Question<'a> {
    /// What authorization checks are answered, if that is given.
    fn answers(&self) -> Result<Option<GivenAnswers>> {
        if self.authorizer.is_null() {
            return Ok(None);
        }
        let problems = Problems::default();
        let answers = GivenAnswers::read(&Node::new(self.authorizer, FieldPath::default(), &problems));
        match problems.into_inner().first() {
            Some(problem) => bail!("authorizer: {problem}"),
            None => Ok(Some(answers)),
        }
    }

    /// What `authorizer` is. The resource is the one of the request, or of its original where it names one.
    fn authorizer(&self, answers: &'a GivenAnswers) -> RequestAuthorizer<'a> {
        let text = |path: &[&str]| self.request.at(path).and_then(|value| value.as_str()).unwrap_or_default();
        let original = if self.request.get("requestResource").is_some() { "requestResource" } else { "resource" };
        let subject = if self.object.is_null() { self.old_object } else { self.object };
        let named = |field| match text(&[field]) {
            "" => subject.at(&["metadata", field]).and_then(|value| value.as_str()).unwrap_or_default(),
            written => written,
        };
        let resource = Resource {
            group: text(&[original, "group"]),
            resource: text(&[original, "resource"]),
            subresource: text(&["subResource"]),
            namespace: named("namespace"),
            name: named("name"),
            ..Resource::default()
        };
        let user = self.request.get("userInfo").unwrap_or(json::Value::Null);
        RequestAuthorizer { authorizer: answers, user, resource }
    }
}

impl Failure {
    fn write<'a>(&self, arena: &'a Arena) -> json::Value<'a> {
        let message = json::Value::String(arena.alloc_str(&self.message));
        let mut members = vec![("error", message), ("stage", json::Value::String(self.stage))];
        if let Some(cost) = self.cost {
            cost.write(&mut members);
        }
        json::Value::Object(json::Object::new(arena, &members))
    }
}

impl Cost {
    fn write(self, members: &mut Vec<json::Member<'_>>) {
        let number = |cost| json::Value::Int(i64::try_from(cost).unwrap_or(i64::MAX));
        members.push(("cost", number(self.own)));
        if self.variables > 0 {
            members.push(("variablesCost", number(self.variables)));
        }
    }
}

fn write_answer<'a>(arena: &'a Arena, value: &Value<'a>, checked: &'a str, cost: Cost) -> json::Value<'a> {
    let mut members = vec![
        ("value", tagged::write(arena, value)),
        ("type", json::Value::String(value.type_name())),
        ("checked", json::Value::String(checked)),
    ];
    cost.write(&mut members);
    json::Value::Object(json::Object::new(arena, &members))
}

fn write_explanation(explanation: &Explanation, output: &mut Output) -> Result<()> {
    for (depth, line) in explanation.lines() {
        writeln!(output, "  {FAINT}{:depth$}{}{FAINT:#}", "", visible::line(&line), depth = depth * 2)?;
    }
    Ok(())
}

fn members(value: json::Value<'_>) -> &[json::Member<'_>] {
    value.as_object().map_or(&[], |object| object.members())
}

/// Variables by name, or as a policy lists them.
fn variables<'a>(given: json::Value<'a>) -> Result<Vec<json::Member<'a>>> {
    let Some(list) = given.as_array() else { return Ok(members(given).to_vec()) };
    let member = |variable: &json::Value<'a>| Some((variable.get("name")?.as_str()?, variable.get("expression")?));
    list.iter().map(|variable| member(variable).context("a variable needs a \"name\" and an \"expression\"")).collect()
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin().lock()));
    }
    let file = std::fs::File::open(path).with_context(|| path.display().to_string())?;
    Ok(Box::new(file))
}

/// The one document of a YAML or JSON file; null where no file is given.
fn document<'a>(arena: &'a Arena, path: Option<&Path>) -> Result<json::Value<'a>> {
    let Some(path) = path else { return Ok(json::Value::Null) };
    let mut text = String::new();
    open(path)?.read_to_string(&mut text).with_context(|| path.display().to_string())?;
    let mut documents = json::yaml::documents(arena, arena.alloc_str(&text));
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => Ok(document.with_context(|| path.display().to_string())?.value),
        (None, _) => bail!("{}: the file holds no document", path.display()),
        (Some(_), false) => bail!("{}: one document is expected, the file holds several", path.display()),
    }
}
