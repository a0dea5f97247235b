//! limpet; its protocol is in PROTOCOL.md.

use anyhow::{Context, anyhow, bail};
use limpet_shared::{ClientMessage, Header, Hello, Kind, OutputOffset, ServerMessage, ViewerId, Winsize};
use serde_json::Value;

use super::Endpoint;
use crate::{
    http::Http,
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(crate) use limpet_shared::Follow;

pub(super) const FLAGS: &[&str] = &["--listen", "127.0.0.1:0", "--format", "json"];

/// Parses the address and the token from the line that limpet prints when it is ready.
pub(super) fn ready(line: &str) -> anyhow::Result<(String, String)> {
    let ready: Value = serde_json::from_str(line)?;
    let text = |name: &str| {
        ready[name].as_str().map(str::to_owned).with_context(|| format!("the ready line lacks {name}"))
    };
    Ok((text("listen")?, text("token")?))
}

/// An API client that opens and closes sessions.
pub(crate) struct Client {
    http: Http,
}

impl Client {
    pub(super) async fn new(server: &Endpoint) -> anyhow::Result<Self> {
        let headers = format!("Authorization: Bearer {}\r\nContent-Type: application/json\r\n", server.token);
        Ok(Self { http: Http::open(&server.address, &headers).await? })
    }

    /// Opens a session with the given properties, or the server's defaults, and returns its id.
    pub(crate) async fn open(&mut self, what: &Value) -> anyhow::Result<String> {
        let body = if what.is_null() { "{}".to_owned() } else { what.to_string() };
        let answer = self.http.ask("POST", "/api/sessions", &body).await?;
        if answer.status != 201 {
            bail!("no session: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        let session: Value = serde_json::from_slice(&answer.body)?;
        session["id"].as_str().map(str::to_owned).context("the response has no session id")
    }

    /// Returns the tokens of the passes to a session: the reader's and the writer's.
    pub(crate) async fn passes(&mut self, id: &str) -> anyhow::Result<(String, String)> {
        let answer = self.http.ask("GET", &format!("/api/sessions/{id}/passes"), "").await?;
        let passes: Vec<Value> = serde_json::from_slice(&answer.body)?;
        let token = |role: &str| {
            let pass = passes.iter().find(|pass| pass["role"] == role);
            pass.and_then(|pass| pass["token"].as_str()).map(str::to_owned).context("there is no such pass")
        };
        Ok((token("reader")?, token("writer")?))
    }

    pub(crate) async fn close(&mut self, id: &str) -> anyhow::Result<()> {
        let answer = self.http.ask("DELETE", &format!("/api/sessions/{id}"), "").await?;
        if answer.status != 204 {
            bail!("could not close a session: {}", answer.status);
        }
        Ok(())
    }
}

/// Minimum number of output bytes that an idle viewer acknowledges, the same as in the page.
const ACKNOWLEDGED_BYTES: u64 = 4 * 1024;

/// One attachment.
pub(super) struct Limpet {
    viewer: ViewerId,
    follow: Follow,
    received: u64,
    acknowledged: u64,
    /// Whether a snapshot has arrived, which is acknowledged even if it brought nothing new.
    has_snapshot: bool,
    typed: u64,
}

impl Limpet {
    pub(super) fn new(follow: Follow) -> anyhow::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let viewer = ViewerId::from_random(bytes);
        Ok(Self { viewer, follow, received: 0, acknowledged: 0, has_snapshot: false, typed: 0 })
    }
}

impl Protocol for Limpet {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        let (viewer, size, follow) = (self.viewer, Winsize::cells(80, 24), self.follow);
        let (window, resume, key) = (None, None, None);
        let hello = ClientMessage::Hello(Hello { viewer, size, window, resume, follow, key });
        vec![(Opcode::Text, hello.to_json().into_bytes())]
    }

    fn output(&mut self, opcode: Opcode, message: &[u8], _: &mut Vec<u8>) -> Output {
        if opcode == Opcode::Text {
            let message = std::str::from_utf8(message).ok().and_then(|text| ServerMessage::parse(text).ok());
            match message {
                Some(ServerMessage::Reset { output, .. }) => self.received = output.get(),
                Some(ServerMessage::Welcome(welcome)) => {
                    self.received = welcome.output.get();
                    self.acknowledged = self.received;
                }
                _ => {}
            }
            return Output::Nothing;
        }
        let Ok((header, payload)) = Header::split(message) else { return Output::Nothing };
        match header.kind {
            Kind::Data => self.received = header.offset + payload.len() as u64,
            Kind::Snapshot => self.has_snapshot = true,
        }
        Output::From(Header::LEN)
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        let frame = [&Header::data(self.typed).encode()[..], bytes].concat();
        self.typed += bytes.len() as u64;
        (Opcode::Binary, frame)
    }

    fn acknowledgement(&mut self) -> Option<(Opcode, Vec<u8>)> {
        if self.received - self.acknowledged < ACKNOWLEDGED_BYTES && !self.has_snapshot {
            return None;
        }
        self.acknowledged = self.received;
        self.has_snapshot = false;
        let output = OutputOffset::new(self.received);
        Some((Opcode::Text, ClientMessage::Ack { output }.to_json().into_bytes()))
    }
}
