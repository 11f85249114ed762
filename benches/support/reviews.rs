//! What the API server asks about the benchmarks' Pod: its creation, an update of it, and a Deployment that creates it.
//! The objects' texts stand as they are, so that fields have the API server's order.

use serde::Deserialize;
use serde_json::value::RawValue;

const POD: &str = include_str!("../data/pod-6k.json");
const CREATE_POD: &str = include_str!("../data/review-7k.json");

#[derive(Deserialize)]
struct Pod<'p> {
    #[serde(borrow)]
    metadata: Metadata<'p>,
    #[serde(borrow)]
    spec: &'p RawValue,
}

#[derive(Deserialize)]
struct Metadata<'p> {
    #[serde(borrow)]
    labels: &'p RawValue,
    #[serde(borrow)]
    annotations: &'p RawValue,
}

/// The review of a new Pod, of 7 KB.
pub fn create_pod() -> String {
    CREATE_POD.trim_end().to_owned()
}

/// The review of a Pod that gets another annotation: twice the size, for it has the old Pod beside the new one.
pub fn update_pod() -> String {
    let old = POD.trim_end();
    let new = old.replacen("\"annotations\":{", "\"annotations\":{\"library/seen\":\"today\",", 1);
    let user = r#"{"username":"ann","groups":["system:authenticated"]}"#;
    review(["", "Pod", "pods"], "catalogue-6c8f7d9b54-9vq4t", "UPDATE", user, &new, old)
}

/// The review of a new Deployment of that Pod.
///
/// # Errors
/// The Pod's text isn't what it should be.
pub fn create_deployment() -> serde_json::Result<String> {
    let user = r#"{"username":"system:serviceaccount:argocd:argocd-application-controller","groups":["system:serviceaccounts","system:authenticated"]}"#;
    Ok(review(["apps", "Deployment", "deployments"], "catalogue", "CREATE", user, &deployment()?, "null"))
}

/// A Deployment whose template is the Pod.
fn deployment() -> serde_json::Result<String> {
    let Pod { metadata: Metadata { labels, annotations }, spec } = serde_json::from_str(POD)?;
    Ok(format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"catalogue","namespace":"library","uid":"4f6a8c0e-1b3d-4d5f-8a7c-9e0f1a2b3c4d","generation":1,"creationTimestamp":"2026-02-03T04:05:06Z","labels":{labels}}},"spec":{{"replicas":2,"selector":{{"matchLabels":{{"app.kubernetes.io/name":"catalogue"}}}},"template":{{"metadata":{{"creationTimestamp":null,"labels":{labels},"annotations":{annotations}}},"spec":{spec}}},"strategy":{{"type":"RollingUpdate","rollingUpdate":{{"maxUnavailable":"25%","maxSurge":"25%"}}}},"revisionHistoryLimit":10,"progressDeadlineSeconds":600}},"status":{{}}}}"#
    ))
}

/// The review of an object of the namespace `library`, as JSON like `user` and both objects.
pub fn review(
    [group, kind, resource]: [&str; 3],
    name: &str,
    operation: &str,
    user: &str,
    object: &str,
    old_object: &str,
) -> String {
    let kind = format!(r#"{{"group":"{group}","version":"v1","kind":"{kind}"}}"#);
    let resource = format!(r#"{{"group":"{group}","version":"v1","resource":"{resource}"}}"#);
    let options = if operation == "CREATE" { "CreateOptions" } else { "UpdateOptions" };
    format!(
        r#"{{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{{"uid":"3d5e7f91-2b4c-4d6e-8f01-a2b3c4d5e6f7","kind":{kind},"resource":{resource},"requestKind":{kind},"requestResource":{resource},"name":"{name}","namespace":"library","operation":"{operation}","userInfo":{user},"object":{object},"oldObject":{old_object},"dryRun":false,"options":{{"kind":"{options}","apiVersion":"meta.k8s.io/v1"}}}}}}"#
    )
}
