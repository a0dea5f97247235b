use limpet_shared::{
    Epoch, ErrorCode, Header, InputOffset, OutputOffset, Presence, Resume, ServerMessage, SessionId, Welcome,
};

use super::*;
use crate::connection::event::Effect as E;

mod simulation;

/// A machine with a clock of its own, for tests that read like a story.
struct Rig {
    machine: Machine,
    now_ms: f64,
    /// How long the machine has slept in all.
    asleep_ms: f64,
}

impl Rig {
    fn new() -> Self {
        let viewer = ViewerId::from_random([7; 16]);
        Self { machine: Machine::new(viewer, Winsize::cells(80, 24)), now_ms: 1000.0, asleep_ms: 0.0 }
    }

    fn attached() -> Self {
        let mut rig = Self::new();
        rig.on(Event::Start);
        rig.on(Event::Opened);
        rig.say(&ServerMessage::Welcome(welcome(0)));
        rig
    }

    fn on(&mut self, event: Event<'_>) -> Vec<Effect> {
        let wall_ms = 1e12 + self.now_ms + self.asleep_ms;
        self.machine.handle(event, Moment { now_ms: self.now_ms, wall_ms, jitter: 0.0 })
    }

    fn say(&mut self, message: &ServerMessage) -> Vec<Effect> {
        self.on(Event::Text(&message.to_json()))
    }

    fn after(&mut self, ms: f64) -> &mut Self {
        self.now_ms += ms;
        self
    }

    /// The machine sleeps for so long, and no timer notices.
    fn asleep(&mut self, ms: f64) -> &mut Self {
        self.asleep_ms += ms;
        self
    }

    fn phase(&self) -> Option<Phase> {
        self.machine.told
    }
}

fn welcome(output: u64) -> Welcome {
    Welcome {
        session: SessionId::from_random([1; 8]),
        epoch: Epoch::from_random([2; 8]),
        role: Role::Owner,
        output: OutputOffset::new(output),
        live: OutputOffset::new(output),
        input: InputOffset::ZERO,
        size: Winsize::cells(80, 24),
        by: None,
        title: "bash".into(),
        server: env!("CARGO_PKG_VERSION").into(),
    }
}

fn data(offset: u64, payload: &[u8]) -> Vec<u8> {
    [&Header::data(offset).encode(), payload].concat()
}

fn frame(message: &[u8]) -> Event<'_> {
    Event::Frame { head: &message[..message.len().min(Header::LEN)], len: message.len() }
}

fn sent(effects: &[Effect]) -> Vec<ClientMessage> {
    let text = |effect: &Effect| match effect {
        E::SendText(text) => Some(ClientMessage::parse(text).unwrap()),
        _ => None,
    };
    effects.iter().filter_map(text).collect()
}

fn notices(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, E::Tell(Tell::Notice(_)))).count()
}

#[test]
fn a_machine_that_has_slept_looks_after_its_connection_at_once() {
    let mut rig = Rig::attached();
    rig.after(1000.0).on(Event::Stirred);
    let asks = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::SendText(text) if text.contains("ping")))
            && effects.contains(&Effect::Timer(pulse::DOUBT_MS))
    };
    assert!(!asks(&rig.after(100.0).on(Event::Stirred)));
    assert!(asks(&rig.after(100.0).asleep(3_600_000.0).on(Event::Stirred)));
    assert!(!asks(&rig.after(100.0).on(Event::Stirred)), "once is enough");
    // Whatever happens first will do, and who waits for the next try waits no longer.
    assert!(asks(&rig.after(100.0).asleep(60_000.0).on(Event::Typed(b"x"))));
    rig.on(Event::Closed { code: 1006 });
    assert!(rig.asleep(60_000.0).on(Event::Timer).contains(&Effect::Open));
    assert!(matches!(rig.machine.state, State::Opening { .. }), "the timer is not taken for its own");
}

#[test]
fn greets_and_becomes_live() {
    let mut rig = Rig::new();
    assert_eq!(rig.phase(), None);
    assert_eq!(
        rig.on(Event::Start),
        [E::Open, E::Timer(OPENING_MS), E::Tell(Tell::Phase(Phase::Connecting))]
    );
    let [ClientMessage::Hello(hello)] = &sent(&rig.on(Event::Opened))[..] else { panic!("no hello") };
    assert_eq!((hello.size, hello.window, &hello.resume), (Winsize::cells(80, 24), Some(WINDOW), &None));
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    assert!(matches!(sent(&effects)[..], [ClientMessage::Ping { .. }]));
    assert!(!effects.contains(&E::Tell(Tell::Clear { skipped: 0, earlier: 0 })), "nothing is there to clear");
    assert_eq!(rig.phase(), Some(Phase::Live { latency_ms: None }));
}

