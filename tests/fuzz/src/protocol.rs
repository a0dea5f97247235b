//! Searches for frames and messages that make the protocol's parsers panic, or that mean something
//! else once they are written again.
//!
//! `cargo xtask fuzz` builds and runs it.

#![no_main]

use std::fmt::Debug;

use limpet_shared::{ClientMessage, Header, ServerMessage};

libfuzzer_sys::fuzz_target!(|case: &[u8]| {
    check_frame(case);
    if let Ok(text) = std::str::from_utf8(case) {
        check_message(text, ClientMessage::parse, ClientMessage::to_json);
        check_message(text, ServerMessage::parse, ServerMessage::to_json);
    }
});

fn check_frame(frame: &[u8]) {
    if let Ok((header, payload)) = Header::split(frame) {
        assert_eq!([&header.encode()[..], payload].concat(), frame);
    }
}

fn check_message<M: Debug + PartialEq, E: Debug>(
    text: &str,
    parse: impl Fn(&str) -> Result<M, E>,
    write: impl Fn(&M) -> String,
) {
    if let Ok(message) = parse(text) {
        let written = write(&message);
        assert_eq!(parse(&written).expect("what was written is a message"), message, "{written}");
    }
}
