//! Tests of opening, losing, retrying and ending a connection.

use limpet_shared::SignInKey;

use super::*;

#[test]
fn a_machine_that_has_slept_looks_after_its_connection_at_once() {
    let mut rig = Rig::attached();
    rig.after(1000.0).on(Event::UserActive);
    let asks = |effects: &[Effect]| {
        effects.iter().any(|effect| matches!(effect, Effect::SendText(text) if text.contains("ping")))
            && effects.contains(&Effect::Timer(heartbeat::WAKE_TIMEOUT_MS))
    };
    assert!(!asks(&rig.after(100.0).on(Event::UserActive)));
    assert!(asks(&rig.after(100.0).asleep(3_600_000.0).on(Event::UserActive)));
    assert!(!asks(&rig.after(100.0).on(Event::UserActive)), "once is enough");
    // Any event detects the sleep, and a waiting connection is retried at once.
    assert!(asks(&rig.after(100.0).asleep(60_000.0).on(Event::Input(b"x"))));
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
        [E::Open, E::Timer(CONNECT_TIMEOUT_MS), E::Notify(Notification::Phase(Phase::Connecting))]
    );
    let [ClientMessage::Hello(hello)] = &sent(&rig.on(Event::Opened("")))[..] else { panic!("no hello") };
    assert_eq!(
        (hello.size, hello.window, &hello.resume),
        (Winsize::cells(80, 24), Some(WINDOW_BYTES), &None)
    );
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    assert!(matches!(sent(&effects)[..], [ClientMessage::Ping { .. }]));
    assert!(
        !effects.contains(&E::Notify(Notification::Clear { skipped: 0, earlier: 0 })),
        "nothing is there to clear"
    );
    assert_eq!(rig.phase(), Some(Phase::Live { latency_ms: None }));
}

#[test]
fn a_hello_that_was_said_is_not_said_again() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    assert_eq!(rig.on(Event::HelloSent(Winsize::cells(80, 24))), []);
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    assert!(matches!(sent(&effects)[..], [ClientMessage::Ping { .. }]), "the size is known: {effects:?}");
    assert_eq!(rig.phase(), Some(Phase::Live { latency_ms: None }));
}

#[test]
fn a_size_that_is_another_than_hello_told_follows_the_welcome() {
    let told = |then: &[Event<'_>]| {
        let mut rig = Rig::new();
        rig.on(Event::Start);
        let early: Vec<_> = then.iter().flat_map(|event| sent(&rig.on(*event))).collect();
        assert!(!early.iter().any(|message| matches!(message, ClientMessage::Resize(_))));
        sent(&rig.say(&ServerMessage::Welcome(welcome(0))))
    };
    let [said, shrunk] = [Winsize::cells(100, 30), Winsize::cells(70, 20)];
    assert_eq!(told(&[Event::HelloSent(said)])[0], ClientMessage::Resize(Winsize::cells(80, 24)));
    assert_eq!(told(&[Event::Opened(""), Event::Resized(shrunk)])[0], ClientMessage::Resize(shrunk));
}

#[test]
fn a_broken_connection_is_tried_again_and_resumes() {
    let mut rig = Rig::attached();
    rig.on(frame(&data(0, b"hello")));
    let effects = rig.after(60_000.0).on(Event::Closed { code: 1006 });
    assert!(effects.contains(&E::Timer(backoff::FIRST_DELAY_MS)));
    assert_eq!(
        rig.phase(),
        Some(Phase::Reconnecting { at_ms: rig.now_ms + backoff::FIRST_DELAY_MS, attempt: 1, keys: 0 })
    );
    assert!(rig.after(250.0).on(Event::Timer).contains(&E::Open));
    let [ClientMessage::Hello(hello)] = &sent(&rig.on(Event::Opened("")))[..] else { panic!("no hello") };
    let resume = Resume { epoch: Epoch::from_random([2; 8]), output: OutputOffset::new(5), resizes: Some(0) };
    assert_eq!(hello.resume, Some(resume));
    let effects = rig.say(&ServerMessage::Welcome(welcome(5)));
    assert!(!effects.contains(&E::Notify(Notification::Clear { skipped: 0, earlier: 0 })));
    assert!(matches!(rig.phase(), Some(Phase::Live { .. })));
}

#[test]
fn each_hello_brings_the_key_that_is_kept_by_then() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    for (key, sent_key) in [("", None), ("first", Some("first")), ("second", Some("second"))] {
        let [ClientMessage::Hello(hello)] = &sent(&rig.on(Event::Opened(key)))[..] else {
            panic!("no hello")
        };
        assert_eq!(hello.key.as_ref().map(SignInKey::reveal), sent_key);
        rig.on(Event::Closed { code: 1006 });
        rig.on(Event::Timer);
    }
}