#[test]
fn a_pong_gives_the_latency() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    rig.on(Event::Opened);
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    let [ClientMessage::Ping { t }] = &sent(&effects)[..] else { panic!("no ping") };
    rig.after(23.0).say(&ServerMessage::Pong { t: t.clone() });
    assert_eq!(rig.phase(), Some(Phase::Live { latency_ms: Some(23) }));
}

#[test]
fn a_broken_connection_is_tried_again_and_resumes() {
    let mut rig = Rig::attached();
    rig.on(frame(&data(0, b"hello")));
    let effects = rig.after(60_000.0).on(Event::Closed { code: 1006 });
    assert!(effects.contains(&E::Timer(backoff::FIRST_MS)));
    assert_eq!(rig.phase(), Some(Phase::Reconnecting { at_ms: rig.now_ms + backoff::FIRST_MS, attempt: 1 }));
    assert!(rig.after(250.0).on(Event::Timer).contains(&E::Open));
    let [ClientMessage::Hello(hello)] = &sent(&rig.on(Event::Opened))[..] else { panic!("no hello") };
    let resume = Resume { epoch: Epoch::from_random([2; 8]), output: OutputOffset::new(5) };
    assert_eq!(hello.resume, Some(resume));
    let effects = rig.say(&ServerMessage::Welcome(welcome(5)));
    assert!(!effects.contains(&E::Tell(Tell::Clear { skipped: 0, earlier: 0 })));
    assert!(matches!(rig.phase(), Some(Phase::Live { .. })));
}

#[test]
fn a_server_that_cannot_resume_clears_the_terminal() {
    let mut rig = Rig::attached();
    rig.on(frame(&data(0, b"hello")));
    rig.on(Event::Closed { code: 1001 });
    rig.on(Event::Timer);
    rig.on(Event::Opened);
    let other = Welcome { epoch: Epoch::from_random([3; 8]), ..welcome(0) };
    assert!(
        rig.say(&ServerMessage::Welcome(other)).contains(&E::Tell(Tell::Clear { skipped: 0, earlier: 0 }))
    );
}

#[test]
fn reset_clears_and_goes_on_elsewhere() {
    let mut rig = Rig::attached();
    let reset = ServerMessage::Reset { output: OutputOffset::new(4096), skipped: 3000, earlier: 0 };
    assert!(rig.say(&reset).contains(&E::Tell(Tell::Clear { skipped: 3000, earlier: 0 })));
    assert!(matches!(rig.on(frame(&data(4096, b"x")))[..], [E::Write(_)]));
}

#[test]
fn failures_in_a_row_wait_longer_each_and_a_stable_attachment_forgets_them() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    for attempt in 1..=3 {
        assert!(rig.on(Event::Closed { code: 1006 }).contains(&E::Probe));
        rig.on(Event::Probed(Probe::Unreachable));
        let at_ms = rig.now_ms + backoff::delay_ms(attempt, 0.0);
        assert_eq!(rig.phase(), Some(Phase::Reconnecting { at_ms, attempt }));
        rig.on(Event::Timer);
    }
    rig.on(Event::Opened);
    rig.say(&ServerMessage::Welcome(welcome(0)));
    rig.after(STABLE_MS).on(Event::Closed { code: 1006 });
    assert!(matches!(rig.phase(), Some(Phase::Reconnecting { attempt: 1, .. })));
}

#[test]
fn a_socket_that_does_not_open_asks_why() {
    for (probe, reason) in
        [(Probe::Unauthorized, GoneReason::Unauthorized), (Probe::NotFound, GoneReason::SessionNotFound)]
    {
        let mut rig = Rig::new();
        rig.on(Event::Start);
        rig.on(Event::Closed { code: 1006 });
        rig.on(Event::Probed(probe));
        assert_eq!(rig.phase(), Some(Phase::Gone(reason)));
        assert!(rig.on(Event::RetryNow).contains(&E::Open), "a person may log in again and retry");
    }
}

