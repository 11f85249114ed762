//! A client that does as little as it can: bytes prepared once, the answer's length taken from its header.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Result;

/// What a load came to.
pub struct Load {
    /// Requests answered.
    pub requests: u64,
    /// How long it took.
    pub elapsed: Duration,
}

/// Posts `body` to `path` over `connections` connections, each waiting for its answer, for some time.
pub fn run(
    address: &str,
    ca: &CertificateDer<'static>,
    path: &str,
    body: &str,
    connections: usize,
    time: Duration,
) -> Result<Load> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let connector = TlsConnector::from(Arc::new(config));
    let request = format!(
        "POST {path}?timeout=10s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let request: Arc<[u8]> = Arc::from(request.into_bytes());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            streams.push(connector.connect(ServerName::try_from("localhost")?, stream).await?);
        }
        let started = Instant::now();
        let end = started + time;
        let tasks: Vec<_> =
            streams.into_iter().map(|stream| tokio::spawn(post_until(end, stream, Arc::clone(&request)))).collect();
        // Never sleeps: a server that has to wake its client pays for it, and would pay the more the slower it is.
        while Instant::now() < end {
            tokio::task::yield_now().await;
        }
        let mut requests = 0;
        for task in tasks {
            requests += task.await?.map_err(|error| format!("the client: {error}"))?;
        }
        Ok(Load { requests, elapsed: started.elapsed() })
    })
}

async fn post_until(end: Instant, mut stream: TlsStream<TcpStream>, request: Arc<[u8]>) -> std::io::Result<u64> {
    let bad = |why: &str| std::io::Error::other(why.to_owned());
    let mut buffer = vec![0; 64 * 1024];
    let mut answered = 0;
    while Instant::now() < end {
        stream.write_all(&request).await?;
        stream.flush().await?;
        let mut filled = 0;
        let mut needed = None;
        while needed.is_none_or(|needed| filled < needed) {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err(bad("the server closed the connection"));
            }
            filled += read;
            if needed.is_none() {
                needed = answer_length(&buffer[..filled]).map_err(&bad)?;
            }
        }
        answered += 1;
    }
    Ok(answered)
}

/// The length of the whole answer, once its header is complete.
fn answer_length(bytes: &[u8]) -> std::result::Result<Option<usize>, &'static str> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..head]).map_err(|_| "a header that is no text")?;
    if !text.starts_with("HTTP/1.1 200") {
        return Err("an answer that is not 200");
    }
    let length = text.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.ok_or("an answer without a length")?;
    Ok(Some(head + 4 + length))
}
