//! Tests the state machine against a model of the server, over a connection that may break at any
//! moment.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A message on the wire.
#[derive(Clone, Debug)]
enum Message {
    Text(String),
    Binary(Vec<u8>),
}

/// The server's state of the current attachment.
struct Attachment {
    sent: u64,
    /// Number of size changes that were sent.
    resizes: usize,
    acknowledged: u64,
    window: u64,
}

/// A model server that keeps every promise of the protocol, with one session and one viewer, and
/// the connection to it.
struct World {
    rig: Rig,
    log: Vec<u8>,
    /// The sizes after the first one, each with the offset in the log at which it took effect.
    sizes: Vec<(usize, Winsize)>,
    input: Vec<u8>,
    epoch: Epoch,
    attachment: Option<Attachment>,
    /// True if the machine has an open socket; `None` if it has not requested one.
    socket: Option<bool>,
    to_server: VecDeque<Message>,
    to_page: VecDeque<Message>,
    timer: bool,
    /// The output that the terminal has received.
    shown: Vec<u8>,
    /// The sizes that the terminal has taken on, each with the amount of output before it.
    sizes_shown: Vec<(usize, Winsize)>,
    queue: VecDeque<Mark>,
    typed: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Step {
    Print(usize),
    Resize(u16),
    Type(usize),
    ServerTurn,
    PageTurn,
    Render,
    Open,
    Timer,
    Cut,
    Wake,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..200_000_usize).prop_map(Step::Print),
        2 => (1..500_u16).prop_map(Step::Resize),
        3 => (1..100_000_usize).prop_map(Step::Type),
        8 => Just(Step::ServerTurn),
        8 => Just(Step::PageTurn),
        6 => Just(Step::Render),
        3 => Just(Step::Open),
        3 => Just(Step::Timer),
        1 => Just(Step::Cut),
        1 => Just(Step::Wake),
    ]
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            rig: Rig::new(),
            log: Vec::new(),
            sizes: Vec::new(),
            input: Vec::new(),
            epoch: Epoch::from_random([5; 8]),
            attachment: None,
            socket: None,
            to_server: VecDeque::new(),
            to_page: VecDeque::new(),
            timer: false,
            shown: Vec::new(),
            sizes_shown: Vec::new(),
            queue: VecDeque::new(),
            typed: Vec::new(),
        };
        world.page(Event::Start, &[]);
        world
    }

    fn step(&mut self, step: &Step) {
        self.rig.after(100.0);
        match *step {
            Step::Print(len) => {
                let start = self.log.len();
                self.log.extend((start..start + len).map(pattern));
                self.pump();
            }
            Step::Resize(cols) => {
                let size = Winsize::cells(cols, 10);
                if self.size_after(self.sizes.len()) != size {
                    self.sizes.push((self.log.len(), size));
                }
                self.pump();
            }
            Step::Type(len) => {
                let start = self.typed.len();
                let bytes: Vec<u8> = (start..start + len).map(pattern).collect();
                self.typed.extend(&bytes);
                self.page(Event::Input(&bytes), &[]);
            }
            Step::ServerTurn => self.server_turn(),
            Step::PageTurn => self.page_turn(),
            Step::Render => self.render(),
            Step::Open => self.open(),
            Step::Timer if self.timer => {
                self.timer = false;
                self.page(Event::Timer, &[]);
            }
            Step::Timer => {}
            Step::Cut => self.cut(),
            Step::Wake => self.page(Event::Online, &[]),
        }
    }

    fn page(&mut self, event: Event<'_>, message: &[u8]) {
        for effect in self.rig.on(event) {
            match effect {
                Effect::Open => self.replace_socket(Some(false)),
                Effect::Close => self.replace_socket(None),
                Effect::SendText(text) => self.to_server.push_back(Message::Text(text)),
                Effect::SendFrame(frame) => self.to_server.push_back(Message::Binary(frame)),
                Effect::Probe => self.page(Event::Probed(Probe::Unreachable), &[]),
                Effect::Timer(_) => self.timer = true,
                Effect::NoTimer => self.timer = false,
                Effect::Write(piece) => {
                    self.shown.extend(&message[piece.from..piece.to]);
                    self.queue.push_back(piece.mark);
                }
                Effect::Notify(Notification::Size { size, .. }) => {
                    if size != self.sizes_shown.last().map_or_else(Winsize::default, |&(_, size)| size) {
                        self.sizes_shown.push((self.shown.len(), size));
                    }
                }
                Effect::Notify(Notification::Clear { .. }) => {
                    panic!("everything is kept, so nothing is ever cleared")
                }
                Effect::Notify(_) => {}
            }
        }
    }

    fn replace_socket(&mut self, socket: Option<bool>) {
        self.socket = socket;
        self.attachment = None;
        self.to_server.clear();
        self.to_page.clear();
    }

    fn open(&mut self) {
        if self.socket == Some(false) {
            self.socket = Some(true);
            self.page(Event::Opened(""), &[]);
        }
    }

    fn cut(&mut self) {
        if self.socket.is_some() {
            self.replace_socket(None);
            self.page(Event::Closed { code: 1006 }, &[]);
        }
    }

    fn render(&mut self) {
        if let Some(mark) = self.queue.pop_front() {
            self.page(Event::Rendered(mark, self.queue.is_empty()), &[]);
        }
    }

    fn page_turn(&mut self) {
        match self.to_page.pop_front() {
            Some(Message::Text(text)) => self.page(Event::Text(&text), &[]),
            Some(Message::Binary(bytes)) => self.page(frame(&bytes), &bytes),
            None => {}
        }
    }

    fn server_turn(&mut self) {
        match self.to_server.pop_front() {
            Some(Message::Text(text)) => match ClientMessage::parse(&text).unwrap() {
                ClientMessage::Hello(hello) => self.greet(&hello),
                ClientMessage::Ack { output } => {
                    let attachment = self.attachment.as_mut().unwrap();
                    assert!(output.get() <= attachment.sent, "acknowledged what was never sent");
                    attachment.acknowledged = attachment.acknowledged.max(output.get());
                }
                ClientMessage::Ping { t } => self.answer(&ServerMessage::Pong { t }),
                ClientMessage::Resize(_)
                | ClientMessage::Primary { .. }
                | ClientMessage::Colours(_)
                | ClientMessage::History
                | ClientMessage::Clear
                | ClientMessage::SoftReset
                | ClientMessage::Pong { .. } => {}
            },
            Some(Message::Binary(bytes)) => self.take_input(&bytes),
            None => {}
        }
        self.pump();
    }

    fn greet(&mut self, hello: &Hello) {
        assert!(self.attachment.is_none(), "hello came twice");
        let output = hello.resume.as_ref().map_or(0, |resume| resume.output.get());
        assert!(hello.resume.as_ref().is_none_or(|resume| resume.epoch == self.epoch));
        let resizes = hello.resume.as_ref().map_or(0, |resume| resume.resizes.unwrap());
        let known = usize::try_from(resizes).unwrap();
        self.attachment = Some(Attachment {
            sent: output,
            resizes: known,
            acknowledged: output,
            window: hello.window.unwrap(),
        });
        self.answer(&ServerMessage::Welcome(Welcome {
            epoch: self.epoch.clone(),
            live: OutputOffset::new(self.log.len() as u64),
            input: InputOffset::new(self.input.len() as u64),
            size: self.size_after(known),
            resizes,
            ..welcome(output)
        }));
    }

    fn take_input(&mut self, bytes: &[u8]) {
        let (header, payload) = Header::split(bytes).unwrap();
        let start = usize::try_from(header.offset).unwrap();
        assert!(start <= self.input.len(), "input-gap");
        let known = (self.input.len() - start).min(payload.len());
        self.input.extend(&payload[known..]);
        self.answer(&ServerMessage::Ack { input: InputOffset::new(self.input.len() as u64) });
    }

    fn answer(&mut self, message: &ServerMessage) {
        self.to_page.push_back(Message::Text(message.to_json()));
    }

    fn size_after(&self, resizes: usize) -> Winsize {
        resizes.checked_sub(1).map_or_else(Winsize::default, |last| self.sizes[last].1)
    }

    /// Sends what the window allows.
    fn pump(&mut self) {
        let Some(attachment) = &mut self.attachment else { return };
        loop {
            let room = attachment.acknowledged + attachment.window - attachment.sent;
            let start = usize::try_from(attachment.sent).unwrap();
            let mut end = self.log.len();
            if let Some(&(from, size)) = self.sizes.get(attachment.resizes) {
                if from == start {
                    attachment.resizes += 1;
                    let resize = ServerMessage::Resize { size, by: None, resizes: attachment.resizes as u64 };
                    self.to_page.push_back(Message::Text(resize.to_json()));
                    continue;
                }
                end = end.min(from);
            }
            let len = (end - start).min(usize::try_from(room).unwrap()).min(65_536);
            if len == 0 {
                return;
            }
            self.to_page.push_back(Message::Binary(data(attachment.sent, &self.log[start..start + len])));
            attachment.sent += len as u64;
        }
    }

    /// Reports whether only pings are left to happen.
    fn settled(&self) -> bool {
        self.shown == self.log
            && self.sizes_shown == self.sizes
            && self.input == self.typed
            && self.queue.is_empty()
            && self.to_server.is_empty()
    }
}

/// Returns the byte at an offset, from a pattern whose period does not line up with powers of two.
fn pattern(offset: usize) -> u8 {
    u8::try_from(offset % 251).unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Checks that no byte is lost or duplicated in either direction, that sizes arrive at their
    /// places, however often the connection breaks, and that it always settles.
    #[test]
    fn every_byte_and_size_arrives_once(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.step(step);
        }
        let calm = [Step::Timer, Step::Open, Step::ServerTurn, Step::PageTurn, Step::Render];
        for _ in 0..5_000 {
            if world.settled() {
                break;
            }
            for step in &calm {
                world.step(step);
            }
        }
        prop_assert!(world.settled());
    }
}
