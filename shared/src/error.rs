//! Error codes and close codes, which are stable.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable, kebab-case name of an error, in `error` messages and in HTTP error bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// HTTP 401: the credentials are missing or wrong. Fatal: `hello` lacks the key of the sign-in,
    /// or the sign-in was revoked.
    Unauthorized,
    /// HTTP 403: the request comes from a page of another origin.
    ForeignOrigin,
    /// HTTP 403: the `Host` of the request is not a name of this server.
    UnknownHost,
    /// HTTP 404: there is no such path.
    NotFound,
    /// HTTP 405: the path does not support the method.
    MethodNotAllowed,
    /// HTTP 404: there is no such session, or the server has forgotten it. Fatal after `hello`, if
    /// the socket was opened with a cookie.
    SessionNotFound,
    /// HTTP 400: the request is malformed.
    BadRequest,
    /// HTTP 413: the request's body is too large.
    BodyTooLarge,
    /// HTTP 429: the server has its maximum number of sessions.
    TooManySessions,
    /// HTTP 429: too many wrong credentials from an address, too many sign-ins, or too many
    /// viewers.
    TooManyRequests,
    /// HTTP 422: the program could not be started.
    SpawnFailed,
    /// HTTP 503: the system has run out of a resource that the request needed: open files,
    /// pseudo-terminals, processes or memory.
    OutOfResources,
    /// HTTP 503: the server is shutting down. Before a close with 1001: limpet was stopped, and its
    /// sessions have ended.
    ShuttingDown,
    /// HTTP 500: an internal error of the server.
    Internal,
    /// Fatal: the first message was not `hello`, or a second `hello` came.
    HelloExpected,
    /// Fatal: a text message is not a JSON object of the protocol, or lacks a field.
    MalformedMessage,
    /// Fatal: a binary message is not a frame, or is one that only the server may send.
    MalformedFrame,
    /// Not fatal: this version does not know the `type` of the message, which was ignored.
    UnknownType,
    /// Fatal: the input starts beyond the end of what was received before, so bytes are missing.
    InputGap,
    /// Fatal: the viewer has sent more unacknowledged input than it may.
    InputOverflow,
    /// Not fatal: no terminal can have that size, so it was ignored. Fatal in `hello`.
    BadSize,
    /// HTTP 403: the credential does not grant that right.
    Forbidden,
    /// Not fatal: the viewer that was to become the primary viewer is not attached, or may not
    /// type.
    NoSuchViewer,
    /// Not fatal: a reader typed or asked to be the primary viewer, which was ignored.
    ReadOnly,
    /// Fatal: the acknowledgement is beyond the end of what was sent.
    BadAck,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// The reason why the server closed a WebSocket. Codes from 4000 on are the protocol's own (RFC
/// 6455, 7.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// The session has ended and `exit` was sent, or the viewer closed the connection.
    Normal = 1000,
    /// The server is going away. A client may come back later.
    GoingAway = 1001,
    /// The client violated the protocol, as the `error` before explains. A retry does not help.
    Protocol = 4400,
    /// The viewer's sign-in is unknown, or was revoked.
    Unauthorized = 4401,
    /// The session does not exist, or no longer exists.
    NotFound = 4404,
    /// The viewer missed its heartbeats; it may attach again.
    HeartbeatMissed = 4408,
    /// The same viewer has attached again, and this is the older attachment.
    Replaced = 4409,
}

impl CloseCode {
    /// Returns the number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        self as u16
    }
}
