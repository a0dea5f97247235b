//! A listener of the feed of events.

use limpet_shared::{SessionId, api::SessionInfo, events::SessionEvent};
use reqwest::{RequestBuilder, Response, StatusCode, header::CONTENT_TYPE};

use super::within;

/// A stream of server-sent events, and the list of sessions that results from them.
pub(crate) struct EventStream {
    response: Response,
    /// Bytes that have arrived and are no complete event yet.
    bytes: Vec<u8>,
    /// The id of the last event.
    pub(crate) last_id: Option<String>,
    pub(crate) sessions: Vec<SessionInfo>,
    /// Number of comments.
    comments: usize,
}

impl EventStream {
    /// Sends a request for the feed. `last_id` is the id of the last event that was received
    /// before.
    pub(crate) async fn open(request: RequestBuilder, last_id: Option<&str>) -> Self {
        let request = last_id.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { response, bytes: Vec::new(), last_id: None, sessions: Vec::new(), comments: 0 }
    }

    /// Sends a request for the feed, and receives the snapshot.
    pub(crate) async fn begin(request: RequestBuilder) -> Self {
        let mut events = Self::open(request, None).await;
        assert!(matches!(events.next().await, Some(SessionEvent::Snapshot(_))));
        events
    }

    /// Returns the next event; `None` when the stream ends.
    pub(crate) async fn next(&mut self) -> Option<SessionEvent> {
        within("an event", self.read_event()).await
    }

    async fn read_event(&mut self) -> Option<SessionEvent> {
        loop {
            if let Some(event) = self.take_buffered() {
                return Some(event);
            }
            self.read_chunk().await?;
        }
    }

    /// Waits for a comment, which is a sign of life.
    pub(crate) async fn wait_for_sign_of_life(&mut self) {
        let before = self.comments;
        within("a sign of life", async {
            while self.comments == before {
                self.read_chunk().await.unwrap();
                while self.take_buffered().is_some() {}
            }
        })
        .await;
    }

    /// Reads what comes next; `None` when the stream ends or the connection breaks.
    async fn read_chunk(&mut self) -> Option<()> {
        let chunk = self.response.chunk().await.ok().flatten()?;
        self.bytes.extend_from_slice(&chunk);
        Some(())
    }

    /// Takes an event that has arrived completely.
    fn take_buffered(&mut self) -> Option<SessionEvent> {
        while let Some(end) = self.bytes.windows(2).position(|bytes| bytes == b"\n\n") {
            let event = String::from_utf8(self.bytes.drain(..end + 2).collect()).unwrap();
            if let Some(event) = self.take_event(&event) {
                return Some(event);
            }
        }
        None
    }

    fn take_event(&mut self, text: &str) -> Option<SessionEvent> {
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
        };
        let (Some(name), Some(data)) = (field("event"), field("data")) else {
            assert!(text.starts_with(':'), "{text}");
            self.comments += 1;
            return None;
        };
        let event = SessionEvent::parse(&name, &data).unwrap().unwrap();
        event.clone().apply_to(&mut self.sessions).unwrap();
        let version = |id: &str| {
            let (epoch, version) = id.rsplit_once('-').unwrap();
            (epoch.to_owned(), version.parse::<u64>().unwrap())
        };
        let id = field("id").unwrap();
        if let Some(last) = &self.last_id
            && !matches!(event, SessionEvent::Snapshot(_))
        {
            let (last, now) = (version(last), version(&id));
            assert!(last.0 == now.0 && last.1 < now.1, "{last:?}, then {now:?}");
        }
        self.last_id = Some(id);
        Some(event)
    }

    /// Receives events until the list of sessions satisfies a condition. Returns them.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&[SessionInfo]) -> bool,
    ) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        while !condition(&self.sessions) {
            let event = self.next().await;
            events.push(event.unwrap_or_else(|| panic!("the stream has ended before {what}")));
        }
        events
    }

    /// Returns the ids of the sessions.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        self.sessions.iter().map(|session| session.id.clone()).collect()
    }
}
