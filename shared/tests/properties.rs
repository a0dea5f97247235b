//! Property tests of the codec.

use limpet_shared::{
    ClientMessage, Epoch, ExitStatus, Follow, Header, Hello, InputOffset, Kind, MessageError, OutputOffset,
    Resume, Role, ServerMessage, SignInKey, ViewerId, ViewerInfo, Winsize,
    limits::MAX_OFFSET,
    theme::{Appearance, Colours, Rgb},
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn size() -> impl Strategy<Value = Winsize> {
    any::<[u16; 4]>().prop_map(|[cols, rows, xpixel, ypixel]| Winsize { cols, rows, xpixel, ypixel })
}

fn viewer() -> impl Strategy<Value = ViewerId> {
    any::<[u8; 16]>().prop_map(ViewerId::from_random)
}

fn output() -> impl Strategy<Value = OutputOffset> {
    any::<u64>().prop_map(OutputOffset::new)
}

fn number() -> impl Strategy<Value = serde_json::Number> {
    prop_oneof![
        any::<u64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        // JSON has no infinity, and not every parser distinguishes a whole float from an integer.
        (-1e9..1e9).prop_filter_map("whole", |t: f64| {
            serde_json::Number::from_f64(t).filter(|_| t.fract() != 0.0)
        }),
    ]
}

fn hello() -> impl Strategy<Value = Hello> {
    let resume = (any::<[u8; 8]>(), output(), any::<Option<u64>>())
        .prop_map(|(epoch, output, resizes)| Resume { epoch: Epoch::from_random(epoch), output, resizes });
    let follow = prop_oneof![Just(Follow::All), Just(Follow::Now)];
    let key = prop::option::of(any::<String>().prop_map(SignInKey::new));
    (viewer(), size(), any::<Option<u64>>(), prop::option::of(resume), follow, key).prop_map(
        |(viewer, size, window, resume, follow, key)| Hello { viewer, size, window, resume, follow, key },
    )
}

fn colours() -> impl Strategy<Value = Colours> {
    let colour = || (0..=0xff_ffff_u32).prop_map(Rgb::from_number);
    (any::<bool>(), colour(), colour(), colour(), prop::array::uniform16(colour())).prop_map(
        |(dark, background, foreground, cursor, ansi)| {
            let appearance = if dark { Appearance::Dark } else { Appearance::Light };
            Colours { appearance, background, foreground, cursor, ansi }
        },
    )
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    prop_oneof![
        hello().prop_map(ClientMessage::Hello),
        output().prop_map(|output| ClientMessage::Ack { output }),
        size().prop_map(ClientMessage::Resize),
        colours().prop_map(ClientMessage::Colours),
        Just(ClientMessage::History),
        Just(ClientMessage::Clear),
        Just(ClientMessage::SoftReset),
        prop::option::of(any::<u64>()).prop_map(|to| ClientMessage::Primary { to }),
        number().prop_map(|t| ClientMessage::Ping { t }),
        number().prop_map(|t| ClientMessage::Pong { t }),
    ]
}

fn presence() -> impl Strategy<Value = ViewerInfo> {
    let role = prop_oneof![Just(Role::Owner), Just(Role::Writer), Just(Role::Reader)];
    let texts = (any::<String>(), any::<String>());
    (any::<u64>(), role, any::<u64>(), texts, any::<bool>(), any::<bool>()).prop_map(
        |(id, role, since, (from, agent), primary, you)| ViewerInfo {
            id,
            role,
            since,
            from,
            agent,
            primary,
            you,
        },
    )
}

fn server_message() -> impl Strategy<Value = ServerMessage> {
    let status =
        prop_oneof![any::<i32>().prop_map(ExitStatus::Code), any::<i32>().prop_map(ExitStatus::Signal)];
    prop_oneof![
        any::<u64>().prop_map(|input| ServerMessage::Ack { input: InputOffset::new(input) }),
        (size(), any::<Option<u64>>(), any::<u64>()).prop_map(|(size, by, resizes)| ServerMessage::Resize {
            size,
            by,
            resizes
        }),
        (output(), any::<u64>(), any::<u64>(), any::<u64>()).prop_map(|(output, skipped, earlier, bytes)| {
            ServerMessage::Reset { output, skipped, earlier, bytes }
        }),
        any::<String>().prop_map(|title| ServerMessage::Title { title }),
        (any::<u32>(), any::<bool>(), prop::collection::vec(presence(), 0..3))
            .prop_map(|(count, primary, list)| ServerMessage::Viewers { count, primary, list }),
        (status, output(), any::<bool>()).prop_map(|(status, output, closed)| ServerMessage::Exit {
            status,
            output,
            closed
        }),
    ]
}

/// Generates JSON of every kind, a few levels deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number().prop_map(Value::Number),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 20, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn a_client_is_understood(message in client_message()) {
        prop_assert_eq!(ClientMessage::parse(&message.to_json()).unwrap(), message);
    }

    #[test]
    fn the_server_is_understood(message in server_message()) {
        prop_assert_eq!(ServerMessage::parse(&message.to_json()).unwrap(), message);
    }

    #[test]
    fn fields_that_nobody_knows_change_nothing(message in client_message(), value in json_value(), name in "[A-Z]+") {
        let mut object: Value = serde_json::from_str(&message.to_json()).unwrap();
        object[name] = value;
        prop_assert_eq!(ClientMessage::parse(&object.to_string()).unwrap(), message);
    }

    #[test]
    fn a_type_that_nobody_knows_is_told_by_name(name in any::<String>(), value in json_value()) {
        prop_assume!(!ClientMessage::TYPES.contains(&name.as_str()));
        let text = json!({ "type": &name, "output": value }).to_string();
        match ClientMessage::parse(&text) {
            Err(MessageError::UnknownType(unknown)) => prop_assert_eq!(unknown, name),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// A known type makes it likely that a parser looks at a wrong value.
    #[test]
    fn a_hostile_text_is_read_or_refused(
        name in "hello|ack|resize|primary|colours|ping|pong|welcome|exit|reset|error",
        fields in prop::collection::btree_map("cols|rows|to|viewer|output|window|resume|t|code|signal|by", json_value(), 0..5),
    ) {
        let mut object = Value::from_iter(fields);
        object["type"] = name.into();
        let text = object.to_string();
        if let Ok(message) = ClientMessage::parse(&text) {
            prop_assert_eq!(ClientMessage::parse(&message.to_json()).unwrap(), message);
        }
        if let Ok(message) = ServerMessage::parse(&text) {
            prop_assert_eq!(ServerMessage::parse(&message.to_json()).unwrap(), message);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = ClientMessage::parse(&text);
        let _ = ServerMessage::parse(&text);
    }

    #[test]
    fn a_header_comes_back(snapshot in any::<bool>(), payload in any::<Vec<u8>>(), offset in 0..MAX_OFFSET) {
        prop_assume!(offset + payload.len() as u64 <= MAX_OFFSET);
        let header = Header { kind: if snapshot { Kind::Snapshot } else { Kind::Data }, offset };
        let message = [&header.encode()[..], &payload].concat();
        prop_assert_eq!(Header::split(&message), Ok((header, &payload[..])));
        // A page decodes only the head.
        prop_assert_eq!(Header::decode(&message[..Header::LEN], message.len()), Ok(header));
    }

    #[test]
    fn any_bytes_are_a_frame_within_range_or_refused(message in any::<Vec<u8>>(), kind in 0..3_u8) {
        for message in [message.clone(), [&[kind, 0], &message[..]].concat()] {
            if let Ok((header, payload)) = Header::split(&message) {
                prop_assert!(header.offset + payload.len() as u64 <= MAX_OFFSET);
                prop_assert_eq!(&header.encode()[..], &message[..Header::LEN]);
                prop_assert_eq!(payload, &message[Header::LEN..]);
            } else {
                prop_assert!(message.len() < Header::LEN || message[0] > 1 || message[1] != 0 || message[2] >= 0x20);
            }
        }
    }

    #[test]
    fn any_length_is_told_without_overflow(head in any::<[u8; 9]>(), len in any::<usize>()) {
        let _ = Header::decode(&head, len);
    }
}
