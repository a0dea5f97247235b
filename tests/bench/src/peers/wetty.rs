//! `WeTTY`: socket.io, whose events are JSON arrays after a digit prefix.

use serde_json::{Value, json};

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) const PATH: &str = "/wetty/socket.io/?EIO=4&transport=websocket";

/// The replies that the server waits for.
#[derive(Default)]
pub(super) struct Wetty {
    /// Characters received but not yet confirmed. The server stops at some point without
    /// confirmation.
    unconfirmed: usize,
    /// True if the server has sent a heartbeat that is not yet answered.
    heartbeat_pending: bool,
}

pub(super) fn arguments(port: u16, program: &[String]) -> Vec<String> {
    let port = port.to_string();
    let command = program.join(" ");
    ["--host", "127.0.0.1", "--port", &port, "--base", "/wetty", "--command", &command]
        .map(str::to_owned)
        .to_vec()
}

impl Protocol for Wetty {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        vec![(Opcode::Text, b"40".to_vec())]
    }

    fn output(&mut self, _: Opcode, message: &[u8], decoded: &mut Vec<u8>) -> Output {
        self.heartbeat_pending |= message == b"2";
        let Some(event) = message.strip_prefix(b"42") else { return Output::Nothing };
        let Ok(Value::Array(words)) = serde_json::from_slice(event) else { return Output::Nothing };
        match &words[..] {
            [Value::String(name), Value::String(text)] if name == "data" => {
                self.unconfirmed += text.encode_utf16().count();
                decoded.clear();
                decoded.extend_from_slice(text.as_bytes());
                Output::Decoded
            }
            _ => Output::Nothing,
        }
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        let event = json!(["input", String::from_utf8_lossy(bytes)]);
        (Opcode::Text, format!("42{event}").into_bytes())
    }

    fn acknowledgement(&mut self, is_idle: bool) -> Option<(Opcode, Vec<u8>)> {
        if !is_idle {
            return None;
        }
        if std::mem::take(&mut self.heartbeat_pending) {
            return Some((Opcode::Text, b"3".to_vec()));
        }
        let confirmed = std::mem::take(&mut self.unconfirmed);
        (confirmed > 0).then(|| (Opcode::Text, format!("42{}", json!(["commit", confirmed])).into_bytes()))
    }
}
