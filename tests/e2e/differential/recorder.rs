//! A webhook that allows everything and keeps the reviews that the API server sent: what Portcullis is asked in-process.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running recorder.
pub struct Recorder {
    url: String,
    bundle: String,
    reviews: Arc<Mutex<HashMap<String, Vec<u8>>>>,
}

impl Recorder {
    /// Starts to listen.
    pub async fn start() -> Self {
        let identity = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let reviews = Arc::new(Mutex::new(HashMap::new()));
        tokio::spawn(listen(listener, acceptor, Arc::clone(&reviews)));
        let bundle = STANDARD.encode(identity.cert.pem());
        Self { url, bundle, reviews }
    }

    /// Where the API server finds it, in a mutating configuration or in a validating one.
    pub fn client_config(&self, mutating: bool) -> Value {
        json!({"url": format!("{}{}", self.url, path(mutating)), "caBundle": self.bundle})
    }

    /// The review of the request whose user has the case as an extra.
    pub fn review(&self, case: &str, mutating: bool) -> Option<Vec<u8>> {
        self.reviews.lock().unwrap().get(&format!("{case}{}", path(mutating))).cloned()
    }
}

fn path(mutating: bool) -> &'static str {
    if mutating { "/mutating" } else { "/validating" }
}

async fn listen(listener: TcpListener, acceptor: TlsAcceptor, reviews: Arc<Mutex<HashMap<String, Vec<u8>>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, reviews) = (acceptor.clone(), Arc::clone(&reviews));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let answer = service_fn(move |request| record(request, Arc::clone(&reviews)));
            // The API server closes its connections as it likes.
            let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn record(
    request: Request<Incoming>,
    reviews: Arc<Mutex<HashMap<String, Vec<u8>>>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.expect("a whole review").to_bytes();
    let review: Value = serde_json::from_slice(&body).expect("a review");
    let asked = &review["request"];
    if let Some(case) = asked["userInfo"]["extra"]["case"][0].as_str() {
        reviews.lock().unwrap().insert(format!("{case}{path}"), body.to_vec());
    }
    let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "response": {"uid": asked["uid"], "allowed": true}});
    Ok(Response::new(Full::new(Bytes::from(answer.to_string()))))
}
