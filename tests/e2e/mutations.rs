//! The shipped mutating policies against the API server: generated pods that it accepts are accepted with what the webhook
//! makes of them, and what has been through the webhook comes through it again as it is.

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use super::deployed::{Deployed, deployed};
use super::random::{self, Random};

#[path = "../mutations/pods.rs"]
mod pods;
#[allow(dead_code)]
#[path = "../mutations/policies.rs"]
mod policies;
#[allow(dead_code)]
#[path = "../mutations/valid.rs"]
mod valid;

use policies::{Policies, profiles};

/// How many pods are made for the params of each cluster.
const PODS: u64 = 60;

#[test]
fn pods_that_the_api_server_accepts_it_accepts_after_mutation_and_no_second_time_changes_them() {
    let deployed = deployed();
    let policies = Policies::load();
    deployed.cluster.block_on(async {
        deployed.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "home"}})).await;
        let runtime = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
            "metadata": {"name": "runc"}, "handler": "runc"});
        deployed.apply(&runtime).await;
        let (mut accepted, mut changed) = (0, 0);
        for (number, profile) in profiles().iter().enumerate() {
            let written = (0..PODS).map(|pod| pods::pod(&mut Random::of_stream(number as u64, pod)));
            // Pods as they are stored while nobody changes them; those that are refused are none.
            let mut stored = Vec::new();
            for pod in written {
                let answer = deployed.dry_run(&pod).await;
                if answer.status == StatusCode::CREATED {
                    stored.push((pod, answer.body));
                }
            }
            let mut flags = vec!["--mode", "enforce", "--profile", "tests/mutations/profile.yaml"];
            flags.extend(profile.file.iter().flat_map(|file| ["--params", file]));
            let _serving = deployed.serve(&flags).await;
            for (pod, before) in &stored {
                let expected =
                    policies.all(profile, before).unwrap_or_else(|error| panic!("{:?}: {error}: {pod}", profile.file));
                let after = created(&deployed, pod).await;
                assert_eq!(after["spec"], expected["spec"], "{:?}: {pod}", profile.file);
                let again = created(&deployed, &sent_again(&after)).await;
                assert_eq!(again["spec"], after["spec"], "{:?}: {pod}", profile.file);
                changed += usize::from(after["spec"] != before["spec"]);
            }
            accepted += stored.len();
        }
        // Of what nobody accepts or changes nothing is shown.
        let pods = profiles().len() * PODS as usize;
        assert!(accepted * 2 > pods && changed * 3 > pods, "{accepted} of {pods} accepted, {changed} changed");
        println!("{accepted} of {pods} pods accepted, {changed} changed, all accepted afterwards");
    });
}

/// What the API server would store of a pod, which it has to accept.
async fn created(deployed: &Deployed, pod: &Value) -> Value {
    let answer = deployed.dry_run(pod).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{pod}: {answer:#?}");
    answer.body
}

/// A stored pod as somebody would create it who has read it.
fn sent_again(stored: &Value) -> Value {
    let kept = ["name", "namespace", "labels", "annotations"];
    let metadata = kept.iter().filter_map(|field| Some(((*field).to_owned(), stored["metadata"].get(*field)?.clone())));
    let metadata: Map<_, _> = metadata.collect();
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": stored["spec"]})
}
