//! Text messages: one JSON object each, distinguished by `type`.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};

use crate::{
    Epoch, ErrorCode, ExitStatus, InputOffset, OutputOffset, Role, SessionId, SignInKey, ViewerId,
    ViewerInfo, Winsize, theme::Colours,
};

/// Reports whether a field has its default value and can be left out.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Deserializes an optional object. Serde alone would also accept an array of its fields' values.
fn optional_object<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let map = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
    map.map(|map| T::deserialize(serde_json::Value::Object(map))).transpose().map_err(D::Error::custom)
}

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// The first message of an attachment.
    Hello(Hello),
    /// Acknowledges that everything before `output` is *rendered*. It is cumulative, so a repeated
    /// or late one does no harm.
    Ack {
        /// The offset in the output log up to which the viewer's terminal has processed the output.
        output: OutputOffset,
    },
    /// Reports the size that now fits into the viewer's window. [`Sizing`](crate::Sizing) decides
    /// whether the session takes it.
    Resize(Winsize),
    /// Makes the sender, or another viewer that may type, the primary viewer.
    Primary {
        /// The new primary viewer, by its number in [`ViewerInfo`]; the sender when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// Reports the colours of the viewer's terminal. When no viewer is attached to answer a
    /// program's query for colours, the server answers with these.
    Colours(Colours),
    /// Requests all of the scrollback: a `reset` and a full snapshot follow.
    History,
    /// Clears screen and scrollback for every viewer, except for the cursor's line. Requires the
    /// right to type.
    Clear,
    /// Resets the modes that programs have set, for every viewer, and leaves the text alone.
    /// Requires the right to type.
    #[serde(rename = "soft-reset")]
    SoftReset,
    /// Requests a `pong` with the same `t`.
    Ping {
        /// Any number; it is echoed unchanged.
        t: serde_json::Number,
    },
    /// Answers a `ping`.
    Pong {
        /// The `t` of that `ping`.
        t: serde_json::Number,
    },
}

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// Answers `hello`; this is the server's first message.
    Welcome(Welcome),
    /// Acknowledges that everything before `input` is *written to the pty*.
    Ack {
        /// The offset in this viewer's input.
        input: InputOffset,
    },
    /// Sets the size of the terminal from this point between the data messages on. A client
    /// processes all earlier data before it changes the size, since that was printed at the
    /// previous size. The message is sent again when only `by` has changed.
    Resize {
        /// The size.
        #[serde(flatten)]
        size: Winsize,
        /// The number, in [`ViewerInfo`], of the viewer whose size this is; absent when it is not
        /// the size of any attached viewer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<u64>,
        /// Number of times that the session has been resized, including this one; see [`Resume`].
        #[serde(default, skip_serializing_if = "is_default")]
        resizes: u64,
    },
    /// Tells the client to clear its terminal. Snapshot messages follow, which draw the screen as
    /// of `output`, and then data from there. The snapshot is for the most recent size that the
    /// client was told.
    Reset {
        /// The offset at which data continues.
        output: OutputOffset,
        /// Number of bytes of output that this viewer will never get.
        skipped: u64,
        /// Number of rows of scrollback that the snapshot leaves out; `history` requests them.
        #[serde(default, skip_serializing_if = "is_default")]
        earlier: u64,
        /// Total size of the snapshot messages' payloads, in bytes. A client that has received
        /// fewer cannot resume, since its terminal does not show the screen.
        #[serde(default, skip_serializing_if = "is_default")]
        bytes: u64,
    },
    /// Announces the session's new title.
    Title {
        /// The new title.
        title: String,
    },
    /// Announces that viewers attached or left, or that another one became the primary viewer.
    Viewers {
        /// Number of attached viewers, including this one.
        count: u32,
        /// True if this is the primary viewer. Only the primary viewer's terminal answers the
        /// program's queries (device attributes, cursor position, colours …).
        primary: bool,
        /// The viewers, in order of arrival; only the first
        /// [`MAX_LISTED_VIEWERS`](crate::limits::MAX_LISTED_VIEWERS) of them if there are more.
        #[serde(default, skip_serializing_if = "is_default")]
        list: Vec<ViewerInfo>,
    },
    /// Announces that the program has ended; sent after the last byte of output.
    Exit {
        /// The exit status.
        #[serde(flatten)]
        status: ExitStatus,
        /// The final offset of the output log.
        output: OutputOffset,
        /// True if the program ended because an owner closed the session.
        #[serde(default, skip_serializing_if = "is_default")]
        closed: bool,
    },
    /// Requests a `pong` with the same `t`.
    Ping {
        /// Any number; it is echoed unchanged.
        t: serde_json::Number,
    },
    /// Answers a `ping`.
    Pong {
        /// The `t` of that `ping`.
        t: serde_json::Number,
    },
    /// Reports an error.
    Error {
        /// The stable name of the error.
        code: ErrorCode,
        /// A description for people of what happened and what to do about it.
        message: String,
    },
}

