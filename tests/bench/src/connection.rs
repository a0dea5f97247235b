//! The connection of a viewer: a WebSocket or polling.

use crate::{
    polling::Polling,
    wire::{Opcode, PayloadPlace, Socket},
};

/// A connection to a session.
pub(crate) enum Connection {
    Socket(Socket),
    Polling(Box<Polling>),
}

impl Connection {
    /// Receives the next message. `None` means that the connection has ended.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<(Opcode, PayloadPlace)>> {
        match self {
            Self::Socket(socket) => socket.next().await,
            Self::Polling(polling) => {
                polling.next().await.map(|()| Some((Opcode::Text, PayloadPlace::Parts)))
            }
        }
    }

    /// Returns the payload of the message that was received last.
    pub(crate) fn payload(&self, place: &PayloadPlace) -> &[u8] {
        match self {
            Self::Socket(socket) => socket.payload(place),
            Self::Polling(polling) => polling.answer(),
        }
    }

    /// Reports whether another message has already arrived.
    pub(crate) fn has_more(&self) -> bool {
        match self {
            Self::Socket(socket) => socket.has_more(),
            Self::Polling(_) => false,
        }
    }

    pub(crate) async fn send(&mut self, opcode: Opcode, payload: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Socket(socket) => socket.send(opcode, payload).await,
            Self::Polling(polling) => polling.send(payload).await,
        }
    }
}
