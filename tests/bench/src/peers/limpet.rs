//! limpet; its protocol is in PROTOCOL.md.

use anyhow::{Context, anyhow, bail};
use limpet_client::{Inflow, Mark, Viewer};
use limpet_shared::{ClientMessage, Header, InputOffset, ServerMessage, ViewerId, Winsize};
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

/// An attachment. It acknowledges output as the page does. It sends no input again, because a
/// measurement ends with its connection.
pub(super) struct Limpet {
    viewer: Viewer,
    inflow: Inflow,
    /// The last piece of output that has arrived.
    last_mark: Option<Mark>,
    typed: InputOffset,
}

impl Limpet {
    pub(super) fn new(follow: Follow) -> anyhow::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
        let (id, size) = (ViewerId::from_random(bytes), Winsize::cells(80, 24));
        let viewer = Viewer { id, size, window: None, follow };
        Ok(Self { inflow: Inflow::with_window(None), viewer, last_mark: None, typed: InputOffset::ZERO })
    }
}

impl Protocol for Limpet {
    fn greeting(&mut self) -> Vec<(Opcode, Vec<u8>)> {
        let hello = ClientMessage::Hello(self.viewer.hello(None, None));
        vec![(Opcode::Text, hello.to_json().into_bytes())]
    }

    fn output(&mut self, opcode: Opcode, message: &[u8], _: &mut Vec<u8>) -> Output {
        if opcode == Opcode::Text {
            let message = std::str::from_utf8(message).ok().and_then(|text| ServerMessage::parse(text).ok());
            match message {
                Some(ServerMessage::Reset { output, bytes, .. }) => self.inflow.skip_to(output, bytes),
                Some(ServerMessage::Welcome(welcome)) => {
                    self.inflow.begin(&welcome);
                }
                _ => {}
            }
            return Output::Nothing;
        }
        let Ok(header) = Header::decode(message, message.len()) else { return Output::Nothing };
        let Ok(pieces) = self.inflow.receive(header, message.len()) else { return Output::Nothing };
        self.last_mark = pieces.into_iter().flatten().last().map(|piece| piece.mark).or(self.last_mark);
        Output::From(Header::LEN)
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        let frame = [&Header::data(self.typed.get()).encode()[..], bytes].concat();
        self.typed = self.typed.advanced(bytes.len());
        (Opcode::Binary, frame)
    }

    fn acknowledgement(&mut self, is_idle: bool) -> Option<(Opcode, Vec<u8>)> {
        let output = self.inflow.on_rendered(self.last_mark?, is_idle)?;
        Some((Opcode::Text, ClientMessage::Ack { output }.to_json().into_bytes()))
    }
}
