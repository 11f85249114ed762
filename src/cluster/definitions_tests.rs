//! The watch of definitions against an API server that answers as told.

use std::time::Instant;

use super::*;
use crate::cluster::testing::{Changes, NEVER, bridge};
use crate::json::{self, Arena, Limits};
use crate::policy::{Manifest, defined_kinds, load};
use crate::schema::Known;

/// A policy for each rule, which merges apply configurations.
fn policies(rules: &[&str]) -> Vec<Policy> {
    let policies = rules.iter().enumerate().map(|(at, rule)| {
        format!(
            "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {{name: p{at}}}\n\
             spec:\n  failurePolicy: Fail\n  reinvocationPolicy: Never\n  matchConstraints: {{resourceRules: [\
             {{apiVersions: ['*'], operations: [CREATE], resources: ['*'], apiGroups: {rule}}}]}}\n  mutations: \
             [{{patchType: ApplyConfiguration, applyConfiguration: {{expression: 'Object{{}}'}}}}]\n---\n\
             apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicyBinding\n\
             metadata: {{name: b{at}}}\nspec: {{policyName: p{at}}}\n"
        )
    });
    loaded(&policies.collect::<Vec<_>>().join("---\n"))
}

fn loaded(text: &str) -> Vec<Policy> {
    let loaded = load(&[Manifest::new("p.yaml", text)], 36);
    assert!(loaded.errors.is_empty(), "{:?}", loaded.errors);
    loaded.policies
}

#[test]
fn only_policies_that_merge_into_what_is_not_built_in_need_definitions() {
    let these = |groups: &[&str]| Some(Groups::These(groups.iter().map(|group| (*group).to_owned()).collect()));
    for (rules, needed) in [
        (vec!["['', apps, batch, rbac.authorization.k8s.io]"], None),
        (vec![], None),
        (vec!["['', example.com]", "[other.example.com, example.com]"], these(&["example.com", "other.example.com"])),
        (vec!["[example.com]", "['*']"], Some(Groups::All)),
    ] {
        assert_eq!(Groups::needed_by(&policies(&rules)), needed, "{rules:?}");
    }
}

#[test]
fn policies_that_merge_nothing_or_are_not_bound_need_none() {
    let [spec, binding]: [String; 2] = {
        let policy = |patch: &str| {
            format!(
                "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {{name: p}}\n\
                 spec:\n  failurePolicy: Fail\n  reinvocationPolicy: Never\n  matchConstraints: {{resourceRules: [\
                 {{apiGroups: ['*'], apiVersions: ['*'], operations: [CREATE], resources: ['*']}}]}}\n  \
                 mutations: [{{patchType: {patch}}}]\n"
            )
        };
        [
            policy("JSONPatch, jsonPatch: {expression: \"[JSONPatch{op: 'remove', path: '/a'}]\"}")
                + "---\napiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicyBinding\n\
                   metadata: {name: b}\nspec: {policyName: p}\n",
            policy("ApplyConfiguration, applyConfiguration: {expression: 'Object{}'}"),
        ]
    };
    for text in [spec, binding] {
        assert_eq!(Groups::needed_by(&loaded(&text)), None, "{text}");
    }
}

/// A definition of Widgets of a group, with one field.
fn definition(group: &str, field: &str, established: &str) -> String {
    format!(
        r#"{{"kind":"CustomResourceDefinition","metadata":{{"name":"widgets.{group}"}},
        "spec":{{"group":"{group}","names":{{"kind":"Widget","plural":"widgets"}},"versions":[{{"name":"v1","served":true,
        "schema":{{"openAPIV3Schema":{{"type":"object","properties":{{"{field}":{{"type":"string"}}}}}}}}}}]}},
        "status":{{"conditions":[{{"type":"Established","status":"{established}"}}]}}}}"#
    )
}

fn list(definitions: &[&str]) -> String {
    format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":[{}]}}"#, definitions.join(","))
}