#[test]
fn who_is_not_let_in_is_told_so_once() {
    for code in [ErrorCode::Unauthorized, ErrorCode::SessionNotFound] {
        let mut rig = Rig::new();
        rig.on(Event::Start);
        rig.on(Event::Opened(""));
        let effects = rig.say(&ServerMessage::Error { code, message: "why".to_owned() });
        assert!(
            !effects.iter().any(|effect| matches!(effect, E::Notify(Notification::Notice(_)))),
            "the page says it"
        );
    }
}

#[test]
fn a_server_that_cannot_resume_clears_the_terminal() {
    let mut rig = Rig::attached();
    rig.on(frame(&data(0, b"hello")));
    rig.on(Event::Closed { code: 1001 });
    rig.on(Event::Timer);
    rig.on(Event::Opened(""));
    let other = Welcome { epoch: Epoch::from_random([3; 8]), ..welcome(0) };
    assert!(
        rig.say(&ServerMessage::Welcome(other))
            .contains(&E::Notify(Notification::Clear { skipped: 0, earlier: 0 }))
    );
}

#[test]
fn failures_in_a_row_wait_longer_each_and_a_stable_attachment_forgets_them() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    for attempt in 1..=3 {
        assert!(rig.on(Event::Closed { code: 1006 }).contains(&E::Probe));
        rig.on(Event::Probed(Probe::Unreachable));
        let at_ms = rig.now_ms + backoff::delay_ms(attempt, 0.0);
        assert_eq!(rig.phase(), Some(Phase::Reconnecting { at_ms, attempt, keys: 0 }));
        rig.on(Event::Timer);
    }
    rig.on(Event::Opened(""));
    rig.say(&ServerMessage::Welcome(welcome(0)));
    rig.after(STABLE_AFTER_MS).on(Event::Closed { code: 1006 });
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
fn what_stands_in_the_way_is_told_until_there_is_a_welcome() {
    let refused =
        |reason: &str| E::Notify(Notification::Problem(Some(ConnectionProblem::Refused(reason.to_owned()))));
    let blocked = E::Notify(Notification::Problem(Some(ConnectionProblem::NoWebSocket)));
    let fine = E::Notify(Notification::Problem(None));
    let mut rig = Rig::new();
    rig.on(Event::Start);
    let mut fail = |probe: Probe<'_>| {
        rig.on(Event::Closed { code: 1006 });
        let effects = rig.on(Event::Probed(probe));
        assert!(matches!(rig.phase(), Some(Phase::Reconnecting { .. })));
        rig.on(Event::Timer);
        effects
    };
    assert!(!fail(Probe::Alive).contains(&blocked), "one socket may break by chance");
    assert!(fail(Probe::Alive).contains(&blocked));
    assert!(!fail(Probe::Alive).contains(&blocked), "once");
    assert!(fail(Probe::Refused("no")).contains(&refused("no")));
    assert!(fail(Probe::Refused("full")).contains(&refused("full")));
    assert!(!fail(Probe::Unreachable).contains(&fine));
    rig.on(Event::Opened(""));
    assert!(rig.say(&ServerMessage::Welcome(welcome(0))).contains(&fine));
}

#[test]
fn a_server_that_says_goodbye_is_called_rarely() {
    let mut rig = Rig::attached();
    let goodbye = ServerMessage::Error { code: ErrorCode::ShuttingDown, message: "stopped".to_owned() };
    assert_eq!(rig.say(&goodbye), [E::Notify(Notification::Problem(Some(ConnectionProblem::Stopped)))]);
    let effects = rig.after(STABLE_AFTER_MS).on(Event::Closed { code: 1001 });
    let mut timers = effects.iter().filter_map(|effect| match effect {
        E::Timer(ms) => Some(*ms),
        _ => None,
    });
    assert!(timers.next_back().is_some_and(|ms| ms >= backoff::MAX_DELAY_MS / 4.0), "{effects:?}");
    assert!(rig.on(Event::RetryNow).contains(&E::Open));
    rig.on(Event::Opened(""));
    let effects = rig.say(&ServerMessage::Welcome(welcome(0)));
    assert!(effects.contains(&E::Notify(Notification::Problem(None))));
    let effects = rig.after(STABLE_AFTER_MS).on(Event::Closed { code: 1006 });
    assert!(
        effects.contains(&E::Timer(backoff::delay_ms(1, 0.0))),
        "a broken connection is tried at once again"
    );
}

