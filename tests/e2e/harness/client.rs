//! A client of the protocol that records what it received.

use std::collections::VecDeque;

use futures_util::{SinkExt, StreamExt};
use limpet_shared::{
    ClientMessage, Epoch, ErrorCode, ExitStatus, Follow, Header, InputOffset, Kind, OutputOffset, Resume,
    SUBPROTOCOL, ServerMessage, SessionId, ViewerId, Welcome, Winsize,
};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, http::Response},
};

use super::{Server, Shown, server::TOKEN, within};

/// The contents of a client's hello message and its credential.
#[derive(Clone, Debug)]
pub(crate) struct Hello {
    pub(crate) viewer: ViewerId,
    pub(crate) size: Winsize,
    pub(crate) window: Option<u64>,
    pub(crate) resume: Option<Resume>,
    pub(crate) follow: Follow,
    /// The token, or a pass.
    pub(crate) token: String,
}

impl Default for Hello {
    fn default() -> Self {
        Self {
            viewer: viewer(),
            size: Winsize::default(),
            window: None,
            resume: None,
            follow: Follow::All,
            token: TOKEN.to_owned(),
        }
    }
}

impl Hello {
    pub(crate) fn window(mut self, bytes: u64) -> Self {
        self.window = Some(bytes);
        self
    }

    pub(crate) fn size(mut self, cols: u16, rows: u16) -> Self {
        self.size = Winsize::cells(cols, rows);
        self
    }

    /// Asks for the newest screen rather than all output, as a person's page does.
    pub(crate) fn follow_now(mut self) -> Self {
        self.follow = Follow::Now;
        self
    }

    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    pub(crate) fn resume(mut self, epoch: &Epoch, output: OutputOffset) -> Self {
        self.resume = Some(Resume { epoch: epoch.clone(), output, resizes: None });
        self
    }

    /// Resumes from what a terminal shows, if it shows anything.
    pub(crate) fn go_on(mut self, shown: &Shown) -> Self {
        self.resume = shown.resume();
        self
    }
}

/// Returns a new, random viewer id.
pub(crate) fn viewer() -> ViewerId {
    ViewerId::from_random(limpet_sys::random::bytes())
}

/// An attachment as a client sees it.
pub(crate) struct Client {
    socket: WebSocketStream<TcpStream>,
    pub(crate) welcome: Welcome,
    /// All output since `welcome.output` or the last `reset`.
    pub(crate) output: Vec<u8>,
    /// The snapshot before `output`, if there was one.
    pub(crate) snapshot: Vec<u8>,
    /// Bytes of snapshots and output received so far.
    pub(crate) bytes_received: u64,
    /// Offset at which `output` ends.
    pub(crate) received: OutputOffset,
    /// Control messages that no test has consumed yet, `ack` and `pong` included.
    pub(crate) control: VecDeque<ServerMessage>,
    pub(crate) exit: Option<ExitStatus>,
    /// True if the server said that an owner closed the session.
    pub(crate) was_closed: bool,
    /// The server's close code.
    pub(crate) close_code: Option<u16>,
    sent: u64,
    acknowledges: bool,
    /// The terminal that shows the output, if the test wants one.
    shown: Option<Shown>,
}

impl Client {
    /// Attaches to a session.
    pub(crate) async fn attach(server: &Server, session: &SessionId, hello: Hello) -> Self {
        Self::attach_at(server.address(), session, hello).await.unwrap()
    }

