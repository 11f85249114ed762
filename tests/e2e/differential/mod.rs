//! Policies, compared: pairs of policy and request are judged by the API server itself, by the engine in-process, and
//! by the webhook that the API server asks. All three have to agree in verdict, message, reason, warnings, audit
//! annotations and stored object; where they don't, `explained` has to know why.

mod api;
mod compare;
mod explained;
mod generate;
mod install;
mod local;
mod outcome;
mod recorder;
mod run;
mod suite;
mod topics;

use std::collections::BTreeMap;
use std::time::Instant;

use super::cluster::CLUSTER;
use compare::{Report, Way, of_webhook};
use install::Webhook;
use recorder::Recorder;
use suite::Suite;

/// How many pairs there are at least.
const PAIRS: usize = 4900;

/// As many suites have their policies in the API server at a time: it matches every request with each policy there.
const AT_A_TIME: usize = 210;

#[test]
fn native_policies_and_portcullis_agree() {
    let started = Instant::now();
    let done = |what: &str| println!("{:5.1} s {what}", started.elapsed().as_secs_f64());
    let report = CLUSTER.block_on(async {
        install::clean().await;
        let recorder = Recorder::start().await;
        let mut report = Report::default();
        let mut all = selected();
        install::prepare(&mut all).await;
        let prepared = Instant::now();
        done("prepared");
        let (mut suites, mut native) = (Vec::new(), BTreeMap::new());
        while !all.is_empty() {
            let batch: Vec<Suite> = all.drain(..all.len().min(AT_A_TIME)).collect();
            let refusals = install::policies(&batch).await;
            let batch = admitted(batch, refusals, &mut report);
            run::settle(&batch, prepared).await;
            native.extend(run::ask(&batch).await);
            install::remove_policies().await;
            suites.extend(batch);
            done(&format!("native policies of {} suites were asked", suites.len()));
        }
        let webhook = Webhook::start(&suites, &recorder).await;
        done("the webhook is asked");
        // The webhook has all policies from the start; what has to settle are the configurations, and some have their own.
        let own = suites.iter().filter(|suite| suite.webhook_rules.is_some());
        run::settle(own.chain(suites.iter().take(AT_A_TIME)), prepared).await;
        let served = run::ask(&suites).await;
        done("the webhook was asked");
        let namespaces = install::namespaces().await;
        drop(webhook);
        let reviewed = local::review_all(&suites, &recorder, &namespaces);
        done("the engine was asked");
        install::clean().await;

        for suite in &suites {
            for (index, ask) in suite.asks.iter().enumerate() {
                let case = format!("{}-{index}", suite.name);
                report.count(suite);
                let native = &native[&case];
                report.compare(Way::Webhook, suite, &case, ask, &of_webhook(native), &served[&case]);
                match reviewed.get(&case) {
                    Some(ours) => {
                        let (native, ours) = (native.judged(ask), ours.judged(ask));
                        report.compare(Way::Engine, suite, &case, ask, &native, &ours);
                    }
                    // A webhook with rules of its own is not asked about everything, and then policies aren't either.
                    None if suite.webhook_rules.is_some() => {}
                    None => report.fault(format!("--- {case}: never reached admission: {native:?}")),
                }
            }
        }
        report
    });
    let total = report.total();
    report.finish(topic().is_none());
    assert!(topic().is_some() || total >= PAIRS, "only {total} pairs");
}

/// The suites of the topics that `DIFFERENTIAL_TOPIC` is part of; all of them without it.
fn selected() -> Vec<Suite> {
    let topic = topic().unwrap_or_default();
    topics::suites().into_iter().filter(|suite| suite.topic.contains(&topic)).collect()
}

fn topic() -> Option<String> {
    std::env::var("DIFFERENTIAL_TOPIC").ok()
}

/// The suites whose policies the API server admits. Those of the others have to be refused by Portcullis, too.
fn admitted(suites: Vec<Suite>, refusals: Vec<Option<String>>, report: &mut Report) -> Vec<Suite> {
    let mut admitted = Vec::new();
    for (suite, refusal) in suites.into_iter().zip(refusals) {
        match (refusal, local::refusal(&suite)) {
            (None, None) => admitted.push(suite),
            (Some(_), Some(_)) => report.refused(),
            (native, ours) => {
                let policies: Vec<String> = suite.policies.iter().map(|policy| policy["spec"].to_string()).collect();
                let policies = policies.join("\n  ");
                report.fault(format!(
                    "--- refused by one: {}\n  {policies}\n  native {native:?}\n  ours   {ours:?}",
                    suite.topic
                ));
            }
        }
    }
    admitted
}

/// The name of the suite with a number; 0 is that of the probe.
fn suite_name(number: usize) -> String {
    format!("e2e{number:04}")
}

/// Whether an audit annotation's prefix is the name of a suite's policy.
fn is_suite_name(text: &str) -> bool {
    text.strip_prefix("e2e").is_some_and(|rest| rest.len() >= 4 && rest.as_bytes()[..4].iter().all(u8::is_ascii_digit))
}
