//! The differences that have a reason, each matched as narrowly as can be. `docs/fidelity.md` lists them.

use super::compare::Difference;

/// The reasons; each has to explain something.
pub const REASONS: &[&str] = &[EVERY_CAUSE, EFFECTIVE_POD];

const EVERY_CAUSE: &str = "the API server's denial names its first cause only";
const EFFECTIVE_POD: &str = "a workload is refused when the pods that it will create would be";

/// Resources whose objects create pods.
const WORKLOADS: [&str; 4] = ["/deployments", "/replicasets", "/statefulsets", "/jobs"];

/// The reason for a difference, if it has a known one.
pub fn explain(difference: &Difference<'_>) -> Option<&'static str> {
    let (native, ours) = (difference.native, difference.ours);
    match difference.field {
        "causes" => {
            let (native, ours) = (native.denied.as_ref()?, ours.denied.as_ref()?);
            let validates = native.message.starts_with("ValidatingAdmissionPolicy ");
            let has_all = native.causes.iter().all(|cause| ours.causes.contains(cause));
            (validates && has_all && ours.causes.len() > native.causes.len()).then_some(EVERY_CAUSE)
        }
        "verdict" | "object" => {
            let is_workload = WORKLOADS.iter().any(|resource| difference.ask.path.contains(resource));
            let about_pods = difference.suite.policies.iter().any(|policy| {
                let rules = policy["spec"]["matchConstraints"]["resourceRules"].as_array();
                rules.into_iter().flatten().any(|rule| {
                    let listed = rule["resources"].as_array().into_iter().flatten();
                    listed
                        .into_iter()
                        .any(|listed| listed == "pods" || listed == "*" || listed == "*/*" || listed == "pods/*")
                })
            });
            (native.denied.is_none() && ours.denied.is_some() && is_workload && about_pods).then_some(EFFECTIVE_POD)
        }
        _ => None,
    }
}
