//! The floors: bytes without any framing of their own.

use crate::{
    viewer::{Output, Protocol},
    wire::Opcode,
};

pub(super) struct Plain;

/// Returns the address that a floor prints. Floors have no token.
#[expect(clippy::unnecessary_wraps, reason = "others may have said nonsense")]
pub(super) fn ready(line: &str) -> anyhow::Result<(String, String)> {
    Ok((line.to_owned(), String::new()))
}

impl Protocol for Plain {
    fn output(&mut self, _: Opcode, _: &[u8], _: &mut Vec<u8>) -> Output {
        Output::From(0)
    }

    fn input(&mut self, bytes: &[u8]) -> (Opcode, Vec<u8>) {
        (Opcode::Binary, bytes.to_vec())
    }
}
