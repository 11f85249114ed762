//! Exported mutating policies: the API server makes of each suite's objects what is made of them here.

use std::time::Duration;

use portcullis::engine::Operation;
use portcullis::policy::PolicyType;
use serde_json::Value;

use super::Comparison;
use super::case::{Case, suites};
use super::cluster::{Installed, Native};
use super::inlined::with_params;

/// How often an object is asked for until it is as it is here.
const ATTEMPTS: usize = 20;

/// What mutating policies may change of an object, and the API server doesn't give it.
fn of_interest(object: &Value) -> [&Value; 3] {
    [&object["spec"], &object["metadata"]["labels"], &object["metadata"]["annotations"]]
}

#[test]
fn exported_mutating_policies_make_of_objects_what_is_made_of_them_here() {
    let suites = suites(PolicyType::Mutating);
    // Two suites may be about one policy.
    let called = |suite: usize| format!("suite{suite}");
    let installed: Vec<_> =
        suites.iter().enumerate().map(|(at, suite)| Installed::of(suite, &[]).called(&called(at))).collect();
    let with_params = with_params(&suites);
    let mut native = Native::start(installed.iter().chain(with_params.iter().map(|chosen| &chosen.installed)));
    let (mut comparison, mut changed) = (Comparison::default(), 0);
    for (suite_at, suite) in suites.iter().enumerate() {
        for (number, round) in suite.rounds.iter().enumerate() {
            native.set_params(suite.params(round));
            let inlined = with_params.iter().find(|chosen| chosen.suite.name() == suite.name() && chosen.at == number);
            for at in &round.cases {
                let case = Case::new(suite, *at);
                let name = format!("{}/{}", suite.name(), case.name());
                if case.request().operation == Operation::Delete {
                    continue;
                }
                let asked = case.as_it_is(round).of_group(&called(suite_at));
                // What the API server makes of the object while no policy judges what is asked for.
                let mut plain = asked.request.clone();
                if let Ok(request) = &mut plain {
                    request.group = "nobody".to_owned();
                }
                let before = match plain.and_then(|request| native.object(&request)) {
                    Ok(before) => before,
                    Err(why) => {
                        comparison.leave(&name, &why);
                        continue;
                    }
                };
                let here = case.with(before.clone(), case.old_object.clone()).mutated(round);
                changed += usize::from(of_interest(&here) != of_interest(&before));
                let inlined = inlined.map(|chosen| case.as_it_is(round).of_group(&chosen.prefix));
                for asked in [Some(asked), inlined].into_iter().flatten() {
                    let group = asked.request.as_ref().map_or("nobody", |request| &*request.group).to_owned();
                    let ask = || match &asked.request {
                        Ok(request) => native.object(request).unwrap_or_else(Value::String),
                        Err(why) => Value::String(why.clone()),
                    };
                    let mut there = ask();
                    // The probe judges: those who mutate read params by themselves, perhaps a little later.
                    for _ in 0..ATTEMPTS {
                        if of_interest(&here) != of_interest(&there) {
                            std::thread::sleep(Duration::from_millis(100));
                            there = ask();
                        }
                    }
                    comparison.compared += 1;
                    if of_interest(&here) != of_interest(&there) {
                        comparison
                            .wrong
                            .push(format!("{name}, judged by {group}:\n  here:   {here}\n  native: {there}"));
                    }
                }
            }
        }
    }
    comparison.finish();
    assert!(comparison.compared > 200 && changed > 100, "{} compared, {changed} changed", comparison.compared);
}