/// The fields that Widgets of a group have besides those of every object; `None` if they are not defined.
fn fields(known: &Definitions, group: &str) -> Option<Vec<String>> {
    let (types, root, known) = known.merge_type(group, "v1", "Widget");
    let common = ["apiVersion", "kind", "metadata"];
    let fields = types.resolve(root).map.iter().flat_map(|map| &map.fields).map(|field| field.name.to_string());
    (known == Known::Defined).then(|| fields.filter(|name| !common.contains(&name.as_str())).collect())
}

fn until(watch: &DefinitionWatch, group: &str, expected: Option<&[&str]>) {
    let started = Instant::now();
    loop {
        let found = fields(&watch.current(), group);
        if found.as_ref().map(|fields| fields.iter().map(String::as_str).collect::<Vec<_>>())
            == expected.map(<[&str]>::to_vec)
        {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{found:?} instead of {expected:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the watch's state is as wanted, and returns it.
fn until_state(watch: &DefinitionWatch, wanted: impl Fn(&super::super::WatchState) -> bool) {
    let started = Instant::now();
    loop {
        let health = watch.statuses.health();
        if health.watches.iter().any(|(watched, state)| watched == WATCHED && wanted(state)) {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{health:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A watch that is given this list and no changes.
fn watch(code: u16, list: String) -> DefinitionWatch {
    let answer = move |path: &str| match path {
        path if path.contains("watch=1") => (NEVER, String::new()),
        path if path.starts_with("/apis/apiextensions.k8s.io/v1/customresourcedefinitions?") => (code, list.clone()),
        _ => (500, String::new()),
    };
    DefinitionWatch::new(Arc::new(bridge(answer)), Arc::default())
}

fn shipped(definition: &str) -> Definitions {
    defined_kinds([&Manifest::new("crd.yaml", definition)].into_iter())
}

#[test]
fn a_definition_of_the_cluster_replaces_the_one_that_came_with_the_policies() {
    let watch = watch(200, list(&[&definition("example.com", "live", "True")]));
    let mut both = shipped(&definition("example.com", "file", ""));
    let arena = Arena::new();
    let other = definition("only.example.com", "file", "");
    both.learn(json::parse(&arena, other.as_bytes(), &Limits::default()).expect("JSON"));
    watch.follow(&policies(&["[example.com, only.example.com]"]), &both);
    until(&watch, "example.com", Some(&["live"]));
    until(&watch, "only.example.com", Some(&["file"]));
    // Nothing is watched any longer, so only what came with the policies is known.
    watch.follow(&policies(&["[apps]"]), &both);
    until(&watch, "example.com", Some(&["file"]));
    assert!(watch.statuses.health().watches.is_empty());
}

#[test]
fn a_definition_that_changes_or_goes_counts_at_once() {
    let changes = Changes::default();
    let told = changes.clone();
    let listed = list(&[&definition("example.com", "live", "True")]);
    let answer = move |path: &str| match path.contains("watch=1") {
        true => told.answer(),
        false => (200, listed.clone()),
    };
    let watch = DefinitionWatch::new(Arc::new(bridge(answer)), Arc::default());
    let shipped = shipped(&definition("example.com", "file", ""));
    watch.follow(&policies(&["[example.com]"]), &shipped);
    until(&watch, "example.com", Some(&["live"]));
    changes.tell("MODIFIED", &definition("example.com", "changed", "True"));
    until(&watch, "example.com", Some(&["changed"]));
    // One that is no longer established defines nothing, as in the API server: what came with the policies counts.
    changes.tell("MODIFIED", &definition("example.com", "changed", "False"));
    until(&watch, "example.com", Some(&["file"]));
    changes.tell("MODIFIED", &definition("example.com", "again", "True"));
    until(&watch, "example.com", Some(&["again"]));
    changes.tell("DELETED", &definition("example.com", "again", "True"));
    until(&watch, "example.com", Some(&["file"]));
    changes.tell("ADDED", &definition("example.com", "back", "True"));
    until(&watch, "example.com", Some(&["back"]));

    // Policies that are loaded anew bring other files; what the cluster says stays.
    watch.follow(&policies(&["[example.com]"]), &Definitions::default());
    assert_eq!(fields(&watch.current(), "example.com"), Some(vec!["back".to_owned()]));
    changes.tell("DELETED", &definition("example.com", "back", "True"));
    until(&watch, "example.com", None);
}

#[test]
fn keeps_what_policies_need_and_follows_them() {
    let all = [definition("a.example.com", "a", "True"), definition("b.example.com", "b", "True")];
    let watch = watch(200, list(&all.each_ref().map(String::as_str)));
    watch.follow(&policies(&["[a.example.com]"]), &Definitions::default());
    until(&watch, "a.example.com", Some(&["a"]));
    assert_eq!(fields(&watch.current(), "b.example.com"), None);
    watch.follow(&policies(&["[a.example.com]", "['*']"]), &Definitions::default());
    assert_eq!(fields(&watch.current(), "a.example.com"), Some(vec!["a".to_owned()]), "what is known stays in use");
    until(&watch, "b.example.com", Some(&["b"]));
}

#[test]
fn a_definition_that_cannot_be_used_costs_itself_alone() {
    let broken = definition("broken.example.com", "x", "True").replace("\"plural\":\"widgets\"", "\"plural\":5");
    let taken = definition("taken.example.com", "x", "False");
    let watch = watch(200, list(&[&broken, "5", &taken, &definition("example.com", "good", "True")]));
    watch.follow(&policies(&["['*']"]), &Definitions::default());
    until(&watch, "example.com", Some(&["good"]));
    assert_eq!(fields(&watch.current(), "taken.example.com"), None);
    until_state(&watch, |state| state.synced && state.malformed == 2 && state.objects == 1);
}

#[test]
fn the_deepest_schema_costs_no_stack_that_there_is_not() {
    let deep = format!("{}{}", r#"{"items":"#.repeat(490), "{}".to_owned() + &"}".repeat(490));
    let deep = definition("example.com", "deep", "True").replace(r#"{"type":"string"}"#, &deep);
    let watch = watch(200, list(&[&deep]));
    watch.follow(&policies(&["['*']"]), &Definitions::default());
    until(&watch, "example.com", Some(&["deep"]));
}

#[test]
fn what_can_not_be_had_is_done_without_unless_it_may_come_soon() {
    let file = shipped(&definition("example.com", "file", ""));
    for (code, forgone) in [(403, true), (404, true), (503, false), (429, false)] {
        let watch = watch(code, r#"{"message":"no"}"#.to_owned());
        watch.follow(&policies(&["['*']"]), &file);
        until_state(&watch, |state| state.failing.is_some() && state.forgone == forgone && !state.synced);
        until(&watch, "example.com", Some(&["file"]));
    }
}

#[test]
fn memory_is_bounded() {
    let names: Vec<_> = (0..1000).map(|at| format!(r#""field{at}":{{}}"#)).collect();
    let definition = |group: &str| definition(group, "x", "True").replace(r#""x":{"type":"string"}"#, &names.join(","));
    let many: Vec<_> = (0..500).map(|at| definition(&format!("g{at}.example.com"))).collect();
    let list = list(&many.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(list.len() < 8 * 1024 * 1024, "less text than is allowed, and more memory: {}", list.len());
    let watch = watch(200, list);
    watch.follow(&policies(&["['*']"]), &Definitions::default());
    until_state(&watch, |state| {
        state.failing.as_ref().is_some_and(|(_, why)| why.contains("more than 67108864 bytes")) && state.forgone
    });
    assert_eq!(fields(&watch.current(), "g0.example.com"), None);
}
