//! Every limit of a server, in one place. What has no flag is a constant here, or stands with the one function that it
//! is about.

use std::time::Duration;

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once on a port. For one more, the one that has been idle longest of the address that has the most is
    /// closed; where none is idle, it waits in the kernel's backlog.
    pub connections: u32,
    /// Connections at once from one address. For one more, that address' connection that has been idle longest is
    /// closed; where none is idle, the new one is.
    pub per_peer: u32,
    /// From accepting a connection to the end of its TLS handshake.
    pub handshake: Duration,
    /// From the first byte of an HTTP/1.1 request's header to its last.
    pub header: Duration,
    /// How long a connection may stay open without a request in progress.
    pub idle: Duration,
    /// How long a peer may take nothing of an answer that waits to be sent.
    pub write: Duration,
    /// Requests in progress on one HTTP/2 connection.
    pub http2_streams: u32,
    /// From an HTTP/2 request's header to the end of its answer.
    pub http2_stream: Duration,
}

#[cfg(test)]
impl ConnectionLimits {
    /// For `connections` that nothing is asked of in time: what a test sets itself is what it tests.
    pub fn patient(connections: u32) -> Self {
        let never = Duration::from_secs(3600);
        Self {
            connections,
            per_peer: connections,
            handshake: never,
            header: never,
            idle: never,
            write: never,
            http2_streams: 1,
            http2_stream: never,
        }
    }
}

/// What a request may cost.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// The largest body, in bytes. The API server stores at most 3 MiB and sends the old object, too.
    pub body_bytes: usize,
    /// For a body to arrive.
    pub body_timeout: Duration,
    /// Evaluations at once, over all connections; a request needs none while its body arrives.
    pub concurrent: usize,
    /// For an answer, where the query names no `timeout`. The API server's own default.
    pub timeout: Duration,
}

/// No caller waits longer: the most that the API server lets a webhook configuration ask for.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(30);
/// What is left of the caller's timeout for the answer to travel: a tenth, and never more than this.
pub const LARGEST_MARGIN: Duration = Duration::from_millis(500);

/// How much of a header is buffered at most, in bytes; the API server sends less than 1 KiB.
pub const HEADER_BYTES: usize = 32 * 1024;
/// How much an HTTP/2 peer may send on one stream before it is read, in bytes: the protocol's own default.
pub const HTTP2_STREAM_WINDOW: u32 = 64 * 1024 - 1;
/// The same for a whole connection, in bytes.
pub const HTTP2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How often an HTTP/2 peer is asked whether it is still there, and how long it has to answer.
pub const HTTP2_PING_EVERY: Duration = Duration::from_secs(30);
/// See [`HTTP2_PING_EVERY`].
pub const HTTP2_PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How long connections are still accepted once the listener closes. They can't be told from those that were waiting
/// already, and clients that come back at once must not keep the server from leaving.
pub const BACKLOG: Duration = Duration::from_millis(20);

/// From this size, in bytes, a body is evaluated apart: in memory of its own, and on a thread that gives its other
/// connections away.
pub const LARGE_BODY_BYTES: usize = 128 * 1024;
/// What of a body is not counted while it comes without a pause, in bytes: it is in the connection's buffers anyway.
pub const UNCOUNTED_BODY_BYTES: usize = 64 * 1024;
/// How many bodies may wait for memory at once; more are refused at once. Of each, an HTTP/2 stream's window may be there
/// uncounted.
pub const WAITING_BODIES: usize = 256;
/// How long a body may be waited for in all before it has to make room for others, should they need it.
pub const BODY_STALL: Duration = Duration::from_millis(500);
/// How much of a body that is too large is read and dropped, in multiples of the limit, so that the client gets to
/// read why: an answer beside a half-sent body is mostly lost.
pub const DISCARD_FACTOR: usize = 4;

/// What the process takes without any request, in bytes: code, policies, what is kept of the cluster, threads.
pub const BASE_BYTES: u64 = 64 * 1024 * 1024;
/// What an open connection takes at most, in bytes: the buffers of TLS and HTTP. What an HTTP/2 peer
/// may send beyond, up to [`HTTP2_CONNECTION_WINDOW`], is there only while bodies wait; see [`WAITING_BODIES`].
pub const CONNECTION_BYTES: u64 = 128 * 1024;
/// What a process may take where neither a flag nor a control group says, in bytes.
pub const DEFAULT_MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
