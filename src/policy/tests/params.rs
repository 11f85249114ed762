//! Params: which objects a binding is evaluated with.

use super::load_good;
use crate::json::Arena;
use crate::policy::model::{LabelSelector, Operator, ParamKind, ParamRef, Requirement};
use crate::policy::{ParamError, Params};

const OBJECTS: &str = "apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: media, labels: {app: x}}
data: {which: media-a}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b, namespace: media, labels: {app: x}}
data: {which: media-b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {which: default-a}
---
apiVersion: rules.example.com/v1
kind: Limit
metadata: {name: a}
data: {which: limit-a}
---
apiVersion: rules.example.com/v1
kind: Spaced
metadata: {name: a, namespace: media}
data: {which: spaced-a}
---
apiVersion: v1
kind: Namespace
metadata: {name: a, namespace: ignored}
data: {which: namespace-a}
";

/// A reference by name, or by the label `app` where the name begins with `app=`.
fn reference(name: &str, namespace: Option<&str>, deny: bool) -> ParamRef {
    let selector = name.strip_prefix("app=").map(|value| LabelSelector {
        requirements: vec![Requirement {
            key: "app".to_owned(),
            operator: Operator::In,
            values: vec![value.to_owned()],
        }],
    });
    ParamRef {
        name: selector.is_none().then(|| name.to_owned()),
        namespace: namespace.map(str::to_owned),
        selector,
        deny_if_not_found: deny,
    }
}

fn resolve(params: &Params, kind: &str, reference: &ParamRef, namespace: &str) -> Result<Vec<String>, ParamError> {
    let arena = Arena::new();
    let (api_version, kind) = kind.rsplit_once(' ').expect("apiVersion and kind");
    let kind = ParamKind { api_version: api_version.to_owned(), kind: kind.to_owned() };
    let found = params.resolve(&arena, Some(&kind), Some(reference), namespace)?;
    let which = |param: &crate::cel::Params<'_>| param.value().at(&["data", "which"])?.as_str().map(str::to_owned);
    Ok(found.iter().filter_map(which).collect())
}

#[test]
fn finds_params_as_upstream_does() {
    let params = load_good(&[OBJECTS]).params;
    type Found = Result<&'static [&'static str], ParamError>;
    let cases: [(&str, &str, Option<&str>, &str, Found); 13] = [
        ("v1 ConfigMap", "a", None, "media", Ok(&["media-a"])),
        ("v1 ConfigMap", "a", Some("media"), "other", Ok(&["media-a"])),
        ("v1 ConfigMap", "a", None, "default", Ok(&["default-a"])),
        ("v1 ConfigMap", "a", None, "other", Err(ParamError::NotFound)),
        ("v1 ConfigMap", "a", None, "", Err(ParamError::NoNamespace)),
        ("v1 ConfigMap", "a", Some("media"), "", Ok(&["media-a"])),
        ("v1 ConfigMap", "app=x", None, "media", Ok(&["media-a", "media-b"])),
        ("v1 ConfigMap", "app=y", None, "media", Err(ParamError::NotFound)),
        ("rules.example.com/v1 Limit", "a", None, "media", Ok(&["limit-a"])),
        ("rules.example.com/v1 Limit", "a", None, "", Ok(&["limit-a"])),
        ("rules.example.com/v1 Spaced", "a", None, "media", Ok(&["spaced-a"])),
        ("v1 Namespace", "a", None, "", Ok(&["namespace-a"])),
        ("v1 Namespace", "a", Some("media"), "", Err(ParamError::ClusterScoped)),
    ];
    for (kind, name, namespace, of_request, expected) in cases {
        let found = resolve(&params, kind, &reference(name, namespace, true), of_request);
        let expected = expected.map(|texts| texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(found, expected, "{kind} {name} {namespace:?} {of_request}");
    }
}

#[test]
fn a_missing_param_that_is_allowed_means_no_evaluation() {
    let params = load_good(&[OBJECTS]).params;
    assert_eq!(resolve(&params, "v1 ConfigMap", &reference("none", None, false), "media"), Ok(Vec::new()));
    assert_eq!(resolve(&params, "v1 ConfigMap", &reference("app=none", None, false), "media"), Ok(Vec::new()));
}

#[test]
fn a_policy_or_binding_without_params_is_evaluated_with_null() {
    let params = Params::default();
    let arena = Arena::new();
    let kind = ParamKind { api_version: "v1".to_owned(), kind: "ConfigMap".to_owned() };
    let reference = reference("a", None, true);
    for (kind, reference) in [(None, None), (Some(&kind), None), (None, Some(&reference))] {
        let found = params.resolve(&arena, kind, reference, "").expect("no error");
        assert!(matches!(found, [only] if only.value().is_null()), "{found:?}");
    }
}

#[test]
fn later_objects_replace_earlier_ones_of_the_same_identity() {
    let later = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: media}\ndata: {which: later}\n";
    let params = load_good(&[OBJECTS, later]).params;
    assert_eq!(params.len(), 6);
    assert_eq!(resolve(&params, "v1 ConfigMap", &reference("a", None, true), "media"), Ok(vec!["later".to_owned()]));
}