#[test]
fn fatal_closes_are_not_tried_again() {
    for (code, reason) in [
        (CloseCode::Protocol, GoneReason::Protocol),
        (CloseCode::Replaced, GoneReason::Replaced),
        (CloseCode::Unauthorized, GoneReason::Unauthorized),
        (CloseCode::NotFound, GoneReason::SessionNotFound),
    ] {
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
    let exit = ServerMessage::Exit { status: ExitStatus::Code(3), output: OutputOffset::ZERO, closed: true };
    let told = Notification::Exited { status: ExitStatus::Code(3), closed: true };
    assert!(rig.say(&exit).contains(&E::Notify(told)));
    for event in
        [Event::Closed { code: 1000 }, Event::Online, Event::Timer, Event::RetryNow, Event::Input(b"x")]
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
    let effects = rig.after(heartbeat::WAKE_TIMEOUT_MS).on(Event::Timer);
    assert!(effects.contains(&E::Close));
    assert!(matches!(rig.phase(), Some(Phase::Reconnecting { .. })));
}

#[test]
fn a_hidden_page_sets_no_timer() {
    let mut rig = Rig::attached();
    rig.on(Event::Visible(false));
    let t = serde_json::Number::from_f64(rig.now_ms).unwrap();
    assert_eq!(rig.say(&ServerMessage::Pong { t })[..1], [E::NoTimer]);
    assert_eq!(rig.after(heartbeat::PING_INTERVAL_MS).on(Event::Timer), [E::NoTimer]);
}

#[test]
fn a_socket_that_hangs_while_opening_is_given_up() {
    let mut rig = Rig::new();
    rig.on(Event::Start);
    assert_eq!(rig.on(Event::Online), [], "it has only just begun");
    assert!(rig.after(MIN_REOPEN_AGE_MS).on(Event::Online).contains(&E::Open));
    assert!(rig.after(CONNECT_TIMEOUT_MS).on(Event::Timer).contains(&E::Close));
}

#[test]
fn silence_after_input_is_told_with_the_keys_that_wait() {
    let mut rig = Rig::attached();
    let t = serde_json::Number::from_f64(rig.now_ms).unwrap();
    rig.say(&ServerMessage::Pong { t });
    let effects = rig.after(500.0).on(Event::Input(b"ls"));
    assert!(effects.contains(&E::Timer(heartbeat::PING_AFTER_INPUT_MS)), "{effects:?}");
    let effects = rig.after(heartbeat::PING_AFTER_INPUT_MS).on(Event::Timer);
    assert!(matches!(sent(&effects)[..], [ClientMessage::Ping { .. }]));
    assert!(
        effects.contains(&E::Timer(heartbeat::STALLED_AFTER_MS - heartbeat::PING_AFTER_INPUT_MS)),
        "{effects:?}"
    );
    assert!(matches!(rig.phase(), Some(Phase::Live { .. })));
    rig.after(heartbeat::STALLED_AFTER_MS - heartbeat::PING_AFTER_INPUT_MS).on(Event::Timer);
    assert_eq!(rig.phase(), Some(Phase::Stalled { keys: 2 }));
    rig.on(Event::Input(b"\x1b[A"));
    assert_eq!(rig.phase(), Some(Phase::Stalled { keys: 3 }));
    rig.say(&ServerMessage::Ack { input: InputOffset::new(5) });
    assert!(matches!(rig.phase(), Some(Phase::Live { .. })));
}

#[test]
fn input_that_is_acknowledged_sets_no_further_timer() {
    let mut rig = Rig::attached();
    let t = serde_json::Number::from_f64(rig.now_ms).unwrap();
    rig.say(&ServerMessage::Pong { t });
    assert!(rig.after(2000.0).on(Event::Input(b"a")).contains(&E::Timer(heartbeat::PING_AFTER_INPUT_MS)));
    for input in 1..5 {
        rig.after(100.0).say(&ServerMessage::Ack { input: InputOffset::new(input) });
        let effects = rig.on(Event::Input(b"a"));
        assert!(!effects.iter().any(|effect| matches!(effect, E::Timer(_))), "{effects:?}");
    }
    rig.say(&ServerMessage::Ack { input: InputOffset::new(5) });
    let effects = rig.after(600.0).on(Event::Timer);
    assert_eq!(sent(&effects), [], "nobody is asked: all is acknowledged");
    assert!(matches!(effects[..], [E::Timer(ms)] if ms > heartbeat::STALLED_AFTER_MS), "{effects:?}");
}

#[test]
fn a_connection_that_stays_silent_is_given_up_in_the_end() {
    let mut rig = Rig::attached();
    let t = serde_json::Number::from_f64(rig.now_ms).unwrap();
    rig.say(&ServerMessage::Pong { t });
    rig.on(Event::Input(b"x"));
    rig.after(heartbeat::PING_AFTER_INPUT_MS).on(Event::Timer);
    rig.after(heartbeat::STALLED_AFTER_MS - heartbeat::PING_AFTER_INPUT_MS).on(Event::Timer);
    let left_ms = heartbeat::PONG_TIMEOUT_MS - heartbeat::STALLED_AFTER_MS + heartbeat::PING_AFTER_INPUT_MS;
    assert!(rig.after(left_ms).on(Event::Timer).contains(&E::Close));
    assert!(matches!(rig.phase(), Some(Phase::Reconnecting { keys: 1, .. })));
    rig.on(Event::Input(b"y"));
    assert!(matches!(rig.phase(), Some(Phase::Reconnecting { keys: 2, .. })), "keys are counted meanwhile");
}
