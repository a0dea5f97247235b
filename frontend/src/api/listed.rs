//! Reads sessions from the server's answers, part by part.
//!
//! serde buffers the fields of a flattened type before it reads them, by code that takes 2 KB of
//! what is loaded before the first prompt. A value of the browser can be read several times
//! instead: each part takes its own fields and ignores the others.

use limpet_shared::{
    Role, SessionId,
    api::{Access, SessionInfo},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
use wasm_bindgen::JsValue;

/// A session that is read like that.
pub(super) struct Listed(SessionInfo);

/// The fields of a session that belong to no part.
#[derive(Deserialize)]
struct OwnFields {
    id: SessionId,
    role: Role,
    #[serde(default)]
    command: Vec<String>,
}

impl<'de> Deserialize<'de> for Listed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: JsValue = serde_wasm_bindgen::preserve::deserialize(deserializer)?;
        let OwnFields { id, role, command } = read_part(&value).map_err(D::Error::custom)?;
        let spec = read_part(&value).map_err(D::Error::custom)?;
        let state = read_part(&value).map_err(D::Error::custom)?;
        Ok(Self(SessionInfo { id, role, command, spec, state }))
    }
}

fn read_part<T: DeserializeOwned>(value: &JsValue) -> Result<T, serde_wasm_bindgen::Error> {
    serde_wasm_bindgen::from_value(value.clone())
}

impl From<Listed> for SessionInfo {
    fn from(Listed(session): Listed) -> Self {
        session
    }
}

/// Turns an answer into the type that the page uses.
pub(super) fn access(Access { owner, sessions, key }: Access<Listed>) -> Access {
    Access { owner, sessions: sessions.into_iter().map(SessionInfo::from).collect(), key }
}
