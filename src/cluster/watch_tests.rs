//! The watch against an API server that answers as told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::cluster::testing::{NEVER, client};

/// What happened: requests with their queries, and what was published after each change.
#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    published: Vec<Vec<String>>,
}

/// Runs a watch that is given `answers` in turn, until there are no more.
async fn watched(name: Option<&str>, answers: &[(u16, &str)]) -> (Seen, Arc<Status>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let answers: VecDeque<_> = answers.iter().map(|(code, body)| (*code, (*body).to_owned())).collect();
    let (answers, log) = (Arc::new(Mutex::new(answers)), Arc::clone(&seen));
    let (over, mut done) = tokio::sync::mpsc::unbounded_channel();
    let api = Api::new(client(move |path| {
        log.lock().unwrap().requests.push(path.to_owned());
        answers.lock().unwrap().pop_front().unwrap_or_else(|| {
            let _ = over.send(());
            (NEVER, String::new())
        })
    }));
    let collection = Collection {
        path: "/api/v1/things".to_owned(),
        api_version: "v1".to_owned(),
        kind: "Thing".to_owned(),
        name: name.map(str::to_owned),
        label: name.map(|name| format!("example.com/named={name}")),
    };
    let status = Arc::new(Status::default());
    let sink = Arc::clone(&seen);
    let watch = Watch {
        api: &api,
        collection: &collection,
        status: &status,
        keep: &|object| match text(object, &["v"]) {
            Some("bad") => Err("v is bad".to_owned()),
            Some("unwanted") => Ok(None),
            v => Ok(text(object, &["kind"]).map(|kind| format!("{kind}={}", v.unwrap_or("-")))),
        },
        size: &|kept, text| if kept.ends_with("huge") { MAX_KEPT_BYTES + 1 } else { text },
        publish: &|objects| {
            let objects = objects.map(|((namespace, name), kept)| format!("{namespace}/{name}:{kept}"));
            sink.lock().unwrap().published.push(objects.collect());
        },
        failed: &|_, _| {},
    };
    tokio::select! {
        _ = watch.run() => {}
        _ = done.recv() => {}
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the watch made no more requests"),
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    (seen, status)
}

const LIST: &str = r#"{"kind":"ThingList","metadata":{"resourceVersion":"10"},"items":[
    {"metadata":{"name":"a","namespace":"n"},"v":"1"},{"metadata":{"name":"b"},"v":"2"}]}"#;

fn event(what: &str, object: &str) -> String {
    format!("{{\"type\":\"{what}\",\"object\":{object}}}\n")
}