#[test]
fn fatal_closes_are_not_tried_again() {
    for (code, reason) in
        [(CloseCode::Protocol, GoneReason::Protocol), (CloseCode::Replaced, GoneReason::Replaced)]
    {
        let mut rig = Rig::attached();
        let effects = rig.on(Event::Closed { code: code.code() });
        assert!(effects.contains(&E::NoTimer));
        assert_eq!(rig.phase(), Some(Phase::Gone(reason)));
    }
    for code in [CloseCode::GoingAway, CloseCode::HeartbeatMissed] {
        let mut rig = Rig::attached();
        rig.on(Event::Closed { code: code.code() });
        assert!(matches!(rig.phase(), Some(Phase::Reconnecting { .. })), "{code:?}");
    }
}

#[test]
fn exit_ends_it_for_good() {
    let mut rig = Rig::attached();
    let exit = ServerMessage::Exit { status: ExitStatus::Code(3), output: OutputOffset::ZERO };
    assert!(rig.say(&exit).contains(&E::Tell(Tell::Exited(ExitStatus::Code(3)))));
    for event in
        [Event::Closed { code: 1000 }, Event::Online, Event::Timer, Event::RetryNow, Event::Typed(b"x")]
    {
        assert_eq!(rig.on(event), [], "{event:?}");
    }
    assert_eq!(rig.phase(), Some(Phase::Ended));
}

#[test]
fn waking_up_tries_at_once() {
    for event in [Event::Online, Event::RetryNow] {
        let mut rig = Rig::attached();
        rig.on(Event::Closed { code: 1006 });
        assert!(rig.on(event).contains(&E::Open), "{event:?}");
    }
    let mut rig = Rig::attached();
    rig.on(Event::Visible(false));
    rig.on(Event::Closed { code: 1006 });
    assert!(rig.on(Event::Visible(true)).contains(&E::Open));
}

#[test]
fn waking_up_doubts_an_open_socket() {
    let mut rig = Rig::attached();
    rig.on(Event::Visible(false));
    let effects = rig.after(3_600_000.0).on(Event::Visible(true));
    assert!(matches!(sent(&effects)[..], [ClientMessage::Ping { .. }]));
    let effects = rig.after(pulse::DOUBT_MS).on(Event::Timer);
    assert!(effects.contains(&E::Close));
    assert!(matches!(rig.phase(), Some(Phase::Reconnecting { .. })));
}

#[test]
fn a_hidden_page_sets_no_timer() {
    let mut rig = Rig::attached();
    rig.on(Event::Visible(false));
    let t = serde_json::Number::from_f64(rig.now_ms).unwrap();
    assert_eq!(rig.say(&ServerMessage::Pong { t })[..1], [E::NoTimer]);
    assert_eq!(rig.after(pulse::EVERY_MS).on(Event::Timer), [E::NoTimer]);
}

#[test]
fn a_socket_that_hangs_while_opening_is_given_up() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    assert_eq!(rig.on(Event::Online), [], "it has only just begun");
    assert!(rig.after(FRESH_MS).on(Event::Online).contains(&E::Open));
    assert!(rig.after(OPENING_MS).on(Event::Timer).contains(&E::Close));
}

#[test]
fn input_waits_for_the_attachment() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    assert_eq!(rig.on(Event::Typed(b"ls\r")), []);
    rig.on(Event::Opened);
    assert!(rig.say(&ServerMessage::Welcome(welcome(0))).contains(&E::SendFrame(data(0, b"ls\r"))));
    assert_eq!(rig.on(Event::Typed(b"x")), [E::SendFrame(data(3, b"x"))]);
}

#[test]
fn a_reader_neither_types_nor_resizes_nor_takes_the_pen() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    rig.on(Event::Typed(b"early"));
    rig.on(Event::Opened);
    let effects = rig.say(&ServerMessage::Welcome(Welcome { role: Role::Reader, ..welcome(0) }));
    assert!(!effects.iter().any(|effect| matches!(effect, E::SendFrame(_))));
    assert_eq!(rig.on(Event::Typed(b"x")), []);
    assert_eq!(rig.on(Event::Resized(Winsize::cells(100, 30))), []);
    assert_eq!(rig.on(Event::PenWanted(None)), []);
}

