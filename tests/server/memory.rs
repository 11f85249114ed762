//! The largest reviews that an API server can send, many at once, in the memory that the shipped deployment gives.

use std::path::PathBuf;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::support::{Client, Server, config_map, review_of};

/// The container of the shipped deployment: its arguments and its memory limit in bytes.
fn deployed() -> (Vec<String>, u64) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base/deployment.yaml");
    let (text, arena) = (std::fs::read_to_string(file).unwrap(), portcullis::json::Arena::new());
    let mut documents = portcullis::json::yaml::documents(&arena, &text).into_iter();
    let deployment = portcullis::json::to_json(documents.next().unwrap().expect("good YAML").value);
    let deployment: Value = serde_json::from_str(&deployment).unwrap();
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned());
    let limit = container["resources"]["limits"]["memory"].as_str().unwrap().strip_suffix("Mi").expect("in Mi");
    (arguments.collect(), limit.parse::<u64>().unwrap() << 20)
}

/// A control group with a memory limit, where the machine lets us make one.
struct Group(PathBuf);

impl Group {
    fn new(limit: u64) -> Option<Self> {
        let name = format!("portcullis-test-{}", std::process::id());
        let places = [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        places.iter().find_map(|(root, file)| {
            let folder = PathBuf::from(root).join(&name);
            std::fs::create_dir(&folder).ok()?;
            let group = Self(folder);
            // A folder that is no control group has no such file, and one without the controller has none either.
            let file = group.0.join(file);
            (file.exists() && std::fs::write(file, limit.to_string()).is_ok()).then_some(group)
        })
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// The most that the process ever had in memory, in bytes.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().strip_suffix(" kB").unwrap().trim().parse::<u64>().unwrap() * 1024
}

/// What fits the 3 MiB that the API server takes, filled with `item` as often as it goes.
fn filled(item: &Value, fill: impl Fn(Vec<Value>) -> Value) -> Value {
    let count = 2_950_000 / (item.to_string().len() + 1);
    fill(vec![item.clone(); count])
}

/// Objects of 2.95 MiB by name, from the densest text to the sparsest.
fn objects() -> Vec<(&'static str, &'static str, Value)> {
    let pod = |field: &'static str| {
        move |items: Vec<Value>| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "large", "namespace": "shop"},
            "spec": {"containers": [{"name": "app", "image": "example.com/app:1.0.0", field: items}]}})
        }
    };
    let config_map = |items: Vec<Value>| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "large", "namespace": "shop"},
            "data": {"numbers": items}})
    };
    vec![
        ("a Pod with empty arguments", "pods", filled(&json!(""), pod("args"))),
        ("a Pod with many variables", "pods", filled(&json!({"name": "A", "value": "1"}), pod("env"))),
        ("an object full of numbers", "configmaps", filled(&json!(0), config_map)),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_reviews_at_once_fit_the_memory_of_the_deployment() {
    let (arguments, limit) = deployed();
    let own = |argument: &&String| argument.starts_with("--max-") || argument.starts_with("--memory-limit");
    let own = arguments.iter().filter(own).map(String::as_str);
    let flags: Vec<&str> = own.chain(["--profile", "baseline"]).collect();
    let group = Group::new(limit);
    let mut server = match &group {
        Some(group) => {
            let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.0.display());
            Server::shipped_in(&["sh", "-c", &enter, "sh"], &["--offline"], &flags)
        }
        None => Server::shipped(&["--offline"], &[&flags[..], &["--memory-limit", &limit.to_string()]].concat()),
    };
    let shares =
        ["bodies", "small", "large"].map(|share| format!("portcullis_memory_limit_bytes{{share=\"{share}\"}}"));
    let mut shared = 0.0;
    for share in &shares {
        shared += server.metric(share).await;
    }
    assert!(shared > 0.5 * limit as f64 && shared < limit as f64, "{shared} of {limit} are shared");
    for (name, resource, object) in objects() {
        for operation in ["CREATE", "UPDATE"] {
            let mut review = review_of(resource, object.clone());
            review["request"]["operation"] = json!(operation);
            if operation == "UPDATE" {
                review["request"]["oldObject"] = object.clone();
            }
            let body: Arc<str> = review.to_string().into();
            let mut requests = Vec::new();
            for _ in 0..32 {
                let stream = server.stream(server.tls(rustls::ALL_VERSIONS, &["http/1.1"])).await.unwrap();
                let body = hyper::body::Bytes::copy_from_slice(body.as_bytes());
                requests.push(tokio::spawn(async move {
                    let path = if operation == "CREATE" { "/mutate?timeout=10s" } else { "/validate?timeout=10s" };
                    Client::http1(stream).await.post(path, "application/json", body).await
                }));
            }
            let mut served = 0;
            for request in requests {
                let reply = request.await.unwrap().unwrap_or_else(|error| panic!("{name}, {operation}: {error}"));
                match reply.status {
                    StatusCode::OK => served += 1,
                    StatusCode::SERVICE_UNAVAILABLE => assert!(reply.text().contains("--memory-limit"), "{reply:?}"),
                    // A slow machine doesn't get through all of them in time.
                    StatusCode::TOO_MANY_REQUESTS | StatusCode::GATEWAY_TIMEOUT | StatusCode::REQUEST_TIMEOUT => {}
                    _ => panic!("{name}, {operation}: {reply:?}"),
                }
            }
            assert!(server.runs(), "{name}, {operation}: the server has died: {:#?}", server.log());
            let peak = peak(server.id());
            eprintln!("{name}, {operation}, {} bytes: {served} of 32 served, peak {} MiB", body.len(), peak >> 20);
            assert!(served > 0, "{name}, {operation}");
            assert!(peak < limit, "{name}, {operation}: {peak} of {limit}");
            assert_eq!(server.post("/validate", config_map("x").to_string()).await.status, StatusCode::OK);
        }
    }
    for share in ["bodies", "small", "large"] {
        let used = format!("portcullis_memory_used_bytes{{share=\"{share}\"}}");
        server.until("giving back what was drawn", async || server.metric(&used).await == 0.0).await;
    }
    drop(server);
    drop(group);
}
