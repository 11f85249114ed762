//! The API server itself: that it is there, and recent enough for every policy kind.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::cluster::CLUSTER;

#[test]
fn serves_the_policy_kinds_in_their_stable_version() {
    CLUSTER.block_on(async {
        let path = "/apis/admissionregistration.k8s.io/v1";
        let answer = CLUSTER.request(Method::GET, path, &Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK);
        let kinds: Vec<_> = answer.body["resources"].as_array().unwrap().iter().map(|kind| &kind["kind"]).collect();
        for kind in ["ValidatingAdmissionPolicy", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"] {
            assert!(kinds.iter().any(|served| **served == kind), "{kind} is not in {kinds:?}");
        }
    });
}
