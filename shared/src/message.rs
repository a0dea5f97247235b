//! Text messages: one JSON object each, told apart by `type`.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};

use crate::{
    Epoch, ErrorCode, ExitStatus, InputOffset, OutputOffset, Presence, Role, SessionId, SignInKey, ViewerId,
    Winsize, theme::Colours,
};

/// What need not be said.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An object where there is one: serde would take a list of its fields' values as well.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let map = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
    map.map(|map| T::deserialize(serde_json::Value::Object(map))).transpose().map_err(D::Error::custom)
}

/// What a client says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// The first message of an attachment.
    Hello(Hello),
    /// Everything before `output` is *rendered*. Cumulative, harmless when repeated or late.
    Ack {
        /// The log's offset up to which the viewer's terminal has processed the output.
        output: OutputOffset,
    },
    /// The viewer's window holds a terminal of this size now. Whether that is put in force, [`Sizing`](crate::Sizing) says.
    Resize(Winsize),
    /// Takes the pen, or hands it over: to one that may write.
    Pen {
        /// Whom to give it to, by the number in [`Presence`]; the sender itself when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<u64>,
    },
    /// The colours of the viewer's terminal. When nobody is there to answer a program that asks, the server tells it these.
    Colours(Colours),
    /// Asks for all of the scrollback: a `reset` and a snapshot with everything follow.
    History,
    /// Clears screen and scrollback for every viewer, except for the line of the cursor. Needs the right to type.
    Clear,
    /// Resets the modes that programs have set, for every viewer; the text stays. Needs the right to type.
    #[serde(rename = "soft-reset")]
    SoftReset,
    /// Asks for a `pong` with the same `t`.
    Ping {
        /// Any number of the sender's; it comes back as it is.
        t: serde_json::Number,
    },
    /// The answer to a `ping`.
    Pong {
        /// The `t` of that `ping`.
        t: serde_json::Number,
    },
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The answer to `hello`, and the server's first message.
    Welcome(Welcome),
    /// Everything before `input` is *written to the pty*.
    Ack {
        /// The offset in this viewer's input.
        input: InputOffset,
    },
    /// The size of the terminal, from this place among the data on: what came before was printed on a terminal of the size before, and is
    /// to be processed before this size is taken on. It comes again when only `by` is news.
    Resize {
        /// The size.
        #[serde(flatten)]
        size: Winsize,
        /// The number, in [`Presence`], of the viewer whose own size is in force; absent when it is the size of nobody who is attached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<u64>,
        /// How many times the session has been resized, with this one: see [`Resume`].
        #[serde(default, skip_serializing_if = "is_default")]
        resizes: u64,
    },
    /// Clear the terminal: snapshot messages follow, which redraw it as of `output`, then data from there. The snapshot is for a terminal of
    /// the size that was told last.
    Reset {
        /// Where data goes on.
        output: OutputOffset,
        /// How many bytes of output this viewer will never get.
        skipped: u64,
        /// How many rows of scrollback the snapshot leaves out; `history` brings them.
        #[serde(default, skip_serializing_if = "is_default")]
        earlier: u64,
        /// How many bytes the payloads of the snapshot messages have together. A terminal that has got fewer shows nothing that could be
        /// resumed.
        #[serde(default, skip_serializing_if = "is_default")]
        bytes: u64,
    },
    /// The session's title has changed.
    Title {
        /// The new one.
        title: String,
    },
    /// Viewers came or went, or the pen changed hands.
    Viewers {
        /// How many are attached, this one included.
        count: u32,
        /// Whether this viewer has the pen: its terminal is the one that answers the program's queries (device attributes,
        /// cursor position, colours …). Exactly one viewer's is.
        pen: bool,
        /// Who they are, in the order they came; of many, the first [`PRESENCES`](crate::limits::PRESENCES).
        #[serde(default, skip_serializing_if = "is_default")]
        list: Vec<Presence>,
    },
    /// The program has ended; sent after the last byte of output.
    Exit {
        /// How it ended.
        #[serde(flatten)]
        status: ExitStatus,
        /// The log's final offset.
        output: OutputOffset,
        /// Whether an owner closed the session, which ended the program.
        #[serde(default, skip_serializing_if = "is_default")]
        closed: bool,
    },
    /// Asks for a `pong` with the same `t`.
    Ping {
        /// Any number of the sender's; it comes back as it is.
        t: serde_json::Number,
    },
    /// The answer to a `ping`.
    Pong {
        /// The `t` of that `ping`.
        t: serde_json::Number,
    },
    /// Something went wrong.
    Error {
        /// Its stable name.
        code: ErrorCode,
        /// What happened and what to do, for people.
        message: String,
    },
}

