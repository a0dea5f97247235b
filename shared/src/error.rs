//! What can go wrong, by names that stay.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable, kebab-case name of an error, in `error` messages and in HTTP error bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// HTTP 401: no credentials, or wrong ones. Fatal: `hello` lacks the key of the sign-in, or that was revoked.
    Unauthorized,
    /// HTTP 403: a page of another origin asked.
    ForeignOrigin,
    /// HTTP 403: asked under a host name that this server does not go by.
    UnknownHost,
    /// HTTP 404: no such path.
    NotFound,
    /// HTTP 405: the path has no such method.
    MethodNotAllowed,
    /// HTTP 404: no such session, or it has been forgotten. Fatal after `hello`, for who opened the socket with a cookie.
    SessionNotFound,
    /// HTTP 400: the request cannot be understood.
    BadRequest,
    /// HTTP 413: the request's body is too large.
    BodyTooLarge,
    /// HTTP 429: the server holds as many sessions as it may.
    TooManySessions,
    /// HTTP 429: too many wrong credentials from an address, too many sign-ins, or too many viewers.
    TooManyRequests,
    /// HTTP 422: the program could not be started.
    SpawnFailed,
    /// HTTP 503: the system has run out of something that the request needed: open files, pseudo-terminals, processes, memory.
    OutOfResources,
    /// HTTP 503: the server is about to end. Before a close with 1001: it was stopped, and its sessions have ended.
    ShuttingDown,
    /// HTTP 500: a fault of the server's own.
    Internal,
    /// Fatal: the first message was not `hello`, or `hello` came again.
    HelloExpected,
    /// Fatal: a text message that is no JSON object of the protocol, or lacks a field.
    MalformedMessage,
    /// Fatal: a binary message that is no frame, or one that only the server may send.
    MalformedFrame,
    /// Not fatal: a `type` that this version does not know; the message was ignored.
    UnknownType,
    /// Fatal: input that starts beyond what has been sent before, so bytes are missing.
    InputGap,
    /// Fatal: more unacknowledged input than a viewer may have on its way.
    InputOverflow,
    /// Not fatal: a size that no terminal can have; it was ignored. Fatal in `hello`.
    BadSize,
    /// HTTP 403: the link that was used does not allow that.
    Forbidden,
    /// Not fatal: the pen was to be given to one who is not there, or may not write.
    NoSuchViewer,
    /// Not fatal: a reader typed or took the pen; it was ignored.
    ReadOnly,
    /// Fatal: the acknowledgement names bytes that were never sent.
    BadAck,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// Why the server closed a WebSocket. Codes from 4000 on are the protocol's own (RFC 6455, 7.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The session has ended and `exit` was sent, or the viewer itself closed.
    Normal = 1000,
    /// The server is ending. A client may come back later.
    GoingAway = 1001,
    /// The client broke the protocol; `error` came before and says how. Trying again will not help.
    Protocol = 4400,
    /// The viewer's sign-in is none of the server's, or was revoked.
    Unauthorized = 4401,
    /// There is no such session (any more).
    NotFound = 4404,
    /// The viewer answered no heartbeat; it may attach again.
    HeartbeatMissed = 4408,
    /// The same viewer attached anew; this attachment is the older one.
    Replaced = 4409,
}

impl CloseCode {
    /// The number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }
}
