//! Tests of messages over an established connection.

use super::*;

#[test]
fn a_pong_gives_the_latency() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    rig.on(Event::Opened(""));
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    let [ClientMessage::Ping { t }] = &sent(&effects)[..] else { panic!("no ping") };
    rig.after(23.0).say(&ServerMessage::Pong { t: t.clone() });
    assert_eq!(rig.phase(), Some(Phase::Live { latency_ms: Some(23) }));
}

#[test]
fn reset_clears_and_goes_on_elsewhere() {
    let mut rig = Rig::attached();
    let reset = ServerMessage::Reset { output: OutputOffset::new(4096), skipped: 3000, earlier: 0, bytes: 0 };
    assert!(rig.say(&reset).contains(&E::Notify(Notification::Clear { skipped: 3000, earlier: 0 })));
    assert!(matches!(rig.on(frame(&data(4096, b"x")))[..], [E::Write(_)]));
}

#[test]
fn input_waits_for_the_attachment() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    assert_eq!(rig.on(Event::Input(b"ls\r")), []);
    rig.on(Event::Opened(""));
    assert!(rig.say(&ServerMessage::Welcome(welcome(0))).contains(&E::SendFrame(data(0, b"ls\r"))));
    assert_eq!(rig.on(Event::Input(b"x")), [E::SendFrame(data(3, b"x"))]);
}

#[test]
fn a_reader_neither_types_nor_resizes_nor_becomes_primary() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    rig.on(Event::Input(b"early"));
    rig.on(Event::Opened(""));
    let effects = rig.say(&ServerMessage::Welcome(Welcome { role: Role::Reader, ..welcome(0) }));
    assert!(!effects.iter().any(|effect| matches!(effect, E::SendFrame(_))));
    assert_eq!(rig.on(Event::Input(b"x")), []);
    assert_eq!(rig.on(Event::Resized(Winsize::cells(100, 30))), []);
    assert_eq!(rig.on(Event::PrimaryRequested(None)), []);
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
    rig.on(Event::Opened(""));
    let newer = ServerMessage::Welcome(Welcome { server: "99.0.0".into(), ..welcome(0) });
    assert_eq!(notices(&rig.say(&newer)), 1);
    rig.on(Event::Closed { code: 1001 });
    rig.on(Event::Timer);
    rig.on(Event::Opened(""));
    assert_eq!(notices(&rig.say(&newer)), 0);
}

#[test]
fn the_size_knows_whose_it_is() {
    let mut rig = Rig::attached();
    let size = Winsize::cells(100, 30);
    assert!(matches!(sent(&rig.on(Event::Resized(size)))[..], [ClientMessage::Resize(sent)] if sent == size));
    for (by, own) in [(7, true), (8, false)] {
        let effects = rig.say(&ServerMessage::Resize { size, by: Some(by), resizes: 1 });
        assert_eq!(effects, [E::Notify(Notification::Size { size, own })]);
    }
    // Another viewer's size may happen to be the same.
    for (by, own) in [(Some(7), true), (None, false)] {
        let mut rig = Rig::new();
        rig.on(Event::Start);
        rig.on(Event::Opened(""));
        let effects = rig.say(&ServerMessage::Welcome(Welcome { by, ..welcome(0) }));
        assert!(effects.contains(&E::Notify(Notification::Size { size: Winsize::cells(80, 24), own })));
    }
}

#[test]
fn the_pen_is_asked_for_by_who_may_have_it() {
    let mut rig = Rig::new();
    assert_eq!(rig.on(Event::PrimaryRequested(None)), [], "there is nobody to ask yet");
    let mut rig = Rig::attached();
    for to in [None, Some(7)] {
        assert_eq!(sent(&rig.on(Event::PrimaryRequested(to))), [ClientMessage::Primary { to }]);
    }
    let gone = ServerMessage::Error { code: ErrorCode::NoSuchViewer, message: "see viewers".into() };
    let effects = rig.say(&gone);
    assert!(matches!(&effects[..], [E::Notify(Notification::Notice(text))] if !text.contains("see viewers")));
}

#[test]
fn who_is_there_is_passed_on() {
    let list = vec![ViewerInfo {
        id: 3,
        role: Role::Writer,
        since: 5,
        from: String::new(),
        agent: "curl/8".into(),
        primary: true,
        you: false,
    }];
    let viewers = ServerMessage::Viewers { count: 1, primary: false, list: list.clone() };
    let told = [E::Notify(Notification::Primary(false)), E::Notify(Notification::Viewers { count: 1, list })];
    assert_eq!(Rig::attached().say(&viewers), told);
}

#[test]
fn colours_are_told_to_whom_it_concerns() {
    let colours = Colours::default();
    let told = E::SendText(ClientMessage::Colours(colours.clone()).to_json());
    let mut rig = Rig::new();
    assert!(rig.on(Event::Colours(&colours)).is_empty());
    rig.on(Event::Start);
    rig.on(Event::Opened(""));
    assert!(
        rig.say(&ServerMessage::Welcome(welcome(0))).contains(&told),
        "as soon as there is somebody to tell"
    );
    let mut reader = Rig::new();
    reader.on(Event::Colours(&colours));
    reader.on(Event::Start);
    reader.on(Event::Opened(""));
    let effects = reader.say(&ServerMessage::Welcome(Welcome { role: Role::Reader, ..welcome(0) }));
    assert!(!effects.contains(&told), "whose colours do not count");
}

#[test]
fn history_is_asked_for_while_there_is_somebody_to_ask() {
    let asked = E::SendText(ClientMessage::History.to_json());
    let mut rig = Rig::attached();
    assert!(rig.on(Event::HistoryRequested).contains(&asked));
    rig.on(Event::Closed { code: 1006 });
    assert!(!rig.on(Event::HistoryRequested).contains(&asked));
}

#[test]
fn only_who_may_write_has_the_terminal_cleared_or_reset() {
    let wanted = [
        (Event::ClearRequested, ClientMessage::Clear),
        (Event::SoftResetRequested, ClientMessage::SoftReset),
    ];
    for (event, message) in wanted {
        let asked = E::SendText(message.to_json());
        assert!(Rig::attached().on(event).contains(&asked));
        let mut reader = Rig::new();
        reader.on(Event::Start);
        reader.on(Event::Opened(""));
        reader.say(&ServerMessage::Welcome(Welcome { role: Role::Reader, ..welcome(0) }));
        assert!(!reader.on(event).contains(&asked));
    }
}
