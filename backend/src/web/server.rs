//! Accepts connections, serves requests on them, and closes them.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use limpet_sys::exhausted::{self, ResourceKind};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    App, PeerAddress,
    connections::{ConnectionSlot, Connections},
    pipeline,
    rebinding_stream::RebindingStream,
};

/// Time limit for the arrival of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum size of a request's head, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Maximum amount of unsent output in the kernel's buffer, in bytes. Output that waits there is
/// outdated when it arrives, and delays the answer to a key.
const MAX_UNSENT_BYTES: u32 = 64 * 1024;

/// Receive buffer of a connection, in bytes; Linux doubles it for its own use (socket(7)). A client
/// that is not read, because it has sent too much, fills this buffer and then has to wait; until
/// then each of its packets wakes the server. At a round trip of 100 ms, a paste arrives at 640 KB
/// per second.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// Time after which a connection is given up if the client neither acknowledges nor accepts data. A
/// viewer's missed heartbeat is noticed earlier.
const UNACKNOWLEDGED_TIMEOUT: Duration = Duration::from_mins(1);

/// Pause in accepting connections after the system had no descriptor or memory for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// Time limit for connections to finish when the server ends.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// A bound socket, which accepts connections when it is served.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Binds to an address.
    ///
    /// # Errors
    /// Those of bind(2) and listen(2), for example when the port is taken.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::limit_receive_buffer(TcpListener::bind(address).await?)
    }

    /// Takes over a socket that another process has bound.
    ///
    /// # Errors
    /// Those of the runtime's reactor and of setsockopt(2).
    pub fn take_over(socket: OwnedFd) -> io::Result<Self> {
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        Self::limit_receive_buffer(TcpListener::from_std(listener)?)
    }

    /// Registers the socket with the current runtime.
    fn rebind(self) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(self.0.into_std()?)?))
    }

    /// Limits the receive buffers. Connections inherit the limit; if it were set later, it would
    /// not limit the window that a client is offered.
    fn limit_receive_buffer(listener: TcpListener) -> io::Result<Self> {
        SockRef::from(&listener).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        Ok(Self(listener))
    }

    /// Returns the socket, for another process to take over.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Returns the address, with the actual port if port 0 was requested.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Serves until the app is shut down, then waits a limited time for the remaining connections.
///
/// # Errors
/// Those of the runtime's reactor, before any connection is served.
pub async fn serve(listener: Listener, app: App) -> io::Result<()> {
    let Listener(listener) = listener.rebind()?;
    let router = app.router();
    let connections = Connections::new(app.0.config.budget);
    let shutdown = &app.0.shutdown;
    // Set if the last attempt to accept failed.
    let mut has_failed = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = shutdown.started() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                has_failed = false;
                if let Some(slot) = connections.admit(peer.ip()) {
                    let slot = Arc::new(slot);
                    let connection = serve_connection((stream, peer), slot, app.clone(), router.clone());
                    let connection = connection.instrument(tracing::info_span!("connection", %peer));
                    app.0.tasks.spawn(connection);
                } else {
                    tracing::warn!(%peer, "the maximum number of connections is reached; a connection is refused");
                }
                // Accepted connections get their turn before new ones can take their place, and
                // connections that have to close do so.
                yield_now().await;
            }
            Err(error) => {
                // A single failure may be temporary, and accept(2) also fails like this when no
                // client waits.
                let has_closed = has_failed && exhausted::is_exhausted(&error) && connections.evict_one();
                has_failed = true;
                let words = exhausted::describe_any(&error, ResourceKind::Descriptor);
                tracing::warn!(error = words, has_closed, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    app.0.tasks.close();
    if timeout(SHUTDOWN_TIMEOUT, app.0.tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not finish in time");
    }
    Ok(())
}

async fn serve_connection(
    (stream, peer): (TcpStream, SocketAddr),
    slot: Arc<ConnectionSlot>,
    app: App,
    router: Router,
) {
    if let Err(error) = tune_stream(&stream) {
        tracing::debug!(%error, "could not set a connection's socket options");
    }
    let service = service_fn(|request: Request<Incoming>| {
        let (app, router) = (app.clone(), router.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        request.extensions_mut().insert(Arc::clone(&slot));
        let slot = Arc::clone(&slot);
        async move {
            slot.on_head();
            let response = pipeline::answer(&app, router, request).await;
            slot.on_answered();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let mut served =
        pin!(builder.serve_connection(TokioIo::new(RebindingStream::new(stream)), service).with_upgrades());
    let result = tokio::select! {
        result = &mut served => result,
        () = slot.evicted() => return tracing::debug!("closed to make room for another connection"),
        _ = app.0.shutdown.started() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection broke");
    }
}

/// Disables delays of small packets, limits unsent data in the kernel (tcp(7)), and sets the time
/// after which an unresponsive client is dropped.
fn tune_stream(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_TIMEOUT))?;
    socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn connections_inherit_a_small_receive_buffer() {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let _client = TcpStream::connect(listener.address().unwrap()).await.unwrap();
        let (stream, _) = listener.0.accept().await.unwrap();
        let bytes = SockRef::from(&stream).recv_buffer_size().unwrap();
        assert!(bytes <= 2 * RECEIVE_BUFFER_BYTES, "{bytes}");
    }
}
