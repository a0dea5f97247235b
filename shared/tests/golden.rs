//! Golden tests of the wire format, which `vectors.json` pins byte by byte for clients in every
//! language.
#![expect(clippy::unwrap_used, reason = "in a test, a panic is how it fails")]

use std::collections::{BTreeMap, BTreeSet};

use limpet_shared::{
    ClientMessage, CloseCode, Epoch, ErrorCode, ExitStatus, Follow, Header, Hello, InputOffset, Kind,
    MessageError, OutputOffset, Resume, Role, ServerMessage, SessionId, SignInKey, ViewerId, ViewerInfo,
    Welcome, Winsize, theme::Colours,
};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Vectors {
    client: Vec<Text>,
    server: Vec<Text>,
    tolerated: Vec<Tolerated>,
    frames: Vec<Frame>,
    refused: Refused,
    errors: Vec<String>,
    closes: BTreeMap<String, u16>,
}

/// A text message and its exact bytes.
#[derive(Deserialize)]
struct Text {
    name: String,
    wire: Box<RawValue>,
}

#[derive(Deserialize)]
struct Tolerated {
    name: String,
    wire: Box<RawValue>,
    r#as: Box<RawValue>,
}

#[derive(Deserialize)]
struct Frame {
    name: String,
    kind: String,
    offset: u64,
    payload: String,
    hex: String,
}

#[derive(Deserialize)]
struct Refused {
    texts: Vec<RefusedText>,
    frames: Vec<RefusedFrame>,
}

#[derive(Deserialize)]
struct RefusedText {
    name: String,
    text: String,
    code: ErrorCode,
}

#[derive(Deserialize)]
struct RefusedFrame {
    name: String,
    hex: String,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0, "{hex}");
    let pairs = digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16));
    pairs.collect::<Result<_, _>>().unwrap()
}

fn session(id: &str) -> SessionId {
    id.parse().unwrap()
}

fn epoch(bytes: u64) -> Epoch {
    Epoch::from_random(bytes.to_be_bytes())
}

fn viewer() -> ViewerId {
    ViewerId::from_random(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8_u128.to_be_bytes())
}

const EPOCH: u64 = 0x0123_4567_89ab_cdef;

fn client_messages() -> Vec<(&'static str, ClientMessage)> {
    let size = Winsize::cells(80, 24);
    let pixels = Winsize { cols: 120, rows: 40, xpixel: 960, ypixel: 800 };
    let resume = Resume { epoch: epoch(EPOCH), output: OutputOffset::new(4096), resizes: Some(3) };
    let full = Hello {
        viewer: viewer(),
        size: pixels,
        window: Some(65536),
        resume: Some(resume),
        follow: Follow::Now,
        key: Some(SignInKey::new("0123456789abcdef".into())),
    };
    vec![
        (
            "hello",
            ClientMessage::Hello(Hello {
                viewer: viewer(),
                size,
                window: None,
                resume: None,
                follow: Follow::All,
                key: None,
            }),
        ),
        ("hello with all there is", ClientMessage::Hello(full)),
        ("colours", ClientMessage::Colours(Colours::default())),
        ("history", ClientMessage::History),
        ("clear", ClientMessage::Clear),
        ("soft reset", ClientMessage::SoftReset),
        ("ack", ClientMessage::Ack { output: OutputOffset::new((1 << 53) - 1) }),
        ("resize", ClientMessage::Resize(Winsize::cells(1, 4096))),
        ("becoming primary", ClientMessage::Primary { to: None }),
        ("making another viewer primary", ClientMessage::Primary { to: Some(3) }),
        ("resize in pixels", ClientMessage::Resize(Winsize { xpixel: 640, ypixel: 480, ..size })),
        ("ping", ClientMessage::Ping { t: serde_json::Number::from_f64(1234.5).unwrap() }),
        ("pong", ClientMessage::Pong { t: (-7).into() }),
    ]
}

