//! Accepting connections, and letting them go.

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
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{sleep, timeout},
};
use tracing::Instrument;

use super::{
    App, Peer,
    connections::{Connections, Place},
    front,
    roaming::Roaming,
};
use crate::exhausted::{self, Acquiring};

/// How long a client may take to send a request's head.
const HEAD: Duration = Duration::from_secs(10);

/// The largest head of a request, in bytes.
const HEAD_MAX: usize = 32 * 1024;

/// How much unsent output the kernel takes of us before it says that it is full, in bytes. Whatever waits there is old
/// when it arrives, and stands before the answer to a key.
const UNSENT: u32 = 64 * 1024;

/// The receive buffer of a connection, in bytes; Linux doubles it for its own use (socket(7)). A client that is not read, because it has
/// sent too much, fills this and then has to wait; until then each of its packets wakes the server. With a round trip of 100 ms it lets
/// 640 KB of a paste through per second.
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;

/// How long a client may leave unacknowledged what it was sent, or take nothing more at all, before its connection is
/// given up. A viewer's heartbeat is missed earlier.
const UNTAKEN: Duration = Duration::from_mins(1);

/// How long nobody is accepted after the system had no descriptor or memory for that.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// How long connections may take to come to their end when the server ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// A socket that is bound, and accepts when served.
#[derive(Debug)]
pub struct Listener(TcpListener);

impl Listener {
    /// Binds to an address.
    ///
    /// # Errors
    /// Those of bind(2) and listen(2), as when the port is taken.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::tuned(TcpListener::bind(address).await?)
    }

    /// Goes on with a socket that another process has bound.
    ///
    /// # Errors
    /// Those of the runtime's reactor and of setsockopt(2).
    pub fn take_over(socket: OwnedFd) -> io::Result<Self> {
        let listener = std::net::TcpListener::from(socket);
        listener.set_nonblocking(true)?;
        Self::tuned(TcpListener::from_std(listener)?)
    }

    /// Has it watched by the runtime that this is called within.
    fn moved_here(self) -> io::Result<Self> {
        Ok(Self(TcpListener::from_std(self.0.into_std()?)?))
    }

    /// Bounds the receive buffers. Connections inherit that; set later, it would not bound the window that a client is offered.
    fn tuned(listener: TcpListener) -> io::Result<Self> {
        SockRef::from(&listener).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        Ok(Self(listener))
    }

    /// The socket, for another process to go on with it.
    #[must_use]
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Where it listens, with the port that was picked if that was left open.
    ///
    /// # Errors
    /// Those of getsockname(2).
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// Serves until the app is shut down, then waits for those who are still there, but not for ever.
///
/// # Errors
/// Those of the runtime's reactor, before anybody is served.
pub async fn serve(listener: Listener, app: App) -> io::Result<()> {
    let Listener(listener) = listener.moved_here()?;
    let router = app.router();
    let connections = Connections::new(app.0.config.budget);
    let shutdown = &app.0.shutdown;
    // Whether nobody could be accepted the last time.
    let mut has_failed = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                has_failed = false;
                if let Some(place) = connections.admit(peer.ip()) {
                    let connection = connection((stream, peer), Arc::new(place), app.clone(), router.clone());
                    let connection = connection.instrument(tracing::info_span!("connection", %peer));
                    app.0.tasks.spawn(connection);
                } else {
                    tracing::warn!(%peer, "there are as many connections as there may be; one is refused");
                }
                // Those who were accepted have their turn before others are, who might take their place, and those who are to
                // close do.
                yield_now().await;
            }
            Err(error) => {
                // It may have been for a moment, and accept(2) fails so also when nobody waits.
                let has_closed = has_failed && exhausted::is_exhausted(&error) && connections.close_one();
                has_failed = true;
                let words = exhausted::words(&error, Acquiring::Descriptor);
                tracing::warn!(error = words, has_closed, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    app.0.tasks.close();
    if timeout(FAREWELL, app.0.tasks.wait()).await.is_err() {
        tracing::warn!("some connections did not come to their end in time");
    }
    Ok(())
}

async fn connection((stream, peer): (TcpStream, SocketAddr), place: Arc<Place>, app: App, router: Router) {
    if let Err(error) = tune(&stream) {
        tracing::debug!(%error, "could not tune a connection");
    }
    let service = service_fn(|request: Request<Incoming>| {
        let (app, router) = (app.clone(), router.clone());
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(Arc::clone(&place));
        let place = Arc::clone(&place);
        async move {
            place.head_has_come();
            let response = front::answer(&app, router, request).await;
            place.has_answered();
            Ok::<_, Infallible>(response)
        }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_MAX);
    let mut served =
        pin!(builder.serve_connection(TokioIo::new(Roaming::new(stream)), service).with_upgrades());
    let result = tokio::select! {
        result = &mut served => result,
        () = place.is_to_close() => return tracing::debug!("closed to make room for another connection"),
        () = app.0.shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "connection broke");
    }
}

/// Small things go at once, little of the large ones waits in the kernel (tcp(7)), and who takes nothing is let go.
fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    socket.set_tcp_user_timeout(Some(UNTAKEN))?;
    socket.set_tcp_notsent_lowat(UNSENT)
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
