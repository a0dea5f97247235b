//! A signed-in browser: a cookie, and the key that its page stores.

use futures_util::{SinkExt, StreamExt};
use limpet_client::Viewer;
use limpet_shared::{
    ClientMessage, SUBPROTOCOL, ServerMessage, SessionId, SignInKey, Winsize,
    api::{Access, KEY_HEADER},
};
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};

use super::{Server, client::viewer, within};

/// A browser after logging in.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) cookie: String,
    pub(crate) key: String,
    /// The access that the server reported at login.
    pub(crate) access: Access,
}

impl Browser {
    pub(crate) async fn sign_in(server: &Server, token: &str) -> Self {
        Self::log_in(server.anonymous(Method::POST, "/api/login"), token).await
    }

    /// Logs in again with the present cookie and key.
    pub(crate) async fn sign_in_again(&mut self, server: &Server, token: &str) {
        *self = Self::log_in(self.request(server, Method::POST, "/api/login"), token).await;
    }

    async fn log_in(request: RequestBuilder, token: &str) -> Self {
        let answer = request.json(&json!({ "token": token })).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let access: Access = answer.json().await.unwrap();
        let key = access.key.as_ref().map_or("", SignInKey::reveal).to_owned();
        Self { cookie, key, access }
    }

    /// Builds a request as the page sends it.
    pub(crate) fn request(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        self.replayed(server, method, path).header(KEY_HEADER, &self.key)
    }

    /// Builds a request with the cookie alone, as anybody who has stolen it can send it.
    pub(crate) fn replayed(&self, server: &Server, method: Method, path: &str) -> RequestBuilder {
        server.anonymous(method, path).header("cookie", &self.cookie)
    }

    /// Opens a WebSocket with the cookie.
    pub(crate) async fn open(
        &self,
        server: &Server,
        session: &SessionId,
    ) -> Result<BrowserSocket, tungstenite::Error> {
        let address = server.address();
        let mut request = format!("ws://{address}/api/sessions/{session}/attach").into_client_request()?;
        let headers = request.headers_mut();
        headers.insert("cookie", self.cookie.parse().unwrap());
        headers.insert("sec-websocket-protocol", SUBPROTOCOL.parse().unwrap());
        let stream = TcpStream::connect(address).await?;
        Ok(BrowserSocket(client_async(request, stream).await?.0))
    }
}

/// The WebSocket of a page.
pub(crate) struct BrowserSocket(WebSocketStream<TcpStream>);

impl BrowserSocket {
    pub(crate) async fn hello(&mut self, key: Option<&str>) {
        let key = key.map(|key| SignInKey::new(key.to_owned()));
        let hello = Viewer::for_all_output(viewer(), Winsize::default()).hello(None, key);
        // If the socket is already closed, the next message shows it.
        let _ = self.0.send(Message::text(ClientMessage::Hello(hello).to_json())).await;
    }

    /// Returns the next message.
    pub(crate) async fn next(&mut self) -> Option<ServerMessage> {
        within("a message", async {
            while let Some(Ok(message)) = self.0.next().await {
                if let Message::Text(text) = message {
                    return Some(ServerMessage::parse(&text).unwrap());
                }
            }
            None
        })
        .await
    }

    /// Returns all messages until the server closes, and the close code.
    pub(crate) async fn rest(mut self) -> (Vec<Message>, Option<u16>) {
        within("the end of the connection", async {
            let mut messages = Vec::new();
            while let Some(Ok(message)) = self.0.next().await {
                match message {
                    Message::Close(frame) => return (messages, frame.map(|frame| frame.code.into())),
                    message => messages.push(message),
                }
            }
            (messages, None)
        })
        .await
    }
}
