//! Sends the requests of all suites to the API server, many at a time, and collects what became of them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::{Method, Request};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::super::cluster::{Answer, CLUSTER, PATIENCE};
use super::outcome::{Outcome, WEBHOOK};
use super::suite::{Ask, Suite};

/// As many requests are on their way at once; the API server and Portcullis share two cores with this process.
pub const AT_ONCE: usize = 16;

/// The API server looks for new policies once a second.
const SETTLING: Duration = Duration::from_millis(1100);
/// What is new to the API server besides policies, custom resources above all, is not taken to have settled before,
/// however alike answers are.
const SETTLED_AFTER: Duration = Duration::from_secs(6);

/// What tells a request from all others: its suite's name and its place there.
pub type Case = String;

/// Waits until policies have settled: they don't take effect in any order. They have when one request of each suite is
/// answered alike twice. `prepared` is when all that policies need was made.
pub async fn settle<'s>(suites: impl IntoIterator<Item = &'s Suite>, prepared: Instant) {
    let first: Vec<_> = cases(suites).filter(|(case, _)| case.ends_with("-0")).collect();
    let started = Instant::now();
    let mut before = Vec::new();
    loop {
        let outcomes = outcomes(ask_all(first.clone()).await, &HashMap::new());
        // Messages and the order of mutations may differ each time; whether there is a label or annotation doesn't.
        let changed = |o: &Outcome| o.object.to_string().len();
        let now: Vec<_> = outcomes.values().map(|o| (o.denied.is_some(), o.failed.clone(), changed(o))).collect();
        if now == before && prepared.elapsed() >= SETTLED_AFTER || started.elapsed() >= PATIENCE {
            return;
        }
        before = now;
        tokio::time::sleep(SETTLING).await;
    }
}

/// Asks everything; with each answer what policies left in the audit log.
pub async fn ask(suites: &[Suite]) -> BTreeMap<Case, Outcome> {
    let logged = CLUSTER.audit_log.as_ref().map_or(0, |file| std::fs::metadata(file).unwrap().len());
    let answers = ask_all(cases(suites).collect()).await;
    outcomes(answers, &audited(logged))
}

/// What the API server answered to a request; an error where it panicked.
type Answered = Result<Answer, kube::Error>;

async fn ask_all(asks: Vec<(Case, &Ask)>) -> Vec<(Case, Answered)> {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut tasks = JoinSet::new();
    for (case, ask) in asks {
        let (ask, slots) = (ask.clone(), Arc::clone(&slots));
        tasks.spawn(async move {
            let _slot = slots.acquire().await;
            let answer = send(&case, &ask).await;
            (case, answer)
        });
    }
    tasks.join_all().await
}

/// Outcomes by case, each with what policies left in the audit log.
fn outcomes(
    answers: Vec<(Case, Answered)>,
    audited: &HashMap<String, BTreeMap<String, String>>,
) -> BTreeMap<Case, Outcome> {
    let outcome = |answer: &Answered| {
        let Ok(answer) = answer else {
            return Outcome { failed: Some("the API server panicked".to_owned()), ..Outcome::default() };
        };
        let id = answer.headers.get("audit-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
        Outcome::of_answer(answer, audited.get(id).cloned().unwrap_or_default())
    };
    answers.iter().map(|(case, answer)| (case.clone(), outcome(answer))).collect()
}

/// The requests of all suites, each with its case.
pub fn cases<'s>(suites: impl IntoIterator<Item = &'s Suite>) -> impl Iterator<Item = (Case, &'s Ask)> {
    suites
        .into_iter()
        .flat_map(|suite| suite.asks.iter().enumerate().map(|(index, ask)| (format!("{}-{index}", suite.name), ask)))
}

/// Sends one request as a dry run.
///
/// # Errors
/// The API server panicked.
pub async fn send(case: &str, ask: &Ask) -> Answered {
    let bytes = if ask.body.is_null() { Vec::new() } else { serde_json::to_vec(&ask.body).unwrap() };
    let separator = if ask.path.contains('?') { '&' } else { '?' };
    let dry_run = if ask.method == Method::GET { String::new() } else { format!("{separator}dryRun=All") };
    let request = Request::builder()
        .method(ask.method.clone())
        .uri(format!("{}{dry_run}", ask.path))
        .header("content-type", ask.content_type)
        .header("impersonate-user", ask.user)
        .header("impersonate-group", ask.group)
        .header("impersonate-extra-case", case)
        .body(Body::from(bytes))
        .unwrap();
    CLUSTER.exchange(request).await
}

/// The annotations of policies in the audit log after its first `from` bytes, by the request's audit ID.
fn audited(from: u64) -> HashMap<String, BTreeMap<String, String>> {
    let Some(file) = &CLUSTER.audit_log else { return HashMap::new() };
    let (mut file, mut text) = (File::open(file).unwrap(), String::new());
    file.seek(SeekFrom::Start(from)).unwrap();
    file.read_to_string(&mut text).unwrap();
    let events = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let complete = events.filter(|event| event["stage"] == "ResponseComplete");
    complete.map(|event| (event["auditID"].as_str().unwrap().to_owned(), annotations(&event))).collect()
}

fn annotations(event: &Value) -> BTreeMap<String, String> {
    let all = event["annotations"].as_object().into_iter().flatten();
    let ours = all.filter(|(key, _)| {
        let owner = key.split('/').next().unwrap_or_default();
        owner == WEBHOOK || owner == "validation.policy.admission.k8s.io" || super::is_suite_name(owner)
    });
    ours.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}