/// How a viewer introduces itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Who it is.
    pub viewer: ViewerId,
    /// The size of its terminal.
    #[serde(flatten)]
    pub size: Winsize,
    /// How many bytes it may be sent beyond what it has acknowledged, at least 1;
    /// [`DEFAULT_WINDOW`](crate::limits::DEFAULT_WINDOW) when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Where an earlier attachment broke off.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "object")]
    pub resume: Option<Resume>,
    /// What it is there for.
    #[serde(default, skip_serializing_if = "Follow::is_all")]
    pub follow: Follow,
    /// The key that belongs to the cookie with which the socket was opened. With a token in the `Authorization` header none is
    /// needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<SignInKey>,
}

/// What a viewer is there for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follow {
    /// All of the output, as far as it is kept. The program waits for such a viewer, within bounds.
    #[default]
    All,
    /// What is on the screen now: it begins with a snapshot, and when it falls behind by more than a person would put up with
    /// it is brought to the present by another one.
    Now,
}

impl Follow {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like that")]
    const fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }
}

/// What a viewer has received so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resume {
    /// The log's epoch, from the earlier `welcome`.
    pub epoch: Epoch,
    /// The first byte of output that it lacks.
    pub output: OutputOffset,
    /// The `resizes` of the last `welcome` or `resize`, since sizes and output are in one order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resizes: Option<u64>,
}

/// How the server answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// The session.
    pub session: SessionId,
    /// This life of its log.
    pub epoch: Epoch,
    /// What this viewer may do.
    pub role: Role,
    /// The number of this attachment: its `id` in [`Presence`].
    #[serde(default)]
    pub id: u64,
    /// The offset at which data will go on.
    pub output: OutputOffset,
    /// The end of the log at this moment: what comes before it happened earlier and is replayed.
    pub live: OutputOffset,
    /// The offset of this viewer's input that has been taken; the client goes on there.
    pub input: InputOffset,
    /// The size of the terminal as of `output`. If another one is in force by now, a `resize` follows at its place.
    #[serde(flatten)]
    pub size: Winsize,
    /// How many times the session had been resized by then.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resizes: u64,
    /// The number of the viewer whose own size is in force; absent when it is the size of nobody who is attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
    /// The session's title.
    pub title: String,
    /// The server's version.
    pub server: String,
}

/// Why a text message cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// A type that this version does not know.
    #[error("'{0}' is no type of message in limpet.v1")]
    UnknownType(String),
    /// No JSON object with a `type`, or a field is missing or of the wrong kind.
    #[error("not a message of limpet.v1: {0}")]
    Malformed(#[source] serde_json::Error),
}

impl ClientMessage {
    /// The types that there are, by their names on the wire.
    pub const TYPES: [&str; 10] =
        ["hello", "ack", "resize", "pen", "colours", "history", "clear", "soft-reset", "ping", "pong"];

    /// Reads a text message.
    ///
    /// # Errors
    /// An unknown type, and anything that is no such message.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text, &Self::TYPES)
    }

    /// The message as it goes onto the wire.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(self)
    }
}

impl ServerMessage {
    /// The types that there are, by their names on the wire.
    pub const TYPES: [&str; 10] =
        ["welcome", "ack", "resize", "reset", "title", "viewers", "exit", "ping", "pong", "error"];

    /// Reads a text message.
    ///
    /// # Errors
    /// An unknown type, and anything that is no such message.
    pub fn parse(text: &str) -> Result<Self, MessageError> {
        parse(text, &Self::TYPES)
    }

    /// The message as it goes onto the wire.
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
    // Serde would read the fields from an array as well.
    if !text.trim_start().starts_with('{') {
        return Err(MessageError::Malformed(serde::de::Error::custom("it is no object")));
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