/// The first message of a viewer: its identity, its size, and the point to resume at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// The viewer's id.
    pub viewer: ViewerId,
    /// The size of its terminal.
    #[serde(flatten)]
    pub size: Winsize,
    /// Number of bytes that the server may send beyond what the viewer has acknowledged, at least
    /// 1; [`DEFAULT_WINDOW_BYTES`](crate::limits::DEFAULT_WINDOW_BYTES) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// The point at which an earlier attachment broke off.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "optional_object")]
    pub resume: Option<Resume>,
    /// The part of the output that the viewer wants.
    #[serde(default, skip_serializing_if = "Follow::is_all")]
    pub follow: Follow,
    /// The key of the sign-in, if the socket was opened with its cookie. It is not needed with a
    /// token in the `Authorization` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SignInKey>,
}

/// The part of the output that a viewer wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// All of the output, as long as the log retains it. The program waits for such a viewer,
    /// within bounds.
    #[default]
    All,
    /// The current screen. The viewer begins with a snapshot, and gets another one whenever it
    /// falls behind by more than a person would put up with.
    Now,
}

impl Follow {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
    const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// The point up to which a viewer has received the output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// The epoch of the output log, from the earlier `welcome`.
    pub epoch: Epoch,
    /// The offset of the first byte of output that it lacks.
    pub output: OutputOffset,
    /// The `resizes` of the last `welcome` or `resize`, since sizes and output are in one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resizes: Option<u64>,
}

/// The server's first message: the state of the session, and the offsets to continue at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session.
    pub session: SessionId,
    /// The epoch of its output log.
    pub epoch: Epoch,
    /// The role of this viewer.
    pub role: Role,
    /// The number of this attachment: its `id` in [`ViewerInfo`].
    #[serde(default)]
    pub id: u64,
    /// The offset at which data continues.
    pub output: OutputOffset,
    /// The end of the output log at this moment. Output before it is replayed.
    pub live: OutputOffset,
    /// The offset in this viewer's input up to which the server has taken it; the client continues
    /// there.
    pub input: InputOffset,
    /// The size of the terminal as of `output`. If the size has changed since, a `resize` follows
    /// at its place.
    #[serde(flatten)]
    pub size: Winsize,
    /// Number of times that the session had been resized by then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resizes: u64,
    /// The number of the viewer whose size this is; absent when it is not the size of any attached
    /// viewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
    /// The session's title.
    pub title: String,
    /// The server's version.
    pub server: String,
}

/// The reason why a text message is invalid.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// This version does not know the type.
    #[error("unknown message type '{0}' (limpet.v1)")]
    UnknownType(String),
    /// The text is not a JSON object with a `type`, or a field is missing or of the wrong kind.
    #[error("not a valid limpet.v1 message: {0}")]
    Malformed(#[source] serde_json::Error),
}

impl ClientMessage {
    /// The types of client messages, by their names on the wire.
    pub const TYPES: [&str; 10] =
        ["hello", "ack", "resize", "primary", "colours", "history", "clear", "soft-reset", "ping", "pong"];

    /// Parses a text message.
    ///
    /// # Errors
    /// If the type is unknown, or the text is not a client message.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text, &Self::TYPES)
    }

    /// Returns the message as it goes onto the wire.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl ServerMessage {
    /// The types of server messages, by their names on the wire.
    pub const TYPES: [&str; 10] =
        ["welcome", "ack", "resize", "reset", "title", "viewers", "exit", "ping", "pong", "error"];

    /// Parses a text message.
    ///
    /// # Errors
    /// If the type is unknown, or the text is not a server message.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text, &Self::TYPES)
    }

    /// Returns the message as it goes onto the wire.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

fn parse<'a, M: Deserialize<'a>>(text: &'a str, types: &[&str]) -> Result<M, MessageError> {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }
    // Serde would also accept an array of the fields' values.
    if !text.trim_start().starts_with('{') {
        return Err(MessageError::Malformed(serde::de::Error::custom("not a JSON object")));
    }
    serde_json::from_str(text).map_err(|error| match serde_json::from_str::<Tagged>(text) {
        Ok(Tagged { r#type }) if !types.contains(&r#type.as_str()) => MessageError::UnknownType(r#type),
        _ => MessageError::Malformed(error),
    })
}

#[expect(clippy::expect_used, reason = "maps with string keys, numbers and strings always serialize")]
fn to_json(message: &impl Serialize) -> String {
    serde_json::to_string(message).expect("a message is JSON")
}