#[test]
fn what_breaks_the_protocol_ends_it() {
    let gap = data(9, b"x");
    for event in [
        frame(&gap),
        Event::Frame { head: b"abc", len: 3 },
        Event::Text("{}"),
        Event::Text(r#"{"type":"title"}"#),
    ] {
        let mut rig = Rig::attached();
        rig.on(event);
        assert_eq!(rig.phase(), Some(Phase::Gone(GoneReason::Protocol)), "{event:?}");
    }
    let mut rig = Rig::attached();
    assert_eq!(rig.on(Event::Text(r#"{"type":"of-tomorrow"}"#)), []);
}

#[test]
fn another_version_is_told_once() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    rig.on(Event::Opened);
    let newer = ServerMessage::Welcome(Welcome { server: "99.0.0".into(), ..welcome(0) });
    assert_eq!(notices(&rig.say(&newer)), 1);
    rig.on(Event::Closed { code: 1001 });
    rig.on(Event::Timer);
    rig.on(Event::Opened);
    assert_eq!(notices(&rig.say(&newer)), 0);
}

#[test]
fn the_size_knows_whose_it_is() {
    let mut rig = Rig::attached();
    let size = Winsize::cells(100, 30);
    assert!(matches!(sent(&rig.on(Event::Resized(size)))[..], [ClientMessage::Resize(sent)] if sent == size));
    for (by, own) in [(ViewerId::from_random([7; 16]), true), (ViewerId::from_random([8; 16]), false)] {
        let effects = rig.say(&ServerMessage::Resize { size, by: Some(by) });
        assert_eq!(effects, [E::Tell(Tell::Size { size, own })]);
    }
    // Another one's size may happen to be the same.
    for (by, own) in [(Some(ViewerId::from_random([7; 16])), true), (None, false)] {
        let mut rig = Rig::new();
        rig.on(Event::Start);
        rig.on(Event::Opened);
        let effects = rig.say(&ServerMessage::Welcome(Welcome { by, ..welcome(0) }));
        assert!(effects.contains(&E::Tell(Tell::Size { size: Winsize::cells(80, 24), own })));
    }
}

#[test]
fn the_pen_is_asked_for_by_who_may_have_it() {
    let mut rig = Rig::new();
    assert_eq!(rig.on(Event::PenWanted(None)), [], "there is nobody to ask yet");
    let mut rig = Rig::attached();
    for to in [None, Some(7)] {
        assert_eq!(sent(&rig.on(Event::PenWanted(to))), [ClientMessage::Pen { to }]);
    }
    let gone = ServerMessage::Error { code: ErrorCode::NoSuchViewer, message: "see viewers".into() };
    let effects = rig.say(&gone);
    assert!(matches!(&effects[..], [E::Tell(Tell::Notice(text))] if !text.contains("see viewers")));
}

#[test]
fn who_is_there_is_passed_on() {
    let list = vec![Presence {
        id: 3,
        role: Role::Writer,
        since: 5,
        from: String::new(),
        agent: "curl/8".into(),
        pen: true,
        you: false,
    }];
    let viewers = ServerMessage::Viewers { count: 1, pen: false, list: list.clone() };
    let told = [E::Tell(Tell::Pen(false)), E::Tell(Tell::Viewers { count: 1, list })];
    assert_eq!(Rig::attached().say(&viewers), told);
}

#[test]
fn colours_are_told_to_whom_it_concerns() {
    let colours = Colours::default();
    let told = E::SendText(ClientMessage::Colours(colours.clone()).to_json());
    let mut rig = Rig::new();
    assert!(rig.on(Event::Colours(&colours)).is_empty());
    rig.on(Event::Start);
    rig.on(Event::Opened);
    assert!(
        rig.say(&ServerMessage::Welcome(welcome(0))).contains(&told),
        "as soon as there is somebody to tell"
    );
    let mut reader = Rig::new();
    reader.on(Event::Colours(&colours));
    reader.on(Event::Start);
    reader.on(Event::Opened);
    let effects = reader.say(&ServerMessage::Welcome(Welcome { role: Role::Reader, ..welcome(0) }));
    assert!(!effects.contains(&told), "whose colours do not count");
}

#[test]
fn history_is_asked_for_while_there_is_somebody_to_ask() {
    let asked = E::SendText(ClientMessage::History.to_json());
    let mut rig = Rig::attached();
    assert!(rig.on(Event::HistoryWanted).contains(&asked));
    rig.on(Event::Closed { code: 1006 });
    assert!(!rig.on(Event::HistoryWanted).contains(&asked));
}