    /// Attaches through another address.
    pub(crate) async fn attach_at(
        address: &str,
        session: &SessionId,
        hello: Hello,
    ) -> Result<Self, tungstenite::Error> {
        let Hello { viewer, size, window, resume, follow, token } = hello;
        let mut socket = connect_with(address, session, &token).await?.0;
        let hello =
            ClientMessage::Hello(limpet_shared::Hello { viewer, size, window, resume, follow, key: None });
        socket.send(Message::text(hello.to_json())).await?;
        let welcome = loop {
            match socket.next().await.transpose()? {
                Some(Message::Text(text)) => match ServerMessage::parse(&text).unwrap() {
                    ServerMessage::Welcome(welcome) => break welcome,
                    other => panic!("the first message is {other:?}"),
                },
                Some(Message::Close(_)) | None => return Err(tungstenite::Error::ConnectionClosed),
                Some(_) => {}
            }
        };
        let (received, sent) = (welcome.output, welcome.input.get());
        let (output, snapshot) = (Vec::new(), Vec::new());
        let (control, exit, close_code) = (VecDeque::new(), None, None);
        Ok(Self {
            bytes_received: 0,
            socket,
            welcome,
            output,
            snapshot,
            received,
            control,
            was_closed: false,
            exit,
            close_code,
            sent,
            acknowledges: true,
            shown: None,
        })
    }

    /// Stops automatic acknowledgements.
    pub(crate) fn silent(mut self) -> Self {
        self.acknowledges = false;
        self
    }

    /// Shows the output on this terminal from now on. Must be called before any output has arrived.
    pub(crate) fn on(mut self, mut shown: Shown) -> Self {
        shown.on_welcome(&self.welcome);
        self.shown = Some(shown);
        self
    }

    /// Returns the client's terminal.
    pub(crate) fn shown(&self) -> &Shown {
        self.shown.as_ref().unwrap()
    }

    /// Detaches, and returns the client's terminal.
    pub(crate) fn leave(mut self) -> Shown {
        self.shown.take().unwrap()
    }

    /// Acknowledges what has arrived, and everything that arrives later.
    pub(crate) async fn catches_up(&mut self) {
        self.acknowledges = true;
        self.acknowledge().await;
    }

    /// Processes one message. Returns false if the connection has ended.
    pub(crate) async fn process_message(&mut self) -> bool {
        let Some(Ok(message)) = self.socket.next().await else { return false };
        match message {
            Message::Binary(frame) => self.on_frame(&frame).await,
            Message::Text(text) => self.on_message(ServerMessage::parse(&text).unwrap()),
            Message::Close(frame) => self.close_code = frame.map(|frame| frame.code.into()),
            _ => {}
        }
        true
    }

    async fn on_frame(&mut self, frame: &[u8]) {
        let (header, payload) = Header::split(frame).unwrap();
        assert_eq!(header.offset, self.received.get(), "output goes on where it stopped");
        self.bytes_received += payload.len() as u64;
        if let Some(shown) = &mut self.shown {
            shown.on_frame(header.kind, payload);
        }
        if header.kind == Kind::Snapshot {
            assert!(self.output.is_empty(), "a snapshot comes before data");
            self.snapshot.extend_from_slice(payload);
            if self.acknowledges {
                self.acknowledge().await;
            }
            return;
        }
        self.output.extend_from_slice(payload);
        self.received = self.received.advanced(payload.len());
        if self.acknowledges {
            self.acknowledge().await;
        }
    }

    fn on_message(&mut self, message: ServerMessage) {
        if let Some(shown) = &mut self.shown {
            shown.on_message(&message);
        }
        match message {
            ServerMessage::Exit { status, output, closed } => {
                assert_eq!(output, self.received, "exit comes after the last byte");
                (self.exit, self.was_closed) = (Some(status), closed);
            }
            ServerMessage::Reset { output, .. } => {
                self.output.clear();
                self.snapshot.clear();
                self.received = output;
                self.control.push_back(message);
            }
            message => self.control.push_back(message),
        }
    }

    /// Tells the server that everything received is rendered.
    pub(crate) async fn acknowledge(&mut self) {
        self.say(&ClientMessage::Ack { output: self.received }).await;
    }

    pub(crate) async fn say(&mut self, message: &ClientMessage) {
        self.send(Message::text(message.to_json())).await;
    }

    /// Sends any message at all. If the connection is gone, the next turn shows it.
    pub(crate) async fn send(&mut self, message: Message) {
        let _ = self.socket.send(message).await;
    }