#[tokio::test]
async fn lists_and_then_follows_changes() {
    let events = [
        event("ADDED", r#"{"metadata":{"name":"c","resourceVersion":"11"},"v":"3"}"#),
        event("MODIFIED", r#"{"metadata":{"name":"a","namespace":"n","resourceVersion":"12"},"v":"4"}"#),
        event("DELETED", r#"{"metadata":{"name":"b","resourceVersion":"13"}}"#),
        event("BOOKMARK", r#"{"metadata":{"resourceVersion":"20"}}"#),
    ]
    .concat();
    let (seen, status) = watched(None, &[(200, LIST), (200, &events)]).await;
    assert_eq!(seen.published[0], ["/b:Thing=2", "n/a:Thing=1"]);
    assert_eq!(seen.published.last().unwrap(), &["/c:Thing=3", "n/a:Thing=4"]);
    assert!(seen.requests[0].starts_with("/api/v1/things?limit=250"), "{:?}", seen.requests);
    assert!(seen.requests[1].contains("watch=1") && seen.requests[1].ends_with("resourceVersion=10"));
    assert!(seen.requests[2].ends_with("resourceVersion=20"), "{:?}", seen.requests);
    assert_eq!((status.get().synced, status.get().objects), (true, 2));
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let first = r#"{"metadata":{"resourceVersion":"5","continue":"a b"},"items":[{"metadata":{"name":"a"}}]}"#;
    let second = r#"{"metadata":{"resourceVersion":"5"},"items":[{"metadata":{"name":"b"}}]}"#;
    let (seen, _) = watched(Some("x y"), &[(200, first), (200, second)]).await;
    assert_eq!(seen.published, [["/a:Thing=-", "/b:Thing=-"]]);
    assert!(seen.requests[1].contains("continue=a%20b"), "{:?}", seen.requests);
    assert!(seen.requests.iter().all(|request| {
        request.ends_with("&fieldSelector=metadata.name%3Dx%20y&labelSelector=example.com%2Fnamed%3Dx%20y")
    }));
}

#[tokio::test]
async fn a_page_that_is_too_large_is_asked_for_in_parts() {
    let large = " ".repeat(MAX_ANSWER_BYTES + 1);
    let (seen, _) = watched(None, &[(200, &large), (200, LIST)]).await;
    assert!(seen.requests[1].contains("limit=62&"), "{:?}", seen.requests);
    assert_eq!(seen.published.len(), 1);
}

#[tokio::test]
async fn one_object_that_cannot_be_read_costs_itself_alone() {
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let list = format!(
        r#"{{"metadata":{{"resourceVersion":"1"}},"items":[{{"metadata":{{"name":"deep"}},"v":{deep}}},
        {{"metadata":{{}}}},5,{{"metadata":{{"name":"good"}}}}]}}"#
    );
    let events = event("ADDED", &format!(r#"{{"metadata":{{"name":"deeper"}},"v":{deep}}}"#))
        + &event("ADDED", r#"{"metadata":{"name":"better"}}"#);
    let (seen, status) = watched(None, &[(200, &list), (200, &events)]).await;
    assert_eq!(seen.published[0], ["/good:Thing=-"]);
    assert_eq!(seen.published.last().unwrap(), &["/better:Thing=-", "/good:Thing=-"]);
    assert_eq!(status.get().malformed, 4);
}

#[tokio::test]
async fn what_is_kept_of_an_object_goes_when_it_is_no_longer_wanted_and_stays_when_it_cannot_be_used() {
    let events = [
        event("MODIFIED", r#"{"metadata":{"name":"a","namespace":"n"},"v":"bad"}"#),
        event("MODIFIED", r#"{"metadata":{"name":"b"},"v":"unwanted"}"#),
    ]
    .concat();
    let (seen, status) = watched(None, &[(200, LIST), (200, &events)]).await;
    assert_eq!(seen.published.last().unwrap(), &["n/a:Thing=1"]);
    assert_eq!(status.get().malformed, 1);
}

#[tokio::test]
async fn a_version_that_is_gone_is_listed_anew() {
    let gone = event("ERROR", r#"{"kind":"Status","code":410,"message":"too old"}"#);
    let (seen, status) = watched(None, &[(200, LIST), (200, &gone), (200, LIST), (410, "{}"), (200, LIST)]).await;
    let lists = seen.requests.iter().filter(|request| request.contains("limit=")).count();
    assert_eq!((lists, seen.published.len()), (3, 3), "{:?}", seen.requests);
    assert_eq!(status.get().failures, 0);
}

#[tokio::test]
async fn what_is_known_stays_while_the_api_server_is_away() {
    let (seen, status) = watched(None, &[(200, LIST), (503, "down")]).await;
    assert_eq!(seen.published.len(), 1);
    let state = status.get();
    assert!(state.synced && state.objects == 2, "{state:?}");
    assert_eq!(state.failing.map(|(_, why)| why).as_deref(), Some("down (503)"));
}

#[tokio::test]
async fn a_collection_that_is_not_served_ends_the_watch() {
    let (seen, status) = watched(None, &[(404, r#"{"message":"no such thing"}"#)]).await;
    assert_eq!(seen.requests.len(), 1);
    assert_eq!(status.get().failing.map(|(_, why)| why).as_deref(), Some("no such thing (404)"));
}

#[tokio::test]
async fn memory_is_bounded() {
    assert!(within(MAX_KEPT_BYTES).is_ok());
    assert!(within(MAX_KEPT_BYTES + 1).is_err());
    let huge = r#"{"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"a"},"v":"huge"}]}"#;
    let (seen, status) = watched(None, &[(200, huge)]).await;
    let why = status.get().failing.map(|(_, why)| why).unwrap_or_default();
    assert!(seen.published.is_empty() && why.contains("more than 67108864 bytes"), "{why}");
    let endless = event("ADDED", &format!("\"{}\"", "x".repeat(MAX_ANSWER_BYTES))).replace('\n', "");
    let (_, status) = watched(None, &[(200, LIST), (200, &endless), (404, "{}")]).await;
    assert_eq!(status.get().failures, 2, "{:?}", status.get());
}