fn server_messages() -> Vec<(&'static str, ServerMessage)> {
    let size = Winsize::cells(100, 30);
    let output = OutputOffset::new(12345);
    let mut messages = welcomes();
    messages.extend([
        ("ack", ServerMessage::Ack { input: InputOffset::new(1 << 20) }),
        ("resize by a viewer", ServerMessage::Resize { size, by: Some(3), resizes: 2 }),
        (
            "resize by the server",
            ServerMessage::Resize {
                size: Winsize { xpixel: 800, ypixel: 600, ..size },
                by: None,
                resizes: 0,
            },
        ),
        (
            "reset",
            ServerMessage::Reset {
                output: OutputOffset::new(5_000_000),
                skipped: 904_096,
                earlier: 0,
                bytes: 0,
            },
        ),
        (
            "reset with a part of the scrollback",
            ServerMessage::Reset {
                output: OutputOffset::new(5_000_000),
                skipped: 0,
                earlier: 9500,
                bytes: 70_000,
            },
        ),
        ("title", ServerMessage::Title { title: "~/src\\x: make 日本".into() }),
        ("viewers", ServerMessage::Viewers { count: 2, primary: false, list: presences() }),
        (
            "viewers, of a server that does not name them",
            ServerMessage::Viewers { count: 2, primary: true, list: Vec::new() },
        ),
        ("exit with a code", ServerMessage::Exit { status: ExitStatus::Code(0), output, closed: false }),
        ("exit by a signal", ServerMessage::Exit { status: ExitStatus::Signal(9), output, closed: false }),
        (
            "exit of a closed session",
            ServerMessage::Exit { status: ExitStatus::Signal(1), output, closed: true },
        ),
        ("ping", ServerMessage::Ping { t: u64::MAX.into() }),
        ("pong", ServerMessage::Pong { t: 0.into() }),
        (
            "error",
            ServerMessage::Error {
                code: ErrorCode::InputGap,
                message: "Input starts at 20, but 10 was expected.".into(),
            },
        ),
    ]);
    messages
}

fn presences() -> Vec<ViewerInfo> {
    let desktop = ViewerInfo {
        id: 0,
        role: Role::Owner,
        since: 1_790_000_000_000,
        from: "192.0.2.7".into(),
        agent: "Mozilla/5.0".into(),
        primary: true,
        you: false,
    };
    let reader = ViewerInfo {
        id: 4,
        role: Role::Reader,
        from: String::new(),
        agent: String::new(),
        primary: false,
        you: true,
        ..desktop.clone()
    };
    vec![desktop, reader]
}

fn welcomes() -> Vec<(&'static str, ServerMessage)> {
    let first = Welcome {
        session: session("00f1e2d3c4b5a697"),
        epoch: epoch(EPOCH),
        role: Role::Owner,
        id: 0,
        output: OutputOffset::ZERO,
        live: OutputOffset::ZERO,
        input: InputOffset::ZERO,
        size: Winsize::cells(80, 24),
        resizes: 0,
        by: None,
        title: "bash".into(),
        server: "0.1.0".into(),
    };
    let reader = Welcome {
        session: session("build-7"),
        role: Role::Reader,
        id: 5,
        output: OutputOffset::new(4096),
        live: OutputOffset::new(8192),
        input: InputOffset::new(17),
        size: Winsize { cols: 120, rows: 40, xpixel: 960, ypixel: 800 },
        resizes: 12,
        by: Some(3),
        title: "vim — \"notes\"".into(),
        ..first.clone()
    };
    let writer = Welcome {
        session: session("s_1"),
        epoch: epoch(0xfedc_ba98_7654_3210),
        role: Role::Writer,
        output: OutputOffset::new(1),
        live: OutputOffset::new(1),
        size: Winsize::cells(1, 1),
        title: String::new(),
        server: "1.0.0-rc.1".into(),
        ..first.clone()
    };
    vec![
        ("welcome", ServerMessage::Welcome(first)),
        ("welcome to a reader, in the middle", ServerMessage::Welcome(reader)),
        ("welcome to a writer", ServerMessage::Welcome(writer)),
    ]
}

#[test]
fn messages_of_a_client_are_written_and_read_as_pinned() {
    let (vectors, messages) = (vectors().client, client_messages());
    assert_eq!(vectors.len(), messages.len());
    for (vector, (name, message)) in vectors.iter().zip(messages) {
        assert_eq!(vector.name, name);
        assert_eq!(message.to_json(), vector.wire.get(), "{name}");
        assert_eq!(ClientMessage::parse(vector.wire.get()).unwrap(), message, "{name}");
    }
}