    /// Sends text as typed input.
    pub(crate) async fn type_in(&mut self, text: &str) {
        let frame = data(self.sent, text.as_bytes());
        self.sent += text.len() as u64;
        self.send(frame).await;
    }

    /// Numbers all further input as if only `offset` bytes of input had been sent.
    pub(crate) fn set_input_offset(&mut self, offset: u64) {
        self.sent = offset;
    }

    pub(crate) async fn resize(&mut self, cols: u16, rows: u16) {
        self.say(&ClientMessage::Resize(Winsize::cells(cols, rows))).await;
    }

    /// Processes messages until `enough` holds.
    pub(crate) async fn until(&mut self, what: &str, enough: impl Fn(&Self) -> bool) {
        let reading = async {
            while !enough(self) {
                if !self.process_message().await {
                    return false;
                }
            }
            true
        };
        let found = within(what, reading).await;
        assert!(found, "the connection ended before {what}; seen: {:?} {:?}", self.text(), self.control);
    }

    /// Processes messages until the output contains `text`.
    pub(crate) async fn sees(&mut self, text: &str) {
        self.until(&format!("{text:?} in the output"), |client| client.text().contains(text)).await;
    }

    /// Processes messages until `pick` accepts a control message, and returns its result.
    pub(crate) async fn wait_for_message<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&ServerMessage) -> Option<T>,
    ) -> T {
        self.until(what, |client| client.control.iter().any(|message| pick(message).is_some())).await;
        let at = self.control.iter().position(|message| pick(message).is_some()).unwrap();
        pick(&self.control.remove(at).unwrap()).unwrap()
    }

    pub(crate) async fn wait_for_error(&mut self, code: ErrorCode) -> String {
        self.wait_for_message(&format!("the error {code}"), |message| match message {
            ServerMessage::Error { code: said, message } if *said == code => Some(message.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn wait_for_ack(&mut self, offset: u64) {
        let enough = |message: &ServerMessage| match message {
            ServerMessage::Ack { input } => (*input >= InputOffset::new(offset)).then_some(()),
            _ => None,
        };
        self.wait_for_message(&format!("that {offset} bytes are written"), enough).await;
    }

    /// Processes all messages, and returns the program's exit status and the server's close code.
    pub(crate) async fn read_to_end(&mut self) -> (Option<ExitStatus>, Option<u16>) {
        within("the end of the connection", async { while self.process_message().await {} }).await;
        (self.exit, self.close_code)
    }

    /// Returns the snapshot as text.
    pub(crate) fn drawn(&self) -> String {
        String::from_utf8_lossy(&self.snapshot).into_owned()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output).into_owned()
    }

    pub(crate) fn epoch(&self) -> &Epoch {
        &self.welcome.epoch
    }

    /// Returns the local port of the connection.
    pub(crate) fn port(&self) -> u16 {
        self.socket.get_ref().local_addr().unwrap().port()
    }

    /// Disappears without closing: the connection is reset.
    pub(crate) fn reset_connection(self) {
        let stream = self.socket.into_inner();
        socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

/// Opens a socket to a session without sending anything.
pub(crate) async fn connect(
    address: &str,
    session: &SessionId,
) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tungstenite::Error> {
    connect_with(address, session, TOKEN).await
}

/// Like [`connect`], with the given token or pass.
pub(crate) async fn connect_with(
    address: &str,
    session: &SessionId,
    token: &str,
) -> Result<(WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>), tungstenite::Error> {
    let stream = TcpStream::connect(address).await?;
    let mut request = format!("ws://{address}/api/sessions/{session}/attach").into_client_request()?;
    let headers = request.headers_mut();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
    client_async(request, stream).await
}

/// Returns a frame of input.
pub(crate) fn data(offset: u64, bytes: &[u8]) -> Message {
    Message::binary([&Header::data(offset).encode(), bytes].concat())
}
