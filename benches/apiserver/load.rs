//! Requests to the API server, each timed until its answer is there as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use kube::client::Body;
use serde_json::Value;

use super::Result;
use super::cluster::Cluster;

/// How long `requests` dry runs that create `object` take each, with so many under way at once.
pub fn run(cluster: &Cluster, path: &str, object: &Value, requests: usize, in_flight: usize) -> Result<Vec<Duration>> {
    let body = Bytes::from(serde_json::to_vec(object)?);
    cluster.block_on(async {
        let left = Arc::new(AtomicUsize::new(requests));
        let tasks: Vec<_> = (0..in_flight)
            .map(|_| {
                tokio::spawn(create_until(cluster.client.clone(), path.to_owned(), body.clone(), Arc::clone(&left)))
            })
            .collect();
        let mut times = Vec::with_capacity(requests);
        for task in tasks {
            times.extend(task.await?.map_err(|error| format!("{path}: {error}"))?);
        }
        Ok(times)
    })
}

async fn create_until(
    client: kube::Client,
    path: String,
    body: Bytes,
    left: Arc<AtomicUsize>,
) -> std::result::Result<Vec<Duration>, String> {
    let mut times = Vec::new();
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        let started = Instant::now();
        create(&client, &path, &body).await?;
        times.push(started.elapsed());
    }
    Ok(times)
}

async fn create(client: &kube::Client, path: &str, body: &Bytes) -> std::result::Result<(), String> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_vec()))
        .map_err(|error| error.to_string())?;
    let (head, body) = client.send(request).await.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    match head.status {
        StatusCode::CREATED => Ok(()),
        status => Err(format!("{status}: {}", String::from_utf8_lossy(&body))),
    }
}