#[test]
fn messages_of_the_server_are_written_and_read_as_pinned() {
    let (vectors, messages) = (vectors().server, server_messages());
    assert_eq!(vectors.len(), messages.len());
    for (vector, (name, message)) in vectors.iter().zip(messages) {
        assert_eq!(vector.name, name);
        assert_eq!(message.to_json(), vector.wire.get(), "{name}");
        assert_eq!(ServerMessage::parse(vector.wire.get()).unwrap(), message, "{name}");
    }
}

/// Fails to compile when a message type is added, so that the type gets vectors.
#[test]
fn no_type_of_message_lacks_a_vector() {
    let client: BTreeSet<_> = client_messages().iter().map(|(_, message)| client_type(message)).collect();
    assert_eq!(client.len(), 10, "{client:?}");
    let server: BTreeSet<_> = server_messages().iter().map(|(_, message)| server_type(message)).collect();
    assert_eq!(server.len(), 10, "{server:?}");
}

fn client_type(message: &ClientMessage) -> u8 {
    match message {
        ClientMessage::Hello(_) => 0,
        ClientMessage::Ack { .. } => 1,
        ClientMessage::Resize(_) => 2,
        ClientMessage::Ping { .. } => 3,
        ClientMessage::Pong { .. } => 4,
        ClientMessage::Colours(_) => 5,
        ClientMessage::History => 6,
        ClientMessage::Primary { .. } => 7,
        ClientMessage::Clear => 8,
        ClientMessage::SoftReset => 9,
    }
}

fn server_type(message: &ServerMessage) -> u8 {
    match message {
        ServerMessage::Welcome(_) => 0,
        ServerMessage::Ack { .. } => 1,
        ServerMessage::Resize { .. } => 2,
        ServerMessage::Reset { .. } => 3,
        ServerMessage::Title { .. } => 4,
        ServerMessage::Viewers { .. } => 5,
        ServerMessage::Exit { .. } => 6,
        ServerMessage::Ping { .. } => 7,
        ServerMessage::Pong { .. } => 8,
        ServerMessage::Error { .. } => 9,
    }
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    for Tolerated { name, wire, r#as } in vectors().tolerated {
        let read = ClientMessage::parse(wire.get()).unwrap();
        assert_eq!(read, ClientMessage::parse(r#as.get()).unwrap(), "{name}");
    }
}

#[test]
fn what_is_no_message_is_told_from_what_is_an_unknown_one() {
    for RefusedText { name, text, code } in vectors().refused.texts {
        let refused = match ClientMessage::parse(&text) {
            Err(MessageError::UnknownType(_)) => ErrorCode::UnknownType,
            Err(MessageError::Malformed(_)) => ErrorCode::MalformedMessage,
            Ok(message) => panic!("{name}: read as {message:?}"),
        };
        assert_eq!(refused, code, "{name}");
    }
}

#[test]
fn frames_are_written_and_read_as_pinned() {
    for Frame { name, kind, offset, payload, hex } in vectors().frames {
        let kind = match kind.as_str() {
            "data" => Kind::Data,
            "snapshot" => Kind::Snapshot,
            other => panic!("{name}: no kind is called {other}"),
        };
        let header = Header { kind, offset };
        assert_eq!([&header.encode(), payload.as_bytes()].concat(), bytes(&hex), "{name}");
        assert_eq!(Header::split(&bytes(&hex)), Ok((header, payload.as_bytes())), "{name}");
    }
}

#[test]
fn what_is_no_frame_is_refused() {
    for RefusedFrame { name, hex } in vectors().refused.frames {
        let read = Header::split(&bytes(&hex)).map(|(header, _)| header);
        assert!(read.is_err(), "{name}: read as {read:?}");
    }
}

#[test]
fn errors_have_the_names_that_are_pinned() {
    for name in vectors().errors {
        let code: ErrorCode = serde_json::from_value(name.clone().into()).unwrap();
        assert_eq!(code.to_string(), name);
    }
}

#[test]
fn closes_have_the_codes_that_are_pinned() {
    let closes = [
        ("normal", CloseCode::Normal),
        ("going-away", CloseCode::GoingAway),
        ("protocol", CloseCode::Protocol),
        ("unauthorized", CloseCode::Unauthorized),
        ("not-found", CloseCode::NotFound),
        ("heartbeat-missed", CloseCode::HeartbeatMissed),
        ("replaced", CloseCode::Replaced),
    ];
    let closes = closes.map(|(name, close)| (name.to_owned(), close.code()));
    assert_eq!(vectors().closes, BTreeMap::from(closes));
}
